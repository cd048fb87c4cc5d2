//! Any kernel size, stride, padding and dilation with one group: im2col of a few rows at a time, then a matrix product.

use rayon::prelude::*;

use crate::epilogue::{Epilogue, finish};
use crate::matmul::{Dest, Mat, matmul, sum_parts};
use crate::shape::ConvShape;
use crate::simd::{Shared, with_scratch};

/// Floats of an im2col panel: about what the second-level cache holds.
const PANEL: usize = 1 << 17;

/// Output rows of one panel over `channels` input channels.
fn rows_of(s: &ConvShape, channels: usize) -> usize {
    let (ho, wo) = s.out();
    (PANEL / (channels * s.kernel[0] * s.kernel[1] * wo)).max(1).max(64usize.div_ceil(wo)).min(ho)
}

/// Columns of kernel offset `k` whose source lies inside a row: the output range and the first source column.
fn span(s: &ConvShape, k: usize, wo: usize) -> (usize, usize, usize) {
    let (shift, stride) = (k * s.dilation[1], s.stride[1]);
    let first = s.padding[1].saturating_sub(shift).div_ceil(stride).min(wo);
    let last = (s.w + s.padding[1]).saturating_sub(shift).div_ceil(stride).min(wo).max(first);
    (first, last, (first * stride + shift).saturating_sub(s.padding[1]))
}

/// Source row of kernel offset `k` and output row `oy`, if inside.
fn source_row(s: &ConvShape, oy: usize, k: usize) -> Option<usize> {
    (oy * s.stride[0] + k * s.dilation[0]).checked_sub(s.padding[0]).filter(|&y| y < s.h)
}

/// Channels `c0..c0 + count` and output rows `y0..y0 + rows` of one image as `[count * kh * kw, rows * wo]`.
fn im2col(s: &ConvShape, image: &[f32], [c0, count]: [usize; 2], [y0, rows]: [usize; 2], panel: &mut [f32]) {
    let (_, wo) = s.out();
    let mut lines = panel.chunks_exact_mut(wo);
    for c in c0..c0 + count {
        let plane = &image[c * s.h * s.w..(c + 1) * s.h * s.w];
        for ky in 0..s.kernel[0] {
            for kx in 0..s.kernel[1] {
                let (first, last, from) = span(s, kx, wo);
                for oy in y0..y0 + rows {
                    let Some(line) = lines.next() else { return };
                    let Some(y) = source_row(s, oy, ky) else {
                        line.fill(0.0);
                        continue;
                    };
                    line[..first].fill(0.0);
                    line[last..].fill(0.0);
                    if last > first {
                        let source = &plane[y * s.w + from..(y + 1) * s.w];
                        if s.stride[1] == 1 {
                            line[first..last].copy_from_slice(&source[..last - first]);
                        } else {
                            for (o, i) in line[first..last].iter_mut().zip(source.iter().step_by(s.stride[1])) {
                                *o = *i;
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The adjoint of [`im2col`]: adds the panel into `planes`, which holds the `count` channels only.
fn col2im(s: &ConvShape, panel: &[f32], count: usize, [y0, rows]: [usize; 2], planes: &mut [f32]) {
    let (_, wo) = s.out();
    let mut lines = panel.chunks_exact(wo);
    for c in 0..count {
        let plane = &mut planes[c * s.h * s.w..(c + 1) * s.h * s.w];
        for ky in 0..s.kernel[0] {
            for kx in 0..s.kernel[1] {
                let (first, last, from) = span(s, kx, wo);
                for oy in y0..y0 + rows {
                    let Some(line) = lines.next() else { return };
                    let Some(y) = source_row(s, oy, ky) else { continue };
                    if last > first {
                        let target = &mut plane[y * s.w + from..(y + 1) * s.w];
                        if s.stride[1] == 1 {
                            for (t, v) in target.iter_mut().zip(&line[first..last]) {
                                *t += v;
                            }
                        } else {
                            for (t, v) in target.iter_mut().step_by(s.stride[1]).zip(&line[first..last]) {
                                *t += v;
                            }
                        }
                    }
                }
            }
        }
    }
}

#[allow(unsafe_code)]
pub(crate) fn forward(s: &ConvShape, x: &[f32], weight: &[f32], epilogue: &Epilogue<'_>, y: &mut [f32]) {
    let (ho, wo) = s.out();
    let inner = s.cin * s.kernel[0] * s.kernel[1];
    let rows = rows_of(s, s.cin);
    let per_image = ho.div_ceil(rows);
    let y = Shared::new(y);
    (0..s.n * per_image).into_par_iter().with_max_len(1).for_each(|i| {
        let (n, y0) = (i / per_image, i % per_image * rows);
        let count = rows.min(ho - y0);
        let image = &x[n * s.cin * s.h * s.w..(n + 1) * s.cin * s.h * s.w];
        with_scratch(inner * count * wo, |panel| {
            im2col(s, image, [0, s.cin], [y0, count], panel);
            let out = Dest { data: y, offset: n * s.cout * ho * wo + y0 * wo, stride: ho * wo };
            let (kernel, panel) = (Mat::new(weight, 0, inner), Mat::new(panel, 0, count * wo));
            // SAFETY: every task writes its own rows of its own image.
            unsafe { matmul([s.cout, count * wo, inner], out, kernel, panel, false) };
            // SAFETY: as above, and the product is done.
            unsafe { finish(epilogue, y, [n, s.cout], ho * wo, [y0 * wo, count * wo]) };
        });
    });
}

/// Input channels that one task of a backward pass owns.
fn channel_block(s: &ConvShape) -> usize {
    s.cin.div_ceil(8).max(8).min(s.cin)
}

#[allow(unsafe_code)]
pub(crate) fn backward_data(s: &ConvShape, weight: &[f32], dy: &[f32], dx: &mut [f32]) {
    let (ho, wo) = s.out();
    let taps = s.kernel[0] * s.kernel[1];
    let block = channel_block(s);
    let blocks = s.cin.div_ceil(block);
    let rows = rows_of(s, block);
    let dx = Shared::new(dx);
    (0..s.n * blocks).into_par_iter().with_max_len(1).for_each(|i| {
        let (n, c0) = (i / blocks, i % blocks * block);
        let count = block.min(s.cin - c0);
        // SAFETY: every task owns the planes of its channels of its image.
        let planes = unsafe { dx.part((n * s.cin + c0) * s.h * s.w, count * s.h * s.w) };
        planes.fill(0.0);
        with_scratch(count * taps * rows * wo, |panel| {
            for y0 in (0..ho).step_by(rows) {
                let r = rows.min(ho - y0);
                let panel = &mut panel[..count * taps * r * wo];
                let kernel = Mat::new(weight, c0 * taps, s.cin * taps).t();
                let grad = Mat::new(dy, n * s.cout * ho * wo + y0 * wo, ho * wo);
                let out = Dest { data: Shared::new(panel), offset: 0, stride: r * wo };
                // SAFETY: `panel` is this thread's scratch.
                unsafe { matmul([count * taps, r * wo, s.cout], out, kernel, grad, false) };
                col2im(s, panel, count, [y0, r], planes);
            }
        });
    });
}

#[allow(unsafe_code)]
pub(crate) fn backward_weights(s: &ConvShape, x: &[f32], dy: &[f32], dw: &mut [f32]) {
    let (ho, wo) = s.out();
    let taps = s.kernel[0] * s.kernel[1];
    let image = |n: usize| &x[n * s.cin * s.h * s.w..(n + 1) * s.cin * s.h * s.w];
    if s.cin < 16 {
        // Too few channels to split: sum per image, then over images in order.
        let rows = rows_of(s, s.cin);
        let size = s.weight_len();
        let mut partial = vec![0.0; s.n * size];
        partial.par_chunks_mut(size).enumerate().for_each(|(n, part)| {
            with_scratch(s.cin * taps * rows * wo, |panel| {
                for y0 in (0..ho).step_by(rows) {
                    let r = rows.min(ho - y0);
                    im2col(s, image(n), [0, s.cin], [y0, r], panel);
                    let out = Dest { data: Shared::new(part), offset: 0, stride: s.cin * taps };
                    let grad = Mat::new(dy, n * s.cout * ho * wo + y0 * wo, ho * wo);
                    // SAFETY: `part` is this task's own chunk.
                    unsafe {
                        matmul([s.cout, s.cin * taps, r * wo], out, grad, Mat::new(panel, 0, r * wo).t(), y0 > 0);
                    }
                }
            });
        });
        sum_parts(&partial, dw);
        return;
    }
    let block = channel_block(s);
    let rows = rows_of(s, block);
    let dw = Shared::new(dw);
    (0..s.cin.div_ceil(block)).into_par_iter().with_max_len(1).for_each(|b| {
        let (c0, count) = (b * block, block.min(s.cin - b * block));
        with_scratch(count * taps * rows * wo, |panel| {
            for (n, y0) in (0..s.n).flat_map(|n| (0..ho).step_by(rows).map(move |y0| (n, y0))) {
                let r = rows.min(ho - y0);
                im2col(s, image(n), [c0, count], [y0, r], panel);
                let out = Dest { data: dw, offset: c0 * taps, stride: s.cin * taps };
                let grad = Mat::new(dy, n * s.cout * ho * wo + y0 * wo, ho * wo);
                let panel = Mat::new(panel, 0, r * wo).t();
                // SAFETY: every task writes its own columns of the weights, those of its block of input channels.
                unsafe { matmul([s.cout, count * taps, r * wo], out, grad, panel, n + y0 > 0) };
            }
        });
    });
}
