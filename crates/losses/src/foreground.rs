//! Losses of a foreground against its background, chosen by a config.

use candle_core::{Result, Tensor};
use serde::{Deserialize, Deserializer};

use crate::{binary_focal, dice, soft_f1, weighted_bce};

/// The label of pixels that no term counts.
const IGNORE: u8 = 255;

/// One of `[loss.weighted-bce]`, `[loss.soft-f1]`, `[loss.dice]`, `[loss.focal]` and `[loss.dice-focal]`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Config {
    /// [`weighted_bce`].
    WeightedBce(WeightedBce),
    /// [`soft_f1`].
    SoftF1(SoftF1),
    /// [`dice`].
    Dice(Dice),
    /// [`binary_focal`].
    Focal(Focal),
    /// The weighted sum of [`dice`] and [`binary_focal`]: the best of the seven losses that Kim et al. 2024 (KSII 18(8)) compare on
    /// wrinkles.
    DiceFocal(DiceFocal),
}

/// Of [`weighted_bce`].
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct WeightedBce {
    /// How much more a foreground pixel weighs than a background one.
    pub foreground_weight: Weight,
}

/// [`soft_f1`] has no settings.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SoftF1 {}

/// Of [`dice`].
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dice {
    /// Pixels added to numerator and denominator, usually 1.
    pub smooth: f64,
}

/// Of [`binary_focal`].
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Focal {
    /// Power of the doubt, 0 or more.
    pub gamma: f64,
    /// Weight of the foreground, 0..=1; the background has the rest.
    pub alpha: f64,
}

/// Of the sum of both.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DiceFocal {
    /// Weight of the Dice loss.
    pub dice: f64,
    /// Weight of the focal loss.
    pub focal: f64,
    /// As of [`Dice`].
    pub smooth: f64,
    /// As of [`Focal`].
    pub gamma: f64,
    /// As of [`Focal`].
    pub alpha: f64,
}

/// A number, or `"auto"`: negatives over positives of the training set.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Weight {
    /// As given; more than 0.
    Number(f64),
    /// To be counted before training.
    Auto,
}

impl<'de> Deserialize<'de> for Weight {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Given {
            Number(f64),
            Word(String),
        }
        match Given::deserialize(deserializer) {
            Ok(Given::Number(number)) if number > 0.0 && number.is_finite() => Ok(Self::Number(number)),
            Ok(Given::Word(word)) if word == "auto" => Ok(Self::Auto),
            _ => Err(serde::de::Error::custom("expected a number above 0 or \"auto\"")),
        }
    }
}

impl Config {
    /// An error naming the first key whose number makes no sense, such as `loss.focal.alpha`.
    pub fn check(&self) -> Result<()> {
        let alpha = |key: &str, alpha: f64| range(key, alpha, (0.0..=1.0).contains(&alpha), "from 0 to 1");
        let gamma = |key: &str, gamma: f64| range(key, gamma, gamma >= 0.0, "0 or more");
        let smooth = |key: &str, smooth: f64| range(key, smooth, smooth > 0.0, "more than 0");
        match self {
            Self::WeightedBce(_) | Self::SoftF1(_) => Ok(()),
            Self::Dice(dice) => smooth("loss.dice.smooth", dice.smooth),
            Self::Focal(focal) => {
                alpha("loss.focal.alpha", focal.alpha)?;
                gamma("loss.focal.gamma", focal.gamma)
            }
            Self::DiceFocal(both) => {
                range("loss.dice-focal.dice", both.dice, both.dice >= 0.0, "0 or more")?;
                range("loss.dice-focal.focal", both.focal, both.focal >= 0.0, "0 or more")?;
                smooth("loss.dice-focal.smooth", both.smooth)?;
                alpha("loss.dice-focal.alpha", both.alpha)?;
                gamma("loss.dice-focal.gamma", both.gamma)
            }
        }
    }

    /// Whether the training set must be counted before this is a loss.
    pub fn is_auto(&self) -> bool {
        matches!(self, Self::WeightedBce(WeightedBce { foreground_weight: Weight::Auto }))
    }

    /// The same loss with `weight` in the place of `"auto"`.
    #[must_use]
    pub fn with_weight(self, weight: f64) -> Self {
        match self.is_auto() {
            true => Self::WeightedBce(WeightedBce { foreground_weight: Weight::Number(weight) }),
            false => self,
        }
    }

    /// Its name in a config.
    pub fn name(&self) -> &'static str {
        match self {
            Self::WeightedBce(_) => "weighted-bce",
            Self::SoftF1(_) => "soft-f1",
            Self::Dice(_) => "dice",
            Self::Focal(_) => "focal",
            Self::DiceFocal(_) => "dice-focal",
        }
    }
}

fn range(key: &str, value: f64, fits: bool, wanted: &str) -> Result<()> {
    match fits && value.is_finite() {
        true => Ok(()),
        false => candle_core::bail!("{key} is {value}, it must be {wanted}"),
    }
}

/// The loss that a config names. Labels of 255 do not count.
///
/// # Shapes
///
/// logits (N, 1, H, W) f32, labels (N, H, W) u8 -> scalar.
///
/// # Errors
///
/// When shapes do not fit, a label is not 0, 1 or 255 (image, row, column and value are named), or a weight is still `"auto"`.
pub fn foreground(logits: &Tensor, labels: &Tensor, config: &Config) -> Result<Tensor> {
    match config {
        Config::WeightedBce(WeightedBce { foreground_weight: Weight::Auto }) => {
            candle_core::bail!("the foreground's weight is still \"auto\": count the training set first")
        }
        Config::WeightedBce(WeightedBce { foreground_weight: Weight::Number(weight) }) => {
            weighted_bce(logits, labels, *weight, IGNORE)
        }
        Config::SoftF1(SoftF1 {}) => soft_f1(logits, labels, IGNORE),
        Config::Dice(Dice { smooth }) => dice(logits, labels, *smooth, IGNORE),
        Config::Focal(Focal { gamma, alpha }) => binary_focal(logits, labels, *gamma, *alpha, IGNORE),
        Config::DiceFocal(DiceFocal { dice: of_dice, focal, smooth, gamma, alpha }) => {
            (dice(logits, labels, *smooth, IGNORE)? * *of_dice)?
                + (binary_focal(logits, labels, *gamma, *alpha, IGNORE)? * *focal)?
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;
    use sconce_tensors::testing::hashed_signed;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct File {
        loss: Config,
    }

    fn parse(text: &str) -> std::result::Result<Config, String> {
        toml::from_str(text).map(|File { loss }| loss).map_err(|error| error.to_string())
    }

    #[test]
    fn every_loss_is_read_and_computed() -> Result<()> {
        let logits = hashed_signed("x", (1, 1, 2, 3), 2.0);
        let labels = Tensor::new(&[[[1u8, 0, 0], [0, 255, 1]]], &Device::Cpu)?;
        let value =
            |text: &str| -> Result<f32> { foreground(&logits, &labels, &parse(text).unwrap())?.to_scalar() };
        let (dice, focal) =
            (value("[loss.dice]\nsmooth = 1.0")?, value("[loss.focal]\ngamma = 2.0\nalpha = 0.75")?);
        let both =
            value("[loss.dice-focal]\ndice = 0.5\nfocal = 2.0\nsmooth = 1.0\ngamma = 2.0\nalpha = 0.75")?;
        assert!((both - (0.5 * dice + 2.0 * focal)).abs() < 1e-6);
        assert!(value("[loss.soft-f1]")? > 0.0);
        let light = value("[loss.weighted-bce]\nforeground-weight = 1")?;
        assert!(value("[loss.weighted-bce]\nforeground-weight = 9.5")? > light);
        Ok(())
    }

    #[test]
    fn the_weight_is_a_number_or_auto() -> Result<()> {
        let auto = parse("[loss.weighted-bce]\nforeground-weight = 'auto'").unwrap();
        assert!(auto.is_auto());
        let logits = hashed_signed("x", (1, 1, 1, 2), 2.0);
        let labels = Tensor::new(&[[[1u8, 0]]], &Device::Cpu)?;
        let error = foreground(&logits, &labels, &auto).unwrap_err().to_string();
        assert!(error.contains("count the training set first"), "{error}");
        let counted = foreground(&logits, &labels, &auto.with_weight(3.0))?.to_scalar::<f32>()?;
        assert_eq!(counted, weighted_bce(&logits, &labels, 3.0, 255)?.to_scalar::<f32>()?);
        for wrong in ["0", "-1.0", "nan", "'much'", "true"] {
            let error = parse(&format!("[loss.weighted-bce]\nforeground-weight = {wrong}")).unwrap_err();
            assert!(error.contains("number above 0 or \"auto\"") && error.contains("line 2"), "{error}");
        }
        assert!(parse("[loss.dice]\nsmoth = 1.0").unwrap_err().contains("smooth"));
        for (wrong, key) in [
            ("[loss.dice]\nsmooth = 0.0", "loss.dice.smooth is 0"),
            ("[loss.focal]\ngamma = 2.0\nalpha = 75.0", "loss.focal.alpha is 75, it must be from 0 to 1"),
            ("[loss.focal]\ngamma = nan\nalpha = 0.5", "loss.focal.gamma"),
        ] {
            let error = parse(wrong).unwrap().check().unwrap_err().to_string();
            assert!(error.contains(key), "{error}");
        }
        Ok(())
    }
}
