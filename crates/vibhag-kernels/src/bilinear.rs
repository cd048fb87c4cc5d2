//! Bilinear 2x upsampling between pixel centres, forward and backward.
//!
//! Every output is three quarters of its own pixel and one quarter of the neighbour on its side, along both axes; at
//! the border the pixel is its own neighbour.

use rayon::prelude::*;

use crate::simd::{multiversion, with_scratch};

const OWN: f32 = 0.75;
const NEXT: f32 = 0.25;

/// `line`, its first value repeated before it and its last value after it.
#[inline(always)]
fn repeat_ends(padded: &mut [f32]) {
    if let [before, first, .., last, after] = padded {
        (*before, *after) = (*first, *last);
    } else if let [before, only, after] = padded {
        (*before, *after) = (*only, *only);
    }
}

#[inline(always)]
fn plane_body<const FMA: bool>([h, w]: [usize; 2], x: &[f32], mixed: &mut [f32], y: &mut [f32]) {
    let row = |at: usize| &x[at * w..(at + 1) * w];
    for (oy, line) in y.chunks_exact_mut(2 * w).enumerate() {
        let near = oy / 2;
        let far = if oy % 2 == 0 { near.saturating_sub(1) } else { (near + 1).min(h - 1) };
        for ((m, a), b) in mixed[1..=w].iter_mut().zip(row(near)).zip(row(far)) {
            *m = OWN * a + NEXT * b;
        }
        repeat_ends(&mut mixed[..w + 2]);
        let (left, own, right) = (&mixed[..w], &mixed[1..=w], &mixed[2..w + 2]);
        for (((pair, l), o), r) in line.as_chunks_mut::<2>().0.iter_mut().zip(left).zip(own).zip(right) {
            *pair = [OWN * o + NEXT * l, OWN * o + NEXT * r];
        }
    }
}

multiversion! {
    /// One plane.
    fn plane [] [] (size: [usize; 2], x: &[f32], mixed: &mut [f32], y: &mut [f32]) = plane_body
}

#[inline(always)]
fn gradient_body<const FMA: bool>([h, w]: [usize; 2], dy: &[f32], mixed: &mut [f32], dx: &mut [f32]) {
    let row = |at: usize| &dy[at * 2 * w..(at + 1) * 2 * w];
    for (iy, line) in dx.chunks_exact_mut(w).enumerate() {
        // The border's output counts its pixel as the neighbour too.
        let rows = [row((2 * iy).saturating_sub(1)), row(2 * iy), row(2 * iy + 1), row((2 * iy + 2).min(2 * h - 1))];
        for (i, m) in mixed[1..=2 * w].iter_mut().enumerate() {
            *m = OWN * (rows[1][i] + rows[2][i]) + NEXT * (rows[0][i] + rows[3][i]);
        }
        repeat_ends(&mut mixed[..2 * w + 2]);
        let (outer, inner) = (&mixed[..2 * w + 2], &mixed[1..=2 * w]);
        let pairs = inner.as_chunks::<2>().0;
        for (i, (d, pair)) in line.iter_mut().zip(pairs).enumerate() {
            *d = OWN * (pair[0] + pair[1]) + NEXT * (outer[2 * i] + outer[2 * i + 3]);
        }
    }
}

multiversion! {
    /// The adjoint of [`plane`].
    fn gradient [] [] (size: [usize; 2], dy: &[f32], mixed: &mut [f32], dx: &mut [f32]) = gradient_body
}

/// Doubles height and width: `x` [c, h, w] into `y` [c, 2h, 2w].
///
/// # Panics
/// When a slice has another length than the shape says.
pub fn upsample_bilinear2x([c, h, w]: [usize; 3], x: &[f32], y: &mut [f32]) {
    assert!(x.len() == c * h * w && y.len() == 4 * c * h * w, "a slice does not have the shape's length");
    y.par_chunks_mut((4 * h * w).max(1)).zip(x.par_chunks((h * w).max(1))).for_each(|(y, x)| {
        with_scratch(w + 2, |mixed| plane([h, w], x, mixed, y));
    });
}

/// Gradient of [`upsample_bilinear2x`]: `dy` [c, 2h, 2w] into `dx` [c, h, w].
///
/// # Panics
/// When a slice has another length than the shape says.
pub fn upsample_bilinear2x_backward([c, h, w]: [usize; 3], dy: &[f32], dx: &mut [f32]) {
    assert!(dx.len() == c * h * w && dy.len() == 4 * c * h * w, "a slice does not have the shape's length");
    dx.par_chunks_mut((h * w).max(1)).zip(dy.par_chunks((4 * h * w).max(1))).for_each(|(dx, dy)| {
        with_scratch(2 * w + 2, |mixed| gradient([h, w], dy, mixed, dx));
    });
}
