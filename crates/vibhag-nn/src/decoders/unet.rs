//! U-Net's expanding path (Ronneberger et al., 2015), and the same path without skips.

use burn::module::Module;
use burn::tensor::Device;
use vibhag_core::{Error, Result};

use crate::blocks::{ConvTranspose2d, Order, Sequential, Upsampling, conv_stack};
use crate::encoders::{FeatureSpec, Features};
use crate::engine::{Engine, Interpolation};

/// Upsampling, concatenation with the encoder's map, double convolution; down to stride 1.
#[derive(Module, Debug)]
pub struct UNetDecoder {
    up: Vec<ConvTranspose2d>,
    dec: Vec<Sequential>,
    #[module(skip)]
    upsampling: Upsampling,
    skips: bool,
    out_channels: usize,
}

impl UNetDecoder {
    /// A decoder for maps of strides 1, 2, 4, ... (finest first). With `skips` the encoder's maps
    /// are concatenated; without, only the coarsest is used.
    ///
    /// # Errors
    /// When the strides are others, or the upsampling is unpooling.
    pub fn new(
        specs: &[FeatureSpec],
        upsampling: Upsampling,
        order: Order,
        skips: bool,
        device: &Device,
    ) -> Result<Self> {
        let from_one = specs.iter().enumerate().all(|(level, spec)| spec.stride == 1 << level);
        if specs.is_empty() || !from_one {
            return Err(Error::config("this decoder needs feature maps at strides 1, 2, 4, ...")
                .hint("use it without --encoder"));
        }
        if upsampling == Upsampling::Unpooling {
            return Err(Error::config("U-Net does not unpool").hint("use transposed, bilinear or nearest upsampling"));
        }
        let (mut up, mut dec) = (Vec::new(), Vec::new());
        for pair in specs.windows(2).rev() {
            let (fine, coarse) = (pair[0].channels, pair[1].channels);
            let mut inputs = coarse;
            if upsampling == Upsampling::Transposed {
                up.push(ConvTranspose2d::doubling(coarse, fine, device));
                inputs = fine;
            }
            if skips {
                inputs += fine;
            }
            dec.push(conv_stack(&[inputs, fine, fine], order, device));
        }
        Ok(Self { up, dec, upsampling, skips, out_channels: specs[0].channels })
    }

    /// Channels of the output.
    pub fn out_channels(&self) -> usize {
        self.out_channels
    }

    /// The encoder's maps -> [N, C, H, W] at stride 1.
    pub fn forward<E: Engine>(&self, engine: &mut E, features: Features<E>) -> E::Map {
        let Features { coarsest: mut x, mut finer, .. } = features;
        for (level, convolutions) in self.dec.iter().enumerate() {
            let skip = finer.pop().filter(|_| self.skips);
            x = match self.upsampling {
                Upsampling::Transposed => {
                    let up = engine.transposed(x, &self.up[level]);
                    match skip {
                        Some(skip) => engine.concat(up, skip),
                        None => up,
                    }
                }
                Upsampling::Nearest => engine.upsample(x, Interpolation::Nearest, skip),
                Upsampling::Bilinear | Upsampling::Unpooling => engine.upsample(x, Interpolation::Bilinear, skip),
            };
            x = convolutions.forward(engine, x);
        }
        x
    }
}
