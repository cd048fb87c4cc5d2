//! Initial weights, decided by a seed and each tensor's place in the network, and by nothing else.

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Tensor, TensorData};
use rayon::prelude::*;
use vibhag_core::{Head, Purpose, Rng};

use crate::named::{Path, replace};
use crate::network::Network;

/// Values drawn from one stream; more come from the next, so that threads can share the work.
const CHUNK: usize = 1 << 16;

/// Maps begin near zero, their mean: a random heat map would cost hundreds of times what classes cost.
const MAPS_SCALE: f32 = 0.05;

/// He's normal initialisation for convolutions that feed a ReLU (He et al., "Delving deep into
/// rectifiers", 2015, eq. 10), Glorot's uniform for the head (near zero for
/// its maps), zeros for biases, and the identity for normalisation.
pub(crate) fn initialize(network: Network, seed: u64) -> Network {
    let path = Path::new(network.config().prefixes());
    let gives_maps = network.config().head == Head::Pose;
    network.map(&mut Initializer { path, seed, index: 0, gives_maps })
}

struct Initializer {
    path: Path,
    seed: u64,
    index: u64,
    /// Whether the head gives maps instead of logits.
    gives_maps: bool,
}

impl ModuleMapper for Initializer {
    fn enter_module(&mut self, name: &str, container_type: &str) {
        self.path.enter(name, container_type);
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.exit();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        self.index += 1;
        let shape = param.dims().to_vec();
        let [outputs, inputs, height, width] = shape[..] else { return param };
        let area = height * width;
        let is_head = self.path.part() == "head";
        let is_maps = self.path.name().ends_with(".maps.weight") || (is_head && self.gives_maps);
        let values = if is_head || is_maps {
            let scale = if is_maps { MAPS_SCALE } else { 1.0 };
            let limit = scale * (6.0 / ((inputs + outputs) * area) as f32).sqrt();
            self.draw(outputs * inputs * area, move |rng| rng.uniform(-limit, limit))
        } else {
            // A transposed kernel [C, O, 2, 2] of stride 2 adds C terms to each output.
            let fan_in = if self.path.name().starts_with("up.") { outputs } else { inputs * area };
            let deviation = (2.0 / fan_in as f32).sqrt();
            self.draw(outputs * inputs * area, move |rng| rng.normal() * deviation)
        };
        replace(param, TensorData::new(values, shape))
    }
}

impl Initializer {
    fn draw(&self, count: usize, value: impl Fn(&mut Rng) -> f32 + Sync) -> Vec<f32> {
        let mut values = vec![0.0; count];
        values.par_chunks_mut(CHUNK).enumerate().for_each(|(chunk, values)| {
            let mut rng = Rng::new(self.seed, chunk as u64, self.index, Purpose::Initialization);
            for slot in values {
                *slot = value(&mut rng);
            }
        });
        values
    }
}
