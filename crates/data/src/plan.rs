//! What the batches of one epoch consist of, whoever prepares them.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use candle_core::Device;
use sconce_tensors::Uploads;

use crate::augment;
use crate::batch::{Batch, Ready};
use crate::dataset::{Dataset, Sample};
use crate::error::Error;

/// Where samples come from, in every epoch.
pub(crate) struct Source<const T: usize> {
    pub(crate) dataset: Arc<dyn Dataset<T>>,
    pub(crate) augment: augment::Config,
    pub(crate) seed: u64,
}

/// The order of one epoch, cut into batches.
pub(crate) struct Plan<const T: usize> {
    pub(crate) source: Arc<Source<T>>,
    /// Dataset indices.
    pub(crate) order: Vec<usize>,
    /// Samples in a batch.
    pub(crate) batch: usize,
    pub(crate) epoch: usize,
    /// To the device that the batches are for.
    pub(crate) uploads: Uploads,
}

impl<const T: usize> Plan<T> {
    /// Places in the order that a batch takes.
    pub(crate) fn positions(&self, number: usize) -> Range<usize> {
        let first = number * self.batch;
        first..self.order.len().min(first + self.batch)
    }

    /// Reads and augments the sample at a place in the order. A panic becomes an error.
    pub(crate) fn sample(&self, position: usize) -> Result<Sample<T>, Error> {
        let index = self.order[position];
        self.guarded(position, || {
            let Source { dataset, augment, seed } = &*self.source;
            let sample = dataset.read(index)?;
            augment.apply(sample, &dataset.maps(), dataset.swaps(), (*seed, self.epoch, index))
        })
    }

    /// The batch of its prepared samples, ready for the device. Of several errors the first in order counts.
    pub(crate) fn assemble(
        &self,
        number: usize,
        samples: impl IntoIterator<Item = Result<Sample<T>, Error>>,
    ) -> Result<Ready<T>, Error> {
        let samples = samples.into_iter().collect::<Result<Vec<_>, _>>()?;
        let positions = self.positions(number);
        self.guarded(positions.start, || {
            let ids = positions.map(|position| self.source.dataset.id(self.order[position])).collect();
            Ok(Batch::new(&samples, ids, (self.epoch, number), &Device::Cpu)?.ready(&self.uploads)?)
        })
    }

    /// A whole batch, prepared by the calling thread.
    pub(crate) fn prepare(&self, number: usize) -> Result<Ready<T>, Error> {
        self.assemble(number, self.positions(number).map(|position| self.sample(position)))
    }

    /// Runs work on a sample, and names the sample when that panics.
    fn guarded<R>(&self, position: usize, work: impl FnOnce() -> Result<R, Error>) -> Result<R, Error> {
        catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
            let index = self.order[position];
            let id = catch_unwind(AssertUnwindSafe(|| self.source.dataset.id(index)));
            let message = panic.downcast_ref::<String>().map(String::as_str);
            let message = message.or_else(|| panic.downcast_ref::<&str>().copied());
            Err(Error::Panicked {
                id: id.unwrap_or_else(|_| format!("number {index}")),
                reason: message.unwrap_or("a panic without a message").into(),
            })
        })
    }
}
