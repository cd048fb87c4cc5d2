//! 1x1 convolution, stride 1: matrix products straight on NCHW, whose planes are the rows of the matrix.
//!
//! Pixels go through a scratch in panels of sixteen, because the planes of one pixel lie powers of two apart in memory,
//! where a cache can hold only a few of them.

use rayon::prelude::*;

use crate::columns::{Pixels, Planes};
use crate::epilogue::Epilogue;
use crate::outer;
use crate::product::{PANEL, Packed, ROWS, Target, product_into};
use crate::shape::ConvShape;
use crate::simd::{Shared, with_scratch};

/// Floats of one task's panels and sums: they stay in the second-level cache.
const SCRATCH: usize = 1 << 18;
/// Tasks below which the output channels are split too.
const TASKS: usize = 16;

/// Some pixels and rows of a product: `count` rows from `first` on, at `len` pixels from `start` on of one image.
pub(crate) struct Part<'a> {
    pub(crate) image: usize,
    pub(crate) start: usize,
    pub(crate) len: usize,
    pub(crate) first: usize,
    pub(crate) count: usize,
    weight: &'a Packed,
    /// `[pixels / 16][columns][16]`.
    input: &'a [f32],
}

impl Part<'_> {
    /// Computes the rows into `target`, at the first `panels` panels of sixteen pixels.
    ///
    /// # Safety
    /// No other live reference may overlap them there.
    #[allow(unsafe_code)]
    unsafe fn compute(&self, panels: std::ops::Range<usize>, target: Target<'_>) {
        let columns = self.weight.columns;
        let input = &self.input[panels.start * columns * PANEL..panels.end * columns * PANEL];
        // SAFETY: passed on.
        unsafe { product_into(self.weight.part(self.first, self.count), input, [self.count, columns], target) };
    }

    /// Lends all rows as `[pixels / 16][count][16]`.
    #[allow(unsafe_code)]
    pub(crate) fn with_sums(&self, f: impl FnOnce(&[[f32; PANEL]])) {
        let panels = self.len.div_ceil(PANEL);
        with_scratch(panels * self.count * PANEL, |m| {
            // SAFETY: the scratch is this thread's own.
            unsafe { self.compute(0..panels, Target::panels(m, self.count)) };
            f(m.as_chunks().0);
        });
    }

    /// Writes the rows to the planes `[images, rows, pixels]` of `y`.
    ///
    /// # Safety
    /// No other live reference may overlap these pixels there.
    #[allow(unsafe_code)]
    pub(crate) unsafe fn write(&self, y: Shared<'_>, pixels: usize, epilogue: &Epilogue<'_>) {
        let first = (self.image * self.weight.rows + self.first) * pixels + self.start;
        let (whole, rest) = (self.len / PANEL, self.len % PANEL);
        // SAFETY: whole panels lie inside the part's pixels, which are the caller's own.
        unsafe { self.compute(0..whole, Target { out: y, start: first, row: pixels, panel: PANEL }) };
        if rest > 0 {
            with_scratch(self.count * PANEL, |m| {
                // SAFETY: the scratch is this thread's own.
                unsafe { self.compute(whole..whole + 1, Target::panels(m, self.count)) };
                for (r, m) in m.chunks_exact(PANEL).enumerate() {
                    // SAFETY: as above.
                    let line = unsafe { y.part(first + r * pixels + whole * PANEL, rest) };
                    line.copy_from_slice(&m[..rest]);
                }
            });
        }
        for r in 0..self.count {
            let at = first + r * pixels;
            // SAFETY: as above.
            epilogue.finish_line(self.first + r, at, unsafe { y.part(at, self.len) });
        }
    }
}

/// Copies row `r` of `[pixels / 16][rows][16]`.
pub(crate) fn copy_row(values: &[[f32; PANEL]], [r, rows]: [usize; 2], line: &mut [f32]) {
    let (whole, rest) = line.as_chunks_mut::<PANEL>();
    let panels = whole.len();
    for (p, out) in whole.iter_mut().enumerate() {
        *out = values[p * rows + r];
    }
    if !rest.is_empty() {
        rest.copy_from_slice(&values[panels * rows + r][..rest.len()]);
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
    run: impl Fn(&Part<'_>) + Sync,
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
        with_scratch(panels * PANEL * columns, |input| {
            fill(image, [start, len], input.as_chunks_mut().0);
            run(&Part { image, start, len, first, count, weight, input });
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
        // SAFETY: every part has its own pixels of its own channels of its own image.
        unsafe { part.write(y, pixels, epilogue) };
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
