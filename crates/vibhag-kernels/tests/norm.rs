//! Batch normalisation and upsampling against double precision.

mod common;

use common::noise;
use proptest::prelude::*;
use vibhag_kernels::{
    Activation, BatchNorm, Planes, batch_norm_act, batch_norm_act_backward, batch_norm_again, upsample2x_concat,
    upsample2x_concat_backward,
};

const ACTIVATIONS: [Activation; 6] = [
    Activation::None,
    Activation::Relu,
    Activation::Relu6,
    Activation::Silu,
    Activation::HardSwish,
    Activation::Sigmoid,
];

fn act(kind: Activation, z: f64) -> f64 {
    match kind {
        Activation::None => z,
        Activation::Relu => z.max(0.0),
        Activation::Relu6 => z.clamp(0.0, 6.0),
        Activation::Silu => z / (1.0 + (-z).exp()),
        Activation::HardSwish => z * (z + 3.0).clamp(0.0, 6.0) / 6.0,
        Activation::Sigmoid => 1.0 / (1.0 + (-z).exp()),
    }
}

/// The forward pass in double precision.
fn reference(p: Planes, x: &[f64], gamma: &[f64], beta: &[f64], kind: Activation) -> Vec<f64> {
    let mut y = vec![0.0; x.len()];
    for c in 0..p.c {
        let at: Vec<usize> = (0..p.n).flat_map(|n| (0..p.len).map(move |i| (n * p.c + c) * p.len + i)).collect();
        let mean = at.iter().map(|&i| x[i]).sum::<f64>() / at.len() as f64;
        let var = at.iter().map(|&i| (x[i] - mean).powi(2)).sum::<f64>() / at.len() as f64;
        for &i in &at {
            y[i] = act(kind, (x[i] - mean) / (var + 1e-3).sqrt() * gamma[c] + beta[c]);
        }
    }
    y
}

fn wide(x: &[f32]) -> Vec<f64> {
    x.iter().map(|v| f64::from(*v)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn normalisation_equals_double_precision(n in 1usize..4, c in 1usize..5, len in 2usize..90, offset in -50.0f32..50.0) {
        let p = Planes { n, c, len };
        let x: Vec<f32> = noise(p.total(), 1).iter().map(|v| v + offset).collect();
        let gamma: Vec<f32> = noise(c, 2).iter().map(|v| 4.0 * v).collect();
        let beta = noise(c, 3);
        for kind in ACTIVATIONS {
            let bn = BatchNorm { gamma: &gamma, beta: &beta, eps: 1e-3, act: kind };
            let mut y = vec![f32::NAN; x.len()];
            let stats = batch_norm_act(p, &x, bn, &mut y);
            prop_assert_eq!(stats.len(), 2 * c);
            let truth = reference(p, &wide(&x), &wide(&gamma), &wide(&beta), kind);
            for (a, b) in y.iter().zip(&truth) {
                prop_assert!((f64::from(*a) - b).abs() < 2e-4, "{a} {b}");
            }
            let mut again = vec![f32::NAN; x.len()];
            batch_norm_again(p, &x, &stats, bn, &mut again);
            prop_assert_eq!(again, y);
        }
    }
}

#[test]
fn gradients_of_the_normalisation_equal_finite_differences() {
    let p = Planes { n: 2, c: 2, len: 37 };
    let (x, dy) = (noise(p.total(), 4), noise(p.total(), 5));
    let (gamma, beta) = ([1.5f32, -0.7], [0.3f32, 0.1]);
    for kind in ACTIVATIONS {
        let bn = BatchNorm { gamma: &gamma, beta: &beta, eps: 1e-3, act: kind };
        let (mut y, mut dx) = (vec![0.0; x.len()], vec![0.0; x.len()]);
        let stats = batch_norm_act(p, &x, bn, &mut y);
        let (dgamma, dbeta) = batch_norm_act_backward(p, &x, &stats, bn, &dy, &mut dx);
        let (x, dy, gamma, beta) = (wide(&x), wide(&dy), wide(&gamma), wide(&beta));
        let loss = |x: &[f64], gamma: &[f64], beta: &[f64]| {
            reference(p, x, gamma, beta, kind).iter().zip(&dy).map(|(a, b)| a * b).sum::<f64>()
        };
        let slope = |values: &[f64], i: usize, f: &dyn Fn(&[f64]) -> f64| {
            let (mut up, mut down) = (values.to_vec(), values.to_vec());
            up[i] += 1e-6;
            down[i] -= 1e-6;
            (f(&up) - f(&down)) / 2e-6
        };
        for (i, ours) in dx.iter().enumerate() {
            let truth = slope(&x, i, &|x| loss(x, &gamma, &beta));
            assert!((f64::from(*ours) - truth).abs() < 1e-3, "{kind:?} {i}: {ours} {truth}");
        }
        for c in 0..2 {
            let g = slope(&gamma, c, &|gamma| loss(&x, gamma, &beta));
            let b = slope(&beta, c, &|beta| loss(&x, &gamma, beta));
            assert!((f64::from(dgamma[c]) - g).abs() < 1e-3 && (f64::from(dbeta[c]) - b).abs() < 1e-3);
        }
    }
}

#[test]
fn upsampling_repeats_pixels_and_its_backward_pass_is_adjoint() {
    let (n, c, s, h, w) = (2, 3, 2, 3, 5);
    let (x, skip) = (noise(n * c * h * w, 6), noise(n * s * 4 * h * w, 7));
    let mut y = vec![f32::NAN; n * (c + s) * 4 * h * w];
    upsample2x_concat([n, c, h, w], s, &x, &skip, &mut y);
    let at = |b: usize, k: usize, i: usize, j: usize| y[((b * (c + s) + k) * 2 * h + i) * 2 * w + j];
    for (b, k, i, j) in [(0, 0, 0, 0), (1, 2, 5, 9), (1, 1, 3, 4)] {
        assert_eq!(at(b, k, i, j), x[((b * c + k) * h + i / 2) * w + j / 2]);
        assert_eq!(at(b, c + 1, i, j), skip[((b * s + 1) * 2 * h + i) * 2 * w + j]);
    }
    let dy = noise(y.len(), 8);
    let (mut dx, mut dskip) = (vec![f32::NAN; x.len()], vec![f32::NAN; skip.len()]);
    upsample2x_concat_backward([n, c, h, w], s, &dy, &mut dx, &mut dskip);
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
    assert!((dot(&y, &dy) - dot(&x, &dx) - dot(&skip, &dskip)).abs() < 1e-4);
}
