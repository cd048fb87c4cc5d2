//! 3x3 stride-1 convolution by Winograd's minimal filtering F(4x4, 3x3): 36 multiplications per 16 outputs instead of
//! 144. Lavin and Gray 2016, "Fast Algorithms for Convolutional Neural Networks".
//!
//! The transforms run on eight neighbouring tiles of one plane at a time, so NCHW needs no conversion. The transformed
//! tiles lie as `[36][channels][tiles]`, and the convolution becomes 36 matrix products.

mod lane;
mod tiles;

use rayon::prelude::*;

use crate::matmul::{Dest, Mat, matmul};
use crate::shape::ConvShape;
use crate::simd::{Shared, with_scratch};
use tiles::{Grid, gradient_tiles, input_tiles, output_tiles};

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

/// Kernels `[cout, cin, 3, 3]` to `[36][rows][columns]`: rows are output channels, or input channels and the kernel
/// turned by 180 degrees when `flip`.
#[allow(unsafe_code)]
fn transform_kernels(weight: &[f32], [cout, cin]: [usize; 2], flip: bool) -> Vec<f32> {
    let (rows, columns) = if flip { (cin, cout) } else { (cout, cin) };
    let size = rows * columns;
    let mut u = vec![0.0; POINTS * size];
    let shared = Shared::new(&mut u);
    (0..rows).into_par_iter().for_each(|r| {
        // SAFETY: every task writes its own row of each of the 36 matrices.
        let mut lines: [&mut [f32]; POINTS] =
            std::array::from_fn(|p| unsafe { shared.part(p * size + r * columns, columns) });
        for c in 0..columns {
            let at = if flip { c * cin + r } else { r * cin + c } * 9;
            let mut g: [f32; 9] = std::array::from_fn(|i| weight[at + i]);
            if flip {
                g.reverse();
            }
            for (line, v) in lines.iter_mut().zip(transform_kernel(&g)) {
                line[c] = v;
            }
        }
    });
    u
}

/// Tiles of one block: `floats` bounds the transformed input and output together.
fn block_tiles(channels: usize, total: usize, floats: usize, low: usize, high: usize) -> usize {
    (floats / (POINTS * channels) / 8 * 8).clamp(low, high).min(total.next_multiple_of(8))
}

/// `out[k] = sum over c of in[c] * kernel[k][c]` on planes, with the kernels already transformed.
#[allow(unsafe_code)]
fn convolve(grid: &Grid, [c, k]: [usize; 2], x: &[f32], u: &[f32], y: &mut [f32]) {
    let total = grid.tiles();
    let y = Shared::new(y);
    let product = |p: usize, t: usize, v: &[f32], m: Shared<'_>| {
        let out = Dest { data: m, offset: p * k * t, stride: t };
        // SAFETY: point `p` owns its own `k x t` matrix of `m`.
        unsafe { matmul([k, t, c], out, Mat::new(u, p * c * k, c), Mat::new(v, p * c * t, t), false) };
    };
    let small = block_tiles(c + k, total, 1 << 18, 32, 256);
    if c * k > 28_000 || total < 4 * small {
        // Large kernels or few tiles: every phase is parallel, so that each kernel matrix is read once per block.
        let block = block_tiles(c + k, total, 3 << 20, 128, 1024);
        with_scratch(POINTS * (c + k) * block, |scratch| {
            let (v, m) = scratch.split_at_mut(POINTS * c * block);
            for t0 in (0..total).step_by(block) {
                let t = block.min((total - t0).next_multiple_of(8));
                let (vs, ms) = (Shared::new(v), Shared::new(m));
                (0..c).into_par_iter().for_each(|i| {
                    // SAFETY: channel `i` owns its own rows of `v`.
                    unsafe { input_tiles(grid, x, [c, i], [t0, t], vs) };
                });
                let v = &*v;
                (0..POINTS).into_par_iter().with_max_len(1).for_each(|p| product(p, t, v, ms));
                let m = &*m;
                (0..k).into_par_iter().for_each(|i| {
                    // SAFETY: channel `i` owns its own planes of `y`.
                    unsafe { output_tiles(grid, m, [k, i], [t0, t], y) };
                });
            }
        });
        return;
    }
    (0..total.div_ceil(small)).into_par_iter().with_max_len(1).for_each(|b| {
        let t0 = b * small;
        let t = small.min((total - t0).next_multiple_of(8));
        with_scratch(POINTS * (c + k) * t, |scratch| {
            let (v, m) = scratch.split_at_mut(POINTS * c * t);
            let vs = Shared::new(v);
            for i in 0..c {
                // SAFETY: `v` is this thread's scratch.
                unsafe { input_tiles(grid, x, [c, i], [t0, t], vs) };
            }
            let ms = Shared::new(m);
            for p in 0..POINTS {
                product(p, t, v, ms);
            }
            for i in 0..k {
                // SAFETY: every task writes its own tiles of `y`.
                unsafe { output_tiles(grid, m, [k, i], [t0, t], y) };
            }
        });
    });
}

pub(crate) fn forward(s: &ConvShape, x: &[f32], weight: &[f32], y: &mut [f32]) {
    let (ho, wo) = s.out();
    let grid = Grid { n: s.n, input: [s.h, s.w], output: [ho, wo], before: [s.padding[0], s.padding[1]] };
    let u = transform_kernels(weight, [s.cout, s.cin], false);
    convolve(&grid, [s.cin, s.cout], x, &u, y);
}

pub(crate) fn backward_data(s: &ConvShape, weight: &[f32], dy: &[f32], dx: &mut [f32]) {
    let (ho, wo) = s.out();
    // The transposed convolution is a convolution with the turned kernel, padded the other way.
    let before = [2 - s.padding[0], 2 - s.padding[1]];
    let grid = Grid { n: s.n, input: [ho, wo], output: [s.h, s.w], before };
    let u = transform_kernels(weight, [s.cout, s.cin], true);
    convolve(&grid, [s.cout, s.cin], dy, &u, dx);
}

#[allow(unsafe_code)]
pub(crate) fn backward_weights(s: &ConvShape, x: &[f32], dy: &[f32], dw: &mut [f32]) {
    let (ho, wo) = s.out();
    let grid = Grid { n: s.n, input: [s.h, s.w], output: [ho, wo], before: [s.padding[0], s.padding[1]] };
    let (c, k, total) = (s.cin, s.cout, grid.tiles());
    let block = block_tiles(c + k, total, 3 << 19, 256, 2048);
    let size = c * k;
    let mut du = vec![0.0; POINTS * size];
    with_scratch(POINTS * (c + k) * block, |scratch| {
        let (v, m) = scratch.split_at_mut(POINTS * c * block);
        for t0 in (0..total).step_by(block) {
            let t = block.min((total - t0).next_multiple_of(8));
            let (vs, ms) = (Shared::new(v), Shared::new(m));
            (0..c + k).into_par_iter().for_each(|i| {
                // SAFETY: every channel owns its own rows of `v` or `m`.
                unsafe {
                    if i < c {
                        input_tiles(&grid, x, [c, i], [t0, t], vs);
                    } else {
                        gradient_tiles(&grid, dy, [k, i - c], [t0, t], ms);
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
