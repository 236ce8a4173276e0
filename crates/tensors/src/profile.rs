//! Where the time of a computation goes: the operations of this crate, one by one.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Instant;

use candle_core::{Device, Result, Tensor};

use crate::gradients;

/// Runs `work` and takes the time of every operation of this crate in it, forward and [`backward`](crate::backward), on the calling
/// thread and `device`; the operations that took longest come first.
///
/// On a GPU it waits for each operation to end, so that the work as a whole takes longer than without. Operations of candle itself
/// and steps of an optimizer are not seen. A profile inside another one takes the time for itself alone.
///
/// ```
/// use candle_core::Device;
/// use sconce_tensors::{profiled, softmax_channels, testing::hashed_uniform};
///
/// let scores = hashed_uniform("scores", (2, 5, 16, 16));
/// let (probabilities, spent) = profiled(&Device::Cpu, || softmax_channels(&scores));
/// assert_eq!(probabilities?.dims(), [2, 5, 16, 16]);
/// assert_eq!((spent[0].operation, spent[0].calls, spent[0].bytes), ("softmax_channels", 1, 2 * 4 * 2560));
/// # Ok::<(), candle_core::Error>(())
/// ```
pub fn profiled<T>(device: &Device, work: impl FnOnce() -> T) -> (T, Vec<Spent>) {
    let profile = Profile { device: device.clone(), spent: BTreeMap::new(), open: Vec::new() };
    let outer = Outer(PROFILE.replace(Some(profile)));
    let result = work();
    let spent = PROFILE.take().map(|profile| profile.spent).unwrap_or_default();
    drop(outer);
    let mut spent: Vec<Spent> = spent.into_values().collect();
    spent.sort_by(|a, b| b.seconds.total_cmp(&a.seconds));
    (result, spent)
}

/// What all calls of an operation took in one of the passes.
#[derive(Debug, Clone, PartialEq)]
pub struct Spent {
    /// Its name.
    pub operation: &'static str,
    /// A convolution's kernel and channels, the last one's where an operation has several; empty for other operations.
    pub form: String,
    /// Whether in the backward pass.
    pub backward: bool,
    /// How often it ran.
    pub calls: usize,
    /// Without the operations that ran inside of it.
    pub seconds: f64,
    /// Of its arguments and results: the least that has to be moved, unless a cache holds them.
    pub bytes: u64,
    /// Of convolutions, by their definition.
    pub multiply_adds: u64,
}

thread_local! {
    /// The profile under way, none outside of [`profiled`].
    static PROFILE: RefCell<Option<Profile>> = const { RefCell::new(None) };
}

struct Profile {
    device: Device,
    spent: BTreeMap<(&'static str, String, bool), Spent>,
    /// The operations under way, the innermost last.
    open: Vec<Open>,
}

struct Open {
    start: Instant,
    /// Seconds of operations inside.
    inside: f64,
    form: String,
    multiply_adds: u64,
}

/// The profile around a new one, which goes on when that one ends, by a panic too.
struct Outer(Option<Profile>);

impl Drop for Outer {
    fn drop(&mut self) {
        PROFILE.set(self.0.take());
    }
}

/// `apply()`, of which the time is taken if a profile is under way.
pub(crate) fn timed(
    operation: &'static str,
    inputs: &[&Tensor],
    apply: impl FnOnce() -> Result<Tensor>,
) -> Result<Tensor> {
    if !PROFILE.with_borrow_mut(|profile| profile.as_mut().map_or(Ok(false), Profile::begin))? {
        return apply();
    }
    let result = apply();
    let backward = gradients::pass_is_running();
    PROFILE.with_borrow_mut(|profile| match profile {
        Some(profile) => profile.end(operation, backward, inputs, result.as_ref().ok()),
        None => Ok(()),
    })?;
    result
}

/// Counts multiply-adds of the operation under way, and tells its form.
pub(crate) fn count(multiply_adds: u64, form: impl FnOnce() -> String) {
    PROFILE.with_borrow_mut(|profile| {
        if let Some(open) = profile.as_mut().and_then(|profile| profile.open.last_mut()) {
            open.multiply_adds += multiply_adds;
            open.form = form();
        }
    });
}

impl Profile {
    fn begin(&mut self) -> Result<bool> {
        self.device.synchronize()?;
        self.open.push(Open { start: Instant::now(), inside: 0.0, form: String::new(), multiply_adds: 0 });
        Ok(true)
    }

    /// Notes the innermost operation; one that failed has no result.
    fn end(
        &mut self,
        operation: &'static str,
        backward: bool,
        inputs: &[&Tensor],
        result: Option<&Tensor>,
    ) -> Result<()> {
        let Some(Open { start, inside, form, multiply_adds }) = self.open.pop() else { return Ok(()) };
        let Some(result) = result else { return Ok(()) };
        self.device.synchronize()?;
        let seconds = start.elapsed().as_secs_f64();
        if let Some(outer) = self.open.last_mut() {
            outer.inside += seconds;
        }
        let bytes = |tensor: &&Tensor| (tensor.elem_count() * tensor.dtype().size_in_bytes()) as u64;
        let spent = self.spent.entry((operation, form.clone(), backward)).or_insert_with(|| Spent {
            operation,
            form,
            backward,
            calls: 0,
            seconds: 0.0,
            bytes: 0,
            multiply_adds: 0,
        });
        spent.calls += 1;
        spent.seconds += seconds - inside;
        spent.bytes += inputs.iter().chain([&result]).map(bytes).sum::<u64>();
        spent.multiply_adds += multiply_adds;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{devices, hashed_signed};
    use crate::{Conv2dConfig, backward, conv2d, relu};
    use candle_core::Var;

    #[test]
    fn operations_of_both_passes_are_counted() -> Result<()> {
        for device in devices() {
            let x = hashed_signed("x", (2, 3, 8, 9), 1.0).to_device(&device)?;
            let weight = Var::from_tensor(&hashed_signed("weight", (4, 3, 1, 1), 1.0).to_device(&device)?)?;
            let start = Instant::now();
            let (result, spent) = profiled(&device, || {
                let loss = relu(&conv2d(&x, &weight, None, Conv2dConfig::default())?)?.sum_all()?;
                backward(&loss)
            });
            result?;
            assert!(spent.iter().map(|spent| spent.seconds).sum::<f64>() <= start.elapsed().as_secs_f64());
            assert!(spent.is_sorted_by(|a, b| a.seconds >= b.seconds));
            let of = |backward| {
                let mut of: Vec<_> = spent.iter().filter(|spent| spent.backward == backward).collect();
                of.sort_by_key(|spent| spent.multiply_adds);
                of
            };
            let (forward, backward) = (of(false), of(true));
            assert_eq!(forward.len(), 2);
            let (pixels, multiply_adds) = (2 * 8 * 9, 2 * 8 * 9 * 3 * 4);
            assert_eq!((forward[1].calls, forward[1].multiply_adds), (1, multiply_adds));
            assert_eq!(forward[1].form, "1x1 3→4");
            assert_eq!(forward[1].bytes, 4 * (3 * pixels + 12 + 4 * pixels));
            assert_eq!((forward[0].multiply_adds, forward[0].bytes), (0, 2 * 4 * 4 * pixels));
            // The image asks for no gradient, so the weights' is all there is.
            assert_eq!(backward.iter().map(|spent| spent.multiply_adds).sum::<u64>(), multiply_adds);
        }
        Ok(())
    }

    #[test]
    fn what_runs_inside_counts_once() -> Result<()> {
        let x = hashed_signed("x", 7, 1.0);
        let (result, spent) = profiled(&Device::Cpu, || {
            timed("outer", &[&x], || {
                count(5, String::new);
                timed("inner", &[&x], || {
                    count(7, || "small".to_owned());
                    std::thread::sleep(std::time::Duration::from_millis(20));
                    x.sqr()
                })
            })
        });
        result?;
        let [inner, outer] = &spent[..] else { panic!("{spent:?}") };
        assert_eq!((inner.operation, &*inner.form, outer.operation), ("inner", "small", "outer"));
        assert!(inner.seconds >= 0.02 && outer.seconds < 0.02, "{spent:?}");
        assert_eq!((inner.multiply_adds, outer.multiply_adds), (7, 5));
        Ok(())
    }

    #[test]
    fn an_operation_that_fails_is_left_out() {
        let x = hashed_signed("x", 7, 1.0);
        let fail = || timed("fails", &[&x], || candle_core::bail!("no"));
        let (result, spent) = profiled(&Device::Cpu, || fail().is_err());
        assert!(result && spent.is_empty());
    }
}
