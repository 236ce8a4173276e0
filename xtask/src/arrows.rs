//! Which crate may depend on which.

/// Crate and the crates of the workspace that its `[dependencies]` may name, behind a feature or not.
const ALLOWED: [(&str, &[&str]); 13] = [
    ("kernels", &[]),
    ("tensors", &["kernels"]),
    ("metrics", &[]),
    ("crf", &["kernels"]),
    ("backbones", &["tensors"]),
    ("heads", &["tensors"]),
    ("losses", &["tensors"]),
    ("optim", &["tensors"]),
    ("data", &["tensors"]),
    ("fuzz", &[]),
    ("runs", &["tensors"]),
    ("models", &["tensors", "backbones", "heads"]),
    (
        "experiments",
        &["tensors", "backbones", "heads", "models", "losses", "metrics", "crf", "data", "optim", "runs"],
    ),
];

/// Crates that stay usable without candle, which `kernels` brings too; a feature may ask for it.
const WITHOUT_CANDLE: [&str; 2] = ["metrics", "crf"];

/// The forbidden arrows of one crate, given the text of its `Cargo.toml`.
pub(crate) fn violations(name: &str, manifest: &str) -> Vec<String> {
    let Some((_, allowed)) = ALLOWED.iter().find(|(known, _)| *known == name) else {
        return vec![format!(
            "crates/{name}: not in the table of arrows (xtask/src/arrows.rs); add it with what it may know"
        )];
    };
    let mut found = Vec::new();
    for (dependency, optional) in dependencies(manifest) {
        if let Some(other) = dependency.strip_prefix("sconce-")
            && !allowed.contains(&other)
        {
            found.push(format!("crates/{name} may not depend on {dependency}"));
        }
        let brings_candle = dependency.starts_with("candle") || dependency == "sconce-kernels";
        if brings_candle && !optional && WITHOUT_CANDLE.contains(&name) {
            found.push(format!("crates/{name} must not know candle"));
        }
        if dependency == "anyhow" && name != "experiments" {
            found.push(format!("crates/{name} uses anyhow; libraries have error types of their own"));
        }
    }
    found
}

/// Names in the `[dependencies]` section, and whether each is behind a feature.
fn dependencies(manifest: &str) -> Vec<(String, bool)> {
    let mut inside = false;
    let mut found = Vec::new();
    for line in manifest.lines().map(str::trim) {
        if line.starts_with('[') {
            inside = line == "[dependencies]";
        } else if inside && !line.starts_with('#') {
            let name = line.split(['.', '=', ' ']).next().filter(|name| !name.is_empty());
            found.extend(name.map(|name| (name.to_owned(), line.contains("optional = true"))));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forbidden_arrow_is_found() {
        let manifest = "[dependencies]\nsconce-backbones.workspace = true\n\n[dev-dependencies]\nsconce-models.workspace = true\n";
        assert_eq!(violations("heads", manifest), ["crates/heads may not depend on sconce-backbones"]);
    }

    #[test]
    fn candle_and_anyhow_are_kept_out() {
        assert_eq!(violations("metrics", "[dependencies]\ncandle-core = \"0.11\"\n").len(), 1);
        assert_eq!(violations("data", "[dependencies]\nanyhow.workspace = true\n").len(), 1);
    }

    #[test]
    fn an_optional_dependency_is_a_feature() {
        let manifest = "[dependencies]\nsconce-kernels = { workspace = true, optional = true }\n";
        assert!(violations("crf", manifest).is_empty());
        assert_eq!(violations("metrics", manifest), ["crates/metrics may not depend on sconce-kernels"]);
        let manifest = "[dependencies]\nsconce-kernels.workspace = true\n";
        assert_eq!(violations("crf", manifest), ["crates/crf must not know candle"]);
    }

    #[test]
    fn an_unknown_crate_must_be_placed() {
        assert_eq!(violations("utils", "").len(), 1);
    }
}
