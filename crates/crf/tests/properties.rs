//! What must hold for every image, and what becomes of input that makes no sense.

use proptest::prelude::*;
use sconce_crf::{
    Bilateral, Compatibility, Covariance, DenseCrf, Error, Features, Gaussian, MeanField, Normalisation,
    Shape, Unary, filter_exactly,
};

/// Numbers in 0..1 that depend on the seed alone.
fn uniform(seed: u64, count: usize) -> Vec<f32> {
    let mix = |i: usize| {
        let mut z = seed.wrapping_add((i as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 40) as f32 / (1 << 24) as f32
    };
    (0..count).map(mix).collect()
}

fn image(seed: u64, pixels: usize) -> Vec<u8> {
    uniform(seed, pixels * 3).iter().map(|u| (u * 256.0) as u8).collect()
}

/// Logits in -3..3.
fn logits(seed: u64, count: usize) -> Vec<f32> {
    uniform(seed ^ 0x5A5A, count).iter().map(|u| 6.0 * u - 3.0).collect()
}

fn crf(shape: Shape, classes: usize, rgb: &[u8], weights: (Compatibility, Compatibility)) -> DenseCrf {
    let crf = DenseCrf::new(shape, classes).unwrap();
    let crf = crf.gaussian(&Gaussian::new(1.5), weights.0).unwrap();
    crf.bilateral(rgb, &Bilateral::new(6.0, 40.0), weights.1).unwrap()
}

fn potts(near: f32, alike: f32) -> (Compatibility, Compatibility) {
    (Compatibility::Potts(near), Compatibility::Potts(alike))
}

fn infer(crf: &DenseCrf, logits: &[f32], iterations: usize) -> Vec<f32> {
    let unary = Unary::from_logits(logits.to_vec()).unwrap();
    crf.infer(&unary, iterations).unwrap().into_probabilities()
}

fn largest_difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    let differences = a.iter().zip(b).map(|(a, b)| if a.is_finite() { (a - b).abs() } else { f32::INFINITY });
    differences.fold(0.0, f32::max)
}

fn assert_distributions(q: &[f32], pixels: usize) {
    assert!(q.iter().all(|p| (0.0..=1.0 + 1e-5).contains(p)), "not probabilities");
    for pixel in 0..pixels {
        let sum: f64 = q.iter().skip(pixel).step_by(pixels).map(|&p| f64::from(p)).sum();
        assert!((sum - 1.0).abs() < 1e-5, "sum {sum} at pixel {pixel}");
    }
}

/// Classes in another order: class `c` of the result is `(c + shift) % classes` of the planes.
fn rotated<T: Copy>(planes: &[T], pixels: usize, shift: usize) -> Vec<T> {
    let (front, back) = planes.split_at(shift % (planes.len() / pixels) * pixels);
    [back, front].concat()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn permuted_classes_give_permuted_results(
        width in 1usize..20, height in 1usize..14, classes in 2usize..12, shift in 1usize..11, seed: u64,
    ) {
        let (shape, pixels) = (Shape::image(width, height), width * height);
        let rgb = image(seed, pixels);
        let (per_class, matrix) = (uniform(seed, classes), uniform(seed + 1, classes * classes));
        let logits = logits(seed, classes * pixels);
        let weights = |shift: usize| {
            let rows = rotated(&matrix, classes, shift);
            let matrix = rows.chunks(classes).flat_map(|row| rotated(row, 1, shift)).collect();
            (Compatibility::PerClass(rotated(&per_class, 1, shift)), Compatibility::Matrix(matrix))
        };
        let plain = infer(&crf(shape, classes, &rgb, weights(0)), &logits, 3);
        let moved = infer(&crf(shape, classes, &rgb, weights(shift)), &rotated(&logits, pixels, shift), 3);
        prop_assert!(largest_difference(&rotated(&plain, pixels, shift), &moved) < 2e-5);
    }

    #[test]
    fn zero_weights_give_the_softmax_of_the_unary(
        width in 1usize..20, height in 1usize..14, classes in 1usize..40, constant: u8, seed: u64,
    ) {
        let (shape, pixels) = (Shape::image(width, height), width * height);
        let logits = logits(seed, classes * pixels);
        let q = infer(&crf(shape, classes, &vec![constant; pixels * 3], potts(0.0, 0.0)), &logits, 4);
        for pixel in 0..pixels {
            let own = || logits.iter().skip(pixel).step_by(pixels).map(|&logit| f64::from(logit).exp());
            let sum: f64 = own().sum();
            for (class, weight) in own().enumerate() {
                prop_assert!((f64::from(q[class * pixels + pixel]) - weight / sum).abs() < 1e-6);
            }
        }
    }

    #[test]
    fn results_are_distributions(
        width in 1usize..40, height in 1usize..9, depth in 1usize..5, classes in 1usize..40, seed: u64, kind in 0usize..4,
    ) {
        let shape = Shape::volume(width, height, depth);
        let pixels = shape.pixels();
        // Many probabilities of exactly 0 and 1.
        let p: Vec<f32> = uniform(seed, classes * pixels).iter().map(|u| (2.0 * u - 0.5).clamp(0.0, 1.0)).collect();
        let normalisation =
            [Normalisation::None, Normalisation::Before, Normalisation::After, Normalisation::Symmetric][kind];
        let crf = DenseCrf::new(shape, classes).unwrap()
            .gaussian(&Gaussian::new(0.7).normalised(normalisation), Compatibility::Potts(2.0)).unwrap()
            .bilateral(&image(seed, pixels), &Bilateral::new(5.0, 9.0).normalised(normalisation), Compatibility::Potts(4.0))
            .unwrap();
        let posterior = crf.infer(&Unary::from_probabilities(&p, 1e-20).unwrap(), 3).unwrap();
        assert_distributions(posterior.probabilities(), pixels);
        prop_assert!(posterior.labels().iter().all(|&label| usize::from(label) < classes));
    }

    #[test]
    fn the_lattice_is_near_the_exact_filter(
        width in 2usize..24, height in 2usize..16, skew in -0.8f32..0.8, seed: u64, kind in 0usize..3,
    ) {
        let shape = Shape::image(width, height);
        let pixels = shape.pixels();
        let features = Features::positions(shape).unwrap().with(&uniform(seed, pixels)).unwrap();
        let matrix = vec![9.0, 6.0 * skew, 0.0, 6.0 * skew, 4.0, 0.0, 0.0, 0.0, 0.25];
        let covariances =
            [Covariance::Matrix(matrix), Covariance::Deviations(vec![3.0, 2.0, 0.5]), Covariance::Deviation(1.5)];
        let gaussian = Gaussian::from(covariances[kind].clone()).normalised(Normalisation::After);
        let crf = DenseCrf::new(shape, 2).unwrap().kernel(&features, &gaussian, Compatibility::Potts(1.0)).unwrap();
        let logits = logits(seed, 2 * pixels);
        let q0: Vec<f64> = infer(&crf, &logits, 0).iter().map(|&q| f64::from(q)).collect();
        let messages = filter_exactly(&features, &gaussian, &q0).unwrap();
        // One iteration shows the difference of the two messages: ln q is the logit plus the message, up to a constant.
        // The lattice blurs a little more than the kernel asks, which a single pixel with few neighbours can feel.
        let q = infer(&crf, &logits, 1);
        let error = |pixel: usize| {
            let log_odds = (f64::from(q[pixel]) / f64::from(q[pixels + pixel])).ln();
            let unary = f64::from(logits[pixel]) - f64::from(logits[pixels + pixel]);
            (log_odds - unary - (messages[pixel] - messages[pixels + pixel])).abs()
        };
        let mean = (0..pixels).map(error).sum::<f64>() / pixels as f64;
        prop_assert!(mean < 0.12, "mean error {mean}");
    }
}

#[test]
fn every_number_of_classes_is_a_part_of_the_same_result() {
    // Classes with no probability change nothing, however many there are: rows of all layouts agree.
    let (shape, pixels) = (Shape::image(23, 11), 23 * 11);
    let rgb = image(7, pixels);
    let logits = logits(7, 3 * pixels);
    let want = infer(&crf(shape, 3, &rgb, potts(2.0, 3.0)), &logits, 4);
    for classes in [4, 8, 9, 17, 21, 32, 33, 41, 66, 150, 256] {
        let mut more = vec![-1000.0; classes * pixels];
        more[..3 * pixels].copy_from_slice(&logits);
        let got = infer(&crf(shape, classes, &rgb, potts(2.0, 3.0)), &more, 4);
        assert!(largest_difference(&got[..3 * pixels], &want) < 1e-5, "{classes} classes");
        assert!(got[3 * pixels..].iter().all(|&p| p == 0.0));
    }
}

#[test]
fn one_class_is_certain() {
    let crf = crf(Shape::image(5, 1), 1, &image(1, 5), potts(1.0, 1.0));
    assert_eq!(infer(&crf, &[0.0, -5.0, 80.0, 1.0, 2.0], 3), [1.0; 5]);
}

#[test]
fn potts_is_a_list_and_a_matrix() {
    let (shape, pixels, classes) = (Shape::image(19, 13), 19 * 13, 5);
    let rgb = image(3, pixels);
    let logits = logits(3, classes * pixels);
    let diagonal = |weight: f32| {
        let cost = |i: usize| if i / classes == i % classes { -weight } else { 0.0 };
        Compatibility::Matrix((0..classes * classes).map(cost).collect())
    };
    let want = infer(&crf(shape, classes, &rgb, potts(2.0, 3.0)), &logits, 4);
    let list = (Compatibility::PerClass(vec![2.0; classes]), Compatibility::PerClass(vec![3.0; classes]));
    assert!(largest_difference(&infer(&crf(shape, classes, &rgb, list), &logits, 4), &want) < 1e-6);
    let matrix = (diagonal(2.0), diagonal(3.0));
    assert!(largest_difference(&infer(&crf(shape, classes, &rgb, matrix), &logits, 4), &want) < 1e-5);
}

#[test]
fn results_do_not_depend_on_threads() {
    // More than two chunks of pixels, so that threads share the work.
    let (shape, pixels, classes) = (Shape::image(290, 150), 290 * 150, 3);
    let (rgb, logits) = (image(9, pixels), logits(9, classes * pixels));
    let outer = uniform(10, classes * pixels);
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let crf = crf(shape, classes, &rgb, potts(2.0, 3.0));
            let unary = Unary::from_logits(logits.clone()).unwrap();
            let settings = MeanField { divergence: true, ..MeanField::iterations(2) };
            (crf.infer_with(&unary, &settings).unwrap(), crf.gradient(&unary, 2, &outer).unwrap())
        })
    };
    let one = run(1);
    assert!(run(2) == one && run(8) == one);
}

#[test]
fn iterations_stop_when_nothing_changes() {
    let (shape, pixels, classes) = (Shape::image(20, 15), 300, 3);
    let crf = crf(shape, classes, &image(4, pixels), potts(0.3, 0.3));
    let unary = Unary::from_logits(logits(4, classes * pixels)).unwrap();
    let stopping = MeanField { tolerance: Some(1e-4), ..MeanField::iterations(200) };
    let posterior = crf.infer_with(&unary, &stopping).unwrap();
    let count = posterior.iterations();
    assert!((2..100).contains(&count), "{count} iterations");
    assert_eq!(posterior.probabilities(), crf.infer(&unary, count).unwrap().probabilities());
    let next = crf.infer(&unary, count + 1).unwrap();
    assert!(largest_difference(posterior.probabilities(), next.probabilities()) <= 1e-4);
    let before = crf.infer(&unary, count - 2).unwrap();
    let last = crf.infer(&unary, count - 1).unwrap();
    assert!(largest_difference(before.probabilities(), last.probabilities()) > 1e-4);
}

/// Σ q ln q + U q + (P q) q / 2 from exact sums.
fn exact_divergence(q: &[f32], logits: &[f32], kernels: &[(Features, Gaussian, f64)]) -> f64 {
    let wide: Vec<f64> = q.iter().map(|&q| f64::from(q)).collect();
    let own = wide.iter().zip(logits).map(|(q, logit)| q * (q.max(1e-300).ln() - f64::from(*logit)));
    let pairs = kernels.iter().map(|(features, gaussian, weight)| {
        let messages = filter_exactly(features, gaussian, &wide).unwrap();
        weight * messages.iter().zip(&wide).map(|(m, q)| m * q).sum::<f64>()
    });
    own.sum::<f64>() - pairs.sum::<f64>() / 2.0
}

#[test]
fn the_divergence_is_that_of_exact_sums_and_falls() {
    let (shape, pixels, classes) = (Shape::image(24, 18), 24 * 18, 3);
    let logits = logits(5, classes * pixels);
    let features = Features::positions(shape).unwrap();
    let gaussian = Gaussian::new(2.0);
    let crf = DenseCrf::new(shape, classes).unwrap();
    let crf = crf.gaussian(&gaussian, Compatibility::Potts(0.8)).unwrap();
    let unary = Unary::from_logits(logits.clone()).unwrap();
    let settings = MeanField { divergence: true, ..MeanField::iterations(4) };
    let posterior = crf.infer_with(&unary, &settings).unwrap();
    let plain = crf.infer(&unary, 4).unwrap();
    assert_eq!(posterior.probabilities(), plain.probabilities());
    assert!(plain.divergences().is_empty());
    let divergences = posterior.divergences();
    assert_eq!(divergences.len(), 5);
    let kernels = [(features, gaussian, 0.8)];
    for (iteration, &got) in divergences.iter().enumerate() {
        let want = exact_divergence(&infer(&crf, &logits, iteration), &logits, &kernels);
        assert!((got - want).abs() < 2e-3 * want.abs(), "iteration {iteration}: {got} instead of {want}");
    }
    assert!(divergences.windows(2).all(|pair| pair[1] < pair[0]), "{divergences:?}");
}

#[test]
fn wrong_lengths_are_errors() {
    let shape = Shape::image(4, 3);
    let crf = || DenseCrf::new(shape, 2).unwrap();
    let potts = Compatibility::Potts(1.0);
    for length in [0, 12, 35, 37, 48] {
        let error = crf().bilateral(&vec![0; length], &Bilateral::new(3.0, 3.0), potts.clone()).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("rgb: {length} values, but 36 are needed (width × height × depth × 3)")
        );
    }
    for length in [0, 23, 25] {
        let unary = Unary::from_logits(vec![0.0; length]).unwrap();
        assert!(matches!(crf().infer(&unary, 1), Err(Error::Length { what: "unary", .. })));
        let unary = Unary::from_logits(vec![0.0; 24]).unwrap();
        assert!(matches!(crf().gradient(&unary, 1, &vec![0.0; length]), Err(Error::Length { .. })));
    }
    assert!(Features::positions(shape).unwrap().with(&[0.0; 11]).is_err());
    let other = Features::positions(Shape::image(4, 4)).unwrap();
    assert!(crf().kernel(&other, &Gaussian::new(1.0), potts.clone()).is_err());
    for compatibility in [Compatibility::PerClass(vec![1.0; 3]), Compatibility::Matrix(vec![1.0; 2])] {
        assert!(crf().gaussian(&Gaussian::new(1.0), compatibility).is_err());
    }
    let deviations = Gaussian::from(Covariance::Deviations(vec![1.0; 3]));
    assert!(crf().gaussian(&deviations, potts.clone()).is_err());
    let features = Features::positions(shape).unwrap();
    assert!(filter_exactly(&features, &Gaussian::new(1.0), &[0.0; 13]).is_err());
}

#[test]
fn numbers_that_make_no_sense_are_errors() {
    let potts = Compatibility::Potts(1.0);
    for shape in [
        Shape::image(0, 3),
        Shape::volume(2, 2, 0),
        Shape::image(usize::MAX, 2),
        Shape::image(1 << 14, 1 << 14),
    ] {
        assert!(matches!(DenseCrf::new(shape, 2), Err(Error::Shape { .. })), "{shape:?}");
    }
    assert_eq!(DenseCrf::new(Shape::image(2, 2), 0).unwrap_err(), Error::Classes(0));
    assert_eq!(DenseCrf::new(Shape::image(2, 2), 257).unwrap_err(), Error::Classes(257));
    let shape = Shape::image(3, 2);
    let crf = || DenseCrf::new(shape, 2).unwrap();
    for deviation in [0.0, -1.0, f32::NAN, f32::INFINITY] {
        assert!(crf().gaussian(&Gaussian::new(deviation), potts.clone()).is_err());
    }
    assert!(matches!(crf().gaussian(&Gaussian::new(1e-7), potts.clone()), Err(Error::TooNarrow { .. })));
    assert!(crf().gaussian(&Gaussian::new(1.0), Compatibility::Potts(f32::NAN)).is_err());
    assert!(Features::none(shape).unwrap().with(&[f32::NAN; 6]).is_err());
    let none = Features::none(shape).unwrap();
    assert_eq!(crf().kernel(&none, &Gaussian::new(1.0), potts.clone()).unwrap_err(), Error::Dimensions(0));
    let many = (0..32).fold(none, |features, _| features.with(&[0.0; 6]).unwrap());
    assert_eq!(crf().kernel(&many, &Gaussian::new(1.0), potts.clone()).unwrap_err(), Error::Dimensions(32));
    assert!(crf().set_compatibility(0, potts).is_err());
}

#[test]
fn many_dimensions_are_filtered() {
    // 31 dimensions, more than a 64-bit key holds.
    let shape = Shape::image(9, 5);
    let features = (0..31u64)
        .fold(Features::none(shape).unwrap(), |features, seed| features.with(&uniform(seed, 45)).unwrap());
    let crf = DenseCrf::new(shape, 2).unwrap();
    let crf = crf.kernel(&features, &Gaussian::new(0.5), Compatibility::Potts(2.0)).unwrap();
    assert_distributions(&infer(&crf, &logits(1, 90), 3), 45);
}
