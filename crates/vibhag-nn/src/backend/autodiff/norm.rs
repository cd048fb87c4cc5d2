//! Normalisation with activation: gradients, and the map computed again.

use std::sync::{Arc, Mutex, PoisonError};

use burn::backend::{Backend, tensor::FloatTensor};
use burn_autodiff::NodeId;
use burn_autodiff::checkpoint::{base::Checkpointer, retro_forward::RetroForward, state::BackwardStates};
use burn_autodiff::grads::Gradients;
use burn_autodiff::ops::{Backward, Ops};
use vibhag_kernels::Activation;

use crate::backend::extension::KernelGrads;

#[derive(Debug)]
pub(super) struct Norm;

impl<B: KernelGrads> Backward<B, 3> for Norm {
    type State = (NodeId, [FloatTensor<B>; 3], f32, Activation);

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, checkpointer: &mut Checkpointer) {
        let (x, parameters, eps, act) = ops.state;
        let dy = grads.consume::<B>(&ops.node);
        let x = checkpointer.retrieve_node_output::<FloatTensor<B>>(x);
        let (dx, dgamma, dbeta) = B::batch_norm_grads(x, parameters, dy, eps, act);
        for (node, gradient) in ops.parents.into_iter().zip([dx, dgamma, dbeta]) {
            if let Some(node) = node {
                grads.register::<B>(node.id, gradient);
            }
        }
    }
}

/// Statistics, scale and shift of a batch normalisation, known once it was computed.
#[derive(Debug)]
pub(super) struct Parameters<B: Backend>(Arc<Mutex<Option<[FloatTensor<B>; 3]>>>);

impl<B: Backend> Default for Parameters<B> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<B: Backend> Clone for Parameters<B> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<B: Backend> Parameters<B> {
    pub(super) fn set(&self, values: [FloatTensor<B>; 3]) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(values);
    }

    fn get(&self) -> Option<[FloatTensor<B>; 3]> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Computes the normalised map again in the backward pass: it costs one pass over the memory, and without it half of
/// a network's maps need not be kept.
#[derive(Debug)]
pub(super) struct NormAgain<B: Backend> {
    pub(super) x: NodeId,
    pub(super) parameters: Parameters<B>,
    pub(super) eps: f32,
    pub(super) act: Activation,
}

impl<B: KernelGrads> RetroForward for NormAgain<B> {
    fn forward(&self, states: &mut BackwardStates, out_node: NodeId) {
        let x = states.get_state::<FloatTensor<B>>(&self.x);
        // The backward pass comes after the forward pass, which set them.
        if let Some(parameters) = self.parameters.get() {
            states.save(out_node, B::batch_norm_again(x, parameters, self.eps, self.act));
        }
    }
}

#[derive(Debug)]
pub(super) struct Affine;

impl<B: KernelGrads> Backward<B, 3> for Affine {
    type State = (NodeId, [FloatTensor<B>; 2], Activation);

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, checkpointer: &mut Checkpointer) {
        let (x, parameters, act) = ops.state;
        let dy = grads.consume::<B>(&ops.node);
        let x = checkpointer.retrieve_node_output::<FloatTensor<B>>(x);
        let (dx, dscale, dshift) = B::affine_grads(x, parameters, dy, act);
        for (node, gradient) in ops.parents.into_iter().zip([dx, dscale, dshift]) {
            if let Some(node) = node {
                grads.register::<B>(node.id, gradient);
            }
        }
    }
}
