//! 3x3 stride-1 convolution by Winograd's minimal filtering: F(4x4, 3x3) makes 16 outputs with 36 multiplications
//! instead of 144, F(2x2, 3x3) four outputs with 16 instead of 36. Lavin and Gray 2016, "Fast Algorithms for
//! Convolutional Neural Networks".
//!
//! The transforms run on eight neighbouring tiles of one plane at a time, so NCHW needs no conversion. The transformed
//! tiles lie in panels of 16 tiles, exactly as the matrix products read them, so that nothing is packed twice.

mod filter;
mod gather;
mod gram;
mod grid;
mod kernels;
mod tiles;
mod weights;

use rayon::prelude::*;

pub use filter::Tile;
pub(crate) use kernels::Kernels;

use crate::epilogue::Epilogue;
use crate::product::{PANEL, product};
use crate::shape::ConvShape;
use crate::simd::{Shared, with_scratch};
use grid::{Grid, Layout};
use tiles::{input_tiles, output_tiles};

/// Whether these kernels take the shape.
pub(crate) fn supported(s: &ConvShape) -> bool {
    s.kernel == [3, 3]
        && s.stride == [1, 1]
        && s.dilation == [1, 1]
        && s.groups == 1
        && s.padding.iter().all(|&p| p <= 2)
        && s.output().is_some()
}

/// Tiles of a shape, and with those that fill the last panel of the products.
pub(crate) fn tiles(s: &ConvShape, tile: Tile) -> (usize, usize) {
    let tiles = grid(s, tile).tiles();
    (tiles, tiles.next_multiple_of(PANEL))
}

/// Tiles of one block, each of `values` transformed inputs and outputs: `floats` bounds them together.
fn block_tiles(values: usize, total: usize, floats: usize, low: usize, high: usize) -> usize {
    (floats / values / PANEL * PANEL).clamp(low, high).min(total.next_multiple_of(PANEL))
}

/// Weights (input times output channels) from which on the kernels are read once per block by all threads together.
const LARGE: usize = 28_000;

/// `out[k] = epilogue(sum over c of in[c] * kernel[k][c])` on planes, with the kernels already transformed.
#[allow(unsafe_code)]
fn convolve(grid: &Grid, kernels: &Kernels, x: &[f32], epilogue: &Epilogue<'_>, y: &mut [f32]) {
    let (k, c) = (kernels.rows, kernels.columns);
    let (tile, points, total) = (grid.tile, grid.tile.points(), grid.tiles());
    let y = Shared::new(y);
    let small = block_tiles(points * (c + k), total, 1 << 17, 2 * PANEL, 16 * PANEL);
    if c * k > LARGE || total < 4 * small {
        // Large kernels or few tiles: every phase is parallel, so that each kernel matrix is read once per block.
        let block = block_tiles(points * (c + k), total, 3 << 20, 8 * PANEL, 64 * PANEL);
        with_scratch(points * (c + k) * block, |scratch| {
            for t0 in (0..total).step_by(block) {
                let t = block.min((total - t0).next_multiple_of(PANEL));
                let (from, to) = (Layout::panels([c, t]), Layout::panels([k, t]));
                let (v, m) = scratch[..points * (c + k) * t].split_at_mut(points * c * t);
                let vs = Shared::new(v);
                (0..c).into_par_iter().for_each(|i| {
                    // SAFETY: channel `i` owns its own rows of `v`.
                    unsafe { input_tiles(tile, grid, x, i, t0, &from, vs) };
                });
                let parts = v.par_chunks(c * t).zip(m.par_chunks_mut(k * t)).enumerate().with_max_len(1);
                parts.for_each(|(p, (v, m))| product(kernels.point(p), v, [k, c], m));
                let m = &*m;
                (0..k).into_par_iter().for_each(|i| {
                    // SAFETY: channel `i` owns its own planes of `y`.
                    unsafe { output_tiles(tile, grid, m, i, t0, &to, epilogue, y) };
                });
            }
        });
        return;
    }
    (0..total.div_ceil(small)).into_par_iter().with_max_len(1).for_each(|b| {
        let t0 = b * small;
        let t = small.min((total - t0).next_multiple_of(PANEL));
        let (from, to) = (Layout::panels([c, t]), Layout::panels([k, t]));
        with_scratch(points * (c + k) * t, |scratch| {
            let (v, m) = scratch.split_at_mut(points * c * t);
            let vs = Shared::new(v);
            for i in 0..c {
                // SAFETY: `v` is this thread's scratch.
                unsafe { input_tiles(tile, grid, x, i, t0, &from, vs) };
            }
            for (p, (v, m)) in v.chunks_exact(c * t).zip(m.chunks_exact_mut(k * t)).enumerate() {
                product(kernels.point(p), v, [k, c], m);
            }
            for i in 0..k {
                // SAFETY: every task writes its own tiles of `y`.
                unsafe { output_tiles(tile, grid, m, i, t0, &to, epilogue, y) };
            }
        });
    });
}

fn grid(s: &ConvShape, tile: Tile) -> Grid {
    let (ho, wo) = s.out();
    Grid { tile, n: s.n, input: [s.h, s.w], output: [ho, wo], before: [s.padding[0], s.padding[1]] }
}

pub(crate) fn forward(s: &ConvShape, tile: Tile, x: &[f32], weight: &[f32], epilogue: &Epilogue<'_>, y: &mut [f32]) {
    forward_prepared(s, x, &Kernels::new(weight, [s.cout, s.cin], false, tile), epilogue, y);
}

pub(crate) fn forward_prepared(s: &ConvShape, x: &[f32], kernels: &Kernels, epilogue: &Epilogue<'_>, y: &mut [f32]) {
    convolve(&grid(s, kernels.tile), kernels, x, epilogue, y);
}

pub(crate) fn backward_data(s: &ConvShape, tile: Tile, weight: &[f32], dy: &[f32], dx: &mut [f32]) {
    let (ho, wo) = s.out();
    // The transposed convolution is a convolution with the turned kernel, padded the other way.
    let before = [2 - s.padding[0], 2 - s.padding[1]];
    let grid = Grid { tile, n: s.n, input: [ho, wo], output: [s.h, s.w], before };
    convolve(&grid, &Kernels::new(weight, [s.cout, s.cin], true, tile), dy, &Epilogue::none(), dx);
}

pub(crate) fn backward_weights(s: &ConvShape, tile: Tile, x: &[f32], dy: &[f32], dw: &mut [f32]) {
    weights::backward(&grid(s, tile), [s.cout, s.cin], x, dy, dw);
}
