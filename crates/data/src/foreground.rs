//! Some classes of a set against all others.

use crate::classes::position;
use crate::dataset::{Dataset, Map, Sample, VOID};
use crate::error::Error;

/// A set of one target with two classes: 1 where one of the chosen classes is, 0 where another one is.
///
/// [`VOID`] stays void, and images and ids are those of the set.
///
/// ```
/// use sconce_data::{Dataset, Foreground, Split, faces};
///
/// let config = faces::Config { seed: 1, size: 32, train: 8, val: 1, test: 1 };
/// let hair = Foreground::new(faces::Faces::open(&config, Split::Train)?, &["hair"])?;
/// assert_eq!(hair.classes(), ["background", "hair"]);
/// # Ok::<(), sconce_data::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Foreground<D, const T: usize> {
    set: D,
    classes: Vec<String>,
    /// The new label of every label of the set.
    labels: [u8; 256],
}

impl<D: Dataset<T>, const T: usize> Foreground<D, T> {
    /// Takes these classes of the set as positive. The new class is named after them, joined by `+`.
    ///
    /// # Errors
    /// [`Error::UnknownClass`] for a name that the set does not have; [`Error::Config`] for no name, one that stands
    /// twice, all classes, or one alone of two that a flip exchanges: a flipped left eye is no left eye any more.
    pub fn new(set: D, positive: &[impl AsRef<str>]) -> Result<Self, Error> {
        let config = |reason: String| Err(Error::Config { key: "foreground", reason });
        let names: Vec<&str> = positive.iter().map(AsRef::as_ref).collect();
        let mut labels = [0; 256];
        labels[usize::from(VOID)] = VOID;
        for name in &names {
            let label = usize::from(position(set.classes(), name, "foreground")?);
            if labels[label] == 1 {
                return config(format!("'{name}' stands twice"));
            }
            labels[label] = 1;
        }
        if names.is_empty() || names.len() == set.classes().len() {
            return config(format!(
                "{} of the {} classes chosen; name at least one and not all",
                names.len(),
                set.classes().len()
            ));
        }
        let is = |label: &u8| labels[usize::from(*label)] == 1;
        if let Some((left, right)) = set.swaps().iter().find(|(left, right)| is(left) != is(right)) {
            let [left, right] = [left, right].map(|label| &set.classes()[usize::from(*label)]);
            return config(format!(
                "a flip exchanges {left} and {right}; name both or neither, or take them out of swaps"
            ));
        }
        let classes = vec!["background".to_owned(), names.join("+")];
        Ok(Self { set, classes, labels })
    }
}

impl<D: Dataset<T>, const T: usize> Dataset<1> for Foreground<D, T> {
    fn len(&self) -> usize {
        self.set.len()
    }

    fn read(&self, index: usize) -> Result<Sample<1>, Error> {
        let Sample { image, targets } = self.set.read(index)?;
        let mut labels = targets.into_iter().next().unwrap_or_default();
        labels.iter_mut().for_each(|label| *label = self.labels[usize::from(*label)]);
        Ok(Sample { image, targets: [labels] })
    }

    fn id(&self, index: usize) -> String {
        self.set.id(index)
    }

    fn classes(&self) -> &[String] {
        &self.classes
    }

    fn swaps(&self) -> &[(u8, u8)] {
        &[]
    }

    fn maps(&self) -> [Map; 1] {
        [Map::Labels]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Blocks;
    use crate::{Split, folder};

    fn foreground(names: &[&str]) -> Result<Foreground<Blocks, 2>, String> {
        Foreground::new(Blocks::new(2, (20, 21)), names).map_err(|e| e.to_string())
    }

    #[test]
    fn chosen_classes_are_one_and_all_others_zero() {
        let set = foreground(&["nose", "ground"]).unwrap();
        assert_eq!(
            (set.classes(), set.swaps()),
            (["background", "nose+ground"].map(String::from).as_slice(), [].as_slice())
        );
        let (before, after) = (Blocks::new(2, (20, 21)).read(1).unwrap(), set.read(1).unwrap());
        assert_eq!((after.image, set.id(1)), (before.image, "001".into()));
        let pairs = before.targets[0].iter().zip(after.targets[0].iter());
        assert!(pairs.clone().all(|(label, is)| *is == u8::from(*label == 0 || *label == 3)));
        assert!(pairs.clone().any(|(_, is)| *is == 1) && pairs.clone().any(|(_, is)| *is == 0));
        assert_eq!(set.labels[usize::from(VOID)], VOID);
    }

    #[test]
    fn bad_choices_are_named() {
        let error = foreground(&["wrinkle"]).unwrap_err();
        assert_eq!(error, "unknown class 'wrinkle' in foreground; the classes are ground, left, right, nose");
        assert!(foreground(&[]).unwrap_err().contains("0 of the 4 classes"));
        assert!(foreground(&["nose", "nose"]).unwrap_err().contains("'nose' stands twice"));
        assert!(foreground(&["ground", "left", "right", "nose"]).unwrap_err().contains("4 of the 4"));
        assert!(foreground(&["left"]).unwrap_err().contains("a flip exchanges left and right"));
        assert!(foreground(&["left", "right"]).is_ok());
    }

    /// Real annotations, whose lines are one class of six.
    #[test]
    fn annotated_portraits_are_read_as_wrinkles() {
        let root = "../../../shared/data/wrinkle_faces";
        if !std::path::Path::new(root).is_dir() {
            eprintln!("skipped: {root} is not there");
            return;
        }
        let config: folder::Config = toml::from_str(&format!(
            "root = {root:?}\nimages = 'images'\nmasks = 'masks'\nswaps = []\n\
             classes = ['other', 'dark circles', 'skin', 'wrinkle', 'rosacea', 'acne']\n\
             split.counts = {{ val = 16, test = 16, seed = 1 }}"
        ))
        .unwrap();
        let set = Foreground::new(folder::open(&config, Split::Val).unwrap(), &["wrinkle"]).unwrap();
        let shares: Vec<f64> = (0..set.len())
            .map(|index| {
                let labels = &set.read(index).unwrap().targets[0];
                labels.iter().filter(|label| **label == 1).count() as f64 / labels.len() as f64
            })
            .collect();
        let mean = shares.iter().sum::<f64>() / 16.0;
        assert!(mean > 0.001 && mean < 0.03, "{shares:?}");
    }
}
