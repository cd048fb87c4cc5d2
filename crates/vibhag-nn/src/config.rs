//! What a network looks like, with every default visible; written into plans and model bundles.

use burn::tensor::Device;
use serde::{Deserialize, Serialize};
use vibhag_core::{Error, Head, Result};

use crate::blocks::{Order, Upsampling, conv_stack};
use crate::decoders::{Decoder, FpnDecoder, PyramidUNet, SegNetDecoder, UNetDecoder};
use crate::encoders::{ENCODERS, Encoder, EncoderInfo, FeatureSpec, PlainEncoder, Vgg, encoder_info};
use crate::heads::{ObjectHead, PoseStage, SemanticHead};
use crate::init;
use crate::network::{Network, Parts};
use crate::registry::{ARCHITECTURES, ArchitectureInfo, FLAT, PARTS, Prefixes, SMP, architecture_info};

/// A network's shape.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkConfig {
    /// A name of [`ARCHITECTURES`].
    pub architecture: String,
    /// A name of [`ENCODERS`], or none for the architecture's own encoder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoder: Option<String>,
    /// Channels of the input.
    pub in_channels: usize,
    /// Channels of the class logits: classes, or 1 for a binary task. Of a pose head its maps: a heat map for each
    /// keypoint and two for each limb.
    pub out_channels: usize,
    /// The maps that follow them.
    #[serde(default)]
    pub head: Head,
    /// Hidden channels before the maps; of no effect without them.
    #[serde(default = "default_head_width")]
    pub head_width: usize,
    /// How often the maps of a pose head are computed, each time but the first from the features and the maps before;
    /// all of them are learnt, the last ones are used.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub stages: usize,
    /// Widths of the architecture's own encoder, finest level first; their number is the depth.
    /// Empty with an encoder from the registry.
    pub widths: Vec<usize>,
    /// Widths of a decoder that has widths of its own, coarse to fine: fpn's, and U-Net's over an encoder from the
    /// registry. Empty otherwise.
    pub decoder_channels: Vec<usize>,
    /// How the decoder doubles the resolution.
    pub upsampling: Upsampling,
    /// Channels of one 3x3 convolution at full resolution that the decoder over an encoder from the registry gets as a
    /// skip; 0 for none. Such encoders begin by halving the image, which blurs what is a few pixels small.
    #[serde(default)]
    pub detail: usize,
}

impl NetworkConfig {
    /// The architecture with its defaults.
    ///
    /// # Errors
    /// When a name is unknown or the architecture takes no encoder.
    pub fn new(architecture: &str, encoder: Option<&str>, in_channels: usize, out_channels: usize) -> Result<Self> {
        let info = find_architecture(architecture)?;
        let halvings = encoder.map(find_encoder).transpose()?.map_or(usize::MAX, |info| info.halvings);
        // Of U-Net's widths, one for each doubling, those of the finest levels.
        let coarsest = if architecture == FPN { 0 } else { info.decoder_channels.len().saturating_sub(halvings) };
        let own = encoder.is_none();
        let config = Self {
            architecture: architecture.to_owned(),
            encoder: encoder.map(str::to_owned),
            in_channels,
            out_channels,
            head: Head::Semantic,
            head_width: HEAD_WIDTH,
            stages: 1,
            widths: if own { info.widths.to_vec() } else { Vec::new() },
            decoder_channels: if own && architecture != FPN {
                Vec::new()
            } else {
                info.decoder_channels[coarsest..].to_vec()
            },
            upsampling: if own || architecture == FPN { info.upsampling } else { Upsampling::Nearest },
            detail: 0,
        };
        config.check()?;
        Ok(config)
    }

    /// Channels of the output: class logits, then the maps of the head; of a pose head the maps of all stages.
    pub fn planes(&self) -> usize {
        self.stages * self.out_channels + self.head.maps()
    }

    /// The same network with another head.
    #[must_use]
    pub fn with_head(mut self, head: Head) -> Self {
        self.head = head;
        self
    }

    /// Builds the network with initial weights that `seed` alone decides. On an autodiff device
    /// it is ready for training.
    ///
    /// # Errors
    /// When the configuration contradicts itself.
    pub fn init(&self, device: &Device, seed: u64) -> Result<Network> {
        Ok(init::initialize(self.build(device)?, seed))
    }

    /// Builds the network with convolution kernels of zeros, to be filled from a file.
    ///
    /// # Errors
    /// When the configuration contradicts itself.
    pub fn build(&self, device: &Device) -> Result<Network> {
        self.check()?;
        let order = if self.architecture == "segnet-lite" { Order::ReluNorm } else { Order::NormRelu };
        let encoder = match &self.encoder {
            Some(name) => (find_encoder(name)?.build)(self.in_channels, device),
            None if self.architecture == "segnet" => Encoder::Vgg(Vgg::new(self.in_channels, &self.widths, device)),
            None => Encoder::Plain(PlainEncoder::new(self.in_channels, &self.widths, order, device)),
        };
        let mut specs = encoder.specs();
        let detail = (self.detail > 0).then(|| conv_stack(&[self.in_channels, self.detail], Order::NormRelu, device));
        if detail.is_some() {
            if specs.first().is_some_and(|spec| spec.stride == 1) {
                return Err(Error::config("the encoder has a map at full resolution").hint("set network.detail = 0"));
            }
            specs.insert(0, FeatureSpec { channels: self.detail, stride: 1 });
        }
        let decoder = match (self.architecture.as_str(), &self.encoder) {
            (FPN, _) => Decoder::Fpn(FpnDecoder::new(&specs, &self.decoder_channels, self.head.stride(), device)?),
            (_, Some(_)) => Decoder::Pyramid(PyramidUNet::new(
                &specs,
                &self.decoder_channels,
                detail.is_some(),
                self.upsampling,
                device,
            )?),
            ("segnet", None) => Decoder::SegNet(SegNetDecoder::new(&specs, device)?),
            (name, None) => {
                Decoder::UNet(UNetDecoder::new(&specs, self.upsampling, order, name != "segnet-lite", device)?)
            }
        };
        let kernel = if self.encoder.is_some() || matches!(self.architecture.as_str(), "segnet" | FPN) { 3 } else { 1 };
        let head = SemanticHead::new(decoder.out_channels(), self.out_channels, kernel, device);
        let objects = (self.head.maps() > 0)
            .then(|| ObjectHead::new(decoder.out_channels(), self.head_width, self.head.maps(), device));
        let stride = specs.iter().map(|spec| spec.stride).max().unwrap_or(1);
        let halvings = (stride / self.head.stride()).max(1).ilog2() as usize;
        let stage = || PoseStage::new(decoder.out_channels(), self.out_channels, self.head_width, halvings, device);
        let stages = (1..self.stages).map(|_| stage()).collect();
        Ok(Network::assemble(Parts { encoder, detail, decoder, head, objects, stages }, stride, self.clone()))
    }

    pub(crate) fn prefixes(&self) -> Prefixes {
        match (&self.encoder, self.architecture.as_str()) {
            (Some(_), _) => SMP,
            (None, "segnet" | FPN) => PARTS,
            (None, _) => FLAT,
        }
    }

    fn check(&self) -> Result<()> {
        let info = find_architecture(&self.architecture)?;
        if self.in_channels == 0 || self.out_channels == 0 {
            return Err(Error::config("a network needs at least one input and one output channel"));
        }
        if self.detail > 0 && self.encoder.is_none() {
            return Err(
                Error::config(format!("{} has maps at full resolution", info.name)).hint("set network.detail = 0")
            );
        }
        if self.head_width == 0 {
            return Err(Error::config("network.head_width must be above zero"));
        }
        if self.head == Head::Pose && self.architecture != FPN {
            return Err(Error::config(format!(
                "{} gives no maps at a quarter of the resolution, as poses need",
                info.name
            ))
            .hint("use architecture fpn"));
        }
        if self.stages == 0 || self.stages > MAX_DEPTH || (self.stages > 1 && self.head != Head::Pose) {
            return Err(Error::config(format!("network.stages is 1, or up to {MAX_DEPTH} with head pose"))
                .at(self.stages.to_string()));
        }
        if self.encoder.is_some() && !info.takes_encoder {
            let takers: Vec<&str> =
                ARCHITECTURES.iter().filter(|entry| entry.takes_encoder).map(|entry| entry.name).collect();
            return Err(Error::config(format!("{} has its own encoder", info.name))
                .hint(format!("leave the encoder out, or use {}", takers.join(", "))));
        }
        let own_encoder = self.encoder.is_none().then_some(("widths", &self.widths));
        let own_widths = self.encoder.is_some() || self.architecture == FPN;
        let own_decoder = own_widths.then_some(("decoder_channels", &self.decoder_channels));
        for (key, widths) in own_encoder.into_iter().chain(own_decoder) {
            if widths.is_empty() || widths.contains(&0) || widths.len() > MAX_DEPTH {
                return Err(
                    Error::config(format!("{key} needs 1 to {MAX_DEPTH} numbers above zero")).at(format!("{widths:?}"))
                );
            }
        }
        if self.architecture == FPN && self.upsampling != Upsampling::Bilinear {
            return Err(Error::config("fpn upsamples bilinearly").at(format!("{:?}", self.upsampling)));
        }
        if self.architecture == "segnet" && self.upsampling != Upsampling::Unpooling {
            return Err(Error::config("SegNet upsamples by unpooling")
                .at(format!("{:?}", self.upsampling))
                .hint("segnet-lite interpolates"));
        }
        Ok(())
    }
}

/// The architecture whose decoder is the same over any encoder.
const FPN: &str = "fpn";

/// Hidden channels of an object head.
const HEAD_WIDTH: usize = 32;

fn one() -> usize {
    1
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_one(value: &usize) -> bool {
    *value == 1
}

fn default_head_width() -> usize {
    HEAD_WIDTH
}

/// Deeper than this no image is large enough.
const MAX_DEPTH: usize = 10;

fn find_architecture(name: &str) -> Result<&'static ArchitectureInfo> {
    let names = || ARCHITECTURES.iter().map(|entry| entry.name).collect::<Vec<_>>().join(", ");
    architecture_info(name).ok_or_else(|| {
        Error::config(format!("unknown architecture '{name}'")).hint(format!("choose one of {}", names()))
    })
}

fn find_encoder(name: &str) -> Result<&'static EncoderInfo> {
    let names = || ENCODERS.iter().map(|entry| entry.name).collect::<Vec<_>>().join(", ");
    encoder_info(name)
        .ok_or_else(|| Error::config(format!("unknown encoder '{name}'")).hint(format!("choose one of {}", names())))
}
