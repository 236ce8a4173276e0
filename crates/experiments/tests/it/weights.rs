//! Weights that go out of one run and into another.

use std::path::Path;

use crate::{Place, entries};

#[test]
fn exported_weights_begin_another_run_that_can_be_repeated() {
    let place = Place::new();
    place.run(&["train", "tiny", "--set", "epochs=1"]);
    let told =
        place.run(&["export", "tiny", "--format", "pytorch", "--checkpoint", "last", "--out", "a.pth"]);
    assert!(told.contains("by tegusi's AGRNet") && told.contains("written to a.pth"), "{told}");
    place.run(&["export", "tiny", "--format", "safetensors"]);
    assert!(place.only_run().join("export/best.safetensors").is_file());

    let told = place.run(&["train", "tiny", "--set", "epochs=1", "--runs", "more", "--weights", "a.pth"]);
    let line = told.lines().find(|line| line.starts_with("loaded")).unwrap();
    let words: Vec<&str> = line.split_whitespace().collect();
    assert!(words[1] == words[3] && line.ends_with("by tegusi's AGRNet"), "{line}");
    let [run] = &entries(&place.path("more/tiny"))[..] else { panic!("one run") };
    let text = |name: &str| std::fs::read_to_string(run.join(name)).unwrap();
    assert!(
        text("config.toml").contains("file = \"a.pth\"\nreplace-classifier = false"),
        "{}",
        text("config.toml")
    );
    assert!(
        text("provenance.toml").contains("[weights]\nfile = \"a.pth\"\nsha256 = \""),
        "{}",
        text("provenance.toml")
    );
    assert_ne!(first_loss(run), first_loss(&place.only_run()), "it began with other weights");
    let told = place.run(&["repro", run.to_str().unwrap()]);
    assert!(told.contains("bit for bit"), "{told}");
}

fn first_loss(run: &Path) -> String {
    let log = std::fs::read_to_string(run.join("log.tsv")).unwrap();
    log.lines().nth(1).unwrap().split('\t').nth(3).unwrap().to_owned()
}

#[test]
fn a_file_that_does_not_fit_leaves_no_run() {
    let place = Place::new();
    let message = place.fails(&["train", "tiny", "--weights", "none.pth"]);
    assert!(message.contains("none.pth: cannot read it"), "{message}");
    std::fs::write(place.path("page.pth"), "<!DOCTYPE html>").unwrap();
    let message = place.fails(&["train", "tiny", "--weights", "page.pth"]);
    assert!(message.contains("page.pth") && message.contains("web page"), "{message}");
    assert!(!place.path("runs").exists(), "wrong weights must leave no run");
}
