//! Eight floats at a time: AVX2 or NEON registers where the CPU has them, arrays elsewhere.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "aarch64")]
mod neon;

#[cfg(target_arch = "x86_64")]
pub(crate) use avx2::Avx2;

/// What runs where no wider instructions were detected.
#[cfg(target_arch = "aarch64")]
pub(crate) type Portable = neon::Neon;
#[cfg(not(target_arch = "aarch64"))]
pub(crate) type Portable = [f32; 8];

/// A function for the running CPU from a body generic over the lane.
macro_rules! lanes {
    ($(#[$meta:meta])* fn $name:ident($($arg:ident : $ty:ty),* $(,)?) = $body:ident) => {
        $(#[$meta])*
        #[allow(unsafe_code)]
        unsafe fn $name($($arg: $ty),*) {
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx2,fma")]
                unsafe fn wide($($arg: $ty),*) {
                    // SAFETY: passed on.
                    unsafe { $body::<$crate::lane::Avx2>($($arg),*) }
                }
                if $crate::simd::has_avx2() {
                    // SAFETY: the features were just detected; the rest is passed on.
                    return unsafe { wide($($arg),*) };
                }
            }
            // SAFETY: passed on.
            unsafe { $body::<$crate::lane::Portable>($($arg),*) }
        }
    };
}
pub(crate) use lanes;

/// Eight lanes, one per tile.
pub(crate) trait Lane: Copy {
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
    /// Lane `r` of register `c` becomes lane `c` of register `r`.
    fn transpose(registers: [Self; 8]) -> [Self; 8];
    /// Columns 0..6 of eight tiles that start four columns apart, four in `low` and four in `high`.
    fn split4(low: &[f32; 20], high: &[f32; 20]) -> [Self; 6];
    /// The inverse for columns 0..4: four tiles side by side in `low` and four in `high`.
    fn join4(columns: [Self; 4], low: &mut [f32; 16], high: &mut [f32; 16]);
    /// Columns 0..4 of eight tiles that start two columns apart, four in `low` and four in `high`.
    fn split2(low: &[f32; 10], high: &[f32; 10]) -> [Self; 4];
    /// The inverse for columns 0..2.
    fn join2(columns: [Self; 2], low: &mut [f32; 8], high: &mut [f32; 8]);
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

    fn transpose(registers: [Self; 8]) -> [Self; 8] {
        std::array::from_fn(|r| std::array::from_fn(|c| registers[c][r]))
    }

    fn split4(low: &[f32; 20], high: &[f32; 20]) -> [Self; 6] {
        std::array::from_fn(|j| std::array::from_fn(|t| [low, high][t / 4][4 * (t % 4) + j]))
    }

    fn join4(columns: [Self; 4], low: &mut [f32; 16], high: &mut [f32; 16]) {
        for i in 0..16 {
            (low[i], high[i]) = (columns[i % 4][i / 4], columns[i % 4][4 + i / 4]);
        }
    }

    fn split2(low: &[f32; 10], high: &[f32; 10]) -> [Self; 4] {
        std::array::from_fn(|j| std::array::from_fn(|t| [low, high][t / 4][2 * (t % 4) + j]))
    }

    fn join2(columns: [Self; 2], low: &mut [f32; 8], high: &mut [f32; 8]) {
        for i in 0..8 {
            (low[i], high[i]) = (columns[i % 2][i / 2], columns[i % 2][4 + i / 2]);
        }
    }
}
