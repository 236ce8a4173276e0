//! Floats of a vector that lie here and there, but several of them close to each other.

use super::MOST_LANES;

/// The places of the floats of the widest vector, of which narrower ones take a part.
pub(in crate::conv) struct Picks {
    pub(super) places: [i32; MOST_LANES],
    /// What to take from runs of as many floats, so that each float is taken from one.
    pub(super) windows: Vec<Window>,
}

/// Floats that lie so close to each other that one vector reads all of them.
pub(super) struct Window {
    /// The place of the first.
    pub(super) start: i32,
    /// For each lane, which float from `start` on it takes.
    pub(super) floats: [i32; MOST_LANES],
    /// The lanes that take one.
    pub(super) lanes: u16,
}

impl Picks {
    pub(in crate::conv) fn new(places: [i32; MOST_LANES]) -> Self {
        let mut sorted = places;
        sorted.sort_unstable();
        let mut windows: Vec<Window> = Vec::new();
        for start in sorted {
            if windows.last().is_none_or(|last| last.start + MOST_LANES as i32 <= start) {
                windows.push(Window::new(start, &places));
            }
        }
        Self { places, windows }
    }
}

impl Window {
    fn new(start: i32, places: &[i32; MOST_LANES]) -> Self {
        let floats = places.map(|place| place - start);
        let inside = |float: i32| (0..MOST_LANES as i32).contains(&float);
        let lanes = (0..MOST_LANES).filter(|&lane| inside(floats[lane])).map(|lane| 1 << lane).sum();
        Self { start, floats, lanes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_lane_is_in_one_window() {
        let places = std::array::from_fn(|lane| [40, 3, 18, 19, 55, 3, 34, 56][lane % 8]);
        let windows = Picks::new(places).windows;
        assert_eq!(windows.iter().map(|window| window.start).collect::<Vec<_>>(), [3, 19, 40, 56]);
        let lanes = [0b0010_0110, 0b0100_1000, 0b0001_0001, 0b1000_0000].map(|lanes| lanes * 0x101);
        assert_eq!(windows.iter().map(|window| window.lanes).collect::<Vec<_>>(), lanes);
        assert_eq!((windows[0].floats[2], windows[1].floats[6]), (15, 15));
    }
}
