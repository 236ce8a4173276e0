//! What labelling a picture holds in memory.
//!
//! Measured as the peak of a process that does nothing else, at sizes of 2^16 to 2^20 pixels (`summary … --trial predict:1xHxW`); it
//! lies on a line:
//!
//! | network, 21 classes | bytes for each pixel that it sees |
//! |---|---|
//! | voc-small | 376 to 397 |
//! | DeepLabV3+ on ResNet-50, output stride 16 | 405 to 506 |
//! | DeepLabV3 on ResNet-101, output stride 8 | 416 to 495 |
//! | PSPNet on ResNet-101, output stride 8 | 487 to 525 |
//!
//! The dense CRF of noisy regions (`bench --case crf/…`): 563 for 21 classes, and 18.5 more for every class. `predict --crf` of voc-small
//! as a whole: 651.

use super::view::View;

/// Of the network's inside, a pixel that it sees: a fifth more than the most that was measured.
const NETWORK: f64 = 640.0;

/// Of the CRF, a pixel of the picture: without classes, and for each.
const CRF: f64 = 180.0;
const CRF_CLASS: f64 = 20.0;

/// Maps of all classes at the picture's size that are there at once: a look, its mirror image, their sum and a copy.
const MAPS: f64 = 4.0;

/// The most bytes that labelling a picture of (rows, columns) holds.
pub(super) fn of_picture(view: &View, classes: usize, crf: bool, size: (usize, usize)) -> u64 {
    let (pixels, seen) = ((size.0 * size.1) as f64, view.most_seen(size));
    let map = (classes * size_of::<f32>()) as f64;
    let crf = if crf { pixels * (CRF + CRF_CLASS * classes as f64) } else { 0.0 };
    // The network's inside is freed before the CRF begins.
    ((NETWORK * seen).max(crf) + MAPS * map * pixels) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::voc::Config;

    fn view(change: &str) -> View {
        let path = "../../configs/voc-pspnet-r101.toml";
        let text = std::fs::read_to_string(path).unwrap() + change;
        View::of(&toml::from_str::<Config>(&text).unwrap())
    }

    const PASCAL: (usize, usize) = (375, 500);

    #[test]
    fn what_was_measured_fits_and_little_more() {
        let plain = view("").alone();
        let of =
            |crf, size: (usize, usize)| of_picture(&plain, 21, crf, size) as f64 / (size.0 * size.1) as f64;
        for size in [(384, 512), (768, 1024)] {
            assert!((525.0..1050.0).contains(&of(false, size)), "{}", of(false, size));
            assert!((651.0..1300.0).contains(&of(true, size)), "{}", of(true, size));
        }
    }

    #[test]
    fn larger_looks_and_more_classes_take_more_and_windows_less() {
        let plain = view("").alone();
        let looks = |text: &str| plain.clone().with(toml::from_str(text).unwrap());
        let of = |view: &View, classes| of_picture(view, classes, true, PASCAL);
        let twice = looks("scales = [0.5, 2.0]\nflip = true");
        assert!(of(&twice, 21) > 2 * of(&plain, 21) && of(&plain, 150) > 3 * of(&plain, 21));
        let windows = looks("scales = [0.5, 2.0]\nflip = true\nwindows = { size = [96, 96], overlap = 32 }");
        assert!(of(&windows, 21) < of(&twice, 21));
    }
}
