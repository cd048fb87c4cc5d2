//! Cross-entropy and soft counts of several classes in one pass on the CPU.

use std::sync::Arc;

use burn::backend::Dispatch;
use burn::tensor::Tensor;

use super::extension::{ClassTruth, KernelOps};
use super::on_cpu;

/// Sums over valid pixels, free of any division.
#[derive(Debug, Clone)]
pub struct ClassSums {
    /// Weighted and smoothed cross-entropy, \[1\].
    pub entropy: Tensor<1>,
    /// Softmax summed over the pixels of the class, [N, C].
    pub intersection: Tensor<2>,
    /// Softmax summed over all valid pixels, [N, C].
    pub predicted: Tensor<2>,
}

/// The sums for logits [N, C, H, W] and one label per pixel; `None` where the kernels do not run.
pub fn class_sums(
    logits: Tensor<4>,
    labels: Arc<[u16]>,
    ignore: u16,
    weights: Arc<[f32]>,
    smoothing: f32,
) -> Option<ClassSums> {
    let [n, c, h, w] = logits.dims();
    let (logits, ours) = on_cpu(logits);
    if !ours || labels.len() != n * h * w || weights.len() != c {
        return None;
    }
    let truth = ClassTruth { labels, ignore, weights, smoothing };
    let sums = Tensor::<1>::from_dispatch(Dispatch::kernel_class_sums(logits.into_dispatch(), truth));
    let count = 2 * n * c;
    let by_class = sums.clone().narrow(0, 0, count).reshape([n, c, 2]);
    let column = |i: usize| by_class.clone().narrow(2, i, 1).reshape([n, c]);
    Some(ClassSums { entropy: sums.narrow(0, count, 1), intersection: column(0), predicted: column(1) })
}
