//! What is learnt of people's keypoints, and how well they are found during training.

use std::collections::BTreeMap;

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};
use vibhag_core::{Error, Head, Result, Skeleton};
use vibhag_data::{Batch, PoseRules};
use vibhag_imaging::pose::{AffinityTargets, Grid, PoseDecoder, PoseReader};
use vibhag_metrics::{KeypointEvaluationBuilder, PckReference};
use vibhag_nn::bundle::{Flips, pose_maps};
use vibhag_nn::losses::PoseLoss;

use crate::optimizer::values;
use crate::plan::Plan;

/// The part of a plan that concerns people's keypoints.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PosePlan {
    /// Standard deviation of the heat around a keypoint, in pixels of the network's input.
    pub sigma: f64,
    /// How far a limb's field reaches to all sides of the line between its keypoints, likewise.
    pub limb_width: f64,
    /// Whether images are turned so that their people stand upright, in training and validation; prediction then looks at
    /// several turns.
    #[serde(default)]
    pub upright: bool,
    /// With `upright`, share of the views that are turned besides: where nobody stands upright nobody is to be found, so that
    /// prediction can tell the right turn from the others.
    #[serde(default)]
    pub fallen: f32,
    /// What wrong maps cost.
    pub loss: PoseLoss,
    /// Keypoints and limbs.
    pub skeleton: Skeleton,
}

impl PosePlan {
    /// How the loader makes targets of people.
    pub fn rules(&self) -> PoseRules {
        let targets = AffinityTargets { sigma: self.sigma, limb_width: self.limb_width, background: false };
        PoseRules {
            skeleton: self.skeleton.clone(),
            targets,
            stride: Head::Pose.stride(),
            upright: self.upright,
            fallen: self.fallen,
        }
    }
}

/// Checks that a plan for poses has what they need and nothing else.
///
/// # Errors
/// A configuration error naming the key.
pub(crate) fn validate(plan: &Plan) -> Result<()> {
    let (Some(pose), Some(reading)) = (&plan.pose, &plan.postprocessing.poses) else {
        return Err(Error::config("task pose needs the sections pose and postprocessing.poses")
            .hint("let `vibhag plan DATA --task pose` write the plan"));
    };
    if plan.network.head != Head::Pose || plan.objects.is_some() || plan.postprocessing.grouping.is_some() {
        return Err(Error::config(format!("task pose does not go with head {}", plan.network.head))
            .hint("use network.head = \"pose\", without objects and postprocessing.grouping"));
    }
    PoseReader::new(&pose.skeleton, *reading)?;
    if pose.upright && reading.turns < 4 {
        return Err(Error::config("a network that learns people upright alone finds no others in an unturned image")
            .at(format!("pose.upright = true, postprocessing.poses.turns = {}", reading.turns))
            .hint("set postprocessing.poses.turns = 8, or pose.upright = false"));
    }
    let (maps, given) = (pose_maps(&pose.skeleton), plan.network.out_channels);
    if given != maps {
        return Err(Error::config(format!(
            "network.out_channels is {given}, but {} keypoints and {} limbs need {maps}",
            pose.skeleton.len(),
            pose.skeleton.limbs.len()
        )));
    }
    for (key, value) in [("pose.sigma", pose.sigma), ("pose.limb_width", pose.limb_width)] {
        if !(value.is_finite() && value > 0.0) {
            return Err(Error::config(format!("{key} must be above zero")).at(value.to_string()));
        }
    }
    if !(0.0..=1.0).contains(&pose.fallen) {
        return Err(Error::config("pose.fallen is a share from 0 to 1").at(pose.fallen.to_string()));
    }
    if plan.augment.elastic_probability > 0.0 {
        return Err(
            Error::config("keypoints do not follow elastic deformations").hint("set augment.elastic_probability = 0")
        );
    }
    match plan.postprocessing.tta {
        Flips::None => {}
        Flips::Horizontal if pose.skeleton.mirrored_limbs().is_some() => {}
        other => {
            return Err(Error::config(format!("postprocessing.tta = {other:?} does not suit the skeleton"))
                .hint("use horizontal where every limb has a mirror image, else none"));
        }
    }
    plan.input.check_for_poses()?;
    pose.loss.validate()
}

/// Collects scores over validation batches.
#[derive(Debug)]
pub(crate) struct PoseJudge {
    reader: PoseReader,
    builder: KeypointEvaluationBuilder,
    windows: usize,
}

impl PoseJudge {
    /// A judge for the plan's skeleton; none for another task.
    pub(crate) fn new(plan: &Plan) -> Result<Option<Self>> {
        let (Some(pose), Some(reading)) = (&plan.pose, plan.postprocessing.poses) else { return Ok(None) };
        let reader = PoseReader::new(&pose.skeleton, reading)?;
        let builder = KeypointEvaluationBuilder::new(&pose.skeleton, PckReference::of(&pose.skeleton))?;
        Ok(Some(Self { reader, builder, windows: 0 }))
    }

    /// Compares the people in `output` [N, planes, h, w] with those of the batch.
    pub(crate) fn add(&mut self, output: Tensor<4>, batch: &Batch) -> Result<()> {
        let [n, planes, h, w] = output.dims();
        let output = values(output.reshape([n * planes * h * w]))?;
        let grid = Grid::covering(batch.w, batch.h, Head::Pose.stride());
        // Those of the last stage.
        let maps = self.reader.planes() * h * w;
        for (sample, truth) in output.chunks_exact(planes * h * w).zip(&batch.people) {
            let found = self.reader.decode(&sample[sample.len() - maps..], &grid)?;
            self.windows += 1;
            self.builder.add_image(&format!("window {}", self.windows), &BTreeMap::new(), truth, &found)?;
        }
        Ok(())
    }

    /// Mean over the true people of the object keypoint similarity to the pose taken for them.
    pub(crate) fn score(self) -> f64 {
        self.builder.finish().mean_oks.unwrap_or(0.0)
    }
}
