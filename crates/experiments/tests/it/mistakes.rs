//! One clear error and exit code 1 for each thing that can be wrong.

use image::{GrayImage, RgbImage};

use crate::{Place, entries, error};

#[test]
fn an_unknown_key_is_shown_with_its_place_and_the_allowed_names() {
    let place = Place::with(|text| text.replace("momentum", "momentun"));
    let message = place.fails(&["train", "tiny"]);
    for part in ["configs/tiny.toml", "line ", "column 1", "momentun", "`momentum`", "`weight-decay`"] {
        assert!(message.contains(part), "`{part}` is not in:\n{message}");
    }
    assert!(!place.path("runs").exists(), "a wrong config must leave no run");
}

#[test]
fn a_wrong_type_is_shown_with_its_place() {
    let message =
        Place::with(|text| text.replace("epochs = 2", "epochs = \"two\"")).fails(&["train", "tiny"]);
    assert!(message.contains("line 3, column 10") && message.contains("invalid type"), "{message}");
}

#[test]
fn unknown_names_list_what_there_is() {
    let place = Place::new();
    assert!(place.fails(&["train", "agrnot"]).contains("there are: tiny"));
    assert!(place.fails(&["train", "tiny", "--set", "experiment=agrnot"]).contains("agrnot"));
    let message = place.fails(&["eval", "tiny"]);
    assert!(message.contains("runs/tiny") && message.contains("train"), "{message}");
    let message = place.fails(&["predict", "tiny", "x.jpg"]);
    assert!(message.contains("runs/tiny"), "{message}");
}

#[test]
fn classes_that_do_not_fit_the_data_are_named() {
    let message = Place::new().fails(&["train", "tiny", "--set", "model.classes=5"]);
    assert!(message.contains("model.classes is 5") && message.contains("l_brow"), "{message}");
}

#[test]
fn a_wrong_width_of_vectors_is_told_before_anything_runs() {
    let place = Place::new();
    let output = place.command(&["train", "tiny"]).env("SCONCE_LANES", "32").output().unwrap();
    let message = error(&output);
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(message.contains("SCONCE_LANES is '32'") && !message.contains("panicked"), "{message}");
    assert!(!place.path("runs").exists(), "a wrong environment must leave no run");
}

#[test]
fn a_config_that_cannot_train_leaves_no_run() {
    let place = Place::new();
    for (change, word) in [
        ("epochs=0", "epochs is 0"),
        ("optim.sgd.momentum=-1", "momentum"),
        ("loader.batch=1000", "loader.batch"),
        ("augment.flip=2", "augment.flip"),
        ("schedule.poly.power=-1", "power"),
        ("model.edge-width=0", "edge-width"),
    ] {
        let message = place.fails(&["train", "tiny", "--set", change]);
        assert!(message.contains(word), "`{word}` is not in:\n{message}");
        assert!(!place.path("runs").exists(), "{change} must leave no run");
    }
}

/// The tiny config on files: `count` images of 40 x 40 pixels with labels 0 and 1.
fn on_files(count: usize) -> Place {
    let place = Place::with(|text| {
        let (start, end) = (text.find("[data.faces]").unwrap(), text.find("[loader]").unwrap());
        let data = "[data.folder]\nroot = \"set\"\nimages = \"images\"\nmasks = \"masks\"\nclasses = [\"back\", \"front\"]\n\
                    swaps = []\nsplit = { counts = { val = 2, test = 1, seed = 1 } }\n\n";
        [&text[..start], data, &text[end..]].concat().replace("classes = 19", "classes = 2")
    });
    for folder in ["set/images", "set/masks"] {
        std::fs::create_dir_all(place.path(folder)).unwrap();
    }
    for index in 0..count {
        let shade = 20 * index as u8;
        RgbImage::from_pixel(40, 40, image::Rgb([shade, 90, 40]))
            .save(place.path(&format!("set/images/{index}.png")))
            .unwrap();
        GrayImage::from_fn(40, 40, |x, _| image::Luma([u8::from(x > 20)]))
            .save(place.path(&format!("set/masks/{index}.png")))
            .unwrap();
    }
    place
}

#[test]
fn a_folder_of_files_trains() {
    let place = on_files(11);
    let printed = place.run(&["train", "tiny"]);
    assert!(printed.contains("8 to train on, 2 held out") && printed.contains("front"), "{printed}");
}

#[test]
fn missing_and_empty_folders_are_named() {
    let place = on_files(11);
    assert!(place.fails(&["train", "tiny", "--set", "data.folder.root=nowhere"]).contains("nowhere"));
    for image in entries(&place.path("set/images")) {
        std::fs::remove_file(image).unwrap();
    }
    assert!(place.fails(&["train", "tiny"]).contains("images"));
}

#[test]
fn a_label_out_of_range_is_shown_with_file_pixel_and_value() {
    let place = on_files(11);
    for mask in entries(&place.path("set/masks")) {
        let mut labels = image::open(&mask).unwrap().into_luma8();
        labels.put_pixel(7, 5, image::Luma([77]));
        labels.save(&mask).unwrap();
    }
    let message = place.fails(&["train", "tiny"]);
    for part in ["set/masks/", ".png", "77", "5", "7", "2 classes"] {
        assert!(message.contains(part), "`{part}` is not in:\n{message}");
    }
}

#[test]
fn an_unreadable_image_and_a_wrong_size_are_named() {
    let place = on_files(11);
    for image in entries(&place.path("set/images")) {
        RgbImage::new(40, 39).save(image).unwrap();
    }
    let message = place.fails(&["train", "tiny"]);
    assert!(message.contains("40") && message.contains("39"), "{message}");
    for image in entries(&place.path("set/images")) {
        std::fs::write(image, b"\x89PNG no picture").unwrap();
    }
    assert!(place.fails(&["train", "tiny"]).contains("set/images/"));
}

#[test]
fn a_batch_of_one_is_too_few_for_batch_norm() {
    let message = Place::new().fails(&["train", "tiny", "--set", "loader.batch=1"]);
    assert!(message.contains("batch"), "{message}");
    assert!(message.contains("[1, ") && message.contains("larger"), "{message}");
}

#[test]
fn a_damaged_or_foreign_checkpoint_is_named() {
    let place = Place::new();
    place.run(&["train", "tiny"]);
    let best = place.only_run().join("checkpoints/best.safetensors");
    let mut bytes = std::fs::read(&best).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&best, bytes).unwrap();
    let message = place.fails(&["eval", "tiny"]);
    assert!(message.contains("best.safetensors") && message.contains("last"), "{message}");
    let config = place.only_run().join("config.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text.replace("state-width = 8", "state-width = 9")).unwrap();
    let message = place.fails(&["eval", "tiny", "--checkpoint", "last"]);
    assert!(message.contains("last.safetensors") && message.contains("shape"), "{message}");
}

#[test]
fn numbers_that_make_no_sense_name_their_key() {
    let place = Place::new();
    assert!(place.fails(&["train", "tiny", "--set", "optim.sgd.momentum=2"]).contains("momentum"));
    assert!(place.fails(&["train", "tiny", "--set", "loader.batch=0"]).contains("loader.batch"));
    assert!(place.fails(&["train", "tiny", "--set", "augment.flip=3"]).contains("flip"));
}
