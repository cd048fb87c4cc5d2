//! Transforming kernels and, backwards, their gradients.

use rayon::prelude::*;

use super::filter::{Filter, Tile, dispatch};
use crate::lane::Lane;
use crate::memory::unspecified;
use crate::outer::Sums;
use crate::product::{ROWS, apart, packed_len};
use crate::simd::Shared;

/// `G g G^T` of eight kernels.
#[inline(always)]
fn transform<L: Lane, F: Filter<M, R>, const M: usize, const R: usize>(g: &[L; 9]) -> [[L; R]; R] {
    let mut half = [[L::zero(); 3]; R];
    for i in 0..R {
        for l in 0..3 {
            for k in 0..3 {
                // The compiler must not drop a product with zero by itself: it would lose a NaN.
                if F::G[i][k] != 0.0 {
                    half[i][l] = g[3 * k + l].scale_add(F::G[i][k], half[i][l]);
                }
            }
        }
    }
    let mut u = [[L::zero(); R]; R];
    for i in 0..R {
        for j in 0..R {
            for l in 0..3 {
                if F::G[j][l] != 0.0 {
                    u[i][j] = half[i][l].scale_add(F::G[j][l], u[i][j]);
                }
            }
        }
    }
    u
}

/// The adjoint of [`transform`]: `G^T u G`.
#[inline(always)]
fn adjoint<L: Lane, F: Filter<M, R>, const M: usize, const R: usize>(u: &[[L; R]; R]) -> [L; 9] {
    let mut half = [[L::zero(); R]; 3];
    for l in 0..3 {
        for j in 0..R {
            for i in 0..R {
                if F::G[i][l] != 0.0 {
                    half[l][j] = u[i][j].scale_add(F::G[i][l], half[l][j]);
                }
            }
        }
    }
    let mut g = [L::zero(); 9];
    for l in 0..3 {
        for m in 0..3 {
            for j in 0..R {
                if F::G[j][m] != 0.0 {
                    g[3 * l + m] = half[l][j].scale_add(F::G[j][m], g[3 * l + m]);
                }
            }
        }
    }
    g
}

/// Kernels `[cout, cin, 3, 3]` as they are, with a row per output and a column per input channel, or, for the
/// transposed convolution, the other way round with every kernel turned by 180 degrees.
#[derive(Clone, Copy)]
pub(crate) struct Plain<'a> {
    weight: &'a [f32],
    cin: usize,
    transposed: bool,
    pub(super) rows: usize,
    pub(super) columns: usize,
}

impl<'a> Plain<'a> {
    pub(crate) fn new(weight: &'a [f32], [cout, cin]: [usize; 2], transposed: bool) -> Self {
        let (rows, columns) = if transposed { (cin, cout) } else { (cout, cin) };
        Self { weight, cin, transposed, rows, columns }
    }
}

/// Transforms the rows of one block from row `first` on: point `p` of the block goes to `start + p * size`.
#[inline(always)]
#[allow(unsafe_code)]
unsafe fn pack_body<L: Lane, F: Filter<M, R>, const M: usize, const R: usize>(
    plain: Plain<'_>,
    first: usize,
    [start, size]: [usize; 2],
    out: Shared<'_>,
) {
    let len = ROWS * plain.columns;
    let parts: [[&mut [f32]; R]; R] = std::array::from_fn(|i| {
        // SAFETY: the block of rows is the caller's own in each of the matrices.
        std::array::from_fn(|j| unsafe { out.part(start + (i * R + j) * size, len) })
    });
    for c in 0..plain.columns {
        let mut rows = [L::zero(); ROWS];
        let mut last = [0.0f32; ROWS];
        for r in 0..ROWS.min(plain.rows - first) {
            let row = first + r;
            let at = if plain.transposed { c * plain.cin + row } else { row * plain.cin + c } * 9;
            let kernel = &plain.weight[at..at + 9];
            if let Some(kernel) = kernel.first_chunk() {
                rows[r] = L::load(kernel);
            }
            last[r] = kernel[8];
        }
        let columns = L::transpose(rows);
        let mut lanes = [L::load(&last); 9];
        lanes[..8].copy_from_slice(&columns);
        if plain.transposed {
            lanes.reverse();
        }
        let u = transform::<L, F, M, R>(&lanes);
        for i in 0..R {
            for j in 0..R {
                if let Some(out) = parts[i][j][c * ROWS..].first_chunk_mut::<ROWS>() {
                    u[i][j].store(out);
                }
            }
        }
    }
}

dispatch! {
    /// Transforms and packs one block of [`ROWS`] rows.
    ///
    /// # Safety
    /// No other live reference may overlap the block's rows in `out`.
    fn pack(plain: Plain<'_>, first: usize, place: [usize; 2], out: Shared<'_>) = pack_body
}

/// Transformed kernels, packed for [`crate::product::product`]: `[points][rows / 8][columns][8]`, with rows of zeros at
/// the end; points are [`apart`].
#[derive(Clone, Copy)]
pub(super) struct Kernels<'a> {
    values: &'a [f32],
    pub(super) rows: usize,
    pub(super) columns: usize,
}

impl<'a> Kernels<'a> {
    pub(super) fn point(&self, p: usize) -> &'a [f32] {
        let len = packed_len(self.rows, self.columns);
        &self.values[p * apart(len)..][..len]
    }
}

/// Floats of all transformed kernels.
pub(super) fn kernels_len(plain: &Plain<'_>, tile: Tile) -> usize {
    tile.points() * apart(packed_len(plain.rows, plain.columns))
}

/// Transforms all kernels into `values`.
#[allow(unsafe_code)]
pub(super) fn transform_kernels<'a>(plain: Plain<'_>, tile: Tile, values: &'a mut [f32]) -> Kernels<'a> {
    let size = apart(packed_len(plain.rows, plain.columns));
    let out = Shared::new(values);
    (0..plain.rows.div_ceil(ROWS)).into_par_iter().for_each(|block| {
        // SAFETY: every task writes its own block of rows.
        unsafe { pack(tile, plain, block * ROWS, [block * ROWS * plain.columns, size], out) };
    });
    Kernels { values, rows: plain.rows, columns: plain.columns }
}

/// Transforms `rows` rows from row `first` on, on the calling thread.
#[allow(unsafe_code)]
pub(super) fn transform_rows<'a>(
    plain: Plain<'_>,
    tile: Tile,
    [first, rows]: [usize; 2],
    values: &'a mut [f32],
) -> Kernels<'a> {
    let size = apart(packed_len(rows, plain.columns));
    let out = Shared::new(values);
    for block in 0..rows.div_ceil(ROWS) {
        // SAFETY: `values` is exclusive.
        unsafe { pack(tile, plain, first + block * ROWS, [block * ROWS * plain.columns, size], out) };
    }
    Kernels { values, rows, columns: plain.columns }
}

/// Transformed kernels that are kept.
pub(crate) struct KeptKernels {
    values: Vec<f32>,
    pub(super) tile: Tile,
    rows: usize,
    columns: usize,
}

impl KeptKernels {
    pub(crate) fn new(plain: Plain<'_>, tile: Tile) -> Self {
        let mut values = unspecified(kernels_len(&plain, tile));
        transform_kernels(plain, tile, &mut values);
        Self { values, tile, rows: plain.rows, columns: plain.columns }
    }

    pub(super) fn view(&self) -> Kernels<'_> {
        Kernels { values: &self.values, rows: self.rows, columns: self.columns }
    }
}

#[inline(always)]
#[allow(unsafe_code)]
unsafe fn gradients_body<L: Lane, F: Filter<M, R>, const M: usize, const R: usize>(
    du: Sums<'_>,
    [rows, columns]: [usize; 2],
    dw: Shared<'_>,
    [first, stride]: [usize; 2],
) {
    for row in 0..rows {
        // SAFETY: the kernels are the caller's own.
        let out = unsafe { dw.part(first + row * stride, 9 * columns) };
        for (b, out) in out.chunks_mut(8 * 9).enumerate() {
            let count = out.len() / 9;
            let mut u = [[L::zero(); R]; R];
            for i in 0..R {
                for j in 0..R {
                    let line = &du.values[(i * R + j) * du.point + row * du.stride + 8 * b..][..count];
                    u[i][j] = if let Some(chunk) = line.first_chunk() {
                        L::load(chunk)
                    } else {
                        let mut chunk = [0.0; 8];
                        chunk[..count].copy_from_slice(line);
                        L::load(&chunk)
                    };
                }
            }
            let g = adjoint::<L, F, M, R>(&u);
            for k in 0..9 {
                let mut lanes = [0.0; 8];
                g[k].store(&mut lanes);
                for (kernel, v) in out.chunks_exact_mut(9).zip(lanes) {
                    kernel[k] = v;
                }
            }
        }
    }
}

dispatch! {
    /// Gradients of `rows x columns` kernels, written from `first` on in rows `stride` apart.
    ///
    /// # Safety
    /// No other live reference may overlap these kernels in `dw`.
    fn kernel_gradients(du: Sums<'_>, size: [usize; 2], dw: Shared<'_>, place: [usize; 2]) = gradients_body
}
