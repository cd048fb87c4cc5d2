//! 1x1 convolution, stride 1: matrix products straight on NCHW, whose planes are the rows of the matrix.
//!
//! Pixels go through a scratch in panels of sixteen, because the planes of one pixel lie powers of two apart in memory,
//! where a cache can hold only a few of them.

use rayon::prelude::*;

use crate::columns::{Pixels, Planes};
use crate::epilogue::Epilogue;
use crate::outer;
use crate::product::{PANEL, Packed, ROWS, product};
use crate::shape::ConvShape;
use crate::simd::{Shared, with_scratch};

/// Floats of one task's panels: they stay in the second-level cache.
const SCRATCH: usize = 1 << 16;
/// Tasks below which the output channels are split too.
const TASKS: usize = 16;
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

/// Writes a channel's pixels into column `c` of panels `[pixels / 16][columns][16]`, with zeros behind them.
pub(crate) fn fill_column(line: &[f32], [c, columns]: [usize; 2], panels: &mut [[f32; PANEL]]) {
    let (whole, rest) = line.as_chunks::<PANEL>();
    for (p, source) in whole.iter().enumerate() {
        panels[p * columns + c] = *source;
    }
    if !rest.is_empty() {
        let out = &mut panels[whole.len() * columns + c];
        out[..rest.len()].copy_from_slice(rest);
        out[rest.len()..].fill(0.0);
    }
}

/// `weight * x` at all `pixels` of `n` images, part by part in parallel. `fill(image, [start, len], panels)` writes `x`
/// at some pixels as `[pixels / 16][columns][16]`. Parts begin at multiples of `grain` pixels and eight rows.
pub(crate) fn products(
    [n, pixels, grain]: [usize; 3],
    weight: &Packed,
    fill: impl Fn(usize, [usize; 2], &mut [[f32; PANEL]]) + Sync,
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
            fill(image, [start, len], input.as_chunks_mut().0);
            product(weight.part(first, count), input, [count, columns], m);
            done(&Part { image, start, len, first, count, values: m });
        });
    });
}

#[allow(unsafe_code)]
fn multiply([n, pixels]: [usize; 2], weight: &Packed, x: &[f32], epilogue: &Epilogue<'_>, y: &mut [f32]) {
    let y = Shared::new(y);
    let columns = weight.columns;
    let fill = |image: usize, [start, len]: [usize; 2], panels: &mut [[f32; PANEL]]| {
        for c in 0..columns {
            fill_column(&x[(image * columns + c) * pixels + start..][..len], [c, columns], panels);
        }
    };
    products([n, pixels, PANEL], weight, fill, |part| {
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

pub(crate) fn backward_weights(s: &ConvShape, x: &[f32], dy: &[f32], dw: &mut [f32]) {
    let pixels = s.h * s.w;
    let gradient = Planes { values: dy, n: s.n, channels: s.cout, pixels };
    let input = Planes { values: x, n: s.n, channels: s.cin, pixels };
    outer::weights(&Pixels { gradient, input }, dw);
}
