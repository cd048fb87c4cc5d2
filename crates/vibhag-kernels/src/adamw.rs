//! One step of AdamW (Loshchilov and Hutter, "Decoupled weight decay regularization", ICLR 2019) in one pass over the
//! memory.

use rayon::prelude::*;

use crate::simd::multiversion;

/// The numbers of one step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamW {
    /// Learning rate over the first moment's bias correction.
    pub rate: f32,
    /// What decoupled weight decay leaves of a parameter, 1 minus learning rate times decay.
    pub keep: f32,
    /// Decay of the first moment.
    pub beta1: f32,
    /// Decay of the second moment.
    pub beta2: f32,
    /// Bias correction of the second moment's root.
    pub correction: f32,
    /// Added to the root of the second moment.
    pub epsilon: f32,
}

/// Elements of one task.
const CHUNK: usize = 1 << 14;

#[inline(always)]
fn step_body<const FMA: bool>(p: &mut [f32], g: &[f32], m: &mut [f32], v: &mut [f32], s: AdamW) {
    for (((p, g), m), v) in p.iter_mut().zip(g).zip(m).zip(v) {
        *m = *m * s.beta1 + g * (1.0 - s.beta1);
        *v = *v * s.beta2 + g * g * (1.0 - s.beta2);
        *p = *p * s.keep - *m / (v.sqrt() / s.correction + s.epsilon) * s.rate;
    }
}

multiversion! {
    fn step [] [] (p: &mut [f32], g: &[f32], m: &mut [f32], v: &mut [f32], s: AdamW) = step_body
}

/// Moves the parameters and both moments.
///
/// # Panics
/// When the lengths differ.
pub fn adamw(parameters: &mut [f32], gradient: &[f32], first: &mut [f32], second: &mut [f32], s: AdamW) {
    let count = parameters.len();
    assert!(gradient.len() == count && first.len() == count && second.len() == count, "lengths differ");
    parameters
        .par_chunks_mut(CHUNK)
        .zip(gradient.par_chunks(CHUNK))
        .zip(first.par_chunks_mut(CHUNK))
        .zip(second.par_chunks_mut(CHUNK))
        .for_each(|(((p, g), m), v)| step(p, g, m, v, s));
}
