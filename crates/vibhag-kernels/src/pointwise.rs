//! 1x1 convolution, stride 1: a matrix product per image, straight on NCHW.

use rayon::prelude::*;

use crate::epilogue::{Epilogue, finish};
use crate::matmul::{Dest, Mat, matmul, sum_parts};
use crate::shape::ConvShape;
use crate::simd::Shared;

/// Columns of one product: wide enough to amortise packing the weights, small enough to split one image over threads.
const TILE: usize = 2048;
/// Weights above this size are split by input channel instead of being accumulated per image and summed.
const PARTIAL_LIMIT: usize = 1 << 16;

fn tiles(s: &ConvShape) -> impl IndexedParallelIterator<Item = (usize, usize, usize)> + use<> {
    let pixels = s.h * s.w;
    let per_image = pixels.div_ceil(TILE);
    (0..s.n * per_image).into_par_iter().with_max_len(1).map(move |i| {
        let start = i % per_image * TILE;
        (i / per_image, start, TILE.min(pixels - start))
    })
}

#[allow(unsafe_code)]
pub(crate) fn forward(s: &ConvShape, x: &[f32], weight: &[f32], epilogue: &Epilogue<'_>, y: &mut [f32]) {
    let pixels = s.h * s.w;
    let y = Shared::new(y);
    tiles(s).for_each(|(n, start, len)| {
        let out = Dest { data: y, offset: n * s.cout * pixels + start, stride: pixels };
        let input = Mat::new(x, n * s.cin * pixels + start, pixels);
        // SAFETY: every task writes its own columns `start..start + len` of its own image.
        unsafe { matmul([s.cout, len, s.cin], out, Mat::new(weight, 0, s.cin), input, false) };
        // SAFETY: as above, and the product is done.
        unsafe { finish(epilogue, y, [n, s.cout], pixels, [start, len]) };
    });
}

#[allow(unsafe_code)]
pub(crate) fn backward_data(s: &ConvShape, weight: &[f32], dy: &[f32], dx: &mut [f32]) {
    let pixels = s.h * s.w;
    let dx = Shared::new(dx);
    tiles(s).for_each(|(n, start, len)| {
        let out = Dest { data: dx, offset: n * s.cin * pixels + start, stride: pixels };
        let grad = Mat::new(dy, n * s.cout * pixels + start, pixels);
        // SAFETY: every task writes its own columns `start..start + len` of its own image.
        unsafe { matmul([s.cin, len, s.cout], out, Mat::new(weight, 0, s.cin).t(), grad, false) };
    });
}

#[allow(unsafe_code)]
pub(crate) fn backward_weights(s: &ConvShape, x: &[f32], dy: &[f32], dw: &mut [f32]) {
    let (pixels, size) = (s.h * s.w, s.cout * s.cin);
    if size <= PARTIAL_LIMIT {
        let chunks = 8usize.div_ceil(s.n).min(pixels.div_ceil(64));
        let length = pixels.div_ceil(chunks);
        let chunks = pixels.div_ceil(length);
        let mut partial = vec![0.0; s.n * chunks * size];
        partial.par_chunks_mut(size).enumerate().for_each(|(i, part)| {
            let (n, start) = (i / chunks, i % chunks * length);
            let k = length.min(pixels - start);
            let grad = Mat::new(dy, n * s.cout * pixels + start, pixels);
            let input = Mat::new(x, n * s.cin * pixels + start, pixels).t();
            let out = Dest { data: Shared::new(part), offset: 0, stride: s.cin };
            // SAFETY: `part` is this task's own chunk.
            unsafe { matmul([s.cout, s.cin, k], out, grad, input, false) };
        });
        sum_parts(&partial, dw);
        return;
    }
    let block = s.cin.div_ceil(8).max(16);
    let dw = Shared::new(dw);
    (0..s.cin.div_ceil(block)).into_par_iter().with_max_len(1).for_each(|b| {
        let (c0, count) = (b * block, block.min(s.cin - b * block));
        for n in 0..s.n {
            let grad = Mat::new(dy, n * s.cout * pixels, pixels);
            let input = Mat::new(x, (n * s.cin + c0) * pixels, pixels).t();
            let out = Dest { data: dw, offset: c0, stride: s.cin };
            // SAFETY: every task writes its own columns of the weights, those of its block of input channels.
            unsafe { matmul([s.cout, count, pixels], out, grad, input, n > 0) };
        }
    });
}
