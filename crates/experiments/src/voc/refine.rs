//! A network's probabilities drawn towards the edges of the photograph, and both put together.

use anyhow::{Result, bail};
use candle_core::Tensor;
use image::{GrayImage, RgbImage};
use sconce_crf::{Bilateral, Gaussian, Unary};
use serde::Deserialize;

use crate::dense_crf::Kernels;

/// The dense CRF: `[crf]`.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Crf {
    /// Of mean field.
    iterations: usize,
    /// Near pixels have the same class.
    gaussian: Near,
    /// Near pixels of the same colour have the same class.
    bilateral: Alike,
}

/// `[crf.gaussian]`.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Near {
    /// Standard deviation in pixels.
    position: f32,
    weight: f32,
}

/// `[crf.bilateral]`.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Alike {
    /// Standard deviation in pixels.
    position: f32,
    /// Standard deviation of each colour, in units of 0..=255.
    colour: f32,
    weight: f32,
}

/// Probabilities below it count as this much.
const FLOOR: f32 = 1e-5;

impl Crf {
    /// An error that names the first number without sense.
    pub(super) fn check(&self) -> Result<()> {
        let Self { iterations, gaussian, bilateral } = *self;
        if iterations == 0 {
            bail!("crf.iterations is 0: leave the table [crf] out for no CRF");
        }
        let deviations = [
            ("crf.gaussian.position", gaussian.position),
            ("crf.bilateral.position", bilateral.position),
            ("crf.bilateral.colour", bilateral.colour),
        ];
        if let Some((key, value)) = deviations.iter().find(|(_, value)| !(*value > 0.0 && value.is_finite()))
        {
            bail!("{key} is {value}, it must be more than 0");
        }
        let weights = [("crf.gaussian.weight", gaussian.weight), ("crf.bilateral.weight", bilateral.weight)];
        match weights.iter().find(|(_, value)| !value.is_finite()) {
            Some((key, value)) => bail!("{key} is {value}, it must be finite"),
            None => Ok(()),
        }
    }

    /// Probabilities (1, classes, H, W) after mean field, on their device. The photograph is the 8-bit one of its file: colours' deviations are in its
    /// units.
    fn refine(&self, photograph: &RgbImage, probabilities: &Tensor) -> Result<Tensor> {
        let (_, classes, height, width) = probabilities.dims4()?;
        let mut values = probabilities.flatten_all()?.to_vec1::<f32>()?;
        // Means of probabilities may be rounded up to beyond 1.
        values.iter_mut().for_each(|value| *value = value.min(1.0));
        let Self { iterations, gaussian, bilateral } = *self;
        let kernels = Kernels {
            gaussian: (Gaussian::new(gaussian.position), gaussian.weight),
            bilateral: (Bilateral::new(bilateral.position, bilateral.colour), bilateral.weight),
        };
        let unary = Unary::from_probabilities(&values, FLOOR)?;
        let (size, device) = ((width, height), probabilities.device());
        let posterior = kernels.infer(size, classes, photograph.as_raw(), &unary, iterations, device)?;
        Ok(Tensor::from_vec(posterior.into_probabilities(), probabilities.shape(), device)?)
    }
}

/// What label maps of one picture are called, in tables and in [`Maps::all`].
pub(super) const NAMES: [&str; 4] = ["raw", "CRF", "union", "mean"];

/// Label maps of one picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Maps {
    /// Of the network alone.
    pub(super) raw: GrayImage,
    /// With the CRF, if there is one.
    pub(super) refined: Option<Refined>,
}

/// What the CRF makes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refined {
    /// Of the CRF alone.
    pub(super) crf: GrayImage,
    /// The CRF's class, and where that is background the network's: what the network saw closes holes that the CRF made.
    pub(super) union: GrayImage,
    /// Of the mean of the two probabilities.
    pub(super) mean: GrayImage,
}

impl Maps {
    /// Of a photograph and the network's probabilities (1, classes, H, W) at its size.
    pub(super) fn new(crf: Option<&Crf>, photograph: &RgbImage, probabilities: &Tensor) -> Result<Self> {
        let raw = super::labels(probabilities)?;
        let Some(crf) = crf else { return Ok(Self { raw, refined: None }) };
        let refined = crf.refine(photograph, probabilities)?;
        let mean = super::labels(&((probabilities + &refined)? / 2.0)?)?;
        let crf = super::labels(&refined)?;
        let union = union(&crf, &raw);
        Ok(Self { raw, refined: Some(Refined { crf, union, mean }) })
    }

    /// In the order of [`NAMES`]: the raw one, or all four.
    pub(super) fn all(&self) -> Vec<&GrayImage> {
        let refined = self.refined.iter().flat_map(|Refined { crf, union, mean }| [crf, union, mean]);
        std::iter::once(&self.raw).chain(refined).collect()
    }
}

/// The first map's labels, and where they are 0 the second's.
fn union(first: &GrayImage, second: &GrayImage) -> GrayImage {
    let mut union = first.clone();
    for (label, other) in union.iter_mut().zip(second.iter()) {
        if *label == 0 {
            *label = *other;
        }
    }
    union
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;
    use image::{Luma, Rgb};

    const CRF: &str = "
        iterations = 5
        gaussian = { position = 3.0, weight = 3.0 }
        bilateral = { position = 80.0, colour = 13.0, weight = 10.0 }
    ";

    /// A dark left and a bright right half, of which a network knows one class each, but for one unsure pixel.
    fn halves() -> (RgbImage, Tensor) {
        let photograph =
            RgbImage::from_fn(12, 10, |x, _| Rgb(if x < 6 { [30, 30, 30] } else { [200, 190, 180] }));
        let mut left: Vec<f32> = (0..120).map(|at| if at % 12 < 6 { 0.8 } else { 0.2 }).collect();
        left[5 * 12 + 3] = 0.4;
        let both: Vec<f32> = left.iter().copied().chain(left.iter().map(|p| 1.0 - p)).collect();
        (photograph, Tensor::from_vec(both, (1, 2, 10, 12), &Device::Cpu).unwrap())
    }

    #[test]
    fn the_crf_follows_the_photograph_and_the_maps_have_their_names() {
        let (photograph, probabilities) = halves();
        let crf: Crf = toml::from_str(CRF).unwrap();
        let maps = Maps::new(Some(&crf), &photograph, &probabilities).unwrap();
        assert_eq!(maps.raw.get_pixel(3, 5), &Luma([1]));
        let refined = maps.refined.clone().unwrap();
        assert_eq!(refined.crf.get_pixel(3, 5), &Luma([0]));
        let halves = GrayImage::from_fn(12, 10, |x, _| Luma([u8::from(x >= 6)]));
        assert_eq!(refined.crf, halves);
        // The union takes back what the CRF made background.
        assert_eq!(refined.union, maps.raw);
        assert_eq!(maps.all().len(), NAMES.len());
        let alone = Maps::new(None, &photograph, &probabilities).unwrap();
        assert_eq!(alone.all(), [&maps.raw]);
    }

    #[test]
    fn the_union_fills_only_background() {
        let map = |labels: &[u8]| GrayImage::from_raw(5, 1, labels.to_vec()).unwrap();
        assert_eq!(union(&map(&[0, 3, 0, 4, 5]), &map(&[1, 2, 0, 0, 5])), map(&[1, 3, 0, 4, 5]));
    }

    #[test]
    fn probabilities_rounded_beyond_one_are_taken() {
        let (photograph, probabilities) = halves();
        let crf: Crf = toml::from_str(CRF).unwrap();
        let ones = (probabilities.ones_like().unwrap() * 1.000_000_2).unwrap();
        assert!(crf.refine(&photograph, &ones).is_ok());
    }

    #[test]
    fn numbers_without_sense_are_named() {
        let message = |from: &str, to: &str| {
            let crf: Crf = toml::from_str(&CRF.replace(from, to)).unwrap();
            crf.check().unwrap_err().to_string()
        };
        assert!(message("iterations = 5", "iterations = 0").contains("crf.iterations is 0"));
        assert!(message("colour = 13.0", "colour = 0.0").contains("crf.bilateral.colour is 0"));
        assert!(message("weight = 3.0", "weight = nan").contains("crf.gaussian.weight is NaN"));
        toml::from_str::<Crf>(CRF).unwrap().check().unwrap();
    }
}
