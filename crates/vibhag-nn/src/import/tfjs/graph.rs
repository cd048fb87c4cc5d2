//! Nodes of the graph, and the one kind that is understood: convolutions with bias and activation fused into them.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::Value;
use vibhag_core::{Error, ErrorKind, Result};

use crate::named::NamedTensor;
use crate::ops::Activation;

/// A convolution with a bias and TensorFlow's "same" padding.
#[derive(Debug, Clone, PartialEq)]
pub struct Convolution {
    /// The node whose output it convolves.
    pub input: String,
    /// Kernels [O, I, H, W]; of a depthwise convolution [C x multiplier, 1, H, W].
    pub weight: NamedTensor,
    /// Bias \[O\].
    pub bias: NamedTensor,
    /// Step in both directions.
    pub stride: usize,
    /// Whether every channel has kernels of its own.
    pub depthwise: bool,
    /// What follows.
    pub activation: Activation,
}

/// A node as the JSON file has it. Attributes are looked at when the node is used.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Node {
    pub(super) name: String,
    op: String,
    #[serde(default)]
    input: Vec<String>,
    #[serde(default)]
    attr: BTreeMap<String, Value>,
}

impl Node {
    pub(super) fn computes(&self) -> bool {
        !matches!(self.op.as_str(), "Const" | "Placeholder")
    }

    /// Checks that a constant has its tensor; other nodes have nothing to check.
    pub(super) fn check_constant(&self, constants: &BTreeMap<String, NamedTensor>) -> Result<()> {
        if self.op != "Const" {
            return Ok(());
        }
        let Some(tensor) = constants.get(&self.name) else {
            return Err(fault("a constant without weights", &self.name));
        };
        let sides = self.attr.get("value").and_then(|value| value.pointer("/tensor/tensorShape/dim"));
        let Some(sides) = sides.and_then(Value::as_array) else { return Ok(()) };
        let declared: Option<Vec<usize>> = sides.iter().map(|side| side.get("size").and_then(integer)).collect();
        if declared.as_ref() == Some(&tensor.shape) {
            return Ok(());
        }
        let shapes = format!("{}: {declared:?} in the graph, {:?} among the weights", self.name, tensor.shape);
        Err(fault("a constant of two shapes", shapes))
    }

    pub(super) fn convolution(&self, constants: &BTreeMap<String, NamedTensor>) -> Result<Convolution> {
        let depthwise = match self.op.as_str() {
            "_FusedConv2D" => false,
            "FusedDepthwiseConv2dNative" => true,
            other => return Err(self.unsupported("op", other)),
        };
        let expected = [("padding", "SAME"), ("data_format", "NHWC")];
        for (key, value) in expected {
            let found = self.attr.get(key).and_then(|attr| attr.get("s")).and_then(text);
            if found.as_deref() != Some(value) {
                return Err(self.unsupported(key, &format!("{found:?}")));
            }
        }
        if self.integers("dilations")? != [1; 4] {
            return Err(self.unsupported("dilations", &format!("{:?}", self.integers("dilations")?)));
        }
        let &[1, stride, other, 1] = self.integers("strides")?.as_slice() else {
            return Err(self.unsupported("strides", &format!("{:?}", self.integers("strides")?)));
        };
        if stride == 0 || stride != other {
            return Err(self.unsupported("strides", &format!("{stride} and {other}")));
        }
        let fused = self.list("fused_ops", "s")?.iter().map(text).collect::<Option<Vec<_>>>().unwrap_or_default();
        let activation = match fused.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["BiasAdd"] => Activation::Identity,
            ["BiasAdd", "Relu"] => Activation::Relu,
            ["BiasAdd", "Relu6"] => Activation::Relu6,
            _ => return Err(self.unsupported("fused_ops", &fused.join(", "))),
        };
        let [input, kernels, bias] = self.input.as_slice() else {
            return Err(self.unsupported("input", &self.input.join(", ")));
        };
        let constant = |name: &String| {
            constants.get(name).ok_or_else(|| fault("a weight that is no constant", format!("{}: {name}", self.name)))
        };
        let (weight, bias) = (kernel(constant(kernels)?, depthwise)?, constant(bias)?.clone());
        if bias.shape != weight.shape[..1] {
            let shapes = format!("{}: bias {:?}, kernels {:?}", self.name, bias.shape, weight.shape);
            return Err(fault("bias and kernels do not fit", shapes));
        }
        Ok(Convolution { input: input.clone(), weight, bias, stride, depthwise, activation })
    }

    fn list(&self, key: &str, kind: &str) -> Result<&[Value]> {
        let list = self.attr.get(key).and_then(|attr| attr.get("list")).and_then(|list| list.get(kind));
        list.and_then(Value::as_array).map(Vec::as_slice).ok_or_else(|| self.unsupported(key, "no list"))
    }

    fn integers(&self, key: &str) -> Result<Vec<usize>> {
        let numbers: Option<Vec<usize>> = self.list(key, "i")?.iter().map(integer).collect();
        numbers.ok_or_else(|| self.unsupported(key, "no whole numbers"))
    }

    fn unsupported(&self, key: &str, value: &str) -> Error {
        Error::new(ErrorKind::Unsupported, format!("node {} is not understood", self.name))
            .at(format!("{key}: {value}"))
    }
}

/// TensorFlow's kernels [H, W, I, O] as [O, I, H, W]; depthwise ones [H, W, C, M] as [C x M, 1, H, W].
fn kernel(tensor: &NamedTensor, depthwise: bool) -> Result<NamedTensor> {
    let &[height, width, inner, outer] = tensor.shape.as_slice() else {
        return Err(fault("kernels of another number of sides than 4", format!("{} {:?}", tensor.name, tensor.shape)));
    };
    let (outputs, inputs) = if depthwise { (inner * outer, 1) } else { (outer, inner) };
    let mut values = Vec::with_capacity(tensor.values.len());
    for output in 0..outputs {
        for input in 0..inputs {
            // A depthwise kernel's channel and multiplier lie side by side already.
            let inside = if depthwise { output } else { input * outer + output };
            values.extend((0..height * width).map(|place| tensor.values[place * inner * outer + inside]));
        }
    }
    Ok(NamedTensor { name: tensor.name.clone(), shape: vec![outputs, inputs, height, width], values })
}

/// A whole number, which TensorFlow writes as text.
fn integer(value: &Value) -> Option<usize> {
    value.as_str().map_or_else(|| value.as_u64().and_then(|n| n.try_into().ok()), |text| text.parse().ok())
}

/// Text, which TensorFlow writes in base 64.
fn text(value: &Value) -> Option<String> {
    String::from_utf8(STANDARD.decode(value.as_str()?).ok()?).ok()
}

fn fault(what: &str, place: impl Into<String>) -> Error {
    Error::new(ErrorKind::Decode, what).at(place)
}
