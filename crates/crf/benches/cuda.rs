//! The cases of `infer` on the first GPU: lattices, five iterations and both copies. After `. .cuda/env.sh`: `cargo bench -p sconce-crf
//! --features cuda --bench cuda`.

mod scene;

use std::hint::black_box;
use std::time::Duration;

use criterion::Criterion;
use sconce_crf::{Bilateral, Card, Compatibility::Potts, CudaCrf, Error, Gaussian, Shape, Unary};

use scene::scene;

/// Width, height, classes.
const CASES: [(usize, usize, usize); 6] =
    [(500, 375, 21), (500, 375, 2), (320, 240, 21), (1000, 750, 21), (500, 375, 150), (2309, 1732, 4)];

/// The lattices of a scene.
fn crf(card: &Card, (width, height): (usize, usize), classes: usize, rgb: &[u8]) -> Result<CudaCrf, Error> {
    CudaCrf::with_runtime(Shape::image(width, height), classes, card.clone())?
        .gaussian(&Gaussian::new(3.0), Potts(3.0))?
        .bilateral(rgb, &Bilateral::new(80.0, 13.0), Potts(10.0))
}

fn time(bench: &mut Criterion, card: &Card) -> Result<(), Error> {
    for (width, height, classes) in CASES {
        let (rgb, energies) = scene(width, height, classes);
        let build = || crf(card, (width, height), classes, &rgb);
        let infer = |crf: &CudaCrf| crf.infer(&Unary::from_energies(energies.clone())?, 5);
        let ready = build()?;
        infer(&ready)?;
        let mut group = bench.benchmark_group(format!("cuda {width}x{height}x{classes}"));
        group.bench_function("both", |b| b.iter(|| black_box(infer(&build().unwrap()).unwrap())));
        group.bench_function("iterations", |b| b.iter(|| black_box(infer(&ready).unwrap())));
        group.finish();
    }
    Ok(())
}

fn main() {
    let bench = Criterion::default().sample_size(10).warm_up_time(Duration::from_secs(1));
    let mut bench = bench.measurement_time(Duration::from_secs(3)).configure_from_args();
    match Card::open(0).and_then(|card| time(&mut bench, &card)) {
        Ok(()) => bench.final_summary(),
        Err(error) => println!("not timed: {error}"),
    }
}
