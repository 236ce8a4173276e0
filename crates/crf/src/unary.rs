//! What each pixel says of its own class, before its neighbours are asked.

use rayon::prelude::*;

use crate::error::{Error, check_finite, check_length};
use crate::layout::Layout;
use crate::simd::Lanes;

/// Unary energies of every class at every pixel, in any of the forms in which they come.
///
/// # Shapes
///
/// (classes, pixels): one plane per class, pixels with x fastest, then y, then z.
#[derive(Debug, Clone)]
pub struct Unary {
    values: Vec<f32>,
    /// What makes the values negative energies: 1, or -1 where they are energies.
    sign: f32,
}

impl Unary {
    /// Probabilities of a network, such as its softmax. Energies are -ln p.
    ///
    /// Probabilities below `floor` count as `floor`, which is above 0 and below 1: -ln 0 is infinite. 1e-5 is usual.
    pub fn from_probabilities(probabilities: &[f32], floor: f32) -> Result<Self, Error> {
        if !(floor > 0.0 && floor < 1.0) {
            let (what, range) = ("floor of the probabilities", "between 0 and 1");
            return Err(Error::Parameter { what, range, value: floor });
        }
        if let Some(index) = probabilities.iter().position(|p| !(0.0..=1.0).contains(p)) {
            return Err(Error::Probability { index, value: probabilities[index] });
        }
        Ok(Self { values: probabilities.par_iter().map(|p| p.max(floor).ln()).collect(), sign: 1.0 })
    }

    /// Logits of a network: what its softmax would take. Energies are their negatives.
    pub fn from_logits(logits: Vec<f32>) -> Result<Self, Error> {
        check_finite("logits", &logits)?;
        Ok(Self { values: logits, sign: 1.0 })
    }

    /// Energies: negative logarithms of probabilities, up to a constant per pixel. What pydensecrf calls unary.
    pub fn from_energies(energies: Vec<f32>) -> Result<Self, Error> {
        check_finite("energies", &energies)?;
        Ok(Self { values: energies, sign: -1.0 })
    }

    /// A label map, which is right with probability `confidence`, between 0 and 1; the other classes share the rest.
    /// Pixels with the label `unsure` can be anything.
    ///
    /// # Shapes
    ///
    /// `labels` has one value per pixel.
    pub fn from_labels(
        labels: &[u8],
        classes: usize,
        confidence: f32,
        unsure: Option<u8>,
    ) -> Result<Self, Error> {
        if !(confidence > 0.0 && confidence < 1.0) {
            return Err(Error::Parameter { what: "confidence", range: "between 0 and 1", value: confidence });
        }
        let known = |label: u8| usize::from(label) < classes || Some(label) == unsure;
        if let Some(index) = labels.iter().position(|label| !known(*label)) {
            return Err(Error::Label { index, value: labels[index], classes });
        }
        let others = ((1.0 - f64::from(confidence)) / classes.saturating_sub(1).max(1) as f64).ln() as f32;
        let logit = |class: usize, label: u8| match usize::from(label) {
            _ if Some(label) == unsure => -(classes as f32).ln(),
            label if label == class => confidence.ln(),
            _ => others,
        };
        let planes = (0..classes).flat_map(|class| labels.iter().map(move |label| logit(class, *label)));
        Ok(Self { values: planes.collect(), sign: 1.0 })
    }

    /// An error unless there are as many values as the CRF needs.
    pub(crate) fn check(&self, classes: usize, pixels: usize) -> Result<(), Error> {
        check_length("unary", "classes × width × height × depth", classes * pixels, self.values.len())
    }

    /// The values, and what makes them negative energies.
    #[cfg(any(feature = "cuda", test))]
    pub(crate) fn values(&self) -> (&[f32], f32) {
        (&self.values, self.sign)
    }

    /// Writes negative energies of pixels from `first` on to rows, and -∞ to their padding.
    pub(crate) fn write_logits(&self, layout: Layout, pixels: usize, first: usize, rows: &mut [Lanes]) {
        layout.rows_from_planes(&self.values, pixels, first, (self.sign, f32::NEG_INFINITY), rows);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_forms_agree() {
        let p = [0.7f32, 0.15, 0.15, 0.15, 0.7, 0.15, 0.15, 0.15, 0.7];
        let forms = [
            Unary::from_probabilities(&p, 1e-5).unwrap(),
            Unary::from_logits(p.iter().map(|p| p.ln()).collect()).unwrap(),
            Unary::from_energies(p.iter().map(|p| -p.ln()).collect()).unwrap(),
            Unary::from_labels(&[0, 1, 2], 3, 0.7, None).unwrap(),
        ];
        for form in &forms {
            let own = form.values.iter().map(|value| value * form.sign);
            let error = own.zip(&forms[0].values).map(|(a, b)| (a - b).abs());
            assert!(error.fold(0.0, f32::max) < 1e-6, "{form:?}");
        }
    }

    #[test]
    fn an_unsure_pixel_is_uniform_and_one_class_is_finite() {
        let unary = Unary::from_labels(&[255, 1], 2, 0.9, Some(255)).unwrap();
        assert_eq!(unary.values[0], unary.values[2]);
        assert!(Unary::from_labels(&[0, 0], 1, 0.9, None).unwrap().values.iter().all(|l| l.is_finite()));
    }

    #[test]
    fn what_is_no_probability_label_or_number_is_named() {
        let error = Unary::from_probabilities(&[0.5, 1.5], 1e-5).unwrap_err();
        assert_eq!(error, Error::Probability { index: 1, value: 1.5 });
        assert!(Unary::from_probabilities(&[f32::NAN], 1e-5).is_err());
        assert!(Unary::from_probabilities(&[0.5], 0.0).is_err());
        let error = Unary::from_labels(&[0, 3], 3, 0.9, None).unwrap_err();
        assert_eq!(error, Error::Label { index: 1, value: 3, classes: 3 });
        assert!(Unary::from_labels(&[0], 3, 1.0, None).is_err());
        let mut logits = vec![0.0; 3000];
        logits[2500] = f32::INFINITY;
        assert!(matches!(Unary::from_logits(logits), Err(Error::NotFinite { index: 2500, .. })));
    }
}
