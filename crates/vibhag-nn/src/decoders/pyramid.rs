//! U-Net's decoder for backbone encoders, as segmentation-models-pytorch defines it.

use burn::module::Module;
use burn::tensor::Device;
use vibhag_core::{Error, Result};

use crate::blocks::{Order, Sequential, Upsampling, conv_stack};
use crate::encoders::{FeatureSpec, Features};
use crate::engine::{Engine, Interpolation};

/// Upsampling, concatenation with the map of that stride, two convolutions; down to stride 1.
/// A map at stride 1 is used on request only.
#[derive(Module, Debug)]
pub struct PyramidUNet {
    blocks: Vec<Block>,
    #[module(skip)]
    has_skip: Vec<bool>,
    #[module(skip)]
    upsampling: Upsampling,
    out_channels: usize,
}

#[derive(Module, Debug)]
struct Block {
    conv1: Sequential,
    conv2: Sequential,
}

impl PyramidUNet {
    /// A decoder for maps whose strides double (finest first), with the given channels from
    /// coarse to fine: one number per doubling. `full` says whether a map at stride 1 is used.
    ///
    /// # Errors
    /// When the strides do not double, or the number of channels differs from the doublings.
    pub fn new(
        specs: &[FeatureSpec],
        channels: &[usize],
        full: bool,
        upsampling: Upsampling,
        device: &Device,
    ) -> Result<Self> {
        let doubling = specs.windows(2).all(|pair| pair[1].stride == 2 * pair[0].stride);
        let Some(coarsest) = specs.last().filter(|spec| doubling && spec.stride.is_power_of_two()) else {
            return Err(Error::config("this decoder needs feature maps whose strides double"));
        };
        let doublings = coarsest.stride.ilog2() as usize;
        let Some(&out_channels) = channels.last().filter(|_| channels.len() == doublings) else {
            let found = format!("decoder_channels has {}", channels.len());
            return Err(Error::config(format!(
                "the decoder needs {doublings} widths, one per doubling of the resolution"
            ))
            .at(found));
        };
        if !matches!(upsampling, Upsampling::Nearest | Upsampling::Bilinear) {
            return Err(
                Error::config("a U-Net over an encoder upsamples by nearest or bilinear").at(format!("{upsampling:?}"))
            );
        }
        let (mut blocks, mut has_skip) = (Vec::new(), Vec::new());
        let (mut inputs, mut stride) = (coarsest.channels, coarsest.stride);
        for &width in channels {
            stride /= 2;
            let skip = specs.iter().find(|spec| spec.stride == stride && (stride > 1 || full));
            blocks.push(Block {
                conv1: conv_stack(&[inputs + skip.map_or(0, |spec| spec.channels), width], Order::NormRelu, device),
                conv2: conv_stack(&[width, width], Order::NormRelu, device),
            });
            has_skip.push(skip.is_some());
            inputs = width;
        }
        Ok(Self { blocks, has_skip, upsampling, out_channels })
    }

    /// Channels of the output.
    pub fn out_channels(&self) -> usize {
        self.out_channels
    }

    /// The encoder's maps -> [N, C, H, W] at stride 1.
    pub fn forward<E: Engine>(&self, engine: &mut E, features: Features<E>) -> E::Map {
        let Features { coarsest: mut x, mut finer, .. } = features;
        let interpolation = match self.upsampling {
            Upsampling::Bilinear => Interpolation::Bilinear,
            _ => Interpolation::Nearest,
        };
        for (block, &has_skip) in self.blocks.iter().zip(&self.has_skip) {
            let skip = finer.pop().filter(|_| has_skip);
            x = engine.upsample(x, interpolation, skip);
            x = block.conv1.forward(engine, x);
            x = block.conv2.forward(engine, x);
        }
        x
    }
}
