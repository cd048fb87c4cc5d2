//! Matrix products on weights packed once and inputs in panels of sixteen pixels or tiles.

use crate::lane::Lane;
use crate::simd::Shared;

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

/// Where a product goes: row `r` of panel `p` is the sixteen floats from `start + r * row + p * panel` on.
#[derive(Clone, Copy)]
pub(crate) struct Target<'a> {
    pub(crate) out: Shared<'a>,
    pub(crate) start: usize,
    pub(crate) row: usize,
    pub(crate) panel: usize,
}

impl<'a> Target<'a> {
    /// `[panels][rows][16]`.
    pub(crate) fn panels(m: &'a mut [f32], rows: usize) -> Self {
        Self { out: Shared::new(m), start: 0, row: PANEL, panel: rows * PANEL }
    }

    /// Sixteen floats; the bounds are checked.
    #[inline(always)]
    fn at(&self, row: usize, panel: usize) -> *mut f32 {
        let at = self.start + row * self.row + panel * self.panel;
        self.out.region(at, at + PANEL)
    }
}

/// `target[row][tile] = sum over columns of a[row][column] * v[tile][column]`: `a` as `[rows / 8][columns][8]`, `v` as
/// `[tiles / 16][columns][16]`.
///
/// The rows are the outer loop: eight rows of the weights stay in the first-level cache while the panels pass by, so
/// that weights larger than any cache are read once.
#[inline(always)]
#[allow(unsafe_code)]
unsafe fn body<L: Lane>(a: &[f32], v: &[f32], [rows, columns]: [usize; 2], target: Target<'_>) {
    /// Rows whose sums fit the registers twice over.
    const HALF: usize = ROWS / 2;
    for (block, a) in a.chunks_exact(columns * ROWS).enumerate() {
        let (a, _) = a.as_chunks::<ROWS>();
        for (panel, v) in v.chunks_exact(columns * PANEL).enumerate() {
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
                for (r, sum) in sums.iter().enumerate().take(rows.saturating_sub(first)) {
                    let at = target.at(first + r, panel);
                    // SAFETY: `at` begins sixteen floats that are the caller's own.
                    unsafe {
                        sum[0].store(&mut *at.cast::<[f32; 8]>());
                        sum[1].store(&mut *at.add(8).cast::<[f32; 8]>());
                    }
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

    use super::{PANEL, ROWS, Target};

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

    /// As [`super::body`], for the panels of one group.
    #[inline]
    #[target_feature(enable = "avx512f")]
    #[allow(unsafe_code)]
    unsafe fn group<const P: usize>(
        a: &[[f32; ROWS]],
        v: &[[f32; PANEL]],
        [first, rows, panel]: [usize; 3],
        target: Target<'_>,
    ) {
        let sums = sums::<P>(a, v);
        for p in 0..P {
            for (r, sum) in sums.iter().enumerate().take(rows) {
                // SAFETY: these sixteen floats are the caller's own.
                unsafe { _mm512_storeu_ps(target.at(first + r, panel + p), sum[p]) };
            }
        }
    }

    /// # Safety
    /// As for [`super::product_into`].
    #[target_feature(enable = "avx512f")]
    #[allow(unsafe_code)]
    pub(super) unsafe fn product(a: &[f32], v: &[f32], [rows, columns]: [usize; 2], target: Target<'_>) {
        let (v, _) = v.as_chunks::<PANEL>();
        for (block, a) in a.chunks_exact(columns * ROWS).enumerate() {
            let (a, _) = a.as_chunks::<ROWS>();
            let first = block * ROWS;
            for (group_of, v) in v.chunks(3 * columns).enumerate() {
                let at = [first, rows - first, 3 * group_of];
                // SAFETY: passed on.
                unsafe {
                    match v.len() / columns {
                        3 => group::<3>(a, v, at, target),
                        2 => group::<2>(a, v, at, target),
                        _ => group::<1>(a, v, at, target),
                    }
                }
            }
        }
    }
}

/// The product for the running CPU, see [`body`].
///
/// # Safety
/// No other live reference may overlap the rows and panels of the target.
#[allow(unsafe_code)]
pub(crate) unsafe fn product_into(a: &[f32], v: &[f32], size: [usize; 2], target: Target<'_>) {
    #[cfg(target_arch = "x86_64")]
    {
        #[target_feature(enable = "avx2,fma")]
        unsafe fn wide(a: &[f32], v: &[f32], size: [usize; 2], target: Target<'_>) {
            // SAFETY: passed on.
            unsafe { body::<crate::lane::Avx2>(a, v, size, target) };
        }
        if crate::simd::has_avx512() {
            // SAFETY: the feature was just detected; the rest is passed on.
            return unsafe { avx512::product(a, v, size, target) };
        }
        if crate::simd::has_avx2() {
            // SAFETY: as above.
            return unsafe { wide(a, v, size, target) };
        }
    }
    // SAFETY: passed on.
    unsafe { body::<crate::lane::Portable>(a, v, size, target) };
}

/// The product as `[panels][rows][16]`.
#[allow(unsafe_code)]
pub(crate) fn product(a: &[f32], v: &[f32], size: [usize; 2], m: &mut [f32]) {
    // SAFETY: `m` is exclusive.
    unsafe { product_into(a, v, size, Target::panels(m, size[0])) };
}
