//! Eight lanes in a pair of NEON registers, which every 64-bit Arm processor has.

use std::arch::aarch64::{
    float32x4_t, float32x4x2_t, float32x4x4_t, vaddq_f32, vdupq_n_f32, vfmaq_f32, vld1q_f32, vld2q_f32, vld4q_f32,
    vmaxq_f32, vminq_f32, vst1q_f32, vst2q_f32, vst4q_f32, vsubq_f32,
};

use super::Lane;

#[derive(Clone, Copy)]
pub(crate) struct Neon(float32x4_t, float32x4_t);

impl Lane for Neon {
    #[inline(always)]
    fn zero() -> Self {
        Self::splat(0.0)
    }

    #[inline(always)]
    #[allow(unsafe_code)]
    fn add(self, other: Self) -> Self {
        // SAFETY: NEON is part of the target, here and below.
        unsafe { Self(vaddq_f32(self.0, other.0), vaddq_f32(self.1, other.1)) }
    }

    #[inline(always)]
    #[allow(unsafe_code)]
    fn sub(self, other: Self) -> Self {
        // SAFETY: as above.
        unsafe { Self(vsubq_f32(self.0, other.0), vsubq_f32(self.1, other.1)) }
    }

    #[inline(always)]
    fn scale_add(self, k: f32, other: Self) -> Self {
        self.mul_add(Self::splat(k), other)
    }

    #[inline(always)]
    #[allow(unsafe_code)]
    fn mul_add(self, factor: Self, other: Self) -> Self {
        // SAFETY: as above.
        unsafe { Self(vfmaq_f32(other.0, self.0, factor.0), vfmaq_f32(other.1, self.1, factor.1)) }
    }

    #[inline(always)]
    #[allow(unsafe_code)]
    fn splat(value: f32) -> Self {
        // SAFETY: as above.
        unsafe { Self(vdupq_n_f32(value), vdupq_n_f32(value)) }
    }

    #[inline(always)]
    #[allow(unsafe_code)]
    fn clamp(self, low: Self, high: Self) -> Self {
        // The instructions return NaN when an operand is NaN.
        // SAFETY: as above.
        unsafe { Self(vminq_f32(high.0, vmaxq_f32(low.0, self.0)), vminq_f32(high.1, vmaxq_f32(low.1, self.1))) }
    }

    #[inline(always)]
    #[allow(unsafe_code)]
    fn load(source: &[f32; 8]) -> Self {
        // SAFETY: the array holds the eight floats that are read.
        unsafe { Self(vld1q_f32(source.as_ptr()), vld1q_f32(source.as_ptr().add(4))) }
    }

    #[inline(always)]
    #[allow(unsafe_code)]
    fn store(self, target: &mut [f32; 8]) {
        // SAFETY: the array holds the eight floats that are written.
        unsafe {
            vst1q_f32(target.as_mut_ptr(), self.0);
            vst1q_f32(target.as_mut_ptr().add(4), self.1);
        }
    }

    #[inline(always)]
    #[allow(unsafe_code)]
    fn transpose(registers: [Self; 8]) -> [Self; 8] {
        let mut values = [[0.0; 8]; 8];
        for (values, register) in values.iter_mut().zip(registers) {
            register.store(values);
        }
        let mut out = [Self::zero(); 8];
        for r in 0..8 {
            let mut lanes = [0.0; 8];
            for c in 0..8 {
                lanes[c] = values[c][r];
            }
            out[r] = Self::load(&lanes);
        }
        out
    }

    #[inline(always)]
    #[allow(unsafe_code)]
    fn split4(low: &[f32; 20], high: &[f32; 20]) -> [Self; 6] {
        // SAFETY: loads of 16 floats at 0 and 4 lie inside the 20 floats.
        let [(a, b), (c, d)] = unsafe {
            [
                (vld4q_f32(low.as_ptr()), vld4q_f32(low.as_ptr().add(4))),
                (vld4q_f32(high.as_ptr()), vld4q_f32(high.as_ptr().add(4))),
            ]
        };
        [Self(a.0, c.0), Self(a.1, c.1), Self(a.2, c.2), Self(a.3, c.3), Self(b.0, d.0), Self(b.1, d.1)]
    }

    #[inline(always)]
    #[allow(unsafe_code)]
    fn join4([a, b, c, d]: [Self; 4], low: &mut [f32; 16], high: &mut [f32; 16]) {
        // SAFETY: the arrays hold the 16 floats that each store writes.
        unsafe {
            vst4q_f32(low.as_mut_ptr(), float32x4x4_t(a.0, b.0, c.0, d.0));
            vst4q_f32(high.as_mut_ptr(), float32x4x4_t(a.1, b.1, c.1, d.1));
        }
    }

    #[inline(always)]
    #[allow(unsafe_code)]
    fn split2(low: &[f32; 10], high: &[f32; 10]) -> [Self; 4] {
        // SAFETY: loads of 8 floats at 0 and 2 lie inside the 10 floats.
        let [(a, b), (c, d)] = unsafe {
            [
                (vld2q_f32(low.as_ptr()), vld2q_f32(low.as_ptr().add(2))),
                (vld2q_f32(high.as_ptr()), vld2q_f32(high.as_ptr().add(2))),
            ]
        };
        [Self(a.0, c.0), Self(a.1, c.1), Self(b.0, d.0), Self(b.1, d.1)]
    }

    #[inline(always)]
    #[allow(unsafe_code)]
    fn join2([a, b]: [Self; 2], low: &mut [f32; 8], high: &mut [f32; 8]) {
        // SAFETY: the arrays hold the 8 floats that each store writes.
        unsafe {
            vst2q_f32(low.as_mut_ptr(), float32x4x2_t(a.0, b.0));
            vst2q_f32(high.as_mut_ptr(), float32x4x2_t(a.1, b.1));
        }
    }
}
