//! Edge maps: where a label map changes.

use image::{GrayImage, Luma};

/// Marks both sides of every border between two labels.
///
/// A pixel is 1 when one of its four neighbours holds another label and 0 elsewhere, so a border is a line two
/// pixels wide. [`VOID`](crate::VOID) counts as a label; the frame of the picture is no border (AGRNet's
/// `generate_edge.py`, with 1 in place of 255).
///
/// ```
/// let labels = image::GrayImage::from_raw(4, 1, vec![0, 0, 7, 7]).expect("4 pixels");
/// assert_eq!(sconce_data::edge_map(&labels).as_raw(), &[0, 1, 1, 0]);
/// ```
#[must_use]
pub fn edge_map(labels: &GrayImage) -> GrayImage {
    edges_where(labels, |_, _| true)
}

/// The edge map of the pixels whose `inside` is not 0: a border with a pixel outside is none.
pub(crate) fn edge_map_within(labels: &GrayImage, inside: &GrayImage) -> GrayImage {
    let inside = inside.as_raw();
    edges_where(labels, |a, b| inside[a] != 0 && inside[b] != 0)
}

/// Compares every pixel with its right and its lower neighbour; `counts` says of two offsets whether a
/// difference between them is a border.
fn edges_where(labels: &GrayImage, counts: impl Fn(usize, usize) -> bool) -> GrayImage {
    let (width, height) = labels.dimensions();
    let (columns, values) = (width as usize, labels.as_raw());
    let mut edges = GrayImage::from_pixel(width, height, Luma([0]));
    let marks: &mut [u8] = &mut edges;
    for start in (0..values.len()).step_by(columns.max(1)) {
        for here in start..start + columns {
            let right = (here + 1 < start + columns).then_some(here + 1);
            let below = (here + columns < values.len()).then_some(here + columns);
            for other in [right, below].into_iter().flatten() {
                if values[here] != values[other] && counts(here, other) {
                    (marks[here], marks[other]) = (1, 1);
                }
            }
        }
    }
    edges
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn map(width: u32, height: u32, values: &[u8]) -> GrayImage {
        GrayImage::from_raw(width, height, values.to_vec()).unwrap()
    }

    #[test]
    fn marks_both_sides_and_counts_void_as_a_label() {
        let labels = map(3, 3, &[1, 1, 1, 1, 255, 1, 1, 1, 1]);
        assert_eq!(edge_map(&labels).as_raw(), &[0, 1, 0, 1, 1, 1, 0, 1, 0]);
        assert!(edge_map(&map(3, 2, &[4; 6])).iter().all(|v| *v == 0), "the frame is no border");
        assert_eq!(edge_map(&GrayImage::new(0, 0)).dimensions(), (0, 0));
    }

    #[test]
    fn outside_pixels_make_no_border() {
        let (labels, inside) = (map(4, 1, &[1, 2, 255, 255]), map(4, 1, &[1, 1, 0, 1]));
        assert_eq!(edge_map_within(&labels, &inside).as_raw(), &[1, 1, 0, 0]);
    }

    proptest! {
        #[test]
        fn agrees_with_the_definition(width in 1u32..9, height in 1u32..9, seed in any::<u64>()) {
            let labels = GrayImage::from_fn(width, height, |x, y| {
                let mixed = seed.wrapping_mul(u64::from(x * 31 + y * 17 + 1)) >> 61;
                Luma([if mixed == 7 { 255 } else { mixed as u8 / 2 }])
            });
            let edges = edge_map(&labels);
            for (x, y, edge) in edges.enumerate_pixels() {
                let here = labels.get_pixel(x, y);
                let around = [(x.wrapping_sub(1), y), (x + 1, y), (x, y.wrapping_sub(1)), (x, y + 1)];
                let differs = around.iter().any(|(c, r)| {
                    labels.get_pixel_checked(*c, *r).is_some_and(|other| other != here)
                });
                prop_assert_eq!(edge[0], u8::from(differs));
            }
        }
    }
}
