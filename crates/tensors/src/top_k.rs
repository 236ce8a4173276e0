//! Indices of the largest elements.

use crate::checked::Watched;
#[cfg(feature = "cuda")]
use crate::cuda::{
    self,
    card::{self, Card},
};
use crate::host;
#[cfg(feature = "cuda")]
use candle_core::CudaStorage;
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

const NAME: &str = "top_k_indices";

/// Indices of the `k` largest elements along the last axis, largest first; of equal elements the one with the lower
/// index comes first (0 and -0 are equal). NaN counts as larger than any number, as in PyTorch. No gradient.
///
/// # Shapes
/// x (N, C, P) f32 -> (N, C, k) u32.
///
/// # Errors
/// If `x` is not f32 of rank 3, an axis is empty, `k` is 0 or `k` is larger than P.
pub fn top_k_indices(x: &Tensor, k: usize) -> Result<Tensor> {
    host::check_f32(x, NAME)?;
    match *x.dims() {
        [n, c, p] if n * c * p > 0 && k > p => {
            bail!("{NAME}: asked for the {k} largest of {p} elements in {:?}", x.shape())
        }
        [n, c, p] if n * c * p > 0 && k > 0 => x.detach().contiguous()?.watched_op1_no_bwd(&TopK { k }),
        _ => {
            bail!("{NAME}: expected (N, C, P) without an empty axis and k >= 1, got {:?}, k = {k}", x.shape())
        }
    }
}

struct TopK {
    k: usize,
}

impl CustomOp1 for TopK {
    fn name(&self) -> &'static str {
        NAME
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = host::slice::<f32>(storage, layout, NAME)?;
        let (n, c, p) = layout.shape().dims3()?;
        let mut indices = vec![0u32; n * c * self.k];
        indices
            .par_chunks_mut(self.k)
            .zip(x.par_chunks(p))
            .with_min_len(host::items_per_job(p))
            .for_each_init(|| Vec::with_capacity(p), |keys, (out, row)| largest(row, keys, out));
        Ok((CpuStorage::U32(indices), (n, c, self.k).into()))
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(&self, x: &CudaStorage, layout: &Layout) -> Result<(CudaStorage, Shape)> {
        let ((n, c, p), from) = (layout.shape().dims3()?, card::pointer::<f32>(x, layout, NAME)?);
        // SAFETY: n c rows of p floats, of which k are sought, p at most as `top_k_indices` has checked.
        let fill =
            |card: &Card, indices| unsafe { cuda::top_k::top_k(card, [from, indices], (n * c, p), self.k) };
        // SAFETY: the kernel writes every index.
        let indices = unsafe { card::filled::<u32>(&x.device, n * c * self.k, fill) }?;
        Ok((indices, (n, c, self.k).into()))
    }
}

/// Fills `out` with the indices of the largest elements of `row`; `keys` is scratch memory.
fn largest(row: &[f32], keys: &mut Vec<u64>, out: &mut [u32]) {
    keys.clear();
    keys.extend(row.iter().enumerate().map(|(i, v)| u64::from(!ascending(*v)) << 32 | i as u64));
    if out.len() < keys.len() {
        keys.select_nth_unstable(out.len());
    }
    let keys = &mut keys[..out.len()];
    keys.sort_unstable();
    out.iter_mut().zip(keys).for_each(|(o, key)| *o = *key as u32);
}

/// An integer that orders as the floats do, with -0 equal to 0 and every NaN the largest.
fn ascending(value: f32) -> u32 {
    if value.is_nan() {
        return u32::MAX;
    }
    let bits = (value + 0.0).to_bits();
    if bits >> 31 == 0 { bits | 1 << 31 } else { !bits }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{DType, Device};
    use proptest::prelude::*;

    fn of_row(values: &[f32], k: usize) -> Result<Vec<u32>> {
        top_k_indices(&Tensor::new(values, &Device::Cpu)?.reshape((1, 1, ()))?, k)?.flatten_all()?.to_vec1()
    }

    #[test]
    fn equal_values_come_in_order_of_their_index() -> Result<()> {
        assert_eq!(of_row(&[0.0, 2.0, -0.0, 2.0, 0.0, -1.0], 6)?, [1, 3, 0, 2, 4, 5]);
        assert_eq!(of_row(&[-3.0; 5], 3)?, [0, 1, 2]);
        Ok(())
    }

    #[test]
    fn nan_is_the_largest() -> Result<()> {
        let values = [1.0, f32::NAN, f32::INFINITY, -f32::NAN, f32::NEG_INFINITY, f32::MIN];
        assert_eq!(of_row(&values, 6)?, [1, 3, 2, 0, 5, 4]);
        Ok(())
    }

    #[test]
    fn bad_input_is_named() {
        let error = of_row(&[1.0, 2.0], 3).unwrap_err().to_string();
        assert!(error.contains("3 largest of 2 elements"), "{error}");
        assert!(of_row(&[1.0, 2.0], 0).is_err());
        let x = Tensor::zeros((2, 3), DType::F32, &Device::Cpu).unwrap();
        let error = top_k_indices(&x, 1).unwrap_err().to_string();
        assert!(error.contains("(N, C, P)") && error.contains("[2, 3]"), "{error}");
    }

    #[test]
    fn views_are_read_in_their_own_order() -> Result<()> {
        let x = Tensor::new(&[[[1f32, 5.0], [4.0, 2.0], [3.0, 6.0]]], &Device::Cpu)?.transpose(1, 2)?;
        assert_eq!(top_k_indices(&x, 2)?.to_vec3::<u32>()?, [[[1, 2], [2, 0]]]);
        Ok(())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn equals_a_stable_sort(rows in prop::collection::vec(prop::collection::vec(-4i8..4, 50), 6), k in 1usize..=50) {
            let values: Vec<f32> = rows.concat().into_iter().map(f32::from).collect();
            let got = top_k_indices(&Tensor::from_vec(values, (2, 3, 50), &Device::Cpu)?, k)?;
            let got = got.reshape((6, k))?.to_vec2::<u32>()?;
            for (row, got) in rows.iter().zip(got) {
                let mut order: Vec<u32> = (0..50).collect();
                order.sort_by_key(|i| -row[*i as usize]);
                prop_assert_eq!(&got, &order[..k]);
            }
        }
    }
}
