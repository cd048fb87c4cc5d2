//! Assigns samples to training, validation and test: seeded, stratified, groups kept together.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};
use vibhag_core::{Purpose, Rng};

use crate::dataset::Dataset;
use crate::fingerprint::Fingerprint;

/// What a sample is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Split {
    /// The network learns from it.
    Train,
    /// It chooses the best epoch.
    Val,
    /// It is only looked at in the end.
    Test,
}

impl Split {
    /// The split that a folder called `name` holds, by the usual names.
    pub fn from_name(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "train" | "training" => Some(Self::Train),
            "val" | "valid" | "validation" | "dev" => Some(Self::Val),
            "test" | "testing" => Some(Self::Test),
            _ => None,
        }
    }
}

impl fmt::Display for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Train => "train",
            Self::Val => "val",
            Self::Test => "test",
        })
    }
}

/// How samples without a given split are divided.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SplitOptions {
    /// Names the random order.
    pub seed: u64,
    /// Share of validation samples.
    pub val_fraction: f32,
    /// Share of test samples.
    pub test_fraction: f32,
}

impl Default for SplitOptions {
    fn default() -> Self {
        Self { seed: 0, val_fraction: 0.2, test_fraction: 0.0 }
    }
}

/// A split for every sample, in the order of `dataset.samples`.
///
/// Splits given by the data set are kept; if it gives training samples but no validation,
/// validation is taken from them, and a test split is only made when nothing is given. Units are
/// groups, joined where files are identical, so that no copy of a training image is validated
/// on. Strata are the diagnosis and the rarest class present; within the shuffled strata units
/// are dealt out evenly, so that every share is met as closely as whole units allow.
pub fn assign(dataset: &Dataset, fingerprint: &Fingerprint, options: SplitOptions) -> Vec<Split> {
    let given: Vec<Option<Split>> = dataset.samples.iter().map(|sample| sample.split).collect();
    let is_given = |split| given.contains(&Some(split));
    let mut splits: Vec<Split> = given.iter().map(|split| split.unwrap_or(Split::Train)).collect();
    let free: Vec<usize> = (0..splits.len()).filter(|&index| splits[index] == Split::Train).collect();
    let nothing_given = given.iter().all(Option::is_none);
    let test = if nothing_given { options.test_fraction } else { 0.0 };
    let val = if is_given(Split::Val) { 0.0 } else { options.val_fraction };

    let mut units = ordered_units(dataset, fingerprint, &free, options.seed);
    for (split, fraction) in
        [(Split::Test, f64::from(test)), (Split::Val, f64::from(val) / (1.0 - f64::from(test)).max(1e-6))]
    {
        let chosen = deal(&units, fraction.clamp(0.0, 1.0));
        for (unit, _) in units.iter().zip(&chosen).filter(|(_, chosen)| **chosen) {
            for &index in unit {
                splits[index] = split;
            }
        }
        let mut kept = chosen.iter().map(|chosen| !chosen);
        units.retain(|_| kept.next().unwrap_or(true));
    }
    splits
}

/// The diagnoses in a unit and its rarest class.
type Stratum<'a> = (BTreeSet<&'a str>, Option<usize>);

/// Units (lists of samples) among `free`, stratum by stratum, shuffled within each.
fn ordered_units(dataset: &Dataset, fingerprint: &Fingerprint, free: &[usize], seed: u64) -> Vec<Vec<usize>> {
    let mut strata: BTreeMap<Stratum<'_>, Vec<Vec<usize>>> = BTreeMap::new();
    for unit in units(dataset, fingerprint, free) {
        let diagnoses =
            unit.iter().filter_map(|&i| dataset.samples[i].tags.get("diagnosis")).map(String::as_str).collect();
        let rarest = unit.iter().flat_map(|&i| fingerprint.classes_in(i)).filter(|&class| class > 0);
        let rarest =
            rarest.min_by_key(|&class| (fingerprint.images_with_class.get(class).copied().unwrap_or(0), class));
        strata.entry((diagnoses, rarest)).or_default().push(unit);
    }
    let shuffled = strata.into_values().enumerate().flat_map(|(stratum, mut units)| {
        Rng::new(seed, 0, stratum as u64, Purpose::Split).shuffle(&mut units);
        units
    });
    shuffled.collect()
}

/// The samples of `free` as units, in the order of their first sample.
fn units(dataset: &Dataset, fingerprint: &Fingerprint, free: &[usize]) -> Vec<Vec<usize>> {
    let mut root: Vec<usize> = (0..dataset.samples.len()).collect();
    let mut first_of: BTreeMap<(u8, &str), usize> = BTreeMap::new();
    for &index in free {
        let group = dataset.samples[index].group.as_deref().map(|group| (0, group));
        let content = fingerprint.samples.get(index).map(|record| (1, record.image_hash.as_str()));
        for key in group.into_iter().chain(content.filter(|(_, hash)| !hash.is_empty())) {
            let first = *first_of.entry(key).or_insert(index);
            let (a, b) = (find(&root, first), find(&root, index));
            root[a.max(b)] = a.min(b);
        }
    }
    let mut members: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for &index in free {
        members.entry(find(&root, index)).or_default().push(index);
    }
    members.into_values().collect()
}

fn find(root: &[usize], mut index: usize) -> usize {
    while root[index] != index {
        index = root[index];
    }
    index
}

/// Chooses units so that the chosen samples stay as close as possible to `fraction` of those
/// seen so far; at least one and not all, where there are two units.
fn deal(units: &[Vec<usize>], fraction: f64) -> Vec<bool> {
    let mut chosen = vec![false; units.len()];
    if fraction <= 0.0 {
        return chosen;
    }
    let mut owed = 0.0;
    for (unit, chosen) in units.iter().zip(&mut chosen) {
        let size = unit.len() as f64;
        owed += fraction * size;
        if owed >= 0.5 * size {
            *chosen = true;
            owed -= size;
        }
    }
    if units.len() >= 2 {
        if !chosen.contains(&true) {
            let smallest = (0..units.len()).min_by_key(|&unit| units[unit].len()).unwrap_or(0);
            chosen[smallest] = true;
        } else if !chosen.contains(&false) {
            chosen[0] = false;
        }
    }
    chosen
}
