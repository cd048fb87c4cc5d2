//! Transforming kernels and, backwards, their gradients.

use rayon::prelude::*;

use super::filter::{Filter, Tile, dispatch};
use crate::lane::Lane;
use crate::memory::unspecified;
use crate::product::{ROWS, packed_len};
use crate::simd::Shared;

/// `G g G^T` of eight kernels.
#[inline(always)]
fn transform<L: Lane, F: Filter<M, R>, const M: usize, const R: usize>(g: &[L; 9]) -> [[L; R]; R] {
    let mut half = [[L::zero(); 3]; R];
    for i in 0..R {
        for l in 0..3 {
            for k in 0..3 {
                half[i][l] = g[3 * k + l].scale_add(F::G[i][k], half[i][l]);
            }
        }
    }
    let mut u = [[L::zero(); R]; R];
    for i in 0..R {
        for j in 0..R {
            for l in 0..3 {
                u[i][j] = half[i][l].scale_add(F::G[j][l], u[i][j]);
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
                half[l][j] = u[i][j].scale_add(F::G[i][l], half[l][j]);
            }
        }
    }
    let mut g = [L::zero(); 9];
    for l in 0..3 {
        for m in 0..3 {
            for j in 0..R {
                g[3 * l + m] = half[l][j].scale_add(F::G[j][m], g[3 * l + m]);
            }
        }
    }
    g
}

/// Kernels `[cout, cin, 3, 3]` as they are, or, for the transposed convolution, with input and output channels
/// exchanged and every kernel turned by 180 degrees.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    weight: &'a [f32],
    cin: usize,
    transposed: bool,
}

#[inline(always)]
#[allow(unsafe_code)]
unsafe fn pack_body<L: Lane, F: Filter<M, R>, const M: usize, const R: usize>(
    source: Source<'_>,
    [rows, columns]: [usize; 2],
    block: usize,
    out: Shared<'_>,
) {
    let (size, len, first) = (packed_len(rows, columns), ROWS * columns, block * ROWS);
    let parts: [[&mut [f32]; R]; R] = std::array::from_fn(|i| {
        // SAFETY: the block of rows is the caller's own in each of the matrices.
        std::array::from_fn(|j| unsafe { out.part((i * R + j) * size + block * len, len) })
    });
    for c in 0..columns {
        let mut g = [[0.0f32; ROWS]; 9];
        for r in 0..ROWS.min(rows - first) {
            let row = first + r;
            let at = if source.transposed { c * source.cin + row } else { row * source.cin + c } * 9;
            let kernel = &source.weight[at..at + 9];
            for i in 0..9 {
                g[i][r] = kernel[if source.transposed { 8 - i } else { i }];
            }
        }
        let mut lanes = [L::zero(); 9];
        for i in 0..9 {
            lanes[i] = L::load(&g[i]);
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
    fn pack(source: Source<'_>, size: [usize; 2], block: usize, out: Shared<'_>) = pack_body
}

/// Transformed kernels, packed for [`crate::product::product`]: `[points][rows / 8][columns][8]`, with rows of zeros at
/// the end.
pub(crate) struct Kernels {
    values: Vec<f32>,
    pub(super) tile: Tile,
    pub(super) rows: usize,
    pub(super) columns: usize,
}

impl Kernels {
    /// From kernels `[cout, cin, 3, 3]`: rows are output channels and columns input channels, or the other way round
    /// when transposed.
    #[allow(unsafe_code)]
    pub(crate) fn new(weight: &[f32], [cout, cin]: [usize; 2], transposed: bool, tile: Tile) -> Self {
        let (rows, columns) = if transposed { (cin, cout) } else { (cout, cin) };
        let mut values = unspecified(tile.points() * packed_len(rows, columns));
        let (source, out) = (Source { weight, cin, transposed }, Shared::new(&mut values));
        (0..rows.div_ceil(ROWS)).into_par_iter().for_each(|block| {
            // SAFETY: every task writes its own block of rows.
            unsafe { pack(tile, source, [rows, columns], block, out) };
        });
        Self { values, tile, rows, columns }
    }

    pub(super) fn point(&self, p: usize) -> &[f32] {
        let size = packed_len(self.rows, self.columns);
        &self.values[p * size..(p + 1) * size]
    }
}

/// Gradients of transformed kernels: `values[p * point + row * stride + column]`.
#[derive(Clone, Copy)]
pub(super) struct Transformed<'a> {
    pub(super) values: &'a [f32],
    pub(super) point: usize,
    pub(super) stride: usize,
}

#[inline(always)]
#[allow(unsafe_code)]
unsafe fn gradients_body<L: Lane, F: Filter<M, R>, const M: usize, const R: usize>(
    du: Transformed<'_>,
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
    fn kernel_gradients(du: Transformed<'_>, size: [usize; 2], dw: Shared<'_>, place: [usize; 2]) = gradients_body
}
