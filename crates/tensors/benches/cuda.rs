//! The kernels on a card, each against what the card can do: `. .cuda/env.sh; cargo bench -p sconce-tensors --features cuda --bench
//! cuda`. Does nothing but say so where no card answers.
//!
//! Before them a copy and a matrix product are timed; beside each kernel's median stands how much of the time its bytes or
//! multiply-adds would take at their rates. Gradients are timed through candle's `backward`, with its own passes over the tensors: it
//! starts from ones, and adds each gradient to zeros.

use std::hint::black_box;
use std::time::{Duration, Instant};

use candle_core::{Device, ModuleT, Result, Tensor, Var};
use criterion::Criterion;
use sconce_tensors::fused_step::{Own, Rule, Update, step, sum_of_squares};
use sconce_tensors::testing::{hashed_labels, hashed_signed, hashed_uniform};
use sconce_tensors::{
    Activation, Arithmetic, BatchNorm, ConfusionCounts, Conv2dConfig, Corners, OverlapConfig, Parameters,
    PoolConfig, Precision, Probabilities, adaptive_avg_pool2d, add_relu, avg_pool2d,
    binary_cross_entropy_sums, conv2d, device_name, dropout, dropout_channels, label_map, max_pool2d,
    overlap_sums, pixel_cross_entropy, project_on_vertices, relu, reproject_from_vertices, resize_bilinear,
    resize_nearest, softmax_channels, sum_all, top_k_indices, weighted_sum,
};

const IGNORE: u8 = 255;

fn main() -> Result<()> {
    let Ok(device) = Device::new_cuda(0) else {
        println!("no card answers: nothing is timed");
        return Ok(());
    };
    println!("{}", device_name(&device)?);
    let criterion = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(500));
    let mut bench = Bench::new(criterion.configure_from_args(), device)?;
    convolutions(&mut bench)?;
    maps(&mut bench)?;
    classes(&mut bench)?;
    foreground(&mut bench)?;
    graph(&mut bench)?;
    optimizers(&mut bench)?;
    bench.criterion.final_summary();
    Ok(())
}

/// What a computation moves and multiplies at the least.
#[derive(Clone, Copy, Default)]
struct Needs {
    bytes: f64,
    multiply_adds: f64,
}

struct Bench {
    criterion: Criterion,
    device: Device,
    /// Bytes per second of a copy, read and written.
    copy: f64,
    /// Multiply-adds per second of a matrix product.
    product: f64,
}

impl Bench {
    fn new(criterion: Criterion, device: Device) -> Result<Self> {
        let (long, size) = (hashed_signed("x", 1 << 26, 1.0).to_device(&device)?, 4096);
        let copy = 2.0 * bytes(&long) / ceiling(&device, || long.copy())?;
        let matrix = long.narrow(0, 0, size * size)?.reshape((size, size))?;
        let product = (size as f64).powi(3) / ceiling(&device, || matrix.matmul(&matrix))?;
        println!(
            "ceilings: a copy {:.0} GB/s, a matrix product {:.0} G multiply-adds/s\n",
            copy / 1e9,
            product / 1e9
        );
        Ok(Self { criterion, device, copy, product })
    }

    fn signed(&self, name: &str, shape: &[usize]) -> Result<Tensor> {
        hashed_signed(name, shape, 2.0).to_device(&self.device)
    }

    /// The median seconds of one run; none if the command line leaves it out.
    fn time<T>(&mut self, name: &str, work: impl Fn() -> Result<T>) -> Option<f64> {
        let (mut seconds, device) = (Vec::new(), &self.device);
        self.criterion.bench_function(name, |b| {
            b.iter_custom(|runs| {
                let time = timed(device, runs, &work).expect(name);
                seconds.push(time.as_secs_f64() / runs as f64);
                time
            });
        });
        median(seconds)
    }

    /// Times a kernel and prints how much of the time its needs would take.
    fn kernel<T>(&mut self, name: &str, needs: Needs, work: impl Fn() -> Result<T>) {
        let Some(seconds) = self.time(name, work) else { return };
        let Needs { bytes, multiply_adds } = needs;
        let share = (bytes / self.copy).max(multiply_adds / self.product) / seconds;
        println!(
            "{name}: median {:.1} µs, {:.0} GB/s, {:.0} G multiply-adds/s, {:.0} % of the ceiling\n",
            1e6 * seconds,
            bytes / seconds / 1e9,
            multiply_adds / seconds / 1e9,
            100.0 * share
        );
    }

    /// Times `f` and its gradient for `x`; `more` bytes are read beside `x` in both.
    fn both(
        &mut self,
        name: &str,
        x: &Tensor,
        more: f64,
        f: impl Fn(&Tensor) -> Result<Tensor>,
    ) -> Result<()> {
        let x = Var::from_tensor(x)?;
        let y = f(&x)?;
        let needs = Needs { bytes: bytes(&x) + bytes(&y) + more, ..Needs::default() };
        self.kernel(&format!("{name} {:?} forward", x.dims()), needs, || f(&x));
        let needs = Needs { bytes: 2.0 * bytes(&x) + bytes(&y) + more, ..Needs::default() };
        self.kernel(&format!("{name} {:?} backward", x.dims()), needs, || y.backward());
        Ok(())
    }
}

/// The median seconds of one of 20 runs, after three to warm up.
fn ceiling(device: &Device, work: impl Fn() -> Result<Tensor>) -> Result<f64> {
    timed(device, 3, &work)?;
    let seconds = (0..20).map(|_| Ok(timed(device, 1, &work)?.as_secs_f64())).collect::<Result<_>>()?;
    Ok(median(seconds).unwrap_or(f64::NAN))
}

/// The time of so many runs, until the card has ended the last one.
fn timed<T>(device: &Device, runs: u64, work: &impl Fn() -> Result<T>) -> Result<Duration> {
    device.synchronize()?;
    let start = Instant::now();
    for _ in 0..runs {
        black_box(work()?);
    }
    device.synchronize()?;
    Ok(start.elapsed())
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

fn bytes(x: &Tensor) -> f64 {
    (x.elem_count() * x.dtype().size_in_bytes()) as f64
}

/// cuDNN's products of the sizes that weigh most in residual networks, in both precisions.
fn convolutions(bench: &mut Bench) -> Result<()> {
    for (inputs, outputs, kernel, dilation) in
        [(256, 256, 3, 1), (512, 512, 3, 2), (256, 1024, 1, 1), (1024, 256, 1, 1)]
    {
        let config = Conv2dConfig { padding: dilation * (kernel / 2), dilation, ..Conv2dConfig::default() };
        let x = Var::from_tensor(&bench.signed("x", &[4, inputs, 64, 64])?)?;
        let weight = Var::from_tensor(&bench.signed("weight", &[outputs, inputs, kernel, kernel])?)?;
        let bias = bench.signed("bias", &[outputs])?;
        let multiply_adds = (x.elem_count() * outputs * kernel * kernel) as f64;
        for precision in [Precision::F32, Precision::Bf16] {
            let forward = || conv2d(&x, &weight, Some(&bias), config);
            let arithmetic = Arithmetic { precision, ..Arithmetic::default() };
            let y = arithmetic.scope(forward)?;
            let moved = bytes(&x) + bytes(&weight) + bytes(&y);
            let name = format!("conv2d {kernel}x{kernel} {inputs}→{outputs} d{dilation} {precision:?}");
            let needs = Needs { bytes: moved, multiply_adds };
            bench.kernel(&format!("{name} forward"), needs, || arithmetic.scope(forward));
            let needs = Needs { bytes: 2.0 * moved, multiply_adds: 2.0 * multiply_adds };
            bench.kernel(&format!("{name} backward"), needs, || y.backward());
        }
    }
    Ok(())
}

/// Maps of features.
fn maps(bench: &mut Bench) -> Result<()> {
    let x = bench.signed("x", &[4, 256, 128, 128])?;
    let other = bench.signed("other", x.dims())?;
    let parameters = Parameters::new(0, &bench.device);
    let norm = BatchNorm::new(256, Activation::Relu, parameters.builder())?;
    let pool = PoolConfig { kernel: 3, stride: 2, padding: 1, ceil_mode: false };
    bench.both("batch_norm_relu", &x, bytes(&x), |x| norm.forward_t(x, true))?;
    bench.both("relu", &x, 0.0, relu)?;
    bench.both("add_relu", &x, bytes(&x), |x| add_relu(x, &other))?;
    bench.both("dropout", &x, 0.0, |x| dropout(x, 0.1, 1))?;
    bench.both("dropout_channels", &x, 0.0, |x| dropout_channels(x, 0.1, 1))?;
    bench.both("max_pool2d", &x, 0.0, |x| max_pool2d(x, pool))?;
    bench.both("avg_pool2d", &x, 0.0, |x| avg_pool2d(x, pool))?;
    bench.both("adaptive_avg_pool2d", &x, 0.0, |x| adaptive_avg_pool2d(x, (6, 6)))?;
    bench.both("resize_nearest", &x, 0.0, |x| resize_nearest(x, (256, 256)))?;
    bench.both("resize_bilinear", &x, 0.0, |x| resize_bilinear(x, (256, 256), Corners::Aligned))?;
    bench.both("sum_all", &x, 0.0, sum_all)?;
    bench.both("weighted_sum", &x, bytes(&x), |x| weighted_sum(x, &other))
}

/// Scores of 21 classes, as of VOC.
fn classes(bench: &mut Bench) -> Result<()> {
    let x = bench.signed("x", &[8, 21, 512, 512])?;
    let labels = hashed_labels("labels", (8, 512, 512), 21).to_device(&bench.device)?;
    bench.both("softmax_channels", &x, 0.0, softmax_channels)?;
    bench
        .both("pixel_cross_entropy", &x, bytes(&labels), |x| pixel_cross_entropy(x, &labels, None, IGNORE))?;
    for probabilities in [Probabilities::Softmax, Probabilities::Sigmoid] {
        let of = OverlapConfig { probabilities, first: 0, ignore: IGNORE, ignored_count: false };
        let name = format!("overlap_sums of {probabilities:?}");
        bench.both(&name, &x, bytes(&labels), |x| overlap_sums(x, &labels, of))?;
    }
    let predicted = label_map(&x)?;
    let needs = Needs { bytes: bytes(&x) + bytes(&predicted), ..Needs::default() };
    bench.kernel("label_map", needs, || label_map(&x));
    let needs = Needs { bytes: 2.0 * bytes(&predicted), ..Needs::default() };
    bench.kernel("confusion of 21 classes", needs, || {
        ConfusionCounts::new(21).add(&labels, &predicted, IGNORE)
    });
    Ok(())
}

/// One logit a pixel, as of wrinkles.
fn foreground(bench: &mut Bench) -> Result<()> {
    let x = bench.signed("x", &[8, 1, 640, 640])?;
    let labels = hashed_labels("labels", (8, 640, 640), 2).to_device(&bench.device)?;
    let of = OverlapConfig {
        probabilities: Probabilities::Sigmoid,
        first: 1,
        ignore: IGNORE,
        ignored_count: false,
    };
    bench.both("binary_cross_entropy_sums", &x, bytes(&labels), |x| {
        binary_cross_entropy_sums(x, &labels, [1.0, 20.0], IGNORE)
    })?;
    bench.both("overlap_sums of a foreground", &x, bytes(&labels), |x| overlap_sums(x, &labels, of))?;
    let predicted = x.gt(0.0)?;
    let needs = Needs { bytes: 2.0 * bytes(&labels), ..Needs::default() };
    bench.kernel("confusion of a foreground", needs, || {
        ConfusionCounts::new(2).add(&labels, &predicted, IGNORE)
    });
    Ok(())
}

/// AGRNet's graph: 76 vertices of 256 channels, 128 x 128 pixels.
fn graph(bench: &mut Bench) -> Result<()> {
    let (n, v, d, pixels) = (4, 76, 256, 128 * 128);
    let (vertices, features) =
        (bench.signed("vertices", &[n, v, d])?, bench.signed("features", &[n, d, pixels])?);
    let edge = hashed_uniform("edge", (n, 1, pixels)).to_device(&bench.device)?;
    let projection = project_on_vertices(&vertices, &features, &edge)?;
    let multiply_adds = (n * v * d * pixels) as f64;
    let read = bytes(&vertices) + bytes(&features);
    let needs = Needs { bytes: read + bytes(&edge) + bytes(&projection), multiply_adds };
    bench.kernel("project_on_vertices forward", needs, || project_on_vertices(&vertices, &features, &edge));
    let var = Var::from_tensor(&features)?;
    let y = project_on_vertices(&vertices, &var, &edge)?;
    let needs =
        Needs { bytes: 2.0 * read + bytes(&edge) + bytes(&projection), multiply_adds: 3.0 * multiply_adds };
    bench.kernel("project_on_vertices backward", needs, || y.backward());
    let needs = Needs { bytes: read + bytes(&features) + bytes(&projection), multiply_adds };
    bench.kernel("reproject_from_vertices forward", needs, || {
        reproject_from_vertices(&features, &vertices, &projection)
    });
    let y = reproject_from_vertices(&var, &vertices, &projection)?;
    let needs = Needs { bytes: 2.0 * (read + bytes(&projection)), multiply_adds: 2.0 * multiply_adds };
    bench.kernel("reproject_from_vertices backward", needs, || y.backward());
    let scores = bench.signed("scores", &[n, 19, pixels])?;
    let needs = Needs { bytes: bytes(&scores), ..Needs::default() };
    bench.kernel("top_k_indices, 4 of each row", needs, || top_k_indices(&scores, 4));
    Ok(())
}

/// Steps over 75 million parameters of many tensors, and the norm of their gradients.
fn optimizers(bench: &mut Bench) -> Result<()> {
    let shapes = (0..320).map(|layer| [256, [64, 256, 1024, 2304][layer % 4]]);
    let parameters = shapes.map(|shape| Var::from_tensor(&bench.signed("parameter", &shape)?));
    let parameters = parameters.collect::<Result<Vec<_>>>()?;
    let zeros = |count: usize| -> Result<Vec<Vec<Tensor>>> {
        parameters.iter().map(|var| (0..count).map(|_| var.zeros_like()).collect()).collect()
    };
    let all: f64 = parameters.iter().map(|var| bytes(var)).sum();
    let gradients = zeros(1)?.concat();
    let sgd = Rule::Sgd { momentum: 0.9, nesterov: false };
    let adam = Rule::Adam { new_m: 0.1, beta_v: 0.999, new_v: 0.001, eps: 1e-8 };
    for (name, rule, numbers, passes) in [("sgd", sgd, 1, 5.0), ("adam", adam, 2, 7.0)] {
        let memories = zeros(numbers)?;
        let update = |(place, parameter): (usize, _)| Update {
            parameter,
            gradient: gradients[place].clone(),
            memory: &memories[place],
            own: Own::default(),
        };
        let updates: Vec<Update> = parameters.iter().enumerate().map(update).collect();
        bench.kernel(name, Needs { bytes: passes * all, ..Needs::default() }, || step(rule, &updates));
    }
    bench.kernel("sum_of_squares", Needs { bytes: all, ..Needs::default() }, || sum_of_squares(&gradients));
    Ok(())
}
