//! Depthwise 3x3 and 5x5 convolution, stride 1 or 2, one plane at a time.
//!
//! Each plane is copied into a zero-padded scratch plane that fits the second-level cache, its columns split by stride
//! phase, so that every kernel tap reads consecutive pixels and no inner loop knows about borders.

use rayon::prelude::*;

use crate::epilogue::Epilogue;
use crate::shape::ConvShape;
use crate::simd::{fma, multiversion, with_scratch};

const LANES: usize = 8;
/// Lanes of the main loop: four registers hide the latency of the multiply-add chain.
const WIDE: usize = 32;

/// Whether these kernels take the shape.
pub(crate) fn supported(s: &ConvShape) -> bool {
    let k = s.kernel[0];
    s.groups == s.cin
        && s.cin == s.cout
        && matches!(k, 3 | 5)
        && s.kernel[1] == k
        && matches!(s.stride, [1, 1] | [2, 2])
        && s.dilation == [1, 1]
        && s.padding.iter().all(|&p| p < k)
}

/// A padded plane: `rows` rows of `stride` column phases, each `width` floats.
#[derive(Clone, Copy)]
struct Padded {
    top: usize,
    left: usize,
    rows: usize,
    width: usize,
    stride: usize,
}

impl Padded {
    /// Room for outputs of `ho x wo` read by a `k x k` kernel, and for the source itself.
    fn new(top: usize, left: usize, [h, w]: [usize; 2], [ho, wo]: [usize; 2], k: usize, stride: usize) -> Self {
        let rows = ((ho - 1) * stride + k).max(h + top);
        let width = (wo.next_multiple_of(2 * LANES) + k).max((w + left).div_ceil(stride)).next_multiple_of(LANES);
        Self { top, left, rows, width, stride }
    }

    fn pitch(&self) -> usize {
        self.stride * self.width
    }

    fn len(&self) -> usize {
        self.rows * self.pitch()
    }

    fn fill(&self, plane: &[f32], w: usize, out: &mut [f32]) {
        let mut source = plane.chunks_exact(w);
        for (r, line) in out.chunks_exact_mut(self.pitch()).enumerate() {
            let row = if r < self.top { None } else { source.next() };
            let Some(row) = row else {
                line.fill(0.0);
                continue;
            };
            if self.stride == 1 {
                line[..self.left].fill(0.0);
                line[self.left..self.left + w].copy_from_slice(row);
                line[self.left + w..].fill(0.0);
            } else {
                line.fill(0.0);
                let (even, odd) = line.split_at_mut(self.width);
                let (first, second) = if self.left.is_multiple_of(2) { (even, odd) } else { (odd, even) };
                let at = self.left / 2;
                let skip = self.left % 2;
                for (t, v) in first[at..].iter_mut().zip(row.iter().step_by(2)) {
                    *t = *v;
                }
                for (t, v) in second[at + skip..].iter_mut().zip(row.iter().skip(1).step_by(2)) {
                    *t = *v;
                }
            }
        }
    }

    /// The inverse of [`Padded::fill`]: the source's pixels out of the padded plane.
    fn extract(&self, padded: &[f32], w: usize, plane: &mut [f32]) {
        for (row, line) in plane.chunks_exact_mut(w).zip(padded.chunks_exact(self.pitch()).skip(self.top)) {
            let (even, odd) = line.split_at(self.width);
            let (first, second) = if self.left.is_multiple_of(2) { (even, odd) } else { (odd, even) };
            let (at, skip) = (self.left / 2, self.left % 2);
            for (t, v) in row.iter_mut().step_by(2).zip(&first[at..]) {
                *t = *v;
            }
            for (t, v) in row.iter_mut().skip(1).step_by(2).zip(&second[at + skip..]) {
                *t = *v;
            }
        }
    }
}

/// `L` outputs from column `i` of the window whose first row starts at `window[0]`.
#[inline(always)]
fn taps<const FMA: bool, const K: usize, const L: usize>(
    p: &Padded,
    window: &[f32],
    kernel: &[f32],
    i: usize,
) -> [f32; L] {
    let mut acc = [0.0; L];
    for ky in 0..K {
        for kx in 0..K {
            let at = ky * p.pitch() + kx % p.stride * p.width + kx / p.stride + i;
            let source = &window[at..at + L];
            let k = kernel[ky * K + kx];
            for l in 0..L {
                acc[l] = fma::<FMA>(k, source[l], acc[l]);
            }
        }
    }
    acc
}

#[inline(always)]
fn correlate_body<const FMA: bool, const K: usize>(
    p: Padded,
    padded: &[f32],
    kernel: &[f32],
    wo: usize,
    out: &mut [f32],
) {
    for (oy, line) in out.chunks_exact_mut(wo).enumerate() {
        let window = &padded[oy * p.stride * p.pitch()..];
        let mut i = 0;
        while i + WIDE <= wo {
            line[i..i + WIDE].copy_from_slice(&taps::<FMA, K, WIDE>(&p, window, kernel, i));
            i += WIDE;
        }
        while i < wo {
            let acc = taps::<FMA, K, LANES>(&p, window, kernel, i);
            let count = LANES.min(wo - i);
            line[i..i + count].copy_from_slice(&acc[..count]);
            i += LANES;
        }
    }
}

multiversion! {
    /// Every output of a plane: the kernel correlated with the padded plane.
    fn correlate [const K: usize] [K] (p: Padded, padded: &[f32], kernel: &[f32], wo: usize, out: &mut [f32]) = correlate_body
}

#[inline(always)]
fn scatter_body<const FMA: bool, const K: usize>(p: Padded, dy: &[f32], kernel: &[f32], wo: usize, out: &mut [f32]) {
    for (oy, line) in dy.chunks_exact(wo).enumerate() {
        let window = &mut out[oy * p.stride * p.pitch()..];
        for ky in 0..K {
            for kx in 0..K {
                let at = ky * p.pitch() + kx % p.stride * p.width + kx / p.stride;
                let k = kernel[ky * K + kx];
                for (t, d) in window[at..at + wo].iter_mut().zip(line) {
                    *t = fma::<FMA>(k, *d, *t);
                }
            }
        }
    }
}

multiversion! {
    /// The adjoint of [`correlate`]: adds every output's gradient into the padded plane.
    fn scatter [const K: usize] [K] (p: Padded, dy: &[f32], kernel: &[f32], wo: usize, out: &mut [f32]) = scatter_body
}

#[inline(always)]
fn weights_body<const FMA: bool, const K: usize, const L: usize>(
    p: Padded,
    padded: &[f32],
    dy: &[f32],
    wo: usize,
    line: &mut [f32],
    dw: &mut [f32],
) {
    let mut sums = [[[0.0f32; L]; K]; K];
    line.fill(0.0);
    for (oy, row) in dy.chunks_exact(wo).enumerate() {
        // The zero tail of `line` cancels whatever the padded plane holds beyond the output's width.
        line[..wo].copy_from_slice(row);
        for (ky, sum) in sums.iter_mut().enumerate() {
            let start = (oy * p.stride + ky) * p.pitch();
            let window = &padded[start..start + p.pitch()];
            let mut acc = *sum;
            for (b, d) in line.chunks_exact(L).enumerate() {
                for (kx, a) in acc.iter_mut().enumerate() {
                    let at = kx % p.stride * p.width + kx / p.stride + b * L;
                    let source = &window[at..at + L];
                    for l in 0..L {
                        a[l] = fma::<FMA>(d[l], source[l], a[l]);
                    }
                }
            }
            *sum = acc;
        }
    }
    for (out, lanes) in dw.iter_mut().zip(sums.iter().flatten()) {
        *out = lanes.iter().sum();
    }
}

multiversion! {
    /// Gradient of one plane's kernel; `line` is scratch, as long as `wo` rounded up to `L`.
    fn weight_sums [const K: usize, const L: usize] [K, L]
    (p: Padded, padded: &[f32], dy: &[f32], wo: usize, line: &mut [f32], dw: &mut [f32]) = weights_body
}

pub(crate) fn forward(s: &ConvShape, x: &[f32], weight: &[f32], epilogue: &Epilogue<'_>, y: &mut [f32]) {
    let (ho, wo) = s.out();
    let k = s.kernel[0];
    let p = Padded::new(s.padding[0], s.padding[1], [s.h, s.w], [ho, wo], k, s.stride[0]);
    y.par_chunks_mut(ho * wo).zip(x.par_chunks(s.h * s.w)).enumerate().for_each(|(i, (out, plane))| {
        let kernel = &weight[i % s.cin * k * k..][..k * k];
        with_scratch(p.len(), |padded| {
            p.fill(plane, s.w, padded);
            if k == 3 {
                correlate::<3>(p, padded, kernel, wo, out);
            } else {
                correlate::<5>(p, padded, kernel, wo, out);
            }
        });
        epilogue.finish_line(i % s.cin, i * ho * wo, out);
    });
}

pub(crate) fn backward_data(s: &ConvShape, weight: &[f32], dy: &[f32], dx: &mut [f32]) {
    let (ho, wo) = s.out();
    let k = s.kernel[0];
    let strided = s.stride[0] == 2;
    let p = if strided {
        Padded::new(s.padding[0], s.padding[1], [s.h, s.w], [ho, wo], k, 2)
    } else {
        // The transposed convolution is a correlation with the flipped kernel over the output padded the other way.
        Padded::new(k - 1 - s.padding[0], k - 1 - s.padding[1], [ho, wo], [s.h, s.w], k, 1)
    };
    dx.par_chunks_mut(s.h * s.w).zip(dy.par_chunks(ho * wo)).enumerate().for_each(|(i, (out, grad))| {
        let kernel = &weight[i % s.cin * k * k..][..k * k];
        with_scratch(p.len(), |padded| {
            if strided {
                padded.fill(0.0);
                if k == 3 {
                    scatter::<3>(p, grad, kernel, wo, padded);
                } else {
                    scatter::<5>(p, grad, kernel, wo, padded);
                }
                p.extract(padded, s.w, out);
                return;
            }
            let mut flipped = [0.0; 25];
            for (f, v) in flipped.iter_mut().zip(kernel.iter().rev()) {
                *f = *v;
            }
            p.fill(grad, wo, padded);
            if k == 3 {
                correlate::<3>(p, padded, &flipped, s.w, out);
            } else {
                correlate::<5>(p, padded, &flipped, s.w, out);
            }
        });
    });
}

pub(crate) fn backward_weights(s: &ConvShape, x: &[f32], dy: &[f32], dw: &mut [f32]) {
    let (ho, wo) = s.out();
    let k = s.kernel[0];
    let p = Padded::new(s.padding[0], s.padding[1], [s.h, s.w], [ho, wo], k, s.stride[0]);
    let lanes = if wo <= LANES { LANES } else { 2 * LANES };
    let line_len = wo.next_multiple_of(lanes);
    let mut partial = vec![0.0; s.n * s.cin * k * k];
    let planes = x.par_chunks(s.h * s.w).zip(dy.par_chunks(ho * wo));
    partial.par_chunks_mut(k * k).zip(planes).for_each(|(out, (plane, grad))| {
        with_scratch(p.len() + line_len, |scratch| {
            let (padded, line) = scratch.split_at_mut(p.len());
            p.fill(plane, s.w, padded);
            match (k, lanes) {
                (3, LANES) => weight_sums::<3, 8>(p, padded, grad, wo, line, out),
                (3, _) => weight_sums::<3, 16>(p, padded, grad, wo, line, out),
                (_, LANES) => weight_sums::<5, 8>(p, padded, grad, wo, line, out),
                _ => weight_sums::<5, 16>(p, padded, grad, wo, line, out),
            }
        });
    });
    crate::matmul::sum_parts(&partial, dw);
}
