//! Gradients of weights: sums over tiles or pixels of outer products of a gradient's and an input's channels.

use rayon::prelude::*;

use crate::gram::{self, gram};
use crate::matmul::sum_parts;
use crate::memory::unspecified;
use crate::product::{PANEL, apart};
use crate::simd::{Shared, with_scratch};

/// Rows and columns that one task of the products takes.
const BLOCK: [usize; 2] = [4 * gram::ROWS, gram::MOST * PANEL];

/// Sums up to which every thread has its own.
const SMALL: usize = 1 << 19;
/// Parts that the tiles are cut into then.
const PARTS: usize = 8;

/// Transformed values up to which those of all tiles are kept at once.
const KEPT: usize = 1 << 23;

/// What is summed. Both sides are transformed to one value per channel, tile and point; every point is summed by itself.
pub(crate) trait Terms: Sync {
    /// Channels of the gradient and of the input: rows and columns of the weights.
    fn channels(&self) -> [usize; 2];

    /// Values per channel and tile.
    fn points(&self) -> usize;

    /// Tiles that are summed over.
    fn tiles(&self) -> usize;

    /// Writes eight channels of the gradient from `c` on, at `count` tiles from `t0` on, into
    /// `[points][channels / 8][count][8]`, the points [`apart`]; zeros for channels and tiles past the last.
    ///
    /// # Safety
    /// No other live reference may overlap the columns of these channels in `out`.
    #[allow(unsafe_code)]
    unsafe fn gradient(&self, c: usize, t0: usize, count: usize, out: Shared<'_>);

    /// The same for the input, into `[points][channels / 16][count][16]`.
    ///
    /// # Safety
    /// As for the gradient.
    #[allow(unsafe_code)]
    unsafe fn input(&self, c: usize, t0: usize, count: usize, out: Shared<'_>);

    /// Writes the gradients of the weights in `rows` and `columns`, each as first and number.
    ///
    /// # Safety
    /// No other live reference may overlap these weights in `dw`.
    #[allow(unsafe_code)]
    unsafe fn finish(&self, sums: Sums<'_>, rows: [usize; 2], columns: [usize; 2], dw: Shared<'_>);
}

/// Finished sums: `values[p * point + row * stride + column]`.
#[derive(Clone, Copy)]
pub(crate) struct Sums<'a> {
    pub(crate) values: &'a [f32],
    pub(crate) point: usize,
    pub(crate) stride: usize,
}

/// Tiles of one block, each of `values` transformed values: `floats` bounds them together.
pub(crate) fn block_tiles(values: usize, total: usize, floats: usize, low: usize, high: usize) -> usize {
    (floats / values.max(1) / PANEL * PANEL).clamp(low, high).min(total.next_multiple_of(PANEL))
}

/// Sums over `t` tiles for panels of gradients and of inputs, into rows `stride` apart.
fn sum_tiles(m: &[f32], v: &[f32], t: usize, out: &mut [f32], stride: usize, accumulate: bool) {
    for (row, m) in m.chunks_exact(t * gram::ROWS).enumerate() {
        for (column, v) in v.chunks(t * BLOCK[1]).enumerate() {
            gram(m, v, &mut out[row * gram::ROWS * stride + column * BLOCK[1]..], stride, accumulate);
        }
    }
}

/// Channels with the zeros that fill their last panel.
fn padded(terms: &impl Terms) -> [usize; 2] {
    let [k, c] = terms.channels();
    [k.next_multiple_of(gram::ROWS), c.next_multiple_of(PANEL)]
}

/// Transforms eight channels; those of the gradient come first.
#[allow(unsafe_code)]
unsafe fn transform(terms: &impl Terms, group: usize, [t0, t]: [usize; 2], m: Shared<'_>, v: Shared<'_>) {
    let of_gradient = padded(terms)[0] / 8;
    // SAFETY: passed on.
    unsafe {
        if group < of_gradient {
            terms.gradient(8 * group, t0, t, m);
        } else {
            terms.input(8 * (group - of_gradient), t0, t, v);
        }
    }
}

#[allow(unsafe_code)]
fn transform_all(terms: &impl Terms, [t0, t]: [usize; 2], m: &mut [f32], v: &mut [f32]) {
    let (m, v) = (Shared::new(m), Shared::new(v));
    (0..padded(terms).iter().sum::<usize>() / 8).into_par_iter().for_each(|group| {
        // SAFETY: every group of channels owns its own columns of `m` or `v`.
        unsafe { transform(terms, group, [t0, t], m, v) };
    });
}

/// From all sums, `[points][k][c]`.
#[allow(unsafe_code)]
fn finish(terms: &impl Terms, sums: &[f32], dw: &mut [f32]) {
    let [k, c] = padded(terms);
    let [rows, columns] = terms.channels();
    let dw = Shared::new(dw);
    (0..rows).into_par_iter().for_each(|row| {
        let sums = Sums { values: &sums[row * c..], point: apart(k * c), stride: c };
        // SAFETY: every task writes its own row.
        unsafe { terms.finish(sums, [row, 1], [0, columns], dw) };
    });
}

/// Few weights: every thread transforms and sums its own tiles without leaving its cache.
#[allow(unsafe_code)]
fn small(terms: &impl Terms, dw: &mut [f32]) {
    let ([k, c], points, total) = (padded(terms), terms.points(), terms.tiles());
    let block = block_tiles(points * (c + k), total, 1 << 17, PANEL, 64 * PANEL);
    let part = total.div_ceil(PARTS).next_multiple_of(block);
    let size = points * apart(k * c);
    let mut sums = unspecified(total.div_ceil(part) * size);
    sums.par_chunks_mut(size).enumerate().with_max_len(1).for_each(|(i, sums)| {
        let end = total.min((i + 1) * part);
        for t0 in (i * part..end).step_by(block) {
            let t = block.min((end - t0).next_multiple_of(PANEL));
            with_scratch(points * (apart(k * t) + apart(c * t)), |scratch| {
                let (m, v) = scratch.split_at_mut(points * apart(k * t));
                let (ms, vs) = (Shared::new(m), Shared::new(v));
                for group in 0..(k + c) / 8 {
                    // SAFETY: `m` and `v` are this thread's scratch.
                    unsafe { transform(terms, group, [t0, t], ms, vs) };
                }
                let parts = m.chunks_exact(apart(k * t)).zip(v.chunks_exact(apart(c * t)));
                for ((m, v), sums) in parts.zip(sums.chunks_exact_mut(apart(k * c))) {
                    sum_tiles(&m[..k * t], &v[..c * t], t, sums, c, t0 > i * part);
                }
            });
        }
    });
    let mut total = unspecified(size);
    sum_parts(&sums, &mut total);
    finish(terms, &total, dw);
}

/// Few tiles: all are transformed at once, and the gradients of a block of weights leave the cache finished.
#[allow(unsafe_code)]
fn kept(terms: &impl Terms, dw: &mut [f32]) {
    let ([k, c], channels, points) = (padded(terms), terms.channels(), terms.points());
    let t = terms.tiles().next_multiple_of(PANEL);
    let blocks = [k.div_ceil(BLOCK[0]), c.div_ceil(BLOCK[1])];
    with_scratch(points * (apart(k * t) + apart(c * t)), |scratch| {
        let (m, v) = scratch.split_at_mut(points * apart(k * t));
        transform_all(terms, [0, t], m, v);
        let (m, v, dw) = (&*m, &*v, Shared::new(dw));
        (0..blocks[0] * blocks[1]).into_par_iter().with_max_len(1).for_each(|i| {
            let [k0, c0] = [i / blocks[1] * BLOCK[0], i % blocks[1] * BLOCK[1]];
            let [rows, columns] = [BLOCK[0].min(k - k0), BLOCK[1].min(c - c0)];
            let point = apart(rows * columns);
            with_scratch(points * point, |sums| {
                let parts = m.chunks_exact(apart(k * t)).zip(v.chunks_exact(apart(c * t)));
                for ((m, v), sums) in parts.zip(sums.chunks_exact_mut(point)) {
                    sum_tiles(&m[k0 * t..][..rows * t], &v[c0 * t..][..columns * t], t, sums, columns, false);
                }
                let sums = Sums { values: sums, point, stride: columns };
                let (rows, columns) = ([k0, rows.min(channels[0] - k0)], [c0, columns.min(channels[1] - c0)]);
                // SAFETY: every task writes its own block of weights.
                unsafe { terms.finish(sums, rows, columns, dw) };
            });
        });
    });
}

/// Many tiles and weights: block after block of tiles.
#[allow(unsafe_code)]
fn blocks(terms: &impl Terms, dw: &mut [f32]) {
    let ([k, c], points, total) = (padded(terms), terms.points(), terms.tiles());
    let block = block_tiles(points * (c + k), total, 3 << 19, 256, 2048);
    let parts = k.div_ceil(BLOCK[0]);
    let mut sums = unspecified(points * apart(k * c));
    with_scratch(points * (apart(k * block) + apart(c * block)), |scratch| {
        for t0 in (0..total).step_by(block) {
            let t = block.min((total - t0).next_multiple_of(PANEL));
            let (m, v) = scratch[..points * (apart(k * t) + apart(c * t))].split_at_mut(points * apart(k * t));
            transform_all(terms, [t0, t], m, v);
            let (m, v, sums) = (&*m, &*v, Shared::new(&mut sums));
            (0..points * parts).into_par_iter().with_max_len(1).for_each(|i| {
                let (p, k0) = (i / parts, i % parts * BLOCK[0]);
                let rows = BLOCK[0].min(k - k0);
                // SAFETY: every task owns its own rows of its own point.
                let sums = unsafe { sums.part(p * apart(k * c) + k0 * c, rows * c) };
                let (m, v) = (&m[p * apart(k * t) + k0 * t..][..rows * t], &v[p * apart(c * t)..][..c * t]);
                sum_tiles(m, v, t, sums, c, t0 > 0);
            });
        }
    });
    finish(terms, &sums, dw);
}

/// Writes the gradients of all weights.
pub(crate) fn weights(terms: &impl Terms, dw: &mut [f32]) {
    let ([k, c], points, total) = (padded(terms), terms.points(), terms.tiles());
    if points * k * c <= SMALL && PARTS * k * c <= total * (k + c) {
        small(terms, dw);
    } else if points * (k + c) * total.next_multiple_of(PANEL) <= KEPT {
        kept(terms, dw);
    } else {
        blocks(terms, dw);
    }
}
