//! Compiled plans, kept for the next image of their size.

use std::sync::{Mutex, PoisonError};

use vibhag_core::{ErrorKind, Result};
use vibhag_nn::Network;

use super::Plan;

/// Plans that are kept: each holds a copy of the network's weights.
const CAPACITY: usize = 2;

/// Plans of one network.
#[derive(Debug, Default)]
pub(crate) struct PlanCache(Mutex<Vec<Entry>>);

/// What is known of a size.
#[derive(Debug)]
struct Entry {
    /// Height and width of the image.
    size: [usize; 2],
    /// None where the kernels cannot compute the network.
    plan: Option<Plan>,
}

impl PlanCache {
    /// What `work` makes of the plan of `network` for images of `size`; `None` when there can be
    /// no such plan.
    ///
    /// # Errors
    /// When the weights cannot be read, or `work` fails.
    pub(crate) fn with<T>(
        &self,
        network: &Network,
        size: [usize; 2],
        work: impl FnOnce(&mut Plan) -> Result<T>,
    ) -> Result<Option<T>> {
        self.with_compiled(size, |size| Plan::compile(network, size), work)
    }

    /// The same with the plan that `compile` gives, which must be of one network.
    ///
    /// The plan is taken out for the work, which runs on rayon's threads: a thread that waited for
    /// a lock here could be the one whose part of the work is awaited. A caller who finds the plan
    /// taken compiles another.
    ///
    /// # Errors
    /// When the weights cannot be read, or `work` fails.
    pub(crate) fn with_compiled<T>(
        &self,
        size: [usize; 2],
        compile: impl FnOnce([usize; 2]) -> Result<Plan>,
        work: impl FnOnce(&mut Plan) -> Result<T>,
    ) -> Result<Option<T>> {
        let mut entry = match self.take(size) {
            Some(entry) => entry,
            None => Entry { size, plan: known(compile(size))? },
        };
        let result = entry.plan.as_mut().map(work).transpose();
        self.put(entry);
        result
    }

    fn take(&self, size: [usize; 2]) -> Option<Entry> {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let index = entries.iter().position(|entry| entry.size == size)?;
        Some(entries.remove(index))
    }

    /// Keeps an entry; the one that was not used for longest may go.
    fn put(&self, entry: Entry) {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if entries.len() == CAPACITY {
            entries.remove(0);
        }
        entries.push(entry);
    }
}

/// The plan, `None` where the kernels cannot compute the network.
fn known(compiled: Result<Plan>) -> Result<Option<Plan>> {
    match compiled {
        Ok(plan) => Ok(Some(plan)),
        Err(error) if error.kind == ErrorKind::Unsupported => {
            tracing::debug!("the network runs without a plan: {error}");
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;
    use vibhag_nn::NetworkConfig;

    use super::*;

    #[test]
    fn frames_of_one_size_share_one_plan() {
        let mut config = NetworkConfig::new("unet-lite", None, 3, 1).unwrap();
        config.widths = vec![4, 6];
        let network = config.init(&Device::flex(), 5).unwrap();
        let cache = PlanCache::default();
        let steps = |size| cache.with(&network, size, |plan| Ok(plan.steps.as_ptr() as usize)).unwrap().unwrap();
        let first = steps([16, 24]);
        // Another size between frames, as photos beside a video would bring it.
        steps([8, 8]);
        assert_eq!([steps([16, 24]), steps([16, 24])], [first; 2]);
    }
}
