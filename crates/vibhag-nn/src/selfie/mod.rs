//! A small network that tells people near the camera from what is behind them, with weights that come with it:
//! MediaPipe's selfie segmentation. Inverted bottlenecks of MobileNetV3 (Howard et al., "Searching for MobileNetV3", ICCV
//! 2019) down to stride 16, its reduced spatial pyramid over them, and a decoder that weighs the skips' channels.

mod layers;
mod pretrained;

use std::collections::BTreeMap;

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use vibhag_core::Result;

use crate::blocks::{Conv2d, ConvTranspose2d};
use crate::engine::{Burn, Engine};
use crate::import::tflite::Layer;
use crate::named::{LoadReport, NamedTensor, take};
use crate::ops::Activation;
use layers::{BLOCKS, Bottleneck, Level, Maker};

pub use pretrained::{SELFIE, from_tflite};

/// Channels after the first convolution.
const STEM: usize = 16;
/// Channels into which the coarsest map is widened before the decoder.
const SUMMARY: usize = 128;
/// The layer that makes the output.
const LAST: &str = "segment";

/// The network. Normalisation is part of the convolutions.
#[derive(Module, Debug)]
pub struct SelfieNet {
    stem: Conv2d,
    blocks: Vec<Bottleneck>,
    summary: Conv2d,
    /// From the means of the coarsest map to a weight for each channel of the summary.
    importance: Conv2d,
    levels: Vec<Level>,
    segment: ConvTranspose2d,
}

impl SelfieNet {
    /// Channels of the input: red, green and blue.
    pub const IN_CHANNELS: usize = 3;
    /// Pixels from one cell of the coarsest map to the next, of which sides are multiples.
    pub const STRIDE: usize = 16;
    /// Rows and columns of the input that it was trained on.
    pub const SIDE: usize = 256;

    /// The network with its own weights.
    ///
    /// # Errors
    /// When the weights that come with the program are damaged.
    pub fn pretrained(device: &Device) -> Result<Self> {
        Self::from_tensors(crate::weights::from_bytes(SELFIE.bytes)?, device)
    }

    /// The network of the given tensors, all of which must fit and none may be missing.
    ///
    /// # Errors
    /// Names what is missing, unexpected or of another shape.
    pub fn from_tensors(tensors: Vec<NamedTensor>, device: &Device) -> Result<Self> {
        let mut given: BTreeMap<String, NamedTensor> =
            tensors.into_iter().map(|tensor| (tensor.name.clone(), tensor)).collect();
        let mut report = LoadReport::default();
        let mut network = Self::build(device, &mut |name, spec| {
            let mut conv = spec.init(device);
            if let Some(weight) = take(&mut given, &format!("{name}.weight"), conv.weight.dims(), &mut report) {
                conv.weight = Param::from_tensor(Tensor::from_data(weight, device));
            }
            if let Some(bias) = take(&mut given, &format!("{name}.bias"), [spec.outputs], &mut report) {
                conv.bias = Some(Param::from_tensor(Tensor::from_data(bias, device)));
            }
            conv
        });
        let last = &mut network.segment;
        if let Some(weight) = take(&mut given, &format!("{LAST}.weight"), last.weight.dims(), &mut report) {
            last.weight = Param::from_tensor(Tensor::from_data(weight, device));
        }
        if let Some(bias) = take(&mut given, &format!("{LAST}.bias"), last.bias.dims(), &mut report) {
            last.bias = Param::from_tensor(Tensor::from_data(bias, device));
        }
        report.unexpected = given.into_keys().collect();
        report.require_exact()?;
        Ok(network)
    }

    /// Every tensor by the checkpoint's names.
    ///
    /// # Errors
    /// When the device does not give the values out.
    pub fn named_tensors(&self) -> Result<Vec<NamedTensor>> {
        let mut tensors = Vec::new();
        for (name, layer) in self.layers() {
            let (shape, outputs, (weight, bias)) = match layer {
                Layer::Conv(conv) => (conv.weight.dims(), conv.weight.dims()[0], conv.values()?),
                Layer::Transposed(conv) => (conv.weight.dims(), conv.weight.dims()[1], conv.values()?),
            };
            tensors.push(NamedTensor { name: format!("{name}.weight"), shape: shape.to_vec(), values: weight });
            tensors.push(NamedTensor { name: format!("{name}.bias"), shape: vec![outputs], values: bias });
        }
        Ok(tensors)
    }

    /// The number of weights.
    pub fn parameters(&self) -> usize {
        self.num_params()
    }

    /// Logits of the probability that a pixel shows a person, from images on the scale from 0 to 1.
    ///
    /// # Shapes
    /// `x` [N, 3, H, W] -> [N, 1, H, W], sides multiples of 16. The weights were learnt at 256 x 256.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        self.run(&mut Burn, x)
    }

    /// What [`Self::forward`] gives, as `engine` computes it.
    pub fn run<E: Engine>(&self, engine: &mut E, x: E::Map) -> E::Map {
        let mut x = engine.conv(x, &self.stem, None, Activation::HardSwish);
        let mut skips = vec![x.clone()];
        for (own, block) in self.blocks.iter().zip(&BLOCKS) {
            x = own.run(engine, x, block);
            if block.tap {
                skips.push(x.clone());
            }
        }
        let means = engine.means(x.clone());
        let wide = engine.conv(x, &self.summary, None, Activation::Relu);
        let importance = engine.conv(means, &self.importance, None, Activation::Sigmoid);
        let mut x = engine.scale(wide, importance);
        for (level, skip) in self.levels.iter().zip(skips.into_iter().rev()) {
            x = level.run(engine, x, skip);
        }
        engine.transposed(x, &self.segment)
    }

    /// The network whose convolutions `make` makes, by their names in the checkpoint.
    fn build(device: &Device, make: layers::Make<'_>) -> Self {
        let mut maker = Maker::new(make);
        let stem = maker.stem(Self::IN_CHANNELS, STEM);
        let (mut blocks, mut taps, mut inputs) = (Vec::new(), vec![STEM], STEM);
        for block in &BLOCKS {
            blocks.push(Bottleneck::new(&mut maker, inputs, block));
            inputs = block.outputs;
            if block.tap {
                taps.push(inputs);
            }
        }
        let summary = maker.pointwise(inputs, SUMMARY);
        let importance = maker.pointwise(inputs, SUMMARY);
        let (mut levels, mut coarse) = (Vec::new(), SUMMARY);
        for skip in taps.into_iter().rev() {
            levels.push(Level::new(&mut maker, coarse, skip));
            coarse = skip;
        }
        let segment = ConvTranspose2d::doubling(coarse, 1, device);
        Self { stem, blocks, summary, importance, levels, segment }
    }

    /// Every layer by the checkpoint's name, in the order in which [`Self::build`] makes them.
    fn layers(&self) -> Vec<(String, Layer<'_>)> {
        let mut convs = vec![&self.stem];
        for block in &self.blocks {
            convs.extend(block.convs());
        }
        convs.extend([&self.summary, &self.importance]);
        for level in &self.levels {
            convs.extend(level.convs());
        }
        let mut names = layers::Names::default();
        let mut layers: Vec<(String, Layer<'_>)> =
            convs.into_iter().map(|conv| (names.next(conv.groups() > 1), Layer::Conv(conv))).collect();
        layers.push((LAST.to_owned(), Layer::Transposed(&self.segment)));
        layers
    }
}

#[cfg(test)]
mod tests;
