//! Costs of several layers together.

use crate::Cost;

impl Cost {
    /// The cost of all `parts`, whose common result has `size` (height, width).
    pub fn sum(parts: impl IntoIterator<Item = Cost>, size: (usize, usize)) -> Cost {
        let nothing = Cost { parameters: 0, multiply_adds: 0, size };
        parts.into_iter().fold(nothing, |total, part| Cost {
            parameters: total.parameters + part.parameters,
            multiply_adds: total.multiply_adds + part.multiply_adds,
            size,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_add_up_and_the_size_is_given() {
        let part = |parameters, side| Cost { parameters, multiply_adds: 10 * parameters, size: (side, side) };
        let want = Cost { parameters: 7, multiply_adds: 70, size: (4, 5) };
        assert_eq!(Cost::sum([part(3, 2), part(4, 8)], (4, 5)), want);
    }
}
