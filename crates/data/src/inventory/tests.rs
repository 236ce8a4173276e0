use image::GrayImage;
use tempfile::TempDir;

use super::*;
use crate::testing::{gray_png, jpeg_bytes, put};

fn plain(ids: &[&str]) -> TempDir {
    let folder = TempDir::new().unwrap();
    for id in ids {
        put(&folder.path().join(format!("images/{id}.jpg")), jpeg_bytes(8, 4));
        put(&folder.path().join(format!("masks/{id}.png")), gray_png(&GrayImage::new(8, 4)));
    }
    folder
}

fn ids(set: &Inventory, split: Option<Split>) -> Vec<&str> {
    set.items.iter().filter(|item| item.split == split).map(|item| item.id.as_str()).collect()
}

#[test]
fn a_plain_folder_has_the_splits_of_its_lists() {
    let folder = plain(&["1", "2", "3"]);
    let open = || Inventory::of_directory(folder.path(), &Folders::default(), None).unwrap();
    let set = open();
    assert_eq!((set.layout, set.class_count(), ids(&set, None)), (Layout::Folder, 255, vec!["1", "2", "3"]));
    put(&folder.path().join("train.txt"), "3\n");
    put(&folder.path().join("test.txt"), "1\n");
    let set = open();
    assert_eq!(ids(&set, Some(Split::Train)), ["3"]);
    assert_eq!((ids(&set, Some(Split::Test)), ids(&set, None)), (vec!["1"], vec!["2"]));
    put(&folder.path().join("test.txt"), "1\n3\n");
    let set = open();
    assert_eq!(set.items.len(), 3);
    assert!(set.defects[0].to_string().contains("test.txt: id '3' occurs twice: also in the list"));
}

#[test]
fn folders_of_other_names_are_given_by_name() {
    let folder = plain(&["a"]);
    std::fs::rename(folder.path().join("masks"), folder.path().join("Truth")).unwrap();
    let open = |folders: &Folders| Inventory::of_directory(folder.path(), folders, None);
    let error = open(&Folders::default()).unwrap_err().to_string();
    assert!(error.contains("masks: no such folder") && error.contains("{train,val,test}"), "{error}");
    let set = open(&Folders { masks: Some("Truth".into()), ..Folders::default() }).unwrap();
    assert_eq!(set.items[0].labels, folder.path().join("Truth/a.png"));
    let error = Inventory::of_directory(&folder.path().join("none"), &Folders::default(), None).unwrap_err();
    assert!(matches!(error, Error::MissingFolder { .. }));
}

#[test]
fn a_config_gives_splits_by_count_or_list() {
    let folder = plain(&["1", "2", "3", "4", "5"]);
    let settings = |split: &str| {
        let text = format!(
            "root = {:?}\nimages = 'images'\nmasks = 'masks'\nclasses = ['back', 'front']\nswaps = []\n{split}",
            folder.path().display().to_string()
        );
        toml::from_str::<folder::Config>(&text).unwrap()
    };
    let counts = settings("split.counts = { val = 2, test = 0, seed = 1 }");
    let set = Inventory::of_folder(&counts).unwrap();
    assert_eq!((set.count(Some(Split::Train)), set.count(Some(Split::Val)), set.items.len()), (3, 2, 5));
    let train = folder::open(&counts, Split::Train).unwrap();
    use crate::Dataset;
    let expected: Vec<String> = (0..train.len()).map(|at| train.id(at)).collect();
    assert_eq!(ids(&set, Some(Split::Train)), expected);
    put(&folder.path().join("t.txt"), "4\n2\n");
    let set =
        Inventory::of_folder(&settings("split.lists = { train = 't.txt', val = 'v.txt', test = 'v.txt' }"));
    let set = set.unwrap();
    assert_eq!(ids(&set, Some(Split::Train)), ["4", "2"]);
    assert_eq!(ids(&set, None), ["1", "3", "5"]);
    assert_eq!(set.defects.len(), 1, "the list that serves twice is missing once");
    let many = settings("split.counts = { val = 3, test = 2, seed = 1 }");
    assert!(Inventory::of_folder(&many).unwrap_err().to_string().contains("leave none"));
}

#[test]
fn held_out_ids_of_nia_are_the_validation_split() {
    let folder = TempDir::new().unwrap();
    for id in 1..=6 {
        put(&folder.path().join(format!("train/images/{id}.png")), "");
        put(&folder.path().join(format!("train/labels/{id}.png")), "");
    }
    put(&folder.path().join("train_id.txt"), "1\n2\n3\n4\n5\n");
    let config = nia::Config { root: folder.path().into(), val_every: 2 };
    let set = Inventory::of_nia(&config).unwrap();
    assert_eq!(ids(&set, Some(Split::Train)), ["1", "3", "5"]);
    assert_eq!((ids(&set, Some(Split::Val)), ids(&set, None)), (vec!["2", "4"], vec!["6"]));
    let all = Inventory::of_directory(folder.path(), &Folders::default(), None).unwrap();
    assert_eq!(all.count(Some(Split::Train)), 5);
    assert!(Inventory::of_nia(&nia::Config { val_every: 0, ..config }).is_err());
}
