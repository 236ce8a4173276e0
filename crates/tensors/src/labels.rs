//! Label maps as targets of scores.

use candle_core::{DType, Result, Storage, Tensor, bail};

use crate::host;

/// The labels (N, H, W) of scores (N, C, H, W), contiguous; an error unless they are u8 of that size. On the CPU one too that names
/// the first label which is neither below `classes` nor `ignore`.
pub(crate) fn of_scores(
    scores: &Tensor,
    labels: &Tensor,
    classes: usize,
    ignore: u8,
    op: &str,
) -> Result<Tensor> {
    let (n, _, h, w) = host::dims4(scores, op)?;
    if labels.dims() != [n, h, w] || labels.dtype() != DType::U8 {
        let (scores, shape, dtype) = (scores.shape(), labels.shape(), labels.dtype());
        bail!("{op}: for scores {scores:?} expected labels ({n}, {h}, {w}) u8, got {shape:?} {dtype:?}");
    }
    let labels = labels.contiguous()?;
    check(&labels, classes, ignore, op)?;
    Ok(labels)
}

/// An error that names the first of contiguous labels (N, H, W) which is neither below `classes` nor `ignore`. On a GPU, where looking
/// for one would hold up every step, nothing is looked at.
fn check(labels: &Tensor, classes: usize, ignore: u8, op: &str) -> Result<()> {
    let (storage, layout) = labels.storage_and_layout();
    let Storage::Cpu(storage) = &*storage else { return Ok(()) };
    let labels = host::slice::<u8>(storage, layout, op)?;
    let wrong = |label: &u8| usize::from(*label) >= classes && *label != ignore;
    let Some(at) = labels.iter().position(wrong) else { return Ok(()) };
    let (_, h, w) = layout.shape().dims3()?;
    let (image, row, column, label) = (at / (h * w), at / w % h, at % w, labels[at]);
    bail!(
        "{op}: label {label} at image {image}, row {row}, column {column} is not one of the {classes} classes \
         0..={} nor the ignored value {ignore}",
        classes - 1
    )
}
