//! Pooling, resizing, softmax, cross entropy and top-k at the sizes of training AGRNet at 512 x 512, batch 2.

use std::hint::black_box;
use std::time::Duration;

use candle_core::{Device, Result, Tensor, Var};
use criterion::{Criterion, criterion_group, criterion_main};
use sconce_tensors::testing::{hashed_signed, hashed_uniform};
use sconce_tensors::{
    Corners, PoolConfig, adaptive_avg_pool2d, avg_pool2d, keep_freed_memory, max_pool2d, pixel_cross_entropy,
    resize_bilinear, resize_nearest, softmax_channels, top_k_indices,
};

const POOL: PoolConfig = PoolConfig { kernel: 3, stride: 2, padding: 1, ceil_mode: false };

/// Times the forward pass, and forward and backward together; the latter starts from a gradient of ones.
fn both(bench: &mut Criterion, name: &str, x: Tensor, f: impl Fn(&Tensor) -> Result<Tensor>) {
    bench.bench_function(&format!("{name} forward"), |b| b.iter(|| black_box(f(&x).unwrap())));
    let var = Var::from_tensor(&x).unwrap();
    bench.bench_function(&format!("{name} both"), |b| {
        b.iter(|| black_box(f(&var).unwrap().backward().unwrap()));
    });
}

fn resampling(bench: &mut Criterion) {
    keep_freed_memory();
    let x = |shape: (usize, usize, usize, usize)| hashed_signed("x", shape, 3.0);
    for (corners, shape, size) in [
        (Corners::Aligned, (2, 19, 128, 128), 512),
        (Corners::HalfPixel, (2, 19, 512, 512), 128),
        (Corners::Aligned, (2, 512, 6, 6), 64),
        (Corners::Aligned, (1, 256, 64, 64), 128),
    ] {
        let name = format!("bilinear {shape:?} to {size}");
        both(bench, &name, x(shape), |x| resize_bilinear(x, (size, size), corners));
    }
    both(bench, "nearest (2, 256, 64, 64) to 128", x((2, 256, 64, 64)), |x| resize_nearest(x, (128, 128)));
    both(bench, "max_pool k3 s2 (2, 128, 256, 256)", x((2, 128, 256, 256)), |x| max_pool2d(x, POOL));
    let halved = PoolConfig { kernel: 2, stride: 2, padding: 0, ceil_mode: false };
    both(bench, "max_pool k2 s2 (2, 256, 128, 128)", x((2, 256, 128, 128)), |x| max_pool2d(x, halved));
    both(bench, "avg_pool k3 s2 (2, 128, 256, 256)", x((2, 128, 256, 256)), |x| avg_pool2d(x, POOL));
    for size in [1, 6] {
        let name = format!("adaptive_avg_pool (2, 2048, 64, 64) to {size}");
        both(bench, &name, x((2, 2048, 64, 64)), |x| adaptive_avg_pool2d(x, (size, size)));
    }
}

fn classes(bench: &mut Criterion) {
    keep_freed_memory();
    both(bench, "softmax (1, 256, 64, 64)", hashed_signed("x", (1, 256, 64, 64), 3.0), softmax_channels);
    both(bench, "softmax (2, 19, 128, 128)", hashed_signed("x", (2, 19, 128, 128), 3.0), softmax_channels);
    let labels = hashed_uniform("labels", (2, 512, 512)).flatten_all().unwrap().to_vec1::<f32>().unwrap();
    let labels = labels.into_iter().map(|u| (u * 19.0) as u8).collect();
    let labels = Tensor::from_vec(labels, (2, 512, 512), &Device::Cpu).unwrap();
    let logits = hashed_signed("x", (2, 19, 512, 512), 3.0);
    both(bench, "cross_entropy (2, 19, 512, 512)", logits, |x| pixel_cross_entropy(x, &labels, None, 255));
    let scores = hashed_signed("x", (2, 19, 128 * 128), 3.0);
    bench.bench_function("top_k 64 of (2, 19, 16384)", |b| b.iter(|| top_k_indices(&scores, 64).unwrap()));
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1));
    targets = resampling, classes
}
criterion_main!(benches);
