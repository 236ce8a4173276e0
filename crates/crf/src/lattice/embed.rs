//! The simplex of the permutohedral lattice that holds a point (Adams, Baek and Davis 2010, section 3.1).

use crate::simd::{ROUND, vectorised};

/// Points that are embedded at once.
pub(crate) const POINTS: usize = 16;
/// Most feature dimensions.
pub(crate) const MOST_DIMENSIONS: usize = 31;
/// Most corners of a simplex, one more than dimensions.
pub(crate) const MOST_CORNERS: usize = MOST_DIMENSIONS + 1;

type Floats = [f32; POINTS];
type Integers = [i32; POINTS];

/// Where some points lie in the lattice. Coordinates and corners are the first index, points the second.
pub(crate) struct Simplices {
    /// Coordinates of the corner of remainder 0.
    pub(crate) origin: [Integers; MOST_CORNERS],
    /// Place of each coordinate when the offsets from the origin are sorted, the largest first.
    pub(crate) rank: [Integers; MOST_CORNERS],
    /// Barycentric weight of the corner of each remainder.
    pub(crate) weights: [Floats; MOST_CORNERS],
}

impl Simplices {
    pub(crate) fn new() -> Self {
        Self {
            origin: [[0; POINTS]; MOST_CORNERS],
            rank: [[0; POINTS]; MOST_CORNERS],
            weights: [[0.0; POINTS]; MOST_CORNERS],
        }
    }
}

/// Factor of each dimension that makes the lattice's blur one of standard deviation 1.
///
/// The columns of the paper's E have lengths sqrt((i + 1)(i + 2)), and the blur's deviation is sqrt(2 / 3) (d + 1).
pub(crate) fn scales(dimensions: usize) -> Vec<f32> {
    let deviation = (2.0f64 / 3.0).sqrt() * (dimensions + 1) as f64;
    (0..dimensions).map(|i| (deviation / (((i + 1) * (i + 2)) as f64).sqrt()) as f32).collect()
}

/// Embeds points, of which `features` holds one vector per dimension.
pub(crate) fn embed(features: &[Floats], scales: &[f32], simplices: &mut Simplices) {
    match features.len() {
        1 => embed_points::<2>(1, features, scales, simplices),
        2 => embed_points::<3>(2, features, scales, simplices),
        3 => embed_points::<4>(3, features, scales, simplices),
        5 => embed_points::<6>(5, features, scales, simplices),
        6 => embed_points::<7>(6, features, scales, simplices),
        dimensions => embed_points::<MOST_CORNERS>(dimensions, features, scales, simplices),
    }
}

vectorised! {
    fn embed_points[CORNERS: usize](dimensions: usize, features: &[Floats], scales: &[f32], simplices: &mut Simplices) {
        // Where CORNERS is exact, the compiler knows the number of rounds of every loop.
        let d = if CORNERS < MOST_CORNERS { CORNERS - 1 } else { dimensions };
        let mut elevated = [[0.0f32; POINTS]; CORNERS];
        elevate(d, features, scales, &mut elevated);
        let mut offset = [[0.0f32; POINTS]; CORNERS];
        let mut origin = [[0.0f32; POINTS]; CORNERS];
        let excess = round(d, &elevated, &mut origin, &mut offset);
        let mut rank = [[0.0f32; POINTS]; CORNERS];
        sort(d, &offset, &mut rank);
        settle(d, &excess, &mut rank, &mut origin);
        weigh(d, &elevated, &origin, &rank, &mut simplices.weights);
        for i in 0..=d {
            simplices.origin[i] = integers(&origin[i]);
            simplices.rank[i] = integers(&rank[i]);
        }
    }
}

/// y = E x on the hyperplane of coordinate sum 0.
#[inline(always)]
fn elevate<const CORNERS: usize>(
    d: usize,
    features: &[Floats],
    scales: &[f32],
    elevated: &mut [Floats; CORNERS],
) {
    let mut sum = [0.0f32; POINTS];
    for j in (1..=d).rev() {
        let (feature, scale) = (&features[j - 1], scales[j - 1]);
        for p in 0..POINTS {
            let scaled = feature[p] * scale;
            elevated[j][p] = sum[p] - j as f32 * scaled;
            sum[p] += scaled;
        }
    }
    elevated[0] = sum;
}

/// The nearest multiples of d + 1, the offsets from them, and by how many of these multiples their sum is above 0.
#[inline(always)]
fn round<const CORNERS: usize>(
    d: usize,
    elevated: &[Floats; CORNERS],
    origin: &mut [Floats; CORNERS],
    offset: &mut [Floats; CORNERS],
) -> Floats {
    let (size, inverse) = ((d + 1) as f32, 1.0 / (d + 1) as f32);
    let mut excess = [0.0f32; POINTS];
    for i in 0..=d {
        for p in 0..POINTS {
            let multiple = (elevated[i][p] * inverse + ROUND) - ROUND;
            origin[i][p] = multiple * size;
            offset[i][p] = elevated[i][p] - origin[i][p];
            excess[p] += multiple;
        }
    }
    excess
}

/// For each coordinate, how many have a larger offset; of equal ones the later count as smaller.
#[inline(always)]
fn sort<const CORNERS: usize>(d: usize, offset: &[Floats; CORNERS], rank: &mut [Floats; CORNERS]) {
    for i in 0..d {
        for j in i + 1..=d {
            for p in 0..POINTS {
                let below = if offset[i][p] < offset[j][p] { 1.0 } else { 0.0 };
                rank[i][p] += below;
                rank[j][p] += 1.0 - below;
            }
        }
    }
}

/// Moves the origin by the excess so that its coordinates sum to 0 and ranks are 0..=d again.
#[inline(always)]
fn settle<const CORNERS: usize>(
    d: usize,
    excess: &Floats,
    rank: &mut [Floats; CORNERS],
    origin: &mut [Floats; CORNERS],
) {
    let size = (d + 1) as f32;
    for i in 0..=d {
        for p in 0..POINTS {
            let moved = rank[i][p] + excess[p];
            let up = if moved < 0.0 { size } else { 0.0 };
            let down = if moved >= size { size } else { 0.0 };
            rank[i][p] = moved + (up - down);
            origin[i][p] += up - down;
        }
    }
}

/// Barycentric weights: differences of consecutive sorted offsets.
#[inline(always)]
fn weigh<const CORNERS: usize>(
    d: usize,
    elevated: &[Floats; CORNERS],
    origin: &[Floats; CORNERS],
    rank: &[Floats; CORNERS],
    weights: &mut [Floats; MOST_CORNERS],
) {
    let inverse = 1.0 / (d + 1) as f32;
    let mut sorted = [[0.0f32; POINTS]; CORNERS];
    for i in 0..=d {
        for (r, sorted) in sorted.iter_mut().enumerate().take(d + 1) {
            for p in 0..POINTS {
                let offset = (elevated[i][p] - origin[i][p]) * inverse;
                sorted[p] += if rank[i][p] == r as f32 { offset } else { 0.0 };
            }
        }
    }
    for p in 0..POINTS {
        weights[0][p] = sorted[d][p] + (1.0 - sorted[0][p]);
    }
    for remainder in 1..=d {
        for p in 0..POINTS {
            weights[remainder][p] = sorted[d - remainder][p] - sorted[d - remainder + 1][p];
        }
    }
}

/// Floats that are small integers, as such.
#[inline(always)]
fn integers(values: &Floats) -> Integers {
    // A cast would saturate, which takes several instructions; adding ROUND leaves the integer in the low bits.
    std::array::from_fn(|p| (values[p] + ROUND).to_bits().wrapping_sub(ROUND.to_bits()) as i32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn features(dimensions: usize) -> Vec<Floats> {
        let value = |j: usize, p: usize| ((j * 31 + p * 17) % 23) as f32 * 0.37 - 3.0 + 0.011 * p as f32;
        (0..dimensions).map(|j| std::array::from_fn(|p| value(j, p))).collect()
    }

    /// Coordinates of the corner of a remainder: the paper's canonical simplex, sorted back and moved.
    fn corner(s: &Simplices, d: usize, remainder: usize, p: usize) -> Vec<i32> {
        let canonical = |rank: i32| {
            if rank <= (d - remainder) as i32 { remainder as i32 } else { remainder as i32 - (d as i32 + 1) }
        };
        (0..=d).map(|i| s.origin[i][p] + canonical(s.rank[i][p])).collect()
    }

    #[test]
    fn weighted_corners_are_the_point() {
        for d in [1, 2, 3, 4, 5, 6, 9, 31] {
            let (features, scales) = (features(d), scales(d));
            let mut simplices = Simplices::new();
            embed(&features, &scales, &mut simplices);
            let mut elevated = [[0.0; POINTS]; MOST_CORNERS];
            elevate(d, &features, &scales, &mut elevated);
            (0..POINTS).for_each(|p| {
                let weights: Vec<f32> = (0..=d).map(|r| simplices.weights[r][p]).collect();
                assert!((weights.iter().sum::<f32>() - 1.0).abs() < 1e-4, "{d}: {weights:?}");
                assert!(weights.iter().all(|&w| w > -1e-4), "{d}: {weights:?}");
                for (i, elevated) in elevated.iter().enumerate().take(d + 1) {
                    let corners = (0..=d).map(|r| weights[r] * corner(&simplices, d, r, p)[i] as f32);
                    let (got, want) = (corners.sum::<f32>(), elevated[p]);
                    assert!((got - want).abs() < 1e-2, "{d} dimensions: {got} instead of {want}");
                }
            });
        }
    }

    #[test]
    fn far_points_have_ranks_too() {
        for d in 1..=MOST_DIMENSIONS {
            for factor in [1e2, 1e3, 1e4, 2e4] {
                let far: Vec<Floats> = features(d).iter().map(|f| f.map(|value| value * factor)).collect();
                let mut simplices = Simplices::new();
                embed(&far, &scales(d), &mut simplices);
                for p in 0..POINTS {
                    let mut ranks: Vec<i32> = (0..=d).map(|i| simplices.rank[i][p]).collect();
                    ranks.sort_unstable();
                    assert!(ranks.iter().zip(0..).all(|(rank, i)| *rank == i), "{d}: {ranks:?}");
                }
            }
        }
    }

    #[test]
    fn corners_are_lattice_points() {
        let d = 5;
        let mut simplices = Simplices::new();
        embed(&features(d), &scales(d), &mut simplices);
        for p in 0..POINTS {
            for remainder in 0..=d {
                let corner = corner(&simplices, d, remainder, p);
                assert_eq!(corner.iter().sum::<i32>(), 0);
                assert!(corner.iter().all(|c| c.rem_euclid(6) == remainder as i32));
            }
        }
    }
}
