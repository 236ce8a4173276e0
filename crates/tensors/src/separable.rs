//! Linear maps of planes that factor into a map of rows and a map of columns: resizing and average pooling.
//!
//! Every output is a weighted sum over a window of inputs along each axis, and the windows move in one direction. The
//! adjoint, which takes gradients back, is of the same kind, so one kernel serves forward and backward. Each output is
//! summed in a fixed order by one thread: results do not depend on the number of threads.

use crate::checked::Watched;
#[cfg(feature = "cuda")]
use crate::cuda::{self, card};
use crate::filled::zeros;
use crate::host;
use crate::simd::vectorised;
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};
#[cfg(feature = "cuda")]
use candle_core::{CudaStorage, bail};
use rayon::prelude::*;

/// Weighted sums along one axis: output `o` is the sum of `weights[offsets[o]..offsets[o + 1]]` times the inputs from
/// `starts[o]` on. Starts and ends never decrease from one output to the next.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Axis {
    inputs: usize,
    starts: Vec<usize>,
    offsets: Vec<usize>,
    weights: Vec<f32>,
}

impl Axis {
    /// An axis of `inputs` elements without outputs yet.
    pub(crate) fn new(inputs: usize) -> Self {
        Self { inputs, starts: Vec::new(), offsets: vec![0], weights: Vec::new() }
    }

    /// Adds an output over the inputs from `start` on.
    pub(crate) fn push(&mut self, start: usize, weights: impl IntoIterator<Item = f32>) {
        self.starts.push(start);
        self.weights.extend(weights);
        self.offsets.push(self.weights.len());
        debug_assert!(start + self.window(self.starts.len() - 1).1.len() <= self.inputs);
    }

    pub(crate) fn outputs(&self) -> usize {
        self.starts.len()
    }

    /// The map in the other direction: the weight from `o` to `i` is the one from `i` to `o` here.
    pub(crate) fn transposed(&self) -> Self {
        let mut axis = Self::new(self.outputs());
        let (mut first, mut last) = (0, 0);
        for i in 0..self.inputs {
            while first < self.outputs() && self.end(first) <= i {
                first += 1;
            }
            last = last.max(first);
            while last < self.outputs() && self.starts[last] <= i {
                last += 1;
            }
            axis.push(first.min(last), (first..last).map(|o| self.window(o).1[i - self.starts[o]]));
        }
        axis
    }

    #[cfg(any(feature = "cuda", test))]
    pub(crate) fn inputs(&self) -> usize {
        self.inputs
    }

    /// The first input of every output.
    #[cfg(any(feature = "cuda", test))]
    pub(crate) fn starts(&self) -> &[usize] {
        &self.starts
    }

    /// Where the weights of every output begin, and where the last ones end.
    #[cfg(any(feature = "cuda", test))]
    pub(crate) fn offsets(&self) -> &[usize] {
        &self.offsets
    }

    #[cfg(any(feature = "cuda", test))]
    pub(crate) fn weights(&self) -> &[f32] {
        &self.weights
    }

    /// The first input of an output.
    #[cfg(test)]
    pub(crate) fn start(&self, output: usize) -> usize {
        self.starts[output]
    }

    fn end(&self, output: usize) -> usize {
        let (start, weights) = self.window(output);
        start + weights.len()
    }

    #[inline(always)]
    fn window(&self, output: usize) -> (usize, &[f32]) {
        (self.starts[output], &self.weights[self.offsets[output]..self.offsets[output + 1]])
    }
}

/// A plane map: `rows` acts on the vertical index, `columns` on the horizontal one.
#[derive(Debug, Clone)]
pub(crate) struct Separable {
    pub(crate) name: &'static str,
    pub(crate) rows: Axis,
    pub(crate) columns: Axis,
}

impl Separable {
    /// Maps every plane of `x`, with gradient.
    pub(crate) fn apply(self, x: &Tensor) -> Result<Tensor> {
        x.contiguous()?.watched_op1(self)
    }

    /// The adjoint map, which takes gradients back.
    pub(crate) fn transposed(&self) -> Self {
        Self { name: self.name, rows: self.rows.transposed(), columns: self.columns.transposed() }
    }

    /// Elements of scratch memory [`map_plane`] needs.
    fn scratch(&self) -> usize {
        if self.columns_first() { self.rows.inputs * self.columns.outputs() } else { self.columns.inputs }
    }

    /// Columns go first when that is done for fewer rows.
    #[inline(always)]
    fn columns_first(&self) -> bool {
        self.rows.inputs < self.rows.outputs()
    }
}

impl CustomOp1 for Separable {
    fn name(&self) -> &'static str {
        self.name
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let src = host::slice::<f32>(storage, layout, self.name)?;
        let (n, c, _, _) = layout.shape().dims4()?;
        let (height, width) = (self.rows.outputs(), self.columns.outputs());
        let (from, to) = (self.rows.inputs * self.columns.inputs, height * width);
        let mut dst = zeros(n * c * to);
        dst.par_chunks_mut(to)
            .zip(src.par_chunks(from))
            .with_min_len(host::items_per_job(from.max(to)))
            .for_each_init(
                || vec![0f32; self.scratch()],
                |scratch, (dst, src)| map_plane(self, src, dst, scratch),
            );
        Ok((CpuStorage::F32(dst), (n, c, height, width).into()))
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(&self, x: &CudaStorage, layout: &Layout) -> Result<(CudaStorage, Shape)> {
        let (n, c, h, w) = layout.shape().dims4()?;
        if (h, w) != (self.rows.inputs, self.columns.inputs) {
            bail!(
                "{}: a map of {} x {} pixels for {:?}",
                self.name,
                self.rows.inputs,
                self.columns.inputs,
                layout
            );
        }
        let (height, width) = (self.rows.outputs(), self.columns.outputs());
        let at = card::pointer::<f32>(x, layout, self.name)?;
        // SAFETY: there are n c planes of the map's sizes on both sides.
        let fill = |card: &card::Card, y| unsafe { cuda::separable::separable(card, self, n * c, at, y) };
        // SAFETY: the kernel writes every element.
        let y = unsafe { card::filled::<f32>(&x.device, n * c * height * width, fill) }?;
        Ok((y, (n, c, height, width).into()))
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        gradient.contiguous()?.watched_op1_no_bwd(&self.transposed()).map(Some)
    }
}

vectorised! {
    fn map_plane(map: &Separable, src: &[f32], dst: &mut [f32], scratch: &mut [f32]) {
        let (width, out_width) = (map.columns.inputs, map.columns.outputs());
        if map.columns_first() {
            for (row, out) in src.chunks_exact(width).zip(scratch.chunks_exact_mut(out_width)) {
                sum_columns(&map.columns, row, out);
            }
            for (o, out) in dst.chunks_exact_mut(out_width).enumerate() {
                sum_rows(&map.rows, o, scratch, out);
            }
        } else {
            for (o, out) in dst.chunks_exact_mut(out_width).enumerate() {
                sum_rows(&map.rows, o, src, scratch);
                sum_columns(&map.columns, scratch, out);
            }
        }
    }
}

/// Output row `o`: the weighted sum of the rows of `plane` in its window.
#[inline(always)]
fn sum_rows(axis: &Axis, o: usize, plane: &[f32], out: &mut [f32]) {
    let (start, weights) = axis.window(o);
    let mut rows = plane[start * out.len()..].chunks_exact(out.len()).zip(weights);
    match (rows.next(), rows.next()) {
        (None, _) => out.fill(0.0),
        (Some((a, u)), None) => out.iter_mut().zip(a).for_each(|(o, a)| *o = u * a),
        (Some((a, u)), Some((b, v))) => {
            out.iter_mut().zip(a).zip(b).for_each(|((o, a), b)| *o = u * a + v * b);
        }
    }
    while let Some((a, u)) = rows.next() {
        match rows.next() {
            None => out.iter_mut().zip(a).for_each(|(o, a)| *o += u * a),
            Some((b, v)) => out.iter_mut().zip(a).zip(b).for_each(|((o, a), b)| *o += u * a + v * b),
        }
    }
}

/// All outputs of one row.
#[inline(always)]
fn sum_columns(axis: &Axis, row: &[f32], out: &mut [f32]) {
    for (o, out) in out.iter_mut().enumerate() {
        let (start, weights) = axis.window(o);
        let inputs = &row[start..start + weights.len()];
        *out = match (inputs, weights) {
            (&[a], &[u]) => u * a,
            (&[a, b], &[u, v]) => u * a + v * b,
            _ => dot(inputs, weights),
        };
    }
}

/// The scalar product: short ones in order, long ones in eight interleaved partial sums.
#[inline(always)]
fn dot(a: &[f32], b: &[f32]) -> f32 {
    if a.len() < 16 {
        return a.iter().zip(b).fold(0.0, |sum, (a, b)| sum + a * b);
    }
    let mut lanes = [0f32; 8];
    let (a, a_rest) = a.as_chunks::<8>();
    let (b, b_rest) = b.as_chunks::<8>();
    for (a, b) in a.iter().zip(b) {
        for i in 0..8 {
            lanes[i] += a[i] * b[i];
        }
    }
    for (lane, (a, b)) in lanes.iter_mut().zip(a_rest.iter().zip(b_rest)) {
        *lane += a * b;
    }
    let [a, b, c, d, e, f, g, h] = lanes;
    ((a + e) + (c + g)) + ((b + f) + (d + h))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Windows that move on by random steps, some of them empty.
    fn axis() -> impl Strategy<Value = Axis> {
        let window = (0usize..3, 0usize..3, prop::collection::vec(-1f32..1.0, 12));
        (1usize..12, prop::collection::vec(window, 1..12)).prop_map(|(inputs, windows)| {
            let mut axis = Axis::new(inputs);
            let (mut start, mut end) = (0, 0);
            for (step, grow, weights) in windows {
                start = (start + step).min(inputs);
                end = (end + grow).clamp(start, inputs);
                axis.push(start, weights.into_iter().take(end - start));
            }
            axis
        })
    }

    fn matrix(axis: &Axis) -> Vec<Vec<f32>> {
        let row = |o| {
            let (start, weights) = axis.window(o);
            let mut row = vec![0.0; axis.inputs];
            row[start..start + weights.len()].copy_from_slice(weights);
            row
        };
        (0..axis.outputs()).map(row).collect()
    }

    proptest! {
        #[test]
        fn the_transposed_axis_has_the_transposed_matrix(axis in axis()) {
            let (forward, back) = (matrix(&axis), matrix(&axis.transposed()));
            for (o, row) in forward.iter().enumerate() {
                for (i, weight) in row.iter().enumerate() {
                    prop_assert_eq!(*weight, back[i][o]);
                }
            }
        }

        #[test]
        fn a_plane_is_mapped_by_both_matrices(rows in axis(), columns in axis(), seed in 0u32..1000) {
            let pixels = 0..(rows.inputs * columns.inputs) as u32;
            let plane: Vec<f32> = pixels.map(|i| ((i * 37 + seed) % 101) as f32).collect();
            let map = Separable { name: "map", rows, columns };
            let mut got = vec![f32::NAN; map.rows.outputs() * map.columns.outputs()];
            map_plane(&map, &plane, &mut got, &mut vec![f32::NAN; map.scratch()]);
            let (a, b) = (matrix(&map.rows), matrix(&map.columns));
            for (at, got) in got.into_iter().enumerate() {
                let (row, column) = (&a[at / b.len()], &b[at % b.len()]);
                let value = |i: usize| plane[i] * row[i / column.len()] * column[i % column.len()];
                let want: f32 = (0..plane.len()).map(value).sum();
                prop_assert!((got - want).abs() < 1e-2, "{} {}", got, want);
            }
        }
    }

    #[test]
    fn the_scalar_product_sums_every_element() {
        for length in 0..40 {
            let a: Vec<f32> = (0..length).map(|i| i as f32).collect();
            let want = a.iter().map(|a| a * a).sum::<f32>();
            assert_eq!(dot(&a, &a), want);
        }
    }
}
