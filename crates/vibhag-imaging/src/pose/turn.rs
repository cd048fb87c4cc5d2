//! Quarter turns of images and poses. They move pixels and change none.

use vibhag_core::{Image, Keypoint, Pose, Result, Samples, Skeleton};

/// What lies above in an upright person, and what lies below; of the lower ones the first group that has a place counts.
const UPPER: [&str; 8] =
    ["left_shoulder", "right_shoulder", "neck", "upper_neck", "thorax", "head_top", "nose", "head"];
const LOWER: [&[&str]; 3] =
    [&["left_hip", "right_hip", "pelvis", "mid_hip"], &["left_knee", "right_knee"], &["left_ankle", "right_ankle"]];

/// Quarter turns, 0 to 3 of them, clockwise as the image is seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Turn(u8);

impl Turn {
    /// Every turn, no turn first.
    pub const ALL: [Self; 4] = [Self(0), Self(1), Self(2), Self(3)];

    /// The turn that brings `pose` nearest to upright; `None` where [`lean()`] does not know.
    pub fn upright(pose: &Pose, skeleton: &Skeleton) -> Option<Self> {
        let quarters = (lean(pose, skeleton)? / 90.0).round();
        Some(Self(quarters.rem_euclid(4.0) as u8))
    }

    /// The angle of the turn, in radians.
    pub fn radians(self) -> f64 {
        f64::from(self.0) * std::f64::consts::FRAC_PI_2
    }

    /// Whether it is no turn.
    pub fn is_none(self) -> bool {
        self.0 == 0
    }

    /// The turn that leads back.
    #[must_use]
    pub fn back(self) -> Self {
        Self((4 - self.0) % 4)
    }

    /// Width and height of an image of `size` (width, height) after the turn.
    pub fn size(self, [width, height]: [usize; 2]) -> [usize; 2] {
        if self.0.is_multiple_of(2) { [width, height] } else { [height, width] }
    }

    /// Where a place of an image of `size` (width, height) is after the turn, both counted from the corner of the first
    /// pixel.
    pub fn place(self, [x, y]: [f64; 2], [width, height]: [usize; 2]) -> [f64; 2] {
        let (width, height) = (width as f64, height as f64);
        match self.0 {
            0 => [x, y],
            1 => [height - y, x],
            2 => [width - x, height - y],
            _ => [y, width - x],
        }
    }

    /// The pose on an image of `size` (width, height) as it is on the turned image.
    #[must_use]
    pub fn pose(self, pose: &Pose, size: [usize; 2]) -> Pose {
        let turned = |keypoint: &Keypoint| {
            if !keypoint.is_present() {
                return *keypoint;
            }
            // Keypoints count from the centre of the first pixel.
            let [x, y] = self.place([keypoint.x + 0.5, keypoint.y + 0.5], size);
            Keypoint { x: x - 0.5, y: y - 0.5, ..*keypoint }
        };
        Pose { keypoints: pose.keypoints.iter().map(turned).collect(), ..pose.clone() }
    }

    /// The turned image.
    ///
    /// # Errors
    /// Never, as the number of samples stays.
    pub fn image(self, image: &Image) -> Result<Image> {
        let (size, channels) = ([image.width(), image.height()], image.channels());
        let samples = match image.samples() {
            Samples::U8(samples) => Samples::U8(self.pixels(samples, size, channels)),
            Samples::U16(samples) => Samples::U16(self.pixels(samples, size, channels)),
        };
        let [width, height] = self.size(size);
        Image::new(width, height, channels, samples)
    }

    fn pixels<T: Copy>(self, samples: &[T], [width, height]: [usize; 2], channels: usize) -> Vec<T> {
        let [new_width, new_height] = self.size([width, height]);
        let mut turned = Vec::with_capacity(samples.len());
        for y in 0..new_height {
            for x in 0..new_width {
                let (from_x, from_y) = match self.0 {
                    0 => (x, y),
                    1 => (y, height - 1 - x),
                    2 => (width - 1 - x, height - 1 - y),
                    _ => (width - 1 - y, x),
                };
                let first = (from_y * width + from_x) * channels;
                turned.extend_from_slice(&samples[first..first + channels]);
            }
        }
        turned
    }
}

/// By how many degrees, -180 to 180, a person must be turned clockwise to stand upright, its hips (or knees, or ankles) below
/// its shoulders and head; `None` where it has neither or the skeleton does not name them.
pub fn lean(pose: &Pose, skeleton: &Skeleton) -> Option<f64> {
    let middle = |names: &[&str]| {
        let places: Vec<&Keypoint> = names
            .iter()
            .filter_map(|name| pose.keypoints.get(skeleton.index(name)?))
            .filter(|keypoint| keypoint.is_present())
            .collect();
        let mean = |of: fn(&Keypoint) -> f64| places.iter().map(|k| of(k)).sum::<f64>() / places.len() as f64;
        (!places.is_empty()).then(|| [mean(|k| k.x), mean(|k| k.y)])
    };
    let (above, below) = (middle(&UPPER)?, LOWER.iter().find_map(|names| middle(names))?);
    let [right, down] = [below[0] - above[0], below[1] - above[1]];
    // Of a person whose feet point to the right they point down after one turn clockwise.
    Some(right.atan2(down).to_degrees())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn skeleton() -> Skeleton {
        Skeleton::custom("trunk", &["neck", "left_hip", "right_hip", "left_knee"], &[[0, 1], [0, 2]]).unwrap()
    }

    fn pose(places: &[[f64; 2]]) -> Pose {
        let mut keypoints: Vec<Keypoint> = places.iter().map(|&[x, y]| Keypoint::found(x, y, 1.0)).collect();
        keypoints.resize(4, Keypoint::ABSENT);
        Pose { keypoints, score: 1.0, id: None }
    }

    #[test]
    fn a_pose_goes_where_its_pixels_go_and_comes_back() {
        let (width, height) = (5, 3);
        let image = Image::from_u8(width, height, 1, (0..15).collect()).unwrap();
        for turn in Turn::ALL {
            let turned = turn.image(&image).unwrap();
            assert_eq!([turned.width(), turned.height()], turn.size([width, height]));
            let Samples::U8(samples) = turned.samples() else { panic!("8 bits stay 8 bits") };
            for (index, value) in (0..15u8).enumerate() {
                let own = pose(&[[(index % width) as f64, (index / width) as f64]]);
                let there = turn.pose(&own, [width, height]);
                let [x, y] = [there.keypoints[0].x as usize, there.keypoints[0].y as usize];
                assert_eq!(samples[y * turned.width() + x], value);
                assert_eq!(turn.back().pose(&there, turn.size([width, height])), own);
            }
            assert_eq!(turn.back().image(&turned).unwrap(), image);
        }
        // Clockwise: the top left pixel comes to the top right.
        let Samples::U8(samples) = Turn(1).image(&image).unwrap().samples().clone() else { panic!("8 bits") };
        assert_eq!(samples[..3], [10, 5, 0]);
    }

    #[test]
    fn people_are_turned_upright() {
        let size = [100, 80];
        // Leaning by 30 degrees, hips below the neck.
        let standing = pose(&[[50.0, 20.0], [60.0, 38.0], [64.0, 36.0]]);
        assert_eq!(Turn::upright(&standing, &skeleton()), Some(Turn(0)));
        for turn in Turn::ALL {
            let there = turn.pose(&standing, size);
            assert_eq!(Turn::upright(&there, &skeleton()), Some(turn.back()));
        }
        let mut bent = standing.clone();
        bent.keypoints[1..3].fill(Keypoint::ABSENT);
        assert_eq!(Turn::upright(&bent, &skeleton()), None);
        bent.keypoints[3] = Keypoint::found(5.0, 20.0, 1.0);
        assert_eq!(Turn::upright(&bent, &skeleton()), Some(Turn(3)));
        let arms = Skeleton::custom("arms", &["a", "b", "c", "d"], &[[0, 1]]).unwrap();
        assert_eq!(Turn::upright(&standing, &arms), None);
    }
}
