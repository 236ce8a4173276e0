//! Smooth noise over the plane from hashed lattice values: textures that are the same at every size.

use super::geometry::mix;

/// Value noise, 0..=1: random values at whole coordinates, smooth between.
pub(crate) fn noise(x: f32, y: f32, seed: u32) -> f32 {
    let (ix, iy) = (floor(x), floor(y));
    let (tx, ty) = (ease(x - ix as f32), ease(y - iy as f32));
    let column = |step: i32| ((ix + step) as u32).wrapping_mul(0x85eb_ca6b);
    let row = |step: i32| ((iy + step) as u32).wrapping_mul(0xc2b2_ae35) ^ seed;
    let ([left, right], [above, below]) = ([column(0), column(1)], [row(0), row(1)]);
    let top = mix(mixed(left ^ above), mixed(right ^ above), tx);
    mix(top, mix(mixed(left ^ below), mixed(right ^ below), tx), ty)
}

/// Noise summed over two octaves, 0..=1, most values near 0.5.
pub(crate) fn clouds(x: f32, y: f32, seed: u32) -> f32 {
    0.65 * noise(x, y, seed) + 0.35 * noise(2.6 * x, 2.6 * y, seed ^ 0x51ed)
}

/// The next whole number below; faster than `f32::floor`, which is a library call on plain x86-64.
fn floor(x: f32) -> i32 {
    let whole = x as i32;
    whole - i32::from(x < whole as f32)
}

fn ease(t: f32) -> f32 {
    t * t * (3.0 - 2.0 * t)
}

/// A lattice point's hash (the multipliers are MurmurHash3's) as a value in 0..=1.
fn mixed(hash: u32) -> f32 {
    let hash = (hash ^ (hash >> 15)).wrapping_mul(0x85eb_ca6b);
    ((hash ^ (hash >> 13)) & 0xff_ffff) as f32 / 0xff_ffff as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_is_continuous_and_within_bounds() {
        for i in 0..2000 {
            let x = i as f32 * 0.01 - 10.0;
            let (a, b) = (noise(x, 0.3, 7), noise(x + 0.01, 0.3, 7));
            assert!((0.0..=1.0).contains(&a) && (a - b).abs() < 0.05, "{x}: {a} {b}");
            assert!((0.0..=1.0).contains(&clouds(x, -x, 7)));
        }
    }
}
