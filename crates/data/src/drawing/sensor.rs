//! What the camera makes of the scene: exposure, white balance, blur and noise. Labels know nothing of it.

use super::canvas::Canvas;
use super::colour::Rgb;
use super::dice::Dice;
use super::geometry::pt;

#[derive(Debug, Clone)]
pub(crate) struct Sensor {
    exposure: f32,
    contrast: f32,
    balance: Rgb,
    vignette: f32,
    /// Share of a pixel's light that its neighbours take, 0..=1.
    blur: f32,
    /// Standard deviation of the noise, 0..=1 full scale.
    noise: f32,
    seed: u64,
}

impl Sensor {
    pub(crate) fn draw(dice: &mut Dice) -> Self {
        let warmth = dice.normal(0.0, 0.045);
        Self {
            exposure: dice.range(0.85, 1.22),
            contrast: dice.range(0.85, 1.15),
            balance: Rgb([1.0 + warmth, 1.0 + dice.normal(0.0, 0.015), 1.0 - warmth]),
            vignette: dice.range(0.0, 0.5),
            blur: dice.range(0.0, 0.6),
            noise: if dice.chance(0.7) { dice.range(0.0, 0.01) } else { dice.range(0.01, 0.02) },
            seed: dice.seed(),
        }
    }

    pub(crate) fn apply(&self, canvas: &mut Canvas) {
        blur(canvas.colours_mut(), self.blur);
        let gain = self.balance * self.exposure;
        let mut dice = Dice::of_texture(self.seed);
        canvas.develop(|p, colour| {
            let off = p - pt(0.5, 0.5);
            let edge = 1.0 - self.vignette * (off.x * off.x + off.y * off.y);
            let exposed = colour.times(gain) * edge;
            let contrasted = Rgb(exposed.0.map(|c| 0.5 + (c - 0.5) * self.contrast));
            contrasted + grain(&mut dice) * self.noise
        });
    }
}

/// Brings the mean brightness half of the way to the middle, as a camera does, so that what is deep in colour or in the shade
/// stays above the sensor's noise.
pub(crate) fn meter(canvas: &mut Canvas) {
    let colours = canvas.colours_mut();
    let sum: f64 = colours.iter().map(|colour| f64::from(colour.0[1])).sum();
    let mean = (sum / colours.len() as f64) as f32;
    let gain = (0.45 / mean.max(0.02)).sqrt();
    colours.iter_mut().for_each(|colour| *colour = *colour * gain);
}

/// Independent noise in three channels with mean 0 and deviation near 1: each the sum of two uniform draws.
fn grain(dice: &mut Dice) -> Rgb {
    let [a, b, c, d] = dice.word().to_le_bytes().map(|byte| (f32::from(byte) - 127.5) * (1.73 / 127.5));
    Rgb([0.8 * a + 0.6 * d, 0.8 * b + 0.6 * d, 0.8 * c + 0.6 * d])
}

/// Mixes each pixel with the mean of its neighbourhood (binomial 3 x 3 weights).
fn blur(colours: &mut [Rgb], share: f32) {
    let size = colours.len().isqrt();
    let smooth = |a: Rgb, b: Rgb, c: Rgb| b.mix((a + c + b * 2.0) * 0.25, share);
    for row in colours.chunks_exact_mut(size) {
        let mut before = row[0];
        for x in 0..size {
            let (here, after) = (row[x], row[(x + 1).min(size - 1)]);
            row[x] = smooth(before, here, after);
            before = here;
        }
    }
    let mut above = colours[..size].to_vec();
    for y in 0..size {
        for x in 0..size {
            let (here, below) = (colours[y * size + x], colours[(y + 1).min(size - 1) * size + x]);
            colours[y * size + x] = smooth(above[x], here, below);
            above[x] = here;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blur_keeps_the_mean_and_spreads_a_point() {
        let mut colours = vec![Rgb([0.0; 3]); 49];
        colours[24] = Rgb([1.0; 3]);
        blur(&mut colours, 1.0);
        let sum: f32 = colours.iter().map(|c| c.0[0]).sum();
        assert!((sum - 1.0).abs() < 1e-5 && (colours[24].0[0] - 0.25).abs() < 1e-6, "{sum}");
        assert_eq!(colours[16].0[0], colours[32].0[0]);
    }

    #[test]
    fn grain_has_mean_0_and_deviation_1() {
        let mut dice = Dice::of_texture(3);
        let draws: Vec<f32> = (0..20_000).flat_map(|_| grain(&mut dice).0).collect();
        let mean = draws.iter().sum::<f32>() / draws.len() as f32;
        let variance = draws.iter().map(|d| d * d).sum::<f32>() / draws.len() as f32;
        assert!(mean.abs() < 0.02 && (variance - 1.0).abs() < 0.05, "{mean} {variance}");
    }
}
