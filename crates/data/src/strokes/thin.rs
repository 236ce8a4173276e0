//! Thinning.

use image::{GrayImage, Luma};

/// Thins the strokes of a mask, any number but 0, to lines one pixel wide, marked by 1.
///
/// Lines keep their connections and holes; ends draw in by about half the stroke's width. Source: Z. Guo and R. W. Hall,
/// "Parallel thinning with two-subiteration algorithms", Communications of the ACM 32(3), 1989, algorithm A1. Unlike
/// Zhang and Suen's of 1984 it leaves no diagonals two pixels wide and does not erase squares of 2 x 2.
#[must_use]
pub fn thin(mask: &GrayImage) -> GrayImage {
    let (width, height) = (mask.width() as usize, mask.height() as usize);
    // A frame of 0 around the mask spares the neighbours' bounds.
    let stride = width + 2;
    let mut marks = vec![false; stride * (height + 2)];
    let mut strokes: Vec<usize> = Vec::new();
    for (x, y, _) in mask.enumerate_pixels().filter(|(_, _, value)| value[0] != 0) {
        strokes.push((y as usize + 1) * stride + x as usize + 1);
    }
    strokes.iter().for_each(|at| marks[*at] = true);
    let mut unchanged = 0;
    for first in [true, false].into_iter().cycle() {
        let goes: Vec<usize> =
            strokes.iter().copied().filter(|at| can_go(&neighbours(&marks, *at, stride), first)).collect();
        goes.iter().for_each(|at| marks[*at] = false);
        unchanged = if goes.is_empty() { unchanged + 1 } else { 0 };
        if unchanged == 2 {
            break;
        }
        strokes.retain(|at| marks[*at]);
    }
    let mut lines = GrayImage::new(mask.width(), mask.height());
    for at in strokes {
        lines.put_pixel((at % stride - 1) as u32, (at / stride - 1) as u32, Luma([1]));
    }
    lines
}

/// The eight neighbours clockwise from the one above: the paper's P2 to P9.
fn neighbours(marks: &[bool], at: usize, stride: usize) -> [bool; 8] {
    let (above, below) = (at - stride, at + stride);
    [above, above + 1, at + 1, below + 1, below, below - 1, at - 1, above - 1].map(|place| marks[place])
}

/// Whether a pixel may be deleted in the first or second of the two alternating passes (conditions a to c of A1).
fn can_go(p: &[bool; 8], first: bool) -> bool {
    let side = |at: usize| p[at % 8];
    let runs = (0..8).step_by(2).filter(|at| !side(*at) && (side(at + 1) || side(at + 2))).count();
    let pairs = |from: usize| (from..from + 8).step_by(2).filter(|at| side(*at) || side(at + 1)).count();
    let [north, north_east, east, south_east, south, south_west, west, north_west] = *p;
    let kept = if first {
        (south || south_west || !north_west) && west
    } else {
        (north || north_east || !south_east) && east
    };
    runs == 1 && (2..=3).contains(&pairs(1).min(pairs(0))) && !kept
}
