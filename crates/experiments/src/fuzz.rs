//! Hostile configs and `--set` changes. How to search longer: the documentation of `sconce-fuzz`.

use std::path::{Path, PathBuf};

use sconce_fuzz::{Random, Target, damage_text};

use crate::settings::Settings;
use crate::verbs;

/// A first line of this kind is a change, as `--set` gives it; to TOML it is a comment.
const CHANGE: &str = "#--set ";

/// Values and keys beside those that the configs hold.
const WORDS: [&str; 26] = [
    "[[",
    "]]",
    "\"\"\"",
    "'''",
    "=",
    ".",
    "#",
    "\r\n",
    "{ }",
    "[]",
    "1979-05-27T07:32:00Z",
    "0xFFFF_FFFF",
    "+nan",
    "1_000",
    "agrnet",
    "faces",
    "nia",
    "folder",
    "sgd",
    "adam",
    "cosine",
    "wrinkle",
    "auto",
    "[[parts]]",
    "region.fractions",
    CHANGE,
];

/// The tables of a document take some hundred times its text, twice where there are changes.
fn configs() -> Target {
    let memory = |length| 2000 * length + (4 << 20);
    Target::new("config", "tiny.toml", memory, |path| read(path).map_err(|error| format!("{error:#}")))
}

/// Reads a config as `train` does.
fn read(path: &Path) -> anyhow::Result<()> {
    let bytes = std::fs::read(path)?;
    let text = String::from_utf8_lossy(&bytes);
    let changes: Vec<String> =
        text.lines().map_while(|line| line.strip_prefix(CHANGE)).map(str::to_owned).collect();
    let settings = Settings::of_config(&path.to_string_lossy(), &changes)?;
    verbs::check(&settings)
}

/// The configs of the project, with and without changes.
fn files() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../configs");
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().path())
        .filter(|path| path.is_file())
        .collect();
    paths.sort();
    let mut files: Vec<Vec<u8>> = paths.iter().map(|path| std::fs::read(path).unwrap()).collect();
    let changes = format!("{CHANGE}epochs=2\n{CHANGE}optim.sgd.lr = 1e-3\n{CHANGE}loader.shuffle=false\n");
    files.push([changes.as_bytes(), &files[0]].concat());
    files
}

fn damage(random: &mut Random, base: &[u8], other: &[u8]) -> Vec<u8> {
    damage_text(random, base, other, &WORDS)
}

#[test]
fn fuzz_config() {
    configs().run(60, files(), damage);
}

#[test]
fn more_text_than_any_config_has_is_refused() {
    let error = configs().check("# long\n".repeat(1 << 14).as_bytes()).unwrap_err();
    assert!(error.contains("at most 65536"), "{error}");
}

#[test]
fn keys_that_do_not_fit_each_other_are_told_with_the_file() {
    let good = |name: &str| {
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../configs").join(name))
            .unwrap()
    };
    for (name, line, other) in [
        ("voc-deeplabv3-coco.toml", "plateau-on =", ""),
        ("figaro-small.toml", "threshold =", "threshold = 1.5"),
        ("wrinkle-small.toml", "threshold =", "threshold = 1.5"),
    ] {
        let text = good(name);
        let wrong: Vec<&str> =
            text.lines().map(|found| if found.starts_with(line) { other } else { found }).collect();
        assert!(text.lines().any(|found| found.starts_with(line)), "{name} has no {line}");
        configs().check(wrong.join("\n").as_bytes()).unwrap_err();
    }
}

#[test]
fn depth_beyond_any_config_is_refused() {
    let target = configs();
    let good = String::from_utf8(files().remove(0)).unwrap();
    for text in [
        format!("{CHANGE}{}=1\n{good}", "a.".repeat(5000) + "a"),
        format!("{CHANGE}a={}\n{good}", "[".repeat(5000)),
        format!("{good}\n[{}]\n", "a.".repeat(5000) + "a"),
        format!("{good}\na = {}{}\n", "[".repeat(5000), "]".repeat(5000)),
        format!("{good}\na = {}\n", "{ a = ".repeat(5000)),
        format!("{good}\na = {}\n", "{{}b=".repeat(5000)),
        format!("{CHANGE}a={}\n{good}", "{{}b=".repeat(5000)),
    ] {
        target.check(text.as_bytes()).unwrap_err();
    }
}
