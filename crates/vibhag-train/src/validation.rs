//! Validation during training: the averaged weights on unaugmented samples at the network's size.

use burn::tensor::{Device, Int, Tensor, TensorData};
use vibhag_core::error::ErrorKind;
use vibhag_core::{Error, Result};
use vibhag_data::loader::{Batch, BatchLoader};
use vibhag_metrics::ConfusionMatrix;
use vibhag_nn::Network;

use crate::objective::objective;
use crate::objects::ObjectJudge;
use crate::plan::Plan;
use crate::poses::PoseJudge;

/// What one validation found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Validation {
    /// Mean loss over batches.
    pub loss: f64,
    /// Dice of the foreground (binary) or mean over classes, pooled over all pixels; 0 where there are no classes.
    pub dice: f64,
    /// IoU of the foreground (binary) or mean IoU over classes, likewise.
    pub iou: f64,
    /// Where objects are told apart: their average precision over IoU thresholds 0.5 to 0.95 (TP / (TP + FP + FN)), or
    /// the panoptic quality. Of people's keypoints their mean similarity to the true ones.
    pub objects: Option<f64>,
}

impl Validation {
    /// The number that decides which weights are best.
    pub fn score(&self) -> f64 {
        self.objects.unwrap_or(self.iou)
    }
}

/// Runs `network` (in evaluation mode) over the samples `indices`.
///
/// # Errors
/// When a sample cannot be loaded or the device fails.
pub fn validate(
    network: &Network,
    loader: &BatchLoader,
    indices: &[usize],
    plan: &Plan,
    device: &Device,
) -> Result<Validation> {
    let classes = &plan.classes;
    let mut matrix = ConfusionMatrix::new(classes.len());
    let mut judge = ObjectJudge::new(plan);
    let mut poses = PoseJudge::new(plan)?;
    let (mut total, mut batches) = (0.0, 0u32);
    for batch in loader.epoch(0, indices) {
        let batch = batch?;
        let (images, labels) = tensors(&batch, device);
        let output = network.forward(images);
        let objective = objective(plan, output.clone(), labels, &batch)?;
        total += objective.value;
        batches += 1;
        if let Some(poses) = &mut poses {
            poses.add(output, &batch)?;
            continue;
        }
        let logits = output.clone().narrow(1, 0, plan.network.out_channels);
        let predicted = predicted(logits, plan.postprocessing.threshold)?;
        // The rules of segments ignore what the class table need not.
        let ignore = if plan.task.has_objects() { Some(plan.loss.ignore) } else { classes.ignore };
        matrix.add(&batch.labels, &predicted, ignore)?;
        if let Some(judge) = &mut judge {
            judge.add(output, &batch)?;
        }
    }
    let loss = total / f64::from(batches.max(1));
    if let Some(poses) = poses {
        return Ok(Validation { loss, dice: 0.0, iou: 0.0, objects: Some(poses.score()) });
    }
    let (dice, iou) =
        if classes.is_binary() { (matrix.dice(1), matrix.iou(1)) } else { (matrix.mean_dice(), matrix.mean_iou()) };
    let objects = judge.map(ObjectJudge::score);
    Ok(Validation { loss, dice, iou, objects })
}

/// The batch as tensors: images `[N, C, H, W]` and labels `[N, H, W]`.
pub fn tensors(batch: &Batch, device: &Device) -> (Tensor<4>, Tensor<3, Int>) {
    let Batch { n, c, h, w, .. } = *batch;
    let labels: Vec<i32> = batch.labels.iter().map(|&label| i32::from(label)).collect();
    (
        Tensor::from_data(TensorData::new(batch.images.clone(), [n, c, h, w]), device),
        Tensor::from_data(TensorData::new(labels, [n, h, w]), device),
    )
}

/// The one value of a scalar tensor.
///
/// # Errors
/// When it cannot be read back from the device.
pub fn scalar(tensor: Tensor<1>) -> Result<f32> {
    crate::optimizer::values(tensor)?
        .first()
        .copied()
        .ok_or_else(|| Error::new(ErrorKind::Training, "the loss is an empty tensor"))
}

/// Labels of `[N, C, H, W]` logits, row-major per sample: the largest channel, or the threshold
/// on the one channel of a binary task.
fn predicted(logits: Tensor<4>, threshold: f32) -> Result<Vec<u16>> {
    let [n, c, h, w] = logits.dims();
    let values = crate::optimizer::values(logits.reshape([n * c * h * w]))?;
    if c == 1 {
        // sigmoid(z) >= t  <=>  z >= ln(t / (1 - t))
        let cut = (threshold / (1.0 - threshold)).ln();
        return Ok(values.iter().map(|&z| u16::from(z >= cut)).collect());
    }
    let pixels = h * w;
    let mut labels = Vec::with_capacity(n * pixels);
    for image in values.chunks_exact(c * pixels) {
        labels.extend((0..pixels).map(|pixel| {
            let mut best = 0;
            for class in 1..c {
                if image[class * pixels + pixel] > image[best * pixels + pixel] {
                    best = class;
                }
            }
            best as u16
        }));
    }
    Ok(labels)
}
