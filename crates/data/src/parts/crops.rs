//! The set of one part's crops.

use std::sync::Arc;

use super::Finder;
use crate::dataset::{Dataset, Map, Sample};
use crate::error::Error;

/// A set whose pictures are one part of another set's pictures.
pub struct Crops<const T: usize> {
    whole: Arc<dyn Dataset<T>>,
    finder: Finder,
}

impl<const T: usize> Crops<T> {
    /// The crops of all of the set's pictures.
    pub fn new(whole: Arc<dyn Dataset<T>>, finder: Finder) -> Self {
        Self { whole, finder }
    }
}

impl<const T: usize> Dataset<T> for Crops<T> {
    fn len(&self) -> usize {
        self.whole.len()
    }

    fn read(&self, index: usize) -> Result<Sample<T>, Error> {
        let whole = self.whole.read(index)?;
        let area = self.finder.find(&self.whole.id(index), whole.image.dimensions())?;
        Ok(Sample { image: area.of(&whole.image), targets: whole.targets.map(|target| area.of(&target)) })
    }

    fn id(&self, index: usize) -> String {
        self.whole.id(index)
    }

    fn classes(&self) -> &[String] {
        self.whole.classes()
    }

    fn swaps(&self) -> &[(u8, u8)] {
        self.whole.swaps()
    }

    fn maps(&self) -> [Map; T] {
        self.whole.maps()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Blocks;

    #[test]
    fn image_and_targets_are_cut_alike() {
        let whole: Arc<dyn Dataset<2>> = Arc::new(Blocks::new(3, (40, 30)));
        let part =
            "name = 'left'\nsize = [8, 8]\nregion.fractions = { rows = [0.5, 1.0], columns = [0.0, 0.25] }";
        let crops = Crops::new(Arc::clone(&whole), Finder::new(&toml::from_str(part).unwrap()).unwrap());
        let (all, cut) = (whole.read(1).unwrap(), crops.read(1).unwrap());
        assert_eq!((crops.len(), crops.id(1), cut.image.dimensions()), (3, whole.id(1), (10, 15)));
        for (x, y, pixel) in cut.image.enumerate_pixels() {
            assert_eq!(pixel, all.image.get_pixel(x, y + 15));
            assert_eq!(cut.targets[0].get_pixel(x, y), all.targets[0].get_pixel(x, y + 15));
        }
        assert!(matches!(crops.read(3), Err(Error::Index { index: 3, len: 3 })));
    }
}
