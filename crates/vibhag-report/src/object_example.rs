//! The images that a report on objects, on panoptic segments or on people shows.

use serde::{Deserialize, Serialize};
use vibhag_core::{ClassTable, Image, Panoptic, Person, Pose, Result, Skeleton};
use vibhag_metrics::{InstanceImageScore, KeypointImageScore, PanopticImageScore, match_objects, match_segments};

use crate::example::{PANEL_SIDE, Rank, encoded, remark};
use crate::instances::comparison_instances;
use crate::panoptic::comparison_panoptic;
use crate::picture::Picture;
use crate::poses::comparison_poses;

/// The IoU from which two objects match in the pictures, as in the images' scores.
const THRESHOLD: f64 = 0.5;

/// What the score of an example is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Measure {
    /// TP / (TP + FP + FN) of the objects, mean over the IoU thresholds 0.50 to 0.95.
    AP,
    /// Panoptic quality.
    PQ,
    /// Object keypoint similarity, mean over people.
    OKS,
}

impl Measure {
    /// What people call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::AP => "AP",
            Self::PQ => "PQ",
            Self::OKS => "OKS",
        }
    }
}

/// One image of the report: image, true and predicted objects or segments side by side.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ObjectExample {
    /// The image's identifier.
    pub image: String,
    /// Why it is shown.
    pub rank: Rank,
    /// What `score` is, which also says what the picture shows: objects or panoptic segments.
    pub measure: Measure,
    /// Its score.
    pub score: f64,
    /// TP / (TP + FP + FN) at IoU 0.50, for objects.
    #[serde(default)]
    pub ap50: Option<f64>,
    /// Objects, or segments, that were found.
    pub found: u64,
    /// Those that are there but were not found.
    pub missed: u64,
    /// Those that were found but are not there.
    pub false_found: u64,
    /// What else to say beside it.
    #[serde(default)]
    pub remark: Option<String>,
    /// Width of the picture in pixels.
    pub width: usize,
    /// Height of the picture in pixels.
    pub height: usize,
    /// The picture as JPEG in base64.
    pub jpeg_base64: String,
}

impl ObjectExample {
    /// Draws the comparison of the objects of `truth` and `prediction` (both of the image's size), with panels of at
    /// most [`PANEL_SIDE`] pixels a side.
    ///
    /// # Errors
    /// When sizes differ, the objects cannot be matched (see [`match_objects`]) or the picture cannot be encoded.
    pub fn of_instances(
        score: &InstanceImageScore,
        rank: Rank,
        image: &Image,
        truth: &Panoptic,
        prediction: &Panoptic,
        classes: &ClassTable,
    ) -> Result<Self> {
        let matching = match_objects(truth, prediction, classes, THRESHOLD)?;
        let picture = comparison_instances(image, truth, prediction, &matching, classes, Some(PANEL_SIDE))?;
        let InstanceImageScore { image, tp, fp, fn_, ap50, ap_mean, tags, .. } = score;
        Ok(Self {
            ap50: Some(*ap50),
            remark: remark(tags),
            ..Self::new(image, rank, Measure::AP, *ap_mean, [*tp, *fn_, *fp], &picture)?
        })
    }

    /// The same for all segments, things and stuff.
    ///
    /// # Errors
    /// When sizes differ, the segments cannot be matched (see [`match_segments`]) or the picture cannot be encoded.
    pub fn of_panoptic(
        score: &PanopticImageScore,
        rank: Rank,
        image: &Image,
        truth: &Panoptic,
        prediction: &Panoptic,
        classes: &ClassTable,
    ) -> Result<Self> {
        let matching = match_segments(truth, prediction, classes)?;
        let picture = comparison_panoptic(image, truth, prediction, &matching, classes, Some(PANEL_SIDE))?;
        let PanopticImageScore { image, pq, tp, fp, fn_, tags } = score;
        Ok(Self { remark: remark(tags), ..Self::new(image, rank, Measure::PQ, *pq, [*tp, *fn_, *fp], &picture)? })
    }

    /// The same for people's keypoints, true and predicted.
    ///
    /// # Errors
    /// When the people cannot be matched (see [`vibhag_metrics::match_people`]) or the picture cannot be encoded.
    pub fn of_people(
        score: &KeypointImageScore,
        rank: Rank,
        image: &Image,
        truth: &[Person],
        prediction: &[Pose],
        skeleton: &Skeleton,
    ) -> Result<Self> {
        let picture = comparison_poses(image, truth, prediction, skeleton, Some(PANEL_SIDE))?;
        let KeypointImageScore { image, oks, pck, tp, fp, fn_, tags, .. } = score;
        let right = pck.map(|pck| format!("{:.0}% of the keypoints within 0.2 of the person's length", 100.0 * pck));
        let remark = [right, remark(tags)].into_iter().flatten().collect::<Vec<_>>().join(", ");
        Ok(Self {
            remark: (!remark.is_empty()).then_some(remark),
            ..Self::new(image, rank, Measure::OKS, *oks, [*tp, *fn_, *fp], &picture)?
        })
    }

    fn new(
        image: &str,
        rank: Rank,
        measure: Measure,
        score: f64,
        [found, missed, false_found]: [u64; 3],
        picture: &Picture,
    ) -> Result<Self> {
        Ok(Self {
            image: image.to_owned(),
            rank,
            measure,
            score,
            ap50: None,
            found,
            missed,
            false_found,
            remark: None,
            width: picture.width(),
            height: picture.height(),
            jpeg_base64: encoded(picture)?,
        })
    }
}
