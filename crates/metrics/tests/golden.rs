//! The scores of two label maps as PyTorch computed them.

use safetensors::SafeTensors;
use sconce_metrics::Confusion;

const FILE: &[u8] = include_bytes!("golden/metrics_confusion.safetensors");

fn integers(file: &SafeTensors, name: &str) -> Vec<i64> {
    let bytes = file.tensor(name).unwrap();
    let words = bytes.data().chunks_exact(8);
    words.map(|b| i64::from_le_bytes(b.try_into().unwrap())).collect()
}

fn labels(file: &SafeTensors, name: &str) -> Vec<u8> {
    let integers = integers(file, name).into_iter();
    integers.map(|label| u8::try_from(label).unwrap()).collect()
}

fn floats(file: &SafeTensors, name: &str) -> Vec<f64> {
    let bytes = file.tensor(name).unwrap();
    let words = bytes.data().chunks_exact(4);
    words.map(|b| f32::from_le_bytes(b.try_into().unwrap()).into()).collect()
}

fn assert_close(got: &[f64], want: &[f64], what: &str) {
    assert_eq!(got.len(), want.len(), "{what}");
    for (g, w) in got.iter().zip(want) {
        assert!((g - w).abs() < 1e-6, "{what}: got {g}, want {w}");
    }
}

#[test]
fn every_score_is_the_golden_one() {
    let file = SafeTensors::deserialize(FILE).unwrap();
    let mut confusion = Confusion::new(6);
    confusion.add(&labels(&file, "in.labels"), &labels(&file, "in.pred"), 255).unwrap();

    let counts: Vec<i64> = confusion.counts().iter().map(|&n| n as i64).collect();
    assert_eq!(counts, integers(&file, "out.confusion"));
    for (got, name) in [
        (confusion.iou(), "iou"),
        (confusion.f1(), "f1"),
        (confusion.precision(), "precision"),
        (confusion.recall(), "recall"),
    ] {
        let got: Vec<f64> = got.into_iter().map(Option::unwrap).collect();
        assert_close(&got, &floats(&file, &format!("out.{name}")), name);
    }
    for (got, name) in [
        (confusion.pixel_accuracy(), "pixel_accuracy"),
        (confusion.mean_pixel_accuracy(), "mean_pixel_accuracy"),
        (confusion.mean_iou(), "mean_iou"),
    ] {
        assert_close(&[got], &floats(&file, &format!("out.{name}")), name);
    }
}
