//! A convolution and its gradients as nested loops.

use candle_core::{Device, Tensor};

use crate::Conv2dConfig;

/// Calls `visit` with the flat positions in x, weight and y of every product that the convolution sums.
fn for_each_product(
    x: &[usize],
    weight: &[usize],
    y: &[usize],
    c: Conv2dConfig,
    mut visit: impl FnMut([usize; 3]),
) {
    let line = |dims: &[usize], at: [usize; 3]| ((at[0] * dims[1] + at[1]) * dims[2] + at[2]) * dims[3];
    let source = |at: usize, tap: usize, size: usize| {
        (at * c.stride + tap * c.dilation).checked_sub(c.padding).filter(|&at| at < size)
    };
    for (n, co) in pairs(x[0], y[1]) {
        for (row, ci) in pairs(y[2], weight[1]) {
            let channel = co / (y[1] / c.groups) * weight[1] + ci;
            for (i, j) in pairs(weight[2], weight[3]) {
                let Some(h) = source(row, i, x[2]) else { continue };
                let (x_line, y_line) = (line(x, [n, channel, h]), line(y, [n, co, row]));
                let w = line(weight, [co, ci, i]) + j;
                for column in 0..y[3] {
                    if let Some(at) = source(column, j, x[3]) {
                        visit([x_line + at, w, y_line + column]);
                    }
                }
            }
        }
    }
}

fn pairs(first: usize, second: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..first).flat_map(move |a| (0..second).map(move |b| (a, b)))
}

fn floats(tensor: &Tensor) -> Vec<f64> {
    let values: Vec<f32> = tensor.flatten_all().unwrap().to_vec1().unwrap();
    values.into_iter().map(f64::from).collect()
}

fn tensor(values: Vec<f64>, like: &Tensor) -> Tensor {
    let values = values.into_iter().map(|value| value as f32);
    Tensor::from_iter(values, &Device::Cpu).unwrap().reshape(like.shape()).unwrap()
}

/// Output and the gradients of `sum(seed * output)` for x and weight.
pub(super) fn plain(x: &Tensor, weight: &Tensor, seed: &Tensor, config: Conv2dConfig) -> [Tensor; 3] {
    let (xs, ws, seeds) = (floats(x), floats(weight), floats(seed));
    let (mut y, mut dx, mut dw) = (vec![0.0; seeds.len()], vec![0.0; xs.len()], vec![0.0; ws.len()]);
    for_each_product(x.dims(), weight.dims(), seed.dims(), config, |[at_x, at_w, at_y]| {
        y[at_y] += xs[at_x] * ws[at_w];
        dx[at_x] += ws[at_w] * seeds[at_y];
        dw[at_w] += xs[at_x] * seeds[at_y];
    });
    [tensor(y, seed), tensor(dx, x), tensor(dw, weight)]
}
