//! Mean field against exact sums over all pairs, and against pydensecrf: `tests/golden`.
//!
//! A golden holds an image, probabilities, and what mean field makes of them with exact Gaussian sums in f64 and with
//! pydensecrf's lattice.

use safetensors::SafeTensors;
use sconce_crf::{
    Bilateral, Compatibility, Covariance, DenseCrf, Features, Gaussian, Normalisation, Shape, Unary,
    filter_exactly,
};

struct Golden {
    shape: Shape,
    classes: usize,
    iterations: usize,
    normalisation: Normalisation,
    attributes: serde_json::Value,
    image: Vec<u8>,
    probabilities: Vec<f32>,
    exact: Vec<f32>,
    peer: Vec<f32>,
}

impl Golden {
    fn read(name: &str) -> Self {
        let path = format!("{}/tests/golden/{name}.safetensors", env!("CARGO_MANIFEST_DIR"));
        let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        let (_, metadata) = SafeTensors::read_metadata(&bytes).unwrap();
        let attributes = &metadata.metadata().as_ref().unwrap()["attrs"];
        let attributes: serde_json::Value = serde_json::from_str(attributes).unwrap();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let probabilities = file.tensor("in.probability").unwrap();
        let [classes, height, width] = *probabilities.shape() else { panic!("{path}: not (C, H, W)") };
        let floats = |name: &str| {
            let (words, _) = file.tensor(name).unwrap().data().as_chunks::<4>();
            words.iter().map(|word| f32::from_le_bytes(*word)).collect::<Vec<f32>>()
        };
        let normalisation = match attributes["normalization"].as_str().unwrap() {
            "none" => Normalisation::None,
            "before" => Normalisation::Before,
            "after" => Normalisation::After,
            "symmetric" => Normalisation::Symmetric,
            other => panic!("{path}: normalisation {other}"),
        };
        Self {
            shape: Shape::image(width, height),
            classes,
            iterations: attributes["iters"].as_u64().unwrap() as usize,
            normalisation,
            image: file.tensor("in.image").unwrap().data().to_vec(),
            probabilities: floats("in.probability"),
            exact: floats("out.exact"),
            peer: floats("out.peer"),
            attributes,
        }
    }

    fn number(&self, name: &str) -> f32 {
        self.attributes[name].as_f64().unwrap() as f32
    }

    fn unary(&self) -> Unary {
        Unary::from_probabilities(&self.probabilities, 1e-6).unwrap()
    }

    fn crf(&self) -> DenseCrf {
        let near = Gaussian::new(self.number("sxy_g")).normalised(self.normalisation);
        let alike = Bilateral::new(self.number("sxy_b"), self.number("srgb")).normalised(self.normalisation);
        DenseCrf::new(self.shape, self.classes)
            .unwrap()
            .gaussian(&near, Compatibility::Potts(self.number("compat_g")))
            .unwrap()
            .bilateral(&self.image, &alike, Compatibility::Potts(self.number("compat_b")))
            .unwrap()
    }

    fn pixels(&self) -> usize {
        self.shape.pixels()
    }
}

fn goldens() -> impl Iterator<Item = (String, Golden)> {
    let names = ["small", "odd", "soft", "one_class_row"].into_iter().flat_map(|scene| {
        ["none", "before", "after", "symmetric"].map(|normalisation| format!("{scene}_{normalisation}"))
    });
    names.map(|name| (name.clone(), Golden::read(&name)))
}

fn largest_difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

/// The most probable class of every pixel.
fn labels(planes: &[f32], pixels: usize) -> Vec<usize> {
    let best = |pixel: usize| {
        let of = |class: &usize| planes[class * pixels + pixel];
        (0..planes.len() / pixels).max_by(|a, b| of(a).total_cmp(&of(b))).unwrap()
    };
    (0..pixels).map(best).collect()
}

#[test]
fn the_lattice_is_as_near_to_the_exact_result_as_pydensecrf() {
    for (name, golden) in goldens() {
        let posterior = golden.crf().infer(&golden.unary(), golden.iterations).unwrap();
        let ours = largest_difference(posterior.probabilities(), &golden.exact);
        let theirs = largest_difference(&golden.peer, &golden.exact);
        assert!(ours <= 1.1 * theirs + 1e-6, "{name}: {ours} from the exact result, pydensecrf {theirs}");
        let (ours, theirs) = (posterior.labels(), labels(&golden.peer, golden.pixels()));
        let equal = ours.iter().zip(&theirs).filter(|(a, b)| usize::from(**a) == **b).count();
        assert!(equal as f64 >= 0.999 * golden.pixels() as f64, "{name}: {equal} labels equal pydensecrf's");
    }
}

/// Mean field in f64 with exact sums, as the goldens were made.
fn exact_mean_field(golden: &Golden) -> Vec<f32> {
    let positions = Features::positions(golden.shape).unwrap();
    let coloured = positions.clone().with_rgb(&golden.image).unwrap();
    let (position, colour) = (golden.number("sxy_b"), golden.number("srgb"));
    let deviations = vec![position, position, colour, colour, colour];
    let near = Gaussian::new(golden.number("sxy_g")).normalised(golden.normalisation);
    let alike = Gaussian::from(Covariance::Deviations(deviations)).normalised(golden.normalisation);
    let logits: Vec<f64> = golden.probabilities.iter().map(|p| f64::from(*p).ln()).collect();
    let mut q = softmax(&logits, golden.pixels());
    for _ in 0..golden.iterations {
        let mut scores = logits.clone();
        for (features, gaussian, weight) in [(&positions, &near, "compat_g"), (&coloured, &alike, "compat_b")]
        {
            let messages = filter_exactly(features, gaussian, &q).unwrap();
            let weight = f64::from(golden.number(weight));
            scores.iter_mut().zip(messages).for_each(|(score, message)| *score += weight * message);
        }
        q = softmax(&scores, golden.pixels());
    }
    q.iter().map(|&q| q as f32).collect()
}

fn softmax(scores: &[f64], pixels: usize) -> Vec<f64> {
    let mut q = scores.to_vec();
    for pixel in 0..pixels {
        let places = || (pixel..scores.len()).step_by(pixels);
        let most = places().map(|place| scores[place]).fold(f64::MIN, f64::max);
        let sum: f64 = places().map(|place| (scores[place] - most).exp()).sum();
        places().for_each(|place| q[place] = (scores[place] - most).exp() / sum);
    }
    q
}

#[test]
fn exact_sums_give_the_exact_golden() {
    for (name, golden) in goldens() {
        let error = largest_difference(&exact_mean_field(&golden), &golden.exact);
        assert!(error < 1e-4, "{name}: {error}");
    }
}
