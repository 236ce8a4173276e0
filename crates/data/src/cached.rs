//! A dataset that keeps the samples it has read.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::dataset::{Dataset, Map, Sample, Split};
use crate::error::Error;

/// Keeps decoded samples in memory, up to a number of bytes; beyond that every sample is read anew.
///
/// Pays for procedural sets and small sets: a sample is rendered or decoded once and copied after that. The samples
/// are the same either way.
pub struct Cached<D, const T: usize> {
    dataset: D,
    limit: u64,
    used: AtomicU64,
    samples: Vec<OnceLock<Sample<T>>>,
}

impl<D: Dataset<T>, const T: usize> Cached<D, T> {
    /// A cache of at most `limit` bytes of pixels.
    #[must_use]
    pub fn new(dataset: D, limit: u64) -> Self {
        let samples = (0..dataset.len()).map(|_| OnceLock::new()).collect();
        Self { dataset, limit, used: AtomicU64::new(0), samples }
    }

    /// A cache for a split of a procedural set, whose pictures take longer to draw than to copy: of at most 256 MiB for training
    /// pictures, which every epoch reads again, and of nothing for others, so that scoring needs no more memory for more of them.
    #[must_use]
    pub fn of_rendered(dataset: D, split: Split) -> Self {
        Self::new(dataset, if split == Split::Train { 256 << 20 } else { 0 })
    }

    /// Bytes of pixels kept now.
    #[must_use]
    pub fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// Keeps a copy of a sample when there is room for it.
    fn keep(&self, slot: &OnceLock<Sample<T>>, sample: &Sample<T>) {
        let maps: usize = sample.targets.iter().map(|target| target.len()).sum();
        let bytes = (sample.image.len() + maps) as u64;
        let room = |used: u64| used.checked_add(bytes).filter(|total| *total <= self.limit);
        if self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, room).is_err() {
            return;
        }
        if slot.set(sample.clone()).is_err() {
            // Another thread read it at the same time and keeps its copy.
            self.used.fetch_sub(bytes, Ordering::Relaxed);
        }
    }
}

impl<D: Dataset<T>, const T: usize> Dataset<T> for Cached<D, T> {
    fn len(&self) -> usize {
        self.dataset.len()
    }

    fn read(&self, index: usize) -> Result<Sample<T>, Error> {
        let slot = self.samples.get(index);
        if let Some(sample) = slot.and_then(OnceLock::get) {
            return Ok(sample.clone());
        }
        let sample = self.dataset.read(index)?;
        if let Some(slot) = slot {
            self.keep(slot, &sample);
        }
        Ok(sample)
    }

    fn id(&self, index: usize) -> String {
        self.dataset.id(index)
    }

    fn classes(&self) -> &[String] {
        self.dataset.classes()
    }

    fn swaps(&self) -> &[(u8, u8)] {
        self.dataset.swaps()
    }

    fn maps(&self) -> [Map; T] {
        self.dataset.maps()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Blocks;
    use std::sync::atomic::AtomicUsize;

    struct Counting(Blocks, AtomicUsize);

    impl Dataset<2> for Counting {
        fn len(&self) -> usize {
            self.0.len()
        }

        fn read(&self, index: usize) -> Result<Sample<2>, Error> {
            self.1.fetch_add(1, Ordering::Relaxed);
            self.0.read(index)
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

        fn maps(&self) -> [Map; 2] {
            [Map::Labels, Map::Mask]
        }
    }

    /// Reads all samples twice and returns the number of reads and of bytes kept.
    fn read_twice(limit: u64) -> (usize, u64) {
        let counted = Counting(Blocks::new(4, (10, 6)), AtomicUsize::new(0));
        let cached = Cached::new(counted, limit);
        for index in (0..4).chain(0..4) {
            assert_eq!(cached.read(index).unwrap(), Blocks::new(4, (10, 6)).read(index).unwrap());
        }
        assert!(matches!(cached.read(4), Err(Error::Index { index: 4, len: 4 })));
        assert_eq!(cached.maps(), [Map::Labels, Map::Mask]);
        (cached.dataset.1.load(Ordering::Relaxed) - 1, cached.used())
    }

    #[test]
    fn each_sample_is_read_once_while_there_is_room() {
        let sample = 10 * 6 * 5;
        assert_eq!(read_twice(u64::MAX), (4, 4 * sample));
        assert_eq!(read_twice(4 * sample), (4, 4 * sample));
        assert_eq!(read_twice(2 * sample + 1), (2 + 2 * 2, 2 * sample));
        assert_eq!(read_twice(0), (8, 0));
    }

    #[test]
    fn of_a_rendered_set_only_training_pictures_stay() {
        for (split, kept) in [(Split::Train, 10 * 6 * 5), (Split::Val, 0), (Split::Test, 0)] {
            let cached = Cached::of_rendered(Blocks::new(4, (10, 6)), split);
            cached.read(1).unwrap();
            assert_eq!(cached.used(), kept, "{split}");
        }
    }
}
