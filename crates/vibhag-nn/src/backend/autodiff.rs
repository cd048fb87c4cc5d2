//! The kernels as nodes of burn's autodiff graph; the backward passes lie in the modules.

mod conv;
mod maps;
mod norm;

use burn::backend::{TensorMetadata, tensor::FloatTensor};
use burn_autodiff::Autodiff;
use burn_autodiff::checkpoint::strategy::CheckpointStrategy;
use burn_autodiff::ops::{Backward, OpsKind};
use vibhag_kernels::{Activation, ConvShape, UpShape};

use super::extension::{ClassTruth, KernelGrads, KernelOps};
use conv::{Conv, ConvBias, ConvTranspose};
use maps::{Bilinear, ClassSums, Concat, MaxPool, Unpool, Upsample, UpsampleConcat};
use norm::{Affine, Norm, NormAgain, Parameters};

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
        let nodes = [x.node(), gamma.node(), beta.node()];
        let parameters = Parameters::<B>::default();
        let again = NormAgain::<B> { x: x.node().id(), parameters: parameters.clone(), eps, act };
        let prep = Norm.prepare::<C>(nodes).memory_bound().retro_forward(again).parents([&x, &gamma, &beta]).stateful();
        let (gamma, beta) = (gamma.into_primitive(), beta.into_primitive());
        let compute = |x| B::kernel_batch_norm(x, gamma.clone(), beta.clone(), eps, act);
        match prep {
            OpsKind::Tracked(mut prep) => {
                let id = prep.checkpoint(&x);
                let (y, stats) = compute(x.into_primitive());
                let values = [stats.clone(), gamma, beta];
                parameters.set(values.clone());
                (prep.finish((id, values, eps, act), y), FloatTensor::<Self>::new(stats))
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

    fn kernel_conv_transpose(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        shape: UpShape,
    ) -> FloatTensor<Self> {
        let prep = ConvTranspose.prepare::<C>([x.node(), weight.node(), bias.node()]).compute_bound().stateful();
        let compute = |x: FloatTensor<Self>, weight: FloatTensor<Self>| {
            B::kernel_conv_transpose(x.into_primitive(), weight.into_primitive(), bias.into_primitive(), shape)
        };
        match prep {
            OpsKind::Tracked(mut prep) => {
                let state = (prep.checkpoint(&x), prep.checkpoint(&weight), shape);
                prep.finish(state, compute(x, weight))
            }
            OpsKind::UnTracked(prep) => prep.finish(compute(x, weight)),
        }
    }

    fn kernel_max_pool(x: FloatTensor<Self>) -> FloatTensor<Self> {
        match MaxPool.prepare::<C>([x.node()]).compute_bound().stateful() {
            OpsKind::Tracked(mut prep) => {
                let id = prep.checkpoint(&x);
                prep.finish(id, B::kernel_max_pool(x.into_primitive()))
            }
            OpsKind::UnTracked(prep) => prep.finish(B::kernel_max_pool(x.into_primitive())),
        }
    }

    fn kernel_unpool(x: FloatTensor<Self>, reference: FloatTensor<Self>) -> FloatTensor<Self> {
        match Unpool.prepare::<C>([x.node()]).compute_bound().stateful() {
            OpsKind::Tracked(mut prep) => {
                let id = prep.checkpoint(&reference);
                prep.finish(id, B::kernel_unpool(x.into_primitive(), reference.into_primitive()))
            }
            OpsKind::UnTracked(prep) => prep.finish(B::kernel_unpool(x.into_primitive(), reference.into_primitive())),
        }
    }

    fn kernel_class_sums(logits: FloatTensor<Self>, truth: ClassTruth) -> FloatTensor<Self> {
        match ClassSums.prepare::<C>([logits.node()]).compute_bound().stateful() {
            OpsKind::Tracked(mut prep) => {
                let state = (prep.checkpoint(&logits), truth.clone());
                prep.finish(state, B::kernel_class_sums(logits.into_primitive(), truth))
            }
            OpsKind::UnTracked(prep) => prep.finish(B::kernel_class_sums(logits.into_primitive(), truth)),
        }
    }

    fn kernel_concat(x: FloatTensor<Self>, y: FloatTensor<Self>) -> FloatTensor<Self> {
        let channels = x.shape()[1];
        let prep = Concat.prepare::<C>([x.node(), y.node()]).compute_bound().stateful();
        let z = B::kernel_concat(x.into_primitive(), y.into_primitive());
        match prep {
            OpsKind::Tracked(prep) => prep.finish(channels, z),
            OpsKind::UnTracked(prep) => prep.finish(z),
        }
    }

    fn kernel_upsample(x: FloatTensor<Self>) -> FloatTensor<Self> {
        let prep = Upsample.prepare::<C>([x.node()]).compute_bound();
        prep.stateless(B::kernel_upsample(x.into_primitive()))
    }

    fn kernel_upsample_bilinear(x: FloatTensor<Self>) -> FloatTensor<Self> {
        let prep = Bilinear.prepare::<C>([x.node()]).compute_bound();
        prep.stateless(B::kernel_upsample_bilinear(x.into_primitive()))
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
