//! After training: which values of the post-processing find the objects of the validation images best.

mod poses;

use std::collections::BTreeMap;
use std::path::Path;

use vibhag_core::{Grouping, Head, Result};
use vibhag_data::Truth;
use vibhag_data::dataset::Dataset;
use vibhag_nn::bundle::{self, Flips};
use vibhag_nn::device::DeviceChoice;
use vibhag_predict::{PredictOptions, Predictor};

use crate::evaluate;
use crate::progress::ItemBar;
use crate::scores::{Scores, ScoresBuilder};

pub use poses::tune_poses;

/// Images that are looked at: more would change little.
const IMAGES: usize = 64;
/// Candidates of a star head from this probability on are tried.
const LEAST_OBJECTNESS: f32 = 0.2;

/// Tries the values around the head's usual ones on the validation samples `indices` and writes the best into the
/// bundle in `model`; returns them, none where classes are all. Mirrored copies, which move no object, are left out for
/// time. Samples that cannot be read are left out; the evaluation names them.
///
/// # Errors
/// When the bundle cannot be loaded or written.
pub fn tune(
    model: &Path,
    dataset: &Dataset,
    indices: &[usize],
    device: DeviceChoice,
    quiet: bool,
) -> Result<Option<Grouping>> {
    let mut manifest = bundle::read_manifest(model)?;
    let Some(usual) = manifest.postprocessing.grouping else { return Ok(None) };
    let predictor =
        Predictor::load(model, device, PredictOptions { tta: Some(Flips::None), ..PredictOptions::default() })?;
    let mut trials: Vec<Trial> = candidates(manifest.network.head, usual)
        .into_iter()
        .map(|grouping| Ok(Trial { grouping, builder: ScoresBuilder::new(manifest.task, &dataset.classes, None)? }))
        .collect::<Result<_>>()?;
    let step = indices.len().div_ceil(IMAGES).max(1);
    let chosen: Vec<usize> = indices.iter().copied().step_by(step).collect();
    let mut bar = ItemBar::new(chosen.len(), "tuning", quiet);
    for index in chosen {
        if let Ok((image, truth)) = evaluate::load(dataset, index, manifest.task) {
            let maps = predictor.object_maps(&image, LEAST_OBJECTNESS)?;
            for trial in &mut trials {
                let found = maps.read(manifest.task, &trial.grouping)?;
                trial.builder.add(&dataset.samples[index].id, &BTreeMap::new(), &truth, &Truth::from(found))?;
            }
        }
        bar.next();
    }
    bar.finish();
    let mut best: Option<(f64, Grouping)> = None;
    for trial in trials {
        let score = match trial.builder.finish() {
            Scores::Instances(found) => found.ap_dsb_mean,
            Scores::Panoptic(found) => found.pq,
            Scores::Semantic(_) | Scores::Keypoints(_) => 0.0,
        };
        // The usual values come first: others must be better, not as good.
        if best.is_none_or(|(most, _)| score > most + 1e-4) {
            best = Some((score, trial.grouping));
        }
    }
    let Some((_, grouping)) = best else { return Ok(None) };
    manifest.postprocessing.grouping = Some(grouping);
    bundle::write_manifest(model, &manifest)?;
    Ok(Some(grouping))
}

struct Trial {
    grouping: Grouping,
    builder: ScoresBuilder,
}

/// The usual values, then those around them.
fn candidates(head: Head, usual: Grouping) -> Vec<Grouping> {
    let mut found = vec![usual];
    match head {
        Head::Semantic | Head::Pose => {}
        Head::Center => {
            for objectness in [0.05, 0.1, 0.2, 0.3] {
                for foreground in [0.4, 0.5, 0.6] {
                    for peak_window in [5, 7, 13] {
                        found.push(Grouping { objectness, foreground, peak_window, ..usual });
                    }
                }
            }
        }
        Head::Star => {
            for objectness in [0.3, 0.4, 0.5, 0.6, 0.7] {
                for overlap in [0.2, 0.3, 0.4, 0.5] {
                    found.push(Grouping { objectness, overlap, ..usual });
                }
            }
        }
        Head::Flow => {
            for foreground in [0.3, 0.4, 0.5, 0.6, 0.7] {
                for flow_error in [0.0, 0.4, 0.8] {
                    // Specks of a few pixels are seldom objects, but some subjects are as small.
                    for least in [2, 3, 4] {
                        let min_area = usual.min_area * least / 2;
                        found.push(Grouping { foreground, flow_error, min_area, ..usual });
                    }
                }
            }
        }
    }
    found
}
