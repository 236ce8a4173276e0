//! What a set holds: pixels per class, colours, sizes, and the class weights that follow from them.

use image::{GrayImage, RgbImage};
use rayon::prelude::*;

use crate::dataset::VOID;
use crate::error::Error;
use crate::inventory::{Inventory, Item};

/// Counts over images and their label maps.
///
/// All are whole numbers, so the result depends neither on the order of the images nor on the number of threads, and
/// its size not on the number of images.
///
/// ```
/// use image::{GrayImage, Rgb, RgbImage};
/// use sconce_data::Stats;
///
/// let mut stats = Stats::default();
/// let labels = GrayImage::from_raw(4, 1, vec![0, 0, 0, 1]).expect("4 pixels");
/// stats.add(&RgbImage::from_pixel(4, 1, Rgb([255, 0, 51])), &labels);
/// assert_eq!((stats.pixels(0), stats.images_with(1)), (3, 1));
/// assert_eq!(stats.mean(), [1.0, 0.0, 0.2]);
/// assert_eq!(stats.median_frequency_weights(2), [Some(2.0 / 3.0), Some(2.0)]);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stats {
    images: u64,
    /// Pixels of each value, void among them.
    pixels: [u64; 256],
    /// Images that hold each value.
    frequency: [u64; 256],
    /// Labelled pixels of the images that hold each value.
    pixels_where_present: [u64; 256],
    /// Sums of the levels and of their squares, 0..=255, per channel.
    sums: [u64; 3],
    squares: [u128; 3],
    /// Pixels of the images.
    area: u64,
    sizes: [u64; SIDES.len() + 1],
    smallest: [u32; 2],
    largest: [u32; 2],
}

/// Upper bounds of the bins of image sizes: the longer side in pixels.
const SIDES: [u32; 12] = [64, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048, 4096, 8192];

/// Images of some size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SizeBin {
    /// Least length of the longer side in pixels.
    pub from: u32,
    /// Greatest length; none for the last bin.
    pub to: Option<u32>,
    /// Number of images.
    pub images: u64,
}

impl Default for Stats {
    fn default() -> Self {
        Self {
            images: 0,
            pixels: [0; 256],
            frequency: [0; 256],
            pixels_where_present: [0; 256],
            sums: [0; 3],
            squares: [0; 3],
            area: 0,
            sizes: [0; SIDES.len() + 1],
            smallest: [u32::MAX; 2],
            largest: [0; 2],
        }
    }
}

impl Stats {
    /// Counts a set's images on all cores; `progress` is called once an image, from any thread.
    ///
    /// Returns the counts and what could not be read, which is not in the counts.
    #[must_use]
    pub fn of_inventory(set: &Inventory, progress: &(dyn Fn() + Sync)) -> (Self, Vec<Error>) {
        let read = |index: usize| read_pair(set, &set.items[index]);
        Self::collect(set.items.len(), read, progress)
    }

    /// Counts `len` images that `read` gives, on all cores.
    pub fn collect(
        len: usize,
        read: impl Fn(usize) -> Result<(RgbImage, GrayImage), Error> + Sync,
        progress: &(dyn Fn() + Sync),
    ) -> (Self, Vec<Error>) {
        let count = |(mut stats, mut errors): (Self, Vec<Error>), index: usize| {
            match read(index) {
                Ok((image, labels)) => stats.add(&image, &labels),
                Err(error) => errors.push(error),
            }
            progress();
            (stats, errors)
        };
        let join = |(a, mut first): (Self, Vec<Error>), (b, second)| {
            first.extend::<Vec<Error>>(second);
            (a.merge(&b), first)
        };
        (0..len).into_par_iter().fold(Default::default, count).reduce(Default::default, join)
    }

    /// Counts one image and its label map.
    pub fn add(&mut self, image: &RgbImage, labels: &GrayImage) {
        let mut pixels = [0u64; 256];
        labels.iter().for_each(|label| pixels[usize::from(*label)] += 1);
        let labelled = labels.len() as u64 - pixels[usize::from(VOID)];
        for (value, count) in pixels.into_iter().enumerate().filter(|(_, count)| *count > 0) {
            self.pixels[value] += count;
            self.frequency[value] += 1;
            self.pixels_where_present[value] += labelled;
        }
        let mut levels = [[0u64; 256]; 3];
        for pixel in image.pixels() {
            (0..3).for_each(|channel| levels[channel][usize::from(pixel[channel])] += 1);
        }
        for (channel, levels) in levels.iter().enumerate() {
            let weighted =
                |power: u32| levels.iter().zip(0u64..).map(move |(count, level)| count * level.pow(power));
            self.sums[channel] += weighted(1).sum::<u64>();
            self.squares[channel] += u128::from(weighted(2).sum::<u64>());
        }
        let (width, height) = image.dimensions();
        self.images += 1;
        self.area += u64::from(width) * u64::from(height);
        self.sizes[SIDES.partition_point(|bound| *bound < width.max(height))] += 1;
        self.smallest = [self.smallest[0].min(width), self.smallest[1].min(height)];
        self.largest = [self.largest[0].max(width), self.largest[1].max(height)];
    }

    /// The counts of both.
    #[must_use]
    pub fn merge(self, other: &Self) -> Self {
        fn sum<T: Copy + std::ops::Add<Output = T>, const N: usize>(a: [T; N], b: [T; N]) -> [T; N] {
            std::array::from_fn(|at| a[at] + b[at])
        }
        let each = |pick: fn(u32, u32) -> u32, a: [u32; 2], b: [u32; 2]| [pick(a[0], b[0]), pick(a[1], b[1])];
        Self {
            images: self.images + other.images,
            pixels: sum(self.pixels, other.pixels),
            frequency: sum(self.frequency, other.frequency),
            pixels_where_present: sum(self.pixels_where_present, other.pixels_where_present),
            sums: sum(self.sums, other.sums),
            squares: sum(self.squares, other.squares),
            area: self.area + other.area,
            sizes: sum(self.sizes, other.sizes),
            smallest: each(u32::min, self.smallest, other.smallest),
            largest: each(u32::max, self.largest, other.largest),
        }
    }

    /// Number of images.
    #[must_use]
    pub fn images(&self) -> u64 {
        self.images
    }

    /// Pixels with this label.
    #[must_use]
    pub fn pixels(&self, label: u8) -> u64 {
        self.pixels[usize::from(label)]
    }

    /// Pixels that are not void.
    #[must_use]
    pub fn labelled(&self) -> u64 {
        self.pixels[..usize::from(VOID)].iter().sum()
    }

    /// Share of the labelled pixels, 0..=1; 0 where there are none.
    #[must_use]
    pub fn share(&self, label: u8) -> f64 {
        self.pixels(label) as f64 / self.labelled().max(1) as f64
    }

    /// Images that hold this label.
    #[must_use]
    pub fn images_with(&self, label: u8) -> u64 {
        self.frequency[usize::from(label)]
    }

    /// The highest label below void that any pixel has.
    #[must_use]
    pub fn highest_label(&self) -> Option<u8> {
        (0..VOID).rev().find(|label| self.pixels(*label) > 0)
    }

    /// Mean of red, green and blue over all pixels, 0..=1.
    #[must_use]
    pub fn mean(&self) -> [f64; 3] {
        self.sums.map(|sum| sum as f64 / (255.0 * self.area.max(1) as f64))
    }

    /// Standard deviation of red, green and blue over all pixels, 0..=1.
    #[must_use]
    pub fn deviation(&self) -> [f64; 3] {
        let area = u128::from(self.area.max(1));
        std::array::from_fn(|channel| {
            // n Σx² − (Σx)² in whole numbers: nothing cancels.
            let spread = area * self.squares[channel] - u128::from(self.sums[channel]).pow(2);
            (spread as f64).sqrt() / (255.0 * area as f64)
        })
    }

    /// Number of images by the length of their longer side, the bins that hold any.
    #[must_use]
    pub fn sizes(&self) -> Vec<SizeBin> {
        let bin = |(at, images): (usize, &u64)| SizeBin {
            from: if at == 0 { 1 } else { SIDES[at - 1] + 1 },
            to: SIDES.get(at).copied(),
            images: *images,
        };
        self.sizes.iter().enumerate().map(bin).filter(|bin| bin.images > 0).collect()
    }

    /// Least width and height, and greatest width and height, in pixels; none without images. The two widths and
    /// heights may come from different images.
    #[must_use]
    pub fn extent(&self) -> Option<[[u32; 2]; 2]> {
        (self.images > 0).then_some([self.smallest, self.largest])
    }

    /// Class weights by median-frequency balancing: the median of all classes' frequencies over the class's own,
    /// where a class's frequency is its share of the labelled pixels of the images that hold it.
    ///
    /// None for a class without pixels. Source: D. Eigen and R. Fergus, "Predicting Depth, Surface Normals and
    /// Semantic Labels with a Common Multi-Scale Convolutional Architecture", ICCV 2015, section 6.2.
    #[must_use]
    pub fn median_frequency_weights(&self, classes: usize) -> Vec<Option<f64>> {
        let frequency = |label: usize| {
            (self.pixels[label] > 0)
                .then(|| self.pixels[label] as f64 / self.pixels_where_present[label] as f64)
        };
        let frequencies: Vec<Option<f64>> = (0..classes.min(usize::from(VOID))).map(frequency).collect();
        let mut sorted: Vec<f64> = frequencies.iter().flatten().copied().collect();
        sorted.sort_by(f64::total_cmp);
        let middle = |at: usize| sorted.get(at).copied().unwrap_or(1.0);
        let median = (middle(sorted.len().saturating_sub(1) / 2) + middle(sorted.len() / 2)) / 2.0;
        frequencies.into_iter().map(|frequency| Some(median / frequency?)).collect()
    }

    /// Class weights by the inverse logarithm: 1 / ln(1.02 + share of the labelled pixels), between 1.4 and 50.5.
    ///
    /// None for a class without pixels. Source: A. Paszke and others, "ENet: A Deep Neural Network Architecture for
    /// Real-Time Semantic Segmentation", 2016, section 5.2.
    #[must_use]
    pub fn inverse_log_weights(&self, classes: usize) -> Vec<Option<f64>> {
        let labels = (0..VOID).take(classes);
        labels.map(|label| (self.pixels(label) > 0).then(|| 1.0 / (1.02 + self.share(label)).ln())).collect()
    }
}

fn read_pair(set: &Inventory, item: &Item) -> Result<(RgbImage, GrayImage), Error> {
    let labels = set.labels(item)?;
    let image = set.picture(item, Some(labels.dimensions()))?;
    if image.dimensions() == labels.dimensions() {
        return Ok((image, labels));
    }
    Err(Error::SizeMismatch {
        image: item.image.clone(),
        image_size: image.dimensions(),
        target: item.labels.clone(),
        target_size: labels.dimensions(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{Luma, Rgb};
    use proptest::prelude::*;

    fn labels(values: &[u8]) -> GrayImage {
        GrayImage::from_raw(values.len() as u32, 1, values.to_vec()).unwrap()
    }

    fn stats(maps: &[&[u8]]) -> Stats {
        let mut stats = Stats::default();
        for map in maps {
            stats.add(&RgbImage::from_pixel(map.len() as u32, 1, Rgb([0, 128, 255])), &labels(map));
        }
        stats
    }

    #[test]
    fn weights_are_those_of_the_formulas() {
        // Frequencies: class 0 has 6 of 12 labelled pixels, class 1 2 of 8, class 2 4 of 12, class 3 none.
        let stats = stats(&[&[0, 0, 0, 0, 2, 2, 1, 1, 255, 255], &[0, 0, 2, 2]]);
        assert_eq!((stats.labelled(), stats.images_with(1), stats.images_with(255)), (12, 1, 1));
        let median = 1.0 / 3.0;
        let balanced = stats.median_frequency_weights(4);
        for (weight, frequency) in balanced.iter().zip([0.5, 0.25, 1.0 / 3.0]) {
            assert!((weight.unwrap() - median / frequency).abs() < 1e-12, "{balanced:?}");
        }
        assert_eq!(balanced[3], None);
        let enet = stats.inverse_log_weights(4);
        assert!((enet[0].unwrap() - 1.0 / 1.52f64.ln()).abs() < 1e-12 && enet[3].is_none(), "{enet:?}");
    }

    #[test]
    fn two_middle_frequencies_are_averaged_and_no_pixels_give_no_weights() {
        let weights = stats(&[&[0, 0, 0, 1]]).median_frequency_weights(2);
        assert_eq!(weights, [Some(0.5 / 0.75), Some(2.0)]);
        let none = Stats::default();
        assert_eq!((none.median_frequency_weights(2), none.highest_label()), (vec![None; 2], None));
        assert_eq!((none.mean(), none.extent()), ([0.0; 3], None));
    }

    #[test]
    fn sizes_are_binned_by_the_longer_side() {
        let mut stats = Stats::default();
        for (width, height) in [(64, 3), (65, 3), (2, 128), (9000, 1)] {
            stats.add(&RgbImage::new(width, height), &GrayImage::new(width, height));
        }
        let bins: Vec<_> = stats.sizes().into_iter().map(|bin| (bin.from, bin.to, bin.images)).collect();
        assert_eq!(bins, [(1, Some(64), 1), (65, Some(128), 2), (8193, None, 1)]);
        assert_eq!(stats.extent(), Some([[2, 1], [9000, 128]]));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn merged_counts_are_those_of_all_images(seeds in prop::collection::vec(any::<u32>(), 1..6)) {
            let sample = |seed: u32| {
                let level = |x: u32, y: u32| (seed.wrapping_mul(2_654_435_761).wrapping_add(x * 71 + y * 13) >> 7) as u8;
                let image = RgbImage::from_fn(7, 5, |x, y| Rgb([level(x, y), level(y, x), level(x, x)]));
                (image, GrayImage::from_fn(7, 5, |x, y| Luma([level(x, y) % 5])))
            };
            let mut whole = Stats::default();
            seeds.iter().map(|seed| sample(*seed)).for_each(|(image, labels)| whole.add(&image, &labels));
            let (parts, errors) = Stats::collect(seeds.len(), |at| Ok(sample(seeds[at])), &|| ());
            prop_assert!(errors.is_empty());
            prop_assert_eq!(&parts, &whole);
            let levels: Vec<f64> =
                seeds.iter().flat_map(|seed| sample(*seed).0.pixels().map(|p| f64::from(p[0]) / 255.0).collect::<Vec<_>>()).collect();
            let mean = levels.iter().sum::<f64>() / levels.len() as f64;
            let deviation = (levels.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / levels.len() as f64).sqrt();
            prop_assert!((whole.mean()[0] - mean).abs() < 1e-9 && (whole.deviation()[0] - deviation).abs() < 1e-9);
        }
    }
}
