//! Images and poses turned: by quarters, which moves pixels and changes none, and by eighths.

use std::borrow::Cow;

use vibhag_core::{Error, Image, Keypoint, Pose, Result, Samples, Skeleton};

use crate::warp::{Affine, warp_image};

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

    /// The angle of the turn, in degrees.
    pub fn degrees(self) -> f64 {
        f64::from(self.0) * 90.0
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
        moved(pose, |place| self.place(place, size))
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

/// A turn by eighths of a circle around the middle of the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spin(u8);

impl Spin {
    /// `count` turns in equal steps, no turn first: 1, 4 or 8.
    ///
    /// # Errors
    /// When it is another number.
    pub fn all(count: u8) -> Result<Vec<Self>> {
        match count {
            1 | 4 | 8 => Ok((0..count).map(|turn| Self(turn * (8 / count))).collect()),
            _ => Err(Error::config("an image is looked at in 1, 4 or 8 turns").at(format!("turns = {count}"))),
        }
    }

    fn quarters(self) -> Option<Turn> {
        self.0.is_multiple_of(2).then_some(Turn(self.0 / 2))
    }

    /// From places of the turned image to places of the image of `size` (width, height), and the turned image's size: as
    /// large as shows all of it.
    fn map(self, [width, height]: [usize; 2]) -> (Affine, [usize; 2]) {
        let angle = f64::from(self.0) * std::f64::consts::FRAC_PI_4;
        let (w, h) = (width as f64, height as f64);
        let (across, along) = (angle.sin().abs(), angle.cos().abs());
        let side = |a: f64, b: f64| (a * along + b * across).ceil() as usize;
        let [turned_width, turned_height] = [side(w, h), side(h, w)];
        let map = Affine::translation(-(turned_width as f64) / 2.0, -(turned_height as f64) / 2.0)
            .then(Affine::rotation(-angle))
            .then(Affine::translation(w / 2.0, h / 2.0));
        (map, [turned_width, turned_height])
    }

    /// The turned image; no turn is no copy. Between quarters it is interpolated, has 8 bits, and is mirrored beyond the
    /// border.
    ///
    /// # Errors
    /// As [`Turn::image`].
    pub fn image(self, image: &Image) -> Result<Cow<'_, Image>> {
        match self.quarters() {
            Some(turn) if turn.is_none() => return Ok(Cow::Borrowed(image)),
            Some(turn) => return turn.image(image).map(Cow::Owned),
            None => {}
        }
        let (map, [width, height]) = self.map([image.width(), image.height()]);
        let pixels = warp_image(image, &map, None, width, height);
        let samples = pixels.iter().map(|value| value.round().clamp(0.0, 255.0) as u8).collect();
        Image::from_u8(width, height, image.channels(), samples).map(Cow::Owned)
    }

    /// A pose of the turned image on the image itself, whose `size` (width, height) is given.
    #[must_use]
    pub fn back(self, pose: &Pose, size: [usize; 2]) -> Pose {
        if let Some(turn) = self.quarters() {
            return turn.back().pose(pose, turn.size(size));
        }
        let (map, _) = self.map(size);
        moved(pose, |[x, y]| map.apply(x, y).into())
    }
}

/// The pose whose places, counted from the corner of the first pixel, `place` moves.
fn moved(pose: &Pose, place: impl Fn([f64; 2]) -> [f64; 2]) -> Pose {
    let keypoint = |keypoint: &Keypoint| {
        if !keypoint.is_present() {
            return *keypoint;
        }
        // Keypoints count from the centre of the first pixel.
        let [x, y] = place([keypoint.x + 0.5, keypoint.y + 0.5]);
        Keypoint { x: x - 0.5, y: y - 0.5, ..*keypoint }
    };
    Pose { keypoints: pose.keypoints.iter().map(keypoint).collect(), ..pose.clone() }
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
    fn between_quarters_a_pose_lies_where_its_pixel_lies() {
        let (width, height) = (61, 41);
        let [x, y] = [22usize, 13];
        let mut pixels = vec![0u8; width * height];
        for (dx, dy) in (0..5).flat_map(|dy| (0..5).map(move |dx| (dx, dy))) {
            pixels[(y + dy - 2) * width + x + dx - 2] = 200;
        }
        let image = Image::from_u8(width, height, 1, pixels).unwrap();
        for spin in Spin::all(8).unwrap() {
            let turned = spin.image(&image).unwrap();
            let Samples::U8(samples) = turned.samples() else { panic!("8 bits stay 8 bits") };
            // The middle of what is bright.
            let mut sums = [0.0; 3];
            for (index, &value) in samples.iter().enumerate() {
                let [u, v] = [index % turned.width(), index / turned.width()].map(|at| at as f64);
                let own = spin.back(&pose(&[[u, v]]), [width, height]).keypoints[0];
                // What lies beyond the border is mirrored.
                if (0.0..width as f64).contains(&own.x) && (0.0..height as f64).contains(&own.y) {
                    let value = f64::from(value);
                    sums = [sums[0] + value, sums[1] + value * u, sums[2] + value * v];
                }
            }
            let back = spin.back(&pose(&[[sums[1] / sums[0], sums[2] / sums[0]]]), [width, height]);
            let [found_x, found_y] = [back.keypoints[0].x, back.keypoints[0].y];
            assert!(
                (found_x - x as f64).abs() < 0.2 && (found_y - y as f64).abs() < 0.2,
                "{spin:?} {found_x} {found_y}"
            );
        }
        let clockwise = Spin::all(4).unwrap()[1].image(&image).unwrap();
        assert_eq!(*clockwise, Turn(1).image(&image).unwrap());
        assert!(Spin::all(3).unwrap_err().to_string().contains("turns = 3"));
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
