//! Splits are seeded, stratified, and keep groups and copies together.

use std::collections::BTreeMap;
use std::path::PathBuf;

use vibhag_data::split::assign;
use vibhag_data::{Dataset, Fingerprint, Split, SplitOptions, fingerprint};

use crate::files::{image_path, open_default, pairs, photo, save};

/// A data set of `count` samples on which the split alone works, without files.
fn dataset(
    count: usize,
    describe: impl Fn(usize) -> (Option<String>, Option<&'static str>, Option<Split>),
) -> (Dataset, Fingerprint) {
    let root = pairs(1);
    let mut dataset = open_default(root.path());
    let template = dataset.samples[0].clone();
    dataset.samples = (0..count)
        .map(|index| {
            let (group, diagnosis, split) = describe(index);
            let tags: BTreeMap<String, String> =
                diagnosis.into_iter().map(|value| ("diagnosis".to_owned(), value.to_owned())).collect();
            let image = PathBuf::from(format!("{index}.png"));
            vibhag_data::Sample { id: format!("{index:03}"), image, group, tags, split, ..template.clone() }
        })
        .collect();
    let records = dataset.samples.iter().map(|sample| fingerprint::SampleRecord {
        id: sample.id.clone(),
        image_hash: sample.id.clone(),
        class_pixels: vec![10, 10],
        ..fingerprint::SampleRecord::default()
    });
    let fingerprint =
        Fingerprint { samples: records.collect(), images_with_class: vec![count, count], ..Fingerprint::default() };
    (dataset, fingerprint)
}

fn count(splits: &[Split], split: Split) -> usize {
    splits.iter().filter(|&&found| found == split).count()
}

#[test]
fn shares_are_met_in_every_stratum_and_the_seed_decides() {
    let diagnosis = |index: usize| if index.is_multiple_of(5) { "melanoma" } else { "nevus" };
    let (dataset, fingerprint) = dataset(100, |index| (None, Some(diagnosis(index)), None));
    let options = SplitOptions { seed: 3, val_fraction: 0.2, test_fraction: 0.1 };
    let splits = assign(&dataset, &fingerprint, options);
    assert_eq!((count(&splits, Split::Val), count(&splits, Split::Test)), (20, 10));
    let melanomas: Vec<Split> = (0..100).filter(|i| diagnosis(*i) == "melanoma").map(|i| splits[i]).collect();
    assert_eq!((count(&melanomas, Split::Val), count(&melanomas, Split::Test)), (4, 2));
    assert_eq!(splits, assign(&dataset, &fingerprint, options));
    assert_ne!(splits, assign(&dataset, &fingerprint, SplitOptions { seed: 4, ..options }));
    let default = assign(&dataset, &fingerprint, SplitOptions::default());
    assert_eq!((count(&default, Split::Val), count(&default, Split::Test)), (20, 0));
}

#[test]
fn groups_never_straddle() {
    let (dataset, fingerprint) = dataset(90, |index| (Some(format!("patient {}", index % 13)), None, None));
    for seed in 0..20 {
        let splits = assign(&dataset, &fingerprint, SplitOptions { seed, val_fraction: 0.2, test_fraction: 0.2 });
        let mut of_group: BTreeMap<&str, Split> = BTreeMap::new();
        for (sample, split) in dataset.samples.iter().zip(&splits) {
            let first = *of_group.entry(sample.group.as_deref().unwrap()).or_insert(*split);
            assert_eq!(first, *split, "seed {seed}, {:?}", sample.group);
        }
        assert!(count(&splits, Split::Val).abs_diff(18) <= 7 && count(&splits, Split::Test).abs_diff(18) <= 7);
    }
}

#[test]
fn given_splits_are_kept() {
    let given = |index: usize| if index < 30 { Split::Train } else { Split::Val };
    let (dataset, fingerprint) = dataset(40, |index| (None, None, Some(given(index))));
    let splits = assign(&dataset, &fingerprint, SplitOptions { test_fraction: 0.3, ..SplitOptions::default() });
    assert!(splits.iter().enumerate().all(|(index, split)| *split == given(index)));
}

#[test]
fn validation_is_taken_from_training_when_only_train_and_test_are_given() {
    let (dataset, fingerprint) =
        dataset(50, |index| (None, None, Some(if index < 40 { Split::Train } else { Split::Test })));
    let splits = assign(&dataset, &fingerprint, SplitOptions::default());
    assert_eq!((count(&splits, Split::Train), count(&splits, Split::Val), count(&splits, Split::Test)), (32, 8, 10));
    assert_eq!(count(&splits[40..], Split::Test), 10);
}

#[test]
fn copies_of_a_file_stay_on_one_side() {
    let root = pairs(8);
    save(&image_path(root.path(), "h.png"), photo(16, 12, 0));
    let dataset = open_default(root.path());
    let fingerprint = fingerprint::scan(&dataset, &|_, _| {});
    for seed in 0..10 {
        let splits = assign(&dataset, &fingerprint, SplitOptions { seed, val_fraction: 0.4, test_fraction: 0.0 });
        assert_eq!(splits[0], splits[7], "seed {seed}");
    }
}

#[test]
fn two_samples_give_one_of_each_and_one_sample_trains() {
    for (samples, val) in [(2, 1), (1, 0)] {
        let (dataset, fingerprint) = dataset(samples, |_| (None, None, None));
        assert_eq!(count(&assign(&dataset, &fingerprint, SplitOptions::default()), Split::Val), val);
    }
    assert_eq!(Split::from_name("Validation"), Some(Split::Val));
}
