//! Compares whole networks with their goldens.
//!
//! The golden's metadata says how far PyTorch's own f32 run is from its f64 results. Ours is right within
//! three times that, and within 1e-4 of the largest value for outputs and 2e-3 for what a training step
//! gives.

use std::path::Path;

use candle_core::backprop::GradStore;
use candle_core::{DType, Device, Result, Tensor};
use candle_nn::VarBuilder;
use sconce_optim::{Config as OptimConfig, adam, sgd};
use sconce_tensors::testing::{Golden, every_var_has_gradient, fill, hashed_signed, hashed_uniform};
use sconce_tensors::{Cost, Parameters, backward};

fn open(name: &str) -> Result<Golden> {
    Golden::open(&Path::new("tests/golden").join(format!("{name}.safetensors")))
}

/// What the goldens of a network need to know about it.
pub(crate) trait Network: Sized {
    type Config;
    type Output;

    fn build(config: &Self::Config, vb: VarBuilder) -> Result<Self>;
    fn run(&self, image: &Tensor, train: bool) -> Result<Self::Output>;
    fn cost(&self, size: (usize, usize)) -> Vec<(String, Cost)>;

    /// The outputs that the golden holds, by its names.
    fn outputs(output: &Self::Output) -> Vec<(&'static str, &Tensor)>;

    /// The loss that the golden was made with.
    fn loss(output: &Self::Output, labels: &Tensor, edges: &Tensor) -> Result<Tensor>;
}

/// A network whose tensors hold what their names say.
pub(crate) fn filled<N: Network>(config: &N::Config) -> Result<(N, Parameters)> {
    let parameters = Parameters::new(0, &Device::Cpu);
    let network = N::build(config, parameters.builder())?;
    fill(&parameters)?;
    Ok((network, parameters))
}

/// Evaluation, and one step of training in which batch norm uses the batch's statistics.
pub(crate) fn check_golden<N: Network>(name: &str, network: &N, parameters: &Parameters) -> Result<()> {
    let golden = open(name)?;
    let image = image("image", &golden);
    let output = network.run(&image.narrow(0, 0, 1)?, false)?;
    check_evaluation(&golden, &N::outputs(&output))?;

    let output = network.run(&image, true)?;
    let loss = N::loss(&output, &golden.tensor("in.labels")?, &golden.tensor("in.edges")?)?;
    check_loss(&golden, &loss, &N::outputs(&output))?;
    check_buffers(&golden, parameters)?;
    check_gradients(&golden, &backward(&loss)?, parameters)
}

/// Eight steps of training. Where the golden's batch norm is "frozen", it uses its running statistics and
/// keeps them.
pub(crate) fn check_trajectory<N: Network>(name: &str, network: &N, parameters: &Parameters) -> Result<()> {
    let golden = open(&format!("{name}_trajectory"))?;
    let optimizer = optimizer(&golden);
    let (mut step_by, lr) = (optimizer.build(parameters)?, optimizer.lr());
    let train = golden.attrs()["batch_norm"] == "training";
    let (labels, edges) = (golden.tensor("in.labels")?, golden.tensor("in.edges")?);
    let mut trajectory = Trajectory::new(&golden, parameters)?;
    for step in 0..8 {
        let output = network.run(&image(&format!("image/{step}"), &golden), train)?;
        let loss = N::loss(&output, &labels.get(step)?, &edges.get(step)?)?;
        step_by.step(&backward(&loss)?, lr)?;
        trajectory.see(step, &loss)?;
    }
    trajectory.check();
    Ok(())
}

fn optimizer(golden: &Golden) -> OptimConfig {
    let number = |name: &str| golden.attrs()[name].as_f64().unwrap();
    match golden.attrs()["optimiser"].as_str() {
        Some("sgd") => OptimConfig::Sgd(sgd::Config {
            lr: number("lr"),
            momentum: number("momentum"),
            weight_decay: number("weight_decay"),
            nesterov: false,
        }),
        Some("adam") => {
            let (betas, eps) = ([0.9, 0.999], 1e-8); // PyTorch's
            OptimConfig::Adam(adam::Config { lr: number("lr"), betas, eps, weight_decay: 0. })
        }
        other => panic!("an optimiser {other:?}"),
    }
}

/// Two images of the golden's size.
fn image(name: &str, golden: &Golden) -> Tensor {
    let side = |i: usize| golden.attrs()["size"][i].as_u64().unwrap() as usize;
    hashed_signed(name, (2, 3, side(0), side(1)), 2.)
}

/// Parameters of all stages together, and multiply-adds of those whose name starts with `prefix`.
pub(crate) fn total_cost<N: Network>(network: &N, size: (usize, usize), prefix: &str) -> Cost {
    let stages = network.cost(size).into_iter();
    Cost::sum(stages.filter(|(name, _)| name.starts_with(prefix)).map(|(_, cost)| cost), size)
}

/// The network without a golden: costs count every parameter, each of which receives a gradient, and outputs
/// follow the image.
pub(crate) fn check_wiring<N: Network>(config: &N::Config, classes: usize) -> Result<()> {
    let (network, parameters) = filled::<N>(config)?;
    assert_eq!(total_cost(&network, (64, 64), "").parameters, parameters.count() as u64);
    let (height, width) = (39, 50);
    let labels = (hashed_uniform("labels", (2, height, width)) * classes.max(2) as f64)?;
    let labels = labels.to_dtype(DType::U8)?;
    let output = network.run(&hashed_signed("image", (2, 3, height, width), 2.), true)?;
    every_var_has_gradient(&N::loss(&output, &labels, &labels.ge(1u8)?)?, &parameters)?;
    for (height, width) in [(33, 50), (64, 64), (17, 23)] {
        let output = network.run(&hashed_signed("image", (1, 3, height, width), 2.), false)?;
        for (name, map) in N::outputs(&output) {
            assert_eq!(map.dims(), [1, classes, height, width], "{name}");
        }
    }
    Ok(())
}

/// The worst relative deviation seen of one kind, and the most that is right.
struct Deviation {
    kind: &'static str,
    worst: f64,
    at: String,
    allowed: f64,
}

impl Deviation {
    fn new(golden: &Golden, kind: &'static str, floor: f64) -> Self {
        let peer = golden.attrs()["float32_deviation"][kind].as_f64().unwrap();
        Self { kind, worst: 0., at: String::new(), allowed: floor.max(3. * peer) }
    }

    fn see(&mut self, at: &str, difference: f64, scale: f64) {
        let relative = difference.abs() / scale.max(1e-12);
        if relative > self.worst || relative.is_nan() {
            (self.worst, self.at) = (relative, at.to_owned());
        }
    }

    fn check(self) {
        let Self { kind, worst, at, allowed } = self;
        println!("{kind}: worst deviation {worst:.1e} at {at}, allowed {allowed:.1e}");
        assert!(worst <= allowed, "{kind}: deviation {worst:e} at {at}, allowed {allowed:e}");
    }
}

/// Outputs in evaluation mode, element by element, relative to the largest of each output.
fn check_evaluation(golden: &Golden, outputs: &[(&str, &Tensor)]) -> Result<()> {
    let mut deviation = Deviation::new(golden, "eval", 1e-4);
    for (name, output) in outputs {
        let want = golden.tensor(&format!("eval.{name}"))?;
        assert_eq!(output.dims(), want.dims(), "{name}");
        let (got, want) = (values(output)?, values(&want)?);
        let largest = want.iter().fold(0f64, |most, w| most.max(w.abs()));
        for (g, w) in got.iter().zip(&want) {
            deviation.see(name, g - w, largest);
        }
    }
    deviation.check();
    Ok(())
}

/// The loss of a training step, and the sums of the outputs that it came from.
fn check_loss(golden: &Golden, loss: &Tensor, outputs: &[(&str, &Tensor)]) -> Result<()> {
    let mut deviation = Deviation::new(golden, "loss", 2e-3);
    let want = number(golden, "train.loss")?;
    deviation.see("loss", values(loss)?[0] - want, want);
    for (name, output) in outputs {
        let got = values(output)?;
        let (sum, abs): (f64, f64) = (got.iter().sum(), got.iter().map(|v| v.abs()).sum());
        let scale = number(golden, &format!("train.{name}.abs"))?;
        deviation.see(&format!("{name}.sum"), sum - number(golden, &format!("train.{name}.sum"))?, scale);
        deviation.see(&format!("{name}.abs"), abs - scale, scale);
    }
    deviation.check();
    Ok(())
}

/// The norm of every parameter's gradient, and its dot product with a direction made from the parameter's
/// name.
fn check_gradients(golden: &Golden, gradients: &GradStore, parameters: &Parameters) -> Result<()> {
    let (norms, dots) = (values(&golden.tensor("grad.norm")?)?, values(&golden.tensor("grad.dot")?)?);
    let names = names(golden, "parameters");
    let trainable = parameters.trainable();
    assert_eq!(trainable.len(), names.len(), "number of parameters");
    let (mut norm, mut along) =
        (Deviation::new(golden, "grad_norm", 2e-3), Deviation::new(golden, "grad_dot", 2e-3));
    for (name, var) in trainable {
        let row =
            names.iter().position(|n| *n == name).unwrap_or_else(|| panic!("'{name}' is not the golden's"));
        let gradient = gradients.get(&var).unwrap_or_else(|| panic!("'{name}' has no gradient"));
        let probe = probe(&name, gradient);
        norm.see(&name, dot(gradient, gradient)?.sqrt() - norms[row], norms[row]);
        along.see(&name, dot(gradient, &probe)? - dots[row], norms[row] * dot(&probe, &probe)?.sqrt());
    }
    norm.check();
    along.check();
    Ok(())
}

/// The sum of every running statistic after a training step.
fn check_buffers(golden: &Golden, parameters: &Parameters) -> Result<()> {
    let want = values(&golden.tensor("buffer.sum")?)?;
    let tensors = parameters.tensors();
    let mut deviation = Deviation::new(golden, "buffer", 2e-3);
    for (name, want) in names(golden, "buffers").iter().zip(want) {
        let sum: f64 = values(&tensors[name])?.iter().sum();
        deviation.see(name, sum - want, want.abs().max(1.));
    }
    deviation.check();
    Ok(())
}

/// One step of a trajectory after another: its loss, and the parameters' dot product with their directions
/// after it.
struct Trajectory<'a> {
    loss: (Deviation, Vec<f64>),
    probe: (Deviation, Vec<f64>),
    parameters: &'a Parameters,
}

impl<'a> Trajectory<'a> {
    fn new(golden: &Golden, parameters: &'a Parameters) -> Result<Self> {
        let kind = |kind, name| {
            Ok::<_, candle_core::Error>((Deviation::new(golden, kind, 2e-3), values(&golden.tensor(name)?)?))
        };
        Ok(Self { loss: kind("loss", "out.loss")?, probe: kind("probe", "out.probe")?, parameters })
    }

    fn see(&mut self, step: usize, loss: &Tensor) -> Result<()> {
        let mut sum = 0.;
        for (name, var) in self.parameters.trainable() {
            sum += dot(&var, &probe(&name, &var))?;
        }
        let at = format!("step {step}");
        self.probe.0.see(&at, sum - self.probe.1[step], self.probe.1[step].abs());
        self.loss.0.see(&at, values(loss)?[0] - self.loss.1[step], self.loss.1[step].abs());
        Ok(())
    }

    fn check(self) {
        self.loss.0.check();
        self.probe.0.check();
    }
}

fn probe(name: &str, like: &Tensor) -> Tensor {
    hashed_signed(&format!("probe/{name}"), like.shape(), 1.)
}

fn names(golden: &Golden, key: &str) -> Vec<String> {
    let list = golden.attrs()[key].as_array().unwrap();
    list.iter().map(|name| name.as_str().unwrap().to_owned()).collect()
}

fn number(golden: &Golden, name: &str) -> Result<f64> {
    Ok(values(&golden.tensor(name)?)?[0])
}

fn values(tensor: &Tensor) -> Result<Vec<f64>> {
    tensor.detach().flatten_all()?.to_dtype(DType::F64)?.to_vec1()
}

/// The sum of products in f64, by candle: test code is not optimised.
fn dot(a: &Tensor, b: &Tensor) -> Result<f64> {
    let double = |x: &Tensor| x.detach().to_dtype(DType::F64);
    (double(a)? * double(b)?)?.sum_all()?.to_scalar()
}
