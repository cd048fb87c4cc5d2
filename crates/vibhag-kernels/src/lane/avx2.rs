//! Eight lanes in an AVX2 register.

use std::arch::x86_64::{
    __m256, _mm_loadu_ps, _mm_storeu_ps, _mm256_add_ps, _mm256_castps256_ps128, _mm256_extractf128_ps, _mm256_fmadd_ps,
    _mm256_loadu_ps, _mm256_max_ps, _mm256_min_ps, _mm256_permute2f128_ps, _mm256_set_m128, _mm256_set1_ps,
    _mm256_setzero_ps, _mm256_shuffle_ps, _mm256_storeu_ps, _mm256_sub_ps, _mm256_unpackhi_ps, _mm256_unpacklo_ps,
};

use super::Lane;

/// An AVX2 register. Values exist only inside functions that run after AVX2 and FMA were detected: that is what
/// the safety comments below refer to.
#[derive(Clone, Copy)]
pub(crate) struct Avx2(__m256);

/// Transposes the 4x4 blocks of both halves.
#[inline(always)]
#[allow(unsafe_code)]
fn transpose4(a: [__m256; 4]) -> [__m256; 4] {
    // SAFETY: AVX2 was detected.
    unsafe {
        let (low0, high0) = (_mm256_unpacklo_ps(a[0], a[1]), _mm256_unpackhi_ps(a[0], a[1]));
        let (low1, high1) = (_mm256_unpacklo_ps(a[2], a[3]), _mm256_unpackhi_ps(a[2], a[3]));
        [
            _mm256_shuffle_ps::<0x44>(low0, low1),
            _mm256_shuffle_ps::<0xEE>(low0, low1),
            _mm256_shuffle_ps::<0x44>(high0, high1),
            _mm256_shuffle_ps::<0xEE>(high0, high1),
        ]
    }
}

impl Lane for Avx2 {
    #[inline(always)]
    #[allow(unsafe_code)]
    fn zero() -> Self {
        // SAFETY: AVX2 was detected.
        Self(unsafe { _mm256_setzero_ps() })
    }

    #[inline(always)]
    #[allow(unsafe_code)]
    fn add(self, other: Self) -> Self {
        // SAFETY: AVX2 was detected.
        Self(unsafe { _mm256_add_ps(self.0, other.0) })
    }

    #[inline(always)]
    #[allow(unsafe_code)]
    fn sub(self, other: Self) -> Self {
        // SAFETY: AVX2 was detected.
        Self(unsafe { _mm256_sub_ps(self.0, other.0) })
    }

    #[inline(always)]
    #[allow(unsafe_code)]
    fn scale_add(self, k: f32, other: Self) -> Self {
        // SAFETY: AVX2 and FMA were detected.
        Self(unsafe { _mm256_fmadd_ps(self.0, _mm256_set1_ps(k), other.0) })
    }

    #[inline(always)]
    #[allow(unsafe_code)]
    fn mul_add(self, factor: Self, other: Self) -> Self {
        // SAFETY: AVX2 and FMA were detected.
        Self(unsafe { _mm256_fmadd_ps(self.0, factor.0, other.0) })
    }

    #[inline(always)]
    #[allow(unsafe_code)]
    fn splat(value: f32) -> Self {
        // SAFETY: AVX2 was detected.
        Self(unsafe { _mm256_set1_ps(value) })
    }

    #[inline(always)]
    #[allow(unsafe_code)]
    fn clamp(self, low: Self, high: Self) -> Self {
        // The instructions return their second operand when one is NaN.
        // SAFETY: AVX2 was detected.
        Self(unsafe { _mm256_min_ps(high.0, _mm256_max_ps(low.0, self.0)) })
    }

    #[inline(always)]
    #[allow(unsafe_code)]
    fn load(source: &[f32; 8]) -> Self {
        // SAFETY: the array holds the eight floats that an unaligned load reads.
        Self(unsafe { _mm256_loadu_ps(source.as_ptr()) })
    }

    #[inline(always)]
    #[allow(unsafe_code)]
    fn store(self, target: &mut [f32; 8]) {
        // SAFETY: the array holds the eight floats that an unaligned store writes.
        unsafe { _mm256_storeu_ps(target.as_mut_ptr(), self.0) };
    }

    #[inline(always)]
    #[allow(unsafe_code)]
    fn transpose(r: [Self; 8]) -> [Self; 8] {
        let low = transpose4([r[0].0, r[1].0, r[2].0, r[3].0]);
        let high = transpose4([r[4].0, r[5].0, r[6].0, r[7].0]);
        let mut out = [Self::zero(); 8];
        for i in 0..4 {
            // SAFETY: AVX2 was detected.
            unsafe {
                out[i] = Self(_mm256_permute2f128_ps::<0x20>(low[i], high[i]));
                out[i + 4] = Self(_mm256_permute2f128_ps::<0x31>(low[i], high[i]));
            }
        }
        out
    }

    #[inline(always)]
    #[allow(unsafe_code)]
    fn split4(low: &[f32; 20], high: &[f32; 20]) -> [Self; 6] {
        let (l, h) = (low.as_ptr(), high.as_ptr());
        // Written out, here and below: closures keep the compiler from inlining vector instructions.
        // SAFETY: five loads of four floats at 0, 4, .. 16 lie inside the 20 floats.
        let (p0, p1, p2, p3, p4) = unsafe {
            (
                _mm256_set_m128(_mm_loadu_ps(h), _mm_loadu_ps(l)),
                _mm256_set_m128(_mm_loadu_ps(h.add(4)), _mm_loadu_ps(l.add(4))),
                _mm256_set_m128(_mm_loadu_ps(h.add(8)), _mm_loadu_ps(l.add(8))),
                _mm256_set_m128(_mm_loadu_ps(h.add(12)), _mm_loadu_ps(l.add(12))),
                _mm256_set_m128(_mm_loadu_ps(h.add(16)), _mm_loadu_ps(l.add(16))),
            )
        };
        let (a, b) = (transpose4([p0, p1, p2, p3]), transpose4([p1, p2, p3, p4]));
        [Self(a[0]), Self(a[1]), Self(a[2]), Self(a[3]), Self(b[0]), Self(b[1])]
    }

    #[inline(always)]
    #[allow(unsafe_code)]
    fn join4(columns: [Self; 4], low: &mut [f32; 16], high: &mut [f32; 16]) {
        let v = transpose4([columns[0].0, columns[1].0, columns[2].0, columns[3].0]);
        for i in 0..4 {
            // SAFETY: stores of four floats at 4i, i < 4, lie inside the 16 floats.
            unsafe {
                _mm_storeu_ps(low.as_mut_ptr().add(4 * i), _mm256_castps256_ps128(v[i]));
                _mm_storeu_ps(high.as_mut_ptr().add(4 * i), _mm256_extractf128_ps::<1>(v[i]));
            }
        }
    }

    #[inline(always)]
    #[allow(unsafe_code)]
    fn split2(low: &[f32; 10], high: &[f32; 10]) -> [Self; 4] {
        let (l, h) = (low.as_ptr(), high.as_ptr());
        // SAFETY: loads of four floats at 0, 2, 4 and 6 lie inside the 10 floats.
        unsafe {
            let a = _mm256_set_m128(_mm_loadu_ps(h), _mm_loadu_ps(l));
            let b = _mm256_set_m128(_mm_loadu_ps(h.add(4)), _mm_loadu_ps(l.add(4)));
            let c = _mm256_set_m128(_mm_loadu_ps(h.add(2)), _mm_loadu_ps(l.add(2)));
            let d = _mm256_set_m128(_mm_loadu_ps(h.add(6)), _mm_loadu_ps(l.add(6)));
            [
                Self(_mm256_shuffle_ps::<0x88>(a, b)),
                Self(_mm256_shuffle_ps::<0xDD>(a, b)),
                Self(_mm256_shuffle_ps::<0x88>(c, d)),
                Self(_mm256_shuffle_ps::<0xDD>(c, d)),
            ]
        }
    }

    #[inline(always)]
    #[allow(unsafe_code)]
    fn join2(columns: [Self; 2], low: &mut [f32; 8], high: &mut [f32; 8]) {
        // SAFETY: AVX2 was detected; stores of four floats at 0 and 4 lie inside the 8 floats.
        unsafe {
            let first = _mm256_unpacklo_ps(columns[0].0, columns[1].0);
            let second = _mm256_unpackhi_ps(columns[0].0, columns[1].0);
            _mm_storeu_ps(low.as_mut_ptr(), _mm256_castps256_ps128(first));
            _mm_storeu_ps(low.as_mut_ptr().add(4), _mm256_castps256_ps128(second));
            _mm_storeu_ps(high.as_mut_ptr(), _mm256_extractf128_ps::<1>(first));
            _mm_storeu_ps(high.as_mut_ptr().add(4), _mm256_extractf128_ps::<1>(second));
        }
    }
}
