//! `export`: a run's weights as a file for other programs.

use std::path::PathBuf;

use anyhow::{Result, bail};
use candle_core::{Device, Tensor};
use clap::{Args, ValueEnum};
use sconce_models::{KeyMap, WeightNames};
use sconce_runs::{Which, write_pytorch, write_safetensors};

use crate::settings::Settings;
use crate::{named_runs, verbs};

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  cargo xtask export wrinkle-wbce --format pytorch\n  \
    cargo xtask export runs/agrnet/2026-01-31_12-00-00 --format safetensors --checkpoint epoch-20 --out agrnet.safetensors")]
pub(crate) struct ExportArguments {
    /// Folder of a run, or the name of an experiment for its newest run
    run: String,
    /// Folder that holds the runs
    #[arg(long, value_name = "FOLDER", default_value = "runs")]
    runs: PathBuf,
    /// Kind of file
    #[arg(long, value_enum)]
    format: Format,
    /// best, last, epoch-N, or a file
    #[arg(long, value_name = "best|last|epoch-N|FILE", default_value = "best")]
    checkpoint: String,
    /// How to call the tensors [default: as torchvision or the best known repository does, if the whole network exists there]
    #[arg(long, value_enum)]
    names: Option<Names>,
    /// File to write [default: in the folder export/ of the run, named after the checkpoint]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    /// A state dict for torch.load(FILE, weights_only=True)
    Pytorch,
    /// For every program that knows the format
    Safetensors,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Names {
    /// Those of torchvision, or of the network's best known repository
    Torchvision,
    /// Our own
    Sconce,
}

/// `export RUN`.
pub(crate) fn run(arguments: &ExportArguments) -> Result<()> {
    let run = named_runs::find(&arguments.runs, &arguments.run)?;
    let names = verbs::weight_names(&Settings::to_repeat(&run))?;
    let which = Which::from(arguments.checkpoint.as_str());
    let loaded = run.checkpoints().load_part(&which, "model.", &Device::Cpu)?;
    if let Some(warning) = &loaded.warning {
        eprintln!("warning: {warning}; using {}", loaded.path.display());
    }
    let mut tensors: Vec<(String, Tensor)> = loaded.checkpoint.part("model.").into_iter().collect();
    tensors.sort_by(|(a, _), (b, _)| a.cmp(b));
    if tensors.is_empty() {
        bail!("{} holds no weights of a network", loaded.path.display());
    }
    let (tensors, scheme) = renamed(tensors, &names, arguments.names)?;
    let ending = match arguments.format {
        Format::Pytorch => "pth",
        Format::Safetensors => "safetensors",
    };
    let stem = loaded.path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let own = || run.folder().join("export").join(format!("{stem}.{ending}"));
    let out = arguments.out.clone().unwrap_or_else(own);
    match arguments.format {
        Format::Pytorch => write_pytorch(&out, &tensors)?,
        Format::Safetensors => write_safetensors(&out, &tensors)?,
    }
    println!("{} tensors of {}, by {scheme}", tensors.len(), loaded.path.display());
    println!("written to {}", out.display());
    Ok(())
}

/// The tensors under the names that are wanted, and whose these are.
fn renamed(
    tensors: Vec<(String, Tensor)>,
    names: &WeightNames,
    wanted: Option<Names>,
) -> Result<(Vec<(String, Tensor)>, &'static str)> {
    let complete = |map: &&KeyMap| tensors.iter().all(|(name, _)| map.theirs(name).is_some());
    let map = names.key_maps.iter().find(complete).filter(|_| wanted != Some(Names::Sconce));
    let Some(map) = map else {
        if wanted == Some(Names::Torchvision) {
            bail!("the whole network has no names elsewhere; take --names sconce");
        }
        return Ok((tensors, "our own names"));
    };
    let theirs = tensors.into_iter().filter_map(|(name, tensor)| Some((map.theirs(&name)?, tensor)));
    Ok((theirs.collect(), map.name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use sconce_models::{Agrnet, Unet};

    fn tensors(names: &[&str]) -> Vec<(String, Tensor)> {
        let zero = || Tensor::new(&[0_f32], &Device::Cpu).unwrap();
        names.iter().map(|name| ((*name).to_owned(), zero())).collect()
    }

    fn names_of(tensors: &[(String, Tensor)]) -> Vec<&str> {
        tensors.iter().map(|(name, _)| name.as_str()).collect()
    }

    #[test]
    fn names_are_those_of_a_whole_network_or_our_own() {
        let unet = Unet::weight_names();
        let whole = || tensors(&["stem.first.conv.weight", "up.3.second.norm.bias", "score.bias"]);
        let (found, scheme) = renamed(whole(), &unet, None).unwrap();
        assert_eq!(
            names_of(&found),
            ["inc.double_conv.0.weight", "up4.conv.double_conv.4.bias", "outc.conv.bias"]
        );
        assert_eq!(scheme, "milesial's U-Net");
        let (found, scheme) = renamed(whole(), &unet, Some(Names::Sconce)).unwrap();
        assert_eq!((names_of(&found)[2], scheme), ("score.bias", "our own names"));
        let part = || tensors(&["backbone.conv1.weight", "score.bias", "of_no_published_network"]);
        assert_eq!(renamed(part(), &Agrnet::weight_names(), None).unwrap().1, "our own names");
        assert!(renamed(part(), &Agrnet::weight_names(), Some(Names::Torchvision)).is_err());
    }
}
