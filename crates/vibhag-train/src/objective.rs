//! What a step minimises: the loss of the class logits plus, where objects are told apart, the loss of the maps; or the
//! loss of the maps of people's keypoints alone.

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
    if let Some(pose) = &plan.pose {
        let [n, planes, h, w] = output.dims();
        let numbers = values(detached(output.clone()).reshape([n * planes * h * w]))?;
        let kinds = [pose.skeleton.len(), plan.network.out_channels];
        let (value, gradient) = pose.loss.value_and_gradient(&numbers, &batch.targets, h * w, kinds);
        return Ok(Objective { tensor: pulled(output, gradient), value });
    }
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
    let value = value + f64::from(scalar(detached(class_loss.clone()))?);
    let mut objective = Objective { tensor: class_loss + pulled(maps, gradient), value };
    if !matches!(objects, ObjectLoss::Star { .. }) {
        let numbers = values(detached(logits.clone()).reshape([n * classes * h * w]))?;
        if let Some((extra, gradient)) = objects.class_extra(&numbers, &batch.labels, &batch.targets, h * w) {
            objective.tensor = objective.tensor + pulled(logits, gradient);
            objective.value += extra;
        }
    }
    Ok(objective)
}

/// A number whose derivative by `maps` is `gradient`, whatever the loss was.
fn pulled(maps: Tensor<4>, gradient: Vec<f32>) -> Tensor<1> {
    let gradient: Tensor<4> = Tensor::from_data(TensorData::new(gradient, maps.dims()), &maps.device());
    (maps * gradient).sum()
}

/// The tensor without its history; on a device without gradients it is as it was.
fn detached<const D: usize>(tensor: Tensor<D>) -> Tensor<D> {
    if tensor.device().is_autodiff() { tensor.inner() } else { tensor }
}
