//! The size at which the network sees an image, and the way back to the image's pixels.

use vibhag_core::Pose;
use vibhag_nn::PoseNet;

/// Two sizes of one image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scaling {
    from: [usize; 2],
    to: [usize; 2],
}

impl Scaling {
    /// An image of `from` (width, height) brought to a longer side of `size`. Both sides become multiples of 16 and 1, for
    /// only then do the cells of the maps lie where the weights have learnt them; so the aspect ratio changes by up to half
    /// a cell.
    pub fn new(from: [usize; 2], size: usize) -> Self {
        let longest = from[0].max(from[1]).max(1);
        let side = |side: usize| {
            let scaled = side.saturating_mul(size) as f64 / longest as f64;
            let cells = ((scaled - 1.0) / PoseNet::STRIDE as f64).round().max(1.0);
            PoseNet::STRIDE * cells as usize + 1
        };
        Self { from, to: from.map(side) }
    }

    /// Width and height that the network sees.
    pub fn to(&self) -> [usize; 2] {
        self.to
    }

    /// A pose in pixels of what the network saw becomes one in pixels of the image.
    pub fn bring_back(&self, pose: &mut Pose) {
        // Pixels are areas: what is resized is the image from border to border, half a pixel around the centres.
        let [across, down] = [0, 1].map(|axis| self.from[axis] as f64 / self.to[axis] as f64);
        for keypoint in pose.keypoints.iter_mut().filter(|keypoint| keypoint.is_present()) {
            keypoint.x = (keypoint.x + 0.5) * across - 0.5;
            keypoint.y = (keypoint.y + 0.5) * down - 0.5;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vibhag_core::Keypoint;

    #[test]
    fn sides_are_multiples_of_16_and_1_near_the_aspect_ratio() {
        for (from, to) in [
            ([640, 480], [513, 385]),
            ([480, 640], [385, 513]),
            ([640, 426], [513, 337]),
            ([1, 1], [513, 513]),
            ([5000, 1], [513, 17]),
        ] {
            assert_eq!(Scaling::new(from, 513).to(), to, "{from:?}");
        }
    }

    #[test]
    fn borders_come_back_to_borders_and_absent_keypoints_stay() {
        let scaling = Scaling::new([1000, 700], 257);
        let [width, height] = scaling.to().map(|side| side as f64);
        let keypoints = vec![
            Keypoint::found(-0.5, -0.5, 1.0),
            Keypoint::found(width - 0.5, height - 0.5, 1.0),
            Keypoint::found((width - 1.0) / 2.0, (height - 1.0) / 2.0, 1.0),
            Keypoint::ABSENT,
        ];
        let mut pose = Pose { keypoints, score: 1.0, id: None };
        scaling.bring_back(&mut pose);
        let expected = [[-0.5, -0.5], [999.5, 699.5], [499.5, 349.5], [0.0, 0.0]];
        for (keypoint, [x, y]) in pose.keypoints.iter().zip(expected) {
            assert!((keypoint.x - x).abs() < 1e-9 && (keypoint.y - y).abs() < 1e-9, "{keypoint:?}");
        }
    }
}
