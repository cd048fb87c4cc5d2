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
    /// Size policy.
    pub geometry: Geometry,
}

impl Preprocessing {
    /// Checks that the percentiles to stretch between rise within 0..=100.
    ///
    /// # Errors
    /// A configuration error with the two.
    pub fn check_stretch(&self) -> Result<()> {
        match self.stretch {
            Some([low, high]) if !(0.0 <= low && low < high && high <= 100.0) => {
                Err(Error::config("input.stretch needs two rising percentiles from 0 to 100")
                    .at(format!("[{low}, {high}]")))
            }
            _ => Ok(()),
        }
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
    fn planes_are_normalised_per_channel() {
        let preprocessing = Preprocessing {
            channels: 2,
            mean: vec![10.0, 0.0],
            std: vec![2.0, 10.0],
            stretch: None,
            geometry: Geometry::Resize { height: 1, width: 2 },
        };
        let mut out = [0.0; 4];
        preprocessing.normalize_to_planes(&[12.0, 10.0, 8.0, 20.0], &mut out);
        assert_eq!(out, [1.0, -1.0, 1.0, 2.0]);
    }
}
