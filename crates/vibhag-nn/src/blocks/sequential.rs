//! Layers in a row, numbered as PyTorch's `nn.Sequential` numbers them (activations count).

use burn::module::Module;
use burn::tensor::Device;

use super::{BatchNorm, Conv2d, ConvSpec};
use crate::engine::Engine;
use crate::ops::Activation;

/// One layer of a [`Sequential`].
#[derive(Module, Debug)]
// A network has tens of layers: the unused bytes of activations do not matter.
#[allow(clippy::large_enum_variant)]
pub enum Layer {
    /// Convolution.
    Conv(Conv2d),
    /// Batch normalisation.
    Norm(BatchNorm),
    /// Activation.
    Act(ActivationLayer),
    /// 2x2 max pooling.
    Pool(MaxPool),
}

/// An activation as a layer.
#[derive(Module, Debug)]
pub struct ActivationLayer {
    #[module(skip)]
    kind: Activation,
}

/// 2x2 max pooling as a layer.
#[derive(Module, Debug, Default)]
pub struct MaxPool;

/// In which order a convolution, its normalisation and its activation run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Convolution, normalisation, ReLU.
    NormRelu,
    /// Convolution, ReLU, normalisation.
    ReluNorm,
}

/// Layers in a row.
#[derive(Module, Debug)]
pub struct Sequential {
    layers: Vec<Layer>,
}

impl Layer {
    /// 2x2 max pooling.
    pub fn pool() -> Self {
        Self::Pool(MaxPool)
    }

    /// A ReLU.
    pub fn relu() -> Self {
        Self::Act(ActivationLayer { kind: Activation::Relu })
    }
}

impl Sequential {
    /// The given layers.
    pub fn new(layers: Vec<Layer>) -> Self {
        Self { layers }
    }

    /// The layers.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// Runs all layers on [N, C, H, W].
    pub fn forward<E: Engine>(&self, engine: &mut E, x: E::Map) -> E::Map {
        Self::run(engine, &self.layers, x)
    }

    /// Runs some layers; a convolution with the layers that follow it is one step.
    pub fn run<E: Engine>(engine: &mut E, mut layers: &[Layer], mut x: E::Map) -> E::Map {
        loop {
            (x, layers) = match layers {
                [] => return x,
                [Layer::Conv(conv), Layer::Norm(norm), Layer::Act(act), rest @ ..] => {
                    (engine.conv(x, conv, Some(norm), act.kind), rest)
                }
                [Layer::Conv(conv), Layer::Norm(norm), rest @ ..] => {
                    (engine.conv(x, conv, Some(norm), Activation::Identity), rest)
                }
                [Layer::Conv(conv), Layer::Act(act), rest @ ..] => (engine.conv(x, conv, None, act.kind), rest),
                [Layer::Conv(conv), rest @ ..] => (engine.conv(x, conv, None, Activation::Identity), rest),
                [Layer::Norm(norm), Layer::Act(act), rest @ ..] => (engine.norm(x, norm, act.kind), rest),
                [Layer::Norm(norm), rest @ ..] => (engine.norm(x, norm, Activation::Identity), rest),
                [Layer::Act(act), rest @ ..] => (engine.activate(x, act.kind), rest),
                [Layer::Pool(_), rest @ ..] => (engine.max_pool(x, 2, 2, 0), rest),
            };
        }
    }
}

/// 3x3 convolutions without bias through the given widths, each with normalisation and ReLU.
/// `widths` starts with the input's channels; three numbers make U-Net's double convolution.
pub fn conv_stack(widths: &[usize], order: Order, device: &Device) -> Sequential {
    let mut layers = Vec::new();
    for pair in widths.windows(2) {
        layers.push(Layer::Conv(ConvSpec::new(pair[0], pair[1], 3).init(device)));
        let norm = Layer::Norm(BatchNorm::new(pair[1], device));
        match order {
            Order::NormRelu => layers.extend([norm, Layer::relu()]),
            Order::ReluNorm => layers.extend([Layer::relu(), norm]),
        }
    }
    Sequential::new(layers)
}
