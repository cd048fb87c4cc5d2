//! A network's tensors by PyTorch's names: reading them out, and putting others in.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Tensor, TensorData};
use vibhag_core::{Error, ErrorKind, Result};

use crate::network::Network;
use crate::ops;
use crate::registry::Prefixes;

/// A tensor with its name: a parameter or a running statistic.
#[derive(Debug, Clone, PartialEq)]
pub struct NamedTensor {
    /// PyTorch's name.
    pub name: String,
    /// Sides.
    pub shape: Vec<usize>,
    /// Values, last side fastest.
    pub values: Vec<f32>,
}

/// How a set of tensors fits a network.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LoadReport {
    /// Tensors of the network that were not given.
    pub missing: Vec<String>,
    /// Given tensors that the network does not have.
    pub unexpected: Vec<String>,
    /// Tensors of another shape: name, the network's shape, the given shape.
    pub mismatched: Vec<(String, Vec<usize>, Vec<usize>)>,
}

impl LoadReport {
    /// Nothing is missing, unexpected or of another shape.
    ///
    /// # Errors
    /// Otherwise, naming the first few tensors.
    pub fn require_exact(&self) -> Result<()> {
        let mut faults = Vec::new();
        for (what, names) in [("missing", &self.missing), ("unexpected", &self.unexpected)] {
            if !names.is_empty() {
                faults.push(format!("{} {what}: {}", names.len(), first_few(names)));
            }
        }
        if !self.mismatched.is_empty() {
            let shapes: Vec<String> = self
                .mismatched
                .iter()
                .map(|(name, own, given)| format!("{name} is {own:?}, given {given:?}"))
                .collect();
            faults.push(format!("{} of another shape: {}", shapes.len(), first_few(&shapes)));
        }
        if faults.is_empty() {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Model, "the weights do not fit the network")
            .at(faults.join("; "))
            .hint("use weights of the same architecture, encoder, channels and classes"))
    }
}

impl Network {
    /// Every parameter and running statistic, in the network's order.
    ///
    /// # Errors
    /// When the device does not give the values out.
    pub fn named_tensors(&self) -> Result<Vec<NamedTensor>> {
        let mut reader = Reader { path: Path::new(self.config().prefixes()), tensors: Vec::new(), fault: None };
        self.visit(&mut reader);
        reader.fault.map_or(Ok(reader.tensors), Err)
    }

    /// The same network with the given tensors, all of which must fit and none may be missing.
    /// `self` is left as it was.
    ///
    /// # Errors
    /// [`ErrorKind::Model`] naming what is missing, unexpected or of another shape.
    pub fn with_tensors(&self, tensors: Vec<NamedTensor>) -> Result<Network> {
        let (network, report) = self.with_fitting_tensors(tensors);
        report.require_exact()?;
        Ok(network)
    }

    /// The same network with those of the given tensors that fit, and a report of the others.
    pub fn with_fitting_tensors(&self, tensors: Vec<NamedTensor>) -> (Network, LoadReport) {
        let given = tensors.into_iter().map(|tensor| (tensor.name, (tensor.shape, tensor.values))).collect();
        let mut writer = Writer { path: Path::new(self.config().prefixes()), given, report: LoadReport::default() };
        let network = self.clone().map(&mut writer);
        let Writer { given, mut report, .. } = writer;
        report.unexpected = given.into_keys().filter(|name| !name.ends_with("num_batches_tracked")).collect();
        (network, report)
    }
}

/// Whether the name is that of a running statistic, which gradients do not train.
pub fn is_statistic(name: &str) -> bool {
    name.ends_with(".running_mean") || name.ends_with(".running_var")
}

/// The values called `name`, if they are there in this shape; otherwise the report says so.
pub(crate) fn take<const D: usize>(
    given: &mut BTreeMap<String, NamedTensor>,
    name: &str,
    shape: [usize; D],
    report: &mut LoadReport,
) -> Option<TensorData> {
    match given.remove(name) {
        None => report.missing.push(name.to_owned()),
        Some(NamedTensor { shape: found, values, .. })
            if found == shape && values.len() == shape.iter().product::<usize>() =>
        {
            return Some(TensorData::new(values, found));
        }
        Some(tensor) => report.mismatched.push((name.to_owned(), shape.to_vec(), tensor.shape)),
    }
    None
}

/// Names and shapes without reading values.
pub(crate) fn shapes(network: &Network) -> Vec<(String, Vec<usize>)> {
    shapes_by_part(network).into_iter().map(|(_, name, shape)| (name, shape)).collect()
}

/// Like [`shapes`], with the part that owns each tensor: encoder, decoder or head.
pub(crate) fn shapes_by_part(network: &Network) -> Vec<(String, String, Vec<usize>)> {
    let mut lister = Lister { path: Path::new(network.config().prefixes()), tensors: Vec::new() };
    network.visit(&mut lister);
    lister.tensors
}

pub(crate) fn first_few(names: &[String]) -> String {
    const SHOWN: usize = 5;
    let mut text = names.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    if names.len() > SHOWN {
        text.push_str(", ...");
    }
    text
}

/// Where a traversal is. Containers that PyTorch does not name are left out: variants of enums,
/// the layer list of a sequence, the single convolution of a head.
pub(crate) struct Path {
    prefixes: Prefixes,
    segments: Vec<Option<String>>,
}

impl Path {
    pub(crate) fn new(prefixes: Prefixes) -> Self {
        Self { prefixes, segments: Vec::new() }
    }

    pub(crate) fn enter(&mut self, name: &str, container: &str) {
        let silent =
            container.starts_with("Enum:") || container == "Struct:Sequential" || container == "Struct:SemanticHead";
        self.segments.push((!silent).then(|| name.to_owned()));
    }

    pub(crate) fn exit(&mut self) {
        self.segments.pop();
    }

    pub(crate) fn part(&self) -> &str {
        self.segments.first().and_then(Option::as_deref).unwrap_or_default()
    }

    pub(crate) fn name(&self) -> String {
        let prefix = match self.part() {
            "encoder" => self.prefixes.encoder,
            "decoder" => self.prefixes.decoder,
            "objects" => "objects.",
            "detail" => "detail.",
            "stages" => "stages.",
            _ => self.prefixes.head,
        };
        let own: Vec<&str> = self.segments.iter().skip(1).flatten().map(String::as_str).collect();
        format!("{prefix}{}", own.join("."))
    }
}

struct Lister {
    path: Path,
    tensors: Vec<(String, String, Vec<usize>)>,
}

impl ModuleVisitor for Lister {
    fn enter_module(&mut self, name: &str, container_type: &str) {
        self.path.enter(name, container_type);
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.exit();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.tensors.push((self.path.part().to_owned(), self.path.name(), param.dims().to_vec()));
    }
}

struct Reader {
    path: Path,
    tensors: Vec<NamedTensor>,
    fault: Option<Error>,
}

impl ModuleVisitor for Reader {
    fn enter_module(&mut self, name: &str, container_type: &str) {
        self.path.enter(name, container_type);
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.exit();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let name = self.path.name();
        let shape = param.dims().to_vec();
        match ops::values(param.val()) {
            Ok(values) => self.tensors.push(NamedTensor { name, shape, values }),
            Err(error) => {
                self.fault.get_or_insert(error.at(name));
            }
        }
    }
}

struct Writer {
    path: Path,
    given: BTreeMap<String, (Vec<usize>, Vec<f32>)>,
    report: LoadReport,
}

impl ModuleMapper for Writer {
    fn enter_module(&mut self, name: &str, container_type: &str) {
        self.path.enter(name, container_type);
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.exit();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let name = self.path.name();
        let own = param.dims().to_vec();
        match self.given.remove(&name) {
            None => self.report.missing.push(name),
            Some((shape, values)) if shape != own || values.len() != own.iter().product::<usize>() => {
                self.report.mismatched.push((name, own, shape));
            }
            Some((shape, values)) => return replace(param, TensorData::new(values, shape)),
        }
        param
    }
}

/// The same parameter with other values, on the same device and trained as before.
pub(crate) fn replace<const D: usize>(param: Param<Tensor<D>>, data: TensorData) -> Param<Tensor<D>> {
    param.map(|old| {
        let new = Tensor::from_data(data, &old.device());
        if old.is_require_grad() { new.require_grad() } else { new }
    })
}
