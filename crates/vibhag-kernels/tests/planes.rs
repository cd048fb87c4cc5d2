//! Pooling, unpooling, resizing, transposed convolution and prepared convolutions against direct definitions.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use common::noise;
use proptest::prelude::*;
use vibhag_kernels::{
    Activation, ConvShape, PreparedConv, PreparedUp, UpShape, add_act, algorithm, conv_transpose2x2,
    conv_transpose2x2_backward_bias, conv_transpose2x2_backward_data, conv_transpose2x2_backward_weights, forward,
    max_pool, max_pool2x2_backward, max_pool2x2_with_indices, plane_means, unpool2x2, upsample_bilinear2x,
    upsample_nearest2x,
};

fn largest(values: &[f64]) -> f64 {
    values.iter().fold(1e-3f64, |m, v| m.max(v.abs()))
}

fn assert_close(ours: &[f32], truth: &[f64], what: &str) {
    assert_close_to_scale(ours, truth, largest(truth), what);
}

fn assert_close_to_scale(ours: &[f32], truth: &[f64], largest: f64, what: &str) {
    assert_eq!(ours.len(), truth.len());
    let error = ours.iter().zip(truth).fold(0.0f64, |e, (a, b)| e.max((f64::from(*a) - b).abs()));
    assert!(error <= 1e-5 * largest, "{what}: {error} of {largest}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn transposed_convolutions_equal_the_direct_sum(
        n in 1usize..3, cin in 1usize..40, cout in 1usize..20, h in 1usize..20, w in 1usize..50,
    ) {
        let s = UpShape { n, cin, cout, h, w };
        let (x, k, dy) = (noise(s.input_len(), 1), noise(s.weight_len(), 2), noise(s.output_len(), 3));
        let bias = noise(cout, 4);
        let mut y_true = vec![0.0; dy.len()];
        let (mut dx_true, mut dw_true, mut db_true) = (vec![0.0; x.len()], vec![0.0; k.len()], vec![0.0; cout]);
        for o in 0..y_true.len() {
            let (column, row) = (o % (2 * w), o / (2 * w) % (2 * h));
            let (channel, image) = (o / (4 * w * h) % cout, o / (4 * w * h * cout));
            y_true[o] += f64::from(bias[channel]);
            db_true[channel] += f64::from(dy[o]);
            for c in 0..cin {
                let i = ((image * cin + c) * h + row / 2) * w + column / 2;
                let at = ((c * cout + channel) * 2 + row % 2) * 2 + column % 2;
                y_true[o] += f64::from(x[i]) * f64::from(k[at]);
                dx_true[i] += f64::from(dy[o]) * f64::from(k[at]);
                dw_true[at] += f64::from(dy[o]) * f64::from(x[i]);
            }
        }
        let mut y = vec![f32::NAN; dy.len()];
        conv_transpose2x2(&s, &x, &k, Some(&bias), &mut y);
        assert_close(&y, &y_true, "forward");
        let mut dx = vec![f32::NAN; x.len()];
        conv_transpose2x2_backward_data(&s, &k, &dy, &mut dx);
        assert_close(&dx, &dx_true, "backward data");
        let mut dw = vec![f32::NAN; k.len()];
        conv_transpose2x2_backward_weights(&s, &x, &dy, &mut dw);
        assert_close(&dw, &dw_true, "backward weights");
        assert_close(&conv_transpose2x2_backward_bias(&s, &dy), &db_true, "backward bias");
        if n == 1 {
            let mut prepared = vec![f32::NAN; y.len()];
            PreparedUp::new([cin, cout], [h, w], &k, bias).run(&x, &mut prepared);
            prop_assert_eq!(prepared, y);
        }
    }

    #[test]
    fn prepared_convolutions_add_bias_and_residual_and_bound(
        kind in 0usize..4, cin in 1usize..20, cout in 1usize..20, h in 1usize..24, w in 1usize..60,
    ) {
        let base = ConvShape {
            n: 1, cin, h, w, cout, kernel: [3, 3], stride: [1, 1], padding: [1; 4], dilation: [1, 1], groups: 1,
        };
        let s = match kind {
            0 => base,
            1 => ConvShape { kernel: [1, 1], padding: [0; 4], ..base },
            2 => ConvShape { cout: cin, groups: cin, ..base },
            _ => ConvShape { stride: [2, 2], ..base },
        };
        prop_assume!(algorithm(&s).is_some());
        let (x, k, residual) = (noise(s.input_len(), 5), noise(s.weight_len(), 6), noise(s.output_len(), 7));
        let bias = noise(s.cout, 8);
        let mut sums = vec![0.0; residual.len()];
        forward(&s, &x, &k, Some(&bias), &mut sums);
        for act in [
            Activation::None, Activation::Relu, Activation::Relu6, Activation::Silu, Activation::HardSwish, Activation::Sigmoid,
        ] {
            let truth_of = |z: f64| match act {
                Activation::None => z,
                Activation::Relu => z.max(0.0),
                Activation::Relu6 => z.clamp(0.0, 6.0),
                Activation::Silu => z / (1.0 + (-z).exp()),
                Activation::HardSwish => z * (z + 3.0).clamp(0.0, 6.0) / 6.0,
                Activation::Sigmoid => 1.0 / (1.0 + (-z).exp()),
            };
            let conv = PreparedConv::new(s, &k, bias.clone(), act).unwrap();
            for with in [false, true] {
                let mut y = vec![f32::NAN; sums.len()];
                conv.run(&x, with.then_some(&residual), &mut y);
                let before: Vec<f64> =
                    sums.iter().zip(&residual).map(|(v, r)| f64::from(if with { v + r } else { *v })).collect();
                let truth: Vec<f64> = before.iter().map(|&z| truth_of(z)).collect();
                // Sums of another order differ by their own size, which a sigmoid hides.
                assert_close_to_scale(&y, &truth, largest(&before), "prepared");
            }
        }
    }

    #[test]
    fn pooling_takes_the_largest_and_its_gradient_goes_there(
        c in 1usize..4, h in 2usize..20, w in 2usize..40, kernel in 2usize..4,
    ) {
        let x = noise(c * h * w, 9);
        let padding = kernel - 2;
        let side = |length: usize| (length + 2 * padding - kernel) / 2 + 1;
        let (ho, wo) = (side(h), side(w));
        let mut y = vec![f32::NAN; c * ho * wo];
        max_pool([c, h, w], kernel, 2, padding, &x, &mut y);
        let mut winners = vec![0usize; y.len()];
        for (o, v) in y.iter().enumerate() {
            let (channel, oy, ox) = (o / (ho * wo), o / wo % ho, o % wo);
            let mut best = f32::NEG_INFINITY;
            for ky in 0..kernel {
                for kx in 0..kernel {
                    let (iy, ix) = ((2 * oy + ky).wrapping_sub(padding), (2 * ox + kx).wrapping_sub(padding));
                    if iy < h && ix < w && x[(channel * h + iy) * w + ix] > best {
                        best = x[(channel * h + iy) * w + ix];
                        winners[o] = (channel * h + iy) * w + ix;
                    }
                }
            }
            prop_assert_eq!(*v, best);
        }
        if kernel == 2 {
            let dy = noise(y.len(), 10);
            let mut wanted = vec![0.0; x.len()];
            winners.iter().zip(&dy).for_each(|(&i, d)| wanted[i] += d);
            let mut dx = vec![f32::NAN; x.len()];
            max_pool2x2_backward([c, h, w], &x, &dy, &mut dx);
            prop_assert_eq!(dx, wanted);
            let (mut again, mut indices) = (vec![f32::NAN; y.len()], vec![0; y.len()]);
            max_pool2x2_with_indices([c, h, w], &x, &mut again, &mut indices);
            prop_assert_eq!(&again, &y);
            let planes: Vec<usize> = indices.iter().enumerate()
                .map(|(o, &i)| o / (ho * wo) * h * w + i as usize)
                .collect();
            prop_assert_eq!(planes, winners);
        }
    }
}

#[test]
fn unpooling_puts_values_back_where_they_were() {
    let x: Vec<f32> = noise(2 * 6 * 8, 11).iter().map(|v| v + 2.0).collect();
    let (mut pooled, mut indices) = (vec![0.0; 2 * 3 * 4], vec![0; 2 * 3 * 4]);
    max_pool2x2_with_indices([2, 6, 8], &x, &mut pooled, &mut indices);
    let mut back = vec![f32::NAN; x.len()];
    unpool2x2([2, 3, 4], &pooled, &indices, &mut back);
    for (o, (v, original)) in back.iter().zip(&x).enumerate() {
        let kept = indices.iter().skip(o / 48 * 12).take(12).any(|&i| i as usize == o % 48);
        assert_eq!(*v, if kept { *original } else { 0.0 });
    }
}

#[test]
fn doubling_by_repetition_and_between_pixel_centres() {
    let x = [0.0, 4.0, 8.0, 16.0];
    let mut y = vec![0.0; 16];
    upsample_nearest2x([1, 2, 2], &x, &mut y);
    assert_eq!(y, [0.0, 0.0, 4.0, 4.0, 0.0, 0.0, 4.0, 4.0, 8.0, 8.0, 16.0, 16.0, 8.0, 8.0, 16.0, 16.0]);
    upsample_bilinear2x([1, 2, 2], &x, &mut y);
    // As torch.nn.functional.interpolate(mode="bilinear", align_corners=False) gives them.
    assert_eq!(y, [0.0, 1.0, 3.0, 4.0, 2.0, 3.25, 5.75, 7.0, 6.0, 7.75, 11.25, 13.0, 8.0, 10.0, 14.0, 16.0]);
    let mut line = vec![0.0; 8];
    upsample_bilinear2x([1, 1, 2], &[1.0, 5.0], &mut line);
    assert_eq!(line, [1.0, 2.0, 4.0, 5.0, 1.0, 2.0, 4.0, 5.0]);
}

#[test]
fn sums_are_bounded() {
    let mut out = vec![0.0; 3];
    add_act(&[1.0, 5.0, -3.0], &[1.0, 4.0, 1.0], Activation::Relu6, &mut out);
    assert_eq!(out, [2.0, 6.0, 0.0]);
}

#[test]
fn means_are_those_of_planes() {
    let x = noise(3 * 5000, 12);
    let mut means = [f32::NAN; 3];
    plane_means(5000, &x, &mut means);
    let truth: Vec<f64> = x.chunks(5000).map(|p| p.iter().map(|&v| f64::from(v)).sum::<f64>() / 5000.0).collect();
    assert_close(&means, &truth, "means");
    plane_means(1, &x[..3], &mut means);
    assert_eq!(means, x[..3]);
}
