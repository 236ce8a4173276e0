//! A vertex's coordinates packed into a few words.

use super::embed::{MOST_DIMENSIONS, scales};
use crate::Error;
use crate::features::Features;

/// Words that hold the coordinates of a vertex, each in bits of its own.
///
/// Coordinates are counted from a bound below the smallest one, so no field ever overflows: adding the packed difference
/// of two vertices word by word gives the other vertex.
pub(crate) type Key<const WORDS: usize> = [u64; WORDS];

/// Most words of a key.
pub(crate) const MOST_WORDS: usize = 8;

/// Where each coordinate lies in a key.
#[derive(Debug, Clone)]
pub(crate) struct Packing {
    fields: Vec<Field>,
    /// Bits of each word that is needed.
    bits: Vec<u32>,
}

#[derive(Debug, Clone, Copy)]
struct Field {
    word: usize,
    shift: u32,
    /// The coordinate that is packed as 0.
    least: i32,
}

/// Beyond this the elevated coordinates of neighbouring pixels are not distinct enough in f32.
const FARTHEST: f32 = 1e6;

impl Packing {
    /// Room for every vertex that the features touch and for these vertices' neighbours.
    pub(crate) fn new(features: &Features) -> Result<Self, Error> {
        let dimensions = features.dimensions();
        if !(1..=MOST_DIMENSIONS).contains(&dimensions) {
            return Err(Error::Dimensions(dimensions));
        }
        // Corners lie within d + 1 of their point, neighbours d further; the rest is for rounding.
        let margin = 3 * (dimensions as i32 + 1);
        let (mut word, mut shift) = (0, 0);
        let (mut fields, mut used) = (Vec::new(), vec![0]);
        for (low, high) in elevated_bounds(features)? {
            let (least, most) = (low.floor() as i32 - margin, high.ceil() as i32 + margin);
            let bits = 32 - ((most - least) as u32).leading_zeros();
            if shift + bits > 64 {
                (word, shift) = (word + 1, 0);
                used.push(0);
            }
            fields.push(Field { word, shift, least });
            shift += bits;
            used[word] = shift;
        }
        // 31 dimensions of at most 23 bits, two a word, would need 16 words: only absurdly narrow kernels in many
        // dimensions do.
        match used.len() {
            ..=MOST_WORDS => Ok(Self { fields, bits: used }),
            _ => Err(Error::TooNarrow { deviations: extent(features) }),
        }
    }

    /// How many words a key needs: 1, 2, 4 or 8.
    pub(crate) fn words(&self) -> usize {
        self.bits.len().next_power_of_two()
    }

    /// How many bits each word has that is needed.
    #[cfg(any(feature = "cuda", test))]
    pub(crate) fn bits(&self) -> &[u32] {
        &self.bits
    }

    /// The bit at which each coordinate begins, in all words.
    #[cfg(any(feature = "cuda", test))]
    pub(crate) fn shifts(&self) -> Vec<u32> {
        self.fields.iter().map(|field| field.word as u32 * u64::BITS + field.shift).collect()
    }

    /// For each coordinate what is packed as 0.
    #[cfg(any(feature = "cuda", test))]
    pub(crate) fn least(&self) -> Vec<i32> {
        self.fields.iter().map(|field| field.least).collect()
    }

    /// What a vertex is packed as.
    #[inline(always)]
    pub(crate) fn pack<const WORDS: usize>(&self, coordinate: impl Fn(usize) -> i32) -> Key<WORDS> {
        let mut key = [0; WORDS];
        for (index, field) in self.fields.iter().enumerate() {
            key[field.word] += ((coordinate(index) - field.least) as u64) << field.shift;
        }
        key
    }

    /// What is added to a key when a coordinate grows by `step`, in wrapping words.
    pub(crate) fn step<const WORDS: usize>(&self, coordinate: usize, step: i64) -> Key<WORDS> {
        let mut key = [0; WORDS];
        // The last coordinate follows from the others, since they sum to 0, and is not packed.
        if let Some(field) = self.fields.get(coordinate) {
            key[field.word] = (step as u64) << field.shift;
        }
        key
    }
}

/// The sum of two keys.
#[inline(always)]
pub(crate) fn plus<const WORDS: usize>(a: Key<WORDS>, b: Key<WORDS>) -> Key<WORDS> {
    std::array::from_fn(|word| a[word].wrapping_add(b[word]))
}

/// Bounds of the first d elevated coordinates over all pixels.
fn elevated_bounds(features: &Features) -> Result<Vec<(f32, f32)>, Error> {
    let scales = scales(features.dimensions());
    let planes = features.planes().iter().zip(&scales);
    let scaled: Vec<_> = planes.map(|(plane, scale)| scaled_bounds(plane, *scale)).collect();
    let mut bounds = Vec::new();
    let (mut low, mut high) = (0.0, 0.0);
    for (j, (least, most)) in scaled.iter().enumerate().rev() {
        let times = (j + 1) as f32;
        bounds.push((low - times * most, high - times * least));
        (low, high) = (low + least, high + most);
    }
    bounds.push((low, high));
    bounds.reverse();
    bounds.pop();
    let near = bounds.iter().all(|(low, high)| *low > -FARTHEST && *high < FARTHEST);
    if near { Ok(bounds) } else { Err(Error::TooNarrow { deviations: extent(features) }) }
}

/// The smallest and largest value of a plane, times `scale`.
fn scaled_bounds(plane: &[f32], scale: f32) -> (f32, f32) {
    let mut bounds = ([f32::INFINITY; 16], [f32::NEG_INFINITY; 16]);
    let (blocks, rest) = plane.as_chunks::<16>();
    let mut widen = |lane: usize, value: f32| {
        bounds.0[lane] = if value < bounds.0[lane] { value } else { bounds.0[lane] };
        bounds.1[lane] = if value > bounds.1[lane] { value } else { bounds.1[lane] };
    };
    blocks.iter().for_each(|block| (0..16).for_each(|lane| widen(lane, block[lane])));
    rest.iter().for_each(|value| widen(0, *value));
    let low = bounds.0.iter().copied().fold(f32::INFINITY, f32::min);
    let high = bounds.1.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    (low * scale, high * scale)
}

/// The largest extent of one dimension.
fn extent(features: &Features) -> f32 {
    let extents = features.planes().iter().map(|plane| {
        let (low, high) = scaled_bounds(plane, 1.0);
        high - low
    });
    extents.fold(0.0, f32::max)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Shape;

    #[test]
    fn steps_lead_to_the_packed_neighbour() {
        let shape = Shape::image(30, 20);
        let mut features = Features::positions(shape).unwrap();
        for factor in [1.0, 50.0, 0.1, 3.0, 7.0] {
            let plane: Vec<f32> = (0..600).map(|i| (i % 37) as f32 * factor).collect();
            features = features.with(&plane).unwrap();
        }
        let packing = Packing::new(&features).unwrap();
        assert_eq!(packing.words(), 2);
        let at = |i: usize| [3, -40, 5, -9, 0, 1, -7][i];
        let mut key = packing.pack::<2>(at);
        for coordinate in 0..7 {
            key = plus(key, packing.step(coordinate, if coordinate == 4 { -7 } else { 1 }));
        }
        assert_eq!(key, packing.pack::<2>(|i| at(i) + if i == 4 { -7 } else { 1 }));
    }

    #[test]
    fn what_no_integer_can_hold_is_refused() {
        let features = Features::none(Shape::image(2, 1)).unwrap();
        let far = features.with(&[0.0, 1e7]).unwrap();
        assert!(matches!(Packing::new(&far), Err(Error::TooNarrow { deviations: 1e7 })));
    }
}
