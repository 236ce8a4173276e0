//! Defects planted into Figaro-1k's layout.

use super::*;
use crate::figaro::{Config, HeldOut, Parts, read_under};
use crate::hair::write_figaro;

/// 21 procedural pictures: frames 1 and 3 of each style in Training, frame 2 in Testing.
struct Frames(TempDir);

impl Frames {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        write_figaro(folder.path(), 4, 48, 21, |_| ()).unwrap();
        Self(folder)
    }

    fn path(&self, relative: &str) -> PathBuf {
        self.0.path().join(relative)
    }

    fn inventory(&self, split: Parts) -> Inventory {
        Inventory::of_figaro(&Config { root: self.path(""), split }).unwrap()
    }

    fn defects(&self) -> Vec<Defect> {
        check(&self.inventory(Parts::TestAsValidation), Edges::OfLabels, &|| ())
    }

    #[track_caller]
    fn only(&self) -> Defect {
        let defects = self.defects();
        let told: Vec<String> = defects.iter().map(ToString::to_string).collect();
        assert_eq!(defects.len(), 1, "{told:#?}");
        defects.into_iter().next().unwrap()
    }
}

const IMAGE: &str = "Original/Training/Frame00001-org.jpg";
const MASK: &str = "GT/Training/Frame00001-gt.png";

#[test]
fn a_clean_set_has_no_defect_and_the_splits_of_training() {
    let set = Frames::new();
    assert_eq!(set.defects(), []);
    let split = Parts::HeldOut(HeldOut { share: 0.5, seed: 2 });
    let inventory = set.inventory(split);
    let counts = Split::ALL.map(|split| inventory.count(Some(split)));
    assert_eq!(counts, [7, 7, 7]);
    let config = Config { root: set.path(""), split };
    for split in Split::ALL {
        use crate::Dataset;
        let opened = crate::figaro::open(&config, split).unwrap();
        let opened: Vec<String> = (0..opened.len()).map(|at| opened.id(at)).collect();
        let listed: Vec<&str> =
            inventory.items.iter().filter(|i| i.split == Some(split)).map(|i| &*i.id).collect();
        assert_eq!(opened, listed);
    }
    let by_folder = Inventory::of_directory(&set.path(""), &Folders::default(), None).unwrap();
    assert_eq!((by_folder.layout, by_folder.items.len()), (crate::Layout::Figaro, 21));
    let (stats, errors) = crate::Stats::of_inventory(&by_folder, &|| ());
    assert!(errors.is_empty() && stats.images() == 21 && stats.pixels(1) > 0 && stats.pixels(255) == 0);
    let error = Inventory::without_splits(&set.path(""), &Folders::default()).unwrap_err().to_string();
    assert!(error.contains("Figaro-1k's layout"), "{error}");
}

#[test]
fn a_missing_partner_is_named() {
    for (gone, role, name) in
        [(IMAGE, "image", "Frame00001-org.jpg"), (MASK, "mask", "Frame00001-gt.{pbm,png}")]
    {
        let set = Frames::new();
        std::fs::remove_file(set.path(gone)).unwrap();
        let Defect::MissingPair { file, role: found, because_of } = set.only() else {
            panic!("{}", set.only())
        };
        assert_eq!((found, file), (role, set.path(gone).with_file_name(name)));
        assert!(because_of.is_file());
    }
    let set = Frames::new();
    std::fs::remove_dir_all(set.path("GT/Testing")).unwrap();
    assert!(set.only().to_string().contains("GT/Testing: no such folder (masks)"));
}

#[test]
fn a_mask_of_three_values_of_another_size_or_a_jpeg_is_told() {
    let set = Frames::new();
    let mut mask = GrayImage::new(48, 48);
    mask.put_pixel(7, 5, Luma([77]));
    put(&set.path(MASK), gray_png(&mask));
    let not_binary = Defect::NotBinary { file: set.path(MASK), row: 5, column: 7, value: 77 };
    assert_eq!(set.only(), not_binary);
    assert!(not_binary.to_string().contains("value 77 at row 5, column 7"), "{not_binary}");
    put(&set.path(MASK), gray_png(&GrayImage::new(48, 40)));
    let image = set.path(IMAGE);
    let expected = Defect::SizeMismatch { file: set.path(MASK), size: (48, 40), image, image_size: (48, 48) };
    assert_eq!(set.only(), expected);
    std::fs::remove_file(set.path(MASK)).unwrap();
    let jpeg = set.path(MASK).with_extension("jpg");
    put(&jpeg, jpeg_bytes(48, 48));
    assert_eq!(set.only(), Defect::NoIndexMap { file: jpeg, found: "a JPEG".into() });
}

#[test]
fn a_photograph_turned_by_exif_fits_as_it_does_in_training() {
    let set = Frames::new();
    let turned = crate::rgb::tests::oriented(&jpeg_bytes(40, 48), 6);
    put(&set.path(IMAGE), turned);
    put(&set.path(MASK), gray_png(&GrayImage::new(48, 40)));
    assert_eq!(set.defects(), []);
    assert_eq!(read_under(&set.path(IMAGE), (48, 40)).unwrap().dimensions(), (48, 40));
}

#[test]
fn damaged_files_are_unreadable() {
    for name in [IMAGE, MASK] {
        let set = Frames::new();
        let bytes = std::fs::read(set.path(name)).unwrap();
        put(&set.path(name), &bytes[..bytes.len() / 2]);
        let only = set.only();
        assert!(matches!(&only, Defect::Unreadable { file, .. } if *file == set.path(name)), "{only}");
    }
    let set = Frames::new();
    put(&set.path(MASK), "P4 60000 60000\n");
    assert!(matches!(set.only(), Defect::TooLarge { size: (60_000, 60_000), .. }));
}

#[test]
fn repeated_frames_and_strange_names_are_told_and_copies_are_noted() {
    let set = Frames::new();
    std::fs::copy(set.path(MASK), set.path("GT/Training/Frame1-gt.png")).unwrap();
    let Defect::DuplicateId { file, id, place } = set.only() else { panic!("{}", set.only()) };
    assert_eq!((file, id.as_str()), (set.path("GT/Training"), "frame 1"));
    assert_eq!(place, "Frame00001-gt.png and Frame1-gt.png");
    let set = Frames::new();
    put(&set.path("Original/Testing/holiday.jpg"), jpeg_bytes(8, 8));
    let odd = set.path("Original/Testing/holiday.jpg");
    assert_eq!(set.only(), Defect::FrameName { file: odd, last: 1050 });
    let set = Frames::new();
    put(&set.path("GT/Training/Frame00001-gt(1).png"), "");
    assert_eq!(set.defects(), []);
    assert!(set.inventory(Parts::TestAsValidation).notices[0].contains("Frame00001-gt(1).png"));
}

#[test]
fn a_frame_or_a_picture_of_both_halves_is_told() {
    let set = Frames::new();
    for (kind, ending) in [("Original", "org.jpg"), ("GT", "gt.png")] {
        let from = set.path(&format!("{kind}/Training/Frame00001-{ending}"));
        std::fs::copy(&from, set.path(&format!("{kind}/Testing/Frame00009-{ending}"))).unwrap();
    }
    let Defect::SameImage { file, split, other, other_split } = set.only() else { panic!("{}", set.only()) };
    assert_eq!((file, other), (set.path("Original/Testing/Frame00009-org.jpg"), set.path(IMAGE)));
    assert_eq!((split, other_split), (Some(Split::Test), Some(Split::Train)));
    for (kind, ending) in [("Original", "org.jpg"), ("GT", "gt.png")] {
        let folder = set.path(&format!("{kind}/Testing"));
        std::fs::rename(
            folder.join(format!("Frame00009-{ending}")),
            folder.join(format!("Frame00001-{ending}")),
        )
        .unwrap();
    }
    let kinds: Vec<&str> = set.defects().iter().map(|defect| defect.kind().0).collect();
    assert_eq!(kinds, ["duplicate id", "same picture twice"]);
}

#[test]
fn a_set_without_hair_has_an_empty_class() {
    let set = Frames::new();
    for item in set.inventory(Parts::TestAsValidation).items {
        put(&item.labels, gray_png(&GrayImage::new(48, 48)));
    }
    assert_eq!(set.only(), Defect::EmptyClass { file: set.path(""), label: 1, name: "hair".into() });
}
