//! 3x3 stride-1 convolution by Winograd's minimal filtering: F(4x4, 3x3) makes 16 outputs with 36 multiplications
//! instead of 144, F(2x2, 3x3) four outputs with 16 instead of 36. Lavin and Gray 2016, "Fast Algorithms for
//! Convolutional Neural Networks".
//!
//! The transforms run on eight neighbouring tiles of one plane at a time, so NCHW needs no conversion. The transformed
//! tiles lie in panels of 16 tiles, exactly as the matrix products read them, so that nothing is packed twice.

mod filter;
mod gather;
mod grid;
mod kernels;
mod tiles;
mod weights;

use rayon::prelude::*;

pub use filter::Tile;
pub(crate) use kernels::KeptKernels;

use crate::epilogue::Epilogue;
use crate::outer::block_tiles;
use crate::product::{PANEL, ROWS, apart, packed_len, product};
use crate::shape::ConvShape;
use crate::simd::{Shared, with_scratch};
use grid::{Grid, Layout};
use kernels::{Kernels, Plain, kernels_len, transform_kernels, transform_rows};
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

/// Weights (input times output channels) from which on the kernels are read once per block by all threads together.
const LARGE: usize = 28_000;

/// Transformed inputs up to which kernels are transformed a few rows at a time.
const KEPT: usize = 5 << 20;
/// Output channels of such a part.
const PART: usize = 2 * ROWS;

/// `out[k] = epilogue(sum over c of in[c] * kernel[k][c])` on planes.
fn convolve(grid: &Grid, plain: Plain<'_>, x: &[f32], epilogue: &Epilogue<'_>, y: &mut [f32]) {
    let (k, c) = (plain.rows, plain.columns);
    let inputs = grid.tile.points() * c * grid.tiles().next_multiple_of(PANEL);
    if c * k > LARGE && inputs <= KEPT {
        return convolve_by_rows(grid, plain, x, epilogue, y);
    }
    with_scratch(kernels_len(&plain, grid.tile), |values| {
        convolve_with(grid, transform_kernels(plain, grid.tile, values), x, epilogue, y);
    });
}

/// Large kernels and few tiles: all inputs are transformed first, and then every task takes a few output channels from
/// their kernels to the output, so that transformed kernels, four times as large as the weights, never leave the cache.
#[allow(unsafe_code)]
fn convolve_by_rows(grid: &Grid, plain: Plain<'_>, x: &[f32], epilogue: &Epilogue<'_>, y: &mut [f32]) {
    let (k, c) = (plain.rows, plain.columns);
    let (tile, points) = (grid.tile, grid.tile.points());
    let t = grid.tiles().next_multiple_of(PANEL);
    let y = Shared::new(y);
    with_scratch(points * apart(c * t), |v| {
        let (from, vs) = (Layout::panels([c, t]), Shared::new(v));
        (0..c).into_par_iter().for_each(|i| {
            // SAFETY: channel `i` owns its own rows of `v`.
            unsafe { input_tiles(tile, grid, x, i, 0, &from, vs) };
        });
        let v = &*v;
        (0..k.div_ceil(PART)).into_par_iter().with_max_len(1).for_each(|part| {
            let (first, rows) = (part * PART, PART.min(k - part * PART));
            let packed = points * apart(packed_len(rows, c));
            with_scratch(packed + points * apart(rows * t), |scratch| {
                let (values, m) = scratch.split_at_mut(packed);
                let kernels = transform_rows(plain, tile, [first, rows], values);
                for (p, (v, m)) in v.chunks_exact(apart(c * t)).zip(m.chunks_exact_mut(apart(rows * t))).enumerate() {
                    product(kernels.point(p), &v[..c * t], [rows, c], &mut m[..rows * t]);
                }
                let to = Layout::panels([rows, t]).part(first, k);
                for i in 0..rows {
                    // SAFETY: every task writes the planes of its own channels.
                    unsafe { output_tiles(tile, grid, m, i, 0, &to, epilogue, y) };
                }
            });
        });
    });
}

/// As [`convolve`] with kernels that are already transformed.
#[allow(unsafe_code)]
fn convolve_with(grid: &Grid, kernels: Kernels<'_>, x: &[f32], epilogue: &Epilogue<'_>, y: &mut [f32]) {
    let (k, c) = (kernels.rows, kernels.columns);
    let (tile, points, total) = (grid.tile, grid.tile.points(), grid.tiles());
    let y = Shared::new(y);
    let small = block_tiles(points * (c + k), total, 1 << 17, 2 * PANEL, 16 * PANEL);
    if c * k > LARGE || total < 4 * small {
        // Large kernels or few tiles: every phase is parallel, so that each kernel matrix is read once per block.
        let block = block_tiles(points * (c + k), total, 3 << 20, 8 * PANEL, 64 * PANEL);
        with_scratch(points * (apart(c * block) + apart(k * block)), |scratch| {
            for t0 in (0..total).step_by(block) {
                let t = block.min((total - t0).next_multiple_of(PANEL));
                let (from, to) = (Layout::panels([c, t]), Layout::panels([k, t]));
                let (v, m) = scratch[..points * (apart(c * t) + apart(k * t))].split_at_mut(points * apart(c * t));
                let vs = Shared::new(v);
                (0..c).into_par_iter().for_each(|i| {
                    // SAFETY: channel `i` owns its own rows of `v`.
                    unsafe { input_tiles(tile, grid, x, i, t0, &from, vs) };
                });
                let parts = v.par_chunks(apart(c * t)).zip(m.par_chunks_mut(apart(k * t))).enumerate().with_max_len(1);
                parts.for_each(|(p, (v, m))| product(kernels.point(p), &v[..c * t], [k, c], &mut m[..k * t]));
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
        with_scratch(points * (apart(c * t) + apart(k * t)), |scratch| {
            let (v, m) = scratch.split_at_mut(points * apart(c * t));
            let vs = Shared::new(v);
            for i in 0..c {
                // SAFETY: `v` is this thread's scratch.
                unsafe { input_tiles(tile, grid, x, i, t0, &from, vs) };
            }
            for (p, (v, m)) in v.chunks_exact(apart(c * t)).zip(m.chunks_exact_mut(apart(k * t))).enumerate() {
                product(kernels.point(p), &v[..c * t], [k, c], &mut m[..k * t]);
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
    convolve(&grid(s, tile), Plain::new(weight, [s.cout, s.cin], false), x, epilogue, y);
}

/// The kernels of a forward pass, transformed once for many.
pub(crate) fn prepare(s: &ConvShape, tile: Tile, weight: &[f32]) -> KeptKernels {
    KeptKernels::new(Plain::new(weight, [s.cout, s.cin], false), tile)
}

pub(crate) fn forward_prepared(
    s: &ConvShape,
    x: &[f32],
    kernels: &KeptKernels,
    epilogue: &Epilogue<'_>,
    y: &mut [f32],
) {
    convolve_with(&grid(s, kernels.tile), kernels.view(), x, epilogue, y);
}

pub(crate) fn backward_data(s: &ConvShape, tile: Tile, weight: &[f32], dy: &[f32], dx: &mut [f32]) {
    let (ho, wo) = s.out();
    // The transposed convolution is a convolution with the turned kernel, padded the other way.
    let before = [2 - s.padding[0], 2 - s.padding[1]];
    let grid = Grid { tile, n: s.n, input: [ho, wo], output: [s.h, s.w], before };
    convolve(&grid, Plain::new(weight, [s.cout, s.cin], true), dy, &Epilogue::none(), dx);
}

pub(crate) fn backward_weights(s: &ConvShape, tile: Tile, x: &[f32], dy: &[f32], dw: &mut [f32]) {
    weights::backward(&grid(s, tile), [s.cout, s.cin], x, dy, dw);
}
