//! The 36 matrix products of a block of tiles, on kernels packed once and tiles as the input transform writes them.

use super::lane::Lane;
use super::tiles::PANEL;

/// Output channels that one pass over a panel computes: with 16 tiles they fill twelve registers.
pub(super) const ROWS: usize = 6;

/// Floats of one packed `rows x columns` kernel matrix.
pub(super) fn packed_len(rows: usize, columns: usize) -> usize {
    rows.div_ceil(ROWS) * ROWS * columns
}

/// `m[tile][row] = sum over columns of a[row][column] * v[tile][column]`: `a` as `[rows / 6][columns][6]`, `v` as
/// `[tiles / 16][columns][16]`, `m` as `[tiles / 16][rows][16]`.
///
/// The rows are the outer loop: six rows of the kernels stay in the first-level cache while the panels pass by, so
/// that kernels larger than any cache are read once.
#[inline(always)]
fn body<L: Lane>(a: &[f32], v: &[f32], [rows, columns]: [usize; 2], m: &mut [f32]) {
    for (block, a) in a.chunks_exact(columns * ROWS).enumerate() {
        let first = block * ROWS;
        let count = ROWS.min(rows - first);
        let (a, _) = a.as_chunks::<ROWS>();
        for (v, m) in v.chunks_exact(columns * PANEL).zip(m.chunks_exact_mut(rows * PANEL)) {
            let mut sums = [[L::zero(); 2]; ROWS];
            let (v, _) = v.as_chunks::<8>();
            for (a, v) in a.iter().zip(v.chunks_exact(2)) {
                let (v0, v1) = (L::load(&v[0]), L::load(&v[1]));
                for r in 0..ROWS {
                    let factor = L::splat(a[r]);
                    sums[r] = [factor.mul_add(v0, sums[r][0]), factor.mul_add(v1, sums[r][1])];
                }
            }
            let (out, _) = m[first * PANEL..(first + count) * PANEL].as_chunks_mut::<8>();
            for (out, sum) in out.chunks_exact_mut(2).zip(&sums) {
                sum[0].store(&mut out[0]);
                sum[1].store(&mut out[1]);
            }
        }
    }
}

/// The product of one of the 36 points, see [`body`].
#[allow(unsafe_code)]
pub(super) fn product(a: &[f32], v: &[f32], size: [usize; 2], m: &mut [f32]) {
    #[cfg(target_arch = "x86_64")]
    {
        #[target_feature(enable = "avx2,fma")]
        fn wide(a: &[f32], v: &[f32], size: [usize; 2], m: &mut [f32]) {
            body::<super::lane::Avx2>(a, v, size, m);
        }
        if crate::simd::has_avx2() {
            // SAFETY: `wide` is a safe function whose only requirement is the target features, which were just
            // detected on the running CPU.
            return unsafe { wide(a, v, size, m) };
        }
    }
    body::<[f32; 8]>(a, v, size, m);
}
