//! Writing a set into the NIA layout, VOC's or a plain folder.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use crate::dataset::{Dataset, Split};
use crate::error::Error;
use crate::files::{create_folder, write_whole};
use crate::label::write_index_png;
use crate::nia::{MAP_ENDING, list_name};
use crate::pairs::id_of_line;
use crate::rgb::{write_rgb_jpeg, write_rgb_png};
use crate::voc;

/// Writes a whole set as one split of the NIA layout, which [`nia::open`](crate::nia::open) reads back.
///
/// Makes `<root>/<split>/{images,labels,edges}/`, with labels and edges as 8-bit gray index PNGs, the class names in
/// `<root>/test_labels.txt`, and at the end the id list `<root>/<split>_id.txt`: a split without its list was not
/// finished. `progress` is called with the number of samples written.
///
/// # Errors
/// [`Error::Exists`] when the split's folder is there already; an id that stands twice or is no file name; what
/// reading a sample or writing a file reports.
pub fn write_nia(
    root: &Path,
    split: Split,
    dataset: &dyn Dataset<2>,
    mut progress: impl FnMut(usize),
) -> Result<(), Error> {
    let ids = file_names(root, (0..dataset.len()).map(|index| dataset.id(index)).collect())?;
    let folder = root.join(split.name());
    if folder.exists() || root.join(list_name(split)).exists() {
        return Err(Error::Exists { path: folder });
    }
    for name in ["images", "labels", "edges"] {
        create_folder(&folder.join(name))?;
    }
    for (index, id) in ids.iter().enumerate() {
        let sample = dataset.read(index)?;
        let [labels, edges] = &sample.targets;
        write_rgb_png(&folder.join("images").join(format!("{id}.png")), &sample.image)?;
        write_index_png(&folder.join("labels").join(format!("{id}{MAP_ENDING}")), labels, None)?;
        write_index_png(&folder.join("edges").join(format!("{id}{MAP_ENDING}")), edges, None)?;
        progress(index + 1);
    }
    write_whole(&root.join("test_labels.txt"), lines(dataset.classes()).as_bytes())?;
    write_whole(&root.join(list_name(split)), lines(&ids).as_bytes())
}

/// Writes a whole set as one split of a plain folder, which [`folder::open`](crate::folder::open) reads back with `images`,
/// `masks` and the lists `train.txt`, `val.txt` and `test.txt`.
///
/// Makes `<root>/images/<id>.png`, `<root>/masks/<id>.png` as index PNGs shown in the colours of the palette, and at the
/// end the id list `<root>/<split>.txt`: a split without its list was not finished. The splits share the two folders, so
/// their ids must differ. `progress` is called with the number of samples written.
///
/// # Errors
/// [`Error::Exists`] when the split's list or one of its images or masks is there already; an id that stands twice or is
/// no file name; what reading a sample or writing a file reports.
pub fn write_folder(
    root: &Path,
    split: Split,
    dataset: &dyn Dataset<1>,
    palette: &[[u8; 3]],
    progress: impl FnMut(usize),
) -> Result<(), Error> {
    let layout = Shared {
        images: root.join("images"),
        masks: root.join("masks"),
        list: root.join(format!("{split}.txt")),
        ending: ".png",
        palette,
    };
    layout.write(dataset, progress)
}

/// Writes a whole set as one split of VOC's layout, which [`voc::open`](crate::voc::open) reads back with the masks
/// `SegmentationClass` and the lists `ImageSets/Segmentation/{train,val,test}.txt`.
///
/// Makes `<root>/JPEGImages/<id>.jpg`, `<root>/SegmentationClass/<id>.png` as index PNGs in VOC's colours, and at the end the
/// id list. The splits share the two folders, so their ids must differ. `progress` is called with the number of samples
/// written.
///
/// # Errors
/// As for [`write_folder`], and [`Error::Config`] for another number of classes than VOC's 21.
pub fn write_voc(
    root: &Path,
    split: Split,
    dataset: &dyn Dataset<1>,
    progress: impl FnMut(usize),
) -> Result<(), Error> {
    if dataset.classes().len() != voc::CLASSES.len() {
        let reason = format!("{} classes; VOC's layout has {}", dataset.classes().len(), voc::CLASSES.len());
        return Err(Error::Config { key: "classes", reason });
    }
    let lists = root.join("ImageSets").join("Segmentation");
    create_folder(&lists)?;
    let layout = Shared {
        images: root.join(voc::IMAGES),
        masks: root.join("SegmentationClass"),
        list: lists.join(format!("{split}.txt")),
        ending: ".jpg",
        palette: &voc::PALETTE,
    };
    layout.write(dataset, progress)
}

/// Writes an id list, one id a line, which replaces an existing file only once it is complete.
///
/// # Errors
/// [`Error::Io`] with the path.
pub fn write_ids(path: &Path, ids: &[String]) -> Result<(), Error> {
    write_whole(path, lines(ids).as_bytes())
}

/// One folder of images and one of masks, which all splits share, and the list of one split.
struct Shared<'a> {
    images: PathBuf,
    masks: PathBuf,
    list: PathBuf,
    /// Of the images: `.png` or `.jpg`.
    ending: &'static str,
    palette: &'a [[u8; 3]],
}

impl Shared<'_> {
    fn write(&self, dataset: &dyn Dataset<1>, mut progress: impl FnMut(usize)) -> Result<(), Error> {
        let ids = file_names(&self.list, (0..dataset.len()).map(|index| dataset.id(index)).collect())?;
        let files = |id: &String| {
            [self.images.join(format!("{id}{}", self.ending)), self.masks.join(format!("{id}.png"))]
        };
        if let Some(path) = ids.iter().flat_map(files).chain([self.list.clone()]).find(|path| path.exists()) {
            return Err(Error::Exists { path });
        }
        create_folder(&self.images)?;
        create_folder(&self.masks)?;
        for (index, id) in ids.iter().enumerate() {
            let sample = dataset.read(index)?;
            let ([image, mask], [labels]) = (files(id), &sample.targets);
            match self.ending {
                ".jpg" => write_rgb_jpeg(&image, &sample.image)?,
                _ => write_rgb_png(&image, &sample.image)?,
            }
            write_index_png(&mask, labels, Some(self.palette))?;
            progress(index + 1);
        }
        write_whole(&self.list, lines(&ids).as_bytes())
    }
}

/// The ids, which become file names and lines of a list.
fn file_names(root: &Path, ids: Vec<String>) -> Result<Vec<String>, Error> {
    if ids.is_empty() {
        return Err(Error::Empty { path: root.to_path_buf(), what: "the set to write".into() });
    }
    let mut seen = HashSet::new();
    for id in &ids {
        let one_line = id_of_line(id.trim()) == Some(id);
        if !one_line || id.starts_with('.') || id.contains(['/', '\\', '\n', '\r', '\0']) {
            let reason = format!("'{id}' cannot be a file name and a line of an id list");
            return Err(Error::Config { key: "id", reason });
        }
        if !seen.insert(id) {
            let place = "in the set to write".into();
            return Err(Error::DuplicateId { path: root.to_path_buf(), id: id.clone(), place });
        }
    }
    Ok(ids)
}

fn lines(names: &[String]) -> String {
    names.iter().map(|name| format!("{name}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::Map;
    use crate::testing::Blocks;
    use crate::{folder, nia, shapes, wrinkles};
    use tempfile::TempDir;

    #[test]
    fn a_written_set_is_read_back_unchanged() {
        let folder = TempDir::new().unwrap();
        let set = Blocks::new(4, (13, 9));
        let mut seen = Vec::new();
        for split in Split::ALL {
            write_nia(folder.path(), split, &set, |done| seen.push(done)).unwrap();
        }
        assert_eq!(seen, [1, 2, 3, 4].repeat(3));
        let config = nia::Config { root: folder.path().into(), val_every: 0 };
        for split in Split::ALL {
            let read = nia::open(&config, split).unwrap();
            assert_eq!((read.len(), read.maps()), (4, [Map::Labels, Map::Mask]));
            for index in 0..4 {
                assert_eq!(read.id(index), set.id(index));
                assert_eq!(read.read(index).unwrap(), set.read(index).unwrap());
            }
        }
        let names = std::fs::read_to_string(folder.path().join("test_labels.txt")).unwrap();
        assert_eq!(names, "ground\nleft\nright\nnose\n");
    }

    const PALETTE: [[u8; 3]; 2] = [[0, 0, 0], [255, 200, 0]];

    fn wrinkles(split: Split) -> wrinkles::Wrinkles {
        let config = wrinkles::Config { seed: 4, size: 64, train: 3, val: 1, test: 2 };
        wrinkles::Wrinkles::open(&config, split).unwrap()
    }

    fn folder_config(root: &Path) -> folder::Config {
        let text = r#"root = ""
            images = "images"
            masks = "masks"
            classes = ["background", "wrinkle"]
            swaps = []
            split.lists = { train = "train.txt", val = "val.txt", test = "test.txt" }"#;
        folder::Config { root: root.into(), ..toml::from_str(text).unwrap() }
    }

    #[test]
    fn a_written_folder_is_read_back_unchanged() {
        let root = TempDir::new().unwrap();
        for split in Split::ALL {
            write_folder(root.path(), split, &wrinkles(split), &PALETTE, |_| ()).unwrap();
        }
        for split in Split::ALL {
            let (read, set) = (folder::open(&folder_config(root.path()), split).unwrap(), wrinkles(split));
            assert_eq!((read.len(), read.classes()), (set.len(), set.classes()));
            for index in 0..set.len() {
                let (back, sample) = (read.read(index).unwrap(), set.read(index).unwrap());
                assert_eq!((read.id(index), back.image), (set.id(index), sample.image));
                assert_eq!(back.targets[0], sample.targets[0]);
            }
        }
        let mask = std::fs::read(root.path().join("masks").join("wrinkles-000000.png")).unwrap();
        assert!(mask.windows(10).any(|w| w == b"PLTE\0\0\0\xff\xc8\0"), "coloured as the palette says");
    }

    #[test]
    fn a_set_in_vocs_layout_is_read_back() {
        let root = TempDir::new().unwrap();
        let config = shapes::Config { seed: 2, size: 64, train: 3, val: 1, test: 2 };
        let shapes = |split| shapes::Shapes::open(&config, split).unwrap();
        for split in Split::ALL {
            write_voc(root.path(), split, &shapes(split), |_| ()).unwrap();
        }
        let text = r#"root = ""
            masks = "SegmentationClass"
            [lists]
            train = "ImageSets/Segmentation/train.txt"
            val = "ImageSets/Segmentation/val.txt"
            test = "ImageSets/Segmentation/test.txt""#;
        let voc = voc::Config { root: root.path().into(), ..toml::from_str(text).unwrap() };
        for split in Split::ALL {
            let (read, set) = (voc::open(&voc, split).unwrap(), shapes(split));
            assert_eq!(read.len(), set.len());
            for index in 0..set.len() {
                let (back, sample) = (read.read(index).unwrap(), set.read(index).unwrap());
                assert_eq!((read.id(index), &back.targets), (set.id(index), &sample.targets));
                let off = back.image.iter().zip(sample.image.iter()).map(|(a, b)| u64::from(a.abs_diff(*b)));
                assert!(off.sum::<u64>() < 10 * 3 * 64 * 64, "a JPEG loses little");
            }
        }
        let error = write_voc(root.path(), Split::Val, &shapes(Split::Val), |_| ()).unwrap_err();
        assert!(
            matches!(error, Error::Exists { ref path } if path.ends_with("shapes-000002.jpg")),
            "{error}"
        );
        let error = write_voc(root.path(), Split::Val, &wrinkles(Split::Val), |_| ()).unwrap_err();
        assert!(error.to_string().contains("2 classes; VOC's layout has 21"));
    }

    #[test]
    fn no_file_of_a_folder_is_written_over() {
        let root = TempDir::new().unwrap();
        let write = |set| write_folder(root.path(), Split::Val, &wrinkles(set), &PALETTE, |_| ());
        write(Split::Val).unwrap();
        let image = root.path().join("images").join("wrinkles-000002.png");
        let (before, list) = (std::fs::read(&image).unwrap(), root.path().join("val.txt"));
        let error = write(Split::Val).unwrap_err();
        assert!(matches!(error, Error::Exists { ref path } if *path == image), "{error}");
        let error = write(Split::Train).unwrap_err();
        assert!(matches!(error, Error::Exists { ref path } if *path == list), "{error}");
        assert_eq!(std::fs::read(&image).unwrap(), before);
        assert_eq!(std::fs::read_to_string(list).unwrap(), "wrinkles-000002\n");
    }

    #[test]
    fn nothing_is_written_over() {
        let folder = TempDir::new().unwrap();
        write_nia(folder.path(), Split::Val, &Blocks::new(1, (4, 4)), |_| ()).unwrap();
        let list = || std::fs::read_to_string(folder.path().join("val_id.txt")).unwrap();
        let before = list();
        let error = write_nia(folder.path(), Split::Val, &Blocks::new(2, (4, 4)), |_| ()).unwrap_err();
        assert!(matches!(error, Error::Exists { ref path } if path.ends_with("val")), "{error}");
        assert_eq!(list(), before);
        let error = write_nia(folder.path(), Split::Train, &Blocks::new(0, (4, 4)), |_| ()).unwrap_err();
        assert!(matches!(error, Error::Empty { .. }));
        assert!(!folder.path().join("train").exists());
    }
}
