//! The images that a command line names: files, folders and patterns.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// Every image named, in the order of the command line and by name within a folder or pattern.
pub(crate) fn images(inputs: &[String]) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for input in inputs {
        let path = Path::new(input);
        let before = found.len();
        if path.is_dir() {
            found.extend(in_folder(path)?);
        } else if path.is_file() {
            found.push(path.to_path_buf());
        } else if input.contains(['*', '?', '[']) {
            let matches = glob::glob(input).with_context(|| format!("{input} is not a pattern"))?;
            found.extend(matches.collect::<Result<Vec<_>, _>>()?.into_iter().filter(|path| is_image(path)));
        } else {
            bail!("there is no file, folder or pattern {input}");
        }
        if found.len() == before {
            bail!("{input} holds no JPEG or PNG image");
        }
    }
    Ok(found)
}

/// File stems that stay apart: the second `a` becomes `a-2`.
pub(crate) fn distinct_stems(paths: &[PathBuf]) -> Vec<String> {
    let mut stems: Vec<String> = Vec::new();
    for path in paths {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let free = (2..).map(|number| format!("{stem}-{number}"));
        let name = std::iter::once(stem.clone()).chain(free).find(|name| !stems.contains(name));
        stems.push(name.unwrap_or(stem));
    }
    stems
}

fn in_folder(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut images: Vec<PathBuf> =
        entries.flatten().map(|entry| entry.path()).filter(|path| is_image(path)).collect();
    images.sort();
    Ok(images)
}

fn is_image(path: &Path) -> bool {
    let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    path.is_file() && ["jpg", "jpeg", "png"].contains(&extension.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_folders_and_patterns_are_found() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.jpg", "a.PNG", "notes.txt"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        let text = |path: &str| folder.path().join(path).to_string_lossy().into_owned();
        let names = |inputs: &[String]| -> Vec<String> {
            let images = images(inputs).unwrap();
            images.iter().map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect()
        };
        assert_eq!(names(&[text("")]), ["a.PNG", "b.jpg"]);
        assert_eq!(names(&[text("*.jpg"), text("a.PNG")]), ["b.jpg", "a.PNG"]);
        assert!(images(&[text("none.jpg")]).unwrap_err().to_string().contains("no file"));
        assert!(images(&[text("*.gif")]).unwrap_err().to_string().contains("no JPEG or PNG"));
    }

    #[test]
    fn equal_stems_get_numbers() {
        let paths = ["x/a.png", "y/a.png", "y/a.jpg", "b.png"].map(PathBuf::from);
        assert_eq!(distinct_stems(&paths), ["a", "a-2", "a-3", "b"]);
    }
}
