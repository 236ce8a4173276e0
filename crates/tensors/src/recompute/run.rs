//! The first and the second run of a block: what happens once, and what is seen of it again.

use std::any::Any;
use std::cell::RefCell;
use std::sync::Arc;

use candle_core::{Result, bail};

/// What a block found or chose in its first run, in the order of its work.
pub(super) type Effects = Vec<Arc<dyn Any + Send + Sync>>;

enum Run {
    First(Effects),
    Again { effects: Effects, next: usize },
}

thread_local! {
    /// The runs under way, the innermost last; none outside of blocks.
    static RUNS: RefCell<Vec<Run>> = const { RefCell::new(Vec::new()) };
}

/// `make()`, which has an effect beyond its value (it draws a random number, or moves a running statistic), in a block
/// that may run a second time: then the first run's value takes its place.
///
/// Outside of [`recompute`](crate::recompute) it is `make()` and nothing else.
///
/// # Errors
///
/// Those of `make`, and a second run that asks for other values than the first one.
pub fn once<T: Clone + Send + Sync + 'static>(make: impl FnOnce() -> Result<T>) -> Result<T> {
    if let Some(value) = replayed()? {
        return Ok(value);
    }
    let value = make()?;
    record(&value);
    Ok(value)
}

/// The next value of the first run, in a second one.
pub(crate) fn replayed<T: Clone + Send + Sync + 'static>() -> Result<Option<T>> {
    let value = RUNS.with_borrow_mut(|runs| {
        let again = runs.iter_mut().rev().find_map(|run| match run {
            Run::Again { effects, next } => Some((effects, next)),
            Run::First(_) => None,
        });
        let Some((effects, next)) = again else { return Ok(None) };
        let value = effects.get(*next).and_then(|value| value.downcast_ref::<T>()).cloned();
        *next += 1;
        if value.is_none() {
            bail!("{DIFFERS}");
        }
        Ok(value)
    })?;
    value.iter().for_each(record);
    Ok(value)
}

/// Keeps a value for the second run, in a first one.
pub(crate) fn record<T: Clone + Send + Sync + 'static>(value: &T) {
    RUNS.with_borrow_mut(|runs| {
        if let Some(Run::First(effects)) = runs.last_mut() {
            effects.push(Arc::new(value.clone()));
        }
    });
}

/// Whether a block runs for the first time, so that no operation needs to keep anything for a backward pass.
pub(crate) fn nothing_is_kept() -> bool {
    RUNS.with_borrow(|runs| matches!(runs.last(), Some(Run::First(_))))
}

/// Whether a block runs for the first or the second time.
pub(crate) fn is_in_block() -> bool {
    RUNS.with_borrow(|runs| !runs.is_empty())
}

/// A block's first run, and its effects.
pub(super) fn first<T>(work: impl FnOnce() -> Result<T>) -> Result<(T, Effects)> {
    let guard = Guard::new(Run::First(Vec::new()));
    let value = work()?;
    match guard.end() {
        Some(Run::First(effects)) => Ok((value, effects)),
        _ => bail!("{DIFFERS}"),
    }
}

/// A block's second run after a first one with these effects.
pub(super) fn again<T>(effects: &Effects, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let guard = Guard::new(Run::Again { effects: effects.clone(), next: 0 });
    let value = work()?;
    match guard.end() {
        Some(Run::Again { effects, next }) if effects.len() == next => Ok(value),
        _ => bail!("{DIFFERS}"),
    }
}

const DIFFERS: &str = "recomputation: the second run of a block differs from its first; what it draws or changes must be \
    made within `once`, in the same order";

/// Ends the innermost run, by an error or a panic too.
struct Guard;

impl Guard {
    fn new(run: Run) -> Self {
        RUNS.with_borrow_mut(|runs| runs.push(run));
        Self
    }

    fn end(self) -> Option<Run> {
        std::mem::forget(self);
        RUNS.with_borrow_mut(Vec::pop)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        RUNS.with_borrow_mut(Vec::pop);
    }
}
