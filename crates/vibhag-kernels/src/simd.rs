//! Run-time dispatch, per-thread scratch memory and shared output slices.

use std::cell::RefCell;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicU8, Ordering};

use crate::memory::unspecified;

/// Sets of vector instructions, the narrowest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Instructions {
    /// What the target has anyway.
    Portable,
    /// AVX2 with FMA.
    Avx2,
    /// AVX-512.
    Avx512,
}

static WIDEST: AtomicU8 = AtomicU8::new(Instructions::Avx512 as u8);

/// Leaves out wider instructions than these from now on, so that every version can be tested on one machine.
pub fn use_at_most(instructions: Instructions) {
    WIDEST.store(instructions as u8, Ordering::Relaxed);
}

#[cfg(target_arch = "x86_64")]
#[inline]
fn allowed(instructions: Instructions) -> bool {
    WIDEST.load(Ordering::Relaxed) >= instructions as u8
}

/// Whether the AVX2+FMA versions may run (the answer is cached by the standard library).
#[cfg(target_arch = "x86_64")]
#[inline]
pub(crate) fn has_avx2() -> bool {
    std::arch::is_x86_feature_detected!("avx2")
        && std::arch::is_x86_feature_detected!("fma")
        && allowed(Instructions::Avx2)
}

/// Whether the AVX-512 versions may run.
#[cfg(target_arch = "x86_64")]
#[inline]
pub(crate) fn has_avx512() -> bool {
    std::arch::is_x86_feature_detected!("avx512f") && allowed(Instructions::Avx512)
}

/// Whether code that is compiled for the target alone has a multiply-add instruction: every 64-bit Arm processor has.
pub(crate) const PORTABLE_FMA: bool = cfg!(target_arch = "aarch64");

/// Multiply-add that is one instruction where the caller was compiled for FMA. Without the feature `f32::mul_add`
/// would call the C library for every element, so the portable version rounds twice instead.
#[inline(always)]
pub(crate) fn fma<const FMA: bool>(a: f32, b: f32, c: f32) -> f32 {
    if FMA { a.mul_add(b, c) } else { a * b + c }
}

/// `e^x` for `x <= 0`, within a few units in the last place (Cephes' polynomial).
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    // Adding 1.5 * 2^23 rounds to an integer, which then stands in the lowest bits.
    const ROUND: f32 = 12_582_912.0;
    let x = if x < -87.0 { -87.0 } else { x };
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = (x - n * 0.693_359_4) + n * 2.121_944_4e-4;
    let mut y = 1.987_569_1e-4;
    for c in [1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5] {
        y = y * r + c;
    }
    let y = y * r * r + r + 1.0;
    y * f32::from_bits(shifted.to_bits().wrapping_add(127) << 23)
}

/// Compiles a body generic over `const FMA: bool` for AVX2+FMA and portably, and picks at run time.
macro_rules! multiversion {
    ($(#[$meta:meta])* fn $name:ident [$($gen:tt)*] [$($inst:ident),*] ($($arg:ident : $ty:ty),* $(,)?) $(-> $ret:ty)? = $body:ident) => {
        $(#[$meta])*
        #[allow(unsafe_code)]
        fn $name<$($gen)*>($($arg: $ty),*) $(-> $ret)? {
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx2,fma")]
                #[allow(clippy::too_many_arguments)]
                fn wide<$($gen)*>($($arg: $ty),*) $(-> $ret)? {
                    $body::<true, $($inst),*>($($arg),*)
                }
                if $crate::simd::has_avx2() {
                    // SAFETY: `wide` is a safe function whose only requirement is the target features, which were
                    // just detected on the running CPU.
                    return unsafe { wide::<$($inst),*>($($arg),*) };
                }
            }
            $body::<{ $crate::simd::PORTABLE_FMA }, $($inst),*>($($arg),*)
        }
    };
}
pub(crate) use multiversion;

thread_local! {
    static SCRATCH: RefCell<Vec<Vec<f32>>> = const { RefCell::new(Vec::new()) };
}

/// Lends `len` floats of per-thread memory with unspecified contents. The buffer is taken out of the pool while it is
/// lent, so calls may nest.
pub(crate) fn with_scratch<R>(len: usize, f: impl FnOnce(&mut [f32]) -> R) -> R {
    let mut buffer = SCRATCH.with(|s| s.borrow_mut().pop()).unwrap_or_default();
    if buffer.len() < len {
        // Freed first: its contents are not wanted.
        drop(buffer);
        buffer = unspecified(len);
    }
    let result = f(&mut buffer[..len]);
    SCRATCH.with(|s| s.borrow_mut().push(buffer));
    result
}

/// A mutable slice that parallel tasks share, each writing parts that no other task touches.
#[derive(Clone, Copy)]
pub(crate) struct Shared<'a> {
    ptr: *mut f32,
    len: usize,
    life: PhantomData<&'a mut [f32]>,
}

// SAFETY: the pointer comes from an exclusive slice that outlives `'a`; access goes through the `unsafe` methods below,
// whose contract forbids overlapping parts.
#[allow(unsafe_code)]
unsafe impl Send for Shared<'_> {}
// SAFETY: as above.
#[allow(unsafe_code)]
unsafe impl Sync for Shared<'_> {}

impl<'a> Shared<'a> {
    pub(crate) fn new(slice: &'a mut [f32]) -> Self {
        Self { ptr: slice.as_mut_ptr(), len: slice.len(), life: PhantomData }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The part `start..start + len`; the bounds are checked.
    ///
    /// # Safety
    /// No other live reference may overlap the part.
    #[inline(always)]
    #[allow(unsafe_code, clippy::mut_from_ref)]
    pub(crate) unsafe fn part(&self, start: usize, len: usize) -> &'a mut [f32] {
        assert!(start <= self.len && len <= self.len - start, "part outside the shared slice");
        // SAFETY: in bounds by the assertion; exclusive by this function's contract.
        unsafe { std::slice::from_raw_parts_mut(self.ptr.add(start), len) }
    }

    /// Pointer to element `start` of a strided region that ends before `end`; the bounds are checked.
    #[inline(always)]
    #[allow(unsafe_code)]
    pub(crate) fn region(&self, start: usize, end: usize) -> *mut f32 {
        assert!(start <= end && end <= self.len, "region outside the shared slice");
        // SAFETY: `start <= len`, so the result stays inside the allocation or one past its end.
        unsafe { self.ptr.add(start) }
    }
}
