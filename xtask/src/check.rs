//! `cargo xtask check`: the invariants of the house, read off the tree.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::{arrows, source};

/// What may lie visibly in the workspace's folder.
const ROOT: [&str; 9] = [
    "Cargo.toml",
    "Cargo.lock",
    "crates",
    "configs",
    "datasets",
    "xtask",
    "README.md",
    "LICENSE",
    "rust-toolchain.toml",
];

/// Made by the tools, ignored by git.
const MADE: [&str; 2] = ["target", "runs"];

/// Prints every broken rule; exit code 1 if there is one.
pub(crate) fn run(root: &Path) -> ExitCode {
    match violations(root) {
        Ok(found) if found.is_empty() => {
            println!("check: arrows and house rules hold");
            ExitCode::SUCCESS
        }
        Ok(found) => {
            found.iter().for_each(|line| eprintln!("{line}"));
            eprintln!("check: {} broken", found.len());
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("check: cannot read the tree under {}: {error}", root.display());
            ExitCode::FAILURE
        }
    }
}

fn violations(root: &Path) -> std::io::Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in entries(root)? {
        let name = file_name(&entry);
        if !name.starts_with('.') && !ROOT.contains(&name.as_str()) && !MADE.contains(&name.as_str()) {
            found.push(format!("{name}: the root holds only {}", ROOT.join(" ")));
        }
    }
    for folder in entries(&root.join("crates"))? {
        found
            .extend(arrows::violations(&file_name(&folder), &fs::read_to_string(folder.join("Cargo.toml"))?));
    }
    for file in rust_files(&root.join("crates"))?.into_iter().chain(rust_files(&root.join("xtask"))?) {
        let path = file.strip_prefix(root).unwrap_or(&file).to_string_lossy().replace('\\', "/");
        found.extend(source::violations(&path, &fs::read_to_string(&file)?));
    }
    Ok(found)
}

fn rust_files(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in entries(folder)? {
        if entry.is_dir() && file_name(&entry) != "target" {
            files.extend(rust_files(&entry)?);
        } else if entry.extension().is_some_and(|extension| extension == "rs") {
            files.push(entry);
        }
    }
    Ok(files)
}

/// A folder's entries in the order of their names.
fn entries(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut found: Vec<PathBuf> =
        fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>()?;
    found.sort();
    Ok(found)
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_tree_keeps_the_rules() {
        assert_eq!(super::violations(&crate::root()).unwrap(), Vec::<String>::new());
    }
}
