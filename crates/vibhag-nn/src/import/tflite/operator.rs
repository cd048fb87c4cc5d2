//! The operators that are understood, with their weights in our layout.

use vibhag_core::{Error, ErrorKind, Result};

use super::flatbuffer::Table;
use super::{Tensors, fault, indices};
use crate::named::NamedTensor;
use crate::ops::Activation;

/// What an operator computes.
#[derive(Debug, Clone, PartialEq)]
pub enum Operation {
    /// A convolution with TensorFlow's "same" padding.
    Convolution {
        /// Kernels [O, I, H, W]; of a depthwise convolution [C, 1, H, W].
        weight: NamedTensor,
        /// Bias \[O\].
        bias: NamedTensor,
        /// Step in both directions.
        stride: usize,
        /// Whether every channel has a kernel of its own.
        depthwise: bool,
    },
    /// A transposed convolution of stride 2.
    Doubling {
        /// Kernels [I, O, 2, 2].
        weight: NamedTensor,
        /// Bias \[O\].
        bias: NamedTensor,
    },
    /// An activation alone.
    Activation(Activation),
    /// The mean of each channel.
    Means,
    /// The sum of two maps.
    Add,
    /// The product of two maps, of which the second may be one value for each channel.
    Multiply,
    /// Twice the height and width, bilinear between pixel centres.
    Bilinear,
}

/// An operator of a graph.
#[derive(Debug, Clone, PartialEq)]
pub struct Operator {
    /// What it computes.
    pub operation: Operation,
    /// Numbers of the maps that it reads; weights are not among them.
    pub inputs: Vec<usize>,
    /// The number of the map that it makes.
    pub output: usize,
    /// The name of that map.
    pub name: String,
}

/// Which operator a number of the graph stands for.
pub(super) struct Code {
    builtin: i32,
    custom: String,
}

impl Code {
    pub(super) fn read(table: &Table<'_>) -> Result<Self> {
        // Files from before there were more than 127 kinds have the number in the first field alone.
        let builtin = table.integer(3, 0)?.max(i32::from(table.byte(0)?));
        Ok(Self { builtin, custom: table.text(1)? })
    }
}

/// The numbers of padding in the files.
const SAME: u8 = 0;
const VALID: u8 = 1;

/// The operator of a table; `None` for one that only unpacks a constant.
pub(super) fn read(table: &Table<'_>, codes: &[Code], tensors: &mut Tensors<'_>) -> Result<Option<Operator>> {
    let code = usize::try_from(table.integer(0, 0)?).ok().and_then(|index| codes.get(index));
    let code = code.ok_or_else(|| fault("an operator of no kind", "operator_codes".to_owned()))?;
    let inputs = indices(table, 1)?;
    let outputs = indices(table, 2)?;
    let &[output] = outputs.as_slice() else {
        return Err(fault("an operator of other than one output", format!("{} outputs", outputs.len())));
    };
    let name = tensors.get(output)?.name.clone();
    let reader = Reader { options: table.table(4)?, inputs: &inputs, output, tensors, name: &name };
    // Numbers of TensorFlow Lite's BuiltinOperator.
    let (operation, maps) = match (code.builtin, code.custom.as_str()) {
        (0, _) => (reader.plain(Operation::Add, 0)?, 2),
        (18, _) => (reader.plain(Operation::Multiply, 0)?, 2),
        (1, _) => (reader.means()?, 1),
        (3, _) => (reader.convolution(false)?, 1),
        (4, _) => (reader.convolution(true)?, 1),
        (6, _) => {
            let &[input] = inputs.as_slice() else { return Err(reader.unsupported("inputs", inputs.len())) };
            tensors.unpack(input, output)?;
            return Ok(None);
        }
        (14, _) => (Operation::Activation(Activation::Sigmoid), 1),
        (19, _) => (Operation::Activation(Activation::Relu), 1),
        (117, _) => (Operation::Activation(Activation::HardSwish), 1),
        (23, _) => (reader.bilinear()?, 1),
        (32, "Convolution2DTransposeBias") => (reader.doubling(table.bytes(5)?)?, 1),
        (32, custom) => return Err(reader.unsupported("operator", custom)),
        (other, _) => return Err(reader.unsupported("operator", other)),
    };
    let Some(maps) = inputs.get(..maps) else { return Err(fault("an operator without its inputs", name)) };
    Ok(Some(Operator { operation, inputs: maps.to_vec(), output, name }))
}

/// One operator's options and tensors.
struct Reader<'a> {
    options: Option<Table<'a>>,
    inputs: &'a [usize],
    output: usize,
    tensors: &'a Tensors<'a>,
    name: &'a str,
}

impl Reader<'_> {
    /// An operation without any option but the number of a fused activation, which must be none.
    fn plain(&self, operation: Operation, activation: usize) -> Result<Operation> {
        self.wanted("fused activation", self.byte(activation)?, &[0])?;
        Ok(operation)
    }

    fn convolution(&self, depthwise: bool) -> Result<Operation> {
        let &[_, weight, bias] = self.inputs else { return Err(self.unsupported("inputs", self.inputs.len())) };
        let (weight, bias) = (self.tensors.get(weight)?.values()?, self.tensors.get(bias)?.values()?);
        // The multiplier of depthwise convolutions comes before what both have.
        let first = if depthwise { 4 } else { 3 };
        if depthwise {
            self.wanted("depth multiplier", self.integer(3, 0)?, &[1])?;
        }
        self.wanted("fused activation", self.byte(first)?, &[0])?;
        self.wanted("dilation", self.integer(first + 1, 1)?, &[1])?;
        self.wanted("dilation", self.integer(first + 2, 1)?, &[1])?;
        let stride = self.integer(1, 0)?;
        self.wanted("stride", self.integer(2, 0)?, &[stride])?;
        let weight = if depthwise { moved(&weight, [3, 0, 1, 2])? } else { moved(&weight, [0, 3, 1, 2])? };
        // A single pixel of each side that every place is computed at: padding makes no difference.
        let padding: &[u8] = if weight.shape[2..] == [1, 1] && stride == 1 { &[SAME, VALID] } else { &[SAME] };
        self.wanted("padding", self.byte(0)?, padding)?;
        let stride = usize::try_from(stride).ok().filter(|&stride| stride > 0);
        let stride = stride.ok_or_else(|| self.unsupported("stride", "not positive"))?;
        self.fits(&weight, &bias, weight.shape[0])?;
        Ok(Operation::Convolution { weight, bias, stride, depthwise })
    }

    /// `options` are those of MediaPipe's own operator: padding, stride across and down.
    fn doubling(&self, options: &[u8]) -> Result<Operation> {
        let &[_, weight, bias] = self.inputs else { return Err(self.unsupported("inputs", self.inputs.len())) };
        let (weight, bias) = (self.tensors.get(weight)?.values()?, self.tensors.get(bias)?.values()?);
        let options: Vec<i32> = options.as_chunks::<4>().0.iter().map(|&bytes| i32::from_le_bytes(bytes)).collect();
        // Two kinds of padding are one where the kernel is as large as the stride.
        if !matches!(options[..], [1 | 2, 2, 2]) {
            return Err(self.unsupported("padding and strides", format!("{options:?}")));
        }
        let weight = moved(&weight, [3, 0, 1, 2])?;
        if weight.shape[2..] != [2, 2] {
            return Err(self.unsupported("kernels", format!("{:?}", weight.shape)));
        }
        self.fits(&weight, &bias, weight.shape[1])?;
        Ok(Operation::Doubling { weight, bias })
    }

    /// Average pooling, over the whole map.
    fn means(&self) -> Result<Operation> {
        let (whole, mean) = (self.shape_in(0)?, &self.tensors.get(self.output)?.shape);
        let filter = [self.integer(4, 0)?, self.integer(3, 0)?].map(usize::try_from);
        match (whole.as_slice(), mean.as_slice(), filter) {
            (&[n, height, width, c], &[m, 1, 1, d], [Ok(rows), Ok(columns)])
                if [n, c] == [m, d] && [rows, columns] == [height, width] =>
            {
                self.wanted("padding", self.byte(0)?, &[VALID])?;
                self.plain(Operation::Means, 5)
            }
            _ => Err(self.unsupported("pooling", format!("{whole:?} to {mean:?}"))),
        }
    }

    fn bilinear(&self) -> Result<Operation> {
        let (from, to) = (self.shape_in(0)?, &self.tensors.get(self.output)?.shape);
        let doubled = matches!((from.as_slice(), to.as_slice()), (&[n, h, w, c], &[m, i, j, d])
            if [n, c] == [m, d] && (h.checked_mul(2), w.checked_mul(2)) == (Some(i), Some(j)));
        if !doubled {
            return Err(self.unsupported("sizes", format!("{from:?} to {to:?}")));
        }
        self.wanted("align_corners", self.byte(2)?, &[0])?;
        self.wanted("half_pixel_centers", self.byte(3)?, &[1])?;
        Ok(Operation::Bilinear)
    }

    fn shape_in(&self, input: usize) -> Result<&Vec<usize>> {
        let index = self.inputs.get(input).ok_or_else(|| self.unsupported("inputs", self.inputs.len()))?;
        Ok(&self.tensors.get(*index)?.shape)
    }

    fn byte(&self, field: usize) -> Result<u8> {
        self.options.map_or(Ok(0), |options| options.byte(field))
    }

    fn integer(&self, field: usize, absent: i32) -> Result<i32> {
        self.options.map_or(Ok(absent), |options| options.integer(field, absent))
    }

    fn fits(&self, weight: &NamedTensor, bias: &NamedTensor, outputs: usize) -> Result<()> {
        if bias.shape == [outputs] {
            return Ok(());
        }
        let shapes = format!("{}: bias {:?}, kernels {:?}", self.name, bias.shape, weight.shape);
        Err(fault("bias and kernels do not fit", shapes))
    }

    fn wanted<T: PartialEq + std::fmt::Display>(&self, what: &str, found: T, allowed: &[T]) -> Result<()> {
        if allowed.contains(&found) { Ok(()) } else { Err(self.unsupported(what, found)) }
    }

    fn unsupported(&self, what: &str, found: impl std::fmt::Display) -> Error {
        let name = self.name;
        Error::new(ErrorKind::Unsupported, format!("the operator that makes {name} is not understood"))
            .at(format!("{what}: {found}"))
    }
}

/// The tensor of four sides with side `order[i]` as its side `i`.
fn moved(tensor: &NamedTensor, order: [usize; 4]) -> Result<NamedTensor> {
    let &[a, b, c, d] = tensor.shape.as_slice() else {
        let shape = format!("{} {:?}", tensor.name, tensor.shape);
        return Err(fault("kernels of another number of sides than 4", shape));
    };
    let (sides, steps) = ([a, b, c, d], [b * c * d, c * d, d, 1]);
    let [outer, second, third, inner] = order.map(|side| sides[side]);
    let [o, s, t, i] = order.map(|side| steps[side]);
    let mut values = Vec::with_capacity(tensor.values.len());
    for (first, second) in (0..outer).flat_map(|first| (0..second).map(move |second| (first, second))) {
        for third in 0..third {
            let start = first * o + second * s + third * t;
            values.extend((0..inner).map(|last| tensor.values[start + last * i]));
        }
    }
    Ok(NamedTensor { name: tensor.name.clone(), shape: vec![outer, second, third, inner], values })
}
