//! Eight floats at a time: AVX2 registers where the CPU has them, arrays elsewhere.

/// Eight lanes, one per tile.
pub(super) trait Lane: Copy {
    fn zero() -> Self;
    fn add(self, other: Self) -> Self;
    fn sub(self, other: Self) -> Self;
    /// `self * k + other`.
    fn scale_add(self, k: f32, other: Self) -> Self;
    /// `self * factor + other`, lane by lane.
    fn mul_add(self, factor: Self, other: Self) -> Self;
    /// The same value in every lane.
    fn splat(value: f32) -> Self;
    /// At least `low`, at most `high`; NaN stays NaN.
    fn clamp(self, low: Self, high: Self) -> Self;
    fn load(source: &[f32; 8]) -> Self;
    fn store(self, target: &mut [f32; 8]);
    /// Columns 0..6 of eight tiles that start four columns apart.
    fn split(row: &[f32; 36]) -> [Self; 6];
    /// The inverse for columns 0..4: eight tiles side by side.
    fn join(columns: [Self; 4], row: &mut [f32; 32]);
}

impl Lane for [f32; 8] {
    fn zero() -> Self {
        [0.0; 8]
    }

    fn add(self, other: Self) -> Self {
        std::array::from_fn(|l| self[l] + other[l])
    }

    fn sub(self, other: Self) -> Self {
        std::array::from_fn(|l| self[l] - other[l])
    }

    fn scale_add(self, k: f32, other: Self) -> Self {
        std::array::from_fn(|l| self[l] * k + other[l])
    }

    fn mul_add(self, factor: Self, other: Self) -> Self {
        std::array::from_fn(|l| self[l] * factor[l] + other[l])
    }

    fn splat(value: f32) -> Self {
        [value; 8]
    }

    fn clamp(self, low: Self, high: Self) -> Self {
        std::array::from_fn(|l| {
            let v = if self[l] < low[l] { low[l] } else { self[l] };
            if v > high[l] { high[l] } else { v }
        })
    }

    fn load(source: &[f32; 8]) -> Self {
        *source
    }

    fn store(self, target: &mut [f32; 8]) {
        *target = self;
    }

    fn split(row: &[f32; 36]) -> [Self; 6] {
        std::array::from_fn(|j| std::array::from_fn(|t| row.get(4 * t + j).copied().unwrap_or(0.0)))
    }

    fn join(columns: [Self; 4], row: &mut [f32; 32]) {
        for (i, v) in row.iter_mut().enumerate() {
            *v = columns[i % 4][i / 4];
        }
    }
}

#[cfg(target_arch = "x86_64")]
pub(super) use avx2::Avx2;

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use std::arch::x86_64::{
        __m256, _mm_loadu_ps, _mm_storeu_ps, _mm256_add_ps, _mm256_castps256_ps128, _mm256_extractf128_ps,
        _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_max_ps, _mm256_min_ps, _mm256_set_m128, _mm256_set1_ps,
        _mm256_setzero_ps, _mm256_shuffle_ps, _mm256_storeu_ps, _mm256_sub_ps, _mm256_unpackhi_ps, _mm256_unpacklo_ps,
    };

    use super::Lane;

    /// An AVX2 register. Values exist only inside functions that run after AVX2 and FMA were detected: that is what
    /// the safety comments below refer to.
    #[derive(Clone, Copy)]
    pub(in super::super) struct Avx2(__m256);

    /// Transposes the 4x4 blocks of both halves.
    #[inline(always)]
    #[allow(unsafe_code)]
    fn transpose(a: [__m256; 4]) -> [__m256; 4] {
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
        fn split(row: &[f32; 36]) -> [Self; 6] {
            let at = row.as_ptr();
            // Written out, here and below: closures keep the compiler from inlining vector instructions.
            // SAFETY: nine loads of four floats at 0, 4, .. 32 lie inside the 36 floats.
            let (p0, p1, p2, p3, p4) = unsafe {
                let q4 = _mm_loadu_ps(at.add(16));
                (
                    _mm256_set_m128(q4, _mm_loadu_ps(at)),
                    _mm256_set_m128(_mm_loadu_ps(at.add(20)), _mm_loadu_ps(at.add(4))),
                    _mm256_set_m128(_mm_loadu_ps(at.add(24)), _mm_loadu_ps(at.add(8))),
                    _mm256_set_m128(_mm_loadu_ps(at.add(28)), _mm_loadu_ps(at.add(12))),
                    _mm256_set_m128(_mm_loadu_ps(at.add(32)), q4),
                )
            };
            let (a, b) = (transpose([p0, p1, p2, p3]), transpose([p1, p2, p3, p4]));
            [Self(a[0]), Self(a[1]), Self(a[2]), Self(a[3]), Self(b[0]), Self(b[1])]
        }

        #[inline(always)]
        #[allow(unsafe_code)]
        fn join(columns: [Self; 4], row: &mut [f32; 32]) {
            let v = transpose([columns[0].0, columns[1].0, columns[2].0, columns[3].0]);
            for i in 0..4 {
                // SAFETY: stores of four floats at 4i and 16 + 4i, i < 4, lie inside the 32 floats.
                unsafe {
                    _mm_storeu_ps(row.as_mut_ptr().add(4 * i), _mm256_castps256_ps128(v[i]));
                    _mm_storeu_ps(row.as_mut_ptr().add(16 + 4 * i), _mm256_extractf128_ps::<1>(v[i]));
                }
            }
        }
    }
}
