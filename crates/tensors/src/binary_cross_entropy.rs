//! Binary cross entropy of pixels with one logit, summed in the same pass.

#[cfg(feature = "cuda")]
use candle_core::CudaStorage;
use candle_core::{CpuStorage, CustomOp2, CustomOp3, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use crate::checked::Watched;
#[cfg(feature = "cuda")]
use crate::cuda::{
    self,
    binary_cross_entropy::Weights,
    card::{self, Card},
};
use crate::filled::zeros;
use crate::host;
use crate::labels;
use crate::simd::{exp, vectorised};

const NAME: &str = "binary_cross_entropy_sums";

/// The sum of the binary cross entropies of all pixels not labelled `ignore`, in nats, and the number of these pixels. A pixel's is
/// `-weights[1] log p` at label 1 and `-weights[0] log(1 - p)` at label 0, where p = sigmoid(logit). Stable for logits of any size, and
/// accumulated in f64. The gradient for the logits is that of the sum.
///
/// # Shapes
/// logits (N, 1, H, W) f32, labels (N, H, W) u8 -> (2) f32.
///
/// # Errors
/// If shapes or types do not fit, or a label is not 0, 1 or `ignore`: the error names the first such pixel. On a GPU, where looking for
/// one would hold up every step, the sum is NaN instead.
pub fn binary_cross_entropy_sums(
    logits: &Tensor,
    labels: &Tensor,
    weights: [f32; 2],
    ignore: u8,
) -> Result<Tensor> {
    if host::dims4(logits, NAME)?.1 != 1 {
        bail!("{NAME}: expected logits (N, 1, H, W), got {:?}", logits.shape());
    }
    let labels = labels::of_scores(logits, labels, 2, ignore, NAME)?;
    logits.contiguous()?.watched_op2(&labels, Entropy { weights, ignore })
}

#[derive(Debug, Clone, Copy)]
struct Entropy {
    weights: [f32; 2],
    ignore: u8,
}

#[cfg(feature = "cuda")]
impl Entropy {
    fn on_card(self) -> Weights {
        let [background, foreground] = self.weights;
        Weights { background, foreground, ignore: self.ignore }
    }
}

/// Pixels that one task sums; fixed, so that the order of additions is too.
const PART: usize = 1 << 12;

impl CustomOp2 for Entropy {
    fn name(&self) -> &'static str {
        NAME
    }

    fn cpu_fwd(
        &self,
        logits: &CpuStorage,
        logits_layout: &Layout,
        labels: &CpuStorage,
        labels_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let logits = host::slice::<f32>(logits, logits_layout, NAME)?;
        let labels = host::slice::<u8>(labels, labels_layout, NAME)?;
        let parts = logits.par_chunks(PART).zip(labels.par_chunks(PART));
        let parts: Vec<[f64; 2]> =
            parts.map(|(logits, labels)| sums_of_part(*self, logits, labels)).collect();
        let sum = |number: usize| parts.iter().map(|part| part[number]).sum::<f64>() as f32;
        Ok((CpuStorage::F32(vec![sum(0), sum(1)]), Shape::from(2)))
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(
        &self,
        logits: &CudaStorage,
        logits_layout: &Layout,
        labels: &CudaStorage,
        labels_layout: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        let count = card::same_count([logits_layout, labels_layout], NAME)?;
        let at = card::pointer::<f32>(logits, logits_layout, NAME)?;
        let labels = card::pointer::<u8>(labels, labels_layout, NAME)?;
        let fill = |card: &Card, sums| {
            // SAFETY: `count` logits and labels, and two sums.
            unsafe { cuda::binary_cross_entropy::sums(card, self.on_card(), [at, labels, sums], count) }
        };
        // SAFETY: the kernels write both sums.
        Ok((unsafe { card::filled::<f32>(&logits.device, 2, fill) }?, Shape::from(2)))
    }

    fn bwd(
        &self,
        logits: &Tensor,
        labels: &Tensor,
        _: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let dx = logits.watched_op3_no_bwd(labels, &gradient.contiguous()?, &EntropyBackward(*self))?;
        Ok((Some(dx), None))
    }
}

/// From logits, labels and the gradient of both sums: that for the logits.
struct EntropyBackward(Entropy);

impl CustomOp3 for EntropyBackward {
    fn name(&self) -> &'static str {
        "binary_cross_entropy_sums backward"
    }

    fn cpu_fwd(
        &self,
        logits: &CpuStorage,
        logits_layout: &Layout,
        labels: &CpuStorage,
        labels_layout: &Layout,
        gradient: &CpuStorage,
        gradient_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let logits = host::slice::<f32>(logits, logits_layout, self.name())?;
        let labels = host::slice::<u8>(labels, labels_layout, self.name())?;
        let upstream = host::slice::<f32>(gradient, gradient_layout, self.name())?[0];
        let mut dx = zeros(logits.len());
        dx.par_chunks_mut(PART)
            .zip(logits.par_chunks(PART))
            .zip(labels.par_chunks(PART))
            .for_each(|((dx, logits), labels)| gradient_of_part(self.0, upstream, logits, labels, dx));
        Ok((CpuStorage::F32(dx), logits_layout.shape().clone()))
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(
        &self,
        logits: &CudaStorage,
        logits_layout: &Layout,
        labels: &CudaStorage,
        labels_layout: &Layout,
        gradient: &CudaStorage,
        gradient_layout: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        let count = card::same_count([logits_layout, labels_layout], self.name())?;
        let at = card::pointer::<f32>(logits, logits_layout, self.name())?;
        let labels = card::pointer::<u8>(labels, labels_layout, self.name())?;
        let upstream = card::pointer::<f32>(gradient, gradient_layout, self.name())?;
        let fill = |card: &Card, dx| {
            let at = [at, labels, upstream, dx];
            // SAFETY: `count` logits, labels and gradients, and two gradients of the sums.
            unsafe { cuda::binary_cross_entropy::gradient(card, self.0.on_card(), at, count) }
        };
        // SAFETY: the kernel writes every element.
        let dx = unsafe { card::filled::<f32>(&logits.device, count, fill) }?;
        Ok((dx, logits_layout.shape().clone()))
    }
}

vectorised! {
    fn sums_of_part(of: Entropy, logits: &[f32], labels: &[u8]) -> [f64; 2] {
        let mut small = [0f32; PART];
        for (small, logit) in small.iter_mut().zip(logits) {
            *small = exp(-logit.abs());
        }
        let mut sums = [0f64; 2];
        for ((logit, label), small) in logits.iter().zip(labels).zip(&small) {
            if *label != of.ignore {
                let foreground = *label == 1;
                let wrong = if foreground { -logit } else { *logit };
                let loss = wrong.max(0.0) + small.ln_1p();
                sums[0] += f64::from(of.weights[usize::from(foreground)] * loss);
                sums[1] += 1.0;
            }
        }
        sums
    }
}

vectorised! {
    fn gradient_of_part(of: Entropy, upstream: f32, logits: &[f32], labels: &[u8], dx: &mut [f32]) {
        let scales = [upstream * of.weights[0], upstream * -of.weights[1]];
        for ((dx, logit), label) in dx.iter_mut().zip(logits).zip(labels) {
            let foreground = *label == 1;
            let wrong = if foreground { -logit } else { *logit };
            let small = exp(-wrong.abs());
            let doubt = (if wrong < 0.0 { small } else { 1.0 }) / (1.0 + small);
            let scale = if foreground { scales[1] } else { scales[0] };
            *dx = if *label == of.ignore { 0.0 } else { scale * doubt };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::{assert_same_on_any_threads, assert_views_work, with_gradient};
    use crate::pixel_cross_entropy;
    use crate::testing::{assert_close, check_gradient, devices, hashed_labels, hashed_signed};
    use candle_core::{DType, Device};
    use proptest::prelude::*;

    const WEIGHTS: [f32; 2] = [0.5, 3.0];

    /// As two classes of which the first scores 0: their softmax is the sigmoid.
    fn plain(x: &Tensor, labels: &Tensor) -> Result<Tensor> {
        let losses =
            pixel_cross_entropy(&Tensor::cat(&[&x.zeros_like()?, x], 1)?, labels, Some(&WEIGHTS), 255)?;
        let counted = labels.ne(255u8)?.to_dtype(DType::F32)?.sum_all()?;
        Tensor::stack(&[losses.sum_all()?, counted], 0)
    }

    #[test]
    fn bad_input_is_named() {
        let (x, labels) = (hashed_signed("x", (1, 2, 1, 3), 1.0), hashed_labels("labels", (1, 1, 3), 2));
        let error = binary_cross_entropy_sums(&x, &labels, WEIGHTS, 255).unwrap_err().to_string();
        assert!(error.contains("(N, 1, H, W)") && error.contains("[1, 2, 1, 3]"), "{error}");
        let x = x.narrow(1, 0, 1).unwrap();
        let labels = Tensor::new(&[[[1u8, 255, 2]]], &Device::Cpu).unwrap();
        let error = binary_cross_entropy_sums(&x, &labels, WEIGHTS, 255).unwrap_err().to_string();
        assert!(error.contains("label 2 at image 0, row 0, column 2"), "{error}");
    }

    #[test]
    fn threads_and_views_change_nothing() -> Result<()> {
        let (x, labels) =
            (hashed_signed("x", (1, 1, 301, 70), 4.0), hashed_labels("labels", (1, 301, 70), 2));
        assert_same_on_any_threads(&x, |x| binary_cross_entropy_sums(x, &labels, WEIGHTS, 255))?;
        let transposed = labels.transpose(1, 2)?;
        assert_views_work(&x, |x| binary_cross_entropy_sums(x, &transposed, WEIGHTS, 255)?.reshape((1, 2)))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn equals_the_cross_entropy_of_two_classes(n in 1usize..3, h in 1usize..60, w in 1usize..60, scale in 0.1f64..40.0) {
            let (x, labels) = (hashed_signed("x", (n, 1, h, w), scale), hashed_labels("labels", (n, h, w), 2));
            let seed = hashed_signed("seed", 2, 1.0);
            let (want, want_gradient) = with_gradient(&x, &seed, |x| plain(x, &labels))?;
            for device in devices() {
                let (labels, x, seed) = (labels.to_device(&device)?, x.to_device(&device)?, seed.to_device(&device)?);
                let sums = |x: &Tensor| binary_cross_entropy_sums(x, &labels, WEIGHTS, 255);
                let (got, gradient) = with_gradient(&x, &seed, sums)?;
                assert_close(&got, &want, "sums");
                assert_close(&gradient, &want_gradient, "gradient");
            }
        }

        #[test]
        fn the_gradient_equals_finite_differences(h in 1usize..6, w in 1usize..6, seed in 0u64..99) {
            let (x, labels) = (hashed_signed("x", (2, 1, h, w), 2.0), hashed_labels("labels", (2, h, w), 2));
            check_gradient(|x| binary_cross_entropy_sums(&x[0], &labels, WEIGHTS, 255), &[x], seed)?;
        }
    }
}
