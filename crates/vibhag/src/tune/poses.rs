//! After training: which values of reading people from the maps find those of the validation images best.

use std::path::Path;

use vibhag_core::{AffinityDecoding, PoseReading, Result, Task};
use vibhag_data::dataset::Dataset;
use vibhag_imaging::pose::PoseReader;
use vibhag_nn::bundle::{self, Flips};
use vibhag_nn::device::DeviceChoice;
use vibhag_predict::{PoseModel, PoseOptions};

use super::IMAGES;
use crate::evaluate::people::as_truth;
use crate::progress::ItemBar;
use crate::scores::{Scores, ScoresBuilder};

/// Tries ways of reading people on the validation samples `indices` and writes the best into the bundle in `model`;
/// returns it, none where the model is of another task. The best one has the largest mean of average precision and share
/// of correct keypoints. Samples that cannot be read are left out; the evaluation names them.
///
/// # Errors
/// When the bundle cannot be loaded or written.
pub fn tune_poses(
    model: &Path,
    dataset: &Dataset,
    indices: &[usize],
    device: DeviceChoice,
    quiet: bool,
) -> Result<Option<PoseReading>> {
    let mut manifest = bundle::read_manifest(model)?;
    let Some(usual) = manifest.postprocessing.poses else { return Ok(None) };
    let options = PoseOptions { tta: Some(Flips::None), ..PoseOptions::default() };
    let found = PoseModel::load(model, device, options)?;
    let mut trials = Vec::new();
    for reading in candidates(usual) {
        let reader = PoseReader::new(found.skeleton(), reading)?;
        let builder = ScoresBuilder::new(Task::Pose, &dataset.classes, Some(found.skeleton()))?;
        trials.push((reading, reader, builder));
    }
    let step = indices.len().div_ceil(IMAGES).max(1);
    let chosen: Vec<usize> = indices.iter().copied().step_by(step).collect();
    let mut bar = ItemBar::new(chosen.len(), "tuning", quiet);
    for index in chosen {
        if let Ok((image, truth)) = dataset.load_people(index) {
            let maps = found.maps_of(&image)?;
            let sample = &dataset.samples[index];
            for (_, reader, builder) in &mut trials {
                let poses = as_truth(maps.read(reader)?, &truth);
                builder.add(&sample.id, &sample.tags, &truth.clone().into(), &poses)?;
            }
        }
        bar.next();
    }
    bar.finish();
    let mut best: Option<(f64, PoseReading)> = None;
    for (reading, _, builder) in trials {
        let Scores::Keypoints(scores) = builder.finish() else { continue };
        let score = f64::midpoint(scores.ap.unwrap_or(0.0), scores.pck.unwrap_or(0.0));
        // The usual values come first: others must be better, not as good.
        if best.is_none_or(|(most, _)| score > most + 1e-4) {
            best = Some((score, reading));
        }
    }
    let Some((_, reading)) = best else { return Ok(None) };
    manifest.postprocessing.poses = Some(reading);
    bundle::write_manifest(model, &manifest)?;
    Ok(Some(reading))
}

/// The usual values, then those around them.
fn candidates(usual: PoseReading) -> Vec<PoseReading> {
    let eager = AffinityDecoding::eager();
    let affinities = [
        eager,
        AffinityDecoding { min_keypoints: 3, min_score: 0.2, ..eager },
        AffinityDecoding { nms_threshold: 0.05, inter_min_above: 0.5, ..eager },
        AffinityDecoding::default(),
    ];
    let mut found = vec![usual];
    for fill in [0.005, 0.02, 0.05, 0.15] {
        found.extend(affinities.map(|affinity| PoseReading { single: false, fill, affinity, ..usual }));
        if usual.single {
            found.push(PoseReading { fill, ..usual });
        }
    }
    found
}
