//! Losses and their gradients against PyTorch's.

use std::path::PathBuf;

use candle_core::{DType, Result, Tensor, Var};
use sconce_losses::{combined, cross_entropy, cross_entropy_weighted, dice, focal, soft_f1, weighted_bce};
use sconce_tensors::testing::{Golden, assert_close};

struct Case {
    name: String,
    golden: Golden,
}

impl Case {
    fn open(name: &str) -> Result<Self> {
        let path = PathBuf::from(format!("tests/golden/{name}.safetensors"));
        Ok(Self { name: name.to_string(), golden: Golden::open(&path)? })
    }

    fn labels(&self) -> Result<Tensor> {
        self.golden.tensor("in.labels")?.to_dtype(DType::U8)
    }

    /// A binary target (N, 1, H, W) as labels.
    fn target(&self) -> Result<Tensor> {
        self.golden.tensor("in.const_target")?.squeeze(1)?.to_dtype(DType::U8)
    }

    fn number(&self, key: &str) -> f64 {
        self.golden.attrs()[key].as_f64().unwrap()
    }

    fn check(&self, loss: impl Fn(&Tensor) -> Result<Tensor>) -> Result<()> {
        let logits = Var::from_tensor(&self.golden.tensor("in.logits")?)?;
        let y = loss(&logits)?;
        assert_close(&y, &self.golden.tensor("out.y")?, &self.name);
        let gradients = (y * self.golden.tensor("seed.y")?)?.backward()?;
        let gradient = gradients.get(&logits).expect("a gradient for the logits");
        assert_close(gradient, &self.golden.tensor("grad.logits")?, &format!("gradient of {}", self.name));
        Ok(())
    }
}

#[test]
fn cross_entropy_is_pytorchs() -> Result<()> {
    for name in ["cross_entropy", "cross_entropy_all_ignored"] {
        let case = Case::open(name)?;
        let labels = case.labels()?;
        case.check(|logits| cross_entropy(logits, &labels, 255))?;
    }
    let case = Case::open("cross_entropy_weighted")?;
    let weights: Vec<f32> = case.golden.tensor("in.const_weight")?.to_vec1()?;
    let labels = case.labels()?;
    case.check(|logits| cross_entropy_weighted(logits, &labels, &weights, 255))
}

#[test]
fn focal_is_pytorchs() -> Result<()> {
    for name in ["focal_g0", "focal_g2"] {
        let case = Case::open(name)?;
        let labels = case.labels()?;
        let (gamma, alpha) = (case.number("gamma"), case.number("alpha"));
        case.check(|logits| focal(logits, &labels, gamma, alpha, 255))?;
    }
    Ok(())
}

#[test]
fn weighted_bce_is_pytorchs() -> Result<()> {
    for name in ["weighted_bce", "bce_extreme_logits"] {
        let case = Case::open(name)?;
        let labels = case.target()?;
        case.check(|logits| weighted_bce(logits, &labels, case.number("pos_weight"), 255))?;
    }
    Ok(())
}

#[test]
fn overlaps_are_pytorchs() -> Result<()> {
    let case = Case::open("soft_f1")?;
    let labels = case.target()?;
    case.check(|logits| soft_f1(logits, &labels, 255))?;
    let case = Case::open("dice")?;
    let labels = case.target()?;
    case.check(|logits| dice(logits, &labels, case.number("smooth"), 255))?;
    let case = Case::open("ce_dice_combined")?;
    let labels = case.labels()?;
    let (alpha, smooth) = (case.number("alpha"), case.number("smooth"));
    case.check(|logits| combined(logits, &labels, alpha, smooth, 255))
}
