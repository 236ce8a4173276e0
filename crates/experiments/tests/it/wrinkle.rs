//! Wrinkle networks: of the whole picture and of its parts, from a config to maps.

use std::path::{Path, PathBuf};

use image::{GrayImage, Luma, Rgb, RgbImage};

use crate::{Place, entries};

/// A config of seconds: pictures of 64 pixels, 2 epochs of 3 steps.
const SMALL: &str = r#"experiment = "wrinkle"
seed = 3
epochs = 2
on-nan = "stop"
foreground = ["wrinkle"]
threshold = 0.5
texture = false

[data.wrinkles]
seed = 3
size = 64
train = 6
val = 2
test = 1

[loader]
batch = 2
threads = 1
prefetch = 2
shuffle = true
drop-last = true

[augment]
size = [64, 64]
flip = 0.5

[model]
channels = 3
classes = 1
base-width = 2
upsampling = "bilinear"
dropout = 0.3
memory = "plain"

[loss.weighted-bce]
foreground-weight = "auto"

[optim.adam]
lr = 0.01
betas = [0.9, 0.999]
eps = 1e-8
weight-decay = 0.0

[schedule.poly]
power = 0.9

[log]
tensorboard = true
pictures = 1
histograms-every = 0
"#;

const PARTS: &str = r#"
[[parts]]
name = "upper"
size = [32, 64]
region.fractions = { rows = [0.0, 0.6], columns = [0.0, 1.0] }

[[parts]]
name = "lower"
size = [32, 48]
region.fractions = { rows = [0.4, 1.0], columns = [0.1, 0.9] }
"#;

fn place(change: impl FnOnce(String) -> String) -> Place {
    Place::with(|_| change(SMALL.to_owned()))
}

fn partitioned() -> Place {
    place(|text| text + PARTS)
}

fn rows(path: &Path) -> Vec<Vec<String>> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect()
}

/// Height, width and values of an f32 array.
fn npy(path: &Path) -> (String, Vec<f32>) {
    let bytes = std::fs::read(path).unwrap();
    let start = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    let values = bytes[start..].chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap()));
    (String::from_utf8_lossy(&bytes[10..start]).into_owned(), values.collect())
}

#[test]
fn training_scoring_and_prediction_leave_their_files() {
    let place = place(|text| text);
    let printed = place.run(&["train", "tiny"]);
    for word in ["weight ", "F1, mean of the images", "F1 within 2 pixels", "dark lines, filtered"] {
        assert!(printed.contains(word), "`{word}` is not in:\n{printed}");
    }
    let run = place.only_run();
    assert!(run.to_string_lossy().ends_with("_weighted-bce"), "{run:?}");
    let epochs = rows(&run.join("epochs.tsv"));
    for column in
        ["train_accuracy", "train_precision", "train_recall", "train_f1", "accuracy", "f1", "tolerant_f1"]
    {
        assert!(epochs[0].iter().any(|name| name == column), "{column}");
    }
    assert_eq!(epochs.len(), 1 + 2);
    for name in ["epoch-1", "epoch-2", "best", "last"] {
        assert!(run.join(format!("checkpoints/{name}.safetensors")).is_file(), "{name}");
    }
    let folder = run.join("eval/val-epoch-2");
    for file in ["means.tsv", "curve.tsv", "curve.svg", "curve.png", "beside.tsv", "images.tsv"] {
        assert!(folder.join(file).is_file(), "{file}");
    }
    assert_eq!(rows(&folder.join("curve.tsv")).len(), 1 + 1001);
    assert_eq!(entries(&folder.join("maps")).len(), 2 * 3);
    let (header, map) = npy(&entries(&folder.join("maps"))[0]);
    assert!(header.contains("(64, 64)") && map.len() == 64 * 64, "{header}");
    assert!(map.iter().all(|p| (0.0..=1.0).contains(p)));
    assert!(run.join("report.html").is_file());

    place.run(&["eval", "tiny", "--checkpoint", "epoch-1", "--split", "test"]);
    assert!(run.join("eval/test-epoch-1/means.tsv").is_file());
    let image = RgbImage::from_fn(75, 41, |x, y| Rgb([(3 * x) as u8, (5 * y) as u8, 90]));
    image.save(place.path("wide.png")).unwrap();
    place.run(&["predict", "tiny", "wide.png", "--out", "masks"]);
    let mask = image::open(place.path("masks/wide.png")).unwrap();
    assert_eq!((mask.width(), mask.height()), (75, 41));
    assert_eq!(npy(&place.path("masks/wide.probability.npy")).1.len(), 75 * 41);
}

#[test]
fn with_dropout_and_flips_a_run_goes_on_to_the_same_weights() {
    let (straight, stopped) = (place(|text| text), place(|text| text));
    straight.run(&["train", "tiny"]);
    for steps in ["2", "3", "5"] {
        let begun = if steps == "2" { vec![] } else { vec!["--resume"] };
        stopped.run(&[&["train", "tiny", "--stop-after", steps], &begun[..]].concat());
    }
    let printed = stopped.run(&["train", "tiny", "--resume"]);
    assert!(printed.contains("resumed     after step 5"), "{printed}");
    for file in ["log.tsv", "epochs.tsv", "checkpoints/last.safetensors", "checkpoints/epoch-1.safetensors"] {
        let read = |place: &Place| std::fs::read(place.only_run().join(file)).unwrap();
        assert!(read(&straight) == read(&stopped), "{file} differs");
    }
    let dry = place(|text| text.replace("dropout = 0.3", "dropout = 0.0"));
    dry.run(&["train", "tiny"]);
    let weights =
        |place: &Place| std::fs::read(place.only_run().join("checkpoints/last.safetensors")).unwrap();
    assert!(weights(&dry) != weights(&straight), "dropout changes nothing");
}

#[test]
fn recomputation_changes_nothing_but_memory() {
    let (plain, recompute) =
        (place(|text| text), place(|text| text.replace("memory = \"plain\"", "memory = \"recompute\"")));
    for file in ["log.tsv", "epochs.tsv", "checkpoints/last.safetensors"] {
        let read = |place: &Place| {
            if !place.path("runs").exists() {
                place.run(&["train", "tiny"]);
            }
            std::fs::read(place.only_run().join(file)).unwrap()
        };
        assert!(read(&plain) == read(&recompute), "{file} differs");
    }
}

#[test]
fn every_loss_trains_and_texture_and_tiles_are_used() {
    for loss in [
        "soft-f1]",
        "dice]\nsmooth = 1.0",
        "focal]\ngamma = 2.0\nalpha = 0.75",
        "dice-focal]\ndice = 1.0\nfocal = 1.0\nsmooth = 1.0\ngamma = 2.0\nalpha = 0.75",
    ] {
        let place = place(|text| {
            let text = text.replace("weighted-bce]\nforeground-weight = \"auto\"", loss);
            let text =
                text.replace("texture = false", "texture = true").replace("channels = 3", "channels = 4");
            text.replace("[model]", "[augment.crop]\nscale = [1.0, 1.0]\nsmaller = \"pad\"\n\n[tiles]\nsize = [48, 48]\noverlap = 16\n\n[model]")
                .replace("size = [64, 64]", "size = [32, 48]")
        });
        place.run(&["train", "tiny", "--set", "epochs=1"]);
        let run = place.only_run();
        let map = npy(&entries(&run.join("eval/val-epoch-1/maps"))[0]).1;
        assert_ne!(map, map_without_tiles(&place, &run), "tiles change nothing");
        let name = loss.split(']').next().unwrap();
        assert!(run.to_string_lossy().ends_with(&format!("_{name}")), "{run:?}");
    }
    let message = place(|text| text).fails(&["train", "tiny", "--set", "texture=true"]);
    assert!(message.contains("model.channels is 3") && message.contains("4 channels"), "{message}");
}

/// The map of the first held-out picture by the same network, which sees the picture as a whole.
fn map_without_tiles(place: &Place, run: &Path) -> Vec<f32> {
    let config = run.join("config.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    let whole = text.replace("[tiles]\nsize = [48, 48]\noverlap = 16\n", "");
    assert_ne!(whole, text);
    std::fs::write(&config, whole).unwrap();
    place.run(&["eval", "tiny"]);
    npy(&entries(&run.join("eval/val-epoch-1/maps"))[0]).1
}

#[test]
fn parts_are_trained_one_by_one_and_merged() {
    let place = partitioned();
    let printed = place.run(&["train", "tiny", "--set", "whole-face=none"]);
    for word in
        ["part 1/2    upper", "part 2/2    lower", "parts merged", "lower, in its crop", "no run of none"]
    {
        assert!(printed.contains(word), "`{word}` is not in:\n{printed}");
    }
    let run = place.only_run();
    let part = run.join("parts/lower").to_string_lossy().into_owned();
    assert!(run.join("eval/val-epoch-2/means.tsv").is_file());
    // A part's run is a run like any other.
    let printed = place.run(&["eval", "tiny", "--run", &part]);
    assert!(!printed.contains("parts merged") && printed.contains("2 images of val"), "{printed}");
    let printed = place.run(&["repro", &run.to_string_lossy()]);
    assert_eq!(printed.matches("same weights").count(), 2, "{printed}");

    std::fs::remove_dir_all(run.join("parts/lower/checkpoints")).unwrap();
    let message = place.fails(&["eval", "tiny"]);
    for word in ["part 'lower' has no trained network", "--resume", "no such checkpoint"] {
        assert!(message.contains(word), "`{word}` is not in:\n{message}");
    }
}

#[test]
fn a_stopped_partitioned_run_goes_on_in_its_part() {
    let (straight, stopped) = (partitioned(), partitioned());
    straight.run(&["train", "tiny"]);
    interrupt_in_second_part(&stopped);
    let printed = stopped.run(&["train", "tiny", "--resume"]);
    assert!(printed.contains("part 2/2    lower") && printed.contains("resumed"), "{printed}");
    for part in ["upper", "lower"] {
        for file in ["log.tsv", "epochs.tsv", "checkpoints/last.safetensors"] {
            let read =
                |place: &Place| std::fs::read(place.only_run().join("parts").join(part).join(file)).unwrap();
            assert!(read(&straight) == read(&stopped), "{part}/{file} differs");
        }
    }
}

/// As if the program had been killed in the second part's first epoch.
fn interrupt_in_second_part(place: &Place) {
    place.run(&["train", "tiny"]);
    let part = place.only_run().join("parts/lower");
    std::fs::remove_dir_all(&part).unwrap();
    std::fs::remove_dir_all(place.only_run().join("eval")).unwrap();
    place.run(&["train", "tiny", "--resume", "--stop-after", "2"]);
    assert!(rows(&part.join("log.tsv")).len() == 1 + 2 && !place.only_run().join("eval").exists());
}

#[test]
fn wrong_parts_are_one_clear_error() {
    let message = place(|text| text + &PARTS.replace("0.6", "1.6")).fails(&["train", "tiny"]);
    assert!(message.contains("part 'upper'") && message.contains("outside of the picture"), "{message}");
    let message = place(|text| text + &PARTS.replace("[32, 64]", "[8, 64]")).fails(&["train", "tiny"]);
    assert!(message.contains("part 'upper'") && message.contains("at least 16 x 16"), "{message}");
}

/// A folder of pictures 40 x 36 with masks of a line each, and the config that reads it.
fn folder(change_mask: impl Fn(usize, &mut GrayImage)) -> Place {
    let place = place(|text| {
        let set = "[data.wrinkles]\nseed = 3\nsize = 64\ntrain = 6\nval = 2\ntest = 1\n";
        let own = "[data.folder]\nroot = \"set\"\nimages = \"images\"\nmasks = \"masks\"\nclasses = [\"background\", \"wrinkle\"]\nswaps = \
                   []\n[data.folder.split.counts]\nval = 1\ntest = 1\nseed = 1\n";
        text.replace(set, own).replace("size = [64, 64]", "size = [32, 32]")
    });
    for name in ["images", "masks"] {
        std::fs::create_dir_all(place.path("set").join(name)).unwrap();
    }
    for index in 0..4 {
        let line = |x: u32| x == 8 + 5 * index as u32;
        let image = RgbImage::from_fn(40, 36, |x, y| Rgb([if line(x) { 60 } else { 150 + y as u8 }; 3]));
        let mut mask = GrayImage::from_fn(40, 36, |x, _| Luma([u8::from(line(x))]));
        change_mask(index, &mut mask);
        image.save(place.path(&format!("set/images/{index}.png"))).unwrap();
        mask.save(place.path(&format!("set/masks/{index}.png"))).unwrap();
    }
    place
}

#[test]
fn masks_of_other_values_or_sizes_are_named() {
    let message = folder(|_, mask| mask.put_pixel(3, 2, Luma([7]))).fails(&["train", "tiny"]);
    assert!(message.contains("masks") && message.contains("label 7 at row 2, column 3"), "{message}");
    let message = folder(|_, mask| *mask = GrayImage::new(40, 35)).fails(&["train", "tiny"]);
    assert!(message.contains("40 x 36") && message.contains("40 x 35"), "{message}");
}

#[test]
fn empty_masks_keep_everything_finite() {
    let place = folder(|index, mask| {
        if index != 0 {
            *mask = GrayImage::new(40, 36);
        }
    });
    let fixed = place.run(&["train", "tiny", "--set", "loss.weighted-bce.foreground-weight=20"]);
    assert!(fixed.contains("F1, all pixels"), "{fixed}");
    for line in rows(&place.only_run().join("epochs.tsv")).iter().skip(1) {
        assert!(line.iter().all(|cell| cell.parse::<f64>().is_ok_and(f64::is_finite)), "{line:?}");
    }
    let empty = folder(|_, mask| *mask = GrayImage::new(40, 36));
    let message = empty.fails(&["train", "tiny"]);
    assert!(message.contains("none of the 2 training masks has a foreground pixel"), "{message}");
    assert!(!empty.path("runs").exists(), "a run was begun");
}

#[test]
fn pictures_smaller_than_the_window_are_padded() {
    let place = folder(|_, _| {});
    let config = place.path("configs/tiny.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    let crop = "[augment.crop]\nscale = [1.0, 1.0]\nsmaller = \"pad\"\n\n[model]";
    std::fs::write(&config, text.replace("size = [32, 32]", "size = [64, 48]").replace("[model]", crop))
        .unwrap();
    place.run(&["train", "tiny"]);
    let maps: Vec<PathBuf> = entries(&place.only_run().join("eval/val-epoch-2/maps"));
    assert!(npy(&maps[0]).0.contains("(36, 40)"), "a map has the picture's own size");
}

#[test]
fn a_config_that_cannot_train_leaves_no_run() {
    let place = place(|text| text);
    for (change, word) in [
        ("epochs=0", "epochs is 0"),
        ("optim.adam.lr=-1", "lr"),
        ("loader.batch=1000", "loader.batch"),
        ("augment.flip=2", "augment.flip"),
        ("schedule.poly.power=-1", "power"),
        ("model.base-width=0", "base-width"),
    ] {
        let message = place.fails(&["train", "tiny", "--set", change]);
        assert!(message.contains(word), "`{word}` is not in:\n{message}");
        assert!(!place.path("runs").exists(), "{change} must leave no run");
    }
}
