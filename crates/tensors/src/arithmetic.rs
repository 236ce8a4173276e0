//! In which floating-point format, and in which order, convolutions multiply and add.

use std::borrow::Cow;
use std::cell::Cell;

use half::bf16;
use serde::{Deserialize, Serialize};

/// The format of the factors of a convolution's products, and of what is written.
///
/// Weights, everything between convolutions, statistics, losses and the optimizer's state are `f32` in any case, and sums of products
/// are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Precision {
    /// `f32`. A GPU that has TF32 may multiply so, as PyTorch lets it.
    #[default]
    F32,
    /// `bfloat16`, 8 bits of mantissa: images, weights and gradients are rounded to it before a convolution, results after it, as PyTorch's
    /// autocast does. Tensor cores of a GPU then compute up to eight times as fast; a processor gives the same numbers, in no less time than
    /// with `f32`.
    Bf16,
}

/// How convolutions compute; what is not said is that of [`Default`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Arithmetic {
    /// Of the products.
    pub precision: Precision,
    /// Whether the same arguments give the same bits on the same GPU. If not, cuDNN may add in an order of chance where that is
    /// faster. On the processor they always do.
    pub deterministic: bool,
}

impl Default for Arithmetic {
    fn default() -> Self {
        Self { precision: Precision::F32, deterministic: true }
    }
}

thread_local! {
    static CURRENT: Cell<Arithmetic> = const {
        Cell::new(Arithmetic { precision: Precision::F32, deterministic: true })
    };
}

/// The arithmetic around a scope, which holds again when that one ends, by a panic too.
struct Outer(Arithmetic);

impl Drop for Outer {
    fn drop(&mut self) {
        CURRENT.set(self.0);
    }
}

impl Arithmetic {
    /// Runs `work`, whose convolutions compute so; their backward passes too, also those that run after it. Only what the calling thread
    /// asks for is concerned.
    ///
    /// ```
    /// use candle_core::{DType, Device, Tensor};
    /// use sconce_tensors::{Arithmetic, Conv2dConfig, Precision, conv2d};
    ///
    /// let third = Tensor::full(1_f32 / 3.0, (1, 1, 1, 1), &Device::Cpu)?;
    /// let product = || conv2d(&third, &third, None, Conv2dConfig::default())?.flatten_all()?.to_vec1::<f32>();
    /// let bf16 = Arithmetic { precision: Precision::Bf16, ..Arithmetic::default() };
    /// assert!((product()?[0] - 1.0 / 9.0).abs() < 1e-7);
    /// assert_eq!(bf16.scope(product)?, [0.111328125]); // 57 / 512
    /// # Ok::<(), candle_core::Error>(())
    /// ```
    pub fn scope<T>(self, work: impl FnOnce() -> T) -> T {
        let _outer = Outer(CURRENT.replace(self));
        work()
    }

    /// That of the scope under way.
    pub(crate) fn current() -> Self {
        CURRENT.get()
    }
}

impl Precision {
    /// The values as factors.
    pub(crate) fn rounded(self, values: &[f32]) -> Cow<'_, [f32]> {
        match self {
            Self::F32 => Cow::Borrowed(values),
            Self::Bf16 => Cow::Owned(values.iter().copied().map(to_bf16).collect()),
        }
    }

    /// Rounds results.
    pub(crate) fn round(self, values: &mut [f32]) {
        match self {
            Self::F32 => {}
            Self::Bf16 => values.iter_mut().for_each(|value| *value = to_bf16(*value)),
        }
    }
}

/// The nearest `bfloat16`.
fn to_bf16(value: f32) -> f32 {
    bf16::from_f32(value).to_f32()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_ends_by_a_panic_too() {
        let other = Arithmetic { precision: Precision::Bf16, deterministic: false };
        let inside = other.scope(|| Arithmetic::default().scope(Arithmetic::current));
        assert_eq!((inside, Arithmetic::current()), (Arithmetic::default(), Arithmetic::default()));
        std::panic::catch_unwind(|| other.scope(|| panic!("on purpose"))).unwrap_err();
        assert_eq!(Arithmetic::current(), Arithmetic::default());
        assert_eq!(other.scope(Arithmetic::current), other);
    }
}
