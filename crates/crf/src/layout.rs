//! How the classes of one pixel or vertex lie in memory.

use crate::simd::{LANES, Lanes};

/// A row of classes: `blocks` blocks of `groups` vectors of eight floats, padded at the end.
///
/// Loops over a row are compiled for each number of groups, so that a block's sums stay in registers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Layout {
    pub(crate) classes: usize,
    pub(crate) blocks: usize,
    pub(crate) groups: usize,
}

/// Most vectors in a block.
const MOST_GROUPS: usize = 4;

impl Layout {
    /// The layout with the least padding, of several the one with the largest blocks.
    pub(crate) fn new(classes: usize) -> Self {
        let vectors = classes.div_ceil(LANES);
        let padded = |groups: &usize| vectors.div_ceil(*groups) * groups;
        let groups = (1..=MOST_GROUPS.min(vectors)).rev().min_by_key(padded).unwrap_or(1);
        // Blocks of one vector would read every vertex's number and weight once per eight classes.
        let groups = if groups == 1 && vectors > 1 { MOST_GROUPS.min(vectors) } else { groups };
        Self { classes, blocks: vectors.div_ceil(groups), groups }
    }

    /// Vectors of a row.
    pub(crate) fn row(&self) -> usize {
        self.blocks * self.groups
    }

    /// One row of `values`, one per class, and `padding` after them.
    pub(crate) fn padded(&self, values: &[f32], padding: f32) -> Vec<Lanes> {
        let mut row = vec![Lanes::splat(padding); self.row()];
        for (class, &value) in values.iter().enumerate() {
            row[class / LANES].0[class % LANES] = value;
        }
        row
    }

    /// Writes pixels `first..` of planes of `pixels` values, one per class, to rows, times `factor`; padding lanes get
    /// `padding`.
    pub(crate) fn rows_from_planes(
        &self,
        planes: &[f32],
        pixels: usize,
        first: usize,
        (factor, padding): (f32, f32),
        rows: &mut [Lanes],
    ) {
        let count = rows.len() / self.row();
        if self.classes < self.row() * LANES {
            for row in rows.chunks_exact_mut(self.row()) {
                row[self.classes / LANES..].fill(Lanes::splat(padding));
            }
        }
        for class in 0..self.classes {
            let plane = &planes[class * pixels + first..][..count];
            let (vector, lane) = (class / LANES, class % LANES);
            for (row, &value) in rows.chunks_exact_mut(self.row()).zip(plane) {
                row[vector].0[lane] = value * factor;
            }
        }
    }

    /// Writes rows to the same pixels of every class's plane.
    pub(crate) fn planes_from_rows(&self, rows: &[Lanes], planes: &mut [&mut [f32]], first: usize) {
        for (class, plane) in planes.iter_mut().enumerate() {
            let (vector, lane) = (class / LANES, class % LANES);
            for (row, value) in rows.chunks_exact(self.row()).zip(&mut plane[first..]) {
                *value = row[vector].0[lane];
            }
        }
    }
}

/// Calls a function that is generic over the number of groups in a block with the layout's own.
macro_rules! with_groups {
    ($layout:expr, $function:path, $($arg:expr),* $(,)?) => {{
        use $function as function;
        match $layout.groups {
            1 => function::<1>($($arg),*),
            2 => function::<2>($($arg),*),
            3 => function::<3>($($arg),*),
            _ => function::<4>($($arg),*),
        }
    }};
}
pub(crate) use with_groups;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_holds_every_class_with_little_padding() {
        for classes in 1..=256 {
            let layout = Layout::new(classes);
            assert!((1..=MOST_GROUPS).contains(&layout.groups), "{layout:?}");
            assert!(layout.row() * LANES >= classes && layout.row() * LANES < classes + 32, "{layout:?}");
        }
        assert_eq!((Layout::new(21).blocks, Layout::new(21).groups), (1, 3));
        assert_eq!((Layout::new(256).blocks, Layout::new(256).groups), (8, 4));
    }

    #[test]
    fn rows_and_planes_hold_the_same() {
        let layout = Layout::new(11);
        let planes: Vec<f32> = (0..11 * 7).map(|i| i as f32).collect();
        let mut rows = vec![Lanes::ZERO; 4 * layout.row()];
        layout.rows_from_planes(&planes, 7, 2, (1.0, -1.0), &mut rows);
        assert_eq!(rows[1].0, [58.0, 65.0, 72.0, -1.0, -1.0, -1.0, -1.0, -1.0]);
        let mut back = planes.clone();
        back.chunks_mut(7).for_each(|plane| plane[2..6].fill(0.0));
        layout.planes_from_rows(&rows, &mut back.chunks_mut(7).collect::<Vec<_>>(), 2);
        assert_eq!(back, planes);
    }
}
