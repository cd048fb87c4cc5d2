//! Every version of the vector code gives what the widest gives. A process of its own: the limit is global.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use common::noise;
use vibhag_kernels::{
    Activation, BatchNorm, ConvShape, Instructions, Planes, UpShape, algorithms, batch_norm_act,
    batch_norm_act_backward, conv_transpose2x2, conv_transpose2x2_backward_data, conv_transpose2x2_backward_weights,
    upsample_bilinear2x, use_at_most,
};

const BASE: ConvShape = ConvShape {
    n: 2,
    cin: 24,
    h: 36,
    w: 44,
    cout: 40,
    kernel: [3, 3],
    stride: [1, 1],
    padding: [1; 4],
    dilation: [1, 1],
    groups: 1,
};

const SHAPES: [ConvShape; 5] = [
    BASE,
    ConvShape { n: 1, cin: 190, h: 9, w: 8, cout: 170, ..BASE },
    ConvShape { cin: 30, h: 13, w: 21, cout: 50, kernel: [1, 1], padding: [0; 4], ..BASE },
    ConvShape { cin: 12, h: 33, w: 40, cout: 12, kernel: [5, 5], stride: [2, 2], padding: [2; 4], groups: 12, ..BASE },
    ConvShape { n: 1, cin: 3, h: 33, w: 40, cout: 12, kernel: [7, 7], stride: [2, 2], padding: [3; 4], ..BASE },
];

/// The results of every kernel that has several versions.
fn everything() -> Vec<Vec<f32>> {
    let mut all = Vec::new();
    for s in &SHAPES {
        let (x, w, dy) = (noise(s.input_len(), 1), noise(s.weight_len(), 2), noise(s.output_len(), 3));
        for how in algorithms(s) {
            let (mut y, mut dx, mut dw) = (dy.clone(), x.clone(), w.clone());
            how.forward(s, &x, &w, None, &mut y);
            how.backward_data(s, &w, &dy, &mut dx);
            how.backward_weights(s, &x, &dy, &mut dw);
            all.extend([y, dx, dw]);
        }
    }
    let s = UpShape { n: 2, cin: 22, cout: 9, h: 7, w: 11 };
    let (x, w, dy) = (noise(s.input_len(), 4), noise(s.weight_len(), 5), noise(s.output_len(), 6));
    let (mut y, mut dx, mut dw) = (dy.clone(), x.clone(), w.clone());
    conv_transpose2x2(&s, &x, &w, None, &mut y);
    conv_transpose2x2_backward_data(&s, &w, &dy, &mut dx);
    conv_transpose2x2_backward_weights(&s, &x, &dy, &mut dw);
    all.extend([y, dx, dw]);
    for act in [Activation::Relu6, Activation::Silu, Activation::HardSwish, Activation::Sigmoid] {
        let p = Planes { n: 2, c: 3, len: 101 };
        let (x, dy) = (noise(p.total(), 7), noise(p.total(), 8));
        let bn = BatchNorm { gamma: &[1.0, 2.0, -0.5], beta: &[0.1, 0.0, 0.3], eps: 1e-3, act };
        let (mut y, mut dx) = (x.clone(), x.clone());
        let stats = batch_norm_act(p, &x, bn, &mut y);
        let (dgamma, dbeta) = batch_norm_act_backward(p, &x, &stats, bn, &dy, &mut dx);
        all.extend([y, stats, dx, dgamma, dbeta]);
    }
    let mut y = vec![0.0; 4 * 2 * 9 * 13];
    upsample_bilinear2x([2, 9, 13], &noise(2 * 9 * 13, 9), &mut y);
    all.push(y);
    all
}

#[test]
fn narrower_instructions_give_the_same() {
    let widest = everything();
    for instructions in [Instructions::Avx2, Instructions::Portable] {
        use_at_most(instructions);
        for (i, (a, b)) in everything().iter().zip(&widest).enumerate() {
            let largest = b.iter().fold(1e-3f32, |m, v| m.max(v.abs()));
            let error = a.iter().zip(b).fold(0.0f32, |e, (a, b)| e.max((a - b).abs())) / largest;
            assert!(error < 5e-5, "{instructions:?}, result {i}: {error}");
        }
    }
}
