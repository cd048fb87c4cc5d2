//! The percentage of correct keypoints (Yang and Ramanan, TPAMI 2013): those within a share of a length of the person.

use serde::{Deserialize, Serialize};
use vibhag_core::{Error, Person, Pose, Result, Skeleton};

/// The shares of the reference length at which keypoints are counted.
pub const PCK_ALPHAS: [f64; 4] = [0.05, 0.1, 0.2, 0.5];

/// The usual one of [`PCK_ALPHAS`].
pub const PCK_ALPHA: f64 = 0.2;

/// The place of [`PCK_ALPHA`] among [`PCK_ALPHAS`].
pub(super) const USUAL: usize = 2;

/// The length of a person to which errors are compared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PckReference {
    /// From a shoulder to the hip of the other side: the mean of both diagonals, or the one that is labelled.
    #[default]
    Torso,
    /// From the upper neck (or the neck) to the top of the head (PCKh).
    Head,
    /// The longer side of the person's box.
    Box,
}

impl PckReference {
    /// The names, in the order of the variants.
    pub const NAMES: [&'static str; 3] = ["torso", "head", "box"];

    /// The name that users type.
    pub fn name(self) -> &'static str {
        Self::NAMES[self as usize]
    }

    /// What a skeleton allows: the torso, or the box where it has none.
    pub fn of(skeleton: &Skeleton) -> Self {
        if Self::Torso.lines(skeleton).is_empty() { Self::Box } else { Self::Torso }
    }

    /// The keypoints between which the length is measured.
    fn lines(self, skeleton: &Skeleton) -> Vec<[usize; 2]> {
        let names: &[[&str; 2]] = match self {
            Self::Torso => &[["left_shoulder", "right_hip"], ["right_shoulder", "left_hip"]],
            Self::Head if skeleton.index("upper_neck").is_some() => &[["upper_neck", "head_top"]],
            Self::Head => &[["neck", "head_top"]],
            Self::Box => &[],
        };
        names.iter().filter_map(|[a, b]| Some([skeleton.index(a)?, skeleton.index(b)?])).collect()
    }

    /// Checks that the length can be measured on the skeleton.
    ///
    /// # Errors
    /// When it lacks the joints.
    pub fn check(self, skeleton: &Skeleton) -> Result<()> {
        if self != Self::Box && self.lines(skeleton).is_empty() {
            return Err(Error::config(format!(
                "skeleton {:?} has no {} by which to measure errors",
                skeleton.name,
                self.name()
            ))
            .hint("measure by the box, or by the torso or the head where the skeleton has them"));
        }
        Ok(())
    }
}

impl std::str::FromStr for PckReference {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        [Self::Torso, Self::Head, Self::Box].into_iter().find(|reference| reference.name() == name).ok_or_else(|| {
            Error::config(format!("unknown reference of the PCK {name:?}"))
                .hint(format!("use one of {}", Self::NAMES.join(", ")))
        })
    }
}

/// The length of a true person, in pixels; `None` where the joints that it lies between are not labelled, or coincide.
pub fn reference_length(reference: PckReference, skeleton: &Skeleton, person: &Person) -> Option<f64> {
    let length = if reference == PckReference::Box {
        person.bounds[2].max(person.bounds[3])
    } else {
        let known = |keypoint: usize| person.pose.keypoints.get(keypoint).filter(|keypoint| keypoint.is_present());
        let lengths: Vec<f64> = reference
            .lines(skeleton)
            .into_iter()
            .filter_map(|[a, b]| Some((known(a)?, known(b)?)))
            .map(|(a, b)| (a.x - b.x).hypot(a.y - b.y))
            .collect();
        lengths.iter().sum::<f64>() / lengths.len() as f64
    };
    (length.is_finite() && length > 0.0).then_some(length)
}

/// Counts of one joint.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct JointCounts {
    /// Labelled on people who have the reference length.
    pub(super) labelled: u64,
    /// Of these, found at all.
    pub(super) found: u64,
    /// Of these, found within each share of [`PCK_ALPHAS`].
    pub(super) correct: [u64; PCK_ALPHAS.len()],
    /// Sum of the errors of the found ones, in reference lengths.
    pub(super) error: f64,
}

impl std::ops::AddAssign for JointCounts {
    fn add_assign(&mut self, other: Self) {
        self.labelled += other.labelled;
        self.found += other.found;
        self.error += other.error;
        for (own, other) in self.correct.iter_mut().zip(other.correct) {
            *own += other;
        }
    }
}

/// Counts a person of the given length whom `found` is taken for, if anybody is.
pub(super) fn count(counts: &mut [JointCounts], person: &Person, found: Option<&Pose>, length: f64) {
    for (index, (truth, counts)) in person.pose.keypoints.iter().zip(counts).enumerate() {
        if !truth.is_present() {
            continue;
        }
        counts.labelled += 1;
        let place = found.and_then(|pose| pose.keypoints.get(index)).filter(|keypoint| keypoint.is_present());
        if let Some(place) = place {
            let error = (place.x - truth.x).hypot(place.y - truth.y) / length;
            counts.found += 1;
            counts.error += error;
            for (correct, alpha) in counts.correct.iter_mut().zip(PCK_ALPHAS) {
                *correct += u64::from(error <= alpha);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vibhag_core::Keypoint;

    fn person(skeleton: &Skeleton, places: &[(&str, f64, f64)]) -> Person {
        let mut keypoints = vec![Keypoint::ABSENT; skeleton.len()];
        for &(name, x, y) in places {
            keypoints[skeleton.index(name).unwrap()] = Keypoint::found(x, y, 1.0);
        }
        let pose = Pose { keypoints, score: 1.0, id: None };
        Person { pose, area: 1.0, bounds: [0.0, 0.0, 30.0, 70.0], crowd: false }
    }

    #[test]
    fn lengths_are_those_of_the_labelled_joints() {
        let lsp = Skeleton::named("lsp-14").unwrap();
        let places = [
            ("left_shoulder", 0.0, 0.0),
            ("right_hip", 30.0, 40.0),
            ("right_shoulder", 0.0, 0.0),
            ("left_hip", 0.0, 70.0),
        ];
        let whole = person(&lsp, &places);
        assert_eq!(reference_length(PckReference::Torso, &lsp, &whole), Some(60.0));
        assert_eq!(reference_length(PckReference::Torso, &lsp, &person(&lsp, &places[..3])), Some(50.0));
        assert_eq!(reference_length(PckReference::Torso, &lsp, &person(&lsp, &places[1..3])), None);
        assert_eq!(reference_length(PckReference::Box, &lsp, &whole), Some(70.0));
        let head = [("neck", 1.0, 20.0), ("head_top", 1.0, 5.0)];
        assert_eq!(reference_length(PckReference::Head, &lsp, &person(&lsp, &head)), Some(15.0));
        let mpii = Skeleton::named("mpii-16").unwrap();
        let head = [("thorax", 1.0, 40.0), ("upper_neck", 1.0, 20.0), ("head_top", 1.0, 5.0)];
        assert_eq!(reference_length(PckReference::Head, &mpii, &person(&mpii, &head)), Some(15.0));
        let point = [("left_shoulder", 4.0, 4.0), ("right_hip", 4.0, 4.0)];
        assert_eq!(reference_length(PckReference::Torso, &lsp, &person(&lsp, &point)), None);
    }

    #[test]
    fn a_skeleton_without_the_joints_is_refused() {
        let coco = Skeleton::named("coco-17").unwrap();
        assert!(PckReference::Torso.check(&coco).is_ok());
        assert!(PckReference::Head.check(&coco).unwrap_err().to_string().contains("no head"));
        let cat = Skeleton::custom("cat", &["tail"], &[]).unwrap();
        assert_eq!((PckReference::of(&cat), PckReference::of(&coco)), (PckReference::Box, PckReference::Torso));
        for name in PckReference::NAMES {
            assert_eq!(name.parse::<PckReference>().unwrap().name(), name);
        }
        assert!("leg".parse::<PckReference>().is_err());
        assert_eq!(PCK_ALPHAS[USUAL], PCK_ALPHA);
    }

    #[test]
    fn an_error_of_exactly_the_share_is_correct_and_nobody_found_is_wrong() {
        let arm = Skeleton::custom("arm", &["elbow", "wrist", "hand"], &[]).unwrap();
        let truth = person(&arm, &[("elbow", 0.0, 0.0), ("wrist", 10.0, 0.0)]);
        let found = person(&arm, &[("elbow", 0.0, 2.0), ("hand", 9.0, 9.0)]).pose;
        let mut counts = vec![JointCounts::default(); 3];
        count(&mut counts, &truth, Some(&found), 10.0);
        assert_eq!(counts[0], JointCounts { labelled: 1, found: 1, correct: [0, 0, 1, 1], error: 0.2 });
        assert_eq!(counts[1], JointCounts { labelled: 1, ..JointCounts::default() });
        assert_eq!(counts[2], JointCounts::default());
        count(&mut counts, &truth, None, 10.0);
        assert_eq!((counts[0].labelled, counts[0].found), (2, 1));
    }
}
