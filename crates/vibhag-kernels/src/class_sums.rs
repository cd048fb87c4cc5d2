//! What cross-entropy, Dice and Tversky need of a batch of logits, in one pass over the memory: the softmax is never
//! stored. Forward and backward.

use rayon::prelude::*;

use crate::shape::Planes;
use crate::simd::{Shared, exp, multiversion, with_scratch};

/// The truth that logits are compared with.
#[derive(Debug, Clone, Copy)]
pub struct Truth<'a> {
    /// Class of every pixel, `[n, len]`. A label that is neither a class nor `ignore` counts as valid and of no class.
    pub labels: &'a [u16],
    /// Label of pixels that do not count.
    pub ignore: u16,
    /// A weight per class for the cross-entropy.
    pub weights: &'a [f32],
    /// Share of the target's mass that is spread evenly over the classes.
    pub smoothing: f32,
}

/// Pixels that are worked on together: their probabilities stay in the first-level cache.
const BLOCK: usize = 128;
/// Pixels of one task.
const RUN: usize = 1 << 13;

/// Length of the result of [`class_sums`].
pub fn class_sums_len(p: Planes) -> usize {
    2 * p.n * p.c + 1
}

fn check(p: Planes, logits: usize, truth: &Truth<'_>) {
    assert!(logits == p.total() && truth.labels.len() == p.n * p.len, "a slice does not have the shape's length");
    assert!(truth.weights.len() == p.c, "cross-entropy needs one weight per class");
}

/// Softmax of `count` pixels into `probabilities` [c][BLOCK]; maxima and logarithms of the sums beside it.
#[inline(always)]
fn softmax(
    z: &[f32],
    [c, len]: [usize; 2],
    [start, count]: [usize; 2],
    probabilities: &mut [f32],
    log_sums: &mut [f32; BLOCK],
) {
    let mut largest = [f32::NEG_INFINITY; BLOCK];
    for k in 0..c {
        for (m, v) in largest.iter_mut().zip(&z[k * len + start..][..count]) {
            *m = if *v > *m { *v } else { *m };
        }
    }
    let mut sums = [0.0f32; BLOCK];
    for (k, line) in probabilities.chunks_exact_mut(BLOCK).enumerate().take(c) {
        let source = &z[k * len + start..][..count];
        for (((p, v), m), sum) in line.iter_mut().zip(source).zip(&largest).zip(&mut sums) {
            *p = exp(v - m);
            *sum += *p;
        }
    }
    for line in probabilities.chunks_exact_mut(BLOCK).take(c) {
        for (p, sum) in line[..count].iter_mut().zip(&sums) {
            *p /= sum;
        }
    }
    for ((log, m), sum) in log_sums.iter_mut().zip(&largest).zip(&sums).take(count) {
        *log = m + sum.ln();
    }
}

/// Sums of one run of pixels: intersections and predictions by class, then the cross-entropy.
#[inline(always)]
fn run_body<const FMA: bool>(
    z: &[f32],
    [c, len]: [usize; 2],
    [start, count]: [usize; 2],
    truth: Truth<'_>,
    out: &mut [f64],
) {
    let spread = truth.smoothing / c as f32;
    with_scratch(c * BLOCK, |probabilities| {
        let mut log_sums = [0.0; BLOCK];
        for at in (start..start + count).step_by(BLOCK) {
            let size = BLOCK.min(start + count - at);
            softmax(z, [c, len], [at, size], probabilities, &mut log_sums);
            let labels = &truth.labels[at..at + size];
            let mut valid = [0.0f32; BLOCK];
            for (v, label) in valid.iter_mut().zip(labels) {
                *v = f32::from(u8::from(*label != truth.ignore));
            }
            for k in 0..c {
                let line = &probabilities[k * BLOCK..][..size];
                let mut predicted = [0.0f32; 8];
                for (i, (p, v)) in line.iter().zip(&valid).enumerate() {
                    predicted[i % 8] += p * v;
                }
                out[2 * k + 1] += f64::from(predicted.iter().sum::<f32>());
                if spread > 0.0 {
                    let logits = &z[k * len + at..][..size];
                    let terms = logits.iter().zip(&log_sums).zip(&valid);
                    let sum: f64 = terms.map(|((v, log), valid)| f64::from((log - v) * valid)).sum();
                    out[2 * c] += f64::from(truth.weights[k] * spread) * sum;
                }
            }
            for (i, &label) in labels.iter().enumerate() {
                let k = usize::from(label);
                if label != truth.ignore && k < c {
                    out[2 * k] += f64::from(probabilities[k * BLOCK + i]);
                    let loss = log_sums[i] - z[k * len + at + i];
                    out[2 * c] += f64::from(truth.weights[k] * (1.0 - truth.smoothing) * loss);
                }
            }
        }
    });
}

multiversion! {
    fn run_sums [] [] (z: &[f32], size: [usize; 2], run: [usize; 2], truth: Truth<'_>, out: &mut [f64]) = run_body
}

/// Sums over the valid pixels of logits `[n, c, len]`: for every image and class the sum of the softmax at pixels of
/// that class and at all pixels (`[n, c, 2]`), then the cross-entropy summed over everything, as
/// `torch.nn.CrossEntropyLoss` weighs and smooths it.
///
/// # Panics
/// When a slice has another length than the shape says.
pub fn class_sums(p: Planes, logits: &[f32], truth: Truth<'_>) -> Vec<f32> {
    check(p, logits.len(), &truth);
    let runs = p.len.div_ceil(RUN);
    let width = 2 * p.c + 1;
    let mut partial = vec![0.0f64; p.n * runs * width];
    partial.par_chunks_mut(width).enumerate().with_max_len(1).for_each(|(i, out)| {
        let (n, start) = (i / runs, i % runs * RUN);
        let image = &logits[n * p.c * p.len..(n + 1) * p.c * p.len];
        let truth = Truth { labels: &truth.labels[n * p.len..(n + 1) * p.len], ..truth };
        run_sums(image, [p.c, p.len], [start, RUN.min(p.len - start)], truth, out);
    });
    let mut sums = vec![0.0f32; class_sums_len(p)];
    let mut entropy = 0.0;
    for (n, parts) in partial.chunks_exact((runs * width).max(1)).enumerate() {
        let mut image = vec![0.0; width];
        for part in parts.chunks_exact(width) {
            image.iter_mut().zip(part).for_each(|(sum, v)| *sum += v);
        }
        for (out, v) in sums[n * 2 * p.c..].iter_mut().zip(&image[..2 * p.c]) {
            *out = *v as f32;
        }
        entropy += image[2 * p.c];
    }
    sums[2 * p.n * p.c] = entropy as f32;
    sums
}

/// The gradient of one run's logits, into the planes of `dz` that start at `origin`.
#[inline(always)]
#[allow(unsafe_code)]
unsafe fn gradient_body<const FMA: bool>(
    z: &[f32],
    [c, len, origin]: [usize; 3],
    [start, count]: [usize; 2],
    truth: Truth<'_>,
    [of_class, of_entropy]: [&[f32]; 2],
    dz: Shared<'_>,
) {
    let spread = truth.smoothing / c as f32;
    let entropy = of_entropy[0];
    let total_weight: f32 = truth.weights.iter().sum();
    with_scratch(c * BLOCK, |probabilities| {
        let mut log_sums = [0.0; BLOCK];
        for at in (start..start + count).step_by(BLOCK) {
            let size = BLOCK.min(start + count - at);
            softmax(z, [c, len], [at, size], probabilities, &mut log_sums);
            let labels = &truth.labels[at..at + size];
            // Per pixel: what is taken off every class's own slope, and whether it counts at all.
            let (mut common, mut valid) = ([0.0f32; BLOCK], [0.0f32; BLOCK]);
            for k in 0..c {
                let slope = of_class[2 * k + 1];
                for (m, p) in common.iter_mut().zip(&probabilities[k * BLOCK..][..size]) {
                    *m += p * slope;
                }
            }
            for (i, &label) in labels.iter().enumerate() {
                let k = usize::from(label);
                valid[i] = f32::from(u8::from(label != truth.ignore));
                let mut mass = total_weight * spread;
                if k < c {
                    common[i] += probabilities[k * BLOCK + i] * of_class[2 * k];
                    mass += truth.weights[k] * (1.0 - truth.smoothing);
                }
                common[i] -= entropy * mass;
            }
            for k in 0..c {
                // SAFETY: every task writes the pixels of its own run.
                let line = unsafe { dz.part(origin + k * len + at, size) };
                let slope = of_class[2 * k + 1];
                let even = entropy * spread * truth.weights[k];
                let terms = probabilities[k * BLOCK..][..size].iter().zip(&common).zip(&valid);
                for (d, ((p, common), valid)) in line.iter_mut().zip(terms) {
                    *d = if *valid > 0.0 { p * (slope - common) - even } else { 0.0 };
                }
            }
            for (i, &label) in labels.iter().enumerate() {
                let k = usize::from(label);
                if label != truth.ignore && k < c {
                    // SAFETY: as above.
                    let d = unsafe { dz.part(origin + k * len + at + i, 1) };
                    let p = probabilities[k * BLOCK + i];
                    d[0] += p * of_class[2 * k] - entropy * truth.weights[k] * (1.0 - truth.smoothing);
                }
            }
        }
    });
}

/// The gradient of the logits, from the gradient of every sum.
///
/// # Panics
/// When a slice has another length than the shape says.
#[allow(unsafe_code)]
pub fn class_sums_backward(p: Planes, logits: &[f32], truth: Truth<'_>, dsums: &[f32], dlogits: &mut [f32]) {
    check(p, logits.len(), &truth);
    assert!(dsums.len() == class_sums_len(p) && dlogits.len() == logits.len(), "a gradient has another length");
    let runs = p.len.div_ceil(RUN);
    let (of_class, of_entropy) = dsums.split_at(2 * p.n * p.c);
    let dz = Shared::new(dlogits);
    (0..p.n * runs).into_par_iter().with_max_len(1).for_each(|i| {
        let (n, start) = (i / runs, i % runs * RUN);
        let origin = n * p.c * p.len;
        let image = &logits[origin..origin + p.c * p.len];
        let truth = Truth { labels: &truth.labels[n * p.len..(n + 1) * p.len], ..truth };
        let slopes = [&of_class[n * 2 * p.c..(n + 1) * 2 * p.c], of_entropy];
        let run = [start, RUN.min(p.len - start)];
        // SAFETY: every task owns the pixels of its own run in every plane of its image.
        unsafe { gradients(image, [p.c, p.len, origin], run, truth, slopes, dz) };
    });
}

/// [`gradient_body`] for the running CPU.
///
/// # Safety
/// No other live reference may overlap the run's pixels in `dz`.
#[allow(unsafe_code)]
unsafe fn gradients(
    z: &[f32],
    size: [usize; 3],
    run: [usize; 2],
    truth: Truth<'_>,
    slopes: [&[f32]; 2],
    dz: Shared<'_>,
) {
    #[cfg(target_arch = "x86_64")]
    {
        #[target_feature(enable = "avx2,fma")]
        unsafe fn wide(
            z: &[f32],
            size: [usize; 3],
            run: [usize; 2],
            truth: Truth<'_>,
            slopes: [&[f32]; 2],
            dz: Shared<'_>,
        ) {
            // SAFETY: passed on.
            unsafe { gradient_body::<true>(z, size, run, truth, slopes, dz) }
        }
        if crate::simd::has_avx2() {
            // SAFETY: the features were just detected; the rest is passed on.
            return unsafe { wide(z, size, run, truth, slopes, dz) };
        }
    }
    // SAFETY: passed on.
    unsafe { gradient_body::<{ crate::simd::PORTABLE_FMA }>(z, size, run, truth, slopes, dz) }
}
