//! Gradient of the weights: `sum over tiles of (A dy A^T) x (B^T x B)` for every point, then back through the kernels'
//! transform.

use rayon::prelude::*;

use super::block_tiles;
use super::gram::{self, gram};
use super::grid::{Grid, Layout};
use super::kernels::{Transformed, kernel_gradients};
use super::tiles::{gradient_columns, input_columns};
use crate::matmul::sum_parts;
use crate::memory::unspecified;
use crate::product::PANEL;
use crate::simd::{Shared, with_scratch};

/// Output and input channels that one task of the products takes.
const BLOCK: [usize; 2] = [4 * gram::ROWS, gram::MOST * PANEL];

/// Gradients of the transformed kernels up to which every thread sums its own tiles.
const SMALL: usize = 1 << 19;

/// Transformed values up to which all tiles are kept at once.
const KEPT: usize = 1 << 23;

/// Sizes of one gradient.
#[derive(Clone, Copy)]
struct Problem<'a> {
    grid: &'a Grid,
    x: &'a [f32],
    dy: &'a [f32],
    /// Output and input channels.
    channels: [usize; 2],
}

/// Sums over `t` tiles for panels of gradients and of inputs, into rows `stride` apart.
fn sum_tiles(m: &[f32], v: &[f32], t: usize, out: &mut [f32], stride: usize, accumulate: bool) {
    for (row, m) in m.chunks_exact(t * gram::ROWS).enumerate() {
        for (column, v) in v.chunks(t * BLOCK[1]).enumerate() {
            gram(m, v, &mut out[row * gram::ROWS * stride + column * BLOCK[1]..], stride, accumulate);
        }
    }
}

impl Problem<'_> {
    fn points(&self) -> usize {
        self.grid.tile.points()
    }

    /// Channels with the zeros that fill their last panel.
    fn padded(&self) -> [usize; 2] {
        [self.channels[0].next_multiple_of(gram::ROWS), self.channels[1].next_multiple_of(PANEL)]
    }

    /// Where the transformed gradients and inputs of `count` tiles lie.
    fn layouts(&self, count: usize) -> [Layout; 2] {
        let [k, c] = self.channels;
        [Layout::columns([k, count], gram::ROWS), Layout::columns([c, count], PANEL)]
    }

    /// Transformed values of `count` tiles.
    fn len(&self, count: usize) -> usize {
        self.points() * count * self.padded().iter().sum::<usize>()
    }

    /// Transforms eight channels: those of the gradient come first.
    #[allow(unsafe_code)]
    unsafe fn transform(&self, group: usize, t0: usize, layouts: &[Layout; 2], m: Shared<'_>, v: Shared<'_>) {
        let of_gradient = self.padded()[0] / 8;
        // SAFETY: passed on.
        unsafe {
            if group < of_gradient {
                gradient_columns(self.grid.tile, self.grid, self.dy, 8 * group, t0, &layouts[0], m);
            } else {
                input_columns(self.grid.tile, self.grid, self.x, 8 * (group - of_gradient), t0, &layouts[1], v);
            }
        }
    }

    fn groups(&self) -> usize {
        self.padded().iter().sum::<usize>() / 8
    }

    /// Few weights: every thread transforms and sums its own tiles without leaving its cache.
    #[allow(unsafe_code)]
    fn small(&self, dw: &mut [f32]) {
        const PARTS: usize = 8;
        let ([k, c], points, total) = (self.padded(), self.points(), self.grid.tiles());
        let block = block_tiles(points * (c + k), total, 1 << 17, PANEL, 16 * PANEL);
        let part = total.div_ceil(PARTS).next_multiple_of(block);
        let size = points * k * c;
        let mut sums = unspecified(total.div_ceil(part) * size);
        sums.par_chunks_mut(size).enumerate().with_max_len(1).for_each(|(i, sums)| {
            let end = total.min((i + 1) * part);
            for t0 in (i * part..end).step_by(block) {
                let t = block.min((end - t0).next_multiple_of(PANEL));
                let layouts = self.layouts(t);
                with_scratch(self.len(t), |scratch| {
                    let (m, v) = scratch.split_at_mut(points * k * t);
                    let (ms, vs) = (Shared::new(m), Shared::new(v));
                    for group in 0..self.groups() {
                        // SAFETY: `m` and `v` are this thread's scratch.
                        unsafe { self.transform(group, t0, &layouts, ms, vs) };
                    }
                    let parts = m.chunks_exact(k * t).zip(v.chunks_exact(c * t)).zip(sums.chunks_exact_mut(k * c));
                    for ((m, v), sums) in parts {
                        sum_tiles(m, v, t, sums, c, t0 > i * part);
                    }
                });
            }
        });
        let mut du = unspecified(size);
        sum_parts(&sums, &mut du);
        self.finish(&du, dw);
    }

    /// From the gradients of all transformed kernels, `[points][k][c]`.
    #[allow(unsafe_code)]
    fn finish(&self, du: &[f32], dw: &mut [f32]) {
        let ([k, c], columns) = (self.padded(), self.channels[1]);
        dw.par_chunks_mut(9 * columns).enumerate().for_each(|(row, dw)| {
            let du = Transformed { values: &du[row * c..], point: k * c, stride: c };
            // SAFETY: `dw` is this task's own row.
            unsafe { kernel_gradients(self.grid.tile, du, [1, columns], Shared::new(dw), [0, 0]) };
        });
    }

    /// Transforms tiles `t0..t0 + t` of all channels.
    #[allow(unsafe_code)]
    fn transform_all(&self, t0: usize, t: usize, m: &mut [f32], v: &mut [f32]) {
        let layouts = self.layouts(t);
        let (m, v) = (Shared::new(m), Shared::new(v));
        (0..self.groups()).into_par_iter().for_each(|group| {
            // SAFETY: every group of channels owns its own columns of `m` or `v`.
            unsafe { self.transform(group, t0, &layouts, m, v) };
        });
    }

    /// Few tiles: all are transformed at once, and the gradient of a kernel leaves the cache finished.
    #[allow(unsafe_code)]
    fn kept(&self, dw: &mut [f32]) {
        let ([k, c], points) = (self.padded(), self.points());
        let t = self.grid.tiles().next_multiple_of(PANEL);
        let blocks = [k.div_ceil(BLOCK[0]), c.div_ceil(BLOCK[1])];
        with_scratch(self.len(t), |scratch| {
            let (m, v) = scratch.split_at_mut(points * k * t);
            self.transform_all(0, t, m, v);
            let (m, v, dw) = (&*m, &*v, Shared::new(dw));
            (0..blocks[0] * blocks[1]).into_par_iter().with_max_len(1).for_each(|i| {
                let [k0, c0] = [i / blocks[1] * BLOCK[0], i % blocks[1] * BLOCK[1]];
                let [rows, columns] = [BLOCK[0].min(k - k0), BLOCK[1].min(c - c0)];
                with_scratch(points * rows * columns, |du| {
                    let parts =
                        m.chunks_exact(k * t).zip(v.chunks_exact(c * t)).zip(du.chunks_exact_mut(rows * columns));
                    for ((m, v), du) in parts {
                        let (m, v) = (&m[k0 * t..][..rows * t], &v[c0 * t..][..columns * t]);
                        sum_tiles(m, v, t, du, columns, false);
                    }
                    let du = Transformed { values: du, point: rows * columns, stride: columns };
                    let real = [rows.min(self.channels[0] - k0), columns.min(self.channels[1] - c0)];
                    let at = [(k0 * self.channels[1] + c0) * 9, self.channels[1] * 9];
                    // SAFETY: every task writes its own block of kernels.
                    unsafe { kernel_gradients(self.grid.tile, du, real, dw, at) };
                });
            });
        });
    }

    /// Many tiles and weights: block after block of tiles.
    fn blocks(&self, dw: &mut [f32]) {
        let ([k, c], points, total) = (self.padded(), self.points(), self.grid.tiles());
        let block = block_tiles(points * (c + k), total, 3 << 19, 256, 2048);
        let mut du = unspecified(points * k * c);
        with_scratch(self.len(block), |scratch| {
            for t0 in (0..total).step_by(block) {
                let t = block.min((total - t0).next_multiple_of(PANEL));
                let (m, v) = scratch[..self.len(t)].split_at_mut(points * k * t);
                self.transform_all(t0, t, m, v);
                let (m, v) = (&*m, &*v);
                du.par_chunks_mut(k * c).enumerate().with_max_len(1).for_each(|(p, du)| {
                    sum_tiles(&m[p * k * t..][..k * t], &v[p * c * t..][..c * t], t, du, c, t0 > 0);
                });
            }
        });
        self.finish(&du, dw);
    }
}

/// Gradient `[k, c, 3, 3]` of the weights, from inputs with `c` channels and output gradients with `k`.
pub(super) fn backward(grid: &Grid, channels: [usize; 2], x: &[f32], dy: &[f32], dw: &mut [f32]) {
    let problem = Problem { grid, x, dy, channels };
    let [k, c] = problem.padded();
    if problem.points() * k * c <= SMALL {
        problem.small(dw);
    } else if problem.len(grid.tiles().next_multiple_of(PANEL)) <= KEPT {
        problem.kept(dw);
    } else {
        problem.blocks(dw);
    }
}
