//! One epoch in production: workers claim batches in order, a bounded buffer puts them back
//! into order.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;

use vibhag_core::error::ErrorKind;
use vibhag_core::{Error, Result};

use super::{Batch, Inner, lock};
use crate::sampler::batch_count;

/// Iterates over the batches of an epoch. Ends after the first error.
pub struct Epoch {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
    next: usize,
    end: usize,
    failed: Option<Error>,
}

struct Shared {
    loader: Arc<Inner>,
    epoch: u64,
    order: Vec<usize>,
    end: usize,
    queue: usize,
    cancelled: AtomicBool,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    /// The next batch nobody works on.
    claim: usize,
    /// The next batch to hand out.
    next: usize,
    ready: BTreeMap<usize, Result<Option<Batch>>>,
}

impl Epoch {
    pub(super) fn start(loader: Arc<Inner>, epoch: u64, order: Vec<usize>, skip: usize) -> Self {
        let end = batch_count(order.len(), loader.options.batch);
        let next = skip.min(end);
        let threads = loader.options.threads.clamp(1, (end - next).max(1));
        let shared = Arc::new(Shared {
            // Every worker holds a batch that waits for its turn, beyond the queue's.
            queue: loader.options.queue.max(1) + threads - 1,
            loader,
            epoch,
            order,
            end,
            cancelled: AtomicBool::new(false),
            state: Mutex::new(State { claim: next, next, ready: BTreeMap::new() }),
            changed: Condvar::new(),
        });
        let mut workers = Vec::new();
        let mut failed = None;
        for number in 0..threads {
            let worker = Arc::clone(&shared);
            let builder = std::thread::Builder::new().name(format!("loader-{number}"));
            match builder.spawn(move || worker.work()) {
                Ok(handle) => workers.push(handle),
                Err(error) => {
                    failed = Some(Error::new(ErrorKind::Io, "cannot start a loader thread").because(error));
                    break;
                }
            }
        }
        // Fewer threads than asked for are enough.
        if !workers.is_empty() {
            failed = None;
        }
        Self { shared, workers, next, end, failed }
    }

    /// Batches not yet handed out.
    pub fn remaining(&self) -> usize {
        self.end - self.next
    }

    fn take(&mut self) -> Result<Option<Batch>> {
        let mut state = lock(&self.shared.state);
        loop {
            if let Some(result) = state.ready.remove(&self.next) {
                self.next += 1;
                state.next = self.next;
                drop(state);
                self.shared.changed.notify_all();
                return result;
            }
            state = self.shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Iterator for Epoch {
    type Item = Result<Batch>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(error) = self.failed.take() {
            self.next = self.end;
            return Some(Err(error));
        }
        while self.next < self.end {
            match self.take() {
                Ok(Some(batch)) => return Some(Ok(batch)),
                Ok(None) => {}
                Err(error) => {
                    self.next = self.end;
                    self.shared.cancel();
                    return Some(Err(error));
                }
            }
        }
        None
    }
}

impl Drop for Epoch {
    fn drop(&mut self) {
        self.shared.cancel();
        for worker in self.workers.drain(..) {
            // A worker that panicked has already answered for its batch.
            let _ = worker.join();
        }
    }
}

impl Shared {
    fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
        // Under the lock, so that no worker misses it between its check and its wait.
        let state = lock(&self.state);
        self.changed.notify_all();
        drop(state);
    }

    fn work(&self) {
        while let Some(index) = self.claim() {
            let cancelled = || self.cancelled.load(Ordering::Relaxed);
            let build = || self.loader.build(self.epoch, &self.order, index, &cancelled);
            // The consumer waits for this very batch: whatever happens, it gets an answer.
            let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(build)).unwrap_or_else(|_| {
                Err(Error::new(ErrorKind::Training, format!("batch {index} of epoch {} failed to render", self.epoch)))
            });
            lock(&self.state).ready.insert(index, result);
            self.changed.notify_all();
        }
    }

    /// The next batch to build, once there is room for it; `None` at the end.
    fn claim(&self) -> Option<usize> {
        let mut state = lock(&self.state);
        loop {
            if self.cancelled.load(Ordering::Relaxed) || state.claim >= self.end {
                return None;
            }
            if state.claim < state.next + self.queue {
                state.claim += 1;
                return Some(state.claim - 1);
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}
