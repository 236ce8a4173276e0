//! All gradients looked at together: their norm, its limit, and whether they are numbers.

use candle_core::backprop::GradStore;
use candle_core::{Device, Result, Tensor};
use rayon::prelude::*;
use sconce_tensors::Parameters;

use crate::number;

/// The Euclidean norm of all gradients of the trainable parameters taken as one vector, accumulated in f64. It is not finite when any
/// of them is not.
pub fn global_norm(gradients: &GradStore, parameters: &Parameters) -> Result<f64> {
    Ok(squared_norm(gradients, parameters)?.to_scalar::<f64>()?.sqrt())
}

/// The square of [`global_norm`], on the device of the gradients: there nobody waits for it.
///
/// # Shapes
///
/// Any -> scalar, f64.
pub fn squared_norm(gradients: &GradStore, parameters: &Parameters) -> Result<Tensor> {
    let all = parameters.trainable();
    let gradients: Vec<&Tensor> = all.iter().filter_map(|(_, var)| gradients.get(var)).collect();
    #[cfg(feature = "cuda")]
    if gradients.first().is_some_and(|gradient| gradient.device().is_cuda()) {
        // In two launches.
        let contiguous = |gradient: &&Tensor| gradient.detach().contiguous();
        let gradients = gradients.iter().map(contiguous).collect::<Result<Vec<_>>>()?;
        return sconce_tensors::fused_step::sum_of_squares(&gradients);
    }
    let squares = gradients.into_iter().map(sum_of_squares).collect::<Result<Vec<f64>>>()?;
    Tensor::new(squares.into_iter().sum::<f64>(), &Device::Cpu)
}

/// Scales all gradients by the same factor such that their [`global_norm`] is `limit` where it was more, and returns the norm they
/// had. Gradients that are not finite are left as they are.
///
/// # Errors
///
/// When the limit is not more than 0.
pub fn clip_global_norm(gradients: &mut GradStore, parameters: &Parameters, limit: f64) -> Result<f64> {
    number::positive("the limit of the gradient norm", limit)?;
    let norm = global_norm(gradients, parameters)?;
    if !norm.is_finite() || norm <= limit {
        return Ok(norm);
    }
    for (_, var) in parameters.trainable() {
        if let Some(gradient) = gradients.remove(&var) {
            gradients.insert(&var, (gradient.detach() * (limit / norm))?);
        }
    }
    Ok(norm)
}

/// The name of the first parameter, in the order of names, whose gradient holds a value that is not finite.
pub fn first_not_finite(gradients: &GradStore, parameters: &Parameters) -> Result<Option<String>> {
    for (name, var) in parameters.trainable() {
        let Some(gradient) = gradients.get(&var) else { continue };
        if !sum_of_squares(gradient)?.is_finite() {
            return Ok(Some(name));
        }
    }
    Ok(None)
}

/// Elements that one task sums; fixed, so that the order of additions is too.
const PART: usize = 1 << 15;

/// Squares of finite f32 are finite in f64, and so is their sum.
fn sum_of_squares(gradient: &Tensor) -> Result<f64> {
    let gradient = gradient.detach().to_device(&Device::Cpu)?.contiguous()?;
    let (storage, layout) = gradient.storage_and_layout();
    let candle_core::Storage::Cpu(storage) = &*storage else {
        candle_core::bail!("the gradient did not come to main memory")
    };
    let start = layout.start_offset();
    let values = &storage.as_slice::<f32>()?[start..start + layout.shape().elem_count()];
    let parts: Vec<f64> = values.par_chunks(PART).map(part).collect();
    Ok(parts.iter().sum())
}

/// In independent chains, so that the processor need not wait for each addition.
fn part(values: &[f32]) -> f64 {
    let square = |value: f32| f64::from(value) * f64::from(value);
    let (groups, rest) = values.as_chunks::<8>();
    let mut lanes = [0.0; 8];
    for group in groups {
        for (lane, &value) in lanes.iter_mut().zip(group) {
            *lane += square(value);
        }
    }
    lanes.into_iter().chain(rest.iter().copied().map(square)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::DType;

    /// Parameters a (3) and b (2, 2) with the gradients `scale`, and c without one.
    fn gradients(scale: f64) -> Result<(GradStore, Parameters)> {
        let parameters = Parameters::new(0, &Device::Cpu);
        let vb = parameters.builder();
        let (a, b) = (vb.get(3, "a")?, vb.get((2, 2), "b")?);
        vb.get(5, "c")?;
        let loss = (a.sum_all()? + b.t()?.sum_all()?)?;
        Ok(((loss * scale)?.backward()?, parameters))
    }

    #[test]
    fn the_norm_is_over_all_gradients() -> Result<()> {
        let (gradients, parameters) = gradients(-3.0)?;
        assert!((global_norm(&gradients, &parameters)? - 3.0 * 7f64.sqrt()).abs() < 1e-6);
        let (gradients, parameters) = self::gradients(1e30)?;
        let norm = global_norm(&gradients, &parameters)?;
        assert!((norm / (1e30 * 7f64.sqrt()) - 1.0).abs() < 1e-6, "beyond the square root of f32: {norm}");
        Ok(())
    }

    #[test]
    fn clipping_keeps_the_direction_and_returns_the_old_norm() -> Result<()> {
        let (mut gradients, parameters) = gradients(3.0)?;
        let before = clip_global_norm(&mut gradients, &parameters, 1.0)?;
        assert!((before - 3.0 * 7f64.sqrt()).abs() < 1e-6);
        assert!((global_norm(&gradients, &parameters)? - 1.0).abs() < 1e-6);
        let below = clip_global_norm(&mut gradients, &parameters, 2.0)?;
        assert!((below - 1.0).abs() < 1e-6 && (global_norm(&gradients, &parameters)? - 1.0).abs() < 1e-6);
        clip_global_norm(&mut gradients, &parameters, 0.0).unwrap_err();
        Ok(())
    }

    #[test]
    fn gradients_that_are_not_numbers_are_found_and_left() -> Result<()> {
        for bad in [f32::NAN, f32::INFINITY] {
            let (mut gradients, parameters) = gradients(1.0)?;
            assert_eq!(first_not_finite(&gradients, &parameters)?, None);
            let (_, b) = &parameters.trainable()[1];
            gradients.insert(b, Tensor::full(bad, (2, 2), &Device::Cpu)?);
            assert_eq!(first_not_finite(&gradients, &parameters)?.as_deref(), Some("b"));
            assert!(!clip_global_norm(&mut gradients, &parameters, 1.0)?.is_finite());
            let (_, a) = &parameters.trainable()[0];
            let a = gradients.get(a).map(|g| g.to_dtype(DType::F32)?.to_vec1::<f32>()).transpose()?;
            assert_eq!(a, Some(vec![1.0; 3]));
        }
        Ok(())
    }
}
