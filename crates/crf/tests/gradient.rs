//! Gradients against differences of the function itself.

use sconce_crf::{Bilateral, Compatibility, DenseCrf, Gaussian, Normalisation, Shape, Unary};

const WIDTH: usize = 9;
const HEIGHT: usize = 7;
const CLASSES: usize = 3;
const PIXELS: usize = WIDTH * HEIGHT;
const ITERATIONS: usize = 3;

/// Numbers in -1..1 that depend on the seed alone.
fn signed(seed: u64, count: usize) -> Vec<f32> {
    let mix = |i: usize| {
        let z = (seed * 1000 + i as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let z = (z ^ (z >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        (z >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..count).map(mix).collect()
}

fn crf(normalisation: Normalisation, compatibilities: &[Compatibility; 2]) -> DenseCrf {
    let rgb: Vec<u8> = signed(1, PIXELS * 3).iter().map(|u| (127.0 + 100.0 * u) as u8).collect();
    let crf = DenseCrf::new(Shape::image(WIDTH, HEIGHT), CLASSES).unwrap();
    let near = Gaussian::new(1.2).normalised(normalisation);
    let alike = Bilateral::new(5.0, 60.0).normalised(normalisation);
    let crf = crf.gaussian(&near, compatibilities[0].clone()).unwrap();
    crf.bilateral(&rgb, &alike, compatibilities[1].clone()).unwrap()
}

/// A loss that is linear in the probabilities.
fn loss(crf: &DenseCrf, logits: &[f32], outer: &[f32]) -> f64 {
    let unary = Unary::from_logits(logits.to_vec()).unwrap();
    let q = crf.infer(&unary, ITERATIONS).unwrap().into_probabilities();
    q.iter().zip(outer).map(|(q, g)| f64::from(*q) * f64::from(*g)).sum()
}

/// The slope of `f` at 0 from steps to both sides, its error of second order removed.
fn slope(f: impl Fn(f32) -> f64) -> f64 {
    let central = |step: f32| (f(step) - f(-step)) / (2.0 * f64::from(step));
    (4.0 * central(1.0 / 64.0) - central(1.0 / 32.0)) / 3.0
}

fn numbers(compatibility: &Compatibility) -> Vec<f32> {
    match compatibility {
        Compatibility::Potts(weight) => vec![*weight],
        Compatibility::PerClass(numbers) | Compatibility::Matrix(numbers) => numbers.clone(),
    }
}

fn like(kind: &Compatibility, numbers: Vec<f32>) -> Compatibility {
    match kind {
        Compatibility::Potts(_) => Compatibility::Potts(numbers[0]),
        Compatibility::PerClass(_) => Compatibility::PerClass(numbers),
        Compatibility::Matrix(_) => Compatibility::Matrix(numbers),
    }
}

fn moved(numbers: &[f32], direction: &[f32], step: f32) -> Vec<f32> {
    numbers.iter().zip(direction).map(|(number, d)| number + step * d).collect()
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
}

fn check(normalisation: Normalisation, compatibilities: [Compatibility; 2]) {
    let crf = crf(normalisation, &compatibilities);
    let (logits, outer) = (signed(2, CLASSES * PIXELS), signed(3, CLASSES * PIXELS));
    let unary = Unary::from_logits(logits.clone()).unwrap();
    let gradient = crf.gradient(&unary, ITERATIONS, &outer).unwrap();
    for seed in 4..10 {
        let direction = signed(seed, logits.len());
        let numeric = slope(|step| loss(&crf, &moved(&logits, &direction, step), &outer));
        let analytic = dot(&gradient.logits, &direction);
        assert!((numeric - analytic).abs() < 1e-3 + 1e-3 * numeric.abs(), "unary: {analytic}, {numeric}");
    }
    for (index, kind) in compatibilities.iter().enumerate() {
        let analytic = &gradient.compatibilities[index];
        let weights = numbers(kind);
        assert_eq!(analytic.len(), weights.len());
        for (place, analytic) in analytic.iter().enumerate() {
            let mut one = vec![0.0; weights.len()];
            one[place] = 1.0;
            let numeric = slope(|step| {
                let mut changed = compatibilities.clone();
                changed[index] = like(kind, moved(&weights, &one, step));
                loss(&self::crf(normalisation, &changed), &logits, &outer)
            });
            let close = (numeric - f64::from(*analytic)).abs() < 1e-3 + 1e-3 * numeric.abs();
            assert!(close, "kernel {index}, number {place}: {analytic}, {numeric}");
        }
    }
}

#[test]
fn gradients_equal_differences() {
    let matrix = Compatibility::Matrix(signed(20, CLASSES * CLASSES));
    let list = Compatibility::PerClass(vec![0.5, 1.0, -0.3]);
    check(Normalisation::Symmetric, [Compatibility::Potts(0.8), Compatibility::Potts(1.1)]);
    check(Normalisation::After, [list.clone(), matrix.clone()]);
    check(Normalisation::Before, [matrix, list]);
}

#[test]
fn gradients_of_unnormalised_kernels_equal_differences() {
    check(Normalisation::None, [Compatibility::Potts(0.05), Compatibility::Potts(0.02)]);
}

#[test]
fn without_iterations_the_gradient_is_the_softmaxs() {
    let crf = crf(Normalisation::Symmetric, &[Compatibility::Potts(1.0), Compatibility::Potts(1.0)]);
    let unary = Unary::from_logits(vec![0.0; CLASSES * PIXELS]).unwrap();
    let mut outer = vec![0.0; CLASSES * PIXELS];
    outer[5] = 9.0;
    let gradient = crf.gradient(&unary, 0, &outer).unwrap();
    let own: Vec<f32> = gradient.logits.iter().skip(5).step_by(PIXELS).copied().collect();
    for (got, want) in own.iter().zip([2.0, -1.0, -1.0]) {
        assert!((got - want).abs() < 1e-5, "{own:?}");
    }
    assert_eq!(gradient.compatibilities, [[0.0], [0.0]]);
}

#[test]
fn descending_the_gradient_lowers_a_loss() {
    let mut crf = crf(Normalisation::Symmetric, &[Compatibility::Potts(0.0), Compatibility::Potts(0.0)]);
    let (logits, outer) = (signed(2, CLASSES * PIXELS), signed(3, CLASSES * PIXELS));
    let unary = Unary::from_logits(logits.clone()).unwrap();
    let before = loss(&crf, &logits, &outer);
    let mut weights = [0.0; 2];
    let mut losses = vec![before];
    for _ in 0..5 {
        let gradient = crf.gradient(&unary, ITERATIONS, &outer).unwrap();
        for (kernel, weight) in weights.iter_mut().enumerate() {
            *weight -= 0.1 * gradient.compatibilities[kernel][0];
            crf.set_compatibility(kernel, Compatibility::Potts(*weight)).unwrap();
        }
        losses.push(loss(&crf, &logits, &outer));
    }
    assert!(losses.windows(2).all(|pair| pair[1] < pair[0]), "{losses:?}");
}
