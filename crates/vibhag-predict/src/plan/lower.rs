//! From the network's operations to kernels: weights are prepared, concatenations disappear.

use vibhag_core::Result;
use vibhag_kernels::{PreparedConv, PreparedUp};

use super::record::{Convolution, INPUT, Node, Op, Tape, Value};
use super::step::{Chw, Kernel};
use super::unsupported;

/// Kernels in the order in which they run, each making one value.
pub(super) struct Program {
    pub(super) nodes: Vec<Node<Kernel>>,
    /// The shape of every value.
    pub(super) shapes: Vec<Chw>,
    /// The concatenation that a value is part of, and where its elements begin in it.
    part_of: Vec<Option<(Value, usize)>>,
    /// The length of every list of positions.
    pub(super) indices: Vec<usize>,
    /// What the network returns.
    pub(super) output: Value,
}

impl Program {
    /// Prepares the tape's operations.
    ///
    /// One image's channels lie one after another, so a value that is concatenated is computed
    /// where it belongs in the concatenation. A value that belongs elsewhere already, or is the
    /// network's input, is copied there.
    ///
    /// # Errors
    /// When the kernels do not know a convolution.
    pub(super) fn new(tape: Tape) -> Result<Self> {
        let Tape { nodes, shapes, indices, output } = tape;
        let part_of = vec![None; shapes.len()];
        let mut program = Self { nodes: Vec::with_capacity(nodes.len()), shapes, part_of, indices, output };
        for Node { op, x, second, out } in nodes {
            let kernel = match op {
                Op::Ready(kernel) => kernel,
                Op::Conv(conv) => {
                    let Convolution { shape, weight, bias, act } = *conv;
                    let prepared = PreparedConv::new(shape, &weight, bias, act)
                        .ok_or_else(|| unsupported("a convolution").at(format!("{shape:?}")))?;
                    Kernel::Conv(Box::new(prepared))
                }
                Op::Up { weight, bias } => {
                    let ([inputs, height, width], [outputs, ..]) = (program.shapes[x.0], program.shapes[out.0]);
                    Kernel::Up(Box::new(PreparedUp::new([inputs, outputs], [height, width], &weight, bias)))
                }
                Op::Concat => {
                    program.concat([Some(x), second], out);
                    continue;
                }
            };
            program.nodes.push(Node { op: kernel, x, second, out });
        }
        Ok(program)
    }

    /// The elements of a value.
    pub(super) fn len(&self, value: Value) -> usize {
        self.shapes[value.0].iter().product()
    }

    /// The value that is part of no other and holds this one, and where this one begins in it.
    pub(super) fn root(&self, value: Value) -> (Value, usize) {
        let (mut root, mut start) = (value, 0);
        while let Some((whole, offset)) = self.part_of[root.0] {
            (root, start) = (whole, start + offset);
        }
        (root, start)
    }

    fn concat(&mut self, parts: [Option<Value>; 2], whole: Value) {
        let mut offset = 0;
        for part in parts.into_iter().flatten() {
            let placed = if part == INPUT || self.part_of[part.0].is_some() { self.copy(part) } else { part };
            self.part_of[placed.0] = Some((whole, offset));
            offset += self.len(part);
        }
    }

    fn copy(&mut self, value: Value) -> Value {
        let copy = Value(self.shapes.len());
        self.shapes.push(self.shapes[value.0]);
        self.part_of.push(None);
        self.nodes.push(Node { op: Kernel::Copy, x: value, second: None, out: copy });
        copy
    }
}
