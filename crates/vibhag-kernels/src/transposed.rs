//! Transposed 2x2 convolution of stride 2: every input pixel makes its own 2x2 output pixels, so it is one matrix
//! product whose rows are (output channel, row, column), spread over the output. Forward and both backward passes.

use rayon::prelude::*;

use crate::columns::{Planes, copy_sums};
use crate::epilogue::Epilogue;
use crate::matmul::sum_parts;
use crate::outer::{self, Sums, Terms};
use crate::pointwise::{copy_row, fill_column, products};
use crate::product::{PANEL, Packed};
use crate::simd::{Shared, with_scratch};

/// Sizes of a transposed 2x2 convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct UpShape {
    /// Images in the batch.
    pub n: usize,
    /// Input channels.
    pub cin: usize,
    /// Output channels.
    pub cout: usize,
    /// Input height.
    pub h: usize,
    /// Input width.
    pub w: usize,
}

impl UpShape {
    /// Elements of the input.
    pub fn input_len(&self) -> usize {
        self.n * self.cin * self.h * self.w
    }

    /// Elements of the weights, `[cin, cout, 2, 2]`.
    pub fn weight_len(&self) -> usize {
        4 * self.cin * self.cout
    }

    /// Elements of the output.
    pub fn output_len(&self) -> usize {
        self.n * self.cout * 4 * self.h * self.w
    }

    fn check(&self, x: usize, weight: usize, y: usize) {
        let wanted = (self.input_len(), self.weight_len(), self.output_len());
        assert!((x, weight, y) == wanted, "a slice does not have the shape's length");
    }
}

/// `y` [n, cout, 2h, 2w] from `x` [n, cin, h, w], `weight` [cin, cout, 2, 2] and one bias per output channel.
///
/// # Panics
/// When a slice has another length than the shape says.
pub fn conv_transpose2x2(s: &UpShape, x: &[f32], weight: &[f32], bias: Option<&[f32]>, y: &mut [f32]) {
    s.check(x.len(), weight.len(), y.len());
    forward(s, x, &pack(s, weight), bias, y);
}

/// The weights as [`forward`] takes them.
pub(crate) fn pack(s: &UpShape, weight: &[f32]) -> Packed {
    Packed::new(weight, [4 * s.cout, s.cin], true)
}

#[allow(unsafe_code)]
pub(crate) fn forward(s: &UpShape, x: &[f32], weight: &Packed, bias: Option<&[f32]>, y: &mut [f32]) {
    assert!(x.len() == s.input_len() && y.len() == s.output_len(), "a slice does not have the shape's length");
    assert!(bias.is_none_or(|bias| bias.len() == s.cout), "bias needs one value per output channel");
    let w = s.w;
    let y = Shared::new(y);
    // Whole rows of pixels, and the four outputs of a channel together: eight is a multiple of four.
    let fill = |image: usize, [start, len]: [usize; 2], panels: &mut [[f32; PANEL]]| {
        for c in 0..s.cin {
            fill_column(&x[(image * s.cin + c) * s.h * w + start..][..len], [c, s.cin], panels);
        }
    };
    products([s.n, s.h * w, w], weight, fill, |part| {
        part.with_sums(|sums| {
            with_scratch(2 * part.len, |lines| {
                let (lefts, rights) = lines.split_at_mut(part.len);
                for k in 0..part.count / 4 {
                    let channel = part.first / 4 + k;
                    let bias = bias.map_or(0.0, |bias| bias[channel]);
                    for dy in 0..2 {
                        copy_row(sums, [4 * k + 2 * dy, part.count], lefts);
                        copy_row(sums, [4 * k + 2 * dy + 1, part.count], rights);
                        let rows = lefts.chunks_exact(w).zip(rights.chunks_exact(w));
                        for (row, (left, right)) in rows.enumerate() {
                            let top = 2 * (part.start / w + row) + dy;
                            let at = ((part.image * s.cout + channel) * 2 * s.h + top) * 2 * w;
                            // SAFETY: every part has its own pixels of its own channels of its own image.
                            let line = unsafe { y.part(at, 2 * w) };
                            for (out, (left, right)) in
                                line.as_chunks_mut::<2>().0.iter_mut().zip(left.iter().zip(right))
                            {
                                *out = [left + bias, right + bias];
                            }
                        }
                    }
                }
            });
        });
    });
}

/// Gradient of the input.
///
/// # Panics
/// When a slice has another length than the shape says.
#[allow(unsafe_code)]
pub fn conv_transpose2x2_backward_data(s: &UpShape, weight: &[f32], dy: &[f32], dx: &mut [f32]) {
    s.check(dx.len(), weight.len(), dy.len());
    let (w, columns) = (s.w, 4 * s.cout);
    let weight = Packed::new(weight, [s.cin, columns], false);
    let fill = |image: usize, [start, len]: [usize; 2], panels: &mut [[f32; PANEL]]| {
        with_scratch(2 * len, |lines| {
            let (left, right) = lines.split_at_mut(len);
            for k in 0..s.cout {
                for y in 0..2 {
                    let rows = left.chunks_exact_mut(w).zip(right.chunks_exact_mut(w));
                    for (row, (left, right)) in rows.enumerate() {
                        let top = 2 * (start / w + row) + y;
                        let line = &dy[((image * s.cout + k) * 2 * s.h + top) * 2 * w..][..2 * w];
                        for ((l, r), pair) in left.iter_mut().zip(right).zip(line.as_chunks::<2>().0) {
                            (*l, *r) = (pair[0], pair[1]);
                        }
                    }
                    fill_column(left, [4 * k + 2 * y, columns], panels);
                    fill_column(right, [4 * k + 2 * y + 1, columns], panels);
                }
            }
        });
    };
    let pixels = s.h * w;
    let dx = Shared::new(dx);
    products([s.n, pixels, w], &weight, fill, |part| {
        // SAFETY: every part has its own pixels of its own channels of its own image.
        unsafe { part.write(dx, pixels, &Epilogue::none()) };
    });
}

/// The products of inputs with the four outputs that each makes.
struct Corners<'a> {
    shape: &'a UpShape,
    x: Planes<'a>,
    dy: &'a [f32],
}

#[allow(unsafe_code)]
impl Terms for Corners<'_> {
    fn channels(&self) -> [usize; 2] {
        [self.shape.cin, 4 * self.shape.cout]
    }

    fn points(&self) -> usize {
        1
    }

    fn tiles(&self) -> usize {
        self.x.tiles()
    }

    unsafe fn gradient(&self, c: usize, t0: usize, count: usize, out: Shared<'_>) {
        // SAFETY: passed on.
        unsafe { self.x.rows(c, [t0, count], out) };
    }

    unsafe fn input(&self, c: usize, t0: usize, count: usize, out: Shared<'_>) {
        let UpShape { cout, h, w, .. } = *self.shape;
        for t in 0..count {
            let start = (c / PANEL * count + t) * PANEL + c % PANEL;
            // SAFETY: these columns are the caller's own.
            let pairs = unsafe { out.part(start, 8) };
            pairs.fill(0.0);
            let Some([n, first]) = self.x.place((t0 + t) / 8 * 8) else { continue };
            let pixel = first + (t0 + t) % 8;
            if pixel >= h * w {
                continue;
            }
            let (row, column) = (pixel / w, pixel % w);
            for (i, pair) in pairs.as_chunks_mut::<2>().0.iter_mut().enumerate() {
                let (k, y) = (c / 4 + i / 2, i % 2);
                if k < cout {
                    let at = ((n * cout + k) * 2 * h + 2 * row + y) * 2 * w + 2 * column;
                    *pair = [self.dy[at], self.dy[at + 1]];
                }
            }
        }
    }

    unsafe fn finish(&self, sums: Sums<'_>, rows: [usize; 2], columns: [usize; 2], dw: Shared<'_>) {
        // SAFETY: passed on.
        unsafe { copy_sums(sums, rows, columns, 4 * self.shape.cout, dw) };
    }
}

/// Gradient of the weights.
///
/// # Panics
/// When a slice has another length than the shape says.
pub fn conv_transpose2x2_backward_weights(s: &UpShape, x: &[f32], dy: &[f32], dw: &mut [f32]) {
    s.check(x.len(), dw.len(), dy.len());
    let x = Planes { values: x, n: s.n, channels: s.cin, pixels: s.h * s.w };
    outer::weights(&Corners { shape: s, x, dy }, dw);
}

/// Gradient of the bias: the output's gradient summed per channel.
///
/// # Panics
/// When `dy` has another length than the shape says.
pub fn conv_transpose2x2_backward_bias(s: &UpShape, dy: &[f32]) -> Vec<f32> {
    assert!(dy.len() == s.output_len(), "a slice does not have the shape's length");
    let planes: Vec<f32> = dy
        .par_chunks((4 * s.h * s.w).max(1))
        .map(|plane| plane.iter().map(|v| f64::from(*v)).sum::<f64>() as f32)
        .collect();
    let mut sums = vec![0.0; s.cout];
    sum_parts(&planes, &mut sums);
    sums
}
