//! Convolutions: gradients of input, weights and bias.

use burn::backend::tensor::FloatTensor;
use burn_autodiff::NodeId;
use burn_autodiff::checkpoint::base::Checkpointer;
use burn_autodiff::grads::Gradients;
use burn_autodiff::ops::{Backward, Ops};
use vibhag_kernels::{ConvShape, UpShape};

use crate::backend::extension::KernelGrads;

#[derive(Debug)]
pub(super) struct Conv;

impl<B: KernelGrads> Backward<B, 2> for Conv {
    type State = (NodeId, NodeId, ConvShape);

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, checkpointer: &mut Checkpointer) {
        let dy = grads.consume::<B>(&ops.node);
        register::<B>(ops.state, dy, ops.parents.map(|node| node.map(|node| node.id)), grads, checkpointer);
    }
}

#[derive(Debug)]
pub(super) struct ConvBias;

impl<B: KernelGrads> Backward<B, 3> for ConvBias {
    type State = (NodeId, NodeId, ConvShape);

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, checkpointer: &mut Checkpointer) {
        let dy = grads.consume::<B>(&ops.node);
        let [for_x, for_weight, for_bias] = ops.parents;
        if let Some(node) = for_bias {
            grads.register::<B>(node.id, B::conv2d_db(dy.clone(), ops.state.2));
        }
        register::<B>(ops.state, dy, [for_x, for_weight].map(|node| node.map(|node| node.id)), grads, checkpointer);
    }
}

/// Gradients of a convolution's weights and input, where they are asked for.
fn register<B: KernelGrads>(
    (x, weight, shape): (NodeId, NodeId, ConvShape),
    dy: FloatTensor<B>,
    [for_x, for_weight]: [Option<NodeId>; 2],
    grads: &mut Gradients,
    checkpointer: &mut Checkpointer,
) {
    let x = checkpointer.retrieve_node_output::<FloatTensor<B>>(x);
    let weight = checkpointer.retrieve_node_output::<FloatTensor<B>>(weight);
    if let Some(id) = for_weight {
        grads.register::<B>(id, B::conv2d_dw(x, dy.clone(), shape));
    }
    if let Some(id) = for_x {
        grads.register::<B>(id, B::conv2d_dx(weight, dy, shape));
    }
}

#[derive(Debug)]
pub(super) struct ConvTranspose;

impl<B: KernelGrads> Backward<B, 3> for ConvTranspose {
    type State = (NodeId, NodeId, UpShape);

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, checkpointer: &mut Checkpointer) {
        let (x, weight, shape) = ops.state;
        let dy = grads.consume::<B>(&ops.node);
        let x = checkpointer.retrieve_node_output::<FloatTensor<B>>(x);
        let weight = checkpointer.retrieve_node_output::<FloatTensor<B>>(weight);
        let [for_x, for_weight, for_bias] = ops.parents;
        if let Some(node) = for_bias {
            grads.register::<B>(node.id, B::conv_transpose_db(dy.clone(), shape));
        }
        if let Some(node) = for_weight {
            grads.register::<B>(node.id, B::conv_transpose_dw(x, dy.clone(), shape));
        }
        if let Some(node) = for_x {
            grads.register::<B>(node.id, B::conv_transpose_dx(weight, dy, shape));
        }
    }
}
