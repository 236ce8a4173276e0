//! Which crate may depend on which.

/// Crate and the crates of the workspace that its `[dependencies]` may name.
const ALLOWED: [(&str, &[&str]); 12] = [
    ("tensors", &[]),
    ("metrics", &[]),
    ("crf", &[]),
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

/// Crates that stay usable without candle.
const WITHOUT_CANDLE: [&str; 2] = ["metrics", "crf"];

/// The forbidden arrows of one crate, given the text of its `Cargo.toml`.
pub(crate) fn violations(name: &str, manifest: &str) -> Vec<String> {
    let Some((_, allowed)) = ALLOWED.iter().find(|(known, _)| *known == name) else {
        return vec![format!(
            "crates/{name}: not in the table of arrows (xtask/src/arrows.rs); add it with what it may know"
        )];
    };
    let mut found = Vec::new();
    for dependency in dependencies(manifest) {
        if let Some(other) = dependency.strip_prefix("sconce-")
            && !allowed.contains(&other)
        {
            found.push(format!("crates/{name} may not depend on {dependency}"));
        }
        if dependency.starts_with("candle") && WITHOUT_CANDLE.contains(&name) {
            found.push(format!("crates/{name} must not know candle"));
        }
        if dependency == "anyhow" && name != "experiments" {
            found.push(format!("crates/{name} uses anyhow; libraries have error types of their own"));
        }
    }
    found
}

/// Names in the `[dependencies]` section; optional ones (behind a feature) are left out.
fn dependencies(manifest: &str) -> Vec<String> {
    let mut inside = false;
    let mut names = Vec::new();
    for line in manifest.lines().map(str::trim) {
        if line.starts_with('[') {
            inside = line == "[dependencies]";
        } else if inside && !line.starts_with('#') && !line.contains("optional = true") {
            names.extend(
                line.split(['.', '=', ' ']).next().filter(|name| !name.is_empty()).map(str::to_owned),
            );
        }
    }
    names
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
        let manifest = "[dependencies]\ncandle-core = { workspace = true, optional = true }\n";
        assert!(violations("crf", manifest).is_empty());
    }

    #[test]
    fn an_unknown_crate_must_be_placed() {
        assert_eq!(violations("utils", "").len(), 1);
    }
}
