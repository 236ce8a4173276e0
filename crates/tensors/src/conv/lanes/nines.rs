//! Kernels of nine floats, one for each lane.

use super::MOST_LANES;

/// The places of the first floats of the kernels of the widest vector, of which narrower ones take a part.
pub(in crate::conv) struct Nines {
    pub(super) places: [i32; MOST_LANES],
    pub(super) order: Order,
}

/// Which lanes' kernels lie one behind the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// Those of the lanes `k` and `8 + k`, the first ones at these places.
    Halves([i32; MOST_LANES / 2]),
    /// Those of the lanes `2k` and `2k + 1`, the first ones at these places.
    Pairs([i32; MOST_LANES / 2]),
    Apart,
}

impl Nines {
    pub(in crate::conv) fn new(places: [i32; MOST_LANES]) -> Self {
        const HALF: usize = MOST_LANES / 2;
        let behind = |first: usize, next: usize| places[next] == places[first] + 9;
        let order = if (0..HALF).all(|row| behind(row, HALF + row)) {
            Order::Halves(std::array::from_fn(|row| places[row]))
        } else if (0..HALF).all(|row| behind(2 * row, 2 * row + 1)) {
            Order::Pairs(std::array::from_fn(|row| places[2 * row]))
        } else {
            Order::Apart
        };
        Self { places, order }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_found() {
        let order = |place: fn(i32) -> i32| Nines::new(std::array::from_fn(|lane| place(lane as i32))).order;
        let rows = [0, 50, 100, 150, 200, 250, 300, 350];
        assert_eq!(order(|lane| lane % 8 * 50 + lane / 8 * 9), Order::Halves(rows));
        assert_eq!(order(|lane| lane / 2 * 50 + lane % 2 * 9), Order::Pairs(rows));
        assert_eq!(order(|lane| lane / 2 * 50 + lane % 2 * 10), Order::Apart);
    }
}
