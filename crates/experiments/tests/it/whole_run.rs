//! From a config to masks, and a run that is interrupted.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::{Place, entries};

#[test]
fn training_scoring_and_prediction_leave_their_files() {
    let place = Place::new();
    let printed = place.run(&["train", "tiny"]);
    assert!(printed.contains("mean F1, background left out") && printed.contains("overlays"), "{printed}");
    let run = place.only_run();
    assert_eq!(std::fs::read_to_string(run.join("config.toml")).unwrap(), crate::TINY);
    assert_eq!(std::fs::read_to_string(run.join("log.tsv")).unwrap().lines().count(), 1 + 2 * 3);
    assert_eq!(std::fs::read_to_string(run.join("epochs.tsv")).unwrap().lines().count(), 1 + 2);

    let printed = place.run(&["eval", "tiny", "--checkpoint", "last", "--split", "test"]);
    assert!(
        ["l_brow", "eyes, merged", "pixel accuracy"].iter().all(|word| printed.contains(word)),
        "{printed}"
    );
    for file in ["classes.tsv", "means.tsv", "confusion.tsv"] {
        assert!(run.join("eval/test-last").join(file).is_file(), "{file}");
    }
    assert_eq!(entries(&run.join("eval/test-last/overlays")).len(), 2);

    let image = place.path("wide.png");
    image::RgbImage::from_fn(75, 41, |x, y| image::Rgb([(3 * x) as u8, (5 * y) as u8, 90]))
        .save(&image)
        .unwrap();
    place.run(&["predict", "tiny", "wide.png", "--out", "masks", "--logits"]);
    let mask = image::open(place.path("masks/wide.png")).unwrap();
    assert_eq!((mask.width(), mask.height()), (75, 41));
    let logits = std::fs::metadata(place.path("masks/wide.npy")).unwrap().len();
    assert!(logits >= 4 * 19 * 75 * 41, "{logits}");
    assert!(place.path("masks/wide.overlay.png").is_file());
}

#[test]
fn an_interrupted_run_goes_on_to_the_same_weights() {
    let (straight, stopped) = (Place::new(), Place::new());
    straight.run(&["train", "tiny"]);
    interrupt_after_rows(&stopped, 2);
    let printed = stopped.run(&["train", "tiny", "--resume"]);
    assert!(printed.contains("resumed"), "{printed}");
    for file in ["log.tsv", "epochs.tsv", "checkpoints/last.safetensors"] {
        let read = |place: &Place| std::fs::read(place.only_run().join(file)).unwrap();
        assert!(read(&straight) == read(&stopped), "{file} differs");
    }
}

/// Starts the training and presses Ctrl-C once the log has that many rows.
fn interrupt_after_rows(place: &Place, rows: usize) {
    let mut child = place.command(&["train", "tiny"]).stdout(Stdio::piped()).spawn().unwrap();
    let start = Instant::now();
    let logged = || {
        let runs = std::fs::read_dir(place.path("runs/tiny")).into_iter().flatten().flatten();
        runs.filter_map(|run| std::fs::read_to_string(run.path().join("log.tsv")).ok())
            .any(|log| log.lines().count() > rows)
    };
    while !logged() {
        assert!(start.elapsed() < Duration::from_secs(60), "no step within a minute");
        std::thread::sleep(Duration::from_millis(1));
    }
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
    assert!(child.wait().unwrap().success());
}

#[test]
fn loader_threads_and_compute_threads_change_nothing() {
    let weights = |threads: &str, cores: &str| {
        let place = Place::new();
        let status = place
            .command(&["train", "tiny", "--set", &format!("loader.threads={threads}")])
            .env("RAYON_NUM_THREADS", cores)
            .output()
            .unwrap();
        assert!(status.status.success());
        std::fs::read(place.only_run().join("checkpoints/last.safetensors")).unwrap()
    };
    let one = weights("0", "1");
    assert!(one == weights("2", "2"), "2 loader threads, 2 cores");
    assert!(one == weights("8", "2"), "8 loader threads");
}

#[test]
fn summary_counts_the_published_network() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../configs/agrnet.toml");
    let printed = Place::new().run(&["summary", root, "--no-memory"]);
    assert!(printed.contains("66,540,303") && printed.contains("268.5"), "{printed}");
}

#[test]
fn the_estimate_of_memory_is_near_what_is_measured() {
    let place = Place::new();
    for (work, images) in [("training step", "train:4"), ("prediction", "predict:1")] {
        let printed = place.run(&["summary", "tiny", "--size", "704x736", "--set", "loader.batch=4"]);
        let row = printed.lines().find(|line| line.contains(work)).unwrap();
        let estimate: f64 = row.split_whitespace().rev().nth(1).unwrap().parse().unwrap();
        let measured = place.run(&["summary", "tiny", "--trial", &format!("{images}x704x736")]);
        let measured = measured.trim().parse::<f64>().unwrap() / f64::from(1 << 30);
        assert!((estimate / measured - 1.0).abs() < 0.1, "{work}: estimate {estimate}, measured {measured}");
    }
}

#[test]
fn synthetic_faces_become_a_set_that_trains() {
    let place = Place::with(|text| {
        let start = text.find("[data.faces]").unwrap();
        let end = text.find("[loader]").unwrap();
        let nia = "[data.nia]\nroot = \"faces\"\nval-every = 10\n\n";
        [&text[..start], nia, &text[end..]].concat()
    });
    place.run(&["data", "synth", "faces", "--out", "faces", "--count", "10", "--size", "40"]);
    assert!(place.path("faces/test_id.txt").is_file());
    let printed = place.run(&["train", "tiny"]);
    assert!(printed.contains("8 to train on, 1 held out"), "{printed}");
}
