//! Samples of one size as tensors.

use std::time::Duration;

use candle_core::{Device, Result, Tensor, bail};
use image::{GrayImage, RgbImage};
use sconce_tensors::{Upload, Uploads};

use crate::dataset::Sample;

/// What one training step reads: `N` samples as tensors.
#[derive(Debug, Clone)]
pub struct Batch<const T: usize> {
    /// (N, 3, H, W), f32, red, green, blue, 0..=1.
    pub image: Tensor,
    /// Each (N, H, W), u8.
    pub targets: [Tensor; T],
    /// The samples' ids, in order.
    pub ids: Vec<String>,
    /// The epoch, from 0.
    pub epoch: usize,
    /// Number of the batch in its epoch, from 0.
    pub number: usize,
    /// How long the caller waited for this batch.
    pub waited: Duration,
}

impl<const T: usize> Batch<T> {
    /// Makes the tensors of samples of one size.
    ///
    /// # Errors
    /// Samples of different size, no samples, or a device that fails.
    pub fn new(
        samples: &[Sample<T>],
        ids: Vec<String>,
        (epoch, number): (usize, usize),
        device: &Device,
    ) -> Result<Self> {
        let image = image_tensor(samples.iter().map(|sample| &sample.image), device)?;
        let mut targets = Vec::with_capacity(T);
        for target in 0..T {
            targets.push(map_tensor(samples.iter().map(|sample| &sample.targets[target]), device)?);
        }
        let Ok(targets) = targets.try_into() else { bail!("a batch needs {T} targets") };
        Ok(Self { image, targets, ids, epoch, number, waited: Duration::ZERO })
    }

    /// The batch ready to be copied to a device.
    pub(crate) fn ready(self, uploads: &Uploads) -> Result<Ready<T>> {
        let Self { image, targets, ids, epoch, number, .. } = self;
        let image = uploads.prepare(image)?;
        let targets = targets.into_iter().map(|target| uploads.prepare(target)).collect::<Result<_>>()?;
        Ok(Ready { image, targets, ids, epoch, number })
    }
}

/// A batch that is ready to be copied to the loader's device.
pub(crate) struct Ready<const T: usize> {
    image: Upload,
    targets: Vec<Upload>,
    ids: Vec<String>,
    epoch: usize,
    number: usize,
}

impl<const T: usize> Ready<T> {
    /// The batch on the device, where work given to it later finds it.
    pub(crate) fn start(self) -> Result<Batch<T>> {
        let Self { image, targets, ids, epoch, number } = self;
        let image = image.start()?;
        let targets = targets.into_iter().map(Upload::start).collect::<Result<Vec<_>>>()?;
        let Ok(targets) = targets.try_into() else { bail!("a batch needs {T} targets") };
        Ok(Batch { image, targets, ids, epoch, number, waited: Duration::ZERO })
    }
}

/// Pictures of one size as a network's input.
///
/// # Shapes
/// `N` pictures of `W` x `H` pixels give (N, 3, H, W), f32, red, green, blue, 0..=1.
///
/// # Errors
/// Pictures of different size, no pictures, or a device that fails.
pub fn image_tensor<'a>(images: impl IntoIterator<Item = &'a RgbImage>, device: &Device) -> Result<Tensor> {
    let images: Vec<&RgbImage> = images.into_iter().collect();
    let (width, height) = one_size(images.iter().map(|image| image.dimensions()))?;
    let area = width * height;
    let mut values = vec![0f32; images.len() * 3 * area];
    let unit: [f32; 256] = std::array::from_fn(|value| value as f32 / 255.0);
    for (image, planes) in images.iter().zip(values.chunks_exact_mut((3 * area).max(1))) {
        let (red, rest) = planes.split_at_mut(area);
        let (green, blue) = rest.split_at_mut(area);
        for (((pixel, red), green), blue) in image.as_raw().chunks_exact(3).zip(red).zip(green).zip(blue) {
            *red = unit[usize::from(pixel[0])];
            *green = unit[usize::from(pixel[1])];
            *blue = unit[usize::from(pixel[2])];
        }
    }
    Tensor::from_vec(values, (images.len(), 3, height, width), device)
}

/// Maps of one size as a loss's target.
///
/// # Shapes
/// `N` maps of `W` x `H` pixels give (N, H, W), u8.
///
/// # Errors
/// Maps of different size, no maps, or a device that fails.
pub fn map_tensor<'a>(maps: impl IntoIterator<Item = &'a GrayImage>, device: &Device) -> Result<Tensor> {
    let maps: Vec<&GrayImage> = maps.into_iter().collect();
    let (width, height) = one_size(maps.iter().map(|map| map.dimensions()))?;
    let values: Vec<u8> = maps.iter().flat_map(|map| map.as_raw()).copied().collect();
    Tensor::from_vec(values, (maps.len(), height, width), device)
}

/// Width and height of all pictures of a batch.
fn one_size(mut sizes: impl Iterator<Item = (u32, u32)>) -> Result<(usize, usize)> {
    let Some(first) = sizes.next() else { bail!("a batch needs at least one sample") };
    if let Some(other) = sizes.find(|size| *size != first) {
        bail!(
            "one batch holds pictures of {} x {} and {} x {} pixels (width x height): resize them to one size",
            first.0,
            first.1,
            other.0,
            other.1
        )
    }
    Ok((first.0 as usize, first.1 as usize))
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{Luma, Rgb};

    #[test]
    fn pixels_land_in_their_channel_row_and_column() {
        let image =
            |shift: u8| RgbImage::from_fn(3, 2, |x, y| Rgb([shift + x as u8, shift + 10 + y as u8, 255]));
        let map = |shift: u8| GrayImage::from_fn(3, 2, |x, y| Luma([shift + (3 * y + x) as u8]));
        let sample = |shift| Sample { image: image(shift), targets: [map(shift), map(shift + 100)] };
        let ids = vec!["a".to_string(), "b".into()];
        let batch = Batch::new(&[sample(0), sample(50)], ids, (4, 2), &Device::Cpu).unwrap();
        assert_eq!(batch.image.dims(), [2, 3, 2, 3]);
        let values = batch.image.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let scaled: Vec<u8> = values.iter().map(|v| (v * 255.0).round() as u8).collect();
        assert_eq!(scaled[..18], [0, 1, 2, 0, 1, 2, 10, 10, 10, 11, 11, 11, 255, 255, 255, 255, 255, 255]);
        assert_eq!(scaled[18..24], [50, 51, 52, 50, 51, 52]);
        assert_eq!(batch.targets[1].dims(), [2, 2, 3]);
        let labels = batch.targets[1].flatten_all().unwrap().to_vec1::<u8>().unwrap();
        assert_eq!(labels, [100, 101, 102, 103, 104, 105, 150, 151, 152, 153, 154, 155]);
    }

    #[test]
    fn samples_of_different_size_are_an_error() {
        let images = [RgbImage::new(3, 2), RgbImage::new(2, 3)];
        let error = image_tensor(&images, &Device::Cpu).unwrap_err().to_string();
        assert!(error.contains("3 x 2 and 2 x 3"), "{error}");
        assert!(map_tensor([], &Device::Cpu).is_err());
    }
}
