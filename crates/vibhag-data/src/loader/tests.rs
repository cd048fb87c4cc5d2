use std::sync::atomic::{AtomicUsize, Ordering};

use vibhag_core::Geometry;

use super::*;

/// Synthetic samples that count how often each was decoded.
struct Synthetic {
    count: usize,
    bad: Vec<usize>,
    loads: AtomicUsize,
}

impl Synthetic {
    fn new(count: usize, bad: &[usize]) -> Arc<Self> {
        Arc::new(Self { count, bad: bad.to_vec(), loads: AtomicUsize::new(0) })
    }
}

impl SampleSource for Synthetic {
    fn len(&self) -> usize {
        self.count
    }

    fn load(&self, index: usize) -> Result<(Image, LabelMap)> {
        self.loads.fetch_add(1, Ordering::Relaxed);
        assert!(index != 1000, "a decoder's panic");
        if self.bad.contains(&index) {
            return Err(Error::new(ErrorKind::Decode, "truncated").at_path(format!("images/{index}.jpg")));
        }
        let values = (0..40 * 30 * 3).map(|i| ((i * (index + 3)) % 256) as u8).collect();
        let labels = (0..40 * 30).map(|i| (i / 300) as u16).collect();
        Ok((Image::from_u8(40, 30, 3, values)?, LabelMap::new(40, 30, labels)?))
    }

    fn name(&self, index: usize) -> String {
        format!("case-{index}")
    }
}

fn options(batch: usize) -> LoaderOptions {
    let geometry = Geometry::Resize { height: 16, width: 24 };
    let shape =
        Preprocessing { stretch: None, scale: 1.0, channels: 3, mean: vec![127.0; 3], std: vec![50.0; 3], geometry };
    LoaderOptions { augment: AugmentConfig::medical(), ..LoaderOptions::training(batch, 9, shape) }
}

fn collect(options: &LoaderOptions, skip: usize) -> Vec<Batch> {
    let loader = BatchLoader::new(Synthetic::new(11, &[]), options.clone()).unwrap();
    let indices: Vec<usize> = (0..11).collect();
    loader.epoch_from(3, &indices, skip).map(Result::unwrap).collect()
}

#[test]
fn batches_do_not_depend_on_threads_queue_or_cache() {
    let reference = collect(&LoaderOptions { threads: 1, ..options(4) }, 0);
    assert_eq!(reference.len(), 3);
    assert!(
        reference.iter().all(|b| (b.n, b.c, b.h, b.w, b.images.len(), b.labels.len()) == (4, 3, 16, 24, 4608, 1536))
    );
    for (threads, queue, cache_bytes) in [(2, 1, 0), (4, 2, 20_000), (4, 9, 1 << 30), (0, 0, 5_000)] {
        assert_eq!(collect(&LoaderOptions { threads, queue, cache_bytes, ..options(4) }, 0), reference);
    }
}

#[test]
fn an_epoch_can_be_entered_at_any_batch() {
    let whole = collect(&options(2), 0);
    for skip in 0..=whole.len() + 1 {
        assert_eq!(collect(&options(2), skip), whole[skip.min(whole.len())..]);
    }
}

#[test]
fn every_sample_comes_and_training_batches_are_full() {
    let batches = collect(&options(4), 0);
    let samples: std::collections::BTreeSet<usize> = batches.iter().flat_map(|b| b.samples.clone()).collect();
    assert_eq!(samples.len(), 11);
    let loader = BatchLoader::new(Synthetic::new(2, &[]), options(5)).unwrap();
    let batch = loader.epoch(0, &[0, 1]).next().unwrap().unwrap();
    assert_eq!((batch.n, batch.samples[0], batch.samples[1]), (5, batch.samples[2], batch.samples[3]));
    let view = |slot: usize| &batch.images[slot * 1152..(slot + 1) * 1152];
    assert_ne!(view(0), view(2), "a repeated sample is another view");
}

#[test]
fn a_sample_that_comes_twice_is_seen_in_two_ways() {
    let loader = BatchLoader::new(Synthetic::new(2, &[]), LoaderOptions { shuffle: false, ..options(3) }).unwrap();
    let batch = loader.epoch(0, &[1, 1, 0]).next().unwrap().unwrap();
    assert_eq!(batch.samples, [1, 1, 0]);
    let view = |slot: usize| &batch.images[slot * 1152..(slot + 1) * 1152];
    assert_ne!(view(0), view(1));
}

#[test]
fn validation_gives_every_sample_once_in_order() {
    let shape = options(1).preprocessing;
    let loader = BatchLoader::new(Synthetic::new(7, &[]), LoaderOptions::validation(3, shape)).unwrap();
    let samples: Vec<_> = loader.epoch(0, &[6, 2, 4, 0]).map(|b| b.unwrap().samples).collect();
    assert_eq!(samples, [vec![6, 2, 4], vec![0]]);
    assert_eq!(loader.epoch(0, &[]).count(), 0);
}

#[test]
fn a_bad_sample_ends_the_epoch_with_its_name_and_path() {
    let loader = BatchLoader::new(Synthetic::new(6, &[4]), options(2)).unwrap();
    let results: Vec<_> = loader.epoch(0, &[0, 1, 2, 3, 4, 5]).collect();
    let error = results.last().unwrap().as_ref().unwrap_err();
    assert!(error.to_string().contains("case-4") && error.to_string().contains("images/4.jpg"), "{error}");
    assert_eq!(results.iter().filter(|r| r.is_err()).count(), 1);
}

#[test]
fn skip_bad_replaces_and_records() {
    let source = Synthetic::new(6, &[4, 5]);
    let loader = BatchLoader::new(source.clone(), LoaderOptions { skip_bad: true, ..options(2) }).unwrap();
    for epoch in 0..3 {
        let batches: Vec<_> = loader.epoch(epoch, &[0, 1, 2, 3, 4, 5]).map(Result::unwrap).collect();
        assert!(batches.len() == 3 && batches.iter().all(|b| b.n == 2 && b.samples.iter().all(|&s| s < 4)));
    }
    let skipped = loader.skipped();
    assert_eq!(skipped.iter().map(|s| s.name.as_str()).collect::<Vec<_>>(), ["case-4", "case-5"]);
    assert!(skipped[0].message.contains("images/4.jpg"));
    let shape = options(1).preprocessing;
    let validation = LoaderOptions { skip_bad: true, ..LoaderOptions::validation(2, shape) };
    let loader = BatchLoader::new(source, validation).unwrap();
    let samples: Vec<_> = loader.epoch(0, &[3, 4, 4, 5, 2]).map(|b| b.unwrap().samples).collect();
    assert_eq!(samples, [vec![3], vec![2]]);
}

#[test]
fn only_bad_samples_or_a_panicking_decoder_are_errors() {
    let skipping = LoaderOptions { skip_bad: true, ..options(2) };
    let loader = BatchLoader::new(Synthetic::new(2, &[0, 1]), skipping).unwrap();
    assert!(loader.epoch(0, &[0, 1]).next().unwrap().is_err());
    let loader = BatchLoader::new(Synthetic::new(2000, &[]), options(2)).unwrap();
    let error = loader.epoch(0, &[1000]).next().unwrap().unwrap_err();
    assert!(error.to_string().contains("case-1000"));
}

#[test]
fn the_cache_is_bounded_and_spares_decoding() {
    let indices: Vec<usize> = (0..10).collect();
    let source = Synthetic::new(10, &[]);
    let loader = BatchLoader::new(source.clone(), LoaderOptions { full_batches: false, ..options(4) }).unwrap();
    for epoch in 0..3 {
        assert_eq!(loader.epoch(epoch, &indices).count(), 3);
    }
    assert_eq!(source.loads.load(Ordering::Relaxed), 10, "each sample was decoded once");
    let each = loader.cached_bytes() / 10;
    let limited = LoaderOptions { cache_bytes: 3 * each + 1, ..options(4) };
    let loader = BatchLoader::new(source, limited).unwrap();
    for batch in loader.epoch(0, &indices) {
        batch.unwrap();
        assert!(loader.cached_bytes() <= 3 * each);
    }
}

#[test]
fn dropping_an_epoch_stops_its_threads() {
    let source = Synthetic::new(500, &[]);
    let loader = BatchLoader::new(source.clone(), LoaderOptions { cache_bytes: 0, ..options(2) }).unwrap();
    let indices: Vec<usize> = (0..500).collect();
    let mut epoch = loader.epoch(0, &indices);
    epoch.next().unwrap().unwrap();
    drop(epoch);
    let loads = source.loads.load(Ordering::Relaxed);
    assert!(loads <= 2 * 9, "{loads} samples decoded for a queue of four batches");
    std::thread::sleep(std::time::Duration::from_millis(50));
    assert_eq!(source.loads.load(Ordering::Relaxed), loads);
}

#[test]
fn an_empty_batch_is_refused() {
    assert!(BatchLoader::new(Synthetic::new(1, &[]), options(0)).is_err());
}
