//! Losses of several classes, chosen by a config.

use candle_core::{Result, Tensor};
use sconce_tensors::{pixel_cross_entropy, sum_all};
use serde::Deserialize;

use crate::cross_entropy::mean_over_valid;
use crate::dice;
use crate::focal::focused;
use crate::overlap::Overlap;

/// The label of pixels that belong to no class.
const IGNORE: u8 = 255;

/// One of `[loss.cross-entropy]`, `[loss.focal]`, `[loss.dice]` and `[loss.ce-dice]`.
///
/// Pixels of the label 255, void, count in none of them, unless `void-in-mean` says so: then the mean of the pixels' losses divides
/// by all pixels though void ones have none, and Dice takes void pixels as pixels of no class. Some published code does that without
/// meaning it; the more void there is in a batch, the lower is its loss.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Config {
    /// [`cross_entropy`](fn@crate::cross_entropy).
    CrossEntropy(CrossEntropy),
    /// [`focal`](fn@crate::focal).
    Focal(Focal),
    /// Dice of all classes at once, as [`dice_classes`](crate::dice_classes).
    Dice(Dice),
    /// Cross entropy and Dice.
    CeDice(CeDice),
}

/// Of the cross entropy.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct CrossEntropy {
    /// See [`Config`]; usually false.
    pub void_in_mean: bool,
}

/// Of the focal loss.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Focal {
    /// Power of the doubt, 0 or more. With 0 it is the cross entropy.
    pub gamma: f64,
    /// Factor of the loss, more than 0.
    pub alpha: f64,
    /// See [`Config`]; usually false.
    pub void_in_mean: bool,
}

/// Of the Dice loss.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Dice {
    /// Pixels added to numerator and denominator, usually 1.
    pub smooth: f64,
    /// What makes the scores probabilities.
    pub probabilities: Probabilities,
    /// See [`Config`]; usually false.
    pub void_in_mean: bool,
}

/// Of the weighted sum of both.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct CeDice {
    /// Weight of the cross entropy, 0..=1; Dice has the rest.
    pub alpha: f64,
    /// As of [`Dice`].
    pub smooth: f64,
    /// As of [`Dice`].
    pub probabilities: Probabilities,
    /// See [`Config`]; usually false.
    pub void_in_mean: bool,
}

/// What makes a pixel's scores the probabilities that Dice compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Probabilities {
    /// Of all classes together: they sum to 1, as those of the cross entropy.
    Softmax,
    /// Of each class by itself, as in some published code.
    Sigmoid,
}

impl Config {
    /// An error naming the first key whose number makes no sense, such as `loss.focal.gamma`.
    pub fn check(&self) -> Result<()> {
        let range = |key: &str, value: f64, fits: bool, wanted: &str| match fits && value.is_finite() {
            true => Ok(()),
            false => candle_core::bail!("{key} is {value}, it must be {wanted}"),
        };
        let smooth = |key: &str, smooth: f64| range(key, smooth, smooth > 0.0, "more than 0");
        match *self {
            Self::CrossEntropy(_) => Ok(()),
            Self::Focal(Focal { gamma, alpha, .. }) => {
                range("loss.focal.gamma", gamma, gamma >= 0.0, "0 or more")?;
                range("loss.focal.alpha", alpha, alpha > 0.0, "more than 0")
            }
            Self::Dice(dice) => smooth("loss.dice.smooth", dice.smooth),
            Self::CeDice(both) => {
                let fits = (0.0..=1.0).contains(&both.alpha);
                range("loss.ce-dice.alpha", both.alpha, fits, "from 0 to 1")?;
                smooth("loss.ce-dice.smooth", both.smooth)
            }
        }
    }
}

/// The loss that a config names.
///
/// # Shapes
///
/// logits (N, C, H, W) f32, labels (N, H, W) u8 -> scalar.
///
/// # Errors
///
/// When shapes do not fit, or a label is neither a class nor 255: image, row, column and value are named.
pub fn classes(logits: &Tensor, labels: &Tensor, config: &Config) -> Result<Tensor> {
    match *config {
        Config::CrossEntropy(CrossEntropy { void_in_mean }) => {
            mean(&pixel_cross_entropy(logits, labels, None, IGNORE)?, labels, void_in_mean)
        }
        Config::Focal(Focal { gamma, alpha, void_in_mean }) => {
            let losses = focused(pixel_cross_entropy(logits, labels, None, IGNORE)?, gamma)?;
            mean(&(losses * alpha)?, labels, void_in_mean)
        }
        Config::Dice(config) => overlap(logits, labels, config),
        Config::CeDice(CeDice { alpha, smooth, probabilities, void_in_mean }) => {
            let entropy = mean(&pixel_cross_entropy(logits, labels, None, IGNORE)?, labels, void_in_mean)?;
            let dice = overlap(logits, labels, Dice { smooth, probabilities, void_in_mean })?;
            (entropy * alpha)? + (dice * (1.0 - alpha))?
        }
    }
}

/// Of the losses of all pixels (N, H, W), which are 0 at void.
fn mean(losses: &Tensor, labels: &Tensor, void_in_mean: bool) -> Result<Tensor> {
    match void_in_mean {
        true => sum_all(losses)? / losses.elem_count().max(1) as f64,
        false => mean_over_valid(losses, labels, IGNORE),
    }
}

fn overlap(logits: &Tensor, labels: &Tensor, config: Dice) -> Result<Tensor> {
    let probabilities = match config.probabilities {
        Probabilities::Softmax => sconce_tensors::Probabilities::Softmax,
        Probabilities::Sigmoid => sconce_tensors::Probabilities::Sigmoid,
    };
    let overlap = Overlap::of_classes(logits, labels, probabilities, (IGNORE, config.void_in_mean))?;
    dice::of(overlap, config.smooth)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{combined, cross_entropy, dice_classes, focal};
    use candle_core::{Device, Var};
    use sconce_tensors::softmax_channels;
    use sconce_tensors::testing::{check_gradient, hashed_signed};

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct File {
        loss: Config,
    }

    fn parse(text: &str) -> std::result::Result<Config, String> {
        toml::from_str(text).map(|File { loss }| loss).map_err(|error| error.to_string())
    }

    const ALL: [&str; 6] = [
        "[loss.cross-entropy]\nvoid-in-mean = false",
        "[loss.focal]\ngamma = 2.0\nalpha = 0.5\nvoid-in-mean = false",
        "[loss.dice]\nsmooth = 1.0\nprobabilities = 'softmax'\nvoid-in-mean = false",
        "[loss.dice]\nsmooth = 1.0\nprobabilities = 'sigmoid'\nvoid-in-mean = false",
        "[loss.ce-dice]\nalpha = 0.75\nsmooth = 1.0\nprobabilities = 'sigmoid'\nvoid-in-mean = false",
        "[loss.ce-dice]\nalpha = 0.75\nsmooth = 1.0\nprobabilities = 'softmax'\nvoid-in-mean = false",
    ];

    /// Scores of 3 classes, and labels a fifth of which is void.
    fn case() -> Result<(Tensor, Tensor)> {
        let labels: Vec<u8> = (0..40).map(|i| if i % 5 == 4 { 255 } else { (i * i % 3) as u8 }).collect();
        let labels = Tensor::from_vec(labels, (2, 4, 5), &Device::Cpu)?;
        Ok((hashed_signed("logits", (2, 3, 4, 5), 3.0), labels))
    }

    fn value(logits: &Tensor, labels: &Tensor, text: &str) -> Result<f32> {
        classes(logits, labels, &parse(text).map_err(candle_core::Error::msg)?)?.to_scalar()
    }

    #[test]
    fn each_is_what_its_function_computes() -> Result<()> {
        let (x, y) = case()?;
        let want = [
            (0, cross_entropy(&x, &y, 255)?),
            (1, focal(&x, &y, 2.0, 0.5, 255)?),
            (3, dice_classes(&x, &y, 1.0, 255)?),
            (4, combined(&x, &y, 0.75, 1.0, 255)?),
        ];
        for (place, want) in want {
            let (got, want) = (value(&x, &y, ALL[place])?, want.to_scalar::<f32>()?);
            assert!((got - want).abs() < 1e-6, "{}: {got} {want}", ALL[place]);
        }
        assert_ne!(value(&x, &y, ALL[2])?, value(&x, &y, ALL[3])?);
        Ok(())
    }

    #[test]
    fn dice_of_softmax_compares_probabilities_that_sum_to_one() -> Result<()> {
        let (x, y) = case()?;
        let (p, labels) = (softmax_channels(&x)?.flatten(2, 3)?.to_vec3::<f32>()?, y.flatten(1, 2)?);
        let (mut both, mut sum) = (0.0, 0.0);
        for (image, labels) in p.iter().zip(labels.to_vec2::<u8>()?) {
            for (at, label) in labels.into_iter().enumerate().filter(|(_, label)| *label != 255) {
                both += image[usize::from(label)][at];
                sum += 1.0 + image.iter().map(|class| class[at]).sum::<f32>();
            }
        }
        let want = 1.0 - (2.0 * both + 1.0) / (sum + 1.0);
        let got = value(&x, &y, ALL[2])?;
        assert!((got - want).abs() < 1e-6, "{got} {want}");
        Ok(())
    }

    #[test]
    fn void_pixels_have_no_gradient_and_change_no_loss() -> Result<()> {
        let (x, y) = case()?;
        let void: Vec<bool> = y.flatten_all()?.to_vec1::<u8>()?.iter().map(|label| *label == 255).collect();
        let mask: Vec<f32> = void.iter().map(|void| f32::from(u8::from(*void))).collect();
        let moved = Tensor::from_vec(mask, (2, 1, 4, 5), &Device::Cpu)?.broadcast_mul(&(x.sin()? * 7.0)?)?;
        for text in ALL {
            let var = Var::from_tensor(&x)?;
            let loss = classes(&var, &y, &parse(text).map_err(candle_core::Error::msg)?)?;
            let gradients = loss.backward()?;
            let gradient = gradients.get(&var).ok_or(candle_core::Error::msg("no gradient"))?;
            let gradient = gradient.transpose(0, 1)?.contiguous()?.flatten(1, 3)?.to_vec2::<f32>()?;
            for class in &gradient {
                for (value, void) in class.iter().zip(&void) {
                    assert_eq!(*value == 0.0, *void, "{text}");
                }
            }
            assert_eq!(value(&(&x + &moved)?, &y, text)?, loss.to_scalar::<f32>()?, "{text}");
        }
        Ok(())
    }

    #[test]
    fn void_in_the_mean_lowers_it_by_the_share_of_void() -> Result<()> {
        let (x, y) = case()?;
        for text in &ALL[..2] {
            let quirk = value(&x, &y, &text.replace("false", "true"))?;
            assert!((quirk - 0.8 * value(&x, &y, text)?).abs() < 1e-6, "{text}");
        }
        // Void pixels' probabilities come into the denominator alone.
        for text in &ALL[2..] {
            assert_ne!(value(&x, &y, &text.replace("false", "true"))?, value(&x, &y, text)?, "{text}");
        }
        let dice = |text: &str| value(&x, &y, &text.replace("false", "true"));
        assert!(dice(ALL[2])? > value(&x, &y, ALL[2])?);
        Ok(())
    }

    #[test]
    fn gradients_agree_with_finite_differences() -> Result<()> {
        let (x, y) = case()?;
        for (seed, text) in (1..).zip(ALL) {
            for text in [text.to_owned(), text.replace("false", "true")] {
                let config = parse(&text).map_err(candle_core::Error::msg)?;
                check_gradient(|x| classes(&x[0], &y, &config), std::slice::from_ref(&x), seed)?;
            }
        }
        Ok(())
    }

    #[test]
    fn numbers_without_sense_and_unknown_keys_are_named() {
        let message = |place: usize, from: &str, to: &str| match parse(&ALL[place].replace(from, to)) {
            Ok(config) => config.check().unwrap_err().to_string(),
            Err(error) => error,
        };
        assert!(message(1, "gamma = 2.0", "gamma = -1.0").contains("loss.focal.gamma is -1"));
        assert!(message(1, "alpha = 0.5", "alpha = 0.0").contains("loss.focal.alpha is 0"));
        assert!(message(2, "smooth = 1.0", "smooth = 0.0").contains("loss.dice.smooth is 0"));
        assert!(message(4, "alpha = 0.75", "alpha = 1.5").contains("loss.ce-dice.alpha is 1.5"));
        assert!(message(3, "'sigmoid'", "'sigmoidal'").contains("`softmax`"));
        assert!(message(0, "void-in-mean", "void").contains("`void-in-mean`"));
        for text in ALL {
            parse(text).unwrap().check().unwrap();
        }
    }
}
