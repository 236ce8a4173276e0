//! Lattices of both kernels and five iterations of mean field, over sizes and classes: `RAYON_NUM_THREADS=1 cargo bench -p
//! sconce-crf`.
//!
//! Shapes and parameters are those with which pydensecrf was timed: Gaussian 3 pixels, weight 3; bilateral 80 pixels, 13
//! of 255, weight 10.

mod scene;

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use sconce_crf::{Bilateral, Compatibility::Potts, DenseCrf, Gaussian, Shape, Unary};

use scene::scene;

/// Width, height, classes.
const CASES: [(usize, usize, usize); 5] =
    [(500, 375, 21), (500, 375, 2), (320, 240, 21), (1000, 750, 21), (500, 375, 150)];
/// Width and height of 0.25, 1, 4 and 16 megapixels.
const SIZES: [(usize, usize); 4] = [(576, 434), (1155, 866), (2309, 1732), (4619, 3464)];

fn infer((width, height): (usize, usize), classes: usize, rgb: &[u8], energies: &[f32]) -> Vec<f32> {
    let crf = DenseCrf::new(Shape::image(width, height), classes).unwrap();
    let crf = crf.gaussian(&Gaussian::new(3.0), Potts(3.0)).unwrap();
    let crf = crf.bilateral(rgb, &Bilateral::new(80.0, 13.0), Potts(10.0)).unwrap();
    let unary = Unary::from_energies(energies.to_vec()).unwrap();
    crf.infer(&unary, 5).unwrap().into_probabilities()
}

fn classes(bench: &mut Criterion) {
    for (width, height, classes) in CASES {
        let (rgb, energies) = scene(width, height, classes);
        bench.bench_function(&format!("infer {width}x{height}x{classes}"), |b| {
            b.iter(|| black_box(infer((width, height), classes, &rgb, &energies)));
        });
    }
}

fn growth(bench: &mut Criterion) {
    let mut group = bench.benchmark_group("growth, 4 classes");
    for (width, height) in SIZES {
        let (rgb, energies) = scene(width, height, 4);
        group.throughput(Throughput::Elements((width * height) as u64));
        group.bench_function(BenchmarkId::from_parameter(format!("{width}x{height}")), |b| {
            b.iter(|| black_box(infer((width, height), 4, &rgb, &energies)));
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10).warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(3));
    targets = classes, growth
}
criterion_main!(benches);
