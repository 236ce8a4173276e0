//! The command lines of the data tools.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, ValueEnum};

use crate::cli::Size;

/// Which set to look at, by config or folder.
#[derive(Debug, Args)]
pub(crate) struct SetArguments {
    /// Name of a file in configs/, a path to one, or a folder in NIA's or Figaro-1k's layout or with images/ and
    /// masks/
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
#[command(after_help = "Examples:\n  cargo xtask data crop NIA/source --out datasets/faces --size 512\n  \
    cargo xtask data crop datasets/faces --boxes boxes.tsv --margins 0.1,0.3,0.1,0.1 --clip --out crops\n  \
    cargo xtask data crop datasets/faces --around skin,nose --classes back,skin,nose --out crops\n\n\
    Without --boxes and --around, reads X.json, X.png (or .jpg) and X.grayscale.png side by side in any folder below \
    DIR; ID is the path below DIR joined by '-'. With one of them, DIR holds images/ and masks/. Writes \
    FOLDER/images/ID.png and FOLDER/masks/ID.png.")]
pub(crate) struct CropArguments {
    /// Folder with photographs, label maps and annotations as delivered, or with images/ and masks/
    #[arg(value_name = "DIR")]
    pub(crate) root: PathBuf,
    /// Folder for the faces
    #[arg(long, value_name = "FOLDER")]
    pub(crate) out: PathBuf,
    /// Width and height of the faces in pixels [default: 512; with --boxes or --around that of the box]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=8192))]
    pub(crate) size: Option<u32>,
    /// What is added around a box, in shares of its width (left, right) and height (top, bottom) [default:
    /// 0.2,0.7,0.2,0.2; with --boxes or --around none]
    #[arg(long, value_name = "LEFT,TOP,RIGHT,BOTTOM")]
    pub(crate) margins: Option<Numbers<4>>,
    /// List of boxes, `id x y w h` a line with tabs, commas or blanks between
    #[arg(long, value_name = "FILE", conflicts_with = "around")]
    pub(crate) boxes: Option<PathBuf>,
    /// Boxes are around these classes of the label map, by number, or by name with --classes
    #[arg(long, value_name = "CLASS,CLASS,…", value_delimiter = ',')]
    pub(crate) around: Vec<String>,
    /// Names of the classes in label order
    #[arg(long, value_name = "NAME,NAME,…", requires = "around")]
    pub(crate) classes: Option<Classes>,
    /// Cut boxes off at the border of the picture instead of refusing them
    #[arg(long)]
    pub(crate) clip: bool,
    /// Filter the images instead of taking the nearest pixel; labels are never filtered
    #[arg(long)]
    pub(crate) smooth: bool,
    /// Replace faces that are there
    #[arg(long)]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) folders: FolderArguments,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  cargo xtask data lines --json labelme --label wrinkle --width 3 --out masks\n  \
    cargo xtask data lines --strokes drawn --colour 255,0,0 --out masks\n  \
    cargo xtask data lines --strokes drawn --photos photos --width 5 --out masks\n\n\
    JSON is labelme's, or {\"width\": 500, \"height\": 400, \"lines\": [[[x, y], [x, y], …], …]} with x and y in \
    pixels from the upper left corner. Strokes are told by the pen's colour, or without --colour by what differs from \
    the photograph of the same stem. Masks are FOLDER/ID.png with index 1, shown white, on lines and 0 elsewhere."
)]
pub(crate) struct LinesArguments {
    /// Folder of annotations, *.json
    #[arg(long, value_name = "DIR", required_unless_present = "strokes")]
    pub(crate) json: Option<PathBuf>,
    /// Folder of copies of the photographs with strokes drawn over them
    #[arg(long, value_name = "DIR", conflicts_with = "json")]
    pub(crate) strokes: Option<PathBuf>,
    /// Folder of the photographs; for --json to hold sizes against, for --strokes to compare
    #[arg(long, value_name = "DIR")]
    pub(crate) photos: Option<PathBuf>,
    /// Folder for the masks
    #[arg(long, value_name = "FOLDER")]
    pub(crate) out: PathBuf,
    /// Width of every line in pixels
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=100))]
    pub(crate) width: u8,
    /// Take shapes of these labels alone [default: all]
    #[arg(long = "label", value_name = "NAME,NAME,…", value_delimiter = ',', conflicts_with = "strokes")]
    pub(crate) labels: Vec<String>,
    /// Colour of the pen, 0 to 255 each
    #[arg(long, value_name = "RED,GREEN,BLUE", conflicts_with = "json")]
    pub(crate) colour: Option<Numbers<3>>,
    /// Most that a channel may differ from the pen's colour, or from the photograph where there is no stroke
    #[arg(long, default_value_t = 60, conflicts_with = "json")]
    pub(crate) tolerance: u8,
    /// Shortest stroke in pixels; what is shorter is a speck
    #[arg(long, default_value_t = 8, conflicts_with = "json")]
    pub(crate) shortest: usize,
    /// Replace masks that are there
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Example: cargo xtask data texture photos --out textures\n\n\
    T = (1 - I / (1 + G)) * 255 of gray I and its Gaussian G, 21 x 21 pixels with deviation 5. Writes FOLDER/STEM.png.")]
pub(crate) struct TextureArguments {
    /// Image files, folders of images, or patterns such as 'photos/*.jpg'
    #[arg(required = true, value_name = "INPUT")]
    pub(crate) inputs: Vec<String>,
    /// Folder for the maps
    #[arg(long, value_name = "FOLDER")]
    pub(crate) out: PathBuf,
    /// Replace maps that are there
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  cargo xtask data tile photos --size 512x512 --overlap 64 --out tiles\n  \
    cargo xtask data tile 'faces/images/*.png' --masks faces/masks --size 512x512 --overlap 0 --out tiles\n\n\
    Writes FOLDER/images/STEM_yTOP_xLEFT.png and, with --masks, FOLDER/masks/ of the same names. A tile beyond the \
    picture is black there, and 255 (void) in its mask."
)]
pub(crate) struct TileArguments {
    /// Image files, folders of images, or patterns such as 'photos/*.jpg'
    #[arg(required = true, value_name = "INPUT")]
    pub(crate) inputs: Vec<String>,
    /// Folder of the label maps, .png of the same stem
    #[arg(long, value_name = "DIR")]
    pub(crate) masks: Option<PathBuf>,
    /// Height and width of a tile in pixels
    #[arg(long, value_name = "HEIGHTxWIDTH")]
    pub(crate) size: Size,
    /// Pixels that neighbours share
    #[arg(long, default_value_t = 0)]
    pub(crate) overlap: usize,
    /// Folder for the tiles
    #[arg(long, value_name = "FOLDER")]
    pub(crate) out: PathBuf,
    /// Write into a folder that holds tiles already
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
