//! Batches in a fixed order, prepared by worker threads ahead of their use.

#[cfg(test)]
mod tests;

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use candle_core::Device;
use rand::seq::SliceRandom;
use sconce_tensors::Uploads;
use serde::Deserialize;

use crate::augment;
use crate::batch::Batch;
use crate::dataset::Dataset;
use crate::error::Error;
use crate::plan::{Plan, Source};
use crate::random::{Purpose, stream};
use crate::workers::Workers;

/// How samples become batches: `[loader]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// Samples in a batch.
    pub batch: usize,
    /// Worker threads; 0 prepares every batch when it is asked for. Batches do not depend on it.
    pub threads: usize,
    /// Most batches prepared ahead of their use, at least 1.
    pub prefetch: usize,
    /// Whether every epoch has an order of its own, drawn from the seed, instead of the dataset's.
    pub shuffle: bool,
    /// Whether a last batch of fewer samples is left out, as batch norm needs in training.
    pub drop_last: bool,
}

impl Config {
    /// For evaluation: every sample once, in the dataset's order.
    #[must_use]
    pub fn in_order(batch: usize, threads: usize) -> Self {
        Self { batch, threads, prefetch: 2, shuffle: false, drop_last: false }
    }
}

/// Turns a dataset into batches. A sample depends only on the seed, the epoch and its index.
pub struct Loader<const T: usize> {
    source: Arc<Source<T>>,
    config: Config,
    uploads: Uploads,
}

impl<const T: usize> Loader<T> {
    /// A loader of a dataset, whose batches come to `device`; to a GPU without anybody waiting for the copies.
    ///
    /// # Errors
    /// Settings that cannot work, or a dataset too small for one batch.
    pub fn new(
        dataset: Arc<dyn Dataset<T>>,
        config: Config,
        augment: augment::Config,
        seed: u64,
        device: &Device,
    ) -> Result<Self, Error> {
        augment.check()?;
        let fail = |key, reason| Err(Error::Config { key, reason });
        if config.batch == 0 {
            return fail("loader.batch", "a batch needs at least 1 sample".into());
        }
        if config.prefetch == 0 && config.threads > 0 {
            return fail("loader.prefetch", "threads need room for at least 1 batch ahead".into());
        }
        if dataset.is_empty() {
            return Err(Error::Loader { reason: "the dataset has no samples".into() });
        }
        if config.drop_last && dataset.len() < config.batch {
            let reason = format!(
                "{} is more than the set's {} samples, and drop-last leaves out an incomplete batch; lower it",
                config.batch,
                dataset.len()
            );
            return fail("loader.batch", reason);
        }
        let source = Arc::new(Source { dataset, augment, seed });
        Ok(Self { source, config, uploads: Uploads::new(device) })
    }

    /// The dataset.
    #[must_use]
    pub fn dataset(&self) -> &dyn Dataset<T> {
        &*self.source.dataset
    }

    /// Number of batches in every epoch.
    #[must_use]
    pub fn batches_per_epoch(&self) -> usize {
        let samples = self.source.dataset.len();
        if self.config.drop_last { samples / self.config.batch } else { samples.div_ceil(self.config.batch) }
    }

    /// All batches of an epoch.
    #[must_use]
    pub fn epoch(&self, epoch: usize) -> Epoch<T> {
        self.epoch_from(epoch, 0)
    }

    /// The batches of an epoch from a number on: the same ones that [`Loader::epoch`] gives after skipping the
    /// others, which are not prepared.
    #[must_use]
    pub fn epoch_from(&self, epoch: usize, first_batch: usize) -> Epoch<T> {
        let last = self.batches_per_epoch();
        let plan = Arc::new(Plan {
            source: Arc::clone(&self.source),
            order: self.order(epoch),
            batch: self.config.batch,
            epoch,
            uploads: self.uploads.clone(),
        });
        Epoch {
            workers: Workers::start(&plan, self.config.threads),
            plan,
            prefetch: self.config.prefetch,
            asked: first_batch.min(last),
            left: first_batch.min(last)..last,
            waited: Duration::ZERO,
        }
    }

    /// Dataset indices in the order of an epoch.
    fn order(&self, epoch: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.source.dataset.len()).collect();
        if self.config.shuffle {
            order.shuffle(&mut stream(self.source.seed, Purpose::Order, epoch, 0));
        }
        order
    }
}

/// The batches of one epoch, in order.
///
/// An error stands in the place of the batch it belongs to, and the next batch can still be asked for. Dropping the
/// iterator early stops the workers after the sample each is at.
pub struct Epoch<const T: usize> {
    plan: Arc<Plan<T>>,
    workers: Option<Workers<T>>,
    prefetch: usize,
    /// The first batch that the workers have not been asked for.
    asked: usize,
    left: Range<usize>,
    waited: Duration,
}

impl<const T: usize> Epoch<T> {
    /// How long the caller has waited for batches so far.
    #[must_use]
    pub fn waited(&self) -> Duration {
        self.waited
    }

    fn batch(&mut self, number: usize) -> Result<Batch<T>, Error> {
        let batch = match &mut self.workers {
            None => self.plan.prepare(number)?,
            Some(workers) => {
                // The batch itself and those ahead of it.
                let end = self.left.end.min(number.saturating_add(1).saturating_add(self.prefetch));
                for ahead in self.asked..end {
                    workers.ask(ahead, self.plan.positions(ahead));
                }
                self.asked = self.asked.max(end);
                workers.receive(number)?
            }
        };
        Ok(batch.start()?)
    }
}

impl<const T: usize> Iterator for Epoch<T> {
    type Item = Result<Batch<T>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let number = self.left.next()?;
        let start = Instant::now();
        let mut batch = self.batch(number);
        let waited = start.elapsed();
        self.waited += waited;
        if let Ok(batch) = &mut batch {
            batch.waited = waited;
        }
        Some(batch)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.left.size_hint()
    }
}

impl<const T: usize> ExactSizeIterator for Epoch<T> {}
