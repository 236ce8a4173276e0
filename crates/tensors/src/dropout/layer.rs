//! Dropout as a layer that draws its own masks.

use std::sync::atomic::{AtomicU64, Ordering};

use candle_core::{ModuleT, Result, Tensor};
use candle_nn::VarBuilder;
use rand::RngCore;

use super::{check_probability, dropout, dropout_channels};
use crate::once;
use crate::parameters::generator;

/// Dropout in training, nothing in evaluation.
///
/// Pass `k` in training takes the mask that a seed, the layer's name and `k` choose, whatever other layers
/// draw. A new layer has seed 0 and is before pass 0; [`Dropout::restart`] chooses others, so that a resumed
/// run draws the masks that the uninterrupted one would have.
///
/// # Shapes
///
/// (N, C, ...) f32 to the same.
#[derive(Debug)]
pub struct Dropout {
    probability: f64,
    unit: Unit,
    name: String,
    seed: AtomicU64,
    pass: AtomicU64,
}

/// What is dropped together.
#[derive(Debug, Clone, Copy)]
enum Unit {
    Element,
    Channel,
}

impl Dropout {
    /// A layer that drops single elements, as [`dropout`](fn@crate::dropout). It has no tensors; the
    /// builder's prefix is its name.
    ///
    /// # Errors
    ///
    /// A probability outside 0..=1.
    pub fn of_elements(probability: f64, vb: VarBuilder) -> Result<Self> {
        Self::new(probability, Unit::Element, vb)
    }

    /// A layer that drops whole channels of single images, as [`dropout_channels`]. It has no tensors; the
    /// builder's prefix is its name.
    ///
    /// # Errors
    ///
    /// A probability outside 0..=1.
    pub fn of_channels(probability: f64, vb: VarBuilder) -> Result<Self> {
        Self::new(probability, Unit::Channel, vb)
    }

    fn new(probability: f64, unit: Unit, vb: VarBuilder) -> Result<Self> {
        check_probability(probability).map_err(|error| error.context(format!("'{}'", vb.prefix())))?;
        Ok(Self { probability, unit, name: vb.prefix(), seed: AtomicU64::new(0), pass: AtomicU64::new(0) })
    }

    /// Takes the masks of `seed` from now on, that of training pass `pass` next. The first pass of a run is
    /// 0.
    pub fn restart(&self, seed: u64, pass: u64) {
        self.seed.store(seed, Ordering::Relaxed);
        self.pass.store(pass, Ordering::Relaxed);
    }

    /// The seed of this pass's mask, the same when a block runs again.
    fn draw(&self) -> Result<u64> {
        once(|| Ok(self.next()))
    }

    /// The `pass`-th number of the stream that the seed and the name choose.
    fn next(&self) -> u64 {
        const WORDS: u128 = 2; // of 32 bits, in each number
        let pass = self.pass.fetch_add(1, Ordering::Relaxed);
        let mut stream = generator(self.seed.load(Ordering::Relaxed), &self.name);
        stream.set_word_pos(WORDS * u128::from(pass));
        stream.next_u64()
    }
}

impl ModuleT for Dropout {
    fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        match (train, self.unit) {
            (false, _) => Ok(x.clone()),
            (true, Unit::Element) => dropout(x, self.probability, self.draw()?),
            (true, Unit::Channel) => dropout_channels(x, self.probability, self.draw()?),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Parameters;
    use candle_core::{DType, Device};

    fn layer(name: &str) -> Dropout {
        Dropout::of_elements(0.5, Parameters::new(0, &Device::Cpu).builder().pp(name)).unwrap()
    }

    /// What a layer makes of ones in its next `passes` training passes.
    fn masks(layer: &Dropout, passes: usize) -> Result<Vec<Vec<f32>>> {
        let ones = Tensor::ones((1, 4, 8, 8), DType::F32, &Device::Cpu)?;
        (0..passes).map(|_| layer.forward_t(&ones, true)?.flatten_all()?.to_vec1()).collect()
    }

    #[test]
    fn evaluation_drops_nothing_and_counts_as_no_pass() -> Result<()> {
        let (a, b) = (layer("a"), layer("a"));
        let ones = Tensor::ones((1, 4, 8, 8), DType::F32, &Device::Cpu)?;
        assert_eq!(a.forward_t(&ones, false)?.sum_all()?.to_scalar::<f32>()?, 256.);
        assert_eq!(masks(&a, 2)?, masks(&b, 2)?);
        Ok(())
    }

    #[test]
    fn every_pass_name_and_seed_has_a_mask_of_its_own() -> Result<()> {
        let (a, b, c) = (layer("a"), layer("b"), layer("a"));
        c.restart(1, 0);
        let mut all = [masks(&a, 3)?, masks(&b, 3)?, masks(&c, 3)?].concat();
        all.sort_by(|a, b| a.partial_cmp(b).expect("numbers"));
        all.dedup();
        assert_eq!(all.len(), 9);
        Ok(())
    }

    #[test]
    fn a_restarted_layer_draws_the_same_masks() -> Result<()> {
        let (whole, resumed) = (layer("a"), layer("a"));
        [&whole, &resumed].iter().for_each(|layer| layer.restart(7, 0));
        let want = masks(&whole, 5)?;
        assert_eq!(masks(&resumed, 2)?, want[..2]);
        let later = layer("a");
        later.restart(7, 2);
        assert_eq!(masks(&later, 3)?, want[2..]);
        Ok(())
    }

    #[test]
    fn whole_channels_go_together() -> Result<()> {
        let vb = Parameters::new(0, &Device::Cpu).builder();
        let mask = &masks(&Dropout::of_channels(0.5, vb)?, 1)?[0];
        assert!(mask.chunks(64).all(|channel| channel.iter().all(|&value| value == channel[0])));
        Ok(())
    }

    #[test]
    fn an_impossible_probability_is_refused_by_name() {
        let vb = Parameters::new(0, &Device::Cpu).builder().pp("aspp.dropout");
        let error = Dropout::of_elements(1.5, vb).unwrap_err().to_string();
        assert!(error.contains("aspp.dropout") && error.contains("1.5"), "{error}");
    }
}
