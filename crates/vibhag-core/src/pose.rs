//! Poses: where the keypoints of a person are.

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};
use crate::skeleton::Skeleton;

/// What is known of a keypoint, least first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Visibility {
    /// Nothing: it was not labelled, or not found. COCO's 0.
    #[default]
    Absent,
    /// Its place, though something covers it. COCO's 1.
    Occluded,
    /// Its place, where it is seen. COCO's 2.
    Visible,
}

/// A keypoint in pixels of the image: x to the right, y down, the centre of the top left pixel at (0, 0). It may lie
/// outside the image.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Keypoint {
    /// To the right.
    pub x: f64,
    /// Down.
    pub y: f64,
    /// How sure a prediction is of it; 1 in annotations.
    pub score: f32,
    /// Whether it is there at all. Places of absent keypoints mean nothing.
    pub visibility: Visibility,
}

impl Keypoint {
    /// A keypoint of which nothing is known.
    pub const ABSENT: Self = Self { x: 0.0, y: 0.0, score: 0.0, visibility: Visibility::Absent };

    /// A keypoint that was found at a place.
    pub fn found(x: f64, y: f64, score: f32) -> Self {
        Self { x, y, score, visibility: Visibility::Visible }
    }

    /// Whether its place is known.
    pub fn is_present(&self) -> bool {
        self.visibility != Visibility::Absent
    }
}

/// The keypoints of one person, in the order of the skeleton.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Pose {
    /// One for each keypoint of the skeleton.
    pub keypoints: Vec<Keypoint>,
    /// How sure a prediction is of the person; 1 in annotations.
    pub score: f32,
    /// The number of the person, the same in all frames of a video.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<u32>,
}

impl Pose {
    /// A pose from COCO's `keypoints`: x, y and visibility (0, 1 or 2) of each keypoint, one after the other. Places of
    /// visibility 0 are not read.
    ///
    /// # Errors
    /// When the numbers are not three for each keypoint of `skeleton`, a visibility is another number, or the place of a
    /// labelled keypoint is not finite.
    pub fn from_coco(skeleton: &Skeleton, numbers: &[f64]) -> Result<Self> {
        if numbers.len() != 3 * skeleton.len() {
            return Err(Error::new(
                ErrorKind::Decode,
                format!("{} numbers for the {} keypoints of {:?}", numbers.len(), skeleton.len(), skeleton.name),
            )
            .hint("keypoints holds x, y and visibility of every keypoint of the category"));
        }
        let mut keypoints = Vec::with_capacity(skeleton.len());
        for (triple, name) in numbers.chunks_exact(3).zip(&skeleton.keypoints) {
            let fault = |what: &str| {
                Err(Error::new(ErrorKind::Decode, what)
                    .at(format!("{name}: {}, {}, {}", triple[0], triple[1], triple[2])))
            };
            let visibility = match triple[2] {
                0.0 => Visibility::Absent,
                1.0 => Visibility::Occluded,
                2.0 => Visibility::Visible,
                _ => return fault("the visibility of a keypoint is not 0, 1 or 2"),
            };
            if visibility == Visibility::Absent {
                keypoints.push(Keypoint::ABSENT);
            } else if triple[0].is_finite() && triple[1].is_finite() {
                keypoints.push(Keypoint { x: triple[0], y: triple[1], score: 1.0, visibility });
            } else {
                return fault("the place of a labelled keypoint is not finite");
            }
        }
        Ok(Self { keypoints, score: 1.0, id: None })
    }

    /// Number of keypoints whose place is known (COCO's `num_keypoints`).
    pub fn present(&self) -> usize {
        self.keypoints.iter().filter(|keypoint| keypoint.is_present()).count()
    }

    /// The smallest box around the known keypoints: left, top, width, height. `None` without any.
    pub fn bounds(&self) -> Option<[f64; 4]> {
        let mut known = self.keypoints.iter().filter(|keypoint| keypoint.is_present());
        let first = known.next()?;
        let [mut left, mut top, mut right, mut bottom] = [first.x, first.y, first.x, first.y];
        for keypoint in known {
            (left, right) = (left.min(keypoint.x), right.max(keypoint.x));
            (top, bottom) = (top.min(keypoint.y), bottom.max(keypoint.y));
        }
        Some([left, top, right - left, bottom - top])
    }

    /// The pose in the image of `width` pixels mirrored left and right: its left ankle is then a right one.
    ///
    /// # Errors
    /// When the pose has another number of keypoints than `skeleton`.
    pub fn mirrored(&self, skeleton: &Skeleton, width: usize) -> Result<Self> {
        if self.keypoints.len() != skeleton.len() {
            return Err(Error::new(
                ErrorKind::SizeMismatch,
                format!("a pose of {} keypoints, not the skeleton's {}", self.keypoints.len(), skeleton.len()),
            ));
        }
        let keypoint = |source: usize| {
            let keypoint = self.keypoints[source];
            // An absent keypoint stays at its place, so that all of them are equal.
            let x = if keypoint.is_present() { width as f64 - 1.0 - keypoint.x } else { keypoint.x };
            Keypoint { x, ..keypoint }
        };
        Ok(Self { keypoints: skeleton.mirror_order().into_iter().map(keypoint).collect(), ..self.clone() })
    }
}

/// An annotated person.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Person {
    /// The labelled keypoints; none of them where nobody labelled the person.
    pub pose: Pose,
    /// The area that the annotation states, in pixels: the scale of COCO's similarity.
    pub area: f64,
    /// The box that the annotation states: left, top, width, height.
    pub bounds: [f64; 4],
    /// A group of people that nobody told apart (COCO's `iscrowd`).
    pub crowd: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn skeleton() -> Skeleton {
        Skeleton::custom("arms", &["nose", "left_wrist", "right_wrist"], &[[0, 1], [0, 2]]).unwrap()
    }

    #[test]
    fn labels_of_coco_are_read() {
        let pose = Pose::from_coco(&skeleton(), &[1.5, 2.0, 2.0, f64::NAN, 9.0, 0.0, -4.0, 5.0, 1.0]).unwrap();
        assert_eq!(pose.present(), 2);
        assert_eq!(pose.keypoints[1], Keypoint::ABSENT);
        assert_eq!(pose.keypoints[2].visibility, Visibility::Occluded);
        assert_eq!(pose.bounds(), Some([-4.0, 2.0, 5.5, 3.0]));
        let nobody = Pose::from_coco(&skeleton(), &[0.0; 9]).unwrap();
        assert_eq!((nobody.present(), nobody.bounds()), (0, None));
    }

    #[test]
    fn faulty_labels_are_named() {
        let error = |numbers: &[f64]| Pose::from_coco(&skeleton(), numbers).unwrap_err().to_string();
        assert!(error(&[1.0; 8]).contains("8 numbers"));
        assert!(error(&[0.0, 0.0, 0.0, 0.0, 0.0, 3.0, 0.0, 0.0, 0.0]).contains("left_wrist"));
        assert!(error(&[f64::NAN, 0.0, 2.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]).contains("not finite"));
    }

    #[test]
    fn mirroring_swaps_sides_and_is_its_own_inverse() {
        let pose = Pose::from_coco(&skeleton(), &[10.0, 2.0, 2.0, 0.0, 9.0, 2.0, 0.0, 0.0, 0.0]).unwrap();
        let mirrored = pose.mirrored(&skeleton(), 100).unwrap();
        assert_eq!((mirrored.keypoints[0].x, mirrored.keypoints[2].x), (89.0, 99.0));
        assert!(!mirrored.keypoints[1].is_present());
        assert_eq!(mirrored.mirrored(&skeleton(), 100).unwrap(), pose);
        assert!(Pose::default().mirrored(&skeleton(), 100).is_err());
    }
}
