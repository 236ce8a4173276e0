//! One step of each optimiser over the parameters of a network of 25 million scalars, and the norm of its gradients.

use std::hint::black_box;

use candle_core::backprop::GradStore;
use candle_core::{Device, Result, Tensor};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use sconce_optim::{Config, adam, global_norm, sgd};
use sconce_tensors::{Parameters, keep_freed_memory};

/// Convolutions of a ResNet's last stages, and the small tensors of their norms.
fn network() -> Result<(Parameters, GradStore)> {
    let parameters = Parameters::new(0, &Device::Cpu);
    let vb = parameters.builder();
    for layer in 0..10 {
        vb.get((512, 512, 3, 3), &format!("{layer}.weight"))?;
        vb.get(512, &format!("{layer}.bias"))?;
    }
    let sum = |loss: Result<Tensor>, name: (String, candle_core::Var)| loss? + name.1.sqr()?.sum_all()?;
    let loss = parameters.trainable().into_iter().fold(Tensor::new(0f32, &Device::Cpu), sum)?;
    Ok((parameters, loss.backward()?))
}

fn step(criterion: &mut Criterion) {
    keep_freed_memory();
    let (parameters, gradients) = network().unwrap();
    let sgd = sgd::Config { lr: 1e-3, momentum: 0.9, weight_decay: 5e-4, nesterov: false };
    let adam = adam::Config { lr: 1e-3, betas: [0.9, 0.999], eps: 1e-8, weight_decay: 0.01 };
    let mut group = criterion.benchmark_group("step");
    group.throughput(Throughput::Elements(parameters.count() as u64));
    for (name, config) in
        [("sgd", Config::Sgd(sgd)), ("adam", Config::Adam(adam.clone())), ("adamw", Config::AdamW(adam))]
    {
        let mut optimizer = config.build(&parameters).unwrap();
        group.bench_function(name, |bencher| bencher.iter(|| optimizer.step(&gradients, 1e-3).unwrap()));
    }
    group.bench_function("global_norm", |bencher| {
        bencher.iter(|| black_box(global_norm(&gradients, &parameters).unwrap()))
    });
}

criterion_group!(benches, step);
criterion_main!(benches);
