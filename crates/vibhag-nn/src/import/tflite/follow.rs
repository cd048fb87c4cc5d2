//! A network and a graph walked through together: what the graph computes must be what the network does.

use vibhag_core::{Error, Result};

use super::{Model, Operation, Operator};
use crate::blocks::{BatchNorm, Conv2d, ConvTranspose2d};
use crate::engine::{Engine, Interpolation};
use crate::named::NamedTensor;
use crate::ops::Activation;

/// A layer that has weights.
#[derive(Debug, Clone, Copy)]
pub enum Layer<'a> {
    /// A convolution.
    Conv(&'a Conv2d),
    /// A transposed convolution.
    Transposed(&'a ConvTranspose2d),
}

/// The weights that `model` has for the named layers of a network, which does what `run` says with an engine.
///
/// # Errors
/// When the graph computes anything but this network: an operation is missing, reads another map, has other kernels or
/// another stride, or is left over.
pub fn weights_of<'a>(
    model: &'a Model,
    layers: &'a [(String, Layer<'a>)],
    run: impl FnOnce(&mut Follower<'a>, usize) -> usize,
) -> Result<Vec<NamedTensor>> {
    let used = vec![false; model.operators().len()];
    let mut follower = Follower { model, layers, used, tensors: Vec::new(), fault: None };
    let output = run(&mut follower, model.input());
    let Follower { used, tensors, fault, .. } = follower;
    if let Some(fault) = fault {
        return Err(fault);
    }
    if let Some((operator, _)) = model.operators().iter().zip(&used).find(|(_, used)| !**used) {
        return Err(model.error("the graph computes more than the network does", operator.name.clone()));
    }
    if output != model.output() {
        return Err(model.error("the graph gives another map than the network", format!("tensor {}", model.output())));
    }
    Ok(tensors)
}

/// The engine that walks; its maps are the numbers of the graph's tensors.
#[derive(Debug)]
pub struct Follower<'a> {
    model: &'a Model,
    layers: &'a [(String, Layer<'a>)],
    used: Vec<bool>,
    tensors: Vec<NamedTensor>,
    /// The first error: the operations of an engine return maps.
    fault: Option<Error>,
}

/// No tensor: what follows a fault.
const NOWHERE: usize = usize::MAX;

impl<'a> Follower<'a> {
    /// The operator that reads `inputs`, in any order, and is as wanted.
    fn step(&mut self, what: &str, inputs: &[usize], wanted: impl Fn(&Operation) -> bool) -> Option<&'a Operator> {
        let reads = |own: &[usize]| own == inputs || own.iter().rev().eq(inputs);
        let mut operators = self.model.operators().iter().enumerate();
        let found = operators
            .find(|(index, operator)| !self.used[*index] && reads(&operator.inputs) && wanted(&operator.operation));
        let Some((index, operator)) = found else {
            let detail = format!("no {what} that reads tensors {inputs:?}");
            self.fault.get_or_insert_with(|| self.model.error("the graph is not the network's", detail));
            return None;
        };
        self.used[index] = true;
        Some(operator)
    }

    fn next(&mut self, what: &str, inputs: &[usize], wanted: impl Fn(&Operation) -> bool) -> usize {
        self.step(what, inputs, wanted).map_or(NOWHERE, |operator| operator.output)
    }

    fn keep(&mut self, name: Option<&String>, weight: &NamedTensor, bias: &NamedTensor) {
        match name {
            Some(name) => {
                self.tensors.push(NamedTensor { name: format!("{name}.weight"), ..weight.clone() });
                self.tensors.push(NamedTensor { name: format!("{name}.bias"), ..bias.clone() });
            }
            None => self.refuse("a layer without a name"),
        }
    }

    fn refuse(&mut self, what: &str) {
        self.fault.get_or_insert_with(|| self.model.error("the graph cannot hold the network", what.to_owned()));
    }
}

impl Engine for Follower<'_> {
    type Map = usize;
    type Indices = ();

    fn conv(&mut self, x: usize, conv: &Conv2d, norm: Option<&BatchNorm>, activation: Activation) -> usize {
        if norm.is_some() {
            self.refuse("a normalisation");
        }
        let shape = conv.weight.dims();
        let fits = |operation: &Operation| {
            matches!(operation, Operation::Convolution { weight, stride, depthwise, .. }
                if weight.shape == shape && *stride == conv.stride() && *depthwise == (conv.groups() > 1))
        };
        let what = format!("convolution with kernels {shape:?} and stride {}", conv.stride());
        let Some(Operator { operation: Operation::Convolution { weight, bias, .. }, output, .. }) =
            self.step(&what, &[x], fits)
        else {
            return NOWHERE;
        };
        let is_it = |layer: &Layer<'_>| matches!(layer, Layer::Conv(own) if std::ptr::eq(*own, conv));
        let name = self.layers.iter().find(|(_, layer)| is_it(layer)).map(|(name, _)| name);
        self.keep(name, weight, bias);
        self.activate(*output, activation)
    }

    fn norm(&mut self, _: usize, _: &BatchNorm, _: Activation) -> usize {
        self.refuse("a normalisation");
        NOWHERE
    }

    fn transposed(&mut self, x: usize, conv: &ConvTranspose2d) -> usize {
        let shape = conv.weight.dims();
        let fits =
            |operation: &Operation| matches!(operation, Operation::Doubling { weight, .. } if weight.shape == shape);
        let Some(Operator { operation: Operation::Doubling { weight, bias }, output, .. }) =
            self.step("transposed convolution", &[x], fits)
        else {
            return NOWHERE;
        };
        let is_it = |layer: &Layer<'_>| matches!(layer, Layer::Transposed(own) if std::ptr::eq(*own, conv));
        let name = self.layers.iter().find(|(_, layer)| is_it(layer)).map(|(name, _)| name);
        self.keep(name, weight, bias);
        *output
    }

    fn activate(&mut self, x: usize, activation: Activation) -> usize {
        if activation == Activation::Identity {
            return x;
        }
        self.next(&format!("{activation:?}"), &[x], |operation| *operation == Operation::Activation(activation))
    }

    fn add(&mut self, x: usize, y: usize, activation: Activation) -> usize {
        let sum = self.next("sum", &[x, y], |operation| *operation == Operation::Add);
        self.activate(sum, activation)
    }

    fn max_pool(&mut self, _: usize, _: usize, _: usize, _: usize) -> usize {
        self.refuse("max pooling");
        NOWHERE
    }

    fn max_pool_with_indices(&mut self, _: usize) -> (usize, ()) {
        self.refuse("max pooling");
        (NOWHERE, ())
    }

    fn unpool(&mut self, _: usize, (): ()) -> usize {
        self.refuse("unpooling");
        NOWHERE
    }

    fn upsample(&mut self, x: usize, interpolation: Interpolation, skip: Option<usize>) -> usize {
        if interpolation != Interpolation::Bilinear || skip.is_some() {
            self.refuse("an enlargement that is not bilinear, or joins maps");
        }
        self.next("bilinear enlargement", &[x], |operation| *operation == Operation::Bilinear)
    }

    fn concat(&mut self, _: usize, _: usize) -> usize {
        self.refuse("joined maps");
        NOWHERE
    }

    fn means(&mut self, x: usize) -> usize {
        self.next("mean of channels", &[x], |operation| *operation == Operation::Means)
    }

    fn scale(&mut self, x: usize, factors: usize) -> usize {
        self.next("product", &[x, factors], |operation| *operation == Operation::Multiply)
    }
}
