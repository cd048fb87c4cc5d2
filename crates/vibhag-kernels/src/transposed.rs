//! Transposed 2x2 convolution of stride 2: every input pixel makes its own 2x2 output pixels, so it is one matrix
//! product whose rows are (output channel, row, column), spread over the output. Forward and both backward passes.

use rayon::prelude::*;

use crate::matmul::{Dest, Mat, matmul, sum_parts};
use crate::pointwise::products;
use crate::product::Packed;
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

/// Pixels of one product.
const TILE: usize = 512;

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

    fn rows(&self) -> usize {
        (TILE / self.w.max(1)).clamp(1, self.h.max(1))
    }

    /// Image, first input row and number of rows of every tile.
    fn tiles(&self) -> impl IndexedParallelIterator<Item = [usize; 3]> + use<> {
        let (rows, h) = (self.rows(), self.h);
        let per_image = h.div_ceil(rows);
        (0..self.n * per_image).into_par_iter().with_max_len(1).map(move |i| {
            let first = i % per_image * rows;
            [i / per_image, first, rows.min(h - first)]
        })
    }

    fn check(&self, x: usize, weight: usize, y: usize) {
        let wanted = (self.input_len(), self.weight_len(), self.output_len());
        assert!((x, weight, y) == wanted, "a slice does not have the shape's length");
    }

    /// Where output channel `k` of image `n` has the rows that input rows `first..first + rows` make.
    fn output_part(&self, n: usize, k: usize, first: usize, rows: usize) -> [usize; 2] {
        [((n * self.cout + k) * self.h + first) * 4 * self.w, rows * 4 * self.w]
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
    products([s.n, s.h * w], weight, x, w, |part| {
        with_scratch(2 * part.len, |lines| {
            let (lefts, rights) = lines.split_at_mut(part.len);
            for k in 0..part.count / 4 {
                let channel = part.first / 4 + k;
                let bias = bias.map_or(0.0, |bias| bias[channel]);
                for dy in 0..2 {
                    part.row(4 * k + 2 * dy, lefts);
                    part.row(4 * k + 2 * dy + 1, rights);
                    let rows = lefts.chunks_exact(w).zip(rights.chunks_exact(w));
                    for (row, (left, right)) in rows.enumerate() {
                        let top = 2 * (part.start / w + row) + dy;
                        let at = ((part.image * s.cout + channel) * 2 * s.h + top) * 2 * w;
                        // SAFETY: every part has its own pixels of its own channels of its own image.
                        let line = unsafe { y.part(at, 2 * w) };
                        for (out, (left, right)) in line.as_chunks_mut::<2>().0.iter_mut().zip(left.iter().zip(right)) {
                            *out = [left + bias, right + bias];
                        }
                    }
                }
            }
        });
    });
}

/// Gathers the output gradient of a tile as `[4 * cout][rows * w]`.
fn gather(s: &UpShape, dy: &[f32], [n, first, rows]: [usize; 3], out: &mut [f32]) {
    let (w, count) = (s.w, rows * s.w);
    for (k, four) in out.chunks_exact_mut(4 * count).take(s.cout).enumerate() {
        let [start, len] = s.output_part(n, k, first, rows);
        for (row, pair) in dy[start..start + len].chunks_exact(4 * w).enumerate() {
            for (y, line) in pair.chunks_exact(2 * w).enumerate() {
                let (left, right) = four[2 * y * count..].split_at_mut(count);
                let lines = left[row * w..][..w].iter_mut().zip(&mut right[row * w..][..w]);
                for ((left, right), pair) in lines.zip(line.as_chunks::<2>().0) {
                    (*left, *right) = (pair[0], pair[1]);
                }
            }
        }
    }
}

/// Gradient of the input.
///
/// # Panics
/// When a slice has another length than the shape says.
#[allow(unsafe_code)]
pub fn conv_transpose2x2_backward_data(s: &UpShape, weight: &[f32], dy: &[f32], dx: &mut [f32]) {
    s.check(dx.len(), weight.len(), dy.len());
    let pixels = s.h * s.w;
    let dx = Shared::new(dx);
    s.tiles().for_each(|[n, first, rows]| {
        let count = rows * s.w;
        with_scratch(4 * s.cout * count, |grads| {
            gather(s, dy, [n, first, rows], grads);
            let out = Dest { data: dx, offset: n * s.cin * pixels + first * s.w, stride: pixels };
            // SAFETY: every task writes the pixels of its own tile.
            unsafe {
                matmul(
                    [s.cin, count, 4 * s.cout],
                    out,
                    Mat::new(weight, 0, 4 * s.cout),
                    Mat::new(grads, 0, count),
                    false,
                );
            };
        });
    });
}

/// Gradient of the weights.
///
/// # Panics
/// When a slice has another length than the shape says.
#[allow(unsafe_code)]
pub fn conv_transpose2x2_backward_weights(s: &UpShape, x: &[f32], dy: &[f32], dw: &mut [f32]) {
    s.check(x.len(), dw.len(), dy.len());
    let (pixels, rows, columns) = (s.h * s.w, s.rows(), 4 * s.cout);
    let tiles: Vec<[usize; 3]> = s.tiles().collect();
    // Blocks of input channels are independent of each other; within one the tiles are summed in order.
    let block = s.cin.div_ceil(8).max(16).min(s.cin.max(1));
    let size = rows * s.w;
    let group = ((1 << 18) / (columns * size).max(1)).clamp(1, tiles.len().max(1));
    dw.fill(0.0);
    with_scratch(group * columns * size, |grads| {
        for tiles in tiles.chunks(group) {
            grads
                .par_chunks_mut(columns * size)
                .zip(tiles)
                .for_each(|(grads, &tile)| gather(s, dy, tile, &mut grads[..columns * tile[2] * s.w]));
            let grads = &*grads;
            dw.par_chunks_mut(block * columns).enumerate().with_max_len(1).for_each(|(b, part)| {
                let channels = part.len() / columns;
                for (i, &[n, first, rows]) in tiles.iter().enumerate() {
                    let count = rows * s.w;
                    let input = Mat::new(x, (n * s.cin + b * block) * pixels + first * s.w, pixels);
                    let grad = Mat::new(grads, i * columns * size, count).t();
                    let out = Dest { data: Shared::new(part), offset: 0, stride: columns };
                    // SAFETY: `part` is this task's own chunk.
                    unsafe { matmul([channels, columns, count], out, input, grad, true) };
                }
            });
        }
    });
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
