//! Threads that prepare the samples of batches and hand the batches over in order.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvError, RecvTimeoutError, Sender, unbounded};

use crate::batch::Ready;
use crate::dataset::Sample;
use crate::error::Error;
use crate::plan::Plan;

/// How long a thread of rayon's pool waits between two looks at the pool's work.
const TURN: Duration = Duration::from_millis(1);

/// Worker threads of one epoch. They prepare what they are asked for and nothing else, so whoever asks decides how
/// much lies ready at most. Dropping them ends the threads after the sample each is at.
pub(crate) struct Workers<const T: usize> {
    /// Taken away to end the threads.
    jobs: Option<Sender<Job<T>>>,
    finished: Receiver<Finished<T>>,
    /// Batches that came before their turn.
    early: BTreeMap<usize, Result<Ready<T>, Error>>,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

/// A batch's number and the batch.
type Finished<const T: usize> = (usize, Result<Ready<T>, Error>);

/// One sample to prepare.
struct Job<const T: usize> {
    position: usize,
    place: usize,
    tray: Arc<Tray<T>>,
}

/// A batch in the making.
struct Tray<const T: usize> {
    number: usize,
    samples: Mutex<Vec<Option<Result<Sample<T>, Error>>>>,
}

impl<const T: usize> Workers<T> {
    /// Starts threads for a plan; none when none is wanted or the system gives none.
    pub(crate) fn start(plan: &Arc<Plan<T>>, threads: usize) -> Option<Self> {
        let (jobs, todo) = unbounded();
        let (done, finished) = unbounded();
        let stop = Arc::new(AtomicBool::new(false));
        let threads: Vec<JoinHandle<()>> = (0..threads.min(plan.order.len()))
            .map_while(|number| {
                let (plan, todo, done) = (Arc::clone(plan), todo.clone(), done.clone());
                let stop = Arc::clone(&stop);
                let thread = Builder::new().name(format!("loader {number}"));
                thread.spawn(move || work(&plan, &todo, &done, &stop)).ok()
            })
            .collect();
        let jobs = Some(jobs);
        (!threads.is_empty()).then(|| Self { jobs, finished, early: BTreeMap::new(), stop, threads })
    }

    /// Asks for the batch of this number, whose samples are at `positions` of the order.
    pub(crate) fn ask(&self, number: usize, positions: Range<usize>) {
        let samples = Mutex::new(positions.clone().map(|_| None).collect());
        let tray = Arc::new(Tray { number, samples });
        for (place, position) in positions.enumerate() {
            // Without a living worker the job is lost here, and `receive` says so.
            let job = Job { position, place, tray: Arc::clone(&tray) };
            let _ = self.jobs.as_ref().map(|jobs| jobs.send(job));
        }
    }

    /// Waits for the batch of this number, which was asked for before.
    pub(crate) fn receive(&mut self, number: usize) -> Result<Ready<T>, Error> {
        loop {
            if let Some(batch) = self.early.remove(&number) {
                return batch;
            }
            let gone = |_| Error::Loader { reason: format!("its threads ended before batch {number}") };
            let (other, batch) = self.any().map_err(gone)?;
            self.early.insert(other, batch);
        }
    }

    /// Waits for a batch of any number, or until the threads have ended. A thread of rayon's pool does the pool's work
    /// meanwhile: the sample may wait for it, and in a pool of one thread nobody else would do it.
    fn any(&self) -> Result<Finished<T>, RecvError> {
        while rayon::current_thread_index().is_some() {
            match self.finished.recv_timeout(TURN) {
                Ok(batch) => return Ok(batch),
                Err(RecvTimeoutError::Disconnected) => return Err(RecvError),
                Err(RecvTimeoutError::Timeout) => {
                    rayon::yield_now();
                }
            }
        }
        self.finished.recv()
    }
}

impl<const T: usize> Drop for Workers<T> {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.jobs = None;
        while self.any().is_ok() {} // until they have ended; `join` alone would leave the pool's work undone
        for thread in self.threads.drain(..) {
            // A worker that panicked has nothing left to clean up.
            let _ = thread.join();
        }
    }
}

impl<const T: usize> Tray<T> {
    /// Puts a sample in its place; the last one gets all of them to assemble.
    fn put(&self, place: usize, sample: Result<Sample<T>, Error>) -> Option<Vec<Result<Sample<T>, Error>>> {
        let mut samples = self.samples.lock().unwrap_or_else(PoisonError::into_inner);
        samples[place] = Some(sample);
        let complete = samples.iter().all(Option::is_some);
        complete.then(|| samples.drain(..).flatten().collect())
    }
}

fn work<const T: usize>(
    plan: &Plan<T>,
    todo: &Receiver<Job<T>>,
    done: &Sender<Finished<T>>,
    stop: &AtomicBool,
) {
    for Job { position, place, tray } in todo {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        if let Some(samples) = tray.put(place, plan.sample(position)) {
            let batch = plan.assemble(tray.number, samples);
            if done.send((tray.number, batch)).is_err() {
                return;
            }
        }
    }
}
