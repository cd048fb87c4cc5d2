//! Values for the kernels to work on.

/// Numbers from -1 to 1 that follow from the seed.
pub(crate) fn noise(len: usize, seed: u64) -> Vec<f32> {
    let mut z = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    (0..len)
        .map(|_| {
            z ^= z << 13;
            z ^= z >> 7;
            z ^= z << 17;
            (z >> 40) as f32 / (1 << 23) as f32 - 1.0
        })
        .collect()
}
