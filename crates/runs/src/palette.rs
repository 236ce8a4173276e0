//! Colours for classes: easy to tell apart, calm enough to look at, and the same for every run.

/// Red, green and blue, 0..=255 each (sRGB).
pub type Colour = [u8; 3];

/// One colour per class. Class 0, the background, is black; [`crate::overlay`] leaves it transparent.
///
/// Each further class takes, of a set of moderately strong colours, the one farthest from all before it, as the eye sees it. So a
/// class has the same colour however many classes follow it.
pub fn palette(classes: usize) -> Vec<Colour> {
    let candidates = candidates();
    let mut distances = vec![f32::INFINITY; candidates.len()];
    let mut colours = vec![[0, 0, 0]];
    let mut next = 0;
    while colours.len() < classes && !candidates.is_empty() {
        let (colour, lab) = candidates[next];
        colours.push(colour);
        for (distance, (_, other)) in distances.iter_mut().zip(&candidates) {
            *distance = distance.min(difference(lab, *other));
        }
        next = farthest(&distances);
    }
    colours.truncate(classes);
    colours
}

/// Lightness 0..=1 and two colour axes of the OKLab space, in which equal distances look alike.
///
/// Source: B. Ottosson, "A perceptual color space for image processing", 2020.
type Lab = [f32; 3];

/// Colours of middle lightness and strength, all hues; the first one is the first class's.
fn candidates() -> Vec<(Colour, Lab)> {
    const LIGHTNESSES: [f32; 5] = [0.72, 0.62, 0.8, 0.52, 0.88];
    const STRENGTHS: [f32; 3] = [0.125, 0.16, 0.2];
    const HUES: u32 = 48;
    let mut all = Vec::new();
    for lightness in LIGHTNESSES {
        for strength in STRENGTHS {
            if lightness + strength > BRIGHTEST {
                continue;
            }
            for hue in 0..HUES {
                let angle = (FIRST_HUE + hue as f32 * 360.0 / HUES as f32).to_radians();
                let lab = [lightness, strength * angle.cos(), strength * angle.sin()];
                all.extend(to_srgb(lab).map(|colour| (colour, lab)));
            }
        }
    }
    all
}

/// Keeps neon colours out.
const BRIGHTEST: f32 = 0.98;
/// In degrees: teal.
const FIRST_HUE: f32 = 190.0;

fn difference(a: Lab, b: Lab) -> f32 {
    a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum()
}

fn farthest(distances: &[f32]) -> usize {
    let mut best = 0;
    for (place, distance) in distances.iter().enumerate() {
        if *distance > distances[best] {
            best = place;
        }
    }
    best
}

/// None if the screen cannot show the colour.
fn to_srgb([l, a, b]: Lab) -> Option<Colour> {
    let long = (l + 0.396_337_78 * a + 0.215_803_76 * b).powi(3);
    let middle = (l - 0.105_561_346 * a - 0.063_854_17 * b).powi(3);
    let short = (l - 0.089_484_18 * a - 1.291_485_5 * b).powi(3);
    let red = 4.076_741_7 * long - 3.307_711_6 * middle + 0.230_969_94 * short;
    let green = -1.268_438 * long + 2.609_757_4 * middle - 0.341_319_38 * short;
    let blue = -0.004_196_086_3 * long - 0.703_418_6 * middle + 1.707_614_7 * short;
    let linear = [red, green, blue];
    let shown = linear.iter().all(|part| (0.0..=1.0).contains(part));
    shown.then(|| linear.map(|part| (255.0 * gamma(part)).round() as u8))
}

/// Linear light 0..=1 to the sRGB scale (IEC 61966-2-1).
fn gamma(part: f32) -> f32 {
    if part <= 0.003_130_8 { 12.92 * part } else { 1.055 * part.powf(1.0 / 2.4) - 0.055 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_background_is_black_and_more_classes_change_nothing() {
        assert_eq!(palette(0), Vec::<Colour>::new());
        assert_eq!(palette(1), [[0, 0, 0]]);
        let all = palette(256);
        assert_eq!(all.len(), 256);
        for classes in [2, 11, 19, 21, 150] {
            assert_eq!(palette(classes), all[..classes]);
        }
    }

    #[test]
    fn all_256_colours_differ() {
        let mut colours = palette(256);
        colours.sort();
        colours.dedup();
        assert_eq!(colours.len(), 256);
    }

    #[test]
    fn few_classes_are_easy_to_tell_apart() {
        let all = candidates();
        let lab = |colour: &Colour| all.iter().find(|(c, _)| c == colour).unwrap().1;
        let colours = palette(21);
        for (i, a) in colours[1..].iter().enumerate() {
            for b in &colours[1..=i] {
                // White and black are 1 apart, a just noticeable difference is about 0.02.
                let apart = difference(lab(a), lab(b)).sqrt();
                assert!(apart > 0.09, "{a:?} {b:?}: {apart}");
            }
        }
    }

    #[test]
    fn the_conversion_meets_known_colours() {
        assert_eq!(to_srgb([0.999, 0.0, 0.0]), Some([255, 255, 255]));
        assert_eq!(to_srgb([0.599_87, 0.0, 0.0]), Some([128, 128, 128]));
        assert_eq!(to_srgb([0.0, 0.0, 0.0]), Some([0, 0, 0]));
        // OKLCH of #d2691e: 0.6344, 0.1475, 51.6 degrees.
        let angle = 51.6_f32.to_radians();
        let [r, g, b] = to_srgb([0.6344, 0.1475 * angle.cos(), 0.1475 * angle.sin()]).unwrap();
        assert!(r.abs_diff(210) < 5 && g.abs_diff(105) < 5 && b.abs_diff(30) < 8, "{r} {g} {b}");
        assert_eq!(to_srgb([0.9, 0.3, 0.0]), None);
    }
}
