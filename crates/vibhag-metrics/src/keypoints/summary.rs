//! The figures of an evaluation of keypoints from what was kept of its images.

use super::builder::{KeypointEvaluationBuilder, ScoredImage};
use super::conventions::{conventions, notes};
use super::evaluation::{JointScore, KeypointEvaluation};
use super::matching::{Found, VIEWS};
use super::pck::{JointCounts, PCK_ALPHAS, USUAL};
use crate::bootstrap_pooled::bootstrap_pooled;
use crate::functions::mean;
use crate::instances::coco::{ClassAverages, average};

pub(super) const RESAMPLES: usize = 1000;
/// Places of the similarities 0.50 and 0.75 among the thresholds.
const AT_50: usize = 0;
const AT_75: usize = 5;

/// The evaluation of images in the order of their names.
pub(super) fn summarize(builder: &KeypointEvaluationBuilder) -> KeypointEvaluation {
    let images = &builder.images;
    let mut found: Vec<Found> = images.iter().flat_map(|image| image.found.iter().copied()).collect();
    // Stable: equal scores stay in the order of the images.
    found.sort_by(|a, b| b.score.total_cmp(&a.score));
    let views: [Option<ClassAverages>; VIEWS.len()] = std::array::from_fn(|view| {
        let truths = images.iter().map(|image| image.truths[view]).sum();
        average(found.iter().map(|found| found.outcomes[view]), truths)
    });
    let [all, medium, large] = &views;
    let precision = |averages: &Option<ClassAverages>| averages.as_ref().map(|a| mean(a.precision));
    let recall = |averages: &Option<ClassAverages>| averages.as_ref().map(|a| mean(a.recall));
    let joints = joints(builder.skeleton.len(), images.iter());
    let people: u64 = images.iter().map(|image| image.score.people_truth).sum();
    let similarity: f64 = images.iter().map(|image| image.similarity).sum();
    let mut per_image: Vec<_> = images.iter().map(|image| image.score.clone()).collect();
    per_image.sort_by(|a, b| a.oks.total_cmp(&b.oks));
    KeypointEvaluation {
        skeleton: builder.skeleton.name.clone(),
        images: images.len(),
        people_truth: people,
        people_predicted: images.iter().map(|image| image.score.people_predicted).sum(),
        ap: precision(all),
        ap50: all.as_ref().map(|averages| averages.precision[AT_50]),
        ap75: all.as_ref().map(|averages| averages.precision[AT_75]),
        ap_medium: precision(medium),
        ap_large: precision(large),
        ar: recall(all),
        ar50: all.as_ref().map(|averages| averages.recall[AT_50]),
        ar75: all.as_ref().map(|averages| averages.recall[AT_75]),
        ar_medium: recall(medium),
        ar_large: recall(large),
        pck: pck(&joints, USUAL),
        pck_ci95: pck(&joints, USUAL).and_then(|_| {
            bootstrap_pooled(images.len(), RESAMPLES, 0.95, 0, |drawn| {
                let of_drawn = self::joints(builder.skeleton.len(), drawn.iter().map(|&image| &images[image]));
                pck(&of_drawn, USUAL).unwrap_or(0.0)
            })
        }),
        pck_by_alpha: PCK_ALPHAS
            .iter()
            .enumerate()
            .filter_map(|(at, alpha)| Some((format!("{alpha:.2}"), pck(&joints, at)?)))
            .collect(),
        pck_reference: builder.reference,
        mean_oks: (people > 0).then(|| similarity / people as f64),
        joints: builder.skeleton.keypoints.iter().zip(&joints).map(|(name, joint)| joint_score(name, joint)).collect(),
        per_image,
        conventions: conventions(builder),
        notes: notes(builder),
    }
}

/// Counts of each keypoint over images.
fn joints<'a>(keypoints: usize, images: impl Iterator<Item = &'a ScoredImage>) -> Vec<JointCounts> {
    let mut joints = vec![JointCounts::default(); keypoints];
    for image in images {
        for (sum, joint) in joints.iter_mut().zip(&image.joints) {
            *sum += *joint;
        }
    }
    joints
}

/// Share of the labelled keypoints that are correct at the share `at` of the reference length; `None` without any.
fn pck(joints: &[JointCounts], at: usize) -> Option<f64> {
    let labelled: u64 = joints.iter().map(|joint| joint.labelled).sum();
    let correct: u64 = joints.iter().map(|joint| joint.correct[at]).sum();
    (labelled > 0).then(|| correct as f64 / labelled as f64)
}

fn joint_score(name: &str, joint: &JointCounts) -> JointScore {
    JointScore {
        name: name.to_owned(),
        labelled: joint.labelled,
        found: joint.found,
        pck: pck(&[*joint], USUAL),
        mean_error: (joint.found > 0).then(|| joint.error / joint.found as f64),
    }
}
