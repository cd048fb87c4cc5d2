//! People's skeletons drawn over a picture, in the colours that OpenPose made familiar: hues around the circle, 20 degrees
//! from one joint to the next, the right side warm and the left side cold.

use vibhag_core::skeleton::canonical;
use vibhag_core::{Keypoint, Pose, Rgb, Skeleton};

use crate::picture::Picture;

/// Hues of joints in degrees.
#[rustfmt::skip]
const HUES: &[(&str, u32)] = &[
    ("neck", 0), ("right_shoulder", 20), ("right_elbow", 40), ("right_wrist", 60), ("left_shoulder", 80),
    ("left_elbow", 100), ("left_wrist", 120), ("pelvis", 0), ("right_hip", 140), ("right_knee", 160),
    ("right_ankle", 180), ("left_hip", 200), ("left_knee", 220), ("left_ankle", 240), ("left_ear", 260),
    ("left_eye", 280), ("right_ear", 300), ("right_eye", 320), ("nose", 340), ("left_big_toe", 240),
    ("left_small_toe", 240), ("left_heel", 240), ("right_big_toe", 180), ("right_small_toe", 180), ("right_heel", 180),
];
/// Degrees between joints that have no hue of their own.
const STEP: u32 = 20;
/// Share of a limb's colour.
const LIMB: f32 = 0.75;

/// The colour of a skeleton's keypoint.
pub fn joint_color(skeleton: &Skeleton, keypoint: usize) -> Rgb {
    let known = skeleton.keypoints.get(keypoint).map(|name| canonical(name));
    let hue = HUES.iter().find(|(name, _)| known.as_deref() == Some(*name)).map(|(_, hue)| *hue);
    saturated(hue.unwrap_or(STEP * (keypoint as u32 % (360 / STEP))))
}

/// Draws every pose: limbs between keypoints that are there, each in the colour of its second keypoint, and the keypoints
/// over them. The lines' width follows the picture's size. Poses of another number of keypoints than the skeleton's are
/// left out.
pub fn draw_poses(picture: &mut Picture, poses: &[Pose], skeleton: &Skeleton) {
    let side = picture.width().max(picture.height()) as f64;
    let radius = (side / 250.0).max(1.0);
    for pose in poses.iter().filter(|pose| pose.keypoints.len() == skeleton.len()) {
        for &[from, to] in skeleton.limbs.iter().filter(|limb| !leads_to_an_ear(skeleton, limb)) {
            let (a, b) = (pose.keypoints[from], pose.keypoints[to]);
            if a.is_present() && b.is_present() {
                stroke(picture, a, b, radius, joint_color(skeleton, to), LIMB);
            }
        }
        for (index, &keypoint) in pose.keypoints.iter().enumerate().filter(|(_, keypoint)| keypoint.is_present()) {
            stroke(picture, keypoint, keypoint, 1.3 * radius, joint_color(skeleton, index), 1.0);
        }
    }
}

/// Whether a limb joins a shoulder and an ear: it helps to tell people apart, but no body has it.
fn leads_to_an_ear(skeleton: &Skeleton, limb: &[usize; 2]) -> bool {
    let ends = limb.map(|end| skeleton.keypoints.get(end).map(|name| canonical(name)).unwrap_or_default());
    let has = |joint: &str| ends.iter().any(|end| end.ends_with(joint));
    has("ear") && has("shoulder")
}

/// A line with round ends, its border softened over a pixel.
fn stroke(picture: &mut Picture, a: Keypoint, b: Keypoint, radius: f64, color: Rgb, share: f32) {
    if ![a.x, a.y, b.x, b.y].into_iter().all(f64::is_finite) {
        return;
    }
    let reach = radius + 1.0;
    // What lies outside of the picture, however far, costs nothing.
    let span = |low: f64, high: f64, side: usize| {
        let first = (low - reach).floor().clamp(0.0, side as f64) as usize;
        let end = (high + reach).ceil().clamp(-1.0, side as f64 - 1.0) + 1.0;
        first..end as usize
    };
    let (dx, dy) = (b.x - a.x, b.y - a.y);
    let square = dx * dx + dy * dy;
    for y in span(a.y.min(b.y), a.y.max(b.y), picture.height()) {
        for x in span(a.x.min(b.x), a.x.max(b.x), picture.width()) {
            let (px, py) = (x as f64 - a.x, y as f64 - a.y);
            let along = if square > 0.0 { ((px * dx + py * dy) / square).clamp(0.0, 1.0) } else { 0.0 };
            let distance = (px - along * dx).hypot(py - along * dy);
            let covered = (radius + 0.5 - distance).clamp(0.0, 1.0) as f32;
            if covered > 0.0 {
                picture.blend(x, y, color, share * covered);
            }
        }
    }
}

/// The colour of a hue at full saturation and value.
fn saturated(degrees: u32) -> Rgb {
    let part = (degrees % 60) * 255 / 60;
    let (rising, falling) = (part as u8, (255 - part) as u8);
    match degrees / 60 % 6 {
        0 => [255, rising, 0],
        1 => [falling, 255, 0],
        2 => [0, 255, rising],
        3 => [0, falling, 255],
        4 => [rising, 0, 255],
        _ => [255, 0, falling],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joints_have_the_familiar_colours() {
        let skeleton = Skeleton::named("body-25").unwrap();
        let of = |name: &str| joint_color(&skeleton, skeleton.index(name).unwrap());
        assert_eq!((of("nose"), of("neck")), ([255, 0, 85], [255, 0, 0]));
        assert_eq!(
            (of("right_shoulder"), of("right_wrist"), of("left_wrist")),
            ([255, 85, 0], [255, 255, 0], [0, 255, 0])
        );
        assert_eq!((of("mid_hip"), of("right_ankle"), of("left_ankle")), ([255, 0, 0], [0, 255, 255], [0, 0, 255]));
        assert_eq!((of("right_eye"), of("left_eye"), of("left_ear")), ([255, 0, 170], [170, 0, 255], [85, 0, 255]));
        let own = Skeleton::custom("cat", &["paw", "tail"], &[]).unwrap();
        assert_ne!(joint_color(&own, 0), joint_color(&own, 1));
    }

    #[test]
    fn limbs_and_keypoints_are_drawn_where_they_are() {
        let skeleton = Skeleton::custom("arm", &["left_elbow", "left_wrist", "nose"], &[[0, 1], [1, 2]]).unwrap();
        let keypoints = vec![Keypoint::found(5.0, 10.0, 1.0), Keypoint::found(25.0, 10.0, 1.0), Keypoint::ABSENT];
        let pose = Pose { keypoints, score: 1.0, id: None };
        let mut picture = Picture::filled(40, 20, [0; 3]).unwrap();
        draw_poses(&mut picture, &[pose, Pose::default()], &skeleton);
        assert_eq!(picture.get(5, 10), Some([85, 255, 0]));
        assert_eq!(picture.get(25, 10), Some([0, 255, 0]));
        assert_eq!(picture.get(15, 10), Some([0, 191, 0]));
        for (x, y) in [(15, 13), (30, 10), (0, 0), (2, 10)] {
            assert_eq!(picture.get(x, y), Some([0; 3]), "{x}, {y}");
        }
    }

    #[test]
    fn keypoints_far_away_or_without_a_place_are_no_harm() {
        let skeleton = Skeleton::custom("arm", &["left_elbow", "left_wrist"], &[[0, 1]]).unwrap();
        for (x, y) in [(1e300, 1e300), (-1e9, 5.0), (f64::NAN, 0.0), (f64::INFINITY, 3.0)] {
            let keypoints = vec![Keypoint::found(x, y, 1.0), Keypoint::found(3.0, 3.0, 1.0)];
            let mut picture = Picture::filled(8, 6, [9; 3]).unwrap();
            draw_poses(&mut picture, &[Pose { keypoints, score: 1.0, id: None }], &skeleton);
            assert_eq!(picture.get(3, 3), Some([0, 255, 0]));
        }
    }
}
