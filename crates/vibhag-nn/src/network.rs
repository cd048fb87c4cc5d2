//! Encoder, decoder and head in one.

use burn::module::Module;
use burn::tensor::Tensor;

use crate::blocks::{Sequential, crop, pad_to_multiple};
use crate::config::NetworkConfig;
use crate::decoders::Decoder;
use crate::encoders::Encoder;
use crate::engine::{Burn, Engine};
use crate::heads::{ObjectHead, PoseStage, SemanticHead};
use crate::named;

/// A segmentation network.
///
/// On an autodiff device it trains (batch statistics, gradients); `valid()` gives the network for
/// inference, on running statistics. Clones share no running statistics.
#[derive(Module, Debug)]
pub struct Network {
    encoder: Encoder,
    detail: Option<Sequential>,
    decoder: Decoder,
    head: SemanticHead,
    objects: Option<ObjectHead>,
    stages: Vec<PoseStage>,
    stride: usize,
    #[module(skip)]
    config: NetworkConfig,
}

/// What a network is put together from.
pub(crate) struct Parts {
    pub(crate) encoder: Encoder,
    /// At full resolution, beside an encoder that begins by halving the image.
    pub(crate) detail: Option<Sequential>,
    pub(crate) decoder: Decoder,
    pub(crate) head: SemanticHead,
    pub(crate) objects: Option<ObjectHead>,
    /// Refinements of a pose head's maps.
    pub(crate) stages: Vec<PoseStage>,
}

impl Network {
    pub(crate) fn assemble(parts: Parts, stride: usize, config: NetworkConfig) -> Self {
        let Parts { encoder, detail, decoder, head, objects, stages } = parts;
        Self { encoder, detail, decoder, head, objects, stages, stride, config }
    }

    /// What the network looks like.
    pub fn config(&self) -> &NetworkConfig {
        &self.config
    }

    /// The encoder.
    pub fn encoder(&self) -> &Encoder {
        &self.encoder
    }

    /// Inputs whose sides are multiples of this are not padded.
    pub fn stride(&self) -> usize {
        self.stride
    }

    /// Logits of a batch of any size, followed by the maps of the head.
    ///
    /// # Shapes
    /// `x` [N, `in_channels`, H, W] -> [N, [`NetworkConfig::planes`], H / s, W / s], rounded up, with the
    /// [stride](vibhag_core::Head::stride) s of the head, 1 but for poses.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let [_, _, height, width] = x.dims();
        let logits = self.run(&mut Burn, pad_to_multiple(x, self.stride));
        crop(logits, [height, width].map(|side| side.div_ceil(self.config.head.stride())))
    }

    /// Logits and maps as `engine` computes them.
    ///
    /// # Shapes
    /// As of [`Self::forward`]; both sides of `x` are multiples of [`Network::stride`].
    pub fn run<E: Engine>(&self, engine: &mut E, x: E::Map) -> E::Map {
        let fine = self.detail.as_ref().map(|detail| detail.forward(engine, x.clone()));
        let mut features = self.encoder.forward(engine, x, self.decoder.needs_pool_indices());
        if let Some(fine) = fine {
            features.finer.insert(0, fine);
        }
        let map = self.decoder.forward(engine, features);
        if !self.stages.is_empty() {
            let mut maps = self.head.forward(engine, map.clone());
            let mut all = maps.clone();
            for stage in &self.stages {
                maps = stage.forward(engine, map.clone(), maps);
                all = engine.concat(all, maps.clone());
            }
            return all;
        }
        let Some(objects) = &self.objects else { return self.head.forward(engine, map) };
        let logits = self.head.forward(engine, map.clone());
        let maps = objects.forward(engine, map);
        engine.concat(logits, maps)
    }

    /// The number of trained values; running statistics are not counted.
    pub fn parameters(&self) -> usize {
        named::shapes(self)
            .iter()
            .filter(|(name, _)| !named::is_statistic(name))
            .map(|(_, shape)| shape.iter().product::<usize>())
            .sum()
    }

    /// A short description: architecture, encoder, parameters of each part, feature maps.
    pub fn summary(&self) -> String {
        let count = |part: &dyn Fn(&str) -> bool| -> usize {
            let trained = named::shapes_by_part(self).into_iter().filter(|(_, name, _)| !named::is_statistic(name));
            trained.filter(|(owner, _, _)| part(owner)).map(|(_, _, shape)| shape.iter().product::<usize>()).sum()
        };
        let over = self.config.encoder.as_deref().map_or(String::new(), |name| format!(" over {name}"));
        let maps: Vec<String> =
            self.encoder.specs().iter().map(|spec| format!("{}@1/{}", spec.channels, spec.stride)).collect();
        format!(
            "{}{over}: {} -> {} channels, {} parameters (encoder {}, decoder {}, head {}); features {}",
            self.config.architecture,
            self.config.in_channels,
            self.config.planes(),
            self.parameters(),
            count(&|owner| matches!(owner, "encoder" | "detail")),
            count(&|owner| owner == "decoder"),
            count(&|owner| matches!(owner, "head" | "objects" | "stages")),
            maps.join(" "),
        )
    }
}
