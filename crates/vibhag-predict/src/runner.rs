//! The network as a function from normalised pixels to probabilities: the only place that runs it.

use burn::tensor::activation::{sigmoid, softmax};
use burn::tensor::{Device, Tensor, TensorData};
use vibhag_core::error::ErrorKind;
use vibhag_core::{Error, Head, LENGTH_UNIT, Result};
use vibhag_nn::bundle::{Flips, View};
use vibhag_nn::{Network, backend};

use crate::plan::PlanCache;
use crate::planned::{self, back_from, map_sources};

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
    network: Network,
    device: Device,
    /// Flipped copies to average over.
    pub(crate) tta: Flips,
    plans: PlanCache,
}

impl Runner {
    /// A runner of `network`, which lives on `device` without gradients.
    pub(crate) fn new(network: Network, device: Device, tta: Flips) -> Self {
        Self { network, device, tta, plans: PlanCache::default() }
    }

    /// Image by image through a plan; `None` where the kernels cannot compute the network.
    fn through_plan(&self, batch: &[f32], [n, c, h, w]: [usize; 4]) -> Result<Option<Vec<f32>>> {
        let planes = self.planes();
        let head = self.network.config().head;
        self.plans.with(&self.network, [h, w], |plan| {
            let mut output = vec![0.0; n * planes * h * w];
            let images = batch.chunks_exact((c * h * w).max(1));
            for (image, mean) in images.zip(output.chunks_exact_mut(planes * h * w)) {
                planned::probabilities(plan, image, [h, w], self.tta.views([h, w]), head, mean)?;
            }
            Ok(output)
        })
    }

    /// The whole batch on tensors.
    fn through_tensors(&self, batch: Vec<f32>, shape: [usize; 4]) -> Result<Vec<f32>> {
        let batch: Tensor<4> = Tensor::from_data(TensorData::new(batch, shape), &self.device);
        let views = self.tta.views([shape[2], shape[3]]);
        let mut sum = self.probabilities(&batch, views[0]);
        for &view in &views[1..] {
            sum = sum + self.probabilities(&batch, view);
        }
        if views.len() > 1 {
            sum = sum.div_scalar(views.len() as f32);
        }
        sum.try_into_data_as::<f32>()
            .map_err(|error| failed(format!("{error:?}")))?
            .try_to_vec::<f32>()
            .map_err(|error| failed(format!("{error:?}")))
    }

    fn probabilities(&self, batch: &Tensor<4>, view: View) -> Tensor<4> {
        let config = self.network.config();
        let output = seen(self.network.forward(seen(batch.clone(), view)), back_from(view));
        let (classes, head) = (config.out_channels, config.head);
        let part = |first: usize, count: usize| output.clone().narrow(1, first, count);
        let logits = part(0, classes);
        let mut parts = vec![if classes == 1 { sigmoid(logits) } else { softmax(logits, 1) }];
        for (map, (source, sign)) in map_sources(head, view).into_iter().enumerate() {
            let from = part(classes + source, 1);
            let is_logit = head == Head::Star && map == 0;
            let is_length = map >= head.first_length();
            let scale = if is_length { sign * LENGTH_UNIT } else { sign };
            parts.push(if is_logit { sigmoid(from) } else { from.mul_scalar(scale) });
        }
        Tensor::cat(parts, 1)
    }
}

impl Probabilities for Runner {
    fn planes(&self) -> usize {
        self.network.config().planes()
    }

    fn run(&self, batch: Vec<f32>, shape: [usize; 4]) -> Result<Vec<f32>> {
        if backend::computes_on(&self.device)
            && let Some(probabilities) = self.through_plan(&batch, shape)?
        {
            return Ok(probabilities);
        }
        self.through_tensors(batch, shape)
    }
}

/// The maps as `view` shows them.
pub(crate) fn seen(x: Tensor<4>, view: View) -> Tensor<4> {
    let axes = [(view.vertical, 2), (view.horizontal, 3)];
    let x = axes.into_iter().filter(|(flipped, _)| *flipped).fold(x, |x, (_, axis)| x.flip([axis]));
    if view.transposed { x.swap_dims(2, 3) } else { x }
}

fn failed(reason: String) -> Error {
    Error::new(ErrorKind::Model, format!("the device could not run the network: {reason}"))
        .hint("try a smaller batch or --device cpu")
}

#[cfg(test)]
mod tests {
    use super::*;
    use vibhag_nn::NetworkConfig;

    #[test]
    fn plan_and_tensors_give_the_same_probabilities() {
        let heads = [Head::Semantic, Head::Center, Head::Star, Head::Flow];
        let cases = [(1, Flips::None), (1, Flips::Turns), (3, Flips::Horizontal), (3, Flips::All)];
        for (outputs, flips, head) in cases.iter().flat_map(|&(n, flips)| heads.map(|head| (n, flips, head))) {
            let mut config = NetworkConfig::new("unet-lite", None, 3, outputs).unwrap().with_head(head);
            config.widths = vec![4, 6, 8];
            let runner = Runner::new(config.init(&Device::flex(), 5).unwrap(), Device::flex(), flips);
            for shape in [[2, 3, 16, 24], [1, 3, 13, 22], [2, 3, 16, 16], [1, 3, 5, 5]] {
                let len: usize = shape.iter().product();
                let batch: Vec<f32> = (0..len).map(|i| ((i * 7919 % 1009) as f32 / 504.5) - 1.0).collect();
                let planned = runner.through_plan(&batch, shape).unwrap().unwrap();
                let expected = runner.through_tensors(batch, shape).unwrap();
                assert_eq!(planned.len(), expected.len());
                let largest = planned.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                assert!(largest < 1e-4, "{outputs} outputs, {head}, {flips:?}, {shape:?}: {largest}");
            }
        }
    }
}
