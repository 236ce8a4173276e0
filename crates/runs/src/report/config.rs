//! The config of a run, and what differs in those of several.

use std::collections::{BTreeMap, BTreeSet};

use maud::{Markup, html};

use super::content::Content;

/// The whole file, folded away.
pub(super) fn whole(run: &Content) -> Markup {
    html! { details.config { summary { "config.toml" } pre { code { (run.config) } } } }
}

/// Every key with a value that is not the same in all runs.
pub(super) fn differences(runs: &[Content]) -> Markup {
    let values: Vec<BTreeMap<String, String>> = runs.iter().map(|run| keys(&run.config)).collect();
    let all: BTreeSet<&String> = values.iter().flat_map(BTreeMap::keys).collect();
    let differing: Vec<&String> =
        all.into_iter().filter(|key| values.iter().any(|run| run.get(*key) != values[0].get(*key))).collect();
    html! {
        section {
            h2 { "What differs in the configs" }
            @if differing.is_empty() {
                p.note { "Nothing." }
            } @else {
                div.wide { table.config-keys {
                    thead { tr { th { "key" } @for run in runs { th { (run.name) } } } }
                    tbody { @for key in differing { tr {
                        th scope="row" { code { (key) } }
                        @for run in &values { td { (run.get(key).map_or("–", String::as_str)) } }
                    } } }
                } }
            }
        }
    }
}

/// `optim.sgd.lr` and its value, for every key; the text as a whole where it is no TOML.
fn keys(text: &str) -> BTreeMap<String, String> {
    let mut keys = BTreeMap::new();
    match text.parse::<toml::Table>() {
        Ok(table) => table.iter().for_each(|(name, value)| collect(name.clone(), value, &mut keys)),
        Err(_) => {
            keys.insert("config.toml".to_owned(), text.to_owned());
        }
    }
    keys
}

fn collect(path: String, value: &toml::Value, keys: &mut BTreeMap<String, String>) {
    match value {
        toml::Value::Table(table) => {
            table.iter().for_each(|(name, value)| collect(format!("{path}.{name}"), value, keys));
        }
        _ => {
            keys.insert(path, value.to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_paths() {
        let keys = keys("epochs = 3\n[optim.sgd]\nlr = 0.1\nname = \"a\"\n");
        let found: Vec<_> = keys.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        assert_eq!(found, [("epochs", "3"), ("optim.sgd.lr", "0.1"), ("optim.sgd.name", "\"a\"")]);
        assert_eq!(super::keys("no [toml")["config.toml"], "no [toml");
    }
}
