//! The inverted bottleneck (Sandler et al., "MobileNetV2", 2018) without squeeze-and-excitation,
//! as EfficientNet-Lite uses it.

// Fields bear the names of the published checkpoints, underscores included.
#![allow(clippy::used_underscore_binding)]

use burn::module::Module;
use burn::tensor::Device;

use super::{BatchNorm, Conv2d, ConvSpec};
use crate::engine::Engine;
use crate::ops::Activation;

/// Epsilon of every normalisation in EfficientNet.
pub(crate) const EPSILON: f64 = 1e-3;

/// What an inverted bottleneck looks like.
#[derive(Debug, Clone, Copy)]
pub struct MbConvSpec {
    /// Input channels.
    pub inputs: usize,
    /// Output channels.
    pub outputs: usize,
    /// Rows and columns of the depthwise kernel.
    pub kernel: usize,
    /// Stride of the depthwise convolution.
    pub stride: usize,
    /// Widening; 1 leaves the expansion out.
    pub expand: usize,
}

/// 1x1 expansion, depthwise convolution, 1x1 projection, and the input added when shapes agree.
/// The field names are those of the published checkpoints.
#[derive(Module, Debug)]
pub struct MbConv {
    _expand_conv: Option<Conv2d>,
    _bn0: Option<BatchNorm>,
    _depthwise_conv: Conv2d,
    _bn1: BatchNorm,
    _project_conv: Conv2d,
    _bn2: BatchNorm,
    residual: bool,
}

impl MbConv {
    /// The block, with kernels of zeros.
    pub fn new(spec: MbConvSpec, device: &Device) -> Self {
        let MbConvSpec { inputs, outputs, kernel, stride, expand } = spec;
        let wide = inputs * expand;
        let norm = |channels| BatchNorm::with_epsilon(channels, EPSILON, device);
        Self {
            _expand_conv: (expand != 1).then(|| ConvSpec::new(inputs, wide, 1).init(device)),
            _bn0: (expand != 1).then(|| norm(wide)),
            _depthwise_conv: ConvSpec::new(wide, wide, kernel).stride(stride).same().depthwise().init(device),
            _bn1: norm(wide),
            _project_conv: ConvSpec::new(wide, outputs, 1).init(device),
            _bn2: norm(outputs),
            residual: stride == 1 && inputs == outputs,
        }
    }

    /// [N, C, H, W] -> [N, O, ceil(H / stride), ceil(W / stride)].
    pub fn forward<E: Engine>(&self, engine: &mut E, x: E::Map) -> E::Map {
        let wide = match (&self._expand_conv, &self._bn0) {
            (Some(conv), Some(norm)) => engine.conv(x.clone(), conv, Some(norm), Activation::Relu6),
            _ => x.clone(),
        };
        let wide = engine.conv(wide, &self._depthwise_conv, Some(&self._bn1), Activation::Relu6);
        let y = engine.conv(wide, &self._project_conv, Some(&self._bn2), Activation::Identity);
        if self.residual { engine.add(x, y, Activation::Identity) } else { y }
    }
}
