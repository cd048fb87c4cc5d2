//! Sums of the softmax and the cross-entropy against their definition in double precision, and AdamW.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use vibhag_kernels::{AdamW, Planes, Truth, adamw, class_sums, class_sums_backward, class_sums_len};

const SHAPES: [Planes; 4] = [
    Planes { n: 1, c: 2, len: 1 },
    Planes { n: 2, c: 3, len: 131 },
    Planes { n: 2, c: 11, len: 8192 + 77 },
    Planes { n: 1, c: 40, len: 300 },
];

struct Case {
    p: Planes,
    logits: Vec<f32>,
    labels: Vec<u16>,
    weights: Vec<f32>,
    smoothing: f32,
}

impl Case {
    fn new(p: Planes, smoothing: f32) -> Self {
        let logits = (0..p.total()).map(|i| ((i * 7919 % 2003) as f32 / 100.0) - 10.0).collect();
        // Labels run past the classes: one label is void, one belongs to no class.
        let labels = (0..p.n * p.len).map(|i| (i * 31 % (p.c + 2)) as u16).collect();
        let weights = (0..p.c).map(|k| 0.5 + k as f32 / 7.0).collect();
        Self { p, logits, labels, weights, smoothing }
    }

    fn truth(&self) -> Truth<'_> {
        Truth { labels: &self.labels, ignore: self.p.c as u16, weights: &self.weights, smoothing: self.smoothing }
    }

    /// For every valid pixel: image, position, label, and the softmax.
    fn pixels(&self) -> Vec<(usize, usize, usize, Vec<f64>)> {
        let Planes { n, c, len } = self.p;
        let mut found = Vec::new();
        for image in 0..n {
            for at in 0..len {
                let label = usize::from(self.labels[image * len + at]);
                if label == c {
                    continue;
                }
                let z: Vec<f64> = (0..c).map(|k| f64::from(self.logits[(image * c + k) * len + at])).collect();
                let largest = z.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let sum: f64 = z.iter().map(|z| (z - largest).exp()).sum();
                found.push((image, at, label, z.iter().map(|z| (z - largest).exp() / sum).collect()));
            }
        }
        found
    }

    /// What multiplies `-ln p` of class `k` at a pixel of `label`.
    fn coefficient(&self, k: usize, label: usize) -> f64 {
        let s = f64::from(self.smoothing);
        f64::from(self.weights[k]) * (f64::from(u8::from(k == label)) * (1.0 - s) + s / self.p.c as f64)
    }
}

fn assert_close(ours: &[f32], truth: &[f64], limit: f64, what: &str) {
    assert_eq!(ours.len(), truth.len());
    let largest = truth.iter().fold(1e-3f64, |m, v| m.max(v.abs()));
    for (i, (a, b)) in ours.iter().zip(truth).enumerate() {
        assert!((f64::from(*a) - b).abs() <= limit * largest, "{what} {i}: {a} against {b}");
    }
}

#[test]
fn sums_and_gradients_equal_the_definition() {
    for p in SHAPES {
        for smoothing in [0.0, 0.1] {
            let case = Case::new(p, smoothing);
            let count = class_sums_len(p);
            let slopes: Vec<f32> = (0..count).map(|i| ((i * 13 % 29) as f32 - 14.0) / 9.0).collect();
            let mut sums = vec![0.0; count];
            let mut gradient = vec![0.0; p.total()];
            for (image, at, label, probabilities) in case.pixels() {
                let slope = |k: usize| {
                    let own = if k == label { f64::from(slopes[2 * (image * p.c + k)]) } else { 0.0 };
                    own + f64::from(slopes[2 * (image * p.c + k) + 1])
                };
                let mean: f64 = probabilities.iter().enumerate().map(|(k, p)| p * slope(k)).sum();
                let mass: f64 = (0..p.c).map(|k| case.coefficient(k, label)).sum();
                for (k, &probability) in probabilities.iter().enumerate() {
                    if k == label {
                        sums[2 * (image * p.c + k)] += probability;
                    }
                    sums[2 * (image * p.c + k) + 1] += probability;
                    sums[count - 1] -= case.coefficient(k, label) * probability.ln();
                    gradient[(image * p.c + k) * p.len + at] = probability * (slope(k) - mean)
                        + f64::from(slopes[count - 1]) * (mass * probability - case.coefficient(k, label));
                }
            }
            assert_close(&class_sums(p, &case.logits, case.truth()), &sums, 1e-5, "sum");
            let mut ours = vec![f32::NAN; p.total()];
            class_sums_backward(p, &case.logits, case.truth(), &slopes, &mut ours);
            assert_close(&ours, &gradient, 1e-5, "gradient");
        }
    }
}

#[test]
fn the_bits_do_not_depend_on_the_number_of_threads() {
    let case = Case::new(SHAPES[2], 0.05);
    let run = |threads: usize| {
        rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(|| {
            let sums = class_sums(case.p, &case.logits, case.truth());
            let mut gradient = vec![0.0; case.logits.len()];
            class_sums_backward(case.p, &case.logits, case.truth(), &sums, &mut gradient);
            [sums, gradient].concat().iter().map(|v| v.to_bits()).collect::<Vec<_>>()
        })
    };
    let one = run(1);
    assert!(one == run(2) && one == run(4));
}

#[test]
fn huge_logits_stay_finite() {
    let p = Planes { n: 1, c: 2, len: 2 };
    let truth = Truth { labels: &[0, 1], ignore: 255, weights: &[1.0, 1.0], smoothing: 0.0 };
    let sums = class_sums(p, &[1e4, -1e4, -1e4, 1e4], truth);
    assert!(sums.iter().all(|v| v.is_finite()), "{sums:?}");
    assert!(sums[4].abs() < 1e-3);
}

#[test]
fn adamw_follows_its_definition() {
    let count = 20_000;
    let values = |seed: usize| -> Vec<f32> { (0..count).map(|i| ((i * seed) % 1000) as f32 / 1000.0).collect() };
    let (mut p, g, mut m, mut v) = (values(7), values(11), values(13), values(17));
    let s = AdamW { rate: 0.1, keep: 0.99, beta1: 0.9, beta2: 0.95, correction: 0.5, epsilon: 1e-8 };
    let expected: Vec<[f64; 3]> = (0..count)
        .map(|i| {
            let [p, g, m, v] = [p[i], g[i], m[i], v[i]].map(f64::from);
            let m = 0.9 * m + 0.1 * g;
            let v = 0.95 * v + 0.05 * g * g;
            [0.99 * p - 0.1 * m / (v.sqrt() / 0.5 + 1e-8), m, v]
        })
        .collect();
    adamw(&mut p, &g, &mut m, &mut v, s);
    for (i, [ep, em, ev]) in expected.into_iter().enumerate() {
        for (ours, truth) in [(p[i], ep), (m[i], em), (v[i], ev)] {
            assert!((f64::from(ours) - truth).abs() <= 1e-4 * truth.abs().max(1e-2), "{i}: {ours} against {truth}");
        }
    }
}
