//! What a step minimises: the loss of the class logits plus, where objects are told apart, the loss of the maps.

use burn::tensor::{Int, Tensor, TensorData};
use vibhag_core::Result;
use vibhag_data::Batch;
use vibhag_nn::losses::ObjectLoss;

use crate::optimizer::values;
use crate::plan::Plan;
use crate::validation::scalar;

/// A loss that can be differentiated, and its value.
#[derive(Debug)]
pub struct Objective {
    /// Its gradient by the network's output is that of the loss; its own value is not the loss's.
    pub tensor: Tensor<1>,
    /// The loss.
    pub value: f64,
}

/// The loss of `output` [N, planes, H, W] for a batch with `labels` [N, H, W].
///
/// # Errors
/// When values cannot be read back from the device.
pub fn objective(plan: &Plan, output: Tensor<4>, labels: Tensor<3, Int>, batch: &Batch) -> Result<Objective> {
    let Some(objects) = &plan.objects else {
        let tensor = plan.loss.forward(output, labels);
        let value = f64::from(scalar(detached(tensor.clone()))?);
        return Ok(Objective { tensor, value });
    };
    let [n, planes, h, w] = output.dims();
    let classes = plan.network.out_channels;
    let logits = output.clone().narrow(1, 0, classes);
    let class_loss = plan.loss.forward(logits.clone(), labels);
    let maps = output.narrow(1, classes, planes - classes);
    let numbers = values(detached(maps.clone()).reshape([n * (planes - classes) * h * w]))?;
    let (value, gradient) = objects.value_and_gradient(&numbers, &batch.targets, h * w);
    let gradient: Tensor<4> = Tensor::from_data(TensorData::new(gradient, [n, planes - classes, h, w]), &maps.device());
    // The derivative of sum(maps * gradient) by the maps is the gradient, whatever the loss was.
    let value = value + f64::from(scalar(detached(class_loss.clone()))?);
    let mut objective = Objective { tensor: class_loss + (maps * gradient).sum(), value };
    if !matches!(objects, ObjectLoss::Star { .. }) {
        let numbers = values(detached(logits.clone()).reshape([n * classes * h * w]))?;
        if let Some((extra, gradient)) = objects.class_extra(&numbers, &batch.labels, &batch.targets, h * w) {
            let gradient: Tensor<4> =
                Tensor::from_data(TensorData::new(gradient, [n, classes, h, w]), &logits.device());
            objective.tensor = objective.tensor + (logits * gradient).sum();
            objective.value += extra;
        }
    }
    Ok(objective)
}

/// The tensor without its history; on a device without gradients it is as it was.
fn detached<const D: usize>(tensor: Tensor<D>) -> Tensor<D> {
    if tensor.device().is_autodiff() { tensor.inner() } else { tensor }
}
