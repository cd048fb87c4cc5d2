//! The parts of the network, and the names that the published graph gives them.

use burn::module::Module;

use super::Conv2d;
use crate::blocks::ConvSpec;
use crate::engine::{Engine, Interpolation};
use crate::ops::Activation;

/// An inverted bottleneck.
pub(super) struct Block {
    /// Channels between its first and last convolution.
    wide: usize,
    /// Rows and columns of the depthwise kernels.
    kernel: usize,
    stride: usize,
    /// Channels in the middle of its gate, if it has one.
    gate: Option<usize>,
    activation: Activation,
    pub(super) outputs: usize,
    /// Whether the decoder sees the block's map.
    pub(super) tap: bool,
}

const fn early(wide: usize, stride: usize, gate: Option<usize>, outputs: usize, tap: bool) -> Block {
    Block { wide, kernel: 3, stride, gate, activation: Activation::Relu, outputs, tap }
}

const fn late(wide: usize, stride: usize) -> Block {
    let activation = Activation::HardSwish;
    Block { wide, kernel: 5, stride, gate: Some(wide / 4), activation, outputs: 32, tap: false }
}

pub(super) const BLOCKS: [Block; 8] = [
    early(16, 2, Some(8), 16, true),
    early(72, 2, None, 24, false),
    early(88, 1, None, 24, true),
    late(96, 2),
    late(128, 1),
    late(128, 1),
    late(96, 1),
    late(96, 1),
];

pub(super) type Make<'a> = &'a mut dyn FnMut(&str, ConvSpec) -> Conv2d;

/// Numbers layers as Keras does: in the order in which they are made, each kind for itself.
#[derive(Default)]
pub(super) struct Names {
    convs: usize,
    depthwise: usize,
}

impl Names {
    pub(super) fn next(&mut self, depthwise: bool) -> String {
        let (kind, count) =
            if depthwise { ("depthwise_conv2d", &mut self.depthwise) } else { ("conv2d", &mut self.convs) };
        let number = *count;
        *count += 1;
        if number == 0 { kind.to_owned() } else { format!("{kind}_{number}") }
    }
}

/// Makes layers and names them.
pub(super) struct Maker<'a> {
    make: Make<'a>,
    names: Names,
}

impl<'a> Maker<'a> {
    pub(super) fn new(make: Make<'a>) -> Self {
        Self { make, names: Names::default() }
    }

    pub(super) fn stem(&mut self, inputs: usize, outputs: usize) -> Conv2d {
        self.conv(ConvSpec::new(inputs, outputs, 3).stride(2))
    }

    pub(super) fn pointwise(&mut self, inputs: usize, outputs: usize) -> Conv2d {
        self.conv(ConvSpec::new(inputs, outputs, 1))
    }

    fn depthwise(&mut self, channels: usize, kernel: usize, stride: usize) -> Conv2d {
        self.conv(ConvSpec::new(channels, channels, kernel).stride(stride).depthwise())
    }

    fn gate(&mut self, channels: usize, middle: usize) -> Gate {
        Gate { reduce: self.pointwise(channels, middle), restore: self.pointwise(middle, channels) }
    }

    fn conv(&mut self, spec: ConvSpec) -> Conv2d {
        let name = self.names.next(spec.groups > 1);
        (self.make)(&name, spec.same().bias())
    }
}

/// A weight for each channel from the means of a map (Hu et al., "Squeeze-and-excitation networks", CVPR 2018).
#[derive(Module, Debug)]
pub(super) struct Gate {
    reduce: Conv2d,
    restore: Conv2d,
}

impl Gate {
    /// The weights [N, C, 1, 1] that `x` suggests.
    fn run<E: Engine>(&self, engine: &mut E, x: E::Map) -> E::Map {
        let means = engine.means(x);
        let few = engine.conv(means, &self.reduce, None, Activation::Relu);
        engine.conv(few, &self.restore, None, Activation::Sigmoid)
    }

    fn convs(&self) -> [&Conv2d; 2] {
        [&self.reduce, &self.restore]
    }
}

/// See [`Block`].
#[derive(Module, Debug)]
pub(super) struct Bottleneck {
    expand: Conv2d,
    depthwise: Conv2d,
    gate: Option<Gate>,
    project: Conv2d,
}

impl Bottleneck {
    pub(super) fn new(maker: &mut Maker<'_>, inputs: usize, block: &Block) -> Self {
        Self {
            expand: maker.pointwise(inputs, block.wide),
            depthwise: maker.depthwise(block.wide, block.kernel, block.stride),
            gate: block.gate.map(|middle| maker.gate(block.wide, middle)),
            project: maker.pointwise(block.wide, block.outputs),
        }
    }

    pub(super) fn run<E: Engine>(&self, engine: &mut E, x: E::Map, block: &Block) -> E::Map {
        let wide = engine.conv(x.clone(), &self.expand, None, block.activation);
        let mut wide = engine.conv(wide, &self.depthwise, None, block.activation);
        if let Some(gate) = &self.gate {
            let weights = gate.run(engine, wide.clone());
            wide = engine.scale(wide, weights);
        }
        let y = engine.conv(wide, &self.project, None, Activation::Identity);
        let inputs = self.expand.weight.dims()[1];
        if block.stride == 1 && inputs == block.outputs { engine.add(y, x, Activation::Identity) } else { y }
    }

    pub(super) fn convs(&self) -> Vec<&Conv2d> {
        let mut convs = vec![&self.expand, &self.depthwise];
        convs.extend(self.gate.iter().flat_map(Gate::convs));
        convs.push(&self.project);
        convs
    }
}

/// A step of the decoder: twice the resolution, and a skip whose channels are weighed by what both maps show.
#[derive(Module, Debug)]
pub(super) struct Level {
    narrow: Conv2d,
    gate: Gate,
    pointwise: Conv2d,
    depthwise: Conv2d,
}

impl Level {
    pub(super) fn new(maker: &mut Maker<'_>, inputs: usize, channels: usize) -> Self {
        Self {
            narrow: maker.pointwise(inputs, channels),
            gate: maker.gate(channels, channels),
            pointwise: maker.pointwise(channels, channels),
            depthwise: maker.depthwise(channels, 3, 1),
        }
    }

    pub(super) fn run<E: Engine>(&self, engine: &mut E, x: E::Map, skip: E::Map) -> E::Map {
        let up = engine.upsample(x, Interpolation::Bilinear, None);
        let up = engine.conv(up, &self.narrow, None, Activation::Identity);
        let both = engine.add(skip.clone(), up.clone(), Activation::Identity);
        let weights = self.gate.run(engine, both);
        let weighed = engine.scale(skip, weights);
        let sum = engine.add(weighed, up, Activation::Identity);
        let mixed = engine.conv(sum, &self.pointwise, None, Activation::Relu);
        let near = engine.conv(mixed.clone(), &self.depthwise, None, Activation::Relu);
        engine.add(mixed, near, Activation::Identity)
    }

    pub(super) fn convs(&self) -> [&Conv2d; 5] {
        let [reduce, restore] = self.gate.convs();
        [&self.narrow, reduce, restore, &self.pointwise, &self.depthwise]
    }
}
