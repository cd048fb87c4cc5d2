//! From an image to the people near the camera, by the network that comes with the program.
//!
//! ```no_run
//! use vibhag_nn::bundle::Flips;
//! use vibhag_nn::device::DeviceChoice;
//! use vibhag_predict::SelfiePredictor;
//!
//! # fn main() -> vibhag_core::Result<()> {
//! # let image = vibhag_core::Image::from_u8(1, 1, 1, vec![0])?;
//! let predictor = SelfiePredictor::load(DeviceChoice::Cpu, Flips::Horizontal)?;
//! let people = predictor.probabilities(&image)?;
//! assert_eq!(people.len(), image.width() * image.height());
//! # Ok(())
//! # }
//! ```

use burn::tensor::activation::sigmoid;
use burn::tensor::{Device, Tensor, TensorData};
use vibhag_core::{Error, ErrorKind, Geometry, Head, Image, Preprocessing, Result};
use vibhag_nn::bundle::Flips;
use vibhag_nn::device::DeviceChoice;
use vibhag_nn::selfie::SELFIE;
use vibhag_nn::{SelfieNet, backend, ops};

use crate::plan::{Plan, PlanCache};
use crate::planned::{self, back_from};
use crate::runner::{Probabilities, seen};
use crate::sink::Sink;
use crate::whole;

/// Probability from which a pixel counts as a person.
const THRESHOLD: f32 = 0.5;

/// The network for one person or a few near the camera: selfies, video calls, upper bodies.
#[derive(Debug)]
pub struct SelfiePredictor {
    runner: SelfieRunner,
    preprocessing: Preprocessing,
}

impl SelfiePredictor {
    /// A predictor on a device, which averages over `flips` of the input.
    ///
    /// # Errors
    /// When this build does not know the device, or the weights that come with the program are damaged.
    pub fn load(device: DeviceChoice, flips: Flips) -> Result<Self> {
        let device = device.open()?;
        let network = SelfieNet::pretrained(&device)?;
        let preprocessing = Preprocessing {
            channels: SelfieNet::IN_CHANNELS,
            mean: vec![SELFIE.mean; SelfieNet::IN_CHANNELS],
            std: vec![SELFIE.std; SelfieNet::IN_CHANNELS],
            stretch: None,
            scale: 1.0,
            geometry: Geometry::Resize { height: SelfieNet::SIDE, width: SelfieNet::SIDE },
        };
        Ok(Self { runner: SelfieRunner { network, device, plans: PlanCache::default(), flips }, preprocessing })
    }

    /// The probability that it shows a person for every pixel of the image, row by row. The network sees the whole image,
    /// brought to 256 x 256 whatever its aspect, as it has learnt.
    ///
    /// # Errors
    /// When the image's channels cannot be made red, green and blue, or the device fails.
    pub fn probabilities(&self, image: &Image) -> Result<Vec<f32>> {
        let mut sink = Sink::new(image.width(), image.height(), 1, THRESHOLD, true);
        whole::predict(image, &self.preprocessing, &self.runner, &mut sink)?;
        let planes = sink.finish()?.probabilities.and_then(|planes| planes.into_iter().next());
        planes.ok_or_else(|| Error::new(ErrorKind::Model, "the network gives no probabilities"))
    }
}

#[derive(Debug)]
struct SelfieRunner {
    network: SelfieNet,
    device: Device,
    plans: PlanCache,
    flips: Flips,
}

impl SelfieRunner {
    /// Image by image through a plan; `None` where the kernels cannot compute the network.
    fn through_plan(&self, batch: &[f32], [n, c, h, w]: [usize; 4]) -> Result<Option<Vec<f32>>> {
        let compile = |size| Plan::compile_selfie(&self.network, size);
        self.plans.with_compiled([h, w], compile, |plan| {
            let mut output = vec![0.0; n * h * w];
            let images = batch.chunks_exact((c * h * w).max(1));
            for (image, mean) in images.zip(output.chunks_exact_mut(h * w)) {
                planned::probabilities(plan, image, [h, w], self.flips.views([h, w]), Head::Semantic, mean)?;
            }
            Ok(output)
        })
    }

    /// The whole batch on tensors.
    fn through_tensors(&self, batch: Vec<f32>, shape: [usize; 4]) -> Result<Vec<f32>> {
        let batch: Tensor<4> = Tensor::from_data(TensorData::new(batch, shape), &self.device);
        let views = self.flips.views([shape[2], shape[3]]);
        let of = |view| sigmoid(seen(self.network.forward(seen(batch.clone(), view)), back_from(view)));
        let sum = views[1..].iter().fold(of(views[0]), |sum, &view| sum + of(view));
        ops::values(sum / views.len() as f32)
    }
}

impl Probabilities for SelfieRunner {
    fn planes(&self) -> usize {
        1
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

#[cfg(test)]
mod tests {
    use super::*;
    use vibhag_core::Samples;

    #[test]
    fn plan_and_tensors_give_the_same_probabilities() {
        for flips in [Flips::None, Flips::Horizontal, Flips::Turns] {
            let SelfiePredictor { runner, .. } = SelfiePredictor::load(DeviceChoice::Cpu, flips).unwrap();
            for shape in [[1, 3, 256, 256], [2, 3, 64, 96]] {
                let len: usize = shape.iter().product();
                let batch: Vec<f32> = (0..len).map(|i| ((i / 700 * 7919 + i * 13) % 1009) as f32 / 1009.0).collect();
                let planned = runner.through_plan(&batch, shape).unwrap().unwrap();
                let expected = runner.through_tensors(batch, shape).unwrap();
                assert_eq!(planned.len(), expected.len());
                let largest = planned.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                assert!(largest < 1e-3, "{flips:?}, {shape:?}: {largest}");
            }
        }
    }

    #[test]
    fn sizes_that_the_network_cannot_halve_are_refused() {
        let network = SelfieNet::pretrained(&Device::flex()).unwrap();
        for size in [[0, 16], [16, 24], [250, 256]] {
            assert_eq!(Plan::compile_selfie(&network, size).unwrap_err().kind, ErrorKind::Config, "{size:?}");
        }
    }

    #[test]
    fn images_of_any_depth_size_and_channels_are_taken() {
        let predictor = SelfiePredictor::load(DeviceChoice::Cpu, Flips::None).unwrap();
        let dot = Image::from_u8(1, 1, 1, vec![200]).unwrap();
        let deep = Image::new(2, 3, 4, Samples::U16(vec![40_000; 24])).unwrap();
        let line = Image::from_u8(300, 1, 3, vec![7; 900]).unwrap();
        for image in [dot, deep, line] {
            let people = predictor.probabilities(&image).unwrap();
            assert_eq!(people.len(), image.width() * image.height());
            assert!(people.iter().all(|p| (0.0..=1.0).contains(p)), "{people:?}");
        }
        let many = Image::from_u8(1, 1, 7, vec![0; 7]).unwrap();
        assert!(predictor.probabilities(&many).unwrap_err().to_string().contains('7'));
    }
}
