//! Strided matrix products on parts of slices.

use crate::simd::Shared;

/// A matrix inside a slice: element `(i, j)` is `data[offset + i * rows + j * cols]`.
#[derive(Clone, Copy)]
pub(crate) struct Mat<'a> {
    pub(crate) data: &'a [f32],
    pub(crate) offset: usize,
    pub(crate) rows: usize,
    pub(crate) cols: usize,
}

impl<'a> Mat<'a> {
    /// Row-major part with rows `stride` apart.
    pub(crate) fn new(data: &'a [f32], offset: usize, stride: usize) -> Self {
        Self { data, offset, rows: stride, cols: 1 }
    }

    pub(crate) fn t(self) -> Self {
        Self { rows: self.cols, cols: self.rows, ..self }
    }

    fn end(&self, m: usize, n: usize) -> usize {
        self.offset + (m - 1) * self.rows + (n - 1) * self.cols + 1
    }
}

/// Where a product goes: row-major, rows `stride` apart, first element at `offset`.
#[derive(Clone, Copy)]
pub(crate) struct Dest<'a> {
    pub(crate) data: Shared<'a>,
    pub(crate) offset: usize,
    pub(crate) stride: usize,
}

/// `c = a * b`, or `c += a * b` when `accumulate`; `c` is `m x n`, the inner size is `k`.
///
/// # Safety
/// No other live reference may overlap the `m` rows of `n` elements of `c`.
#[allow(unsafe_code)]
pub(crate) unsafe fn matmul([m, n, k]: [usize; 3], c: Dest<'_>, a: Mat<'_>, b: Mat<'_>, accumulate: bool) {
    if m == 0 || n == 0 {
        return;
    }
    let dst = c.data.region(c.offset, c.offset + (m - 1) * c.stride + n);
    assert!(k > 0 && a.end(m, k) <= a.data.len() && b.end(k, n) <= b.data.len(), "matrix outside its slice");
    // SAFETY: the regions of all three matrices were just checked against their slices, the destination is exclusive
    // by this function's contract, and strides fit isize because they are offsets inside slices.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            dst,
            1,
            c.stride as isize,
            accumulate,
            a.data.as_ptr().add(a.offset),
            a.cols as isize,
            a.rows as isize,
            b.data.as_ptr().add(b.offset),
            b.cols as isize,
            b.rows as isize,
            if accumulate { 1.0 } else { 0.0 },
            1.0,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}

/// Adds `parts` equal slices stored one after another into `out`, first to last.
pub(crate) fn sum_parts(partial: &[f32], out: &mut [f32]) {
    out.fill(0.0);
    for part in partial.chunks_exact(out.len()) {
        for (o, p) in out.iter_mut().zip(part) {
            *o += p;
        }
    }
}
