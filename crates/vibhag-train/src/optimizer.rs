//! AdamW (Loshchilov and Hutter, ICLR 2019) and SGD with Nesterov momentum over named parameters.
//!
//! The state is kept by parameter *name*, so a checkpoint written by one process fits the network
//! of another; the global gradient norm is clipped; norms and biases (rank-1 parameters) take no
//! weight decay.

use std::collections::HashMap;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor, TensorData};
use vibhag_core::error::ErrorKind;
use vibhag_core::{Error, Result};
use vibhag_nn::backend::{AdamW, adamw};
use vibhag_nn::{NamedTensor, Network};

use crate::plan::OptimizerConfig;

const ADAM_EPSILON: f32 = 1e-8;

/// First and second moment of one parameter, flattened.
#[derive(Debug, Clone)]
struct Moments {
    first: Tensor<1>,
    second: Option<Tensor<1>>,
}

/// The optimizer with its state.
#[derive(Debug, Clone)]
pub struct Optimizer {
    config: OptimizerConfig,
    pretrained_encoder: bool,
    step: u64,
    moments: HashMap<String, Moments>,
}

impl Optimizer {
    /// A fresh optimizer; `pretrained_encoder` switches `encoder_factor` on.
    pub fn new(config: OptimizerConfig, pretrained_encoder: bool) -> Self {
        Self { config, pretrained_encoder, step: 0, moments: HashMap::new() }
    }

    /// One step with the learning rate scaled by `factor`. Returns the network and the norm of
    /// the gradient before clipping.
    ///
    /// # Errors
    /// When the gradient is not finite; the network is lost then, training must not go on.
    pub fn step(&mut self, network: Network, grads: GradientsParams, factor: f64) -> Result<(Network, f64)> {
        let norm = gradient_norm(&network, &grads)?;
        if !norm.is_finite() {
            return Err(Error::new(ErrorKind::Training, format!("the gradient's norm is {norm}"))
                .hint("lower optimizer.learning_rate or check the data with `vibhag doctor`"));
        }
        self.step += 1;
        let clip = if self.config.clip_norm > 0.0 && norm > self.config.clip_norm {
            self.config.clip_norm / norm
        } else {
            1.0
        };
        let mut mapper = Update { optimizer: self, grads, factor, clip: clip as f32, path: Vec::new() };
        Ok((network.map(&mut mapper), norm))
    }

    /// The state as named tensors (`NAME/first`, `NAME/second`), sorted by name.
    ///
    /// # Errors
    /// When a tensor cannot be read back from the device.
    pub fn state(&self) -> Result<Vec<NamedTensor>> {
        let mut names: Vec<&String> = self.moments.keys().collect();
        names.sort();
        let mut tensors = Vec::new();
        for name in names {
            let moments = &self.moments[name];
            let mut push = |suffix: &str, tensor: &Tensor<1>| -> Result<()> {
                let values = values(tensor.clone())?;
                let name = format!("{name}/{suffix}");
                tensors.push(NamedTensor { name, shape: vec![values.len()], values });
                Ok(())
            };
            push("first", &moments.first)?;
            if let Some(second) = &moments.second {
                push("second", second)?;
            }
        }
        Ok(tensors)
    }

    /// Restores the state that [`Optimizer::state`] gave after `step` steps.
    pub fn restore(&mut self, step: u64, tensors: Vec<NamedTensor>, device: &Device) {
        self.step = step;
        self.moments.clear();
        let mut seconds = HashMap::new();
        for NamedTensor { name, shape, values } in tensors {
            let tensor = Tensor::<1>::from_data(TensorData::new(values, shape), device);
            if let Some(name) = name.strip_suffix("/second") {
                seconds.insert(name.to_owned(), tensor);
            } else if let Some(name) = name.strip_suffix("/first") {
                self.moments.insert(name.to_owned(), Moments { first: tensor, second: None });
            }
        }
        for (name, second) in seconds {
            if let Some(moments) = self.moments.get_mut(&name) {
                moments.second = Some(second);
            }
        }
    }

    fn update(&mut self, name: &str, param: Tensor<1>, grad: Tensor<1>, rate: f64, decay: f64) -> Tensor<1> {
        let beta1 = self.config.momentum as f32;
        let previous = self.moments.remove(name);
        if self.config.name == "sgd" {
            let velocity = match previous {
                Some(moments) => moments.first.mul_scalar(beta1) + grad.clone(),
                None => grad.clone(),
            };
            let direction = velocity.clone().mul_scalar(beta1) + grad;
            self.moments.insert(name.to_owned(), Moments { first: velocity, second: None });
            let param = if decay > 0.0 { param.mul_scalar((1.0 - rate * decay) as f32) } else { param };
            return param - direction.mul_scalar(rate as f32);
        }
        let beta2 = self.config.beta2 as f32;
        let (first, second) = match previous {
            Some(Moments { first, second: Some(second) }) => (first, second),
            _ => (grad.zeros_like(), grad.zeros_like()),
        };
        let steps = i32::try_from(self.step).unwrap_or(i32::MAX);
        let step = AdamW {
            rate: (rate / (1.0 - self.config.momentum.powi(steps))) as f32,
            keep: (1.0 - rate * decay) as f32,
            beta1,
            beta2,
            correction: (1.0 - self.config.beta2.powi(steps)).sqrt() as f32,
            epsilon: ADAM_EPSILON,
        };
        let [param, first, second] = adamw(param, grad, first, second, step);
        self.moments.insert(name.to_owned(), Moments { first, second: Some(second) });
        param
    }
}

/// The values of a tensor.
///
/// # Errors
/// When they cannot be read back from the device.
pub(crate) fn values(tensor: Tensor<1>) -> Result<Vec<f32>> {
    tensor
        .try_into_data()
        .map_err(|e| Error::new(ErrorKind::Training, format!("cannot read a tensor back: {e:?}")))?
        .try_to_vec::<f32>()
        .map_err(|e| Error::new(ErrorKind::Training, format!("cannot read a tensor back: {e:?}")))
}

struct Norm<'a> {
    grads: &'a GradientsParams,
    total: Option<Tensor<1>>,
}

impl ModuleVisitor for Norm<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(grad) = self.grads.get::<D>(param.id) {
            let sum = grad.clone().mul(grad).sum();
            self.total = Some(match self.total.take() {
                Some(total) => total + sum,
                None => sum,
            });
        }
    }
}

fn gradient_norm(network: &Network, grads: &GradientsParams) -> Result<f64> {
    let mut norm = Norm { grads, total: None };
    network.visit(&mut norm);
    match norm.total {
        Some(total) => Ok(values(total)?.first().map_or(0.0, |sum| f64::from(*sum).sqrt())),
        None => Err(Error::new(ErrorKind::Training, "no parameter received a gradient")),
    }
}

struct Update<'a> {
    optimizer: &'a mut Optimizer,
    grads: GradientsParams,
    factor: f64,
    clip: f32,
    path: Vec<String>,
}

impl ModuleMapper for Update<'_> {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let (id, tensor, mapper) = param.consume();
        let Some(grad) = self.grads.remove::<D>(id) else {
            return Param::from_mapped_value(id, tensor, mapper);
        };
        let name = self.path.join(".");
        let config = &self.optimizer.config;
        let in_encoder = self.optimizer.pretrained_encoder && self.path.iter().any(|part| part == "encoder");
        let rate = config.learning_rate * self.factor * if in_encoder { config.encoder_factor } else { 1.0 };
        let decay = if D > 1 { config.weight_decay } else { 0.0 };
        let shape = tensor.shape();
        let count = shape.num_elements();
        let grad = grad.reshape([count]);
        let grad = if self.clip < 1.0 { grad.mul_scalar(self.clip) } else { grad };
        let strategy = tensor.gradient_checkpointing_strategy();
        let updated = self.optimizer.update(&name, tensor.inner().reshape([count]), grad, rate, decay);
        let mut tensor = Tensor::from_inner(updated.reshape::<D, _>(shape));
        if let Some(strategy) = strategy {
            tensor = tensor.with_gradient_checkpointing_strategy(strategy);
        }
        let tensor = tensor.require_grad();
        Param::from_mapped_value(id, tensor, mapper)
    }
}
