//! 3x3 stride-1 convolution by Winograd's minimal filtering F(4x4, 3x3): 36 multiplications per 16 outputs instead of
//! 144. Lavin and Gray 2016, "Fast Algorithms for Convolutional Neural Networks".
//!
//! The transforms run on eight neighbouring tiles of one plane at a time, so NCHW needs no conversion. The transformed
//! tiles lie in panels of 16 tiles, exactly as the 36 matrix products read them, so that nothing is packed twice.

mod lane;
mod product;
mod tiles;

use rayon::prelude::*;

use crate::epilogue::Epilogue;
use crate::matmul::{Dest, Mat, matmul};
use crate::shape::ConvShape;
use crate::simd::{Shared, with_scratch};
use product::{ROWS, packed_len, product};
use tiles::{Grid, Layout, PANEL, gradient_tiles, input_tiles, output_tiles};

/// Transformed values per tile.
const POINTS: usize = 36;

/// Whether these kernels take the shape.
pub(crate) fn supported(s: &ConvShape) -> bool {
    s.kernel == [3, 3]
        && s.stride == [1, 1]
        && s.dilation == [1, 1]
        && s.groups == 1
        && s.padding.iter().all(|&p| p <= 2)
        && s.output().is_some()
}

/// The kernel transform matrix G of F(4x4, 3x3).
const G: [[f32; 3]; 6] = [
    [0.25, 0.0, 0.0],
    [-1.0 / 6.0, -1.0 / 6.0, -1.0 / 6.0],
    [-1.0 / 6.0, 1.0 / 6.0, -1.0 / 6.0],
    [1.0 / 24.0, 1.0 / 12.0, 1.0 / 6.0],
    [1.0 / 24.0, -1.0 / 12.0, 1.0 / 6.0],
    [0.0, 0.0, 1.0],
];

/// `G g G^T`.
fn transform_kernel(g: &[f32; 9]) -> [f32; POINTS] {
    let half: [[f32; 3]; 6] =
        std::array::from_fn(|i| std::array::from_fn(|j| G[i][0] * g[j] + G[i][1] * g[3 + j] + G[i][2] * g[6 + j]));
    std::array::from_fn(|p| {
        let (i, j) = (p / 6, p % 6);
        half[i][0] * G[j][0] + half[i][1] * G[j][1] + half[i][2] * G[j][2]
    })
}

/// The adjoint of [`transform_kernel`]: `G^T u G`.
fn transform_kernel_adjoint(u: &[f32; POINTS]) -> [f32; 9] {
    let half: [[f32; 6]; 3] =
        std::array::from_fn(|l| std::array::from_fn(|j| (0..6).map(|i| G[i][l] * u[i * 6 + j]).sum()));
    std::array::from_fn(|p| (0..6).map(|j| half[p / 3][j] * G[j][p % 3]).sum())
}

/// Transformed kernels, packed for [`product`]: `[36][rows / 6][columns][6]`, with rows of zeros at the end.
pub(crate) struct Kernels {
    values: Vec<f32>,
    rows: usize,
    columns: usize,
}

impl Kernels {
    /// From kernels `[cout, cin, 3, 3]`: rows are output channels and columns input channels, or, for the transposed
    /// convolution, the other way round with every kernel turned by 180 degrees.
    #[allow(unsafe_code)]
    pub(crate) fn new(weight: &[f32], [cout, cin]: [usize; 2], transposed: bool) -> Self {
        let (rows, columns) = if transposed { (cin, cout) } else { (cout, cin) };
        let size = packed_len(rows, columns);
        let mut values = vec![0.0; POINTS * size];
        let shared = Shared::new(&mut values);
        let block = ROWS * columns;
        (0..rows.div_ceil(ROWS)).into_par_iter().for_each(|b| {
            // SAFETY: every task writes its own block of rows of each of the 36 matrices.
            let mut blocks: [&mut [f32]; POINTS] =
                std::array::from_fn(|p| unsafe { shared.part(p * size + b * block, block) });
            for r in 0..ROWS.min(rows - b * ROWS) {
                for c in 0..columns {
                    let row = b * ROWS + r;
                    let at = if transposed { c * cin + row } else { row * cin + c } * 9;
                    let mut g: [f32; 9] = std::array::from_fn(|i| weight[at + i]);
                    if transposed {
                        g.reverse();
                    }
                    for (block, v) in blocks.iter_mut().zip(transform_kernel(&g)) {
                        block[c * ROWS + r] = v;
                    }
                }
            }
        });
        Self { values, rows, columns }
    }

    fn point(&self, p: usize) -> &[f32] {
        let size = packed_len(self.rows, self.columns);
        &self.values[p * size..(p + 1) * size]
    }
}

/// Tiles of one block: `floats` bounds the transformed input and output together.
fn block_tiles(channels: usize, total: usize, floats: usize, low: usize, high: usize) -> usize {
    (floats / (POINTS * channels) / PANEL * PANEL).clamp(low, high).min(total.next_multiple_of(PANEL))
}

/// Weights (input times output channels) from which on the kernels are read once per block by all threads together.
const LARGE: usize = 28_000;

/// `out[k] = epilogue(sum over c of in[c] * kernel[k][c])` on planes, with the kernels already transformed.
#[allow(unsafe_code)]
fn convolve(grid: &Grid, kernels: &Kernels, x: &[f32], epilogue: &Epilogue<'_>, y: &mut [f32]) {
    let (k, c) = (kernels.rows, kernels.columns);
    let total = grid.tiles();
    let y = Shared::new(y);
    let small = block_tiles(c + k, total, 1 << 18, 2 * PANEL, 16 * PANEL);
    if c * k > LARGE || total < 4 * small {
        // Large kernels or few tiles: every phase is parallel, so that each kernel matrix is read once per block.
        let block = block_tiles(c + k, total, 3 << 20, 8 * PANEL, 64 * PANEL);
        with_scratch(POINTS * (c + k) * block, |scratch| {
            for t0 in (0..total).step_by(block) {
                let t = block.min((total - t0).next_multiple_of(PANEL));
                let (from, to) = (Layout::panels([c, t]), Layout::panels([k, t]));
                let (v, m) = scratch[..POINTS * (c + k) * t].split_at_mut(POINTS * c * t);
                let vs = Shared::new(v);
                (0..c).into_par_iter().for_each(|i| {
                    // SAFETY: channel `i` owns its own rows of `v`.
                    unsafe { input_tiles(grid, x, i, t0, &from, vs) };
                });
                let parts = v.par_chunks(c * t).zip(m.par_chunks_mut(k * t)).enumerate().with_max_len(1);
                parts.for_each(|(p, (v, m))| product(kernels.point(p), v, [k, c], m));
                let m = &*m;
                (0..k).into_par_iter().for_each(|i| {
                    // SAFETY: channel `i` owns its own planes of `y`.
                    unsafe { output_tiles(grid, m, i, t0, &to, epilogue, y) };
                });
            }
        });
        return;
    }
    (0..total.div_ceil(small)).into_par_iter().with_max_len(1).for_each(|b| {
        let t0 = b * small;
        let t = small.min((total - t0).next_multiple_of(PANEL));
        let (from, to) = (Layout::panels([c, t]), Layout::panels([k, t]));
        with_scratch(POINTS * (c + k) * t, |scratch| {
            let (v, m) = scratch.split_at_mut(POINTS * c * t);
            let vs = Shared::new(v);
            for i in 0..c {
                // SAFETY: `v` is this thread's scratch.
                unsafe { input_tiles(grid, x, i, t0, &from, vs) };
            }
            for (p, (v, m)) in v.chunks_exact(c * t).zip(m.chunks_exact_mut(k * t)).enumerate() {
                product(kernels.point(p), v, [k, c], m);
            }
            for i in 0..k {
                // SAFETY: every task writes its own tiles of `y`.
                unsafe { output_tiles(grid, m, i, t0, &to, epilogue, y) };
            }
        });
    });
}

fn grid(s: &ConvShape) -> Grid {
    let (ho, wo) = s.out();
    Grid { n: s.n, input: [s.h, s.w], output: [ho, wo], before: [s.padding[0], s.padding[1]] }
}

pub(crate) fn forward(s: &ConvShape, x: &[f32], weight: &[f32], epilogue: &Epilogue<'_>, y: &mut [f32]) {
    forward_prepared(s, x, &Kernels::new(weight, [s.cout, s.cin], false), epilogue, y);
}

pub(crate) fn forward_prepared(s: &ConvShape, x: &[f32], kernels: &Kernels, epilogue: &Epilogue<'_>, y: &mut [f32]) {
    convolve(&grid(s), kernels, x, epilogue, y);
}

pub(crate) fn backward_data(s: &ConvShape, weight: &[f32], dy: &[f32], dx: &mut [f32]) {
    let (ho, wo) = s.out();
    // The transposed convolution is a convolution with the turned kernel, padded the other way.
    let before = [2 - s.padding[0], 2 - s.padding[1]];
    let grid = Grid { n: s.n, input: [ho, wo], output: [s.h, s.w], before };
    convolve(&grid, &Kernels::new(weight, [s.cout, s.cin], true), dy, &Epilogue::none(), dx);
}

#[allow(unsafe_code)]
pub(crate) fn backward_weights(s: &ConvShape, x: &[f32], dy: &[f32], dw: &mut [f32]) {
    let grid = grid(s);
    let (c, k, total) = (s.cin, s.cout, grid.tiles());
    let block = block_tiles(c + k, total, 3 << 19, 256, 2048);
    let size = c * k;
    let mut du = vec![0.0; POINTS * size];
    with_scratch(POINTS * (c + k) * block, |scratch| {
        let (v, m) = scratch.split_at_mut(POINTS * c * block);
        for t0 in (0..total).step_by(block) {
            let t = block.min((total - t0).next_multiple_of(PANEL));
            let (inputs, gradients) = (Layout::rows([c, t]), Layout::rows([k, t]));
            let (vs, ms) = (Shared::new(v), Shared::new(m));
            (0..c + k).into_par_iter().for_each(|i| {
                // SAFETY: every channel owns its own rows of `v` or `m`.
                unsafe {
                    if i < c {
                        input_tiles(&grid, x, i, t0, &inputs, vs);
                    } else {
                        gradient_tiles(&grid, dy, i - c, t0, &gradients, ms);
                    }
                }
            });
            let (v, m) = (&*v, &*m);
            du.par_chunks_mut(size).enumerate().with_max_len(1).for_each(|(p, du)| {
                let out = Dest { data: Shared::new(du), offset: 0, stride: c };
                // SAFETY: `du` is this task's own chunk.
                unsafe {
                    matmul([k, c, t], out, Mat::new(m, p * k * t, t), Mat::new(v, p * c * t, t).t(), t0 > 0);
                }
            });
        }
    });
    dw.par_chunks_mut(9).enumerate().with_min_len(256).for_each(|(i, out)| {
        out.copy_from_slice(&transform_kernel_adjoint(&std::array::from_fn(|p| du[p * size + i])));
    });
}
