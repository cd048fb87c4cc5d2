//! Cross-entropy of the pixels beside the true edges, which a mean over all pixels hardly counts (weights at borders:
//! Ronneberger, Fischer and Brox, "U-Net", MICCAI 2015, equation 2).

use burn::tensor::{Tensor, TensorData, activation};
use serde::{Deserialize, Serialize};
use vibhag_core::{Error, Result};

use super::inputs::{Inputs, ratio};

/// `-log p_t` averaged over the valid pixels near an edge: those that have a valid pixel of another class within `reach`
/// rows and columns. `p_t` is the true class's probability.
///
/// The paper's weights fade with the distance; here every pixel of the band counts alike, so that the term keeps its size
/// whatever the share of edges in an image is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Edge {
    /// Factor in the sum of terms.
    pub weight: f64,
    /// How far from an edge a pixel still counts, in pixels of the network's input.
    pub reach: usize,
}

impl Default for Edge {
    fn default() -> Self {
        Self { weight: 1.0, reach: 2 }
    }
}

impl Edge {
    pub(super) fn validate(self) -> Result<()> {
        if (1..=64).contains(&self.reach) {
            return Ok(());
        }
        Err(Error::config(format!("edge reach {} is out of range", self.reach)).hint("use 1 to 64 pixels"))
    }

    pub(super) fn forward(self, inputs: &mut Inputs) -> Tensor<1> {
        let log_p = if inputs.channels() == 1 {
            // z is the logit of p_t.
            let sign = inputs.one_hot().mul_scalar(2.0).sub_scalar(1.0);
            activation::log_sigmoid(inputs.logits.clone() * sign)
        } else {
            (inputs.log_probabilities() * inputs.one_hot()).sum_dim(1)
        };
        let mut weights = inputs.pixel_weights();
        let [n, _, height, width] = weights.dims();
        if let Some(labels) = inputs.labels() {
            let band: Vec<f32> = labels
                .chunks_exact((height * width).max(1))
                .flat_map(|image| near_edges(image, width, self.reach))
                .collect();
            weights = weights * Tensor::from_data(TensorData::new(band, [n, 1, height, width]), &log_p.device());
        }
        let total = weights.clone().sum();
        ratio((log_p * weights).sum().neg(), total)
    }
}

/// 1 at the pixels of one image that have two classes within `reach` rows and columns, 0 elsewhere. `None` is void.
fn near_edges(labels: &[Option<u16>], width: usize, reach: usize) -> Vec<f32> {
    let height = labels.len() / width.max(1);
    // Two classes are there where the smallest and the largest differ; both are found along rows, then along columns.
    let along_rows: Vec<Option<(u16, u16)>> = (0..labels.len())
        .map(|i| {
            let (y, x) = (i / width, i % width);
            let row = &labels[y * width + x.saturating_sub(reach)..y * width + (x + reach + 1).min(width)];
            row.iter().flatten().map(|&label| (label, label)).reduce(joined)
        })
        .collect();
    (0..labels.len())
        .map(|i| {
            let (y, x) = (i / width, i % width);
            let rows = y.saturating_sub(reach)..(y + reach + 1).min(height);
            let around = rows.filter_map(|y| along_rows[y * width + x]).reduce(joined);
            f32::from(u8::from(labels[i].is_some() && around.is_some_and(|(least, most)| least < most)))
        })
        .collect()
}

fn joined(a: (u16, u16), b: (u16, u16)) -> (u16, u16) {
    (a.0.min(b.0), a.1.max(b.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_band_lies_on_both_sides_of_an_edge_and_void_makes_none() {
        let row: Vec<Option<u16>> = [0, 0, 0, 2, 2, 2, 9, 1].map(|label| (label != 9).then_some(label)).into();
        assert_eq!(near_edges(&row, 8, 1), [0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0]);
        assert_eq!(near_edges(&row, 8, 2), [0.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.0, 1.0]);
        let column: Vec<Option<u16>> = vec![Some(1), Some(1), Some(0), Some(0)];
        assert_eq!(near_edges(&column, 1, 1), [0.0, 1.0, 1.0, 0.0]);
        assert_eq!(near_edges(&[Some(3); 6], 3, 2), [0.0; 6]);
    }
}
