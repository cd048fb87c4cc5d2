//! Transforms of eight tiles at a time, between planes and panels.

use super::filter::{Filter, dispatch};
use super::gather::{MOST, Source, gather};
use super::grid::{Grid, Layout};
use crate::epilogue::Epilogue;
use crate::lane::Lane;
use crate::product::{PANEL, apart};
use crate::simd::Shared;

/// Applies a transform to every column.
macro_rules! columns_of {
    ($half:ident, $rows:expr, $transform:path) => {{
        let mut values = [[L::zero(); R]; R];
        for j in 0..R {
            let mut column = [L::zero(); $rows];
            for i in 0..$rows {
                column[i] = $half[i][j];
            }
            let column = $transform(column);
            for i in 0..R {
                values[i][j] = column[i];
            }
        }
        values
    }};
}

#[inline(always)]
#[allow(unsafe_code)]
unsafe fn input_body<L: Lane, F: Filter<M, R>, const M: usize, const R: usize>(
    grid: &Grid,
    x: &[f32],
    c: usize,
    t0: usize,
    layout: &Layout,
    v: Shared<'_>,
) {
    let source = Source { values: x, channel: [layout.channels, c], size: grid.input, before: grid.before };
    let size = apart(layout.channels * layout.count);
    assert!(v.len() >= R * R * size && c < layout.channels, "transformed tiles do not fit");
    for at in (0..layout.count).step_by(8) {
        let values = Input::values::<L, F, M, R>(grid, &source, t0 + at);
        let first = (at / PANEL * layout.channels + c) * PANEL + at % PANEL;
        for i in 0..R {
            for j in 0..R {
                let start = (i * R + j) * size + first;
                // SAFETY: `count` is a multiple of the panel and `c` a channel, so `first + 8 <= size`, and the region
                // check holds by the assertion; the rows of channel `c` are the caller's own.
                unsafe { values[i][j].store(&mut *v.region(start, start + 8).cast::<[f32; 8]>()) };
            }
        }
    }
}

/// What eight tiles are transformed by. A trait, not a closure: vector instructions are only inlined into
/// functions that are inlined themselves.
trait Side {
    fn source<'a>(grid: &Grid, values: &'a [f32], channel: [usize; 2]) -> Source<'a>;
    fn values<L: Lane, F: Filter<M, R>, const M: usize, const R: usize>(
        grid: &Grid,
        source: &Source<'_>,
        t: usize,
    ) -> [[L; R]; R];
}

/// `B^T d B`.
struct Input;
/// `A dy A^T`.
struct Gradient;

impl Side for Input {
    #[inline(always)]
    fn source<'a>(grid: &Grid, values: &'a [f32], channel: [usize; 2]) -> Source<'a> {
        Source { values, channel, size: grid.input, before: grid.before }
    }

    #[inline(always)]
    fn values<L: Lane, F: Filter<M, R>, const M: usize, const R: usize>(
        grid: &Grid,
        source: &Source<'_>,
        t: usize,
    ) -> [[L; R]; R] {
        let mut half: [[L; R]; R] = gather::<L, F, M, R, R>(grid, source, t);
        for i in 0..R {
            half[i] = F::input(half[i]);
        }
        columns_of!(half, R, F::input)
    }
}

impl Side for Gradient {
    #[inline(always)]
    fn source<'a>(grid: &Grid, values: &'a [f32], channel: [usize; 2]) -> Source<'a> {
        Source { values, channel, size: grid.output, before: [0, 0] }
    }

    #[inline(always)]
    fn values<L: Lane, F: Filter<M, R>, const M: usize, const R: usize>(
        grid: &Grid,
        source: &Source<'_>,
        t: usize,
    ) -> [[L; R]; R] {
        let d: [[L; R]; M] = gather::<L, F, M, R, M>(grid, source, t);
        let mut half = [[L::zero(); R]; M];
        for i in 0..M {
            let mut row = [L::zero(); M];
            row.copy_from_slice(&d[i][..M]);
            half[i] = F::gradient(row);
        }
        columns_of!(half, M, F::gradient)
    }
}

#[inline(always)]
#[allow(unsafe_code)]
unsafe fn columns<S: Side, L: Lane, F: Filter<M, R>, const M: usize, const R: usize>(
    grid: &Grid,
    planes: &[f32],
    c: usize,
    t0: usize,
    layout: &Layout,
    out: Shared<'_>,
) {
    let width = layout.width;
    let size = apart(layout.channels.next_multiple_of(width) * layout.count);
    assert!(out.len() >= R * R * size && c < layout.channels.next_multiple_of(width), "transformed tiles do not fit");
    // Channels past the last stay zero.
    let mut group = [[[L::zero(); 8]; R]; R];
    for at in (0..layout.count).step_by(8) {
        for l in 0..8.min(layout.channels.saturating_sub(c)) {
            let source = S::source(grid, planes, [layout.channels, c + l]);
            let values = S::values::<L, F, M, R>(grid, &source, t0 + at);
            for i in 0..R {
                for j in 0..R {
                    group[i][j][l] = values[i][j];
                }
            }
        }
        let first = (c / width * layout.count + at) * width + c % width;
        for i in 0..R {
            for j in 0..R {
                let rows = L::transpose(group[i][j]);
                for (r, row) in rows.into_iter().enumerate() {
                    let start = (i * R + j) * size + first + r * width;
                    // SAFETY: tiles `at..at + 8` of the panel of channel `c` lie inside the point's `size` floats, and
                    // the region check holds by the assertion; these columns are the caller's own.
                    unsafe { row.store(&mut *out.region(start, start + 8).cast::<[f32; 8]>()) };
                }
            }
        }
    }
}

#[inline(always)]
#[allow(unsafe_code)]
unsafe fn input_columns_body<L: Lane, F: Filter<M, R>, const M: usize, const R: usize>(
    grid: &Grid,
    x: &[f32],
    c: usize,
    t0: usize,
    layout: &Layout,
    v: Shared<'_>,
) {
    // SAFETY: passed on.
    unsafe { columns::<Input, L, F, M, R>(grid, x, c, t0, layout, v) };
}

#[inline(always)]
#[allow(unsafe_code)]
unsafe fn gradient_columns_body<L: Lane, F: Filter<M, R>, const M: usize, const R: usize>(
    grid: &Grid,
    dy: &[f32],
    c: usize,
    t0: usize,
    layout: &Layout,
    m: Shared<'_>,
) {
    // SAFETY: passed on.
    unsafe { columns::<Gradient, L, F, M, R>(grid, dy, c, t0, layout, m) };
}

/// The eight output tiles of channel `c` from their transformed values, with bias and, without a residual, bounds.
#[inline(always)]
fn outputs<L: Lane, F: Filter<M, R>, const M: usize, const R: usize>(
    m: &[f32],
    size: usize,
    bias: f32,
    bounds: Option<[f32; 2]>,
) -> [[L; M]; M] {
    let mut half = [[L::zero(); R]; M];
    for j in 0..R {
        let mut column = [L::zero(); R];
        for i in 0..R {
            if let Some(chunk) = m[(i * R + j) * size..].first_chunk::<8>() {
                column[i] = L::load(chunk);
            }
        }
        let column = F::output(column);
        for i in 0..M {
            half[i][j] = column[i];
        }
    }
    let bias = L::splat(bias);
    let mut tile = [[L::zero(); M]; M];
    for i in 0..M {
        tile[i] = F::output(half[i]);
        for j in 0..M {
            tile[i][j] = tile[i][j].add(bias);
            // With a residual the bounds apply after it was added.
            if let Some([low, high]) = bounds {
                tile[i][j] = tile[i][j].clamp(L::splat(low), L::splat(high));
            }
        }
    }
    tile
}

#[inline(always)]
#[allow(unsafe_code)]
unsafe fn output_body<L: Lane, F: Filter<M, R>, const M: usize, const R: usize>(
    grid: &Grid,
    m: &[f32],
    c: usize,
    t0: usize,
    layout: &Layout,
    epilogue: &Epilogue<'_>,
    y: Shared<'_>,
) {
    let [h, w] = grid.output;
    let (channels, size) = (layout.channels, apart(layout.channels * layout.count));
    let [plane, planes] = [layout.of[0] + c, layout.of[1]];
    assert!(m.len() >= R * R * size && c < channels, "transformed outputs missing");
    let bounds = epilogue.is_bounds().then_some([epilogue.low, epilogue.high]);
    for at in (0..layout.count.min(grid.tiles() - t0)).step_by(8) {
        let t = t0 + at;
        let tile = outputs::<L, F, M, R>(
            &m[(at / PANEL * channels + c) * PANEL + at % PANEL..],
            size,
            epilogue.bias_of(plane),
            bounds,
        );
        // Tiles that lie side by side are written together.
        let together = [8, 4, 1].into_iter().find(|&count| (0..8).step_by(count).all(|l| grid.in_a_row(t + l, count)));
        let together = together.unwrap_or(1);
        let [n, y0, x0] = grid.place(t);
        if together == 8 && x0 + 8 * M <= w {
            for i in 0..M.min(h - y0) {
                let start = ((n * planes + plane) * h + y0 + i) * w + x0;
                // SAFETY: these tiles of channel `c` are the caller's own.
                let line = unsafe { y.part(start, 8 * M) };
                let (low, high) = line.split_at_mut(4 * M);
                F::join(tile[i], low, high);
                epilogue.finish_rest(start, line);
            }
            continue;
        }
        let mut chunk = [0.0; MOST];
        for i in 0..M {
            let (low, high) = chunk[..8 * M].split_at_mut(4 * M);
            F::join(tile[i], low, high);
            for l in (0..8.min(grid.tiles() - t)).step_by(together) {
                let [n, y0, x0] = grid.place(t + l);
                if y0 + i < h {
                    let start = ((n * planes + plane) * h + y0 + i) * w + x0;
                    // SAFETY: these tiles of channel `c` are the caller's own.
                    let line = unsafe { y.part(start, (together * M).min(w - x0)) };
                    line.copy_from_slice(&chunk[l * M..][..line.len()]);
                    epilogue.finish_rest(start, line);
                }
            }
        }
    }
}

dispatch! {
    /// `B^T d B` of channel `c` for the layout's tiles from tile `t0` on; tiles past the last one become zero.
    ///
    /// # Safety
    /// No other live reference may overlap the rows of channel `c` in `v`.
    fn input_tiles(grid: &Grid, x: &[f32], c: usize, t0: usize, layout: &Layout, v: Shared<'_>) = input_body
}

dispatch! {
    /// As [`input_tiles`] for eight channels from `c` on, with panels of channels; channels past the last one become
    /// zero.
    ///
    /// # Safety
    /// No other live reference may overlap the columns of these channels in `v`.
    fn input_columns(grid: &Grid, x: &[f32], c: usize, t0: usize, layout: &Layout, v: Shared<'_>) = input_columns_body
}

dispatch! {
    /// `A dy A^T`, otherwise as [`input_columns`].
    ///
    /// # Safety
    /// No other live reference may overlap the columns of these channels in `m`.
    fn gradient_columns(
        grid: &Grid, dy: &[f32], c: usize, t0: usize, layout: &Layout, m: Shared<'_>
    ) = gradient_columns_body
}

dispatch! {
    /// `A^T m A` with the epilogue, into the planes.
    ///
    /// # Safety
    /// No other live reference may overlap these tiles of channel `c` in the output.
    fn output_tiles(
        grid: &Grid, m: &[f32], c: usize, t0: usize, layout: &Layout, epilogue: &Epilogue<'_>, y: Shared<'_>
    ) = output_body
}
