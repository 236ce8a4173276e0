//! AGRNet's loss for two images of 512 x 512 pixels and 19 classes, forward and backward.

use candle_core::{Device, Result, Tensor, Var};
use criterion::{Criterion, criterion_group, criterion_main};
use sconce_losses::agrnet::{Config, agrnet};
use sconce_tensors::keep_freed_memory;
use sconce_tensors::testing::{hashed_signed, hashed_uniform};

const SIZE: (usize, usize, usize) = (2, 512, 512);

fn bytes(name: &str, below: f32) -> Result<Tensor> {
    let u: Vec<f32> = hashed_uniform(name, SIZE).flatten_all()?.to_vec1()?;
    Tensor::from_vec(u.into_iter().map(|u| (u * below) as u8).collect::<Vec<u8>>(), SIZE, &Device::Cpu)
}

fn loss(criterion: &mut Criterion) {
    keep_freed_memory();
    let config = Config { parsing: 1.0, edge: 1.0, boundary: 1.0, distance: 0.5, all_vertices: true };
    let (labels, edges) = (bytes("labels", 19.0).unwrap(), bytes("edges", 1.1).unwrap());
    let output = |name: &str, shape: &[usize]| Var::from_tensor(&hashed_signed(name, shape, 2.0)).unwrap();
    let logits = output("logits", &[2, 19, 512, 512]);
    let initial = output("initial", &[2, 19, 128, 128]);
    let edge = output("edge", &[2, 2, 128, 128]);
    let vertices = output("vertices", &[2, 76, 256]);
    let forward = || agrnet(&logits, &initial, &edge, &vertices, &labels, &edges, &config).unwrap().total;
    let mut group = criterion.benchmark_group("agrnet loss, 2 images of 512 x 512");
    group.bench_function("forward", |bencher| bencher.iter(forward));
    group.bench_function("forward and backward", |bencher| bencher.iter(|| forward().backward().unwrap()));
}

criterion_group!(benches, loss);
criterion_main!(benches);
