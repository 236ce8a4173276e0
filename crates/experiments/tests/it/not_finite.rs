//! Training whose numbers leave the floats.

use candle_core::{DType, Device};
use sconce_runs::{Checkpoint, Rows};

use crate::{Place, entries};

/// After one step at this rate the weights are so large that the loss of the next one overflows.
const ABSURD: [&str; 6] = ["train", "tiny", "--set", "optim.sgd.lr=1e30", "--set", "epochs=3"];

#[test]
fn a_loss_that_is_not_finite_stops_the_run_and_is_explained() {
    let place = Place::new();
    let message = place.fails(&ABSURD);
    let words = [
        "term `",
        "step 2 (epoch 1)",
        "images    face-",
        "began in  `",
        "forward pass",
        "saved     runs/tiny/",
    ];
    for part in words.into_iter().chain(["learning rate (it is ", "on-nan = \"skip\""]) {
        assert!(message.contains(part), "`{part}` is not in:\n{message}");
    }
    let parameter = [".weight", ".bias"].iter().any(|ending| message.contains(ending));
    assert!(parameter, "no layer is named in:\n{message}");

    let folder = place.only_run().join("nan");
    let batch = Checkpoint::read(&folder.join("step-2.safetensors"), &Device::Cpu).unwrap();
    assert_eq!(batch.tensors["image"].dims(), [4, 3, 32, 32]);
    assert_eq!(batch.tensors["labels"].dims(), [4, 32, 32]);
    assert_eq!((batch.tensors["edges"].dtype(), batch.get("step")), (DType::U8, Some(2)));
    let ids: Vec<&str> = batch.state["ids"].lines().collect();
    assert!(ids.len() == 4 && ids.iter().all(|id| message.contains(id)), "{ids:?}");
    let pictures: Vec<_> =
        entries(&folder).into_iter().filter(|path| path.extension().unwrap() == "png").collect();
    assert_eq!(pictures.len(), 4, "{pictures:?}");
    let shown = image::open(&pictures[0]).unwrap().into_rgb8();
    let image = batch.tensors["image"].get(0).unwrap().to_vec3::<f32>().unwrap();
    assert_eq!(
        shown.get_pixel(9, 20).0,
        [0, 1, 2].map(|channel| (image[channel][20][9] * 255.0).round() as u8)
    );
}

#[test]
fn steps_that_are_not_finite_are_skipped_if_asked_for() {
    let place = Place::new();
    let printed = place.run(&[&ABSURD[..], &["--set", "on-nan=skip"]].concat());
    for part in ["skipped step 2 (epoch 1, images face-", "8 skipped so far", "skipped 8 of 9 steps"] {
        assert!(printed.contains(part), "`{part}` is not in:\n{printed}");
    }
    let run = place.only_run();
    assert!(!run.join("nan").exists());
    let log = Rows::read(&run.join("log.tsv")).unwrap();
    let steps: Vec<f64> = (0..9).map(f64::from).collect();
    assert_eq!(log.numbers("skipped").unwrap(), steps);
    let last = Checkpoint::read(&run.join("checkpoints/last.safetensors"), &Device::Cpu).unwrap();
    assert_eq!((last.get("step"), last.get("skipped")), (Some(9), Some(8)));
    for (name, tensor) in &last.tensors {
        let sum = tensor.to_dtype(DType::F64).unwrap().sum_all().unwrap();
        assert!(sum.to_scalar::<f64>().unwrap().is_finite(), "{name}");
    }
}

#[test]
fn another_word_for_what_follows_names_those_there_are() {
    let message = Place::new().fails(&["train", "tiny", "--set", "on-nan=ignore"]);
    for part in ["ignore", "`stop`", "`skip`", "line "] {
        assert!(message.contains(part), "`{part}` is not in:\n{message}");
    }
}
