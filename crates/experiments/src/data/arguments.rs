//! The command lines of the data tools.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, ValueEnum};

/// Which set to look at, by config or folder.
#[derive(Debug, Args)]
pub(crate) struct SetArguments {
    /// Name of a file in configs/, a path to one, or a folder in NIA's layout or with images/ and masks/
    #[arg(value_name = "CONFIG|DIR")]
    pub(crate) set: String,
    /// Change one key of the config, such as data.nia.root=datasets/x; may stand several times
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) changes: Vec<String>,
    /// Classes of a DIR: how many, or their names in label order
    #[arg(long, value_name = "NUMBER|NAME,NAME,…")]
    pub(crate) classes: Option<Classes>,
    #[command(flatten)]
    pub(crate) folders: FolderArguments,
    /// Folder below DIR with train.txt, val.txt and test.txt [default: DIR itself]
    #[arg(long, value_name = "FOLDER")]
    pub(crate) lists: Option<PathBuf>,
}

/// Names of the folders below a DIR.
#[derive(Debug, Args)]
pub(crate) struct FolderArguments {
    /// Folder of the images below DIR [default: images]
    #[arg(long, value_name = "FOLDER")]
    pub(crate) images: Option<PathBuf>,
    /// Folder of the label maps below DIR [default: masks or labels]
    #[arg(long, value_name = "FOLDER")]
    pub(crate) masks: Option<PathBuf>,
    /// Folder of the edge maps below DIR [default: edges, if there is one]
    #[arg(long, value_name = "FOLDER")]
    pub(crate) edges: Option<PathBuf>,
}

/// Class names; a number stands for the names 0, 1, ….
#[derive(Debug, Clone)]
pub(crate) struct Classes(pub(crate) Vec<String>);

impl FromStr for Classes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse::<usize>() {
            Ok(count @ 1..=255) => Ok(Self((0..count).map(|label| label.to_string()).collect())),
            Ok(count) => Err(format!("{count} classes; a set has 1 to 255")),
            Err(_) => Ok(Self(text.split(',').map(|name| name.trim().to_owned()).collect())),
        }
    }
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  cargo xtask data check agrnet\n  \
    cargo xtask data check datasets/celebamask --classes 19\n  \
    cargo xtask data check datasets/voc --images JPEGImages --masks SegmentationClassAug --classes 21 --json\n\n\
    Exit code 0: no defect. Exit code 1: defects, or no set to read.")]
pub(crate) struct CheckArguments {
    #[command(flatten)]
    pub(crate) set: SetArguments,
    /// Edge maps were made by other means than from the labels: do not compare them
    #[arg(long)]
    pub(crate) any_edges: bool,
    /// Print one JSON document for programs
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  cargo xtask data stats agrnet\n  cargo xtask data stats datasets/celebamask --json"
)]
pub(crate) struct StatsArguments {
    #[command(flatten)]
    pub(crate) set: SetArguments,
    /// Print one JSON document for programs
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Example: cargo xtask data split datasets/celebamask --out datasets/celebamask \
    --fractions 0.8,0.1,0.1 --seed 1")]
pub(crate) struct SplitArguments {
    /// Folder with images/ and masks/
    #[arg(value_name = "DIR")]
    pub(crate) root: PathBuf,
    /// Folder for train.txt, val.txt and test.txt
    #[arg(long, value_name = "FOLDER")]
    pub(crate) out: PathBuf,
    /// Shares of the images to train on, to validate and to test; together 1
    #[arg(long, value_name = "TRAIN,VAL,TEST", default_value = "0.8,0.1,0.1")]
    pub(crate) fractions: Numbers<3>,
    /// The same seed gives the same lists
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
    /// Replace lists that are there
    #[arg(long)]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) folders: FolderArguments,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  cargo xtask data edges datasets/nia --out datasets/nia\n  \
    cargo xtask data edges datasets/nia --out canny --method canny --thresholds 50,100\n\n\
    Edge maps keep the layout: FOLDER/edges/ID.png, or FOLDER/{train,val,test}/edges/ID.grayscale.png for NIA's. \
    Edges are 255, the rest is 0.")]
pub(crate) struct EdgesArguments {
    /// Folder in NIA's layout or with images/ and masks/
    #[arg(value_name = "DIR")]
    pub(crate) root: PathBuf,
    /// Folder for the result, laid out like DIR; may be DIR itself
    #[arg(long, value_name = "FOLDER")]
    pub(crate) out: PathBuf,
    /// Where edges come from
    #[arg(long, value_enum, default_value_t = EdgeMethod::Neighbours)]
    pub(crate) method: EdgeMethod,
    /// Least slope of a Canny edge everywhere and somewhere on it, 0 to about 1140
    #[arg(long, value_name = "LOW,HIGH", default_value = "50,100")]
    pub(crate) thresholds: Numbers<2>,
    /// Replace edge maps that are there
    #[arg(long)]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) folders: FolderArguments,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum EdgeMethod {
    /// Pixels of a label map that differ from one of their four neighbours
    Neighbours,
    /// Canny's edges of the image
    Canny,
}

#[derive(Debug, Args)]
#[command(after_help = "Example: cargo xtask data crop NIA/source --out datasets/faces --size 512\n\n\
    Reads X.json, X.png (or .jpg) and X.grayscale.png side by side in any folder below DIR, and writes \
    FOLDER/images/ID.png and FOLDER/masks/ID.png, where ID is the path below DIR joined by '-'.")]
pub(crate) struct CropArguments {
    /// Folder with photographs, label maps and annotations as delivered
    #[arg(value_name = "DIR")]
    pub(crate) root: PathBuf,
    /// Folder for the faces
    #[arg(long, value_name = "FOLDER")]
    pub(crate) out: PathBuf,
    /// Width and height of the faces in pixels
    #[arg(long, default_value_t = 512, value_parser = clap::value_parser!(u32).range(1..=8192))]
    pub(crate) size: u32,
    /// What is added around a box, in shares of its width (left, right) and height (top, bottom)
    #[arg(long, value_name = "LEFT,TOP,RIGHT,BOTTOM", default_value = "0.2,0.7,0.2,0.2")]
    pub(crate) margins: Numbers<4>,
    /// Filter the images instead of taking the nearest pixel; labels are never filtered
    #[arg(long)]
    pub(crate) smooth: bool,
    /// Replace faces that are there
    #[arg(long)]
    pub(crate) force: bool,
}

/// Numbers with commas between them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Numbers<const N: usize>(pub(crate) [f64; N]);

impl<const N: usize> FromStr for Numbers<N> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers: Option<Vec<f64>> = text.split(',').map(|number| number.trim().parse().ok()).collect();
        let numbers = numbers.and_then(|numbers| numbers.try_into().ok());
        numbers.map(Self).ok_or_else(|| format!("expected {N} numbers with commas between them"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_a_number_or_names() {
        assert_eq!("3".parse::<Classes>().unwrap().0, ["0", "1", "2"]);
        assert_eq!("back, hair".parse::<Classes>().unwrap().0, ["back", "hair"]);
        assert!("0".parse::<Classes>().is_err() && "256".parse::<Classes>().is_err());
    }

    #[test]
    fn numbers_are_counted() {
        assert_eq!("0.8,0.1, 0.1".parse::<Numbers<3>>().unwrap().0, [0.8, 0.1, 0.1]);
        assert!("0.8,0.2".parse::<Numbers<3>>().is_err());
        assert!("a,b".parse::<Numbers<2>>().is_err());
    }
}
