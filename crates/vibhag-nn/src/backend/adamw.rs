//! AdamW on tensors: one pass in place on the CPU, burn's operations elsewhere.

use burn::backend::{BackendTensor, DispatchTensor, DispatchTensorKind};
use burn::tensor::Tensor;
use burn_flex::FlexTensor;
pub use vibhag_kernels::AdamW;

use super::kernels_enabled;

/// One step: the new parameters, first and second moment. All tensors have the same length and track no gradients.
pub fn adamw(
    parameters: Tensor<1>,
    gradient: Tensor<1>,
    first: Tensor<1>,
    second: Tensor<1>,
    step: AdamW,
) -> [Tensor<1>; 3] {
    let count = parameters.dims()[0];
    let mut state = [parameters, first, second].map(Tensor::into_dispatch);
    let gradient = gradient.into_dispatch();
    if kernels_enabled() {
        let [p, m, v] = &mut state;
        if let (Some(p), Some(m), Some(v), Some(g)) = (flex(p), flex(m), flex(v), flex_ref(&gradient)) {
            // Storage of another length belongs to a view, which the other branch handles.
            if [p.storage::<f32>().len(), m.storage::<f32>().len(), v.storage::<f32>().len()] == [count; 3] {
                let g = g.to_contiguous();
                vibhag_kernels::adamw(p.storage_mut(), g.storage(), m.storage_mut(), v.storage_mut(), step);
                return state.map(Tensor::from_dispatch);
            }
        }
    }
    let [p, m, v] = state.map(Tensor::<1>::from_dispatch);
    let g = Tensor::<1>::from_dispatch(gradient);
    let m = m.mul_scalar(step.beta1) + g.clone().mul_scalar(1.0 - step.beta1);
    let v = v.mul_scalar(step.beta2) + g.clone().mul(g).mul_scalar(1.0 - step.beta2);
    let root = v.clone().sqrt().div_scalar(step.correction).add_scalar(step.epsilon);
    let p = p.mul_scalar(step.keep) - m.clone().div(root).mul_scalar(step.rate);
    [p, m, v]
}

fn flex(x: &mut DispatchTensor) -> Option<&mut FlexTensor> {
    match &mut x.kind {
        DispatchTensorKind::Flex(BackendTensor::Float(tensor)) if tensor.is_contiguous() => Some(tensor),
        _ => None,
    }
}

fn flex_ref(x: &DispatchTensor) -> Option<&FlexTensor> {
    match &x.kind {
        DispatchTensorKind::Flex(BackendTensor::Float(tensor)) => Some(tensor),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, Distribution};

    use super::*;

    #[test]
    fn the_kernel_equals_burns_operations() {
        let device = Device::flex();
        let random = || Tensor::<1>::random([40_000], Distribution::Uniform(0.0, 1.0), &device);
        let (p, g, m, v) = (random(), random() - 0.5, random(), random());
        let step = AdamW { rate: 0.01, keep: 0.999, beta1: 0.9, beta2: 0.99, correction: 0.7, epsilon: 1e-8 };
        let view = Tensor::cat(vec![p.clone(), p.clone()], 0).narrow(0, 40_000, 40_000);
        let ours = adamw(p.clone(), g.clone(), m.clone(), v.clone(), step);
        let theirs = adamw(view, g, m, v, step);
        for (a, b) in ours.into_iter().zip(theirs) {
            assert!((a - b).abs().max().into_scalar::<f32>() < 1e-6);
        }
        assert!(p.max().into_scalar::<f32>() <= 1.0, "a shared tensor was changed in place");
    }
}
