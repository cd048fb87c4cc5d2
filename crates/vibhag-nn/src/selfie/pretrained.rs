//! The published weights, and how they are taken out of the published graph.

use burn::tensor::Device;
use vibhag_core::Result;

use super::SelfieNet;
use crate::encoders::PretrainedInfo;
use crate::engine::Engine;
use crate::import::tflite::{Model, weights_of};
use crate::named::NamedTensor;
use crate::ops::Activation;

/// The weights that come with [`SelfieNet`].
pub const SELFIE: PretrainedInfo = PretrainedInfo {
    name: "selfie",
    data: "people near the camera",
    licence: "Apache-2.0",
    source: "MediaPipe selfie segmentation, PyPI mediapipe 0.10.21",
    mean: 0.0,
    std: 255.0,
    bytes: include_bytes!("../../weights/selfie.safetensors"),
    stem: "conv2d.weight",
    own_name: |name| Some(name.to_owned()),
};

/// The tensors of [`SelfieNet`] out of a TensorFlow Lite graph of it.
///
/// # Errors
/// When the graph computes anything but this network and a sigmoid.
pub fn from_tflite(model: &Model) -> Result<Vec<NamedTensor>> {
    let device = Device::flex();
    let network = SelfieNet::build(&device, &mut |_, spec| spec.init(&device));
    let layers = network.layers();
    weights_of(model, &layers, |follower, input| {
        let logits = network.run(follower, input);
        follower.activate(logits, Activation::Sigmoid)
    })
}
