//! The command line.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Parser, Subcommand, ValueEnum};
use sconce_data::Split;
use sconce_runs::{Run, Which};

use crate::device::DeviceArguments;
use crate::estimate::Trial;
use crate::export::ExportArguments;
use crate::saving::SavingArguments;

use crate::data::{
    CheckArguments, CropArguments, EdgesArguments, LinesArguments, SplitArguments, StatsArguments,
    TextureArguments, TileArguments,
};
use crate::plot::PlotArguments;
use crate::report::ReportArguments;
use crate::weights::WeightsArguments;

/// Train, evaluate and use networks for dense prediction.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", version, after_help = "Example: cargo xtask train agrnet-small")]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Train an experiment; everything it makes goes to a new folder under runs/
    Train(TrainArguments),
    /// Score a checkpoint on the validation or test set
    Eval(EvalArguments),
    /// Use a trained network on images: writes label maps and overlays
    Predict(PredictArguments),
    /// Write a run's weights to a file for other programs
    Export(ExportArguments),
    /// Write a page that shows a run, or several beside each other
    Report(ReportArguments),
    /// Train several variants of an experiment and compare their scores
    Ablate(AblateArguments),
    /// Train a run again from its folder and compare the weights
    Repro(ReproArguments),
    /// Draw a run's curves, or those of several runs, as SVG and PNG
    Plot(PlotArguments),
    /// Print parameters and multiply-adds per stage, and the memory that training and prediction need
    Summary(SummaryArguments),
    /// Time the networks and single operations: alone, against PyTorch or against the machine's limits
    Bench(BenchArguments),
    /// Make and inspect data
    #[command(subcommand)]
    Data(DataVerb),
}

impl Verb {
    /// Whether the command makes no files, so that it has no more to do once nobody reads what it prints.
    pub(crate) fn only_prints(&self) -> bool {
        matches!(
            self,
            Self::Summary(_) | Self::Bench(_) | Self::Data(DataVerb::Check(_) | DataVerb::Stats(_))
        )
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum DataVerb {
    /// Render a procedural set to files
    Synth(SynthArguments),
    /// Read a whole set and tell every defect, with file, pixel and value
    Check(CheckArguments),
    /// Count pixels and images per class, colours and sizes; suggest class weights
    Stats(StatsArguments),
    /// Divide a set into id lists with the same share of every class
    Split(SplitArguments),
    /// Write edge maps, from labels or images
    Edges(EdgesArguments),
    /// Cut faces out of photographs, by boxes of NIA's annotations, of a list or around classes
    Crop(CropArguments),
    /// Draw masks of annotated lines, from JSON or from pen strokes on copies of the photographs
    Lines(LinesArguments),
    /// Write texture maps, in which wrinkles are bright
    Texture(TextureArguments),
    /// Cut large images, and their label maps, into overlapping tiles
    Tile(TileArguments),
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  cargo xtask train agrnet-small\n  \
    cargo xtask train agrnet --set optim.sgd.lr=0.001 --set epochs=60\n  \
    cargo xtask train agrnet --weights resnet101_v2.pth\n  cargo xtask train agrnet --cuda --device cuda:1\n  \
    cargo xtask train agrnet --resume --save-every 10min --keep-every 5")]
pub(crate) struct TrainArguments {
    /// Name of a file in configs/, or a path to one
    pub(crate) experiment: String,
    /// Change one key of the config, such as epochs=5; may stand several times
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// Folder that holds the runs
    #[arg(long, value_name = "FOLDER", default_value = "runs")]
    pub(crate) runs: PathBuf,
    /// Go on with the newest run of this experiment, or with the run in FOLDER
    #[arg(long, value_name = "FOLDER", num_args = 0..=1, conflicts_with = "set")]
    pub(crate) resume: Option<Option<PathBuf>>,
    #[command(flatten)]
    pub(crate) weights: WeightsArguments,
    #[command(flatten)]
    pub(crate) saving: SavingArguments,
    #[command(flatten)]
    pub(crate) device: DeviceArguments,
}

/// Which trained network to use.
#[derive(Debug, Args)]
pub(crate) struct RunArguments {
    /// Name of the experiment
    pub(crate) experiment: String,
    /// Folder that holds the runs
    #[arg(long, value_name = "FOLDER", default_value = "runs")]
    pub(crate) runs: PathBuf,
    /// Run to use instead of the newest of the experiment
    #[arg(long, value_name = "FOLDER")]
    pub(crate) run: Option<PathBuf>,
    /// best, last, epoch-N, or a file [default: best; for wrinkles the highest epoch]
    #[arg(long, value_name = "best|last|epoch-N|FILE")]
    checkpoint: Option<String>,
    /// Change one key of the run's tables test or crf for this once, such as test.flip=true; may stand several times
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    #[command(flatten)]
    pub(crate) device: DeviceArguments,
}

impl RunArguments {
    /// A run, and the checkpoint that is used of its kind unless told otherwise.
    fn of(run: &Run) -> Self {
        let runs = PathBuf::new();
        Self {
            experiment: run.name(),
            runs,
            run: Some(run.folder().to_owned()),
            checkpoint: None,
            set: Vec::new(),
            device: DeviceArguments::default(),
        }
    }

    /// The checkpoint that the user named, if any.
    pub(crate) fn which(&self) -> Option<Which> {
        self.checkpoint.as_deref().map(Which::from)
    }
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  cargo xtask eval agrnet-small --checkpoint best --split test\n  \
    cargo xtask eval agrnet-small --worst 20")]
pub(crate) struct EvalArguments {
    #[command(flatten)]
    pub(crate) run: RunArguments,
    /// Part of the data set to score
    #[arg(long, value_enum, default_value_t = EvalSplit::Val)]
    pub(crate) split: EvalSplit,
    /// How many overlay pictures to write
    #[arg(long, value_name = "COUNT", default_value_t = PICTURES)]
    pub(crate) pictures: usize,
    /// How many of the worst images, by F1, to draw with their errors; as many of the best
    #[arg(long, value_name = "COUNT", default_value_t = WORST)]
    pub(crate) worst: usize,
}

/// Pictures that `eval` writes, and images whose errors it draws.
const PICTURES: usize = 8;
const WORST: usize = 6;

impl EvalArguments {
    /// What is scored and drawn unless told otherwise.
    pub(crate) fn of_run(run: &Run, split: EvalSplit) -> Self {
        Self { run: RunArguments::of(run), split, pictures: PICTURES, worst: WORST }
    }
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  cargo xtask ablate figaro\n  cargo xtask ablate figaro --split test --set epochs=30"
)]
pub(crate) struct AblateArguments {
    /// Name of a file in configs/ablate/, or a path to one
    pub(crate) name: String,
    /// Part of the data set to score
    #[arg(long, value_enum, default_value_t = EvalSplit::Val)]
    pub(crate) split: EvalSplit,
    /// Change one key of every variant's config; may stand several times
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// Folder that holds the runs; those of variants lie in its ablate/NAME/
    #[arg(long, value_name = "FOLDER", default_value = "runs")]
    pub(crate) runs: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum EvalSplit {
    Val,
    Test,
}

impl From<EvalSplit> for Split {
    fn from(split: EvalSplit) -> Self {
        match split {
            EvalSplit::Val => Self::Val,
            EvalSplit::Test => Self::Test,
        }
    }
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  cargo xtask predict agrnet-small photo.jpg\n  \
    cargo xtask predict agrnet --checkpoint best --out masks --logits 'photos/*.jpg'\n  \
    cargo xtask predict figaro-pspnet photos/ --recolour '#8a2be2'")]
pub(crate) struct PredictArguments {
    #[command(flatten)]
    pub(crate) run: RunArguments,
    /// Image files, folders of images, or patterns such as 'photos/*.jpg'
    #[arg(required = true, value_name = "INPUT")]
    pub(crate) inputs: Vec<String>,
    /// Folder for the results [default: predictions/ in the run]
    #[arg(long, value_name = "FOLDER")]
    pub(crate) out: Option<PathBuf>,
    /// Also write the logits, (classes, height, width) float32, as npy; of wrinkles, hair and PASCAL VOC the probabilities
    #[arg(long)]
    pub(crate) logits: bool,
    /// Also write the picture with its hair in this colour; lightness stays. For hair networks
    #[arg(long, value_name = "#RRGGBB")]
    pub(crate) recolour: Option<Colour>,
    /// Also write what the CRF of the run's config makes of the result; only of PASCAL VOC
    #[arg(long)]
    pub(crate) crf: bool,
}

/// Red, green and blue, written `#8a2be2` or `8a2be2`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Colour(pub(crate) [u8; 3]);

impl FromStr for Colour {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.strip_prefix('#').unwrap_or(text);
        let is_hex = digits.len() == 6 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        match u32::from_str_radix(digits, 16) {
            Ok(number) if is_hex => {
                let [_, red, green, blue] = number.to_be_bytes();
                Ok(Self([red, green, blue]))
            }
            _ => Err("expected a colour of six hexadecimal digits, such as #8a2be2".to_owned()),
        }
    }
}

#[derive(Debug, Args)]
#[command(after_help = "Example: cargo xtask repro runs/agrnet-small/2026-01-31_12-00-00")]
pub(crate) struct ReproArguments {
    /// Folder of the run, finished or interrupted
    pub(crate) run: PathBuf,
    /// Folder for the second run [default: repro/ in the run]
    #[arg(long, value_name = "FOLDER")]
    pub(crate) out: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(after_help = "Example: cargo xtask summary agrnet --size 512x512")]
pub(crate) struct SummaryArguments {
    /// Name of a file in configs/, or a path to one
    pub(crate) experiment: String,
    /// Change one key of the config; may stand several times
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// Image height and width in pixels [default: the config's]
    #[arg(long, value_name = "HxW")]
    pub(crate) size: Option<Size>,
    /// Leave out the estimate of memory, for which small training steps and predictions are run
    #[arg(long)]
    pub(crate) no_memory: bool,
    /// Run this in this process and print its peak of memory
    #[arg(long, hide = true)]
    pub(crate) trial: Option<Trial>,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  cargo xtask bench --case 'op/*' --threads 1\n  \
    cargo xtask bench --peer ~/torch/bin/python --case 'train/*' --case 'infer/*'\n  \
    cargo xtask bench --limits\n  cargo xtask bench --growth --case 'infer/*'\n  \
    cargo xtask bench --peer ~/torch/bin/python --rounds 1 --case 'full/*'\n  \
    cargo xtask bench --peer ~/crf/bin/python --threads 1 --case 'crf/*'")]
pub(crate) struct BenchArguments {
    /// Name of a case, or the start of some names and a star; may stand several times [default: all but full/* and crf/*]
    #[arg(long, value_name = "NAME")]
    pub(crate) case: Vec<String>,
    /// Threads that compute
    #[arg(long, value_name = "COUNT", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) threads: u16,
    /// Time to spend on each case, beyond two runs to warm up and three that count
    #[arg(long, default_value_t = 5.0)]
    pub(crate) seconds: f64,
    /// A Python interpreter with PyTorch: measures it in turn with ours and prints ratios
    #[arg(long, value_name = "PYTHON")]
    pub(crate) peer: Option<PathBuf>,
    /// How often each case is measured: on either side in turn with a peer, each size in turn for --growth
    #[arg(long, value_name = "COUNT", default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) rounds: u16,
    /// Hold single operations against what this machine's arithmetic and memory can do at most
    #[arg(long, conflicts_with_all = ["peer", "growth"])]
    pub(crate) limits: bool,
    /// The ten heaviest operations of a training step or a prediction, each against what the machine or the GPU can do at most [default
    /// case: train/agrnet]
    #[arg(long, conflicts_with_all = ["peer", "growth", "limits"])]
    pub(crate) profile: bool,
    /// Time and memory per pixel of training steps and predictions from 128 to 1024 pixels square
    #[arg(long, conflicts_with = "peer")]
    pub(crate) growth: bool,
    /// Convolutions in bfloat16, as `precision = "bf16"` in a config; the peer's under its autocast. For GPUs: a processor is no faster so
    #[arg(long)]
    pub(crate) amp: bool,
    /// Let the peer keep its maps with the channels last, which suits some GPUs; ours stay as they are
    #[arg(long, requires = "peer")]
    pub(crate) channels_last: bool,
    #[command(flatten)]
    pub(crate) device: DeviceArguments,
    /// Measure in this process, with its threads
    #[arg(long, hide = true)]
    pub(crate) here: bool,
}

/// Height and width in pixels, written `512x384`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size(pub(crate) (usize, usize));

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = text
            .split_once('x')
            .and_then(|(height, width)| Some((height.parse().ok()?, width.parse().ok()?)));
        match parsed {
            Some((height, width)) if height > 0 && width > 0 => Ok(Self((height, width))),
            _ => Err("expected HEIGHTxWIDTH in pixels, such as 512x384".to_owned()),
        }
    }
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  cargo xtask data synth faces --out datasets/nia --count 1000 --size 512\n  \
    cargo xtask data synth wrinkles --out datasets/wrinkles --count 1000 --size 256\n  \
    cargo xtask data synth hair --out datasets/figaro-synthetic --count 1050 --size 256\n  \
    cargo xtask data synth shapes --out datasets/shapes --count 1000 --size 128"
)]
pub(crate) struct SynthArguments {
    /// What to render
    #[arg(value_enum)]
    pub(crate) set: SynthSet,
    /// Folder to write to; it must be new or empty
    #[arg(long, value_name = "FOLDER")]
    pub(crate) out: PathBuf,
    /// How many images
    #[arg(long)]
    pub(crate) count: usize,
    /// Width and height in pixels
    #[arg(long, default_value_t = 512)]
    pub(crate) size: u32,
    /// The same seed gives the same images
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SynthSet {
    /// Portraits with 19 classes, in the NIA layout
    Faces,
    /// Skin with masks of its wrinkles: images/, masks/, train.txt, val.txt and test.txt, which [data.folder] reads
    Wrinkles,
    /// Portraits with masks of their hair in seven styles, in Figaro-1k's layout; at most 1050
    Hair,
    /// 20 textured shapes with void borders in VOC's layout, which [data.voc] reads
    Shapes,
}

#[cfg(test)]
mod tests;
