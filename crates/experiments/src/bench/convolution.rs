//! Single convolutions, and a matrix product to hold them against.

use anyhow::Result;
use candle_core::{Device, Tensor};
use sconce_tensors::testing::hashed_signed;
use sconce_tensors::{Conv2dConfig, conv2d, conv2d_input_gradient, conv2d_weight_gradient};

use super::timing::{Measurement, Needs, Plan, measure};

/// A convolution of square images with a square kernel.
#[derive(Debug, Clone, Copy)]
pub(super) struct Convolution {
    batch: usize,
    inputs: usize,
    outputs: usize,
    size: usize,
    kernel: usize,
    stride: usize,
    dilation: usize,
}

impl Convolution {
    const fn new(
        [batch, inputs, outputs]: [usize; 3],
        size: usize,
        [kernel, stride, dilation]: [usize; 3],
    ) -> Self {
        Self { batch, inputs, outputs, size, kernel, stride, dilation }
    }
}

pub(super) const ALL: [(&str, Convolution); 7] = [
    ("conv1x1_256_1024@64", Convolution::new([1, 256, 1024], 64, [1, 1, 1])),
    ("conv3x3_256_256@64", Convolution::new([1, 256, 256], 64, [3, 1, 1])),
    ("conv3x3_512_512_d2@64", Convolution::new([1, 512, 512], 64, [3, 1, 2])),
    ("conv3x3_64_64@256", Convolution::new([1, 64, 64], 256, [3, 1, 1])),
    ("conv3x3_4096_512@64", Convolution::new([1, 4096, 512], 64, [3, 1, 1])),
    ("conv7x7_3_64_s2@512", Convolution::new([1, 3, 64], 512, [7, 2, 1])),
    ("conv3x3_16_64@127", Convolution::new([4, 16, 64], 127, [3, 1, 1])),
];

impl Convolution {
    fn config(&self) -> Conv2dConfig {
        let Self { kernel, stride, dilation, .. } = *self;
        Conv2dConfig { stride, padding: dilation * (kernel / 2), dilation, groups: 1 }
    }

    fn arguments(&self, device: &Device) -> Result<(Tensor, Tensor)> {
        let Self { batch, inputs, outputs, size, kernel, .. } = *self;
        let x = hashed_signed("x", (batch, inputs, size, size), 1.0);
        let weight = hashed_signed("weight", (outputs, inputs, kernel, kernel), 1.0);
        Ok((x.to_device(device)?, weight.to_device(device)?))
    }

    /// Of the forward pass; each gradient needs as much.
    fn needs(&self) -> Needs {
        let Self { batch, inputs, outputs, size, kernel, .. } = *self;
        let side = (size - 1) / self.stride + 1;
        let (x, weight, y) =
            (batch * inputs * size * size, outputs * inputs * kernel * kernel, batch * outputs * side * side);
        let multiply_adds = y as f64 * (inputs * kernel * kernel) as f64;
        Needs { multiply_adds, bytes: Some(4.0 * (x + weight + y) as f64) }
    }

    pub(super) fn forward(&self, case: &str, plan: Plan, device: &Device) -> Result<Measurement> {
        let (x, weight) = self.arguments(device)?;
        let work = || {
            conv2d(&x, &weight, None, self.config())?;
            device.synchronize()
        };
        measure(case, x.dims(), Some(self.needs()), plan, work)
    }

    /// The forward pass and both gradients.
    pub(super) fn backward(&self, case: &str, plan: Plan, device: &Device) -> Result<Measurement> {
        let (x, weight) = self.arguments(device)?;
        let dy = conv2d(&x, &weight, None, self.config())?.ones_like()?;
        let work = || {
            conv2d(&x, &weight, None, self.config())?;
            conv2d_input_gradient(&weight, &dy, (self.size, self.size), self.config())?;
            conv2d_weight_gradient(&x, &dy, (self.kernel, self.kernel), self.config())?;
            device.synchronize()
        };
        measure(case, x.dims(), Some(3.0 * self.needs()), plan, work)
    }
}

pub(super) fn matmul(case: &str, plan: Plan, device: &Device) -> Result<Measurement> {
    const SIZE: usize = 2048;
    let matrix = hashed_signed("matrix", (SIZE, SIZE), 1.0).to_device(device)?;
    let needs = Needs {
        multiply_adds: (SIZE * SIZE * SIZE) as f64,
        bytes: Some((2 * SIZE * SIZE * size_of::<f32>()) as f64),
    };
    measure(case, matrix.dims(), Some(needs), plan, || {
        matrix.matmul(&matrix)?;
        device.synchronize()
    })
}
