//! Poses of one skeleton in the terms of another.

use super::{Skeleton, canonical};
use crate::error::{Error, ErrorKind, Result};
use crate::pose::{Keypoint, Pose};

/// Joints that lie between two others, as OpenPose and MPII define them.
const BETWEEN: &[(&str, [&str; 2])] = &[
    ("neck", ["left_shoulder", "right_shoulder"]),
    ("thorax", ["left_shoulder", "right_shoulder"]),
    ("pelvis", ["left_hip", "right_hip"]),
];

/// Where a keypoint of the target comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    /// The same joint.
    Same(usize),
    /// The point between two joints.
    Between(usize, usize),
    /// Nothing tells where it is.
    Absent,
}

/// How poses of one skeleton become poses of another: by the names of the joints. A neck, a thorax or a pelvis that the
/// first one lacks lies between the shoulders or the hips; what nothing tells of is absent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conversion {
    keypoints: usize,
    sources: Vec<Source>,
    missing: Vec<String>,
}

impl Conversion {
    /// From poses of `from` to poses of `to`.
    ///
    /// # Errors
    /// When they have no joint in common.
    pub fn new(from: &Skeleton, to: &Skeleton) -> Result<Self> {
        let source = |name: &String| {
            let own = from.index(name).map(Source::Same);
            own.unwrap_or_else(|| {
                let joint = canonical(name);
                let between = BETWEEN.iter().find(|(middle, _)| *middle == joint);
                match between.map(|(_, [a, b])| (from.index(a), from.index(b))) {
                    Some((Some(a), Some(b))) => Source::Between(a, b),
                    _ => Source::Absent,
                }
            })
        };
        let sources: Vec<Source> = to.keypoints.iter().map(source).collect();
        if sources.iter().all(|source| *source == Source::Absent) {
            return Err(Error::new(
                ErrorKind::Unsupported,
                format!("skeletons {:?} and {:?} have no joint in common", from.name, to.name),
            )
            .hint("the names of the keypoints must say which joint they are, such as left_ankle"));
        }
        let lost = to.keypoints.iter().zip(&sources).filter(|(_, source)| **source == Source::Absent);
        let missing = lost.map(|(name, _)| name.clone()).collect();
        Ok(Self { keypoints: from.len(), sources, missing })
    }

    /// Keypoints of the target that no pose will have.
    pub fn missing(&self) -> &[String] {
        &self.missing
    }

    /// The pose in the terms of the target. A point between two joints is as sure and as visible as the less sure and the
    /// less visible of them, and absent where one of them is.
    ///
    /// # Errors
    /// When the pose has another number of keypoints than the skeleton.
    pub fn apply(&self, pose: &Pose) -> Result<Pose> {
        if pose.keypoints.len() != self.keypoints {
            return Err(Error::new(
                ErrorKind::SizeMismatch,
                format!("a pose of {} keypoints, not the skeleton's {}", pose.keypoints.len(), self.keypoints),
            ));
        }
        let keypoint = |source: &Source| match *source {
            Source::Same(index) => pose.keypoints[index],
            Source::Between(a, b) => between(pose.keypoints[a], pose.keypoints[b]),
            Source::Absent => Keypoint::ABSENT,
        };
        Ok(Pose { keypoints: self.sources.iter().map(keypoint).collect(), ..pose.clone() })
    }
}

fn between(a: Keypoint, b: Keypoint) -> Keypoint {
    if !(a.is_present() && b.is_present()) {
        return Keypoint::ABSENT;
    }
    Keypoint {
        x: f64::midpoint(a.x, b.x),
        y: f64::midpoint(a.y, b.y),
        score: a.score.min(b.score),
        visibility: a.visibility.min(b.visibility),
    }
}
