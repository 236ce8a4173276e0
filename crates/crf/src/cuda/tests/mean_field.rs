use proptest::prelude::*;
use sconce_kernels::Emulation;

use super::{close, emulation, noise};
use crate::{
    Bilateral, Compatibility, DenseCrf, DeviceCrf, Error, Gaussian, Gradient, MeanField, Normalisation,
    Posterior, Shape, Unary,
};

/// What both forms compute from.
struct Case {
    shape: Shape,
    classes: usize,
    normalisation: Normalisation,
    compatibilities: [Compatibility; 2],
}

/// The same CRF on the processor and on the emulated card.
macro_rules! both {
    ($case:expr, $name:ident => $work:expr) => {{
        let Some(card) = emulation() else { return Ok(()) };
        let want = {
            let $name = $case.filled(DenseCrf::new($case.shape, $case.classes).unwrap());
            $work
        };
        let $name = $case.filled(DeviceCrf::with_runtime($case.shape, $case.classes, card).unwrap());
        (want, $work)
    }};
}

/// Both have methods of the same names.
trait Builder: Sized {
    fn near(self, gaussian: &Gaussian, compatibility: Compatibility) -> Result<Self, Error>;
    fn alike(self, rgb: &[u8], bilateral: &Bilateral, compatibility: Compatibility) -> Result<Self, Error>;
}

macro_rules! builder {
    ($type:ty) => {
        impl Builder for $type {
            fn near(self, gaussian: &Gaussian, compatibility: Compatibility) -> Result<Self, Error> {
                self.gaussian(gaussian, compatibility)
            }
            fn alike(self, rgb: &[u8], by: &Bilateral, compatibility: Compatibility) -> Result<Self, Error> {
                self.bilateral(rgb, by, compatibility)
            }
        }
    };
}
builder!(DenseCrf);
builder!(DeviceCrf<Emulation>);

impl Case {
    fn new(seed: usize, shape: Shape, classes: usize) -> Self {
        use Normalisation::{After, Before, None, Symmetric};
        let matrix = noise(5, classes * classes).iter().map(|cost| cost - 0.5).collect();
        let kinds = [
            Compatibility::Potts(0.8),
            Compatibility::PerClass(noise(6, classes)),
            Compatibility::Matrix(matrix),
        ];
        let compatibilities = [kinds[seed % 3].clone(), kinds[seed / 3 % 3].clone()];
        Self { shape, classes, normalisation: [Symmetric, Before, After, None][seed % 4], compatibilities }
    }

    fn filled<B: Builder>(&self, crf: B) -> B {
        let rgb: Vec<u8> =
            noise(1, self.shape.pixels() * 3).iter().map(|value| (value * 255.0) as u8).collect();
        let near = Gaussian::new(1.5).normalised(self.normalisation);
        let alike = Bilateral::new(4.0, 60.0).normalised(self.normalisation);
        let [first, second] = self.compatibilities.clone();
        crf.near(&near, first).unwrap().alike(&rgb, &alike, second).unwrap()
    }

    fn unary(&self) -> Unary {
        let logits = noise(2, self.shape.pixels() * self.classes);
        Unary::from_energies(logits.iter().map(|value| 3.0 * value).collect()).unwrap()
    }
}

fn compare(want: &Posterior, got: &Posterior) {
    assert_eq!((want.iterations(), want.pixels), (got.iterations(), got.pixels));
    close(got.probabilities(), want.probabilities(), 5e-5, "probabilities");
    assert_eq!(want.divergences().len(), got.divergences().len());
    for (want, got) in want.divergences().iter().zip(got.divergences()) {
        assert!((want - got).abs() < 1e-5 * (1.0 + want.abs()), "divergence {got} instead of {want}");
    }
}

fn compare_gradients(want: &Gradient, got: &Gradient) {
    close(&got.logits, &want.logits, 1e-4, "logits");
    for (got, want) in got.compatibilities.iter().zip(&want.compatibilities) {
        close(got, want, 1e-3, "compatibility");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn images(width in 1usize..40, height in 1usize..30, classes in 1usize..24, seed in 0usize..36, iterations in 0usize..4) {
        let case = Case::new(seed, Shape::image(width, height), classes);
        let (want, got) = both!(case, crf => crf.infer(&case.unary(), iterations).unwrap());
        compare(&want, &got);
    }

    #[test]
    fn volumes(width in 1usize..12, height in 1usize..9, depth in 1usize..7, classes in 1usize..5, seed in 0usize..36) {
        let case = Case::new(seed, Shape::volume(width, height, depth), classes);
        let (want, got) = both!(case, crf => crf.infer(&case.unary(), 3).unwrap());
        compare(&want, &got);
    }

    #[test]
    fn gradients(width in 1usize..20, height in 1usize..14, classes in 1usize..8, seed in 0usize..36, iterations in 0usize..3) {
        let case = Case::new(seed, Shape::image(width, height), classes);
        let outer: Vec<f32> = noise(9, width * height * classes).iter().map(|value| value - 0.5).collect();
        let (want, got) = both!(case, crf => crf.gradient(&case.unary(), iterations, &outer).unwrap());
        compare_gradients(&want, &got);
    }
}

#[test]
fn divergences_and_the_stop_are_the_same() -> Result<(), Error> {
    let case = Case::new(0, Shape::image(23, 17), 5);
    for tolerance in [None, Some(0.02)] {
        let settings = MeanField { iterations: 12, tolerance, divergence: true };
        let (want, got) = both!(case, crf => crf.infer_with(&case.unary(), &settings)?);
        assert!(tolerance.is_none() || want.iterations() < 12);
        compare(&want, &got);
    }
    Ok(())
}

#[test]
fn without_kernels_the_result_is_the_softmax() -> Result<(), Error> {
    let Some(card) = emulation() else { return Ok(()) };
    let (shape, unary) = (Shape::image(5, 4), Unary::from_logits(noise(3, 60))?);
    let settings = MeanField { iterations: 2, tolerance: None, divergence: true };
    let want = DenseCrf::new(shape, 3)?.infer_with(&unary, &settings)?;
    let got = DeviceCrf::with_runtime(shape, 3, card)?;
    compare(&want, &got.infer_with(&unary, &settings)?);
    let want = DenseCrf::new(shape, 3)?.gradient(&unary, 2, &noise(4, 60))?;
    compare_gradients(&want, &got.gradient(&unary, 2, &noise(4, 60))?);
    Ok(())
}

#[test]
fn another_compatibility_and_wrong_input_are_treated_alike() -> Result<(), Error> {
    let Some(card) = emulation() else { return Ok(()) };
    let case = Case::new(4, Shape::image(9, 8), 3);
    let mut want = case.filled(DenseCrf::new(case.shape, 3)?);
    let mut got = case.filled(DeviceCrf::with_runtime(case.shape, 3, card)?);
    want.set_compatibility(1, Compatibility::Potts(2.0))?;
    got.set_compatibility(1, Compatibility::Potts(2.0))?;
    assert_eq!((got.classes(), got.shape()), (3, case.shape));
    compare(&want.infer(&case.unary(), 2)?, &got.infer(&case.unary(), 2)?);
    let (few, many) = (Unary::from_logits(vec![0.0; 5])?, vec![f32::NAN; 216]);
    assert_eq!(got.infer(&few, 1), want.infer(&few, 1));
    assert_eq!(got.gradient(&few, 1, &[]), want.gradient(&few, 1, &[]));
    assert!(matches!(got.gradient(&case.unary(), 1, &many), Err(Error::NotFinite { .. })));
    assert_eq!(
        got.set_compatibility(2, Compatibility::Potts(1.0)),
        Err(Error::Kernel { index: 2, kernels: 2 })
    );
    assert!(DeviceCrf::with_runtime(case.shape, 300, card).is_err());
    assert!(DeviceCrf::with_runtime(Shape::image(0, 3), 2, card).is_err());
    Ok(())
}
