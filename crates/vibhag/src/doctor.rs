//! `vibhag doctor`: what is in a data set, and what is wrong with it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Serialize;
use vibhag_core::{Foreground, Result, Task};
use vibhag_data::fault::Fault;
use vibhag_data::fingerprint::{ObjectSummary, PeopleSummary};
use vibhag_data::poses::POSE_FORMATS;
use vibhag_train::Goal;

use crate::run::{self, Examined};

/// One class in the data.
#[derive(Debug, Clone, Serialize)]
pub struct ClassRow {
    /// Its name.
    pub name: String,
    /// Share of all valid pixels.
    pub share: f64,
    /// Images that contain it.
    pub images: usize,
}

/// The findings.
#[derive(Debug, Clone, Serialize)]
pub struct Diagnosis {
    /// The folder.
    pub path: PathBuf,
    /// The recognised format.
    pub format: String,
    /// How mask values become labels.
    pub masks: String,
    /// Samples that can be used.
    pub usable: usize,
    /// Samples in all.
    pub samples: usize,
    /// Samples by declared split.
    pub splits: BTreeMap<String, usize>,
    /// Samples by diagnosis, where known.
    pub diagnoses: BTreeMap<String, usize>,
    /// Image sizes (`WxH`) with their counts, most frequent first.
    pub sizes: Vec<(String, usize)>,
    /// Channels of the images.
    pub channels: usize,
    /// The classes.
    pub classes: Vec<ClassRow>,
    /// Its objects, where they are told apart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub objects: Option<ObjectSummary>,
    /// Its people, where their keypoints are annotated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub people: Option<PeopleSummary>,
    /// Groups of images with identical content.
    pub duplicates: Vec<Vec<String>>,
    /// What the reader noticed.
    pub notes: Vec<String>,
    /// What is wrong, and what to do.
    pub faults: Vec<Fault>,
}

/// Looks at every file of `data` once.
///
/// # Errors
/// When the folder cannot be read or no format recognises it; faults of single files are findings.
pub fn doctor(data: &Path, format: Option<&str>, task: Task, quiet: bool) -> Result<Diagnosis> {
    doctor_for(data, format, Goal { task, preset: None }, None, quiet)
}

/// As [`doctor`], read as `goal` needs it, with the mask values of `foreground` merged into one class.
///
/// # Errors
/// As [`doctor`].
pub fn doctor_for(
    data: &Path,
    format: Option<&str>,
    goal: Goal,
    foreground: Option<Foreground>,
    quiet: bool,
) -> Result<Diagnosis> {
    // The name of a format of keypoints says what the data is wanted for.
    let is_of_poses = format.is_some_and(|name| POSE_FORMATS.iter().any(|format| format.name == name));
    let task = if is_of_poses { Task::Pose } else { goal.task };
    let options = run::open_options(format, task, goal.preset, foreground);
    let mut found = diagnose(&run::examine_with(data, &options, quiet)?);
    if found.people.is_none() && POSE_FORMATS.iter().any(|format| (format.detect)(data)) {
        found.notes.push("people's keypoints are annotated too: --task pose looks at those".to_owned());
    }
    Ok(found)
}

/// The findings of an examined data set.
pub fn diagnose(examined: &Examined) -> Diagnosis {
    let Examined { dataset, fingerprint, faults } = examined;
    let count = |keys: &mut dyn Iterator<Item = String>| {
        let mut counts = BTreeMap::new();
        keys.for_each(|key| *counts.entry(key).or_insert(0) += 1);
        counts
    };
    let sizes =
        count(&mut fingerprint.samples.iter().filter(|s| s.width > 0).map(|s| format!("{}x{}", s.width, s.height)));
    let mut sizes: Vec<(String, usize)> = sizes.into_iter().collect();
    sizes.sort_by_key(|(size, n)| (std::cmp::Reverse(*n), size.clone()));
    let all = fingerprint.class_pixels.iter().sum::<u64>().max(1) as f64;
    let pixels_and_images = fingerprint.class_pixels.iter().zip(&fingerprint.images_with_class);
    let classes = dataset
        .classes
        .classes
        .iter()
        .zip(pixels_and_images)
        .map(|(class, (&pixels, &images))| ClassRow { name: class.name.clone(), share: pixels as f64 / all, images })
        .collect();
    Diagnosis {
        path: dataset.root.clone(),
        format: dataset.format.clone(),
        masks: dataset.coding.to_string(),
        usable: fingerprint.usable,
        samples: dataset.samples.len(),
        splits: count(&mut dataset.samples.iter().filter_map(|s| s.split).map(|s| s.to_string())),
        diagnoses: count(&mut dataset.samples.iter().filter_map(|s| s.tags.get("diagnosis").cloned())),
        sizes,
        channels: fingerprint.channels,
        classes,
        objects: fingerprint.objects.clone(),
        people: fingerprint.people.clone(),
        duplicates: fingerprint.duplicates.clone(),
        notes: dataset.notes.clone(),
        faults: faults.clone(),
    }
}
