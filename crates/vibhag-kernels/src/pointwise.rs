//! 1x1 convolution, stride 1: matrix products straight on NCHW, whose planes are the rows of the matrix.
//!
//! Pixels go through a scratch in panels of sixteen, because the planes of one pixel lie powers of two apart in memory,
//! where a cache can hold only a few of them.

use rayon::prelude::*;

use crate::epilogue::Epilogue;
use crate::matmul::{Dest, Mat, matmul, sum_parts};
use crate::product::{PANEL, Packed, ROWS, product};
use crate::shape::ConvShape;
use crate::simd::{Shared, with_scratch};

/// Floats of one task's panels: they stay in the second-level cache.
const SCRATCH: usize = 1 << 16;
/// Tasks below which the output channels are split too.
const TASKS: usize = 16;
/// Weights above this size are split by input channel instead of being accumulated per image and summed.
const PARTIAL_LIMIT: usize = 1 << 16;

/// What a task of [`products`] computed: `count` rows from `first` on, at `len` pixels from `start` on of one image.
pub(crate) struct Part<'a> {
    pub(crate) image: usize,
    pub(crate) start: usize,
    pub(crate) len: usize,
    pub(crate) first: usize,
    pub(crate) count: usize,
    /// `[pixels / 16][count][16]`.
    values: &'a [f32],
}

impl Part<'_> {
    /// Writes the pixels of row `first + r`.
    pub(crate) fn row(&self, r: usize, line: &mut [f32]) {
        let (values, _) = self.values.as_chunks::<PANEL>();
        let (whole, rest) = line.as_chunks_mut::<PANEL>();
        let panels = whole.len();
        for (p, out) in whole.iter_mut().enumerate() {
            *out = values[p * self.count + r];
        }
        if !rest.is_empty() {
            rest.copy_from_slice(&values[panels * self.count + r][..rest.len()]);
        }
    }
}

/// `weight * x` for `n` images of planes of `pixels`, part by part in parallel. Parts begin at multiples of `grain`
/// pixels and eight rows.
pub(crate) fn products(
    [n, pixels]: [usize; 2],
    weight: &Packed,
    x: &[f32],
    grain: usize,
    done: impl Fn(&Part<'_>) + Sync,
) {
    let [rows, columns] = [weight.rows, weight.columns];
    if n * pixels * rows == 0 {
        return;
    }
    let most = (SCRATCH / (rows + columns)).clamp(4 * PANEL, 128 * PANEL);
    let tile = (most / grain).max(1) * grain;
    let tiles = pixels.div_ceil(tile);
    let blocks = rows.div_ceil(ROWS);
    let per_part = blocks.div_ceil(TASKS.div_ceil(n * tiles).min(blocks)) * ROWS;
    let parts = rows.div_ceil(per_part);
    (0..n * tiles * parts).into_par_iter().with_max_len(1).for_each(|task| {
        let (image, start, first) = (task / (tiles * parts), task / parts % tiles * tile, task % parts * per_part);
        let (len, count) = (tile.min(pixels - start), per_part.min(rows - first));
        let panels = len.div_ceil(PANEL);
        with_scratch(panels * PANEL * (columns + count), |scratch| {
            let (input, m) = scratch.split_at_mut(panels * PANEL * columns);
            let (v, _) = input.as_chunks_mut::<PANEL>();
            for c in 0..columns {
                let line = &x[(image * columns + c) * pixels + start..][..len];
                let (whole, rest) = line.as_chunks::<PANEL>();
                for (p, source) in whole.iter().enumerate() {
                    v[p * columns + c] = *source;
                }
                if !rest.is_empty() {
                    let out = &mut v[whole.len() * columns + c];
                    out[..rest.len()].copy_from_slice(rest);
                    out[rest.len()..].fill(0.0);
                }
            }
            product(weight.part(first, count), input, [count, columns], m);
            done(&Part { image, start, len, first, count, values: m });
        });
    });
}

#[allow(unsafe_code)]
fn multiply([n, pixels]: [usize; 2], weight: &Packed, x: &[f32], epilogue: &Epilogue<'_>, y: &mut [f32]) {
    let y = Shared::new(y);
    products([n, pixels], weight, x, PANEL, |part| {
        for r in 0..part.count {
            let at = (part.image * weight.rows + part.first + r) * pixels + part.start;
            // SAFETY: every part has its own pixels of its own channels of its own image.
            let line = unsafe { y.part(at, part.len) };
            part.row(r, line);
            epilogue.finish_line(part.first + r, at, line);
        }
    });
}

pub(crate) fn pack(s: &ConvShape, weight: &[f32]) -> Packed {
    Packed::new(weight, [s.cout, s.cin], false)
}

pub(crate) fn forward(s: &ConvShape, x: &[f32], weight: &Packed, epilogue: &Epilogue<'_>, y: &mut [f32]) {
    multiply([s.n, s.h * s.w], weight, x, epilogue, y);
}

pub(crate) fn backward_data(s: &ConvShape, weight: &[f32], dy: &[f32], dx: &mut [f32]) {
    let weight = Packed::new(weight, [s.cin, s.cout], true);
    multiply([s.n, s.h * s.w], &weight, dy, &Epilogue::none(), dx);
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
