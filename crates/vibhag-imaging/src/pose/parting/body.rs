//! A skeleton as what distances are measured to.

use vibhag_core::{Keypoint, Pose, Skeleton};

/// A body is about as tall as so many of its longest limbs (the trunk, a thigh): tall, or sitting, or seen down to the
/// waist alone.
const LIMBS_TALL: f64 = 3.0;
/// Keypoints farther than this from the image's corner, in pixels, are no keypoints: squares of distances stay exact enough.
const FAR: f64 = 1e6;
/// A limb lies on the pixels whose centres are this near, in pixels: no diagonal line slips through between them.
const ON: f64 = 0.75;

/// The limbs of a person, and how large the person is.
#[derive(Debug, Clone)]
pub(super) struct Body {
    limbs: Vec<[[f64; 2]; 2]>,
    /// Left and top, right and bottom of the box around the limbs.
    corners: [[f64; 2]; 2],
    /// About the person's height in pixels, at least 1.
    pub(super) size: f64,
}

impl Body {
    /// The limbs between keypoints that are there, those keypoints that no such limb reaches, and the middle of the trunk:
    /// it is far from its sides, where skeletons have limbs, and an arm before it is not.
    pub(super) fn new(pose: &Pose, skeleton: &Skeleton) -> Self {
        let place = |keypoint: &Keypoint| {
            let near = keypoint.x.abs() <= FAR && keypoint.y.abs() <= FAR;
            (keypoint.is_present() && near).then_some([keypoint.x, keypoint.y])
        };
        let places: Vec<Option<[f64; 2]>> = pose.keypoints.iter().map(place).collect();
        let mut alone = places.clone();
        let mut limbs = Vec::new();
        for &[from, to] in &skeleton.limbs {
            if let (Some(a), Some(b)) = (places[from], places[to]) {
                limbs.push([a, b]);
                (alone[from], alone[to]) = (None, None);
            }
        }
        limbs.extend(trunk(&places, skeleton));
        let mut lengths: Vec<f64> = limbs.iter().map(|[a, b]| (a[0] - b[0]).hypot(a[1] - b[1])).collect();
        lengths.sort_by(|a, b| b.total_cmp(a));
        // Long limbs come in pairs, so that one keypoint that is far off makes nobody a giant.
        let tall = lengths.get(1).or(lengths.first()).map_or(0.0, |length| LIMBS_TALL * length);
        limbs.extend(alone.into_iter().flatten().map(|place| [place, place]));
        let mut corners = [[f64::INFINITY; 2], [f64::NEG_INFINITY; 2]];
        for end in limbs.as_flattened() {
            for axis in 0..2 {
                corners[0][axis] = corners[0][axis].min(end[axis]);
                corners[1][axis] = corners[1][axis].max(end[axis]);
            }
        }
        Self { limbs, corners, size: tall.max(1.0) }
    }

    /// The squared distance from a pixel's centre to the nearest limb; infinite without any.
    fn squared(&self, x: f64, y: f64) -> f64 {
        self.limbs.iter().fold(f64::INFINITY, |least, limb| least.min(squared(limb, x, y)))
    }

    /// The distance from a place to the nearest limb, as a share of the person's size.
    pub(super) fn distance(&self, x: f64, y: f64) -> f64 {
        self.squared(x, y).sqrt() / self.size
    }

    /// Whether a place lies in the box around the limbs, grown by a share of the person's size.
    pub(super) fn is_about(&self, x: f64, y: f64, share: f64) -> bool {
        let grown = share * self.size;
        let [low, high] = self.corners;
        [x, y].into_iter().enumerate().all(|(axis, at)| low[axis] - grown <= at && at <= high[axis] + grown)
    }

    /// Calls `visit(x, y)` for the pixels of an image of `size` (width, height) on which a limb lies, some of them more
    /// than once.
    pub(super) fn for_each_pixel(&self, size: [usize; 2], mut visit: impl FnMut(usize, usize)) {
        for limb in &self.limbs {
            let [a, b] = *limb;
            // Along the axis on which the limb is longer there are few pixels across it.
            let along = usize::from((a[1] - b[1]).abs() > (a[0] - b[0]).abs());
            let across = 1 - along;
            let length = b[along] - a[along];
            for at in pixels(a[along].min(b[along]) - ON, a[along].max(b[along]) + ON, size[along]) {
                let share = if length == 0.0 { 0.0 } else { ((at as f64 - a[along]) / length).clamp(0.0, 1.0) };
                let middle = a[across] + share * (b[across] - a[across]);
                for beside in pixels(middle - 2.0, middle + 2.0, size[across]) {
                    let [x, y] = if along == 0 { [at, beside] } else { [beside, at] };
                    if squared(limb, x as f64, y as f64) <= ON * ON {
                        visit(x, y);
                    }
                }
            }
        }
    }
}

/// From between the shoulders to between the hips, where the skeleton has them and all four are there.
fn trunk(places: &[Option<[f64; 2]>], skeleton: &Skeleton) -> Option<[[f64; 2]; 2]> {
    let place = |joint: &str| skeleton.index(joint).and_then(|index| places[index]);
    let between = |[a, b]: [&str; 2]| {
        let (a, b) = (place(a)?, place(b)?);
        Some([a[0].midpoint(b[0]), a[1].midpoint(b[1])])
    };
    Some([between(["left_shoulder", "right_shoulder"])?, between(["left_hip", "right_hip"])?])
}

/// The pixels of a line of `length` whose centres lie in `low..=high`.
fn pixels(low: f64, high: f64, length: usize) -> std::ops::Range<usize> {
    let side = length as f64;
    low.ceil().clamp(0.0, side) as usize..(high.floor() + 1.0).clamp(0.0, side) as usize
}

/// The squared distance from a place to a limb.
fn squared([a, b]: &[[f64; 2]; 2], x: f64, y: f64) -> f64 {
    let (dx, dy) = (b[0] - a[0], b[1] - a[1]);
    let (ax, ay) = (x - a[0], y - a[1]);
    let length = dx * dx + dy * dy;
    let share = if length > 0.0 { ((ax * dx + ay * dy) / length).clamp(0.0, 1.0) } else { 0.0 };
    let (cx, cy) = (ax - share * dx, ay - share * dy);
    cx * cx + cy * cy
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn body(points: &[[f64; 2]], limbs: &[[usize; 2]]) -> Body {
        let names: Vec<String> = (0..points.len()).map(|index| format!("joint{index}")).collect();
        let skeleton = Skeleton::custom("test", &names, limbs).unwrap();
        let keypoints = points.iter().map(|&[x, y]| Keypoint::found(x, y, 1.0)).collect();
        Body::new(&Pose { keypoints, score: 1.0, id: None }, &skeleton)
    }

    #[test]
    fn the_size_is_three_of_the_second_longest_limb() {
        let points = [[0.0, 0.0], [3.0, 4.0], [3.0, 14.0], [400.0, 14.0]];
        assert_eq!(body(&points, &[[0, 1], [1, 2], [2, 3]]).size, 30.0);
        assert_eq!(body(&points, &[[0, 1]]).size, 15.0);
        assert_eq!(body(&points, &[]).size, 1.0);
    }

    #[test]
    fn the_distance_is_that_to_the_nearest_limb_or_lonely_keypoint_in_sizes() {
        // Size 3 * 10; the third keypoint stands alone.
        let body = body(&[[0.0, 0.0], [10.0, 0.0], [0.0, 40.0]], &[[0, 1]]);
        assert_eq!(
            [body.distance(5.0, 6.0), body.distance(13.0, 4.0), body.distance(0.0, 34.0)].map(|d| d * 30.0),
            [6.0, 5.0, 6.0]
        );
        assert!(body.is_about(-3.0, 0.0, 0.1) && !body.is_about(-3.1, 0.0, 0.1) && body.is_about(5.0, 43.0, 0.1));
    }

    #[test]
    fn the_trunk_has_a_middle() {
        let joints = ["left_shoulder", "right_shoulder", "left_hip", "right_hip"];
        let skeleton = Skeleton::custom("trunk", &joints, &[[0, 2], [1, 3]]).unwrap();
        let places = [[4.0, 0.0], [0.0, 0.0], [6.0, 20.0], [2.0, 20.0]];
        let keypoints = places.iter().map(|&[x, y]| Keypoint::found(x, y, 1.0)).collect();
        let mut pose = Pose { keypoints, score: 1.0, id: None };
        assert_eq!(Body::new(&pose, &skeleton).distance(3.0, 10.0), 0.0);
        pose.keypoints[3] = Keypoint::ABSENT;
        assert!(Body::new(&pose, &skeleton).distance(3.0, 10.0) > 0.0);
    }

    #[test]
    fn places_that_are_none_are_left_out() {
        for [x, y] in [[f64::NAN, 1.0], [f64::INFINITY, 1.0], [1.0, -1e300]] {
            let body = body(&[[2.0, 2.0], [x, y]], &[[0, 1]]);
            assert_eq!((body.size, body.distance(2.0, 5.0)), (1.0, 3.0));
        }
        let nowhere = body(&[[f64::NAN, 1.0]], &[]);
        assert!(nowhere.distance(0.0, 0.0).is_infinite() && !nowhere.is_about(0.0, 0.0, 1.0));
    }

    proptest! {
        #[test]
        fn a_limb_lies_on_the_pixels_near_it(ends in proptest::array::uniform4(-6.0f64..20.0)) {
            let body = body(&[[ends[0], ends[1]], [ends[2], ends[3]]], &[[0, 1]]);
            let mut found = vec![false; 14 * 11];
            body.for_each_pixel([14, 11], |x, y| found[y * 14 + x] = true);
            for (index, found) in found.into_iter().enumerate() {
                let near = body.squared((index % 14) as f64, (index / 14) as f64) <= ON * ON;
                prop_assert_eq!(found, near, "{}", index);
            }
        }
    }
}
