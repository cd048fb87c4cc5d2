//! The network's operations, noted while it runs over shapes instead of pixels.

use vibhag_core::{Error, Result};
use vibhag_kernels::{Activation as Act, ConvShape};
use vibhag_nn::blocks::{BatchNorm, Conv2d, ConvTranspose2d};
use vibhag_nn::ops::Activation;
use vibhag_nn::{Engine, Interpolation};

use super::step::{Chw, Kernel};
use super::unsupported;

/// A map, by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Value(pub(super) usize);

/// The network's input.
pub(super) const INPUT: Value = Value(0);

/// A list of positions of maxima, by its number.
pub(super) struct IndexList(usize);

/// An operation that makes the map `out` from one map, or from two.
pub(super) struct Node<T> {
    pub(super) op: T,
    pub(super) x: Value,
    pub(super) second: Option<Value>,
    pub(super) out: Value,
}

/// What was noted.
pub(super) enum Op {
    /// A convolution, whose second map is added before the activation.
    Conv(Box<Convolution>),
    /// A transposed 2x2 convolution of stride 2.
    Up { weight: Vec<f32>, bias: Vec<f32> },
    /// The channels of both maps.
    Concat,
    /// Anything that needs no further thought.
    Ready(Kernel),
}

/// A convolution with its normalisation folded in.
pub(super) struct Convolution {
    pub(super) shape: ConvShape,
    pub(super) weight: Vec<f32>,
    /// One value per output channel.
    pub(super) bias: Vec<f32>,
    pub(super) act: Act,
}

/// A network's operations in the order in which they can be computed.
pub(super) struct Tape {
    pub(super) nodes: Vec<Node<Op>>,
    /// The shape of every value.
    pub(super) shapes: Vec<Chw>,
    /// The length of every list of positions.
    pub(super) indices: Vec<usize>,
    /// What the network returns.
    pub(super) output: Value,
}

/// Notes what `network` does with an input of `shape`.
///
/// # Errors
/// When a weight cannot be read, or an operation has no kernel in any shape.
pub(super) fn record(shape: Chw, network: impl FnOnce(&mut Recorder, Value) -> Value) -> Result<Tape> {
    let mut recorder = Recorder { nodes: Vec::new(), shapes: vec![shape], indices: Vec::new(), fault: None };
    let output = network(&mut recorder, INPUT);
    let Recorder { nodes, shapes, indices, fault } = recorder;
    fault.map_or(Ok(Tape { nodes, shapes, indices, output }), Err)
}

/// The engine that notes.
pub(super) struct Recorder {
    nodes: Vec<Node<Op>>,
    shapes: Vec<Chw>,
    indices: Vec<usize>,
    /// The first error: the operations of an engine return maps.
    fault: Option<Error>,
}

impl Recorder {
    fn shape(&self, value: Value) -> Chw {
        self.shapes[value.0]
    }

    fn note(&mut self, op: Op, x: Value, second: Option<Value>, shape: Chw) -> Value {
        let out = Value(self.shapes.len());
        self.shapes.push(shape);
        self.nodes.push(Node { op, x, second, out });
        out
    }

    /// The numbers, or none and a fault to report in the end.
    fn numbers(&mut self, read: Result<(Vec<f32>, Vec<f32>)>) -> (Vec<f32>, Vec<f32>) {
        read.unwrap_or_else(|error| {
            self.fault.get_or_insert(error);
            (Vec::new(), Vec::new())
        })
    }
}

impl Engine for Recorder {
    type Map = Value;
    type Indices = IndexList;

    fn conv(&mut self, x: Value, conv: &Conv2d, norm: Option<&BatchNorm>, activation: Activation) -> Value {
        let [cin, h, w] = self.shape(x);
        let [cout, _, kernel_height, kernel_width] = conv.weight.dims();
        let shape = ConvShape {
            n: 1,
            cin,
            h,
            w,
            cout,
            kernel: [kernel_height, kernel_width],
            stride: [conv.stride(); 2],
            padding: conv.padding_for([h, w]),
            dilation: [1; 2],
            groups: conv.groups(),
        };
        let (weight, bias) = self.numbers(folded(conv, norm));
        // An impossible shape finds no kernel later, which is an error then.
        let (height, width) = shape.output().unwrap_or_default();
        let convolution = Convolution { shape, weight, bias, act: activation.into() };
        self.note(Op::Conv(Box::new(convolution)), x, None, [cout, height, width])
    }

    fn norm(&mut self, x: Value, norm: &BatchNorm, activation: Activation) -> Value {
        let (scale, shift) = self.numbers(norm.scale_and_shift());
        let kernel = Kernel::Affine { scale, shift, act: activation.into() };
        self.note(Op::Ready(kernel), x, None, self.shape(x))
    }

    fn transposed(&mut self, x: Value, conv: &ConvTranspose2d) -> Value {
        let [_, height, width] = self.shape(x);
        let [_, outputs, kernel_height, kernel_width] = conv.weight.dims();
        if [kernel_height, kernel_width, conv.stride()] != [2; 3] {
            self.fault.get_or_insert(unsupported("a transposed convolution that does not double the size"));
        }
        let (weight, bias) = self.numbers(conv.values());
        self.note(Op::Up { weight, bias }, x, None, [outputs, 2 * height, 2 * width])
    }

    fn activate(&mut self, x: Value, activation: Activation) -> Value {
        let shape = self.shape(x);
        let (scale, shift) = (vec![1.0; shape[0]], vec![0.0; shape[0]]);
        self.note(Op::Ready(Kernel::Affine { scale, shift, act: activation.into() }), x, None, shape)
    }

    fn add(&mut self, x: Value, y: Value, activation: Activation) -> Value {
        self.note(Op::Ready(Kernel::Add(activation.into())), x, Some(y), self.shape(x))
    }

    fn max_pool(&mut self, x: Value, kernel: usize, stride: usize, padding: usize) -> Value {
        let [channels, height, width] = self.shape(x);
        let [height, width] =
            [height, width].map(|side| (side + 2 * padding).saturating_sub(kernel) / stride.max(1) + 1);
        self.note(Op::Ready(Kernel::MaxPool { kernel, stride, padding }), x, None, [channels, height, width])
    }

    fn max_pool_with_indices(&mut self, x: Value) -> (Value, IndexList) {
        let [channels, height, width] = self.shape(x);
        let shape = [channels, height / 2, width / 2];
        let list = self.indices.len();
        self.indices.push(shape.iter().product());
        (self.note(Op::Ready(Kernel::MaxPoolWithIndices { list }), x, None, shape), IndexList(list))
    }

    fn unpool(&mut self, x: Value, indices: IndexList) -> Value {
        let [channels, height, width] = self.shape(x);
        let kernel = Kernel::Unpool { list: indices.0 };
        self.note(Op::Ready(kernel), x, None, [channels, 2 * height, 2 * width])
    }

    fn upsample(&mut self, x: Value, interpolation: Interpolation, skip: Option<Value>) -> Value {
        let [channels, height, width] = self.shape(x);
        let up = self.note(Op::Ready(Kernel::Upsample(interpolation)), x, None, [channels, 2 * height, 2 * width]);
        match skip {
            Some(skip) => self.concat(up, skip),
            None => up,
        }
    }

    fn concat(&mut self, x: Value, y: Value) -> Value {
        let ([first, height, width], [second, ..]) = (self.shape(x), self.shape(y));
        self.note(Op::Concat, x, Some(y), [first + second, height, width])
    }

    fn means(&mut self, x: Value) -> Value {
        let [channels, ..] = self.shape(x);
        self.note(Op::Ready(Kernel::Means), x, None, [channels, 1, 1])
    }

    fn scale(&mut self, x: Value, factors: Value) -> Value {
        let shape = self.shape(x);
        if self.shape(factors) != [shape[0], 1, 1] {
            self.fault.get_or_insert(unsupported("factors that are not one for each channel"));
        }
        self.note(Op::Ready(Kernel::Scale { shift: vec![0.0; shape[0]] }), x, Some(factors), shape)
    }
}

/// Weight and bias of a convolution, multiplied and shifted as the normalisation would the output.
fn folded(conv: &Conv2d, norm: Option<&BatchNorm>) -> Result<(Vec<f32>, Vec<f32>)> {
    let (mut weight, mut bias) = conv.values()?;
    if let Some(norm) = norm {
        let (scale, shift) = norm.scale_and_shift()?;
        let kernel_len = (weight.len() / bias.len().max(1)).max(1);
        let kernels = weight.chunks_exact_mut(kernel_len).zip(&mut bias);
        for ((kernel, bias), (scale, shift)) in kernels.zip(scale.iter().zip(&shift)) {
            for value in kernel {
                *value *= scale;
            }
            *bias = *bias * scale + shift;
        }
    }
    Ok((weight, bias))
}
