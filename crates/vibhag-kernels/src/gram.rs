//! Sums over tiles: the products of the weights' gradient.

use crate::lane::Lane;
use crate::product::PANEL;

/// Output channels of one panel of gradients.
pub(super) const ROWS: usize = 8;
/// Panels of input channels that one call takes: with eight rows they fill 24 of the 32 AVX-512 registers.
pub(super) const MOST: usize = 3;

/// `out[r][c] = sum over t of m[t][r] * v[t][c]`, added to what is there when `accumulate`: `m` as `[tiles][8]`, `v` as
/// `[panels][tiles][16]`, `out` as eight rows `stride` apart of `16 * panels` columns.
#[inline(always)]
fn body<L: Lane>(m: &[f32], v: &[f32], out: &mut [f32], stride: usize, accumulate: bool) {
    let (m, _) = m.as_chunks::<ROWS>();
    for (panel, v) in v.chunks_exact(m.len() * PANEL).enumerate() {
        let (v, _) = v.as_chunks::<8>();
        for half in [0, ROWS / 2] {
            let mut sums = [[L::zero(); 2]; ROWS / 2];
            for (m, v) in m.iter().zip(v.chunks_exact(2)) {
                let (v0, v1) = (L::load(&v[0]), L::load(&v[1]));
                for r in 0..ROWS / 2 {
                    let factor = L::splat(m[half + r]);
                    sums[r] = [factor.mul_add(v0, sums[r][0]), factor.mul_add(v1, sums[r][1])];
                }
            }
            for (r, sum) in sums.iter().enumerate() {
                let row = &mut out[(half + r) * stride + panel * PANEL..][..PANEL];
                for (out, sum) in row.as_chunks_mut::<8>().0.iter_mut().zip(sum) {
                    if accumulate {
                        sum.add(L::load(out)).store(out);
                    } else {
                        sum.store(out);
                    }
                }
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod avx512 {
    use std::arch::x86_64::{
        _mm512_add_ps, _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_set1_ps, _mm512_setzero_ps, _mm512_storeu_ps,
    };

    use super::{PANEL, ROWS};

    #[inline]
    #[target_feature(enable = "avx512f")]
    #[allow(unsafe_code)]
    fn panels<const P: usize>(m: &[[f32; ROWS]], v: &[[f32; PANEL]], out: &mut [f32], stride: usize, accumulate: bool) {
        let tiles = m.len();
        assert!(v.len() == P * tiles, "panels of another length");
        let mut sums = [[_mm512_setzero_ps(); P]; ROWS];
        for (t, m) in m.iter().enumerate() {
            let mut values = [_mm512_setzero_ps(); P];
            for p in 0..P {
                // SAFETY: `t < tiles` and `p < P`, so the assertion puts the row inside `v`; it holds the sixteen
                // floats that the load reads.
                values[p] = unsafe { _mm512_loadu_ps(v.get_unchecked(p * tiles + t).as_ptr()) };
            }
            for r in 0..ROWS {
                let factor = _mm512_set1_ps(m[r]);
                for p in 0..P {
                    sums[r][p] = _mm512_fmadd_ps(factor, values[p], sums[r][p]);
                }
            }
        }
        for r in 0..ROWS {
            let (row, _) = out[r * stride..][..P * PANEL].as_chunks_mut::<PANEL>();
            for p in 0..P {
                // SAFETY: the chunk holds the sixteen floats that are read and written.
                unsafe {
                    let at = row[p].as_mut_ptr();
                    let sum = if accumulate { _mm512_add_ps(sums[r][p], _mm512_loadu_ps(at)) } else { sums[r][p] };
                    _mm512_storeu_ps(at, sum);
                }
            }
        }
    }

    #[target_feature(enable = "avx512f")]
    pub(super) fn gram(m: &[f32], v: &[f32], out: &mut [f32], stride: usize, accumulate: bool) {
        let (m, _) = m.as_chunks::<ROWS>();
        let (v, _) = v.as_chunks::<PANEL>();
        match v.len() / m.len().max(1) {
            3 => panels::<3>(m, v, out, stride, accumulate),
            2 => panels::<2>(m, v, out, stride, accumulate),
            _ => panels::<1>(m, v, out, stride, accumulate),
        }
    }
}

/// See [`body`]; at most [`MOST`] panels.
#[allow(unsafe_code)]
pub(super) fn gram(m: &[f32], v: &[f32], out: &mut [f32], stride: usize, accumulate: bool) {
    assert!(v.len() <= m.len() / ROWS * PANEL * MOST, "too many panels");
    #[cfg(target_arch = "x86_64")]
    {
        #[target_feature(enable = "avx2,fma")]
        fn wide(m: &[f32], v: &[f32], out: &mut [f32], stride: usize, accumulate: bool) {
            body::<crate::lane::Avx2>(m, v, out, stride, accumulate);
        }
        if crate::simd::has_avx512() {
            // SAFETY: `gram` is a safe function whose only requirement is the target feature, which was just detected.
            return unsafe { avx512::gram(m, v, out, stride, accumulate) };
        }
        if crate::simd::has_avx2() {
            // SAFETY: as above.
            return unsafe { wide(m, v, out, stride, accumulate) };
        }
    }
    body::<crate::lane::Portable>(m, v, out, stride, accumulate);
}
