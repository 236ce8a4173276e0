//! A network's tensors by name: seeded, ordered, and shared with the networks built from them.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use candle_core::{DType, Device, Result, Shape, Tensor, Var, bail};
use candle_nn::init::{Init, NormalOrUniform};
use candle_nn::{VarBuilder, var_builder::SimpleBackend};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::hash::fnv1a64;

/// The store of a network's tensors.
///
/// A network takes its tensors from [`Parameters::builder`] by name. A name that is asked for the first time
/// is created and filled with values that depend only on the seed, the name and the initialisation, so the
/// order in which a network is built does not matter. Clones share one store.
///
/// Buffers, which no optimiser changes, are the names that end in `running_mean` or `running_var`.
#[derive(Clone)]
pub struct Parameters {
    vars: Arc<Mutex<BTreeMap<String, Var>>>,
    seed: u64,
    device: Device,
}

/// What [`Parameters::load`] did not find or use, in the order of names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    /// Names in the store that the given tensors lack: these kept their values.
    pub missing: Vec<String>,
    /// Names among the given tensors that the store lacks.
    pub unused: Vec<String>,
}

impl Parameters {
    /// An empty store.
    pub fn new(seed: u64, device: &Device) -> Self {
        Self { vars: Arc::default(), seed, device: device.clone() }
    }

    /// Hands out the store's tensors and creates them on first use, in f32.
    pub fn builder(&self) -> VarBuilder<'static> {
        VarBuilder::from_backend(Box::new(self.clone()), DType::F32, self.device.clone())
    }

    /// Every tensor, buffers included, in the order of names.
    pub fn all(&self) -> Vec<(String, Var)> {
        self.lock().iter().map(|(name, var)| (name.clone(), var.clone())).collect()
    }

    /// The tensors that an optimiser changes, in the order of names.
    pub fn trainable(&self) -> Vec<(String, Var)> {
        self.all().into_iter().filter(|(name, _)| !is_buffer(name)).collect()
    }

    /// The tensors that no optimiser changes, running statistics, in the order of names.
    pub fn buffers(&self) -> Vec<(String, Var)> {
        self.all().into_iter().filter(|(name, _)| is_buffer(name)).collect()
    }

    /// How many scalars an optimiser changes.
    pub fn count(&self) -> usize {
        self.trainable().iter().map(|(_, var)| var.elem_count()).sum()
    }

    /// Copies the given values over those of the same name, in place: networks that were built from this
    /// store see them. The given tensors may be of another type or on another device.
    ///
    /// # Errors
    ///
    /// A tensor whose shape differs from the store's; nothing is copied then.
    pub fn load(&self, tensors: &HashMap<String, Tensor>) -> Result<Loaded> {
        let (mut missing, mut pairs) = (Vec::new(), Vec::new());
        for (name, var) in self.all() {
            let Some(tensor) = tensors.get(&name) else {
                missing.push(name);
                continue;
            };
            if tensor.dims() != var.dims() {
                bail!(
                    "'{name}' has the shape {:?}, and {:?} in the tensors to load",
                    var.dims(),
                    tensor.dims()
                );
            }
            // A copy: the given tensor may be the variable itself.
            let value = tensor.detach().to_device(&self.device)?.to_dtype(var.dtype())?.copy()?;
            pairs.push((var, value));
        }
        for (var, value) in pairs {
            var.set(&value)?;
        }
        Ok(Loaded { missing, unused: self.unknown(tensors) })
    }

    /// Copies of all tensors as they are now, for saving: later steps do not change them.
    pub fn tensors(&self) -> BTreeMap<String, Tensor> {
        let copy =
            |var: Var| var.as_detached_tensor().copy().expect("a contiguous tensor of this store copies");
        self.all().into_iter().map(|(name, var)| (name, copy(var))).collect()
    }

    fn unknown(&self, tensors: &HashMap<String, Tensor>) -> Vec<String> {
        let vars = self.lock();
        let mut unknown: Vec<_> = tensors.keys().filter(|name| !vars.contains_key(*name)).cloned().collect();
        unknown.sort_unstable();
        unknown
    }

    /// A map of variables is whole after every single change, so a panic in another thread leaves it usable.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Var>> {
        self.vars.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SimpleBackend for Parameters {
    fn get(&self, shape: Shape, name: &str, init: Init, dtype: DType, device: &Device) -> Result<Tensor> {
        let mut vars = self.lock();
        if let Some(var) = vars.get(name) {
            if var.shape() != &shape || var.dtype() != dtype {
                bail!(
                    "'{name}' is asked for as {:?} {dtype:?}, but exists as {:?} {:?}",
                    shape.dims(),
                    var.dims(),
                    var.dtype()
                );
            }
            return Ok(var.as_tensor().clone());
        }
        let mut rng = generator(self.seed, name);
        let values = initial(&init, &shape, &mut rng);
        let var = Var::from_tensor(&Tensor::from_vec(values, shape, device)?.to_dtype(dtype)?)?;
        vars.insert(name.to_string(), var.clone());
        Ok(var.into_inner())
    }

    fn get_unchecked(&self, name: &str, dtype: DType, _device: &Device) -> Result<Tensor> {
        match self.lock().get(name) {
            Some(var) => var.as_tensor().to_dtype(dtype),
            None => bail!("'{name}' does not exist yet and has no shape to create it with"),
        }
    }

    fn contains_tensor(&self, name: &str) -> bool {
        self.lock().contains_key(name)
    }
}

fn is_buffer(name: &str) -> bool {
    matches!(name.rsplit('.').next(), Some("running_mean" | "running_var"))
}

/// One stream of random numbers for each name.
pub(crate) fn generator(seed: u64, name: &str) -> ChaCha8Rng {
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    generator.set_stream(fnv1a64(name));
    generator
}

fn initial(init: &Init, shape: &Shape, rng: &mut ChaCha8Rng) -> Vec<f32> {
    let count = shape.elem_count();
    match *init {
        Init::Const(value) => vec![value as f32; count],
        Init::Uniform { lo, up } => uniform(lo, up, count, rng),
        Init::Randn { mean, stdev } => normal(mean, stdev, count, rng),
        // He et al. 2015, "Delving Deep into Rectifiers", equations 10 and 14.
        Init::Kaiming { dist, fan, non_linearity } => {
            let stdev = non_linearity.gain() / (fan.for_shape(shape) as f64).sqrt();
            match dist {
                NormalOrUniform::Normal => normal(0.0, stdev, count, rng),
                NormalOrUniform::Uniform => uniform(-3f64.sqrt() * stdev, 3f64.sqrt() * stdev, count, rng),
            }
        }
    }
}

fn uniform(low: f64, high: f64, count: usize, rng: &mut ChaCha8Rng) -> Vec<f32> {
    (0..count).map(|_| (low + (high - low) * rng.random::<f64>()) as f32).collect()
}

/// Box and Muller 1958; the cosine alone, so that one value takes one pair of uniform numbers.
fn normal(mean: f64, stdev: f64, count: usize, rng: &mut ChaCha8Rng) -> Vec<f32> {
    let draw = |_| {
        let (u, v): (f64, f64) = (1.0 - rng.random::<f64>(), rng.random());
        (mean + stdev * (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()) as f32
    };
    (0..count).map(draw).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_nn::init::DEFAULT_KAIMING_NORMAL;

    const UNIFORM: Init = Init::Uniform { lo: -2.0, up: 3.0 };

    fn values(tensor: &Tensor) -> Vec<f32> {
        tensor.flatten_all().and_then(|flat| flat.to_vec1()).unwrap()
    }

    #[test]
    fn values_depend_on_seed_and_name_but_not_on_order() -> Result<()> {
        let (a, b, c) = (
            Parameters::new(1, &Device::Cpu),
            Parameters::new(1, &Device::Cpu),
            Parameters::new(2, &Device::Cpu),
        );
        for (parameters, names) in [(&a, ["x", "y"]), (&b, ["y", "x"]), (&c, ["x", "y"])] {
            for name in names {
                parameters.builder().get_with_hints((3, 4), name, UNIFORM)?;
            }
        }
        let (a, b, c) = (a.tensors(), b.tensors(), c.tensors());
        assert_eq!(values(&a["x"]), values(&b["x"]));
        assert_eq!(values(&a["y"]), values(&b["y"]));
        assert_ne!(values(&a["x"]), values(&a["y"]));
        assert_ne!(values(&a["x"]), values(&c["x"]));
        Ok(())
    }

    #[test]
    fn initialisations_have_their_moments() -> Result<()> {
        let vb = Parameters::new(0, &Device::Cpu).builder();
        let shape = (64, 8, 5, 5);
        let kaiming_uniform = candle_nn::init::DEFAULT_KAIMING_UNIFORM;
        for (name, init, mean, stdev) in [
            ("const", Init::Const(0.5), 0.5, 0.0),
            ("uniform", UNIFORM, 0.5, 5.0 / 12f64.sqrt()),
            ("randn", Init::Randn { mean: 1.0, stdev: 0.25 }, 1.0, 0.25),
            ("kaiming", DEFAULT_KAIMING_NORMAL, 0.0, (2.0f64 / 200.0).sqrt()),
            ("kaiming uniform", kaiming_uniform, 0.0, (2.0f64 / 200.0).sqrt()),
        ] {
            let values = values(&vb.get_with_hints(shape, name, init)?);
            let count = values.len() as f64;
            let found = values.iter().map(|&v| f64::from(v)).sum::<f64>() / count;
            let spread = values.iter().map(|&v| (f64::from(v) - found).powi(2)).sum::<f64>() / count;
            assert!((found - mean).abs() <= 4.0 * stdev / count.sqrt(), "{name}: mean {found}");
            assert!((spread.sqrt() - stdev).abs() <= 0.02 * stdev, "{name}: deviation {}", spread.sqrt());
        }
        Ok(())
    }

    #[test]
    fn a_name_is_one_variable_of_one_shape() -> Result<()> {
        let parameters = Parameters::new(0, &Device::Cpu);
        let vb = parameters.builder();
        let first = vb.pp("stem").get((2, 3), "weight")?;
        assert!(first.is_variable());
        assert_eq!(vb.pp("stem").get((2, 3), "weight")?.id(), first.id());
        let error = vb.get((3, 2), "stem.weight").unwrap_err().to_string();
        assert!(
            error.contains("stem.weight") && error.contains("[3, 2]") && error.contains("[2, 3]"),
            "{error}"
        );
        assert!(vb.contains_tensor("stem.weight") && !vb.contains_tensor("weight"));
        assert!(vb.get_unchecked("other").is_err());
        Ok(())
    }

    #[test]
    fn tensors_are_sorted_and_buffers_are_not_trained() -> Result<()> {
        let parameters = Parameters::new(0, &Device::Cpu);
        let vb = parameters.builder();
        for (name, size) in [("b.weight", 3), ("b.running_var", 3), ("a.bias", 2), ("b.running_mean", 3)] {
            vb.get(size, name)?;
        }
        let names = |list: Vec<(String, Var)>| list.into_iter().map(|(name, _)| name).collect::<Vec<_>>();
        assert_eq!(names(parameters.all()), ["a.bias", "b.running_mean", "b.running_var", "b.weight"]);
        assert_eq!(names(parameters.trainable()), ["a.bias", "b.weight"]);
        assert_eq!(names(parameters.buffers()), ["b.running_mean", "b.running_var"]);
        assert_eq!(parameters.count(), 5);
        Ok(())
    }

    #[test]
    fn loading_changes_tensors_in_place_and_reports_the_rest() -> Result<()> {
        let parameters = Parameters::new(0, &Device::Cpu);
        let (a, b) = (parameters.builder().get(2, "a")?, parameters.builder().get(2, "b")?);
        let before = parameters.tensors();
        let given = HashMap::from([
            ("a".to_string(), Tensor::new(&[1f64, 2.0], &Device::Cpu)?),
            ("z".to_string(), Tensor::new(&[0f32], &Device::Cpu)?),
        ]);
        let loaded = parameters.load(&given)?;
        assert_eq!(loaded, Loaded { missing: vec!["b".into()], unused: vec!["z".into()] });
        assert_eq!(values(&a), [1.0, 2.0]);
        assert_eq!(values(&b), [0.0, 0.0]);
        assert_eq!(values(&before["a"]), [0.0, 0.0], "a copy does not follow");
        Ok(())
    }

    #[test]
    fn a_wrong_shape_loads_nothing() -> Result<()> {
        let parameters = Parameters::new(0, &Device::Cpu);
        let a = parameters.builder().get(2, "a")?;
        parameters.builder().get(2, "b")?;
        let ones = |count: usize| Tensor::ones(count, DType::F32, &Device::Cpu);
        let given = HashMap::from([("a".to_string(), ones(2)?), ("b".to_string(), ones(3)?)]);
        let error = parameters.load(&given).unwrap_err().to_string();
        assert!(error.contains("'b'") && error.contains("[2]") && error.contains("[3]"), "{error}");
        assert_eq!(values(&a), [0.0, 0.0]);
        Ok(())
    }

    #[test]
    fn a_store_loads_its_own_variables() -> Result<()> {
        let parameters = Parameters::new(3, &Device::Cpu);
        parameters.builder().get_with_hints(4, "a", UNIFORM)?;
        let before = parameters.tensors();
        let own = parameters.all().into_iter().map(|(name, var)| (name, var.into_inner())).collect();
        parameters.load(&own)?;
        assert_eq!(values(&before["a"]), values(&parameters.tensors()["a"]));
        Ok(())
    }
}
