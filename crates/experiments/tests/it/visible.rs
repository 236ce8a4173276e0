//! What makes a run visible: events, reports, curves, pictures, scores of every image.

use std::path::Path;

use crate::{Place, entries};

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// How often the bytes of `word` stand in a file.
fn count(path: &Path, word: &str) -> usize {
    let bytes = std::fs::read(path).unwrap();
    bytes.windows(word.len()).filter(|window| *window == word.as_bytes()).count()
}

#[test]
fn training_writes_events_costs_and_a_report() {
    let place = Place::new();
    let printed = place.run(&["train", "tiny"]);
    assert!(printed.contains("report.html"), "{printed}");
    let run = place.only_run();
    let events = run.join("events/events.out.tfevents.000001");
    assert_eq!(["train/loss", "train/lr", "held-out/mean_iou"].map(|tag| count(&events, tag)), [6, 6, 2]);
    assert_eq!(count(&events, "held-out/face-"), 2, "one picture an epoch");
    let weights = count(&events, "weights/");
    assert!(
        weights > 20 && weights == count(&events, "gradients/"),
        "{weights} histograms, of one epoch in two"
    );
    assert_eq!(text(&run.join("times.tsv")).lines().count(), 1 + 2 * 3);
    let report = text(&run.join("report.html"));
    for part in ["l_brow", "val-best", "Worst images", "peak memory", "momentum = 0.9"] {
        assert!(report.contains(part), "`{part}` is not in the report");
    }
    assert!(!report.contains("http://") && !report.contains("https://"));
}

#[test]
fn without_its_table_there_are_no_events() {
    let place = Place::with(|text| text.split("[log]").next().unwrap().to_owned());
    place.run(&["train", "tiny"]);
    assert!(!place.only_run().join("events").exists());
    let message = Place::with(|text| text + "pictured = 3\n").fails(&["train", "tiny"]);
    assert!(message.contains("pictured") && message.contains("`pictures`"), "{message}");
}

#[test]
fn every_image_is_scored_and_the_worst_are_drawn() {
    let place = Place::new();
    place.run(&["train", "tiny"]);
    place.run(&["eval", "tiny", "--worst", "2", "--pictures", "1"]);
    let folder = place.only_run().join("eval/val-best");
    let images = text(&folder.join("images.tsv"));
    let rows: Vec<Vec<&str>> = images.lines().map(|line| line.split('\t').collect()).collect();
    assert_eq!(rows[0], ["id", "mean_f1_foreground", "mean_f1", "mean_iou", "pixel_accuracy"]);
    let mut ranked: Vec<(f64, &str)> =
        rows[1..].iter().map(|row| (row[2].parse().unwrap(), row[0])).collect();
    ranked.sort_by(|a, b| a.0.total_cmp(&b.0));
    assert_eq!(ranked.len(), 3);
    let drawn = entries(&folder.join("worst"));
    assert_eq!(drawn.len(), 2, "those of the training's end are gone: {drawn:?}");
    let name = drawn[0].file_name().unwrap().to_str().unwrap();
    assert!(name == format!("001-{}.png", ranked[0].1), "{name} {ranked:?}");
    let pixels: usize = 3 * 32 * 32;
    let confusion = text(&folder.join("confusion.tsv"));
    let cells = confusion.lines().skip(1).flat_map(|line| line.split('\t').skip(1));
    assert_eq!(cells.map(|cell| cell.parse::<usize>().unwrap()).sum::<usize>(), pixels);
    let counts = std::fs::read(folder.join("images-counts.npy")).unwrap();
    let numbers = &counts[counts.len() - 3 * 19 * 3 * 4..];
    let truth = numbers.chunks(12).map(|class| u32::from_le_bytes(class[4..8].try_into().unwrap()) as usize);
    assert_eq!(truth.sum::<usize>(), pixels);
}

#[test]
fn reports_and_plots_of_several_and_of_young_runs() {
    let place = Place::new();
    let young = place.path("runs/young/2031-01-01_00-00-00");
    std::fs::create_dir_all(&young).unwrap();
    std::fs::write(young.join("config.toml"), "epochs = 9\n").unwrap();
    place.run(&["report", "young"]);
    assert!(text(&young.join("report.html")).contains("No scores yet"));
    place.run(&["train", "tiny"]);
    assert!(place.fails(&["plot", "young"]).contains("no step is logged"));
    let printed =
        place.run(&["plot", "tiny", "--columns", "loss,mean_f1", "--smooth", "0.5", "--out", "plots"]);
    assert_eq!(printed.lines().count(), 4, "{printed}");
    assert_eq!(image::image_dimensions(place.path("plots/loss.png")).unwrap(), (1200, 675));
    assert!(text(&place.path("plots/mean_f1.svg")).contains("mean F1"));
    assert!(place.fails(&["plot", "tiny", "--columns", "lost"]).contains("loss, parsing"));
    place.run(&["report", "tiny", "runs/young/2031-01-01_00-00-00", "--out", "both.html"]);
    let page = text(&place.path("both.html"));
    for part in ["2 runs compared", "young/2031", "What differs", "mean F1, all classes"] {
        assert!(page.contains(part), "`{part}` is not in the page");
    }
    let message = place.fails(&["report", "nowhere"]);
    assert!(message.contains("nowhere") && message.contains("no run found"), "{message}");
    assert!(place.fails(&["report", "configs"]).contains("config.toml"));
}
