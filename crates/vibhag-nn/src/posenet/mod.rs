//! PoseNet: a small MobileNet whose heads find people's keypoints, with weights that come with it. The maps are those of
//! PersonLab (Papandreou et al., "PersonLab: Person Pose Estimation and Instance Segmentation with a Bottom-Up,
//! Part-Based, Geometric Embedding Model", ECCV 2018).

mod pretrained;

use std::collections::BTreeMap;

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use vibhag_core::Result;

use crate::blocks::{Conv2d, ConvSpec};
use crate::encoders::MobileNetV1;
use crate::engine::{Burn, Engine};
use crate::named::{LoadReport, NamedTensor, take};
use crate::ops::Activation;

pub use pretrained::{POSENET, from_tfjs};

/// Keypoints of COCO-17.
const KEYPOINTS: usize = 17;
/// Edges of the tree that joins them.
const EDGES: usize = 16;
/// The heads by their names in the checkpoint, in the order of the output's channels.
const HEADS: [(&str, usize); 4] = [
    ("heatmap_2", KEYPOINTS),
    ("offset_2", 2 * KEYPOINTS),
    ("displacement_fwd_2", 2 * EDGES),
    ("displacement_bwd_2", 2 * EDGES),
];

/// MobileNetV1 and four heads of 1x1 convolutions. Normalisation is part of the convolutions.
#[derive(Module, Debug)]
pub struct PoseNet {
    body: MobileNetV1,
    heads: Vec<Conv2d>,
}

impl PoseNet {
    /// Channels of the input: red, green and blue.
    pub const IN_CHANNELS: usize = 3;
    /// Channels of the output.
    pub const OUT_CHANNELS: usize = 3 * KEYPOINTS + 4 * EDGES;
    /// Keypoints, whose heat maps come first in the output.
    pub const KEYPOINTS: usize = KEYPOINTS;
    /// Pixels from one cell of the maps to the next.
    pub const STRIDE: usize = MobileNetV1::STRIDE;

    /// The network with its own weights.
    ///
    /// # Errors
    /// When the weights that come with the program are damaged.
    pub fn pretrained(device: &Device) -> Result<Self> {
        Self::from_tensors(crate::weights::from_bytes(POSENET.bytes)?, device)
    }

    /// The network of the given tensors, all of which must fit and none may be missing.
    ///
    /// # Errors
    /// Names what is missing, unexpected or of another shape.
    pub fn from_tensors(tensors: Vec<NamedTensor>, device: &Device) -> Result<Self> {
        let mut given: BTreeMap<String, NamedTensor> =
            tensors.into_iter().map(|tensor| (tensor.name.clone(), tensor)).collect();
        let mut report = LoadReport::default();
        let network = Self::build(&mut |name, spec| {
            let mut conv = spec.init(device);
            if let Some(weight) = take(&mut given, &format!("{name}.weight"), conv.weight.dims(), &mut report) {
                conv.weight = Param::from_tensor(Tensor::from_data(weight, device));
            }
            if let Some(bias) = take(&mut given, &format!("{name}.bias"), [spec.outputs], &mut report) {
                conv.bias = Some(Param::from_tensor(Tensor::from_data(bias, device)));
            }
            conv
        });
        report.unexpected = given.into_keys().collect();
        report.require_exact()?;
        Ok(network)
    }

    /// Every tensor by the checkpoint's names.
    ///
    /// # Errors
    /// When the device does not give the values out.
    pub fn named_tensors(&self) -> Result<Vec<NamedTensor>> {
        let heads = HEADS.iter().zip(&self.heads).map(|((name, _), conv)| ((*name).to_owned(), conv));
        let mut tensors = Vec::new();
        for (name, conv) in self.body.layers().into_iter().chain(heads) {
            let (weight, bias) = conv.values()?;
            let named = |part: &str, shape: Vec<usize>, values: Vec<f32>| NamedTensor {
                name: format!("{name}.{part}"),
                shape,
                values,
            };
            let shape = conv.weight.dims();
            tensors.push(named("bias", vec![shape[0]], bias));
            tensors.push(named("weight", shape.to_vec(), weight));
        }
        Ok(tensors)
    }

    /// The part below the heads.
    pub fn body(&self) -> &MobileNetV1 {
        &self.body
    }

    /// The number of weights.
    pub fn parameters(&self) -> usize {
        let layers = self.body.layers();
        let convs = layers.iter().map(|(_, conv)| *conv).chain(&self.heads);
        convs.map(|conv| conv.weight.dims().iter().product::<usize>() + conv.weight.dims()[0]).sum()
    }

    /// The maps of images on the scale from -1 to 1.
    ///
    /// # Shapes
    /// `x` [N, 3, H, W] -> [N, 115, ceil(H / 16), ceil(W / 16)]: logits of the keypoints (17), offsets to them, down (17)
    /// and right (17), displacements along the edges of the tree, down (16) and right (16), and against them. Cell
    /// (i, j) lies at pixel (16 i, 16 j) where the sides are multiples of 16 and 1.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        self.run(&mut Burn, x)
    }

    /// What [`Self::forward`] gives, as `engine` computes it.
    pub fn run<E: Engine>(&self, engine: &mut E, x: E::Map) -> E::Map {
        let features = self.body.forward(engine, x).coarsest;
        let mut maps: Option<E::Map> = None;
        for head in &self.heads {
            let own = engine.conv(features.clone(), head, None, Activation::Identity);
            maps = Some(match maps {
                None => own,
                Some(before) => engine.concat(before, own),
            });
        }
        maps.unwrap_or(features)
    }

    fn build(make: &mut dyn FnMut(&str, ConvSpec) -> Conv2d) -> Self {
        let body = MobileNetV1::build(Self::IN_CHANNELS, make);
        let heads = HEADS
            .iter()
            .map(|&(name, outputs)| make(name, ConvSpec::new(MobileNetV1::FEATURES, outputs, 1).bias()))
            .collect();
        Self { body, heads }
    }
}

#[cfg(test)]
mod tests;
