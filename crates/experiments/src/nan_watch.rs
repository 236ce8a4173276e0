//! Looks at the loss and the gradients of every training step, and leaves out or explains a step that is not finite.

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use anyhow::{Error, Result, anyhow, bail};
use candle_core::backprop::GradStore;
use candle_core::{DType, Tensor, TensorId, Var};
use image::RgbImage;
use sconce_data::Batch;
use sconce_optim::{first_not_finite, squared_norm};
use sconce_runs::{Checkpoint, Run};
use sconce_tensors::{Findings, NonFinite, OF_CANDLE, Parameters, backward, checked, look_at_graph};
use serde::Deserialize;

use crate::gallery::write_picture;
use crate::position::Position;
use crate::progress::ProgressLine;

/// What follows a loss or gradient that is NaN or infinite.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum OnNan {
    /// The run ends with an error that tells where it began, and keeps the batch.
    Stop,
    /// The step counts as made and changes nothing: neither weights nor running statistics.
    Skip,
}

/// The watch over a run's steps.
pub(crate) struct NanWatch<'a> {
    run: &'a Run,
    parameters: Parameters,
    reaction: OnNan,
    /// Running statistics as they were before the step under way, where it may be left out.
    before: Vec<(Var, Tensor)>,
}

/// A step whose loss has been asked for.
pub(crate) struct Step<'a, const T: usize> {
    /// Before the step.
    pub(crate) at: Position,
    pub(crate) lr: f64,
    pub(crate) batch: &'a Batch<T>,
    /// What the batch's targets are.
    pub(crate) targets: [&'a str; T],
    /// The terms of the loss by name, their sum first: scalars, without the graph they come from.
    pub(crate) terms: &'a [(&'a str, Tensor)],
}

/// What a step gave.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// Of the terms of the loss.
    pub(crate) values: Vec<f64>,
    /// None if the step is to be left out.
    pub(crate) gradients: Option<GradStore>,
}

/// What is not finite.
enum Trouble<'a> {
    /// A term of the loss.
    Term(&'a str, f64),
    /// The gradients of a finite loss.
    Gradients,
}

impl<'a> NanWatch<'a> {
    pub(crate) fn new(run: &'a Run, parameters: &Parameters, reaction: OnNan) -> Self {
        Self { run, parameters: parameters.clone(), reaction, before: Vec::new() }
    }

    /// To be called before the forward pass of each step.
    pub(crate) fn begin(&mut self) -> Result<()> {
        if self.reaction == OnNan::Skip {
            let copy = |(_, var): (String, Var)| Ok((var.clone(), var.as_detached_tensor().copy()?));
            self.before = self.parameters.buffers().into_iter().map(copy).collect::<Result<_>>()?;
        }
        Ok(())
    }

    /// The gradients of the step's `loss`, and the values of its terms: read once, after all has been asked for, so that a GPU is waited
    /// for once a step. `again` computes the loss of the same batch once more.
    ///
    /// # Errors
    ///
    /// A loss or gradient that is not finite, if the run is to stop: step, images and the operation where it began are named.
    pub(crate) fn outcome<const T: usize>(
        &self,
        step: &Step<T>,
        loss: Tensor,
        again: impl FnOnce() -> Result<Tensor>,
        progress: &ProgressLine,
    ) -> Result<Outcome> {
        let gradients = backward(&loss)?;
        let squares = squared_norm(&gradients, &self.parameters)?;
        let (values, squares) = read(step.terms, &squares)?;
        // The sum after its terms, one of which made it what it is.
        let bad = (1..values.len()).chain([0]).find(|place| !values[*place].is_finite());
        let trouble = match bad {
            Some(place) => Trouble::Term(step.terms[place].0, values[place]),
            None if squares.is_finite() => return Ok(Outcome { values, gradients: Some(gradients) }),
            None => Trouble::Gradients,
        };
        drop((loss, gradients)); // lest the graph of the first pass take memory beside that of the second one
        match self.reaction {
            OnNan::Stop => Err(self.explain(step, &trouble, again)),
            OnNan::Skip => {
                self.before.iter().try_for_each(|(var, value)| var.set(value))?;
                progress.note(&step.skipped(&trouble));
                Ok(Outcome { values, gradients: None })
            }
        }
    }

    /// Makes the step again, looking at the result of every operation, and saves its batch.
    fn explain<const T: usize>(
        &self,
        step: &Step<T>,
        trouble: &Trouble,
        again: impl FnOnce() -> Result<Tensor>,
    ) -> Error {
        let (gradient, first) = match self.find(trouble, again) {
            Ok((gradient, first)) => (gradient, first),
            Err(error) => (None, format!("unknown: the step could not be made again: {error:#}")),
        };
        let saved = match step.save(&self.run.nan()) {
            Ok(path) => {
                format!("{} (image and targets), and a PNG of each image beside it", path.display())
            }
            Err(error) => format!("nothing, the batch could not be written: {error:#}"),
        };
        let gradient = gradient.map(|name| format!("\n  gradient  of {name} is the first from the loss on"));
        anyhow!(
            "{} at step {} (epoch {})\n  images    {}\n  began in  {first}{}\n  saved     {saved}\n  remedy    a lower \
             learning rate (it is {:.3e}) or a longer warm-up; repair or leave out images that look wrong; or on-nan = \"skip\" \
             in the config, which leaves such steps out",
            trouble.sentence(),
            step.at.step + 1,
            step.at.epoch + 1,
            step.batch.ids.join(", "),
            gradient.unwrap_or_default(),
            step.lr
        )
    }

    /// The first parameter with a gradient that is not finite, if the loss was finite, and the first operation, in words.
    fn find(
        &self,
        trouble: &Trouble,
        again: impl FnOnce() -> Result<Tensor>,
    ) -> Result<(Option<String>, String)> {
        let (made, findings) = checked(|| -> Result<_> {
            let loss = again()?;
            look_at_graph(&loss)?;
            Ok(match trouble {
                Trouble::Term(..) => (loss.to_scalar::<f32>()?.is_finite(), None),
                Trouble::Gradients => {
                    let gradients = backward(&loss)?;
                    let bad = first_not_finite(&gradients, &self.parameters)?;
                    (bad.is_none(), bad)
                }
            })
        });
        let (finite, by_name) = made?;
        let Findings { operation, gradient } = findings;
        let first = match operation {
            Some(first) => self.in_words(&first),
            None if finite => "nothing: the same step made again is finite, which points at the machine's memory or processor".into(),
            None => "arithmetic that no variable takes part in, such as that of the targets: all that the loss was made of besides is \
                     finite"
                .into(),
        };
        Ok((gradient.and_then(|id| self.name(id)).or(by_name), first))
    }

    fn in_words(&self, first: &NonFinite) -> String {
        let names = |finite: bool| -> Vec<String> {
            let inputs = first.inputs.iter().filter(|input| input.variable && (finite || !input.finite));
            inputs.filter_map(|input| self.name(input.id)).collect()
        };
        let place = match (&names(true)[..], first.after.and_then(|id| self.name(id))) {
            ([], None) => String::new(),
            ([], Some(after)) => format!(", after {after}"),
            (own, _) => format!(", with {}", own.join(", ")),
        };
        let cause = match &names(false)[..] {
            _ if first.operation == OF_CANDLE => "what it was made of was finite".to_owned(),
            _ if first.inputs_were_finite() => "its inputs were finite".to_owned(),
            [] => "its input was not: the operation of candle just before it gave that".to_owned(),
            bad => format!("not finite already before the step: {}", bad.join(", ")),
        };
        format!("{first}{place}; {cause}")
    }

    /// The name of a parameter.
    fn name(&self, id: TensorId) -> Option<String> {
        self.parameters.all().into_iter().find(|(_, var)| var.id() == id).map(|(name, _)| name)
    }
}

/// The terms and the number in one copy.
fn read(terms: &[(&str, Tensor)], number: &Tensor) -> Result<(Vec<f64>, f64)> {
    let terms = terms.iter().map(|(_, term)| term.to_dtype(DType::F64));
    let all = terms.chain([Ok(number.clone())]).collect::<candle_core::Result<Vec<_>>>()?;
    let mut values = Tensor::stack(&all, 0)?.to_vec1::<f64>()?;
    let number = values.pop().unwrap_or_default();
    Ok((values, number))
}

impl Trouble<'_> {
    fn sentence(&self) -> String {
        match self {
            Self::Term(name, value) => format!("the loss is not finite: term `{name}` is {value}"),
            Self::Gradients => "the gradients are not finite, though the loss is".to_owned(),
        }
    }
}

impl<const T: usize> Step<'_, T> {
    fn skipped(&self, trouble: &Trouble) -> String {
        format!(
            "skipped step {} (epoch {}, images {}): {}; {} skipped so far",
            self.at.step + 1,
            self.at.epoch + 1,
            self.batch.ids.join(", "),
            trouble.sentence(),
            self.at.skipped + 1
        )
    }

    /// Writes the batch as tensors and as pictures into a folder; gives the file of the tensors.
    fn save(&self, folder: &Path) -> Result<PathBuf> {
        let number = self.at.step + 1;
        let mut file = Checkpoint::default();
        let targets = self.targets.iter().zip(&self.batch.targets);
        let named = targets.map(|(name, target)| ((*name).to_owned(), target.clone()));
        file.add_part("", named.chain([("image".to_owned(), self.batch.image.clone())]));
        file.set("step", number);
        file.set("epoch", self.at.epoch + 1);
        file.set("ids", self.batch.ids.join("\n"));
        let path = folder.join(format!("step-{number}.safetensors"));
        file.write(&path)?;
        for (place, id) in self.batch.ids.iter().enumerate() {
            let name = format!("step-{number}-{}-{}.png", place + 1, id.replace(['/', '\\'], "_"));
            write_picture(&folder.join(name), &picture(&self.batch.image.get(place)?)?)?;
        }
        Ok(path)
    }
}

/// (3, H, W) of 0..=1 as a picture; what is not a number is black.
fn picture(image: &Tensor) -> Result<RgbImage> {
    let (_, height, width) = image.dims3()?;
    let bytes = (image.permute((1, 2, 0))? * 255.0)?.round()?.to_dtype(DType::U8)?;
    match RgbImage::from_raw(width as u32, height as u32, bytes.flatten_all()?.to_vec1()?) {
        Some(picture) => Ok(picture),
        None => bail!("a picture of {width} x {height} pixels cannot have {:?} values", image.dims()),
    }
}
