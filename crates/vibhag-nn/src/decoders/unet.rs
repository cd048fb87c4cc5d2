//! U-Net's expanding path (Ronneberger et al., 2015), and the same path without skips.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use vibhag_core::{Error, Result};

use crate::blocks::{ConvTranspose2d, Order, Sequential, Upsampling, conv_stack};
use crate::encoders::FeatureSpec;
use crate::ops;

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

    /// Maps (finest first) -> [N, C, H, W] at stride 1.
    pub fn forward(&self, mut maps: Vec<Tensor<4>>) -> Tensor<4> {
        let Some(mut x) = maps.pop() else { return Tensor::zeros([0, self.out_channels, 0, 0], &Device::flex()) };
        for (level, convolutions) in self.dec.iter().enumerate() {
            let skip = maps.pop().filter(|_| self.skips);
            if let (Upsampling::Nearest, Some(skip)) = (self.upsampling, &skip) {
                x = convolutions.forward(ops::upsample_nearest2x_concat(x, skip.clone()));
                continue;
            }
            x = match self.upsampling {
                Upsampling::Transposed => self.up[level].forward(x),
                Upsampling::Nearest => ops::upsample_nearest2x(x),
                Upsampling::Bilinear | Upsampling::Unpooling => ops::upsample_bilinear2x(x),
            };
            if let Some(skip) = skip {
                x = Tensor::cat(vec![x, skip], 1);
            }
            x = convolutions.forward(x);
        }
        x
    }
}
