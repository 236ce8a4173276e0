//! Hair networks, from a folder in Figaro-1k's layout to masks and new colours.

use std::path::Path;

use image::{GrayImage, Luma, Rgb, RgbImage};

use crate::{Place, entries};

/// A config of seconds: windows of 32 pixels, 2 epochs of 3 steps.
const SMALL: &str = r#"experiment = "hair"
seed = 3
epochs = 2
on-nan = "stop"
foreground = ["hair"]
threshold = 0.5

[data.figaro]
root = "set"
[data.figaro.split.held-out]
share = 0.25
seed = 1

[loader]
batch = 2
threads = 1
prefetch = 2
shuffle = true
drop-last = true

[augment]
size = [32, 32]
flip = 0.5
[augment.crop]
scale = [1.0, 1.0]
smaller = "resize"
[augment.rotation]
limit = 5.0
[augment.colour]
brightness = 0.05
contrast = 0.05
saturation = 0.05
hue = 0.05

[model.squeezenet]
version = "1.1"
classes = 1
pyramid = true
context-dropout = 0.3
decoder-dropout = 0.15

[loss.weighted-bce]
foreground-weight = 1.0

[optim.adam]
lr = 0.001
betas = [0.9, 0.999]
eps = 1e-8
weight-decay = 0.0

[schedule.plateau]
mode = "min"
factor = 0.1
patience = 10
threshold = 1e-4
cooldown = 0
min-factor = 0.0

[log]
tensorboard = true
pictures = 1
histograms-every = 0
"#;

/// The config with eight frames of two styles to train on, two of which are held out, and two to test on.
fn place(change: impl FnOnce(String) -> String) -> Place {
    let place = Place::with(|_| change(SMALL.to_owned()));
    for (half, numbers) in [("Training", [1, 2, 3, 4, 151, 152, 153, 154].as_slice()), ("Testing", &[5, 155])]
    {
        for number in numbers {
            add(&place.path("set"), half, *number);
        }
    }
    place
}

/// A disc of brown on grey; one frame is smaller than the window, and no size is a multiple of 32.
fn add(root: &Path, half: &str, number: u32) {
    let (width, height) = if number == 2 { (30, 45) } else { (50 + number % 7, 41) };
    let hair = |x: u32, y: u32| (x as i32 - 20).pow(2) + (y as i32 - 15).pow(2) < 150;
    let image = RgbImage::from_fn(width, height, |x, y| {
        if hair(x, y) { Rgb([90, 50 + (x % 9) as u8, 20]) } else { Rgb([150, 160, 150 + (y % 30) as u8]) }
    });
    let mask = GrayImage::from_fn(width, height, |x, y| Luma([255 * u8::from(hair(x, y))]));
    let [original, truth] = ["Original", "GT"].map(|kind| root.join(kind).join(half));
    for folder in [&original, &truth] {
        std::fs::create_dir_all(folder).unwrap();
    }
    image.save(original.join(format!("Frame{number:05}-org.jpg"))).unwrap();
    mask.save(truth.join(format!("Frame{number:05}-gt.png"))).unwrap();
}

fn rows(path: &Path) -> Vec<Vec<String>> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect()
}

#[test]
fn training_scoring_and_prediction_leave_their_files() {
    let place = place(|text| text);
    std::fs::copy(
        place.path("set/GT/Training/Frame00001-gt.png"),
        place.path("set/GT/Training/Frame00001-gt(1).png"),
    )
    .unwrap();
    let printed = place.run(&["train", "tiny"]);
    for word in
        ["Frame00001-gt(1).png: passed over", "6 to train on, 2 held out", "IoU %", "straight", "wavy"]
    {
        assert!(printed.contains(word), "`{word}` is not in:\n{printed}");
    }
    let run = place.only_run();
    let epochs = rows(&run.join("epochs.tsv"));
    assert_eq!(epochs.len(), 1 + 2);
    for column in ["train_loss", "train_f1", "loss", "accuracy", "iou", "f1"] {
        assert!(epochs[0].iter().any(|name| name == column), "{column}");
    }
    let folder = run.join("eval/val-best");
    let means = rows(&folder.join("means.tsv"));
    let names: Vec<&str> = means[1..5].iter().map(|row| row[0].as_str()).collect();
    assert_eq!(names, ["loss", "pixel accuracy %", "IoU %", "F1 %"]);
    let thresholds = rows(&folder.join("thresholds.tsv"));
    assert_eq!((thresholds.len(), thresholds[6][0].as_str()), (1 + 11, "0.5"));
    assert_eq!(thresholds[6][1..4], [&means[2][1], &means[3][1], &means[4][1]].map(String::clone));
    let groups = rows(&folder.join("groups.tsv"));
    assert_eq!(
        groups.iter().skip(1).map(|row| row[..2].join(" ")).collect::<Vec<_>>(),
        ["straight 1", "wavy 1"]
    );
    assert_eq!(entries(&folder.join("maps")).len(), 2 * 3);
    assert!(folder.join("curve.svg").is_file() && run.join("report.html").is_file());

    let printed = place.run(&["eval", "tiny", "--checkpoint", "last", "--split", "test"]);
    assert!(printed.contains("2 images of test"), "{printed}");
    place.run(&["predict", "tiny", "set/Original/Testing", "--out", "masks"]);
    let mask = image::open(place.path("masks/Frame00005-org.png")).unwrap();
    assert_eq!((mask.width(), mask.height()), (55, 41));
}

#[test]
fn a_stopped_run_goes_on_to_the_same_weights() {
    let (straight, stopped) = (place(|text| text), place(|text| text));
    straight.run(&["train", "tiny"]);
    stopped.run(&["train", "tiny", "--stop-after", "2"]);
    stopped.run(&["train", "tiny", "--resume", "--stop-after", "4"]);
    let printed = stopped.run(&["train", "tiny", "--resume"]);
    assert!(printed.contains("resumed     after step 4"), "{printed}");
    for file in ["log.tsv", "epochs.tsv", "checkpoints/last.safetensors", "checkpoints/best.safetensors"] {
        let read = |place: &Place| std::fs::read(place.only_run().join(file)).unwrap();
        assert!(read(&straight) == read(&stopped), "{file} differs");
    }
}

#[test]
fn the_plateau_watches_the_loss_of_the_held_out_images() {
    let place = place(|text| {
        let text = text.replace("patience = 10", "patience = 0").replace("epochs = 2", "epochs = 4");
        text.replace("lr = 0.001", "lr = 0.05").replace("pyramid = true", "pyramid = false")
    });
    place.run(&["train", "tiny"]);
    let run = place.only_run();
    let (epochs, steps) = (rows(&run.join("epochs.tsv")), rows(&run.join("log.tsv")));
    let column = |table: &[Vec<String>], name: &str| -> Vec<f64> {
        let at = table[0].iter().position(|column| column == name).unwrap();
        table[1..].iter().map(|row| row[at].parse().unwrap()).collect()
    };
    let (losses, rates) = (column(&epochs, "loss"), column(&steps, "lr"));
    let (mut rate, mut best) = (0.05, f64::INFINITY);
    for (epoch, loss) in losses.iter().enumerate() {
        assert!((rates[3 * epoch] / rate - 1.0).abs() < 1e-9, "epoch {epoch}: {rates:?}, losses {losses:?}");
        if *loss < best * (1.0 - 1e-4) { best = *loss } else { rate *= 0.1 }
    }
}

#[test]
fn the_large_network_and_other_losses_train_too() {
    let large = "[model.pspnet]\nclasses = 1\nbins = [1, 2]\npooling = \"max\"\nwidth = 4\nauxiliary = false\nauxiliary-width = 4\ndropout = 0.1\nmemory = \"plain\"\n\
                 [model.pspnet.backbone.small]\nwidth = 4\nblocks = [1, 1, 1, 1]\nstem-width = 4\nstem-stride = 2\nmax-pool = false\n\n";
    let place = place(|text| {
        let (start, end) = (text.find("[model.squeezenet]").unwrap(), text.find("[loss").unwrap());
        let text = format!("{}{large}{}", &text[..start], &text[end..]);
        text.replace("weighted-bce]\nforeground-weight = 1.0", "soft-f1]").replace("epochs = 2", "epochs = 1")
    });
    let printed = place.run(&["train", "tiny"]);
    assert!(printed.contains("IoU %"), "{printed}");
    let message = place.fails(&["train", "tiny", "--set", "model.pspnet.auxiliary=true"]);
    assert!(message.contains("model.pspnet.auxiliary is true"), "{message}");
}

#[test]
fn mistakes_are_one_clear_error_and_leave_no_run() {
    let place = place(|text| text);
    let refused = |changes: &[&str], words: &[&str]| {
        let sets = changes.iter().flat_map(|change| ["--set", change]);
        let arguments: Vec<&str> = ["train", "tiny"].into_iter().chain(sets).collect();
        let message = place.fails(&arguments);
        for word in words {
            assert!(message.contains(word), "`{word}` is not in: {message}");
        }
        assert!(!place.path("runs").exists(), "{message}");
    };
    refused(&["model.squeezenet.classes=2"], &["model.squeezenet.classes is 2"]);
    refused(&["model.squeezenet.version=\"2.0\""], &["unknown variant `2.0`", "`1.1`"]);
    refused(&["schedule.plateau.mode=max"], &["schedule.plateau.mode must be \"min\""]);
    refused(&["loss.weighted-bce.foreground-weight=auto"], &["give a number"]);
    refused(&["threshold=1.0"], &["threshold is 1"]);
    refused(&["augment.size=[16,32]"], &["augment.size is 16 x 32", "32 x 32"]);
    refused(&["foreground=[\"beard\"]"], &["beard"]);
    refused(&["data.figaro.root=nowhere"], &["nowhere: no such folder"]);
    std::fs::remove_file(place.path("set/GT/Training/Frame00003-gt.png")).unwrap();
    refused(&[], &["Frame00003-gt.{pbm,png}: no such file"]);
}

#[test]
fn predictions_are_soft_and_recoloured_and_failures_come_last() {
    let place = place(|text| text.replace("epochs = 2", "epochs = 1"));
    place.run(&["train", "tiny"]);
    let photos = place.path("set/Original/Testing");
    place.run(&[
        "predict",
        "tiny",
        "set/Original/Testing",
        "--out",
        "masks",
        "--recolour",
        "#8a2be2",
        "--logits",
    ]);
    let mut files: Vec<String> = entries(&place.path("masks"))
        .iter()
        .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
        .filter(|name| name.starts_with("Frame00005"))
        .collect();
    files.sort();
    let endings = ["overlay.png", "png", "probability.npy", "probability.png", "recoloured.png"];
    assert_eq!(files, endings.map(|ending| format!("Frame00005-org.{ending}")));
    let open = |ending: &str| image::open(place.path(&format!("masks/Frame00005-org.{ending}"))).unwrap();
    let photo = image::open(photos.join("Frame00005-org.jpg")).unwrap().into_rgb8();
    let (soft, violet) = (open("probability.png").into_luma8(), open("recoloured.png").into_rgb8());
    assert_eq!((soft.dimensions(), violet.dimensions()), (photo.dimensions(), photo.dimensions()));
    let changed = photo.pixels().zip(violet.pixels()).filter(|(before, after)| before != after).count();
    assert!(changed > 0, "an untrained network is never sure that there is no hair");

    std::fs::write(photos.join("broken.jpg"), "no picture").unwrap();
    let message = place.fails(&["predict", "tiny", "set/Original/Testing", "--out", "others"]);
    assert!(message.contains("1 of 3 images failed") && message.contains("broken.jpg"), "{message}");
    assert!(place.path("others/Frame00155-org.png").is_file(), "the others are done");
    let output = place.command(&["predict", "tiny", "set", "--recolour", "violet"]).output().unwrap();
    let message = crate::error(&output);
    assert!(!output.status.success() && message.contains("six hexadecimal digits"), "{message}");
}

#[test]
fn variants_are_trained_once_and_scored_side_by_side() {
    let place = place(|text| text.replace("epochs = 2", "epochs = 1"));
    let variants = "scores = [\"loss\", \"IoU %\"]\n\
                    curves = [{ file = \"thresholds.tsv\", column = \"F1 %\" }]\n\
                    [[variants]]\nname = \"with\"\nconfig = \"tiny\"\nset = []\n\
                    [[variants]]\nname = \"without\"\nconfig = \"tiny\"\nset = [\"model.squeezenet.pyramid=false\"]\n";
    std::fs::create_dir(place.path("configs/ablate")).unwrap();
    std::fs::write(place.path("configs/ablate/pair.toml"), variants).unwrap();
    // The first variant as if it had been interrupted.
    place.run(&["train", "tiny", "--runs", "runs/ablate/pair", "--stop-after", "1"]);
    std::fs::rename(place.path("runs/ablate/pair/tiny"), place.path("runs/ablate/pair/with")).unwrap();
    let printed = place.run(&["ablate", "pair"]);
    assert_eq!(printed.matches("resumed     after step 1").count(), 1, "{printed}");
    let table = rows(&place.path("runs/ablate/pair/val.tsv"));
    assert_eq!((table.len(), table[0].join(" ").as_str()), (3, "variant loss IoU %"));
    assert_eq!((table[1][0].as_str(), table[2][0].as_str()), ("with", "without"));
    assert_ne!(table[1][1], table[2][1]);
    let text = std::fs::read_to_string(place.path("runs/ablate/pair/val.txt")).unwrap();
    assert!(printed.contains(&text), "{text}");
    let curve = rows(&place.path("runs/ablate/pair/val-curve-1.tsv"));
    assert_eq!((curve.len(), curve[0].join(" ").as_str()), (12, "at with without"));
    assert_ne!(curve[1][1], "0.00", "at threshold 0 all pixels are hair");
    for variant in ["with", "without"] {
        assert_eq!(entries(&place.path("runs/ablate/pair").join(variant)).len(), 1, "{variant}");
    }

    let again = place.run(&["ablate", "pair", "--split", "test"]);
    assert!(again.matches("\ntrained     ").count() == 2 && !again.contains("epoch 1/1"), "{again}");
    assert_eq!(rows(&place.path("runs/ablate/pair/test.tsv")).len(), 3);
    let message = place.fails(&["ablate", "none"]);
    assert!(message.contains("configs/ablate/none.toml; there are: pair"), "{message}");
    let message = place.fails(&["ablate", "pair", "--set", "model.squeezenet.bins=3"]);
    assert!(message.contains("variant 'with'") && message.contains("bins"), "{message}");
}

#[test]
fn a_config_that_cannot_train_leaves_no_run() {
    let place = place(|text| text);
    for (change, word) in [
        ("groups=[{ prefixes = ['backbone.', 'neck.'], factor = 0.1 }]", "groups[0].prefixes[1] is 'neck.'"),
        ("epochs=0", "epochs is 0"),
        ("optim.adam.lr=-1", "lr"),
        ("loader.batch=1000", "loader.batch"),
        ("augment.rotation.probability=1.5", "augment.rotation.probability: 1.5"),
        ("schedule.plateau.factor=2", "factor"),
        ("model.squeezenet.context-dropout=2", "dropout"),
    ] {
        let message = place.fails(&["train", "tiny", "--set", change]);
        assert!(message.contains(word), "`{word}` is not in:\n{message}");
        assert!(!place.path("runs").exists(), "{change} must leave no run");
    }
}
