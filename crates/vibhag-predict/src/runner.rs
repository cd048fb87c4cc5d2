//! The network as a function from normalised pixels to probabilities: the only place that runs it.

use burn::tensor::activation::{sigmoid, softmax};
use burn::tensor::{Device, Tensor, TensorData};
use vibhag_core::error::ErrorKind;
use vibhag_core::{Error, Result};
use vibhag_nn::Network;

/// Axes (NCHW) along which the copies of the input are flipped; the identity comes first.
const FLIPS: [&[isize]; 4] = [&[], &[3], &[2], &[2, 3]];

/// Anything that turns a normalised batch (NCHW, with its shape) into probabilities
/// (N, planes, H, W).
pub(crate) trait Probabilities {
    /// Planes of the output.
    fn planes(&self) -> usize;

    /// Probabilities of `batch`, which has `shape` [N, C, H, W].
    fn run(&self, batch: Vec<f32>, shape: [usize; 4]) -> Result<Vec<f32>>;
}

/// A network on its device.
#[derive(Debug)]
pub(crate) struct Runner {
    pub(crate) network: Network,
    pub(crate) device: Device,
    /// Average over the four flips.
    pub(crate) tta: bool,
}

impl Runner {
    fn probabilities(&self, batch: &Tensor<4>, axes: &[isize]) -> Tensor<4> {
        let logits = flip(self.network.forward(flip(batch.clone(), axes)), axes);
        if logits.dims()[1] == 1 { sigmoid(logits) } else { softmax(logits, 1) }
    }
}

impl Probabilities for Runner {
    fn planes(&self) -> usize {
        self.network.config().out_channels
    }

    fn run(&self, batch: Vec<f32>, shape: [usize; 4]) -> Result<Vec<f32>> {
        let batch: Tensor<4> = Tensor::from_data(TensorData::new(batch, shape), &self.device);
        let mut sum = self.probabilities(&batch, FLIPS[0]);
        if self.tta {
            for axes in &FLIPS[1..] {
                sum = sum + self.probabilities(&batch, axes);
            }
            sum = sum.div_scalar(FLIPS.len() as f32);
        }
        sum.try_into_data_as::<f32>()
            .map_err(|error| failed(format!("{error:?}")))?
            .try_to_vec::<f32>()
            .map_err(|error| failed(format!("{error:?}")))
    }
}

fn flip(x: Tensor<4>, axes: &[isize]) -> Tensor<4> {
    axes.iter().fold(x, |x, &axis| x.flip([axis]))
}

fn failed(reason: String) -> Error {
    Error::new(ErrorKind::Model, format!("the device could not run the network: {reason}"))
        .hint("try a smaller batch or --device cpu")
}
