//! Matrix products on weights packed once and inputs in panels of sixteen pixels or tiles.

use crate::lane::Lane;

/// Columns of a panel.
pub(crate) const PANEL: usize = 16;

/// Output channels that one pass over the panels computes. Networks have multiples of eight channels.
pub(crate) const ROWS: usize = 8;

/// Floats from one point of a transform to the next, for `len` of them: an odd number of cache lines. All points of a
/// tile are written together, and with a power of two between them they would contend for one set of the cache.
pub(crate) fn apart(len: usize) -> usize {
    (len.div_ceil(PANEL) | 1) * PANEL
}

/// Floats of one packed `rows x columns` matrix of weights.
pub(crate) fn packed_len(rows: usize, columns: usize) -> usize {
    rows.div_ceil(ROWS) * ROWS * columns
}

/// `m[tile][row] = sum over columns of a[row][column] * v[tile][column]`: `a` as `[rows / 8][columns][8]`, `v` as
/// `[tiles / 16][columns][16]`, `m` as `[tiles / 16][rows][16]`.
///
/// The rows are the outer loop: eight rows of the weights stay in the first-level cache while the panels pass by, so
/// that weights larger than any cache are read once.
#[inline(always)]
fn body<L: Lane>(a: &[f32], v: &[f32], [rows, columns]: [usize; 2], m: &mut [f32]) {
    /// Rows whose sums fit the registers twice over.
    const HALF: usize = ROWS / 2;
    for (block, a) in a.chunks_exact(columns * ROWS).enumerate() {
        let (a, _) = a.as_chunks::<ROWS>();
        for (v, m) in v.chunks_exact(columns * PANEL).zip(m.chunks_exact_mut(rows * PANEL)) {
            let (v, _) = v.as_chunks::<8>();
            for half in [0, HALF] {
                let first = block * ROWS + half;
                let mut sums = [[L::zero(); 2]; HALF];
                for (a, v) in a.iter().zip(v.chunks_exact(2)) {
                    let (v0, v1) = (L::load(&v[0]), L::load(&v[1]));
                    for r in 0..HALF {
                        let factor = L::splat(a[half + r]);
                        sums[r] = [factor.mul_add(v0, sums[r][0]), factor.mul_add(v1, sums[r][1])];
                    }
                }
                let end = (first + HALF).min(rows);
                let (out, _) = m[first.min(end) * PANEL..end * PANEL].as_chunks_mut::<8>();
                for (out, sum) in out.chunks_exact_mut(2).zip(&sums) {
                    sum[0].store(&mut out[0]);
                    sum[1].store(&mut out[1]);
                }
            }
        }
    }
}

/// Weights packed for [`product`], `[rows / 8][columns][8]`, with rows of zeros at the end.
pub(crate) struct Packed {
    values: Vec<f32>,
    pub(crate) rows: usize,
    pub(crate) columns: usize,
}

impl Packed {
    /// Packs `weight` as `[rows][columns]`, or as `[columns][rows]` when `transposed`.
    pub(crate) fn new(weight: &[f32], [rows, columns]: [usize; 2], transposed: bool) -> Self {
        let mut values = vec![0.0; packed_len(rows, columns)];
        for (block, values) in values.chunks_exact_mut((columns * ROWS).max(1)).enumerate() {
            for (c, values) in values.as_chunks_mut::<ROWS>().0.iter_mut().enumerate() {
                for (r, v) in (block * ROWS..rows).zip(values) {
                    *v = weight[if transposed { c * rows + r } else { r * columns + c }];
                }
            }
        }
        Self { values, rows, columns }
    }

    /// Rows from `first`, a multiple of eight, on.
    pub(crate) fn part(&self, first: usize, rows: usize) -> &[f32] {
        &self.values[first * self.columns..(first + rows).next_multiple_of(ROWS) * self.columns]
    }
}

#[cfg(target_arch = "x86_64")]
mod avx512 {
    use std::arch::x86_64::{
        __m512, _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_set1_ps, _mm512_setzero_ps, _mm512_storeu_ps,
    };

    use super::{PANEL, ROWS};

    /// Eight rows times `P` panels, which lie one after another: with three, 24 of the 32 registers hold sums.
    #[inline]
    #[target_feature(enable = "avx512f")]
    #[allow(unsafe_code)]
    fn sums<const P: usize>(a: &[[f32; ROWS]], v: &[[f32; PANEL]]) -> [[__m512; P]; ROWS] {
        let columns = a.len();
        assert!(v.len() == P * columns, "panels of another length");
        let mut sums = [[_mm512_setzero_ps(); P]; ROWS];
        for (c, a) in a.iter().enumerate() {
            let mut values = [_mm512_setzero_ps(); P];
            for p in 0..P {
                // SAFETY: `c < columns` and `p < P`, so the assertion puts the column inside `v`; it holds the sixteen
                // floats that the load reads.
                values[p] = unsafe { _mm512_loadu_ps(v.get_unchecked(p * columns + c).as_ptr()) };
            }
            for r in 0..ROWS {
                let factor = _mm512_set1_ps(a[r]);
                for p in 0..P {
                    sums[r][p] = _mm512_fmadd_ps(factor, values[p], sums[r][p]);
                }
            }
        }
        sums
    }

    /// As [`super::body`], on as many panels at once as a group has.
    #[inline]
    #[target_feature(enable = "avx512f")]
    #[allow(unsafe_code)]
    fn group<const P: usize>(a: &[[f32; ROWS]], v: &[[f32; PANEL]], [rows, first]: [usize; 2], m: &mut [[f32; PANEL]]) {
        let sums = sums::<P>(a, v);
        for (p, m) in m.chunks_exact_mut(rows).enumerate() {
            for (out, sum) in m[first..].iter_mut().zip(&sums) {
                // SAFETY: `out` holds the sixteen floats that the store writes.
                unsafe { _mm512_storeu_ps(out.as_mut_ptr(), sum[p]) };
            }
        }
    }

    #[target_feature(enable = "avx512f")]
    pub(super) fn product(a: &[f32], v: &[f32], [rows, columns]: [usize; 2], m: &mut [f32]) {
        let (v, _) = v.as_chunks::<PANEL>();
        let (m, _) = m.as_chunks_mut::<PANEL>();
        for (block, a) in a.chunks_exact(columns * ROWS).enumerate() {
            let (a, _) = a.as_chunks::<ROWS>();
            let at = [rows, block * ROWS];
            for (v, m) in v.chunks(3 * columns).zip(m.chunks_mut(3 * rows)) {
                match v.len() / columns {
                    3 => group::<3>(a, v, at, m),
                    2 => group::<2>(a, v, at, m),
                    _ => group::<1>(a, v, at, m),
                }
            }
        }
    }
}

/// The product for the running CPU, see [`body`].
#[allow(unsafe_code)]
pub(crate) fn product(a: &[f32], v: &[f32], size: [usize; 2], m: &mut [f32]) {
    #[cfg(target_arch = "x86_64")]
    {
        #[target_feature(enable = "avx2,fma")]
        fn wide(a: &[f32], v: &[f32], size: [usize; 2], m: &mut [f32]) {
            body::<crate::lane::Avx2>(a, v, size, m);
        }
        if crate::simd::has_avx512() {
            // SAFETY: as below.
            return unsafe { avx512::product(a, v, size, m) };
        }
        if crate::simd::has_avx2() {
            // SAFETY: `wide` is a safe function whose only requirement is the target features, which were just
            // detected on the running CPU.
            return unsafe { wide(a, v, size, m) };
        }
    }
    body::<crate::lane::Portable>(a, v, size, m);
}
