//! What happens to an image before the network sees it. Written into the model bundle, so that
//! training and prediction cannot disagree.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// How an image of any size meets a network trained at one size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Geometry {
    /// The whole image is resized to `height` x `width`; probabilities are resized back.
    Resize {
        /// Rows of the network's input.
        height: usize,
        /// Columns of the network's input.
        width: usize,
    },
    /// The image keeps its resolution; windows of `height` x `width` slide over it.
    Window {
        /// Rows of a window.
        height: usize,
        /// Columns of a window.
        width: usize,
    },
}

impl Geometry {
    /// Height and width of the network's input.
    pub fn size(&self) -> (usize, usize) {
        match *self {
            Self::Resize { height, width } | Self::Window { height, width } => (height, width),
        }
    }
}

/// Channels, normalisation and geometry of the network's input.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Preprocessing {
    /// Channels of the network's input.
    pub channels: usize,
    /// Mean of each channel on the 0..=255 scale.
    pub mean: Vec<f32>,
    /// Standard deviation of each channel on the 0..=255 scale.
    pub std: Vec<f32>,
    /// Percentiles (0..=100) of an image's samples between which it is stretched to the whole scale before anything
    /// else; none leaves it as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stretch: Option<[f32; 2]>,
    /// Magnification, 1 to 4, before windows are cut: objects of a few pixels are told apart better on a larger image.
    /// Probabilities and maps come back at the image's own size. 1 for whole images that are resized; from 1/16 on where
    /// people's keypoints are found, so that those of large photographs have a usual size.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub scale: f32,
    /// Size policy.
    pub geometry: Geometry,
}

/// Images are shrunk to this at most before people's keypoints are looked for.
const LEAST_POSE_SCALE: f32 = 1.0 / 16.0;

fn one() -> f32 {
    1.0
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_one(scale: &f32) -> bool {
    *scale == 1.0
}

impl Preprocessing {
    /// Checks that the percentiles to stretch between rise within 0..=100 and that the magnification suits the geometry.
    ///
    /// # Errors
    /// A configuration error with the values.
    pub fn check(&self) -> Result<()> {
        self.check_from(1.0)
    }

    /// As [`Self::check`] for people's keypoints, for which images may be shrunk and are never resized to one size.
    ///
    /// # Errors
    /// A configuration error with the values.
    pub fn check_for_poses(&self) -> Result<()> {
        if matches!(self.geometry, Geometry::Resize { .. }) {
            return Err(
                Error::config("resizing to one size would distort people").hint("use input.geometry.kind = \"window\"")
            );
        }
        self.check_from(LEAST_POSE_SCALE)
    }

    fn check_from(&self, least_scale: f32) -> Result<()> {
        if let Some([low, high]) = self.stretch
            && !(0.0 <= low && low < high && high <= 100.0)
        {
            return Err(Error::config("input.stretch needs two rising percentiles from 0 to 100")
                .at(format!("[{low}, {high}]")));
        }
        if !(least_scale..=4.0).contains(&self.scale) {
            let what = format!("input.scale must lie from {least_scale} to 4");
            return Err(Error::config(what).at(self.scale.to_string()));
        }
        if self.scale != 1.0 && matches!(self.geometry, Geometry::Resize { .. }) {
            return Err(Error::config("input.scale magnifies images before windows are cut")
                .at(format!("{} with whole images resized", self.scale))
                .hint("use input.geometry.kind = \"window\", or a larger size to resize to"));
        }
        Ok(())
    }

    /// Normalises interleaved samples on the 0..=255 scale (HWC) into planes (CHW):
    /// `(x - mean) / std` per channel. `out` holds `channels * pixels` values.
    pub fn normalize_to_planes(&self, interleaved: &[f32], out: &mut [f32]) {
        let pixels = interleaved.len() / self.channels;
        for (channel, plane) in out.chunks_exact_mut(pixels).enumerate() {
            let (mean, scale) = (self.mean[channel], self.std[channel].recip());
            for (value, pixel) in plane.iter_mut().zip(interleaved.chunks_exact(self.channels)) {
                *value = (pixel[channel] - mean) * scale;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_magnification_suits_windows_only() {
        let window = Preprocessing {
            channels: 1,
            mean: vec![0.0],
            std: vec![1.0],
            stretch: None,
            scale: 1.5,
            geometry: Geometry::Window { height: 8, width: 8 },
        };
        window.check().unwrap();
        let resized = Preprocessing { geometry: Geometry::Resize { height: 8, width: 8 }, ..window.clone() };
        assert!(resized.check().unwrap_err().to_string().contains("window"));
        for scale in [0.5, 4.5, f32::NAN] {
            assert!(Preprocessing { scale, ..window.clone() }.check().is_err());
        }
        let shrunk = Preprocessing { scale: 0.5, ..window.clone() };
        shrunk.check_for_poses().unwrap();
        assert!(Preprocessing { scale: 0.01, ..shrunk }.check_for_poses().is_err());
        assert!(resized.check_for_poses().unwrap_err().to_string().contains("window"));
        assert!(Preprocessing { stretch: Some([5.0, 5.0]), ..window }.check().is_err());
    }

    #[test]
    fn planes_are_normalised_per_channel() {
        let preprocessing = Preprocessing {
            channels: 2,
            mean: vec![10.0, 0.0],
            std: vec![2.0, 10.0],
            stretch: None,
            scale: 1.0,
            geometry: Geometry::Resize { height: 1, width: 2 },
        };
        let mut out = [0.0; 4];
        preprocessing.normalize_to_planes(&[12.0, 10.0, 8.0, 20.0], &mut out);
        assert_eq!(out, [1.0, -1.0, 1.0, 2.0]);
    }
}
