//! Names of one program for the parameters of a network, and ours for the same.

/// The names that another program gives to the parameters of a network, or of its backbone, and ours for them.
///
/// ```
/// use sconce_models::{DeepLabV3, Key};
///
/// let names = DeepLabV3::weight_names();
/// let torchvision = &names.key_maps[0];
/// let ours = "aspp.image.conv.weight";
/// assert_eq!(torchvision.ours("classifier.0.convs.4.1.weight"), Key::Parameter(ours.to_owned()));
/// assert_eq!(torchvision.theirs(ours).as_deref(), Some("classifier.0.convs.4.1.weight"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyMap {
    /// Whose names these are, such as `torchvision's DeepLabV3`.
    pub name: &'static str,
    /// Theirs and ours: each a whole name or the start of some, up to a dot.
    pairs: Vec<(String, String)>,
    /// Starts of their names whose tensors a network here has no use for.
    unneeded: &'static [&'static str],
}

/// What a name of another program means here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Key {
    /// The parameter of this name.
    Parameter(String),
    /// A tensor that belongs to such a file and is not used here, such as the classifier of ImageNet.
    NotNeeded,
    /// No name of that program.
    Unknown,
}

impl KeyMap {
    /// `pairs` are theirs and ours; no name may be the start of another on its side.
    pub(crate) fn new(
        name: &'static str,
        pairs: impl IntoIterator<Item = (String, String)>,
        unneeded: &'static [&'static str],
    ) -> Self {
        Self { name, pairs: pairs.into_iter().collect(), unneeded }
    }

    /// What the name `theirs` means here.
    pub fn ours(&self, theirs: &str) -> Key {
        let mut found = self.pairs.iter().filter_map(|(from, to)| renamed(theirs, from, to));
        if let Some(ours) = found.next() {
            return Key::Parameter(ours);
        }
        let unneeded = self.unneeded.iter().any(|start| rest(theirs, start).is_some());
        if unneeded { Key::NotNeeded } else { Key::Unknown }
    }

    /// The other program's name for our parameter; none if it knows no such parameter.
    pub fn theirs(&self, ours: &str) -> Option<String> {
        self.pairs.iter().find_map(|(to, from)| renamed(ours, from, to))
    }
}

fn renamed(name: &str, from: &str, to: &str) -> Option<String> {
    rest(name, from).map(|rest| format!("{to}{rest}"))
}

/// What follows `start` in `name`: nothing, or a dot and more.
fn rest<'a>(name: &'a str, start: &str) -> Option<&'a str> {
    name.strip_prefix(start).filter(|rest| rest.is_empty() || rest.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_begin_at_dots() {
        let pairs = [("layer1", "backbone.layer1"), ("cls.4", "score")];
        let map = KeyMap::new("test", pairs.map(|(a, b)| (a.to_owned(), b.to_owned())), &["fc"]);
        assert_eq!(map.ours("layer1.0.bn1.bias"), Key::Parameter("backbone.layer1.0.bn1.bias".into()));
        assert_eq!(map.ours("layer10.0"), Key::Unknown);
        assert_eq!((map.ours("fc.weight"), map.ours("fcn")), (Key::NotNeeded, Key::Unknown));
        assert_eq!(map.theirs("score.bias").as_deref(), Some("cls.4.bias"));
        assert_eq!(map.theirs("scores"), None);
    }
}
