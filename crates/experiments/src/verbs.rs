//! The verbs that every experiment has, for the experiment that a config is of.

use anyhow::{Result, bail};
use sconce_models::{Agrnet, Unet, WeightNames};

use crate::cli::{EvalArguments, PredictArguments, SummaryArguments, TrainArguments};
use crate::interrupt::Interrupt;
use crate::settings::{Experiment, Settings};
use crate::{agrnet, hair, voc, wrinkle};

/// Reads the config as `train` does.
pub(crate) fn check(settings: &Settings) -> Result<()> {
    match settings.experiment()? {
        Experiment::Agrnet => settings.parse::<agrnet::Config>().map(drop),
        Experiment::Hair => hair::Config::read(settings).map(drop),
        Experiment::Voc => voc::Config::read(settings).map(drop),
        Experiment::Wrinkle => wrinkle::Config::read(settings).map(drop),
    }
}

/// Trains a new run, or that of the settings from where it stopped.
pub(crate) fn train(settings: &Settings, arguments: &TrainArguments, interrupt: &Interrupt) -> Result<()> {
    let experiment = settings.experiment()?;
    settings.arithmetic()?.scope(|| match experiment {
        Experiment::Agrnet => agrnet::train::run(settings, arguments, interrupt),
        Experiment::Hair => hair::train::run(settings, arguments, interrupt),
        Experiment::Voc => voc::train::run(settings, arguments, interrupt),
        Experiment::Wrinkle => wrinkle::train::run(settings, arguments, interrupt),
    })
}

/// Scores the run of the settings.
pub(crate) fn evaluate(settings: &Settings, arguments: &EvalArguments) -> Result<()> {
    let experiment = settings.experiment()?;
    settings.arithmetic()?.scope(|| match experiment {
        Experiment::Agrnet => agrnet::evaluate::run(settings, arguments),
        Experiment::Hair => hair::evaluate::run(settings, arguments),
        Experiment::Voc => voc::evaluate::run(settings, arguments),
        Experiment::Wrinkle => wrinkle::evaluate::run(settings, arguments),
    })
}

/// Uses the network of the settings' run on images.
pub(crate) fn predict(settings: &Settings, arguments: &PredictArguments) -> Result<()> {
    let experiment = settings.experiment()?;
    if arguments.recolour.is_some() && experiment != Experiment::Hair {
        bail!("--recolour is for hair networks, such as figaro-pspnet; {} is none", settings.name);
    }
    if arguments.crf && experiment != Experiment::Voc {
        bail!("--crf is for networks of classes, such as voc-small; {} is none", settings.name);
    }
    settings.arithmetic()?.scope(|| match experiment {
        Experiment::Agrnet => agrnet::predict::run(settings, arguments),
        Experiment::Hair => hair::predict::run(settings, arguments),
        Experiment::Voc => voc::predict::run(settings, arguments),
        Experiment::Wrinkle => wrinkle::predict::run(settings, arguments),
    })
}

/// What files of other programs call the parameters of the settings' network.
pub(crate) fn weight_names(settings: &Settings) -> Result<WeightNames> {
    Ok(match settings.experiment()? {
        Experiment::Agrnet => Agrnet::weight_names(),
        Experiment::Hair => hair::weight_names(settings)?,
        Experiment::Voc => voc::weight_names(settings)?,
        Experiment::Wrinkle => Unet::weight_names(),
    })
}

/// Prints the size and the cost of the settings' network.
pub(crate) fn summarise(settings: &Settings, arguments: &SummaryArguments) -> Result<()> {
    match settings.experiment()? {
        Experiment::Agrnet => agrnet::summarise(settings, arguments),
        Experiment::Hair => hair::summarise(settings, arguments),
        Experiment::Voc => voc::summarise(settings, arguments),
        Experiment::Wrinkle => wrinkle::summarise(settings, arguments),
    }
}
