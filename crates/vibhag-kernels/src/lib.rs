//! CPU convolution kernels on plain slices: `f32`, NCHW, forward and both backward passes.
//!
//! Layout: maps stay NCHW, the layout that burn's tensors have, so no layer pays for a conversion. Pixels of a plane are
//! contiguous, hence the vector lanes run along rows: depthwise kernels vectorise over a row, Winograd's transforms over
//! eight neighbouring tiles. What a matrix product reads is laid out for it by whoever writes it anyway, and never
//! packed a second time:
//!
//! - a layer's output, and its input's gradient: weights as `[rows / 8][columns][8]`, tiles or pixels as
//!   `[tiles / 16][channels][16]` (`product`);
//! - the weights' gradient, a sum over tiles: gradients as `[channels / 8][tiles][8]`, inputs as
//!   `[channels / 16][tiles][16]` (`outer`, `gram`).
//!
//! 1x1 and transposed convolutions go through the same two products, one point where Winograd has 16 or 36. Everything
//! else is im2col of a few rows and a general matrix product (`general`). A model of costs with fixed rates chooses
//! (`cost`).
//!
//! Results have the same bits for any number of threads: work is cut by shape alone, and every sum has a fixed order.
//!
//! Speed needs no build flag: the vector code is compiled for AVX-512, for AVX2 with FMA and for the target alone, and
//! chosen at run time; NEON is part of every 64-bit Arm target.

#![allow(
    clippy::inline_always,
    reason = "a vector body must be inlined into the function that carries the target features, or it is compiled without them"
)]
#![allow(
    clippy::needless_range_loop,
    reason = "lane loops index several arrays at once; iterators hide the pattern from the vectoriser"
)]

mod activation;
mod adamw;
mod bilinear;
mod class_sums;
mod columns;
mod cost;
mod depthwise;
mod epilogue;
mod general;
mod gram;
mod lane;
mod matmul;
mod memory;
mod norm;
mod outer;
mod pointwise;
mod pool;
mod prepared;
mod product;
mod shape;
mod simd;
mod transposed;
mod upsample;
mod winograd;

mod conv;

pub use activation::Activation;
pub use adamw::{AdamW, adamw};
pub use bilinear::{upsample_bilinear2x, upsample_bilinear2x_backward};
pub use class_sums::{Truth, class_sums, class_sums_backward, class_sums_len};
pub use conv::{Algorithm, algorithm, algorithms, backward_bias, backward_data, backward_weights, forward};
pub use memory::{HugePages, unspecified};
pub use norm::{
    BatchNorm, affine_act, affine_act_backward, batch_norm_act, batch_norm_act_backward, batch_norm_again, plane_means,
};
pub use pool::{add_act, max_pool, max_pool2x2_backward, max_pool2x2_with_indices, pick2x2, unpool2x2};
pub use prepared::{PreparedConv, PreparedUp};
pub use shape::{ConvShape, Planes};
pub use simd::{Instructions, use_at_most};
pub use transposed::{
    UpShape, conv_transpose2x2, conv_transpose2x2_backward_bias, conv_transpose2x2_backward_data,
    conv_transpose2x2_backward_weights,
};
pub use upsample::{concat, split, upsample_nearest2x, upsample2x_concat, upsample2x_concat_backward};
pub use winograd::Tile;
