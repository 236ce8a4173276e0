//! The dense CRF on an image of coloured regions: both lattices and five iterations, as pydensecrf's script times them.

use anyhow::Result;
use candle_core::Device;
use sconce_crf::{Bilateral, Error, Gaussian, Unary};
use sconce_tensors::testing::hashed_uniform;

use super::timing::{Measurement, Plan, measure};
use crate::dense_crf::Kernels;

/// Width, height and classes.
pub(super) const ALL: [[usize; 3]; 4] = [[500, 375, 21], [500, 375, 2], [320, 240, 21], [1000, 750, 21]];

const ITERATIONS: usize = 5;

/// Times one of [`ALL`].
pub(super) fn time(
    case: &str,
    [width, height, classes]: [usize; 3],
    plan: Plan,
    device: &Device,
) -> Result<Measurement> {
    let (rgb, energies) = scene(width, height, classes)?;
    let kernels =
        Kernels { gaussian: (Gaussian::new(3.0), 3.0), bilateral: (Bilateral::new(80.0, 13.0), 10.0) };
    let infer = || -> Result<(), Error> {
        let unary = Unary::from_energies(energies.clone())?;
        kernels.infer((width, height), classes, &rgb, &unary, ITERATIONS, device)?;
        Ok(())
    };
    measure(case, &[height, width, classes], None, plan, infer)
}

/// Twenty regions, each with a colour and a class, noise on both: the image, and energies of (classes, height, width).
fn scene(width: usize, height: usize, classes: usize) -> Result<(Vec<u8>, Vec<f32>)> {
    let values = |name: &str, count: usize| hashed_uniform(name, count).to_vec1::<f32>();
    let pixels = width * height;
    let (palette, noise) = (values("palette", classes * 3)?, values("noise", pixels * 3)?);
    let scores = values("score", pixels * classes)?;
    let region = |pixel: usize| (pixel % width * 5 / width + pixel / width * 4 / height) % classes;
    let channel = |i: usize| palette[region(i / 3) * 3 + i % 3] * 200.0 + 20.0 + (noise[i] - 0.5) * 40.0;
    let rgb = (0..pixels * 3).map(|i| channel(i).clamp(0.0, 255.0) as u8).collect();
    let score = |pixel: usize, class: usize| {
        let own = if region(pixel) == class { 2.0 } else { 0.0 };
        own + 2.5 * (scores[pixel * classes + class] - 0.5)
    };
    let mut energies = vec![0.0; pixels * classes];
    for pixel in 0..pixels {
        let total: f32 = (0..classes).map(|class| score(pixel, class).exp()).sum();
        for class in 0..classes {
            energies[class * pixels + pixel] = total.ln() - score(pixel, class);
        }
    }
    Ok((rgb, energies))
}
