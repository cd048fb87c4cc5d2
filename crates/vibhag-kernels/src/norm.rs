//! Batch normalisation fused with its activation, one channel at a time, so that the second and third pass over a
//! channel find it in the cache: the main memory is read once and written once.
//!
//! Ioffe and Szegedy 2015, "Batch Normalization".

use rayon::prelude::*;

use crate::activation::{Activation, BOUNDS, HARD_SWISH, SIGMOID, SILU, curved, slope};
use crate::shape::Planes;
use crate::simd::{Shared, multiversion};

/// Parameters of one batch normalisation.
#[derive(Debug, Clone, Copy)]
pub struct BatchNorm<'a> {
    /// Scale per channel.
    pub gamma: &'a [f32],
    /// Shift per channel.
    pub beta: &'a [f32],
    /// Added to the variance.
    pub eps: f32,
    /// What follows.
    pub act: Activation,
}

impl BatchNorm<'_> {
    /// Scale and shift of channel `c` with these statistics.
    fn map(&self, c: usize, mean: f32, var: f32) -> (f32, f32) {
        let scale = self.gamma[c] / (var + self.eps).sqrt();
        (scale, self.beta[c] - mean * scale)
    }
}

const LANES: usize = 32;
/// Pixels summed in single precision before the sum moves to double precision.
const RUN: usize = 4096;

#[inline(always)]
fn sum_body<const FMA: bool>(x: &[f32], center: f32) -> (f64, f64) {
    let (mut first, mut second) = (0.0, 0.0);
    for run in x.chunks(RUN) {
        let (mut a, mut b) = ([0.0f32; LANES], [0.0f32; LANES]);
        let mut parts = run.chunks_exact(LANES);
        for part in &mut parts {
            for l in 0..LANES {
                let d = part[l] - center;
                a[l] += d;
                b[l] += d * d;
            }
        }
        for (l, v) in parts.remainder().iter().enumerate() {
            let d = v - center;
            a[l] += d;
            b[l] += d * d;
        }
        first += f64::from(a.iter().sum::<f32>());
        second += f64::from(b.iter().sum::<f32>());
    }
    (first, second)
}

multiversion! {
    /// Sums of `x - center` and of its square.
    fn moments [] [] (x: &[f32], center: f32) -> (f64, f64) = sum_body
}

/// An affine map and the activation after it.
#[derive(Clone, Copy)]
struct Map {
    scale: f32,
    shift: f32,
    low: f32,
    high: f32,
}

impl Map {
    fn new((scale, shift): (f32, f32), act: Activation) -> Self {
        let (low, high) = act.bounds();
        Self { scale, shift, low, high }
    }

    #[inline(always)]
    fn value<const FMA: bool, const CURVE: u8>(&self, x: f32) -> f32 {
        let z = crate::simd::fma::<FMA>(x, self.scale, self.shift);
        if CURVE != BOUNDS {
            return curved::<CURVE>(z);
        }
        // Written so that a NaN stays a NaN.
        let z = if z < self.low { self.low } else { z };
        if z > self.high { self.high } else { z }
    }

    /// The gradient `g` behind the activation.
    #[inline(always)]
    fn gate<const FMA: bool, const CURVE: u8>(&self, x: f32, g: f32) -> f32 {
        let z = crate::simd::fma::<FMA>(x, self.scale, self.shift);
        if CURVE != BOUNDS {
            return g * slope::<CURVE>(z);
        }
        if z > self.low && z < self.high { g } else { 0.0 }
    }
}

#[inline(always)]
fn apply_body<const FMA: bool, const CURVE: u8>(x: &[f32], map: Map, y: &mut [f32]) {
    for (y, x) in y.iter_mut().zip(x) {
        *y = map.value::<FMA, CURVE>(*x);
    }
}

multiversion! {
    fn apply_as [const CURVE: u8] [CURVE] (x: &[f32], map: Map, y: &mut [f32]) = apply_body
}

fn apply(x: &[f32], map: Map, act: Activation, y: &mut [f32]) {
    match act.curve() {
        SILU => apply_as::<SILU>(x, map, y),
        HARD_SWISH => apply_as::<HARD_SWISH>(x, map, y),
        SIGMOID => apply_as::<SIGMOID>(x, map, y),
        _ => apply_as::<BOUNDS>(x, map, y),
    }
}

#[inline(always)]
fn gated_body<const FMA: bool, const CURVE: u8>(x: &[f32], dy: &[f32], map: Map, center: f32) -> (f64, f64) {
    let (mut first, mut second) = (0.0, 0.0);
    for (x, dy) in x.chunks(RUN).zip(dy.chunks(RUN)) {
        let (mut a, mut b) = ([0.0f32; LANES], [0.0f32; LANES]);
        let (mut xs, mut gs) = (x.chunks_exact(LANES), dy.chunks_exact(LANES));
        for (x, g) in (&mut xs).zip(&mut gs) {
            for l in 0..LANES {
                let g = map.gate::<FMA, CURVE>(x[l], g[l]);
                a[l] += g;
                b[l] += g * (x[l] - center);
            }
        }
        for (l, (x, g)) in xs.remainder().iter().zip(gs.remainder()).enumerate() {
            let g = map.gate::<FMA, CURVE>(*x, *g);
            a[l] += g;
            b[l] += g * (x - center);
        }
        first += f64::from(a.iter().sum::<f32>());
        second += f64::from(b.iter().sum::<f32>());
    }
    (first, second)
}

multiversion! {
    /// Sums of the gradient behind the activation and of its product with `x - center`.
    fn gated_sums_as [const CURVE: u8] [CURVE] (x: &[f32], dy: &[f32], map: Map, center: f32) -> (f64, f64) = gated_body
}

fn gated_sums(x: &[f32], dy: &[f32], map: Map, act: Activation, center: f32) -> (f64, f64) {
    match act.curve() {
        SILU => gated_sums_as::<SILU>(x, dy, map, center),
        HARD_SWISH => gated_sums_as::<HARD_SWISH>(x, dy, map, center),
        SIGMOID => gated_sums_as::<SIGMOID>(x, dy, map, center),
        _ => gated_sums_as::<BOUNDS>(x, dy, map, center),
    }
}

#[inline(always)]
fn input_body<const FMA: bool, const CURVE: u8>(x: &[f32], dy: &[f32], map: Map, [a, b, c]: [f32; 3], dx: &mut [f32]) {
    for ((dx, x), g) in dx.iter_mut().zip(x).zip(dy) {
        let g = map.gate::<FMA, CURVE>(*x, *g);
        *dx = crate::simd::fma::<FMA>(a, g, crate::simd::fma::<FMA>(b, *x, c));
    }
}

multiversion! {
    /// `dx = a * gated(dy) + b * x + c`.
    fn input_gradient_as [const CURVE: u8] [CURVE]
    (x: &[f32], dy: &[f32], map: Map, abc: [f32; 3], dx: &mut [f32]) = input_body
}

fn input_gradient(x: &[f32], dy: &[f32], map: Map, act: Activation, abc: [f32; 3], dx: &mut [f32]) {
    match act.curve() {
        SILU => input_gradient_as::<SILU>(x, dy, map, abc, dx),
        HARD_SWISH => input_gradient_as::<HARD_SWISH>(x, dy, map, abc, dx),
        SIGMOID => input_gradient_as::<SIGMOID>(x, dy, map, abc, dx),
        _ => input_gradient_as::<BOUNDS>(x, dy, map, abc, dx),
    }
}

/// Ranges of channel `c`'s planes.
fn planes_of(p: Planes, c: usize) -> impl Iterator<Item = std::ops::Range<usize>> {
    (0..p.n).map(move |n| (n * p.c + c) * p.len..(n * p.c + c + 1) * p.len)
}

fn check(p: Planes, tensors: &[usize], channels: &[usize]) {
    assert!(tensors.iter().all(|&l| l == p.total()), "a tensor does not hold the planes");
    assert!(channels.iter().all(|&l| l == p.c), "a parameter does not have one value per channel");
}

/// `y = act(gamma * (x - mean) / sqrt(var + eps) + beta)` with the batch's own statistics; returns the means and the
/// biased variances, `2 * c` values.
///
/// # Panics
/// When a slice does not have the length that `p` says.
#[allow(unsafe_code)]
pub fn batch_norm_act(p: Planes, x: &[f32], bn: BatchNorm<'_>, y: &mut [f32]) -> Vec<f32> {
    check(p, &[x.len(), y.len()], &[bn.gamma.len(), bn.beta.len()]);
    let mut stats = vec![0.0; 2 * p.c];
    let count = (p.n * p.len).max(1) as f64;
    let y = Shared::new(y);
    let (means, vars) = stats.split_at_mut(p.c);
    means.par_iter_mut().zip(vars).enumerate().with_max_len(1).for_each(|(c, (mean, var))| {
        let sum: f64 = planes_of(p, c).map(|r| moments(&x[r], 0.0).0).sum();
        *mean = (sum / count) as f32;
        let (first, second) = planes_of(p, c)
            .map(|r| moments(&x[r], *mean))
            .fold((0.0, 0.0), |total, part| (total.0 + part.0, total.1 + part.1));
        *var = ((second - first * first / count) / count).max(0.0) as f32;
        let map = Map::new(bn.map(c, *mean, *var), bn.act);
        for r in planes_of(p, c) {
            // SAFETY: every task writes the planes of its own channel.
            let out = unsafe { y.part(r.start, p.len) };
            apply(&x[r], map, bn.act, out);
        }
    });
    stats
}

/// What [`batch_norm_act`] wrote, again, with the statistics that it returned: the same bits in one pass.
///
/// # Panics
/// When a slice does not have the length that `p` says.
pub fn batch_norm_again(p: Planes, x: &[f32], stats: &[f32], bn: BatchNorm<'_>, y: &mut [f32]) {
    check(p, &[x.len(), y.len()], &[bn.gamma.len(), bn.beta.len(), stats.len() / 2]);
    y.par_chunks_mut(p.len.max(1)).zip(x.par_chunks(p.len.max(1))).enumerate().for_each(|(i, (y, x))| {
        let c = i % p.c;
        apply(x, Map::new(bn.map(c, stats[c], stats[p.c + c]), bn.act), bn.act, y);
    });
}

/// Gradients of [`batch_norm_act`]: writes `dx`, returns `(dgamma, dbeta)`. `stats` is what the forward pass returned.
///
/// # Panics
/// When a slice does not have the length that `p` says.
#[allow(unsafe_code)]
pub fn batch_norm_act_backward(
    p: Planes,
    x: &[f32],
    stats: &[f32],
    bn: BatchNorm<'_>,
    dy: &[f32],
    dx: &mut [f32],
) -> (Vec<f32>, Vec<f32>) {
    check(p, &[x.len(), dy.len(), dx.len()], &[bn.gamma.len(), bn.beta.len(), stats.len() / 2]);
    let (mut dgamma, mut dbeta) = (vec![0.0; p.c], vec![0.0; p.c]);
    let count = (p.n * p.len).max(1) as f64;
    let dx = Shared::new(dx);
    dgamma.par_iter_mut().zip(&mut dbeta).enumerate().with_max_len(1).for_each(|(c, (dgamma, dbeta))| {
        let mean = stats[c];
        let inverse = 1.0 / (stats[p.c + c] + bn.eps).sqrt();
        let map = Map::new(bn.map(c, mean, stats[p.c + c]), bn.act);
        let scale = map.scale;
        let (g, gx) = planes_of(p, c)
            .map(|r| gated_sums(&x[r.clone()], &dy[r], map, bn.act, mean))
            .fold((0.0, 0.0), |total, part| (total.0 + part.0, total.1 + part.1));
        *dbeta = g as f32;
        *dgamma = (gx * f64::from(inverse)) as f32;
        let b = -f64::from(scale) * f64::from(inverse) * f64::from(inverse) * gx / count;
        let offset = -f64::from(scale) * g / count - b * f64::from(mean);
        for r in planes_of(p, c) {
            // SAFETY: every task writes the planes of its own channel.
            let out = unsafe { dx.part(r.start, p.len) };
            input_gradient(&x[r.clone()], &dy[r], map, bn.act, [scale, b as f32, offset as f32], out);
        }
    });
    (dgamma, dbeta)
}

/// The mean of every plane of `x` [planes, len].
///
/// # Panics
/// When `x` does not hold as many planes of `len` as there are `means`.
pub fn plane_means(len: usize, x: &[f32], means: &mut [f32]) {
    assert!(x.len() == len * means.len(), "a slice does not have the planes' length");
    means.par_iter_mut().zip(x.par_chunks(len.max(1))).for_each(|(mean, plane)| {
        *mean = (moments(plane, 0.0).0 / len as f64) as f32;
    });
}

/// `y = act(scale * x + shift)` per channel: a batch normalisation whose statistics are fixed.
///
/// # Panics
/// When a slice does not have the length that `p` says.
pub fn affine_act(p: Planes, x: &[f32], scale: &[f32], shift: &[f32], act: Activation, y: &mut [f32]) {
    check(p, &[x.len(), y.len()], &[scale.len(), shift.len()]);
    y.par_chunks_mut(p.len.max(1)).zip(x.par_chunks(p.len.max(1))).enumerate().for_each(|(i, (y, x))| {
        apply(x, Map::new((scale[i % p.c], shift[i % p.c]), act), act, y);
    });
}

/// Gradients of [`affine_act`]: writes `dx`, returns `(dscale, dshift)`.
///
/// # Panics
/// When a slice does not have the length that `p` says.
#[allow(unsafe_code)]
pub fn affine_act_backward(
    p: Planes,
    x: &[f32],
    scale: &[f32],
    shift: &[f32],
    act: Activation,
    dy: &[f32],
    dx: &mut [f32],
) -> (Vec<f32>, Vec<f32>) {
    check(p, &[x.len(), dy.len(), dx.len()], &[scale.len(), shift.len()]);
    let (mut dscale, mut dshift) = (vec![0.0; p.c], vec![0.0; p.c]);
    let dx = Shared::new(dx);
    dscale.par_iter_mut().zip(&mut dshift).enumerate().with_max_len(1).for_each(|(c, (dscale, dshift))| {
        let map = Map::new((scale[c], shift[c]), act);
        let (mut g, mut gx) = (0.0, 0.0);
        for r in planes_of(p, c) {
            let sums = gated_sums(&x[r.clone()], &dy[r.clone()], map, act, 0.0);
            (g, gx) = (g + sums.0, gx + sums.1);
            // SAFETY: every task writes the planes of its own channel.
            let out = unsafe { dx.part(r.start, p.len) };
            input_gradient(&x[r.clone()], &dy[r], map, act, [scale[c], 0.0, 0.0], out);
        }
        (*dscale, *dshift) = (gx as f32, g as f32);
    });
    (dscale, dshift)
}
