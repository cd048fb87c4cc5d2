//! The backward passes as nodes of burn's autodiff graph.

use burn::backend::{TensorMetadata, tensor::FloatTensor};
use burn_autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn_autodiff::grads::Gradients;
use burn_autodiff::ops::{Backward, Ops, OpsKind};
use burn_autodiff::{Autodiff, NodeId};
use vibhag_kernels::{Activation, ConvShape};

use super::extension::{KernelGrads, KernelOps};

#[derive(Debug)]
struct Conv;

impl<B: KernelGrads> Backward<B, 2> for Conv {
    type State = (NodeId, NodeId, ConvShape);

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, checkpointer: &mut Checkpointer) {
        let (x, weight, shape) = ops.state;
        let dy = grads.consume::<B>(&ops.node);
        let x = checkpointer.retrieve_node_output::<FloatTensor<B>>(x);
        let weight = checkpointer.retrieve_node_output::<FloatTensor<B>>(weight);
        let [for_x, for_weight] = ops.parents;
        if let Some(node) = for_weight {
            grads.register::<B>(node.id, B::conv2d_dw(x, dy.clone(), shape));
        }
        if let Some(node) = for_x {
            grads.register::<B>(node.id, B::conv2d_dx(weight, dy, shape));
        }
    }
}

#[derive(Debug)]
struct ConvBias;

impl<B: KernelGrads> Backward<B, 3> for ConvBias {
    type State = (NodeId, NodeId, ConvShape);

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, checkpointer: &mut Checkpointer) {
        let (x, weight, shape) = ops.state;
        let dy = grads.consume::<B>(&ops.node);
        let x = checkpointer.retrieve_node_output::<FloatTensor<B>>(x);
        let weight = checkpointer.retrieve_node_output::<FloatTensor<B>>(weight);
        let [for_x, for_weight, for_bias] = ops.parents;
        if let Some(node) = for_bias {
            grads.register::<B>(node.id, B::conv2d_db(dy.clone(), shape));
        }
        if let Some(node) = for_weight {
            grads.register::<B>(node.id, B::conv2d_dw(x, dy.clone(), shape));
        }
        if let Some(node) = for_x {
            grads.register::<B>(node.id, B::conv2d_dx(weight, dy, shape));
        }
    }
}

#[derive(Debug)]
struct Norm;

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

#[derive(Debug)]
struct Affine;

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

#[derive(Debug)]
struct Upsample;

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
struct UpsampleConcat;

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

impl<B: KernelGrads, C: CheckpointStrategy> KernelOps for Autodiff<B, C> {
    fn kernel_conv2d(x: FloatTensor<Self>, weight: FloatTensor<Self>, shape: ConvShape) -> FloatTensor<Self> {
        match Conv.prepare::<C>([x.node(), weight.node()]).compute_bound().stateful() {
            OpsKind::Tracked(mut prep) => {
                let state = (prep.checkpoint(&x), prep.checkpoint(&weight), shape);
                prep.finish(state, B::kernel_conv2d(x.into_primitive(), weight.into_primitive(), shape))
            }
            OpsKind::UnTracked(prep) => {
                prep.finish(B::kernel_conv2d(x.into_primitive(), weight.into_primitive(), shape))
            }
        }
    }

    fn kernel_conv2d_bias(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        shape: ConvShape,
    ) -> FloatTensor<Self> {
        let prep = ConvBias.prepare::<C>([x.node(), weight.node(), bias.node()]).compute_bound().stateful();
        let compute = |x: FloatTensor<Self>, weight: FloatTensor<Self>| {
            B::kernel_conv2d_bias(x.into_primitive(), weight.into_primitive(), bias.into_primitive(), shape)
        };
        match prep {
            OpsKind::Tracked(mut prep) => {
                let state = (prep.checkpoint(&x), prep.checkpoint(&weight), shape);
                prep.finish(state, compute(x, weight))
            }
            OpsKind::UnTracked(prep) => prep.finish(compute(x, weight)),
        }
    }

    fn kernel_batch_norm(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        eps: f32,
        act: Activation,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        let prep = Norm.prepare::<C>([x.node(), gamma.node(), beta.node()]).compute_bound().stateful();
        let (gamma, beta) = (gamma.into_primitive(), beta.into_primitive());
        let compute = |x| B::kernel_batch_norm(x, gamma.clone(), beta.clone(), eps, act);
        match prep {
            OpsKind::Tracked(mut prep) => {
                let id = prep.checkpoint(&x);
                let (y, stats) = compute(x.into_primitive());
                let state = (id, [stats.clone(), gamma, beta], eps, act);
                (prep.finish(state, y), FloatTensor::<Self>::new(stats))
            }
            OpsKind::UnTracked(prep) => {
                let (y, stats) = compute(x.into_primitive());
                (prep.finish(y), FloatTensor::<Self>::new(stats))
            }
        }
    }

    fn kernel_affine(
        x: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        shift: FloatTensor<Self>,
        act: Activation,
    ) -> FloatTensor<Self> {
        let prep = Affine.prepare::<C>([x.node(), scale.node(), shift.node()]).compute_bound().stateful();
        let (scale, shift) = (scale.into_primitive(), shift.into_primitive());
        let compute = |x| B::kernel_affine(x, scale.clone(), shift.clone(), act);
        match prep {
            OpsKind::Tracked(mut prep) => {
                let id = prep.checkpoint(&x);
                let y = compute(x.into_primitive());
                prep.finish((id, [scale, shift], act), y)
            }
            OpsKind::UnTracked(prep) => prep.finish(compute(x.into_primitive())),
        }
    }

    fn kernel_upsample(x: FloatTensor<Self>) -> FloatTensor<Self> {
        let prep = Upsample.prepare::<C>([x.node()]).compute_bound();
        prep.stateless(B::kernel_upsample(x.into_primitive()))
    }

    fn kernel_upsample_concat(x: FloatTensor<Self>, skip: FloatTensor<Self>) -> FloatTensor<Self> {
        let channels = skip.shape()[1];
        let prep = UpsampleConcat.prepare::<C>([x.node(), skip.node()]).compute_bound().stateful();
        let y = B::kernel_upsample_concat(x.into_primitive(), skip.into_primitive());
        match prep {
            OpsKind::Tracked(prep) => prep.finish(channels, y),
            OpsKind::UnTracked(prep) => prep.finish(y),
        }
    }
}
