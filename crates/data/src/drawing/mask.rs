//! How much of each pixel a set of paths covers: exact area coverage by signed-area accumulation.

use super::geometry::Point;
use super::path::Path;

/// Coverage of a rectangle of pixels, each value 0..=1; outside the rectangle it is 0.
#[derive(Debug, Clone)]
pub(crate) struct Mask {
    /// First column and row.
    pub(crate) left: usize,
    pub(crate) top: usize,
    pub(crate) width: usize,
    pub(crate) height: usize,
    /// Rows of `width + 2` values, of which those within the row's span count.
    cover: Vec<f32>,
    /// First and one past the last column that can be covered, for each row, relative to `left`.
    spans: Vec<(u32, u32)>,
}

impl Mask {
    /// The union of the paths on a square of `size` pixels.
    pub(crate) fn of(paths: &[Path], size: usize) -> Self {
        let scale = size as f32;
        let bound = |f: fn(Point) -> f32| {
            let values = paths.iter().flat_map(|p| &p.points).map(move |&p| f(p) * scale);
            values.fold((f32::MAX, f32::MIN), |(low, high), v| (low.min(v), high.max(v)))
        };
        let clip = |(low, high): (f32, f32)| {
            let first = low.floor().clamp(0.0, scale) as usize;
            (first, (high.ceil().clamp(0.0, scale) as usize).saturating_sub(first))
        };
        let ((left, width), (top, height)) = (clip(bound(|p| p.x)), clip(bound(|p| p.y)));
        let mut sums = Accumulator::new(width, height);
        if width > 0 && height > 0 {
            for path in paths {
                sums.add(path, scale, (left as f32, top as f32));
            }
        }
        sums.into_mask(left, top)
    }

    /// Coverage at a column and row of the picture.
    pub(crate) fn at(&self, x: usize, y: usize) -> f32 {
        let (x, y) = (x.wrapping_sub(self.left), y.wrapping_sub(self.top));
        let inside = y < self.height && (self.spans[y].0 as usize..self.spans[y].1 as usize).contains(&x);
        if inside { self.cover[y * (self.width + 2) + x] } else { 0.0 }
    }

    /// Calls `f(x, y, coverage)` for each covered pixel.
    pub(crate) fn for_each(&self, mut f: impl FnMut(usize, usize, f32)) {
        for y in 0..self.height {
            let (first, end) = self.spans[y];
            let row = &self.cover[y * (self.width + 2)..][first as usize..end as usize];
            for (x, &cover) in row.iter().enumerate() {
                if cover > 1e-3 {
                    f(self.left + first as usize + x, self.top + y, cover);
                }
            }
        }
    }

    /// What both cover.
    pub(crate) fn within(mut self, other: &Self) -> Self {
        self.scale_by(|x, y| other.at(x, y));
        self
    }

    /// What this one covers and the other does not.
    pub(crate) fn without(mut self, other: &Self) -> Self {
        self.scale_by(|x, y| 1.0 - other.at(x, y));
        self
    }

    fn scale_by(&mut self, factor: impl Fn(usize, usize) -> f32) {
        for y in 0..self.height {
            let (first, end) = self.spans[y];
            for x in first as usize..end as usize {
                self.cover[y * (self.width + 2) + x] *= factor(self.left + x, self.top + y);
            }
        }
    }
}

/// Signed area that edges add to each pixel and, through the running sum along the row, to all pixels right of it.
struct Accumulator {
    width: usize,
    height: usize,
    /// Rows of `width + 2` cells: the last two catch what lies right of the rectangle.
    cells: Vec<f32>,
    spans: Vec<(u32, u32)>,
}

impl Accumulator {
    fn new(width: usize, height: usize) -> Self {
        let spans = vec![(u32::MAX, 0); height];
        Self { width, height, cells: vec![0.0; (width + 2) * height], spans }
    }

    fn add(&mut self, path: &Path, scale: f32, (left, top): (f32, f32)) {
        let n = path.points.len();
        let pixel = |p: Point| (p.x * scale - left, p.y * scale - top);
        for i in 0..n {
            self.edge(pixel(path.points[i]), pixel(path.points[(i + 1) % n]));
        }
    }

    /// An edge from one point to another, cut into the rows that it crosses.
    fn edge(&mut self, from: (f32, f32), to: (f32, f32)) {
        let (sign, (x0, y0), (x1, y1)) = if from.1 < to.1 { (1.0, from, to) } else { (-1.0, to, from) };
        if y0 == y1 {
            return;
        }
        let slope = (x1 - x0) / (y1 - y0);
        let (first, end) = (y0.max(0.0) as usize, y1.ceil().clamp(0.0, self.height as f32) as usize);
        for row in first..end {
            let (start, stop) = (y0.max(row as f32), y1.min(row as f32 + 1.0));
            if stop > start {
                let (a, b) = (x0 + (start - y0) * slope, x0 + (stop - y0) * slope);
                self.piece(row, a.min(b), a.max(b), sign * (stop - start));
            }
        }
    }

    /// Part of an edge within one row, from column `low` to `high`, with signed height `height`.
    fn piece(&mut self, row: usize, low: f32, high: f32, height: f32) {
        let limit = self.width as f32;
        let span = &mut self.spans[row];
        span.0 = span.0.min(low.clamp(0.0, limit) as u32);
        span.1 = span.1.max((high.clamp(0.0, limit) as u32 + 1).min(self.width as u32));
        let cells = &mut self.cells[row * (self.width + 2)..][..self.width + 2];
        if high <= 0.0 {
            cells[0] += height;
            return;
        }
        let (a, b) = (low.clamp(0.0, limit), high.min(limit));
        let share = height / (high - low).max(1e-6);
        cells[0] += share * (0.0 - low).max(0.0);
        if high - low < 1e-6 {
            let column = a as usize;
            cells[column] += height * (1.0 - (a - column as f32));
            cells[column + 1] += height * (a - column as f32);
            return;
        }
        let mut x = a;
        while x < b {
            let column = x as usize;
            let next = b.min(column as f32 + 1.0);
            let (part, middle) = (share * (next - x), 0.5 * (x + next) - column as f32);
            cells[column] += part * (1.0 - middle);
            cells[column + 1] += part * middle;
            x = next;
        }
    }

    /// Sums each row up in place.
    fn into_mask(mut self, left: usize, top: usize) -> Mask {
        for (y, span) in self.spans.iter_mut().enumerate() {
            *span = (span.0.min(span.1), span.1);
            let mut sum = 0.0_f32;
            for cell in &mut self.cells[y * (self.width + 2)..][span.0 as usize..span.1 as usize] {
                sum += *cell;
                *cell = sum.abs().min(1.0);
            }
        }
        Mask { left, top, width: self.width, height: self.height, cover: self.cells, spans: self.spans }
    }
}

#[cfg(test)]
mod tests {
    use super::super::geometry::pt;
    use super::*;

    fn area(mask: &Mask) -> f32 {
        let mut sum = 0.0;
        mask.for_each(|_, _, cover| sum += cover);
        sum
    }

    #[test]
    fn coverage_sums_to_the_area() {
        let triangle = Path::polygon(vec![pt(0.11, 0.07), pt(0.93, 0.33), pt(0.41, 0.89)]);
        let want = 0.5 * (pt(0.82, 0.26).cross(pt(0.30, 0.82))) * 32.0 * 32.0;
        let got = area(&Mask::of(&[triangle], 32));
        assert!((got - want).abs() < 0.01 * want, "{got} {want}");
    }

    #[test]
    fn what_leaves_the_picture_is_cut() {
        let disc = Path::disc(pt(0.0, 1.0), 0.5);
        let mask = Mask::of(&[disc], 64);
        let want = std::f32::consts::PI * 32.0 * 32.0 / 4.0;
        assert!((area(&mask) - want).abs() < 0.01 * want, "{} {want}", area(&mask));
        assert_eq!(mask.at(0, 63), 1.0);
        assert_eq!(mask.at(63, 0), 0.0);
        let outside = Mask::of(&[Path::disc(pt(3.0, 3.0), 0.5)], 64);
        assert_eq!(area(&outside), 0.0);
        let around = Mask::of(&[Path::disc(pt(0.5, 0.5), 9.0)], 8);
        assert_eq!(area(&around), 64.0);
    }

    #[test]
    fn overlapping_paths_are_a_union() {
        let square = |x: f32| Path::polygon(vec![pt(x, 0.0), pt(x + 0.5, 0.0), pt(x + 0.5, 0.5), pt(x, 0.5)]);
        let both = Mask::of(&[square(0.0), square(0.25)], 8);
        assert!((area(&both) - 24.0).abs() < 1e-4);
        let common = Mask::of(&[square(0.0)], 8).within(&Mask::of(&[square(0.25)], 8));
        assert!((area(&common) - 8.0).abs() < 1e-4);
        let rest = Mask::of(&[square(0.0)], 8).without(&Mask::of(&[square(0.25)], 8));
        assert!((area(&rest) - 8.0).abs() < 1e-4);
    }
}
