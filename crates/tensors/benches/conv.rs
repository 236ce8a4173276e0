//! Convolution passes beside candle's matrix product, on one thread:
//! `RAYON_NUM_THREADS=1 CANDLE_NUM_THREADS=1 cargo bench -p sconce-tensors --bench conv`.
//!
//! Criterion's `elem/s` is the number of floating-point operations a second, two for each multiply-add.

use std::hint::black_box;
use std::time::Duration;

use candle_core::{Device, Result, Tensor};
use criterion::{Criterion, Throughput};
use sconce_tensors::{
    Conv2dConfig, conv2d, conv2d_input_gradient, conv2d_weight_gradient, keep_freed_memory,
};

struct Shape {
    name: &'static str,
    batch: usize,
    /// Input and output channels.
    channels: (usize, usize),
    /// Rows and columns of the input, pixels.
    size: usize,
    kernel: usize,
    config: Conv2dConfig,
}

const fn shape(
    name: &'static str,
    batch: usize,
    channels: (usize, usize),
    size: usize,
    kernel: usize,
) -> Shape {
    Shape { name, batch, channels, size, kernel, config: same(kernel, 1) }
}

/// The padding that keeps the size.
const fn same(kernel: usize, dilation: usize) -> Conv2dConfig {
    Conv2dConfig { stride: 1, padding: dilation * (kernel / 2), dilation, groups: 1 }
}

const fn strided(kernel: usize, stride: usize) -> Conv2dConfig {
    Conv2dConfig { stride, ..same(kernel, 1) }
}

const fn depthwise(channels: usize, stride: usize) -> Conv2dConfig {
    Conv2dConfig { groups: channels, ..strided(3, stride) }
}

const SHAPES: &[Shape] = &[
    shape("1x1_256_1024_at64", 1, (256, 1024), 64, 1),
    shape("1x1_1024_256_at64", 1, (1024, 256), 64, 1),
    shape("1x1_512_2048_at64", 1, (512, 2048), 64, 1),
    shape("1x1_2048_512_at64", 1, (2048, 512), 64, 1),
    Shape { config: strided(1, 2), ..shape("1x1_256_512_s2_at64", 1, (256, 512), 64, 1) },
    shape("1x1_256_19_at64", 1, (256, 19), 64, 1),
    shape("1x1_2048_512_at6", 2, (2048, 512), 6, 1),
    shape("3x3_256_256_at64", 1, (256, 256), 64, 3),
    Shape { config: same(3, 2), ..shape("3x3_256_256_d2_at64", 1, (256, 256), 64, 3) },
    Shape { config: same(3, 2), ..shape("3x3_512_512_d2_at64", 1, (512, 512), 64, 3) },
    shape("3x3_512_512_at16", 2, (512, 512), 16, 3),
    shape("3x3_4096_512_at64", 1, (4096, 512), 64, 3),
    shape("3x3_64_64_at256", 1, (64, 64), 256, 3),
    shape("3x3_64_64_at64_batch2", 2, (64, 64), 64, 3),
    Shape { config: strided(3, 2), ..shape("3x3_128_128_s2_at128", 1, (128, 128), 128, 3) },
    shape("3x3_16_64_at127_batch4", 4, (16, 64), 127, 3),
    Shape { config: strided(7, 2), ..shape("7x7_3_64_s2_at512", 1, (3, 64), 512, 7) },
    Shape { config: strided(3, 2), ..shape("3x3_3_64_s2_at512", 1, (3, 64), 512, 3) },
    shape("3x3_3_16_at64_batch8", 8, (3, 16), 64, 3),
    shape("3x3_16_16_at64_batch8", 8, (16, 16), 64, 3),
    shape("3x3_32_32_at64_batch8", 8, (32, 32), 64, 3),
    shape("3x3_64_64_at16_batch8", 8, (64, 64), 16, 3),
    shape("3x3_64_64_at8_batch8", 8, (64, 64), 8, 3),
    shape("3x3_16_16_at512", 1, (16, 16), 512, 3),
    Shape { config: depthwise(256, 1), ..shape("3x3_depthwise_256_at64", 1, (256, 256), 64, 3) },
    Shape { config: depthwise(256, 2), ..shape("3x3_depthwise_256_s2_at64", 1, (256, 256), 64, 3) },
];

impl Shape {
    fn tensors(&self) -> Result<(Tensor, Tensor)> {
        let Shape { batch, channels: (inputs, outputs), size, kernel, config, .. } = *self;
        let x = Tensor::rand(-1f32, 1.0, (batch, inputs, size, size), &Device::Cpu)?;
        let weight =
            Tensor::rand(-1f32, 1.0, (outputs, inputs / config.groups, kernel, kernel), &Device::Cpu)?;
        Ok((x, weight))
    }
}

/// Times the three passes of a convolution.
fn passes(criterion: &mut Criterion, shape: &Shape) -> Result<()> {
    let (x, weight) = shape.tensors()?;
    let Shape { kernel, config, .. } = *shape;
    let dy = conv2d(&x, &weight, None, config)?;
    let (size, kernel) = ((shape.size, shape.size), (kernel, kernel));
    let terms: usize = weight.dims()[1..].iter().product();
    let operations = 2 * terms * dy.elem_count();
    let mut group = criterion.benchmark_group(shape.name);
    group.throughput(Throughput::Elements(operations as u64));
    group.bench_function("forward", |bencher| {
        bencher.iter(|| conv2d(black_box(&x), &weight, None, config));
    });
    group.bench_function("input gradient", |bencher| {
        bencher.iter(|| conv2d_input_gradient(black_box(&weight), &dy, size, config));
    });
    group.bench_function("weight gradient", |bencher| {
        bencher.iter(|| conv2d_weight_gradient(black_box(&x), &dy, kernel, config));
    });
    group.finish();
    Ok(())
}

fn matrix_product(criterion: &mut Criterion, size: usize) -> Result<()> {
    let a = Tensor::rand(-1f32, 1.0, (size, size), &Device::Cpu)?;
    let mut group = criterion.benchmark_group("matmul");
    group.throughput(Throughput::Elements(2 * (size as u64).pow(3)));
    group.bench_function(size.to_string(), |bencher| bencher.iter(|| black_box(&a).matmul(&a)));
    group.finish();
    Ok(())
}

fn main() -> Result<()> {
    keep_freed_memory();
    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(2))
        .configure_from_args();
    matrix_product(&mut criterion, 1024)?;
    matrix_product(&mut criterion, 2048)?;
    SHAPES.iter().try_for_each(|shape| passes(&mut criterion, shape))?;
    criterion.final_summary();
    Ok(())
}
