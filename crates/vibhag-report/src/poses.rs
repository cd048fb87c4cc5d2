//! Skeletons drawn over images: true beside predicted, with missed and wrong keypoints in loud colours.

use vibhag_core::{Image, Keypoint, Person, Pose, Result, Rgb, Skeleton};
use vibhag_metrics::{PCK_ALPHA, PckReference, match_people, reference_length};

use crate::instances::Verdicts;
use crate::marks::ground;
use crate::overlay::{GUTTER, GUTTER_WIDTH};
use crate::palette::MANY;
use crate::picture::{Picture, row};
use crate::strokes::near_line;

/// Two people less similar than this are not drawn as one.
const ALIKE: f64 = 0.1;

/// Three panels: the image; the image with the true skeletons, where missed keypoints and people are magenta; the image
/// with the predicted ones, where wrong keypoints and people who are not there are red. A limb has one colour in both.
///
/// A keypoint is wrong beyond 0.2 of the person's reference length, or where its person has none, never. Crowds and people
/// without labels are not drawn. `side` is the longer side of a panel, see
/// [`overlay_instances`](crate::overlay_instances).
///
/// # Errors
/// When a pose has another number of keypoints than the skeleton or a place is not a number.
pub fn comparison_poses(
    image: &Image,
    truth: &[Person],
    found: &[Pose],
    skeleton: &Skeleton,
    side: Option<usize>,
) -> Result<Picture> {
    let partners = match_people(skeleton, truth, found)?;
    let reference = PckReference::of(skeleton);
    let plain = ground(image, side)?;
    let canvas = |picture: Picture| Canvas {
        scale: picture.width() as f64 / image.width().max(1) as f64,
        // About one line in 150 pixels.
        width: (picture.width().max(picture.height()) as f64 / 300.0).max(1.0),
        picture,
    };
    let (mut left, mut right) = (canvas(plain.clone()), canvas(plain.clone()));
    let Verdicts { missed, false_found, .. } = Verdicts::DEFAULT;
    let mut taken = vec![false; found.len()];
    for (person, partner) in truth.iter().zip(&partners) {
        if person.crowd || person.pose.present() == 0 {
            continue;
        }
        let partner = partner.filter(|&(_, similarity)| similarity >= ALIKE);
        let Some(partner) = partner.and_then(|(place, _)| Some((place, found.get(place)?))) else {
            left.skeleton(&person.pose, skeleton, Some(missed));
            continue;
        };
        taken[partner.0] = true;
        left.skeleton(&person.pose, skeleton, None);
        right.skeleton(partner.1, skeleton, None);
        let Some(length) = reference_length(reference, skeleton, person) else { continue };
        for (own, other) in person.pose.keypoints.iter().zip(&partner.1.keypoints).filter(|(own, _)| own.is_present()) {
            let off = (own.x - other.x).hypot(own.y - other.y);
            if !other.is_present() || off > PCK_ALPHA * length {
                left.ring(own, missed);
                if other.is_present() {
                    right.ring(other, false_found);
                }
            }
        }
    }
    for (pose, _) in found.iter().zip(&taken).filter(|(_, taken)| !**taken) {
        right.skeleton(pose, skeleton, Some(false_found));
    }
    row(&[plain, left.picture, right.picture], GUTTER_WIDTH, GUTTER)
}

struct Canvas {
    picture: Picture,
    /// Pixels of the picture for one of the image.
    scale: f64,
    /// Half the width of a limb, in pixels of the picture.
    width: f64,
}

impl Canvas {
    fn place(&self, keypoint: &Keypoint) -> [f64; 2] {
        [keypoint.x, keypoint.y].map(|value| (value + 0.5) * self.scale - 0.5)
    }

    /// Limbs in colours of their own, or all in one, and dots at the keypoints.
    fn skeleton(&mut self, pose: &Pose, skeleton: &Skeleton, color: Option<Rgb>) {
        for (limb, &[a, b]) in skeleton.limbs.iter().enumerate() {
            let (Some(a), Some(b)) = (pose.keypoints.get(a), pose.keypoints.get(b)) else { continue };
            if a.is_present() && b.is_present() {
                let color = color.unwrap_or(MANY[limb % MANY.len()]);
                self.near([self.place(a), self.place(b)], 0.0..=self.width, color);
            }
        }
        for keypoint in pose.keypoints.iter().filter(|keypoint| keypoint.is_present()) {
            let place = self.place(keypoint);
            self.near([place, place], 0.0..=1.6 * self.width, color.unwrap_or([255; 3]));
        }
    }

    fn ring(&mut self, keypoint: &Keypoint, color: Rgb) {
        let place = self.place(keypoint);
        self.near([place, place], 2.6 * self.width..=4.4 * self.width, color);
    }

    /// Colours the pixels at such distances from the line.
    fn near(&mut self, line: [[f64; 2]; 2], distances: std::ops::RangeInclusive<f64>, color: Rgb) {
        let size = [self.picture.width(), self.picture.height()];
        near_line(size, line, *distances.end(), |x, y, distance| {
            if distances.contains(&distance) {
                self.picture.set(x, y, color);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn right_limbs_have_one_colour_and_wrong_keypoints_are_ringed() {
        let skeleton = Skeleton::custom("arm", &["elbow", "wrist"], &[[0, 1]]).unwrap();
        let image = Image::from_u8(100, 60, 3, vec![90; 18_000]).unwrap();
        let pose = |points: [[f64; 2]; 2]| {
            let keypoints = points.map(|[x, y]| Keypoint::found(x, y, 1.0)).to_vec();
            Pose { keypoints, score: 1.0, id: None }
        };
        let person = |points| {
            let pose = pose(points);
            let bounds = pose.bounds().unwrap();
            Person { area: 2500.0, pose, bounds, crowd: false }
        };
        let truth = [person([[10.0, 10.0], [50.0, 10.0]]), person([[10.0, 50.0], [30.0, 50.0]])];
        // The first wrist is wrong; nobody is found for the second person, and somebody who is not there.
        let found = [pose([[10.0, 10.0], [50.0, 25.0]]), pose([[85.0, 50.0], [95.0, 40.0]])];
        let picture = comparison_poses(&image, &truth, &found, &skeleton, None).unwrap();
        let at = |panel: usize, x: usize, y: usize| picture.get(panel * (100 + GUTTER_WIDTH) + x, y).unwrap();
        let Verdicts { missed, false_found, .. } = Verdicts::DEFAULT;
        assert_eq!((at(1, 30, 10), at(2, 20, 14)), (MANY[0], MANY[0]));
        assert_eq!((at(1, 20, 50), at(2, 90, 45)), (missed, false_found));
        assert_eq!((at(1, 53, 10), at(2, 53, 25)), (missed, false_found));
        assert_ne!(at(1, 13, 10), missed);
        assert!(comparison_poses(&image, &truth, &[Pose::default()], &skeleton, None).is_err());
    }
}
