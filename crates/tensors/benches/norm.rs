//! Batch normalisation, rectifiers and dropout, forward and backward, on one thread: `RAYON_NUM_THREADS=1
//! CANDLE_NUM_THREADS=1 cargo bench -p sconce-tensors --bench norm`.
//!
//! The backward pass is timed through candle's `backward`, with its own passes over the tensors: it starts
//! from ones, and adds each gradient to zeros.

use std::hint::black_box;
use std::time::Duration;

use candle_core::{Device, ModuleT, Result, Tensor, Var};
use criterion::{Criterion, criterion_group, criterion_main};
use sconce_tensors::testing::hashed_signed;
use sconce_tensors::{
    Activation, BatchNorm, Parameters, add_relu, dropout_channels, keep_freed_memory, leaky_relu, relu,
};

const SHAPES: [(usize, usize, usize, usize); 4] =
    [(1, 256, 64, 64), (2, 256, 128, 128), (2, 2048, 59, 59), (2, 512, 6, 6)];

fn norms(bench: &mut Criterion) {
    keep_freed_memory();
    for shape in SHAPES {
        for (name, activation) in [("batch_norm", Activation::None), ("batch_norm_relu", Activation::Relu)] {
            let parameters = Parameters::new(0, &Device::Cpu);
            let layer = BatchNorm::new(shape.1, activation, parameters.builder()).unwrap();
            both(bench, &format!("{name} {shape:?}"), shape, |x| layer.forward_t(x, true));
            if activation == Activation::Relu {
                let x = hashed_signed("x", shape, 2.0);
                let name = format!("{name} {shape:?} evaluation");
                bench.bench_function(&name, |b| b.iter(|| black_box(layer.forward_t(&x, false).unwrap())));
            }
        }
    }
}

fn rectifiers(bench: &mut Criterion) {
    keep_freed_memory();
    for shape in &SHAPES[..2] {
        both(bench, &format!("relu {shape:?}"), *shape, relu);
        both(bench, &format!("leaky_relu {shape:?}"), *shape, |x| leaky_relu(x, 0.2));
        let other = hashed_signed("other", *shape, 2.0);
        both(bench, &format!("add_relu {shape:?}"), *shape, |x| add_relu(x, &other));
        both(bench, &format!("dropout {shape:?}"), *shape, |x| dropout_channels(x, 0.1, 1));
    }
}

fn both(
    bench: &mut Criterion,
    name: &str,
    shape: (usize, usize, usize, usize),
    f: impl Fn(&Tensor) -> Result<Tensor>,
) {
    let x = Var::from_tensor(&hashed_signed("x", shape, 2.0)).unwrap();
    bench.bench_function(&format!("{name} forward"), |b| b.iter(|| black_box(f(&x).unwrap())));
    let y = f(&x).unwrap();
    bench.bench_function(&format!("{name} backward"), |b| b.iter(|| black_box(y.backward().unwrap())));
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(700));
    targets = norms, rectifiers
}
criterion_main!(benches);
