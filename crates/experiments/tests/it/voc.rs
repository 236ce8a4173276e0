//! Networks of classes, from a config to tables and label maps: on files of coloured shapes with void borders.

use std::path::Path;

use image::{GrayImage, Luma, Rgb, RgbImage};

use crate::{Place, entries};

/// A config of seconds: pictures of 40 x 32 pixels and smaller, 2 epochs of 3 steps.
const SMALL: &str = r#"experiment = "voc"
seed = 3
epochs = 2
on-nan = "stop"

[data.folder]
root = "set"
images = "images"
masks = "masks"
classes = ["background", "disc", "square"]
swaps = []
split = { counts = { val = 3, test = 2, seed = 1 } }

[loader]
batch = 2
threads = 1
prefetch = 2
shuffle = true
drop-last = true

[augment]
size = [32, 32]
flip = 0.5

[model.deeplab-v3-plus]
classes = 3
output-stride = 8
width = 8
low-width = 4
dropout = 0.1
memory = "plain"

[model.deeplab-v3-plus.backbone.small]
width = 2
blocks = [1, 1, 1, 1]
stem-width = 4
stem-stride = 2
max-pool = false

[loss.cross-entropy]
void-in-mean = false

[optim.adam]
lr = 0.01
betas = [0.9, 0.999]
eps = 1e-8
weight-decay = 0.0

[schedule.poly]
power = 0.9

[crf]
iterations = 2
gaussian = { position = 3.0, weight = 3.0 }
bilateral = { position = 80.0, colour = 13.0, weight = 10.0 }

[log]
tensorboard = true
pictures = 1
histograms-every = 0
"#;

/// The models that have an auxiliary head, in the place of DeepLabV3+.
const DEEPLAB_V3: &str = "[model.deeplab-v3]\nclasses = 3\nwidth = 8\ndropout = 0.5\nauxiliary = true\nauxiliary-dropout = 0.1\nmemory = \"plain\"\n\n\
                          [model.deeplab-v3.backbone.small]";
const PSPNET: &str = "[model.pspnet]\nclasses = 3\nbins = [1, 2, 3, 6]\npooling = \"average\"\nwidth = 8\nauxiliary = true\nauxiliary-width = 8\ndropout = 0.1\nmemory = \"plain\"\n\n\
                      [model.pspnet.backbone.small]";

/// The light model, in the place of DeepLabV3+.
const SQUEEZENET: &str = "[model.squeezenet]\nversion = \"1.1\"\nclasses = 3\npyramid = true\ncontext-dropout = 0.3\ndecoder-dropout = 0.15\n\n";

/// Eleven pictures with a border of void around their shapes.
fn place(change: impl FnOnce(String) -> String) -> Place {
    let place = Place::with(|_| change(SMALL.to_owned()));
    for folder in ["set/images", "set/masks"] {
        std::fs::create_dir_all(place.path(folder)).unwrap();
    }
    for index in 0..11_u32 {
        let (width, height, class) = (40 - index % 3, 32 - index % 2, 1 + (index % 2) as u8);
        let labels = GrayImage::from_fn(width, height, |x, y| {
            let (dx, dy) = (x.abs_diff(14 + index % 7), y.abs_diff(15));
            let far = if class == 1 { (dx * dx + dy * dy).isqrt() } else { dx.max(dy) };
            Luma([[class, 255, 0][usize::from(far >= 9) + usize::from(far >= 11)]])
        });
        let image = RgbImage::from_fn(width, height, |x, y| match labels.get_pixel(x, y)[0] {
            255 => Rgb([128, 128, 128]),
            0 => Rgb([40, (90 + x) as u8, 40]),
            class => Rgb([220, 60 * class, (30 + y) as u8]),
        });
        image.save(place.path(&format!("set/images/{index}.png"))).unwrap();
        labels.save(place.path(&format!("set/masks/{index}.png"))).unwrap();
    }
    place
}

fn with_model(text: &str, model: &str) -> String {
    let start = text.find("[model.deeplab-v3-plus]").unwrap();
    let end = text.find("[model.deeplab-v3-plus.backbone.small]").unwrap();
    let rest = text[end..].replace("[model.deeplab-v3-plus.backbone.small]", "");
    format!("{}{model}{rest}", &text[..start]).replace("epochs", "auxiliary-loss = 0.4\nepochs")
}

/// The cells of a row that begins with `name`.
fn row(path: &Path, name: &str) -> Vec<String> {
    let text = std::fs::read_to_string(path).unwrap();
    let line = text.lines().find(|line| line.split('\t').next() == Some(name));
    line.unwrap_or_else(|| panic!("no row {name} in\n{text}")).split('\t').map(str::to_owned).collect()
}

#[test]
fn training_scoring_and_prediction_leave_their_files() {
    let place = place(|text| text);
    let printed = place.run(&["train", "tiny"]);
    for word in ["raw, IoU %", "union", "against the truth", "agreement raw↔CRF, without the truth", "square"]
    {
        assert!(printed.contains(word), "`{word}` is not in:\n{printed}");
    }
    let run = place.only_run();
    let folder = run.join("eval/val-best");
    for name in ["raw", "CRF", "union", "mean"] {
        let cells = row(&folder.join("ways.tsv"), name);
        assert!(cells[1..].iter().all(|cell| (0.0..=100.0).contains(&cell.parse::<f64>().unwrap())));
    }
    for name in ["mean IoU %", "boundary IoU %, CRF", "pixel accuracy %, union", "mean F1 %, mean"] {
        assert_eq!(row(&folder.join("means.tsv"), name).len(), 2);
    }
    assert_eq!(row(&folder.join("classes.tsv"), "disc").len(), 2 + 4);
    assert_eq!(row(&folder.join("agreement.tsv"), "pixels with the same class").len(), 2);
    assert_eq!(row(&folder.join("images.tsv"), "id").len(), 7);
    for file in ["confusion.tsv", "overview.png"] {
        assert!(folder.join(file).is_file(), "{file}");
    }
    assert_eq!(entries(&folder.join("worst")).len(), 3);
    assert_eq!(row(&run.join("epochs.tsv"), "step")[2..4], ["train_loss", "val_loss"]);
    assert!(run.join("report.html").is_file() && run.join("provenance.toml").is_file());

    place.run(&["predict", "tiny", "set/images/0.png", "--out", "maps", "--crf", "--logits"]);
    for file in ["0.png", "0.overlay.png", "0.crf.png", "0.crf.overlay.png"] {
        let picture = image::open(place.path(&format!("maps/{file}"))).unwrap();
        assert_eq!((picture.width(), picture.height()), (40, 32), "{file}");
    }
    assert!(place.path("maps/0.npy").is_file());
    place.run(&["predict", "tiny", "set/images/0.png", "--out", "plain"]);
    assert_eq!(entries(&place.path("plain")).len(), 2);
    assert!(place.run(&["summary", "tiny", "--no-memory"]).contains("decoder"));
}

#[test]
fn a_stopped_run_goes_on_to_the_same_bytes_and_a_run_can_be_repeated() {
    let change = |text: String| {
        let plateau = "[schedule.plateau]\nmode = \"min\"\nfactor = 0.1\npatience = 0\nthreshold = 1e-4\ncooldown = 0\nmin-factor = 0.0";
        let text = with_model(&text, PSPNET).replace("[schedule.poly]\npower = 0.9", plateau);
        text.replace("seed = 3\nauxiliary", "plateau-on = \"training-loss\"\nseed = 3\nauxiliary")
    };
    let (straight, stopped) = (place(change), place(change));
    straight.run(&["train", "tiny"]);
    for steps in ["2", "3", "5"] {
        let begun = if steps == "2" { vec![] } else { vec!["--resume"] };
        stopped.run(&[&["train", "tiny", "--stop-after", steps], &begun[..]].concat());
    }
    let printed = stopped.run(&["train", "tiny", "--resume"]);
    assert!(printed.contains("resumed     after step 5"), "{printed}");
    for file in ["log.tsv", "epochs.tsv", "checkpoints/last.safetensors", "eval/val-best/means.tsv"] {
        let read = |place: &Place| std::fs::read(place.only_run().join(file)).unwrap();
        assert!(read(&straight) == read(&stopped), "{file} differs");
    }
    let printed = straight.run(&["repro", &straight.only_run().to_string_lossy()]);
    assert!(printed.contains("same weights"), "{printed}");
}

#[test]
fn void_pixels_never_count_unless_asked_for() {
    let place = place(|text| text);
    place.run(&["train", "tiny", "--set", "epochs=1"]);
    let run = place.only_run();
    let read = |file: &str| std::fs::read_to_string(run.join(file)).unwrap();
    let confusion = read("eval/val-best/confusion.tsv");
    let cells = confusion.lines().skip(1).flat_map(|line| line.split('\t').skip(1));
    let counted: u64 = cells.map(|count| count.parse::<u64>().unwrap()).sum();
    let labelled = |line: &str| {
        let id = line.split('\t').next().unwrap();
        let mask = image::open(place.path(&format!("set/masks/{id}.png"))).unwrap().into_luma8();
        mask.iter().filter(|label| **label != 255).count() as u64
    };
    let images = read("eval/val-best/images.tsv");
    assert_eq!(counted, images.lines().skip(1).map(labelled).sum::<u64>());

    // The first step's loss is lower by the share of void where void is in its mean.
    let quirk = self::place(|text| text.replace("void-in-mean = false", "void-in-mean = true"));
    quirk.run(&["train", "tiny", "--set", "epochs=1"]);
    let first = |run: &Path| {
        let log = std::fs::read_to_string(run.join("log.tsv")).unwrap();
        log.lines().nth(1).unwrap().split('\t').nth(3).unwrap().parse::<f64>().unwrap()
    };
    let share = first(&quirk.only_run()) / first(&run);
    assert!((0.7..0.95).contains(&share), "{share}");
}

#[test]
fn every_model_and_loss_trains() {
    for (model, loss) in [
        (
            DEEPLAB_V3,
            "[loss.ce-dice]\nalpha = 0.75\nsmooth = 1.0\nprobabilities = \"softmax\"\nvoid-in-mean = false",
        ),
        (PSPNET, "[loss.focal]\ngamma = 0.0\nalpha = 1.0\nvoid-in-mean = true"),
    ] {
        let place = place(|text| {
            with_model(&text, model).replace("[loss.cross-entropy]\nvoid-in-mean = false", loss)
        });
        place.run(&["train", "tiny", "--set", "epochs=1"]);
        let log = std::fs::read_to_string(place.only_run().join("log.tsv")).unwrap();
        let last: Vec<f64> = log.lines().last().unwrap().split('\t').map(|n| n.parse().unwrap()).collect();
        let [loss, main, auxiliary] = last[3..6] else { panic!("{log}") };
        assert!(auxiliary > 0.0 && (main + 0.4 * auxiliary - loss).abs() < 1e-5, "{log}");
    }
}

#[test]
fn squeezenet_trains_and_labels_pictures_of_all_sizes() {
    let place = place(|text| {
        let start = text.find("[model.deeplab-v3-plus]").unwrap();
        let end = text.find("[loss.cross-entropy]").unwrap();
        format!("{}{SQUEEZENET}{}", &text[..start], &text[end..])
    });
    place.run(&["train", "tiny", "--set", "epochs=1"]);
    let folder = place.only_run().join("eval/val-best");
    assert_eq!(row(&folder.join("classes.tsv"), "square").len(), 2 + 4);
    place.run(&["predict", "tiny", "set/images/1.png", "--out", "predicted"]);
    let size = |file: &str| image::image_dimensions(place.path(file)).unwrap();
    assert_eq!(size("predicted/1.png"), size("set/images/1.png"));
}

#[test]
fn looks_and_windows_change_the_result_and_are_checked() {
    let crop = "[augment.crop]\nscale = [0.5, 2.0]\nsmaller = \"pad\"\n\n[model";
    let place = place(|text| {
        text.replace("[model.deeplab-v3-plus]", &format!("{crop}.deeplab-v3-plus]"))
            .replace("[32, 32]", "[24, 24]")
    });
    place.run(&["train", "tiny", "--set", "epochs=1"]);
    let map = |changes: &[&str]| {
        let changes = changes.iter().flat_map(|change| ["--set", change]);
        let arguments: Vec<&str> = ["predict", "tiny", "set/images/0.png", "--out", "maps", "--logits"]
            .into_iter()
            .chain(changes)
            .collect();
        place.run(&arguments);
        std::fs::read(place.path("maps/0.npy")).unwrap()
    };
    let plain = map(&[]);
    assert_eq!(plain, map(&["test.scales=[1.0]", "test.flip=false"]), "the default is one look");
    let scales = map(&["test.scales=[0.75, 1.0, 1.25]", "test.flip=false"]);
    let flip = map(&["test.scales=[1.0]", "test.flip=true"]);
    let one = ["test.scales=[1.0]", "test.flip=false"];
    let windows = map(&[&one[..], &["test.windows.size=[24, 24]", "test.windows.overlap=8"]].concat());
    for other in [&scales, &flip, &windows] {
        assert!(plain.len() == other.len() && plain != *other);
    }
    // A window as large as the padded picture sees what the network sees without one.
    assert_eq!(plain, map(&[&one[..], &["test.windows.size=[32, 40]", "test.windows.overlap=8"]].concat()));
    // Scores of other settings do not replace those of the run's own.
    let folders = || entries(&place.only_run().join("eval"));
    let means =
        |folder: &str| std::fs::read(place.only_run().join("eval").join(folder).join("means.tsv")).unwrap();
    let (own, folder) = (means("val-best"), "val-best,test.flip=true,test.scales=0.75_1.0");
    let printed = place.run(&["eval", "tiny", "--set", "test.scales=[0.75, 1.0]", "--set", "test.flip=true"]);
    assert!(printed.contains("settings  test.flip=true, test.scales=[0.75, 1.0]"), "{printed}");
    assert!(printed.contains(folder), "{printed}");
    assert!(folders().len() == 2 && means("val-best") == own && !means(folder).is_empty(), "{:?}", folders());
    place.run(&["eval", "tiny", "--set", "crf.iterations=2"]);
    assert_eq!(folders().len(), 2, "the run's own value is no change");
    let fails = |changes: &[&str]| {
        let changes = changes.iter().flat_map(|change| ["--set", change]);
        place.fails(&["eval", "tiny"].into_iter().chain(changes).collect::<Vec<_>>())
    };
    let message = fails(&["test.scales=[]", "test.flip=false"]);
    assert!(message.contains("test.scales is empty"), "{message}");
    let message = fails(&["model.deeplab-v3-plus.width=9"]);
    assert!(message.contains("model.deeplab-v3-plus.width") && message.contains("[test]"), "{message}");
}

#[test]
fn keys_that_do_not_fit_each_other_are_named() {
    let place = place(|text| text);
    for (change, words) in [
        ("model.deeplab-v3-plus.classes=4", &["are 4", "background, disc, square"][..]),
        ("auxiliary-loss=0.4", &["auxiliary-loss is 0.4", "no auxiliary head"]),
        ("plateau-on=mean-iou", &["plateau-on needs [schedule.plateau]"]),
        ("plateau-on=the-loss", &["`training-loss`", "`validation-loss`", "`mean-iou`"]),
        ("crf.iterations=0", &["crf.iterations is 0"]),
        ("epochs=0", &["epochs is 0"]),
        (
            "groups=[{ prefixes = ['backbon.'], factor = 10 }]",
            &["groups[0].prefixes[0] is 'backbon.'", "backbone."],
        ),
        ("groups=[{ prefixes = ['score.'], factor = -1 }]", &["groups[0].factor"]),
        ("optim.adam.lr=-1", &["lr"]),
        ("schedule.poly.power=-1", &["power"]),
        ("loader.batch=0", &["loader.batch"]),
        ("loader.batch=1000", &["loader.batch"]),
        ("augment.flip=2", &["augment.flip"]),
        ("model.deeplab-v3-plus.width=0", &["width"]),
        ("warmup={ steps = 3, start-factor = -0.5 }", &["start-factor"]),
        ("loss.cross-entropy.void=true", &["`void-in-mean`"]),
    ] {
        let message = place.fails(&["train", "tiny", "--set", change]);
        for word in words {
            assert!(message.contains(word), "`{word}` is not in:\n{message}");
        }
    }
    let windows = ["--set", "test.windows.size=[24,24]", "--set", "test.windows.overlap=8"];
    let one = ["train", "tiny", "--set", "test.scales=[1.0]", "--set", "test.flip=false"];
    let message = place.fails(&[&one[..], &windows].concat());
    assert!(message.contains("[test.windows] needs [augment.crop]"), "{message}");
    let message = place.fails(&["train", "tiny", "--weights", "none.pth"]);
    assert!(message.contains("none.pth: cannot read it"), "{message}");
    assert!(!place.path("runs").exists(), "a wrong config must leave no run");

    let missing = self::place(|text| with_model(&text, PSPNET).replace("auxiliary-loss = 0.4\n", ""));
    let message = missing.fails(&["train", "tiny"]);
    assert!(message.contains("auxiliary-loss is missing"), "{message}");
}
