//! Whole pages of runs made by hand.

use super::*;
use crate::{ImageScores, Log, Table};
use image::{Rgb, RgbImage};
use std::path::PathBuf;

const EVIL: &str = "</script><script>alert('x')</script>";

/// A run of two steps and one epoch, scored on two images, with a class and an image of evil names.
fn scored_run(root: &Path) -> Run {
    let run = Run::create(root, "small", &format!("epochs = 1\nnote = \"{EVIL}\"\n")).unwrap();
    let mut log = Log::open(&run.log(), &["step", "epoch", "lr", "loss"]).unwrap();
    for step in 1..=2_u64 {
        log.append(&[step.into(), 1_u64.into(), 0.01.into(), (1.0 / step as f64).into()]).unwrap();
    }
    let columns = ["step", "epoch", "images", "seconds", "waiting_seconds", "peak_mib"];
    let mut times = Log::open(&run.folder().join("times.tsv"), &columns).unwrap();
    times
        .append(&[1_u64.into(), 1_u64.into(), 8_u64.into(), 0.5.into(), 0.05.into(), 321_u64.into()])
        .unwrap();
    let folder = run.evaluation("val-best");
    let mut images = ImageScores::create(&folder, &["mean_f1"], 2, 2).unwrap();
    images.push("good", &[Some(0.9)], &[60, 0, 0, 40]).unwrap();
    images.push(EVIL, &[Some(0.1)], &[30, 20, 10, 40]).unwrap();
    images.finish().unwrap();
    let mut confusion = Table::new(["truth", "back", EVIL]);
    confusion.push(["back", "90", "20"]);
    confusion.push([EVIL, "10", "80"]);
    confusion.write_tsv(&folder.join("confusion.tsv")).unwrap();
    for kind in ["worst", "best"] {
        let folder = folder.join(kind);
        std::fs::create_dir_all(&folder).unwrap();
        RgbImage::from_pixel(1300, 8, Rgb([1, 2, 3])).save(folder.join("001-<b>face.png")).unwrap();
    }
    run
}

fn report(root: &Path, runs: &[Run]) -> String {
    let path: PathBuf = root.join("report.html");
    write_report(&path, runs).unwrap();
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn a_page_holds_everything_and_loads_nothing() {
    let root = tempfile::tempdir().unwrap();
    let page = report(root.path(), &[scored_run(root.path())]);
    let parts = [
        "learning rate",
        "val-best",
        "85.0",
        "pixel accuracy",
        "95 % confidence",
        "Worst images",
        "mean F1 10.0 %",
        "Best images",
        "mean F1 90.0 %",
        "data:image/jpeg;base64,",
        "config.toml",
        "500 ms",
        "10.0 %",
        "321 MiB",
        "prefers-color-scheme: dark",
        "back as",
        "[[1.0,1.0],[2.0,0.5]]",
    ];
    for part in parts {
        assert!(page.contains(part), "`{part}` is missing");
    }
    for loading in ["http://", "https://", "src=\"/", "<link", "@import", "url(//"] {
        assert!(!page.contains(loading), "`{loading}` would load something");
    }
}

#[test]
fn names_and_configs_are_escaped() {
    let root = tempfile::tempdir().unwrap();
    let run = scored_run(root.path());
    for page in [report(root.path(), std::slice::from_ref(&run)), report(root.path(), &[run.clone(), run])] {
        assert!(page.contains("&lt;script&gt;alert(") && page.contains("&lt;b&gt;face"));
        assert!(!page.contains("<script>alert(") && !page.contains("<b>face"));
        assert_eq!(page.matches("<script").count(), 2, "the numbers and the drawing, nothing else");
    }
}

#[test]
fn an_evil_log_cannot_end_the_script() {
    let root = tempfile::tempdir().unwrap();
    let run = Run::create(root.path(), "small", "").unwrap();
    let mut log = Log::open(&run.log(), &["step", EVIL]).unwrap();
    log.append(&[1_u64.into(), 0.5.into()]).unwrap();
    let page = report(root.path(), &[run]);
    assert!(page.contains("\\u003c/script>") && !page.contains("<script>alert("));
}

#[test]
fn several_runs_stand_side_by_side_with_what_differs() {
    let root = tempfile::tempdir().unwrap();
    let scored = scored_run(root.path());
    let bare = Run::create(root.path(), "other", "epochs = 7\n[optim]\nlr = 0.5\n").unwrap();
    let page = report(root.path(), &[scored, bare]);
    for part in
        ["2 runs compared", "What differs", "optim.lr", "<td>7</td>", "F1 of back", "Each run", "--run-1"]
    {
        assert!(page.contains(part), "`{part}` is missing");
    }
}

#[test]
fn a_run_that_has_only_begun_gets_a_page() {
    let root = tempfile::tempdir().unwrap();
    let run = Run::create(root.path(), "small", "epochs = 1\n").unwrap();
    let page = report(root.path(), std::slice::from_ref(&run));
    assert!(page.contains("No scores yet") && page.contains("No step is logged yet"), "{page}");
    assert!(report(root.path(), &[run.clone(), run]).contains("None of the runs has scores yet"));
}

#[test]
fn an_older_evaluation_has_no_intervals() {
    let root = tempfile::tempdir().unwrap();
    let run = scored_run(root.path());
    std::fs::remove_file(run.evaluation("val-best").join("images.tsv")).unwrap();
    let page = report(root.path(), &[run]);
    assert!(page.contains("85.0") && !page.contains("bootstrap"));
}

#[test]
fn a_damaged_file_is_named() {
    let root = tempfile::tempdir().unwrap();
    let run = scored_run(root.path());
    let path = run.evaluation("val-best").join("confusion.tsv");
    std::fs::write(&path, "truth\ta\na\tmany\n").unwrap();
    let error = write_report(&root.path().join("report.html"), &[run]).unwrap_err().to_string();
    assert!(error.contains("confusion.tsv") && error.contains("square"), "{error}");
    assert!(!root.path().join("report.html").exists());
}
