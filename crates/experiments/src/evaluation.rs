//! Where the files of one scoring go.

use std::path::{Path, PathBuf};

use sconce_data::Split;
use sconce_runs::Run;
use sha2::{Digest, Sha256};

/// The folder `eval/SPLIT-CHECKPOINT` of a run; with settings other than the run's own it is one beside that, named after the changed
/// keys and their values too, such as `eval/test-best,test.flip=true`.
pub(crate) fn folder(run: &Run, split: Split, checkpoint: &Path, changes: &[String]) -> PathBuf {
    let checkpoint = checkpoint.file_stem().unwrap_or_default().to_string_lossy();
    run.evaluation(&named(&format!("{split}-{checkpoint}"), changes))
}

/// Most letters of the changes in a folder's name.
const LONGEST: usize = 120;

fn named(plain: &str, changes: &[String]) -> String {
    let all: String = changes.iter().map(|change| format!(",{}", plain_letters(change))).collect();
    match all.char_indices().nth(LONGEST) {
        None => format!("{plain}{all}"),
        // What was cut off still tells one folder from another.
        Some((end, _)) => format!("{plain}{}…{}", &all[..end], digest(&all)),
    }
}

/// `test.scales=[0.5, 1.0]` as `test.scales=0.5_1.0`: letters that every file system and shell takes as they are.
fn plain_letters(change: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || ".-=".contains(c);
    let parts: Vec<&str> = change.split(|c| !is_plain(c)).filter(|part| !part.is_empty()).collect();
    parts.join("_").replace("=_", "=")
}

/// Sixteen letters of the text's SHA-256.
fn digest(text: &str) -> String {
    Sha256::digest(text)[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changed_settings_have_names_of_their_own() {
        let name = |changes: &[&str]| {
            named("val-best", &changes.iter().map(ToString::to_string).collect::<Vec<_>>())
        };
        assert_eq!(name(&[]), "val-best");
        assert_eq!(
            name(&["test.flip=true", "test.scales=[0.5, 1.0]"]),
            "val-best,test.flip=true,test.scales=0.5_1.0"
        );
        let long = |last: &str| name(&[&format!("test.scales=[{} {last}]", "0.123, ".repeat(40))]);
        assert!(long("1").len() < 160 && long("1") != long("2") && long("1") == long("1"));
    }
}
