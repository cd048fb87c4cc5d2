//! The semantic branch of Panoptic FPN (Kirillov, Girshick, He and Dollar, "Panoptic Feature Pyramid Networks", CVPR
//! 2019, figure 3), carried on to full resolution by residual refinements.

use burn::module::Module;
use burn::tensor::Device;
use vibhag_core::{Error, Result};

use crate::blocks::{Conv2d, ConvSpec, Order, Sequential, conv_stack};
use crate::encoders::{FeatureSpec, Features};
use crate::engine::{Engine, Interpolation};
use crate::ops::Activation;

/// Every level of a feature pyramid (Lin et al., "Feature Pyramid Networks for Object Detection", CVPR 2017) is brought
/// to stride 4 and all are summed; the sum goes to the head by linear maps and interpolation alone, so that what tells
/// whole objects apart is learnt in tens of steps. Where full resolution is wanted, maps finer than stride 4 correct it:
/// each adds what a convolution over both makes of them.
#[derive(Module, Debug)]
pub struct FpnDecoder {
    lateral: Vec<Conv2d>,
    levels: Vec<Vec<Sequential>>,
    reduce: Conv2d,
    refine: Vec<Sequential>,
    #[module(skip)]
    refines: Vec<bool>,
    out_channels: usize,
}

/// The stride at which the levels are summed.
const SUM_STRIDE: usize = 4;

impl FpnDecoder {
    /// A decoder for maps whose strides double (finest first), with the channels of the pyramid, of the levels' sum, and
    /// of the output, which has one value for `out_stride` (1 or 4) pixels along both axes.
    ///
    /// # Errors
    /// When the strides do not double or do not go from 4 or below to above 4, or `channels` are not three.
    pub fn new(specs: &[FeatureSpec], channels: &[usize], out_stride: usize, device: &Device) -> Result<Self> {
        let doubling = specs.windows(2).all(|pair| pair[1].stride == 2 * pair[0].stride);
        let Some(first) = specs.iter().position(|spec| spec.stride == SUM_STRIDE).filter(|_| doubling) else {
            return Err(Error::config("fpn needs feature maps whose strides double, one of them at stride 4"));
        };
        let &[pyramid, sum, out_channels] = channels else {
            let found = format!("decoder_channels has {}", channels.len());
            return Err(Error::config("fpn needs 3 widths: of the pyramid, of the sum, of the output").at(found));
        };
        let mut lateral = Vec::new();
        let mut levels = Vec::new();
        for (level, spec) in specs[first..].iter().enumerate() {
            lateral.push(ConvSpec::new(spec.channels, pyramid, 1).bias().init(device));
            let inputs = std::iter::once(pyramid).chain(std::iter::repeat(sum));
            levels.push(
                inputs.take(level.max(1)).map(|input| conv_stack(&[input, sum], Order::NormRelu, device)).collect(),
            );
        }
        let reduce = ConvSpec::new(sum, out_channels, 1).bias().init(device);
        let (mut refine, mut refines) = (Vec::new(), Vec::new());
        let mut stride = SUM_STRIDE;
        while stride > out_stride {
            stride /= 2;
            let skip = specs[..first].iter().find(|spec| spec.stride == stride);
            refine.extend(
                skip.map(|spec| conv_stack(&[out_channels + spec.channels, out_channels], Order::NormRelu, device)),
            );
            refines.push(skip.is_some());
        }
        Ok(Self { lateral, levels, reduce, refine, refines, out_channels })
    }

    /// Channels of the output.
    pub fn out_channels(&self) -> usize {
        self.out_channels
    }

    /// The encoder's maps -> [N, C, H / s, W / s] at the output's stride s.
    pub fn forward<E: Engine>(&self, engine: &mut E, features: Features<E>) -> E::Map {
        let Features { coarsest, mut finer, .. } = features;
        let coarsest_level = self.lateral.len() - 1;
        let mut pyramid = engine.conv(coarsest, &self.lateral[coarsest_level], None, Activation::Identity);
        let mut sum = self.level(engine, coarsest_level, pyramid.clone());
        for level in (0..coarsest_level).rev() {
            let Some(map) = finer.pop() else { break };
            let above = engine.upsample(pyramid, Interpolation::Nearest, None);
            let own = engine.conv(map, &self.lateral[level], None, Activation::Identity);
            pyramid = engine.add(own, above, Activation::Identity);
            let term = self.level(engine, level, pyramid.clone());
            sum = engine.add(term, sum, Activation::Identity);
        }
        let mut x = engine.conv(sum, &self.reduce, None, Activation::Identity);
        let mut refine = self.refine.iter();
        for &refines in &self.refines {
            x = engine.upsample(x, Interpolation::Bilinear, None);
            let (true, Some(skip), Some(convolution)) = (refines, finer.pop(), refine.next()) else { continue };
            let both = engine.concat(x.clone(), skip);
            let correction = convolution.forward(engine, both);
            x = engine.add(correction, x, Activation::Identity);
        }
        x
    }

    /// A map of the pyramid, brought to the stride of the sum: a convolution before every doubling.
    fn level<E: Engine>(&self, engine: &mut E, level: usize, mut x: E::Map) -> E::Map {
        for convolution in &self.levels[level] {
            x = convolution.forward(engine, x);
            if level > 0 {
                x = engine.upsample(x, Interpolation::Bilinear, None);
            }
        }
        x
    }
}
