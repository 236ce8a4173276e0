//! Class names and the pairs that a flip exchanges, checked against each other.

use crate::dataset::VOID;
use crate::error::Error;

/// Names in label order, and the label pairs of `swaps`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Classes {
    pub(crate) names: Vec<String>,
    pub(crate) swaps: Vec<(u8, u8)>,
}

impl Classes {
    /// Checks names given by a user: between 1 and 255 distinct ones, each in one pair at most.
    pub(crate) fn new(names: &[String], swaps: &[[String; 2]]) -> Result<Self, Error> {
        let config = |key, reason| Err(Error::Config { key, reason });
        if names.is_empty() || names.len() > usize::from(VOID) {
            return config("classes", format!("{} names; a set has 1 to 255 classes", names.len()));
        }
        if let Some(name) = repeated(names) {
            return config("classes", format!("'{name}' stands twice; every class needs a name of its own"));
        }
        if let Some(name) = repeated(swaps.as_flattened()) {
            return config(
                "swaps",
                format!("'{name}' stands twice; a flip exchanges a class with one other"),
            );
        }
        let label = |name: &String| position(names, name, "swaps");
        let pairs = swaps.iter().map(|[left, right]| Ok((label(left)?, label(right)?)));
        Ok(Self { names: names.to_vec(), swaps: pairs.collect::<Result<_, Error>>()? })
    }
}

/// The label of a class; `place` is the setting that names it.
pub(crate) fn position(names: &[String], name: &str, place: &'static str) -> Result<u8, Error> {
    let found = names.iter().position(|n| n == name).and_then(|label| u8::try_from(label).ok());
    found.ok_or_else(|| Error::UnknownClass { name: name.into(), place, allowed: names.to_vec() })
}

fn repeated(names: &[String]) -> Option<&String> {
    names.iter().enumerate().find(|(i, name)| names[..*i].contains(name)).map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classes(names: &[&str], swaps: &[[&str; 2]]) -> Result<Classes, String> {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let swaps: Vec<[String; 2]> = swaps.iter().map(|pair| pair.map(String::from)).collect();
        Classes::new(&names, &swaps).map_err(|e| e.to_string())
    }

    #[test]
    fn finds_the_labels_of_swapped_classes() {
        let found = classes(&["skin", "l_eye", "r_eye"], &[["r_eye", "l_eye"]]).unwrap();
        assert_eq!(found.swaps, [(2, 1)]);
    }

    #[test]
    fn an_unknown_class_is_shown_with_the_allowed_names() {
        let error = classes(&["skin", "l_eye"], &[["l_eye", "r_eye"]]).unwrap_err();
        assert_eq!(error, "unknown class 'r_eye' in swaps; the classes are skin, l_eye");
    }

    #[test]
    fn repeated_names_and_empty_lists_are_errors() {
        assert!(classes(&[], &[]).unwrap_err().contains("1 to 255"));
        assert!(classes(&["a", "b", "a"], &[]).unwrap_err().contains("'a' stands twice"));
        assert!(classes(&["a", "b", "c"], &[["a", "b"], ["c", "a"]]).unwrap_err().starts_with("swaps: 'a'"));
        assert!(classes(&["a"], &[["a", "a"]]).unwrap_err().starts_with("swaps: 'a'"));
    }
}
