//! Pooling, upsampling and the sums of losses.

use burn::backend::tensor::FloatTensor;
use burn_autodiff::NodeId;
use burn_autodiff::checkpoint::base::Checkpointer;
use burn_autodiff::grads::Gradients;
use burn_autodiff::ops::{Backward, Ops};

use crate::backend::extension::{ClassTruth, KernelGrads};

#[derive(Debug)]
pub(super) struct MaxPool;

impl<B: KernelGrads> Backward<B, 1> for MaxPool {
    type State = NodeId;

    fn backward(self, ops: Ops<NodeId, 1>, grads: &mut Gradients, checkpointer: &mut Checkpointer) {
        let dy = grads.consume::<B>(&ops.node);
        let x = checkpointer.retrieve_node_output::<FloatTensor<B>>(ops.state);
        if let [Some(node)] = ops.parents {
            grads.register::<B>(node.id, B::max_pool_dx(x, dy));
        }
    }
}

#[derive(Debug)]
pub(super) struct Unpool;

impl<B: KernelGrads> Backward<B, 1> for Unpool {
    type State = NodeId;

    fn backward(self, ops: Ops<NodeId, 1>, grads: &mut Gradients, checkpointer: &mut Checkpointer) {
        let dy = grads.consume::<B>(&ops.node);
        let reference = checkpointer.retrieve_node_output::<FloatTensor<B>>(ops.state);
        if let [Some(node)] = ops.parents {
            grads.register::<B>(node.id, B::unpool_dx(reference, dy));
        }
    }
}

#[derive(Debug)]
pub(super) struct ClassSums;

impl<B: KernelGrads> Backward<B, 1> for ClassSums {
    type State = (NodeId, ClassTruth);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, checkpointer: &mut Checkpointer) {
        let (logits, truth) = ops.state;
        let dy = grads.consume::<B>(&ops.node);
        let logits = checkpointer.retrieve_node_output::<FloatTensor<B>>(logits);
        if let [Some(node)] = ops.parents {
            grads.register::<B>(node.id, B::class_sums_dx(logits, dy, truth));
        }
    }
}

#[derive(Debug)]
pub(super) struct Upsample;

impl<B: KernelGrads> Backward<B, 1> for Upsample {
    type State = ();

    fn backward(self, ops: Ops<(), 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let dy = grads.consume::<B>(&ops.node);
        if let [Some(node)] = ops.parents {
            grads.register::<B>(node.id, B::upsample_grads(dy, 0).0);
        }
    }
}

#[derive(Debug)]
pub(super) struct UpsampleConcat;

impl<B: KernelGrads> Backward<B, 2> for UpsampleConcat {
    type State = usize;

    fn backward(self, ops: Ops<usize, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let dy = grads.consume::<B>(&ops.node);
        let (dx, dskip) = B::upsample_grads(dy, ops.state);
        for (node, gradient) in ops.parents.into_iter().zip([dx, dskip]) {
            if let Some(node) = node {
                grads.register::<B>(node.id, gradient);
            }
        }
    }
}

#[derive(Debug)]
pub(super) struct Concat;

impl<B: KernelGrads> Backward<B, 2> for Concat {
    type State = usize;

    fn backward(self, ops: Ops<usize, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let dy = grads.consume::<B>(&ops.node);
        let (dx, dy) = B::concat_grads(dy, ops.state);
        for (node, gradient) in ops.parents.into_iter().zip([dx, dy]) {
            if let Some(node) = node {
                grads.register::<B>(node.id, gradient);
            }
        }
    }
}

#[derive(Debug)]
pub(super) struct Bilinear;

impl<B: KernelGrads> Backward<B, 1> for Bilinear {
    type State = ();

    fn backward(self, ops: Ops<(), 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let dy = grads.consume::<B>(&ops.node);
        if let [Some(node)] = ops.parents {
            grads.register::<B>(node.id, B::upsample_bilinear_dx(dy));
        }
    }
}
