//! How often each class was predicted where each was true, counted where the label maps are.

#[cfg(feature = "cuda")]
use candle_core::CudaStorage;
use candle_core::{CpuStorage, CustomOp2, DType, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use crate::checked::Watched;
#[cfg(feature = "cuda")]
use crate::cuda::{
    self,
    card::{self, Card},
};
use crate::host;

const NAME: &str = "confusion_counts";

/// Counts over any number of pairs of label maps. On a GPU nothing waits for them before they are read.
#[derive(Debug, Clone)]
pub struct ConfusionCounts {
    classes: usize,
    /// Truth × prediction, and the pixels whose labels are no classes; none before the first maps.
    table: Option<Tensor>,
}

impl ConfusionCounts {
    /// Nothing counted yet, of at most 256 classes.
    pub fn new(classes: usize) -> Self {
        Self { classes, table: None }
    }

    /// Counts the pixels of one pair of maps. Pixels whose truth is `ignore` are skipped, whatever was predicted there.
    ///
    /// # Shapes
    /// truth and predicted (N, H, W) u8, or any other shape with as many elements in the same order.
    ///
    /// # Errors
    /// If the maps differ in their number of pixels or hold no bytes, or a label is not below `classes`: the error names the first
    /// such pixel. On a GPU such pixels are an error of [`read`](Self::read).
    pub fn add(&mut self, truth: &Tensor, predicted: &Tensor, ignore: u8) -> Result<()> {
        let new = confusion_counts(truth, predicted, self.classes, ignore)?;
        self.table = Some(match &self.table {
            Some(table) => (table + new)?,
            None => new,
        });
        Ok(())
    }

    /// The matrix, row (one true class) after row.
    ///
    /// # Errors
    /// If a label was no class.
    pub fn read(&self) -> Result<Vec<u64>> {
        let places = self.classes * self.classes;
        let Some(table) = &self.table else { return Ok(vec![0; places]) };
        let mut counts: Vec<u64> = table.to_vec1::<i64>()?.into_iter().map(|count| count as u64).collect();
        match counts.pop() {
            Some(0) => Ok(counts),
            wrong => bail!(
                "{NAME}: labels of {} pixels are none of the {} classes",
                wrong.unwrap_or_default(),
                self.classes
            ),
        }
    }
}

/// Truth × prediction, row after row, and in a last place the number of pixels whose labels are no classes.
fn confusion_counts(truth: &Tensor, predicted: &Tensor, classes: usize, ignore: u8) -> Result<Tensor> {
    if classes == 0 || classes > 256 {
        bail!("{NAME}: {classes} classes do not fit labels of 8 bits");
    }
    if truth.elem_count() != predicted.elem_count() {
        bail!("{NAME}: the truth is {:?}, the prediction {:?}", truth.shape(), predicted.shape());
    }
    for (map, what) in [(truth, "truth"), (predicted, "prediction")] {
        if map.dtype() != DType::U8 {
            bail!("{NAME}: the {what} must be u8, not {:?}", map.dtype());
        }
    }
    truth.contiguous()?.watched_op2_no_bwd(&predicted.contiguous()?, &Confusion { classes, ignore })
}

struct Confusion {
    classes: usize,
    ignore: u8,
}

impl Confusion {
    fn places(&self) -> usize {
        self.classes * self.classes + 1
    }

    /// Where a pixel is counted: in the last place if a label is no class.
    fn place(&self, truth: u8, predicted: u8) -> Option<usize> {
        let (row, column) = (usize::from(truth), usize::from(predicted));
        let inside = row < self.classes && column < self.classes;
        let place = if inside { row * self.classes + column } else { self.places() - 1 };
        (truth != self.ignore).then_some(place)
    }

    fn counts(&self, truth: &[u8], predicted: &[u8]) -> Vec<i64> {
        let mut counts = vec![0; self.places()];
        for (&truth, &predicted) in truth.iter().zip(predicted) {
            if let Some(place) = self.place(truth, predicted) {
                counts[place] += 1;
            }
        }
        counts
    }

    #[cold]
    fn wrong_label<T>(&self, truth: &[u8], predicted: &[u8]) -> Result<T> {
        let wrong = |(&t, &p): (&u8, &u8)| self.place(t, p) == Some(self.places() - 1);
        let at = truth.iter().zip(predicted).position(wrong).unwrap_or_default();
        let (truth, predicted, classes) = (truth[at], predicted[at], self.classes);
        bail!(
            "{NAME}: truth {truth} or prediction {predicted} at pixel {at} is not one of the {classes} classes"
        )
    }
}

/// Pixels that one task counts.
const PART: usize = 1 << 18;

impl CustomOp2 for Confusion {
    fn name(&self) -> &'static str {
        NAME
    }

    fn cpu_fwd(
        &self,
        truth: &CpuStorage,
        truth_layout: &Layout,
        predicted: &CpuStorage,
        predicted_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let truth = host::slice::<u8>(truth, truth_layout, NAME)?;
        let predicted = host::slice::<u8>(predicted, predicted_layout, NAME)?;
        let none = || vec![0; self.places()];
        let counts = truth
            .par_chunks(PART)
            .zip(predicted.par_chunks(PART))
            .map(|(truth, predicted)| self.counts(truth, predicted))
            .reduce(none, |a, b| a.iter().zip(b).map(|(a, b)| a + b).collect());
        if counts[self.places() - 1] > 0 {
            return self.wrong_label(truth, predicted);
        }
        Ok((CpuStorage::I64(counts), Shape::from(self.places())))
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(
        &self,
        truth: &CudaStorage,
        truth_layout: &Layout,
        predicted: &CudaStorage,
        predicted_layout: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        let count = card::same_count([truth_layout, predicted_layout], NAME)?;
        let from = card::pointer::<u8>(truth, truth_layout, NAME)?;
        let to = card::pointer::<u8>(predicted, predicted_layout, NAME)?;
        let fill = |card: &Card, table| {
            let (of, most) = ((self.classes, self.ignore), cuda::confusion::TABLES);
            // SAFETY: `count` labels in both maps, a place for every pair of classes and one more; `confusion_counts` has checked the classes.
            unsafe { cuda::confusion::confusion(card, of, [from, to, table], count, most) }
        };
        // SAFETY: the kernels write every place.
        let table = unsafe { card::filled::<i64>(&truth.device, self.places(), fill) }?;
        Ok((table, Shape::from(self.places())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{devices, hashed_labels};
    use candle_core::Device;
    use proptest::prelude::*;

    fn maps(shape: (usize, usize, usize), classes: usize) -> (Tensor, Tensor) {
        let predicted = hashed_labels("predicted", shape, classes);
        // Void is not predicted.
        let zeros = predicted.zeros_like().unwrap();
        let predicted = predicted.eq(255u8).unwrap().where_cond(&zeros, &predicted).unwrap();
        (hashed_labels("truth", shape, classes), predicted)
    }

    #[test]
    fn wrong_labels_types_and_sizes_are_named() -> Result<()> {
        let map = |values: &[u8]| Tensor::from_slice(values, (1, 1, values.len()), &Device::Cpu);
        let (truth, predicted) = (map(&[0, 1, 255, 2])?, map(&[0, 1, 9, 3])?);
        let message = |classes: usize, truth: &Tensor, predicted: &Tensor| {
            ConfusionCounts::new(classes).add(truth, predicted, 255).unwrap_err().to_string()
        };
        let error = message(3, &truth, &predicted);
        assert!(error.contains("truth 2 or prediction 3 at pixel 3"), "{error}");
        let error = message(3, &truth, &predicted.narrow(2, 0, 3)?);
        assert!(error.contains("[1, 1, 4]") && error.contains("[1, 1, 3]"), "{error}");
        assert!(message(3, &truth.to_dtype(DType::F32)?, &predicted).contains("truth must be u8"));
        assert!(message(257, &truth, &predicted).contains("257"));
        let mut counts = ConfusionCounts::new(4);
        counts.add(&truth, &predicted, 255)?;
        assert_eq!(counts.read()?.iter().sum::<u64>(), 3);
        Ok(())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn each_pixel_is_counted_once(n in 1usize..3, h in 1usize..60, w in 1usize..60, classes in 1usize..24) {
            let (truth, predicted) = maps((n, h, w), classes);
            let mut want = vec![0u64; classes * classes];
            let [t, p] = [&truth, &predicted].map(|map| map.flatten_all().unwrap().to_vec1::<u8>().unwrap());
            for (t, p) in t.into_iter().zip(p).filter(|(t, _)| *t != 255) {
                want[usize::from(t) * classes + usize::from(p)] += 2;
            }
            for device in devices() {
                let mut counts = ConfusionCounts::new(classes);
                prop_assert_eq!(counts.read()?, vec![0u64; classes * classes]);
                for _ in 0..2 {
                    // The prediction as scores have it, with one channel.
                    let predicted = predicted.unsqueeze(1)?.to_device(&device)?;
                    counts.add(&truth.to_device(&device)?, &predicted, 255)?;
                }
                prop_assert_eq!(&counts.read()?, &want);
            }
        }
    }
}
