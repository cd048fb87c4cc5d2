//! Batches from threads: decoded, cached, augmented, in an order that threads do not change.

mod cache;
mod epoch;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use vibhag_core::error::ErrorKind;
use vibhag_core::{Error, Head, Image, LabelMap, Panoptic, Person, Preprocessing, Purpose, Result};

use self::cache::Cache;
pub use self::epoch::Epoch;
use crate::augment::{AugmentConfig, Augmenter, Key, Prepared, Rendering};
use crate::dataset::Dataset;
use crate::sampler::{batch_count, batch_positions, epoch_order};
use crate::truth::{People, PoseRules, SegmentRules};

/// Where decoded samples come from.
pub trait SampleSource: Send + Sync {
    /// How many samples there are.
    fn len(&self) -> usize;

    /// Whether there is none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Decodes sample `index` with its labels.
    ///
    /// # Errors
    /// When a file cannot be read or does not fit.
    fn load(&self, index: usize) -> Result<(Image, LabelMap)>;

    /// Decodes sample `index` with its segments.
    ///
    /// # Errors
    /// When a file cannot be read or does not fit, or the source does not tell objects apart.
    fn load_segments(&self, index: usize) -> Result<(Image, Panoptic)> {
        Err(Error::new(ErrorKind::Unsupported, "the data does not tell objects apart").at(self.name(index)))
    }

    /// Decodes sample `index` with the people on it.
    ///
    /// # Errors
    /// When a file cannot be read or does not fit, or the source has no people's keypoints.
    fn load_people(&self, index: usize) -> Result<(Image, People)> {
        Err(Error::new(ErrorKind::Unsupported, "the data has no people's keypoints").at(self.name(index)))
    }

    /// What people call sample `index`.
    fn name(&self, index: usize) -> String;
}

impl SampleSource for Dataset {
    fn len(&self) -> usize {
        self.samples.len()
    }

    fn load(&self, index: usize) -> Result<(Image, LabelMap)> {
        Dataset::load(self, index)
    }

    fn load_segments(&self, index: usize) -> Result<(Image, Panoptic)> {
        Dataset::load_segments(self, index)
    }

    fn load_people(&self, index: usize) -> Result<(Image, People)> {
        Dataset::load_people(self, index)
    }

    fn name(&self, index: usize) -> String {
        self.samples.get(index).map_or_else(|| format!("#{index}"), |sample| sample.id.clone())
    }
}

/// How a [`BatchLoader`] works.
#[derive(Debug, Clone)]
pub struct LoaderOptions {
    /// Samples in a batch.
    pub batch: usize,
    /// Seed of order and augmentation.
    pub seed: u64,
    /// The network's input.
    pub preprocessing: Preprocessing,
    /// Augmentation; [`AugmentConfig::none`] for validation.
    pub augment: AugmentConfig,
    /// Worker threads; at least one runs.
    pub threads: usize,
    /// Finished batches kept waiting at most.
    pub queue: usize,
    /// Bytes of prepared samples kept in memory at most.
    pub cache_bytes: usize,
    /// Label of pixels that do not count.
    pub ignore: Option<u16>,
    /// Whether an epoch has its own order.
    pub shuffle: bool,
    /// Whether the last batch is filled up from the epoch's start (training), or short.
    pub full_batches: bool,
    /// Whether an unreadable sample is replaced by the next one of the epoch (left out when
    /// batches may be short) and recorded, or ends the epoch with an error.
    pub skip_bad: bool,
    /// Load segments and render the targets of this head from them.
    pub objects: Option<(Head, SegmentRules)>,
    /// Load people and render heat maps and part affinity fields of them.
    pub poses: Option<PoseRules>,
}

impl LoaderOptions {
    /// For training: shuffled full batches, `AugmentConfig::default`, two threads, 1 GiB cache.
    pub fn training(batch: usize, seed: u64, preprocessing: Preprocessing) -> Self {
        Self {
            batch,
            seed,
            preprocessing,
            augment: AugmentConfig::default(),
            threads: 2,
            queue: 4,
            cache_bytes: 1 << 30,
            ignore: None,
            shuffle: true,
            full_batches: true,
            skip_bad: false,
            objects: None,
            poses: None,
        }
    }

    /// For validation: every sample once, in order, without augmentation.
    pub fn validation(batch: usize, preprocessing: Preprocessing) -> Self {
        let augment = AugmentConfig::none();
        Self { augment, shuffle: false, full_batches: false, ..Self::training(batch, 0, preprocessing) }
    }
}

/// Samples rendered for the network.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// Normalised images, NCHW.
    pub images: Vec<f32>,
    /// Labels, NHW.
    pub labels: Vec<u16>,
    /// Targets of the head, N x target planes x HW (of people x cells); empty where classes are all.
    pub targets: Vec<f32>,
    /// The segments that each sample shows; empty without objects.
    pub segments: Vec<Panoptic>,
    /// The people whom each sample shows, in pixels of the sample; empty without people.
    pub people: Vec<Vec<Person>>,
    /// Samples in the batch.
    pub n: usize,
    /// Channels.
    pub c: usize,
    /// Rows.
    pub h: usize,
    /// Columns.
    pub w: usize,
    /// Index of each sample in its source.
    pub samples: Vec<usize>,
}

/// A sample that was skipped, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SkippedSample {
    /// Index in the source.
    pub sample: usize,
    /// Its name.
    pub name: String,
    /// What was wrong with it.
    pub message: String,
}

/// Produces batches on threads.
///
/// The batches of an epoch depend on (seed, epoch, indices) alone, never on the number of
/// threads, the cache, or where the epoch was entered.
#[derive(Clone)]
pub struct BatchLoader {
    inner: Arc<Inner>,
}

impl std::fmt::Debug for BatchLoader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BatchLoader").field("options", &self.inner.options).finish_non_exhaustive()
    }
}

pub(crate) struct Inner {
    source: Arc<dyn SampleSource>,
    options: LoaderOptions,
    augmenter: Augmenter,
    cache: Mutex<Cache<Arc<Prepared>>>,
    skipped: Mutex<BTreeMap<usize, SkippedSample>>,
}

impl BatchLoader {
    /// A loader over `source`.
    ///
    /// # Errors
    /// When an option is out of range.
    pub fn new(source: Arc<dyn SampleSource>, options: LoaderOptions) -> Result<Self> {
        if options.batch == 0 {
            return Err(Error::config("a batch of 0 samples").hint("use a batch of at least 1"));
        }
        let mut augmenter = Augmenter::new(options.preprocessing.clone(), options.augment.clone(), options.ignore)?;
        if let Some((head, rules)) = &options.objects {
            augmenter = augmenter.with_objects(*head, rules.clone());
        }
        if let Some(rules) = &options.poses {
            augmenter = augmenter.with_poses(rules.clone())?;
        }
        let cache = Mutex::new(Cache::new(options.cache_bytes));
        Ok(Self { inner: Arc::new(Inner { source, options, augmenter, cache, skipped: Mutex::default() }) })
    }

    /// Batches that an epoch over `samples` samples has.
    pub fn batches(&self, samples: usize) -> usize {
        batch_count(samples, self.inner.options.batch)
    }

    /// The batches of `epoch` over the samples `indices`. Dropping the iterator stops its threads.
    pub fn epoch(&self, epoch: u64, indices: &[usize]) -> Epoch {
        self.epoch_from(epoch, indices, 0)
    }

    /// As [`Self::epoch`], without its first `skip` batches: the rest of an interrupted epoch.
    pub fn epoch_from(&self, epoch: u64, indices: &[usize], skip: usize) -> Epoch {
        let options = &self.inner.options;
        let order = epoch_order(options.seed, epoch, indices, options.shuffle);
        Epoch::start(Arc::clone(&self.inner), epoch, order, skip)
    }

    /// Bytes of prepared samples now in memory.
    pub fn cached_bytes(&self) -> usize {
        lock(&self.inner.cache).bytes()
    }

    /// The samples skipped so far, by index.
    pub fn skipped(&self) -> Vec<SkippedSample> {
        lock(&self.inner.skipped).values().cloned().collect()
    }
}

impl Inner {
    /// Builds batch `index` of an epoch; `None` when it was cancelled or every sample of a short
    /// batch is bad.
    fn build(&self, epoch: u64, order: &[usize], index: usize, cancelled: &dyn Fn() -> bool) -> Result<Option<Batch>> {
        let options = &self.options;
        let (c, h, w) = self.augmenter.shape();
        let positions = batch_positions(order.len(), options.batch, index, options.full_batches);
        let (image_len, label_len) = (c * h * w, h * w);
        let mut images = vec![0.0; positions.len() * image_len];
        let mut labels = vec![0; positions.len() * label_len];
        let target_len = self.augmenter.target_len();
        let mut targets = vec![0.0; positions.len() * target_len];
        let (mut segments, mut people) = (Vec::new(), Vec::new());
        let mut samples = Vec::with_capacity(positions.len());
        for (position, copy) in positions {
            if cancelled() {
                return Ok(None);
            }
            let Some((sample, prepared)) = self.first_good(order, position)? else { continue };
            let slot = samples.len();
            // A sample that an epoch holds several times is seen in as many ways.
            let times = order.iter().filter(|&&other| other == sample).count();
            let earlier = order[..position].iter().filter(|&&other| other == sample).count();
            let key = Key { seed: options.seed, epoch, sample, copy: copy * times + earlier };
            let out = Rendering {
                planes: &mut images[slot * image_len..][..image_len],
                labels: &mut labels[slot * label_len..][..label_len],
                targets: &mut targets[slot * target_len..][..target_len],
            };
            samples.push(sample);
            if options.poses.is_some() {
                people.push(self.augmenter.render_people(&prepared, key, out)?);
                continue;
            }
            let donor = self.donor(order, key)?;
            let donor = donor.as_ref().map(|(prepared, key)| (prepared.as_ref(), *key));
            segments.extend(self.augmenter.render(&prepared, key, donor, out));
        }
        let n = samples.len();
        images.truncate(n * image_len);
        labels.truncate(n * label_len);
        targets.truncate(n * target_len);
        Ok((n > 0).then_some(Batch { images, labels, targets, segments, people, n, c, h, w, samples }))
    }

    /// The sample whose objects are pasted over that of `key`, when the dice say so.
    fn donor(&self, order: &[usize], key: Key) -> Result<Option<(Arc<Prepared>, Key)>> {
        let mut rng = key.rng(Purpose::CopyPaste);
        if self.options.objects.is_none() || !rng.chance(self.options.augment.copy_paste) {
            return Ok(None);
        }
        let found = self.first_good(order, rng.below(order.len()))?;
        // A window of its own, not the one in which the donor comes by itself.
        let copy = key.copy + order.len();
        Ok(found.map(|(sample, prepared)| (prepared, Key { sample, copy, ..key })))
    }

    /// The sample at `position` of the order, or what replaces it when it is bad.
    fn first_good(&self, order: &[usize], position: usize) -> Result<Option<(usize, Arc<Prepared>)>> {
        let mut last = None;
        for step in 0..order.len() {
            let sample = order[(position + step) % order.len()];
            match self.prepared(sample) {
                Ok(prepared) => return Ok(Some((sample, prepared))),
                Err(error) if self.options.skip_bad => last = Some(error),
                Err(error) => return Err(error),
            }
            if !self.options.full_batches {
                return Ok(None);
            }
        }
        match last {
            Some(error) => Err(Error::new(ErrorKind::Decode, "every sample is unreadable").because(error)),
            None => Ok(None),
        }
    }

    fn prepared(&self, sample: usize) -> Result<Arc<Prepared>> {
        if let Some(prepared) = lock(&self.cache).get(sample) {
            return Ok(prepared);
        }
        if let Some(skipped) = lock(&self.skipped).get(&sample) {
            return Err(Error::new(ErrorKind::Decode, skipped.message.clone()));
        }
        let load = || match &self.options.objects {
            None if self.options.poses.is_some() => {
                self.source.load_people(sample).and_then(|(image, people)| self.augmenter.prepare(image, people))
            }
            None => self.source.load(sample).and_then(|(image, labels)| self.augmenter.prepare(image, labels)),
            Some(_) => self.source.load_segments(sample).and_then(|(image, map)| self.augmenter.prepare(image, map)),
        };
        // A panic in a decoder must not leave the consumer waiting for its batch.
        let loaded = catch_unwind(AssertUnwindSafe(load))
            .unwrap_or_else(|_| Err(Error::new(ErrorKind::Decode, "the decoder failed without an explanation")));
        match loaded {
            Ok(prepared) => {
                let prepared = Arc::new(prepared);
                lock(&self.cache).insert(sample, Arc::clone(&prepared), prepared.byte_len());
                Ok(prepared)
            }
            Err(mut error) => {
                let name = self.source.name(sample);
                error.what = format!("sample {name:?}: {}", error.what);
                if self.options.skip_bad {
                    let skipped = SkippedSample { sample, name, message: error.to_string() };
                    lock(&self.skipped).insert(sample, skipped);
                }
                Err(error)
            }
        }
    }
}

/// Locks, also after a panic of another holder: the guarded values are valid at every step.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
