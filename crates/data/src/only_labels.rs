//! A set without the maps that a network of classes does not need.

use crate::dataset::{Dataset, Map, Sample};
use crate::error::Error;

/// A set of which only the first target, the labels, is handed out. All else is that of the set.
#[derive(Debug, Clone)]
pub struct OnlyLabels<D, const T: usize>(pub D);

impl<D: Dataset<T>, const T: usize> Dataset<1> for OnlyLabels<D, T> {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn read(&self, index: usize) -> Result<Sample<1>, Error> {
        let Sample { image, targets } = self.0.read(index)?;
        Ok(Sample { image, targets: [targets.into_iter().next().unwrap_or_default()] })
    }

    fn id(&self, index: usize) -> String {
        self.0.id(index)
    }

    fn classes(&self) -> &[String] {
        self.0.classes()
    }

    fn swaps(&self) -> &[(u8, u8)] {
        self.0.swaps()
    }

    fn maps(&self) -> [Map; 1] {
        [Map::Labels]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::Split;
    use crate::faces;

    #[test]
    fn the_labels_are_those_of_the_set() {
        let config = faces::Config { seed: 1, size: 32, train: 2, val: 1, test: 1 };
        let set = faces::Faces::open(&config, Split::Train).unwrap();
        let (whole, labels) = (set.read(1).unwrap(), OnlyLabels(set.clone()).read(1).unwrap());
        assert_eq!((labels.image, &labels.targets[0]), (whole.image, &whole.targets[0]));
        let only = OnlyLabels(set.clone());
        assert_eq!((only.len(), only.id(1), only.classes()), (2, set.id(1), set.classes()));
        assert_eq!((only.swaps(), only.maps()), (set.swaps(), [Map::Labels]));
    }
}
