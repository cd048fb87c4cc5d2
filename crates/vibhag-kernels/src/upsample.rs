//! Nearest 2x upsampling joined with a skip connection in one pass, and joining alone.

use rayon::prelude::*;

/// Writes `[n, c + skip_c, 2h, 2w]`: first every pixel of `x` (`[n, c, h, w]`) four times, then `skip`
/// (`[n, skip_c, 2h, 2w]`, may be empty).
///
/// # Panics
/// When a slice does not have the length that the sizes say.
pub fn upsample2x_concat([n, c, h, w]: [usize; 4], skip_c: usize, x: &[f32], skip: &[f32], out: &mut [f32]) {
    let big = 4 * h * w;
    assert!(x.len() == n * c * h * w && skip.len() == n * skip_c * big && out.len() == n * (c + skip_c) * big);
    if big == 0 {
        return;
    }
    out.par_chunks_mut(big).enumerate().for_each(|(i, plane)| {
        let (image, channel) = (i / (c + skip_c), i % (c + skip_c));
        if channel >= c {
            plane.copy_from_slice(&skip[(image * skip_c + channel - c) * big..][..big]);
            return;
        }
        let source = &x[(image * c + channel) * h * w..][..h * w];
        for (row, lines) in source.chunks_exact(w).zip(plane.chunks_exact_mut(4 * w)) {
            let (upper, lower) = lines.split_at_mut(2 * w);
            for (pair, v) in upper.chunks_exact_mut(2).zip(row) {
                pair.fill(*v);
            }
            lower.copy_from_slice(upper);
        }
    });
}

/// Doubles height and width by repetition: `x` [c, h, w] into `y` [c, 2h, 2w].
///
/// # Panics
/// When a slice does not have the length that the sizes say.
pub fn upsample_nearest2x([c, h, w]: [usize; 3], x: &[f32], y: &mut [f32]) {
    upsample2x_concat([1, c, h, w], 0, x, &[], y);
}

/// Gradients of [`upsample2x_concat`] for `x` and for the skip connection.
///
/// # Panics
/// When a slice does not have the length that the sizes say.
pub fn upsample2x_concat_backward(
    [n, c, h, w]: [usize; 4],
    skip_c: usize,
    dy: &[f32],
    dx: &mut [f32],
    dskip: &mut [f32],
) {
    let big = 4 * h * w;
    assert!(dx.len() == n * c * h * w && dskip.len() == n * skip_c * big && dy.len() == n * (c + skip_c) * big);
    if big == 0 {
        return;
    }
    dx.par_chunks_mut(h * w).enumerate().for_each(|(i, plane)| {
        let source = &dy[(i / c * (c + skip_c) + i % c) * big..][..big];
        for (row, lines) in plane.chunks_exact_mut(w).zip(source.chunks_exact(4 * w)) {
            let (upper, lower) = lines.split_at(2 * w);
            for ((o, a), b) in row.iter_mut().zip(upper.chunks_exact(2)).zip(lower.chunks_exact(2)) {
                *o = (a[0] + a[1]) + (b[0] + b[1]);
            }
        }
    });
    dskip.par_chunks_mut(big).enumerate().for_each(|(i, plane)| {
        plane.copy_from_slice(&dy[(i / skip_c * (c + skip_c) + c + i % skip_c) * big..][..big]);
    });
}

/// Floats that one task of a copy moves.
const CHUNK: usize = 1 << 16;

/// Writes, image after image, the channels of `x` and then those of `y`; both hold `n` images.
///
/// # Panics
/// When `out` is not as long as both, or a length is no multiple of `n`.
pub fn concat(n: usize, x: &[f32], y: &[f32], out: &mut [f32]) {
    let n = n.max(1);
    assert!(
        out.len() == x.len() + y.len() && x.len().is_multiple_of(n) && y.len().is_multiple_of(n),
        "maps of other lengths"
    );
    let (a, b) = (x.len() / n, y.len() / n);
    if a + b > 0 {
        out.par_chunks_mut(a + b).enumerate().for_each(|(i, out)| {
            let (first, second) = out.split_at_mut(a);
            copy(&x[i * a..][..a], first);
            copy(&y[i * b..][..b], second);
        });
    }
}

/// The inverse of [`concat()`].
///
/// # Panics
/// As [`concat()`].
pub fn split(n: usize, joined: &[f32], x: &mut [f32], y: &mut [f32]) {
    let n = n.max(1);
    assert!(
        joined.len() == x.len() + y.len() && x.len().is_multiple_of(n) && y.len().is_multiple_of(n),
        "maps of other lengths"
    );
    let (a, b) = (x.len() / n, y.len() / n);
    x.par_chunks_mut(a.max(1)).enumerate().for_each(|(i, x)| copy(&joined[i * (a + b)..][..a], x));
    y.par_chunks_mut(b.max(1)).enumerate().for_each(|(i, y)| copy(&joined[i * (a + b) + a..][..b], y));
}

fn copy(from: &[f32], to: &mut [f32]) {
    to.par_chunks_mut(CHUNK).zip(from.par_chunks(CHUNK)).for_each(|(to, from)| to.copy_from_slice(from));
}
