//! Evaluation of a model of people's keypoints.

use std::collections::BTreeMap;
use std::path::Path;

use vibhag_core::skeleton::canonical;
use vibhag_core::{Error, ErrorKind, Person, Pose, Result, Skeleton, Task};
use vibhag_data::dataset::Dataset;
use vibhag_data::{People, Truth};
use vibhag_nn::bundle::Flips;
use vibhag_nn::device::DeviceChoice;
use vibhag_predict::{PoseModel, PoseOptions};

use super::Judged;
use crate::progress::ItemBar;
use crate::scores::ScoresBuilder;

/// Evaluates the bundle in `model` on some samples of an open data set; everything is compared in the images' own pixels.
///
/// # Errors
/// When the model cannot be loaded or its skeleton is not the data's. A sample that fails is reported in
/// [`Judged::failed`].
pub(super) fn model_on(
    model: &Path,
    dataset: &Dataset,
    indices: &[usize],
    device: DeviceChoice,
    tta: Option<Flips>,
    quiet: bool,
) -> Result<Judged> {
    let model = PoseModel::load(model, device, PoseOptions { tta, ..PoseOptions::default() })?;
    let Some(poses) = dataset.poses() else {
        return Err(Error::new(ErrorKind::Unsupported, format!("{} has no people's keypoints", dataset.format))
            .at_path(&dataset.root));
    };
    check_same(model.skeleton(), poses.skeleton()).map_err(|error| error.at_path(&dataset.root))?;
    let mut bar = ItemBar::new(indices.len(), "evaluating", quiet);
    let mut builder = ScoresBuilder::new(Task::Pose, &dataset.classes, Some(poses.skeleton()))?;
    let (mut kept, mut index, mut failed) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
    for &i in indices {
        let sample = &dataset.samples[i];
        let judged = dataset.load_people(i).and_then(|(image, truth)| {
            let found = as_truth(model.poses_of(&image)?, &truth);
            builder.add(&sample.id, &sample.tags, &truth.into(), &found)?;
            Ok(found)
        });
        match judged {
            Ok(found) => {
                index.insert(sample.id.clone(), i);
                kept.insert(i, found);
            }
            Err(error) => failed.push((sample.id.clone(), error.to_string())),
        }
        bar.next();
    }
    bar.finish();
    let scores = builder.finish();
    let wanted = crate::report::shown(&scores);
    kept.retain(|i, _| wanted.iter().any(|name| index.get(*name) == Some(i)));
    Ok(Judged { scores, index, kept, table: None, failed })
}

/// Predicted poses on the image of `truth`.
pub(crate) fn as_truth(poses: Vec<Pose>, truth: &People) -> Truth {
    let people = poses.into_iter().map(|pose| Person { pose, ..Person::default() }).collect();
    People { width: truth.width, height: truth.height, people }.into()
}

/// Fails unless the keypoints have the same names in the same order; limbs may differ.
fn check_same(model: &Skeleton, data: &Skeleton) -> Result<()> {
    let names = |skeleton: &Skeleton| skeleton.keypoints.iter().map(|name| canonical(name)).collect::<Vec<_>>();
    if names(model) == names(data) {
        return Ok(());
    }
    Err(Error::config(format!(
        "the model finds the {} keypoints of {}, the data has the {} of {}",
        model.len(),
        model.name,
        data.len(),
        data.name
    ))
    .at(format!("{:?} against {:?}", model.keypoints, data.keypoints))
    .hint("evaluate on data with the skeleton that the model has learnt"))
}
