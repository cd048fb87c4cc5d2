use std::sync::{Mutex, PoisonError};

use burn::tensor::{Device, Distribution};

use super::*;

/// The switch is global: tests that turn it take turns.
static SWITCH: Mutex<()> = Mutex::new(());

/// Values of the output and of every input's gradient, with our kernels and with burn's own operations.
fn both(inputs: &[Vec<usize>], f: impl Fn(&[Tensor<1>], &[Vec<usize>]) -> Tensor<4>) -> [Vec<Vec<f32>>; 2] {
    let device = Device::flex().autodiff();
    let flat: Vec<Tensor<1>> = inputs
        .iter()
        .map(|s| Tensor::<1>::random([s.iter().product::<usize>()], Distribution::Uniform(-1.0, 1.0), &device))
        .map(|t| Tensor::from_inner(t.inner()))
        .collect();
    let guard = SWITCH.lock().unwrap_or_else(PoisonError::into_inner);
    let results = [true, false].map(|on| {
        set_kernels_enabled(on);
        let leaves: Vec<Tensor<1>> = flat.iter().map(|t| t.clone().detach().require_grad()).collect();
        let y = f(&leaves, inputs);
        let weights = Tensor::arange(0..y.shape().num_elements() as i64, &device).float().reshape(y.dims()).sin();
        let grads = (y.clone() * weights).sum().backward();
        let mut all = vec![y.into_data().try_to_vec::<f32>().unwrap()];
        all.extend(leaves.iter().map(|l| l.grad(&grads).unwrap().into_data().try_to_vec::<f32>().unwrap()));
        all
    });
    set_kernels_enabled(true);
    drop(guard);
    results
}

fn assert_close([ours, theirs]: [Vec<Vec<f32>>; 2]) {
    assert_eq!(ours.len(), theirs.len());
    for (i, (a, b)) in ours.iter().zip(&theirs).enumerate() {
        assert_eq!(a.len(), b.len());
        let largest = b.iter().fold(1e-2f32, |m, v| m.max(v.abs()));
        let error = a.iter().zip(b).fold(0.0f32, |e, (a, b)| e.max((a - b).abs())) / largest;
        assert!(error < 1e-4, "value {i}: {error}");
    }
}

fn shaped<const D: usize>(t: &Tensor<1>, s: &[usize]) -> Tensor<D> {
    t.clone().reshape::<D, _>(std::array::from_fn::<usize, D, _>(|i| s[i]))
}

#[test]
fn convolutions_equal_burns_own() {
    let cases = [
        (vec![2, 5, 13, 18], vec![7, 5, 3, 3], ConvOptions::new([1, 1], [1, 1], [1, 1], 1)),
        (vec![2, 5, 13, 18], vec![7, 5, 1, 1], ConvOptions::new([1, 1], [0, 0], [1, 1], 1)),
        (vec![1, 3, 16, 18], vec![4, 3, 3, 3], ConvOptions::new_with_padding([2, 2], [(0, 1); 2], [1, 1], 1)),
        (vec![2, 6, 17, 12], vec![6, 1, 5, 5], ConvOptions::new([2, 2], [2, 2], [1, 1], 6)),
        (vec![2, 4, 9, 12], vec![6, 2, 3, 3], ConvOptions::new([1, 1], [1, 1], [1, 1], 2)),
        (vec![1, 4, 15, 12], vec![6, 4, 3, 3], ConvOptions::new([1, 1], [2, 2], [2, 2], 1)),
    ];
    for (x, w, options) in cases {
        let bias = vec![w[0]];
        assert_close(both(&[x.clone(), w.clone()], |t, s| {
            conv2d(shaped(&t[0], &s[0]), shaped(&t[1], &s[1]), None, options.clone())
        }));
        assert_close(both(&[x, w, bias], |t, s| {
            conv2d(shaped(&t[0], &s[0]), shaped(&t[1], &s[1]), Some(t[2].clone()), options.clone())
        }));
    }
}

#[test]
fn normalisation_with_activation_equals_burns_own() {
    for activation in [
        Activation::Identity,
        Activation::Relu,
        Activation::Relu6,
        Activation::Silu,
        Activation::HardSwish,
        Activation::Sigmoid,
    ] {
        let sizes = [vec![3, 5, 7, 9], vec![5], vec![5]];
        assert_close(both(&sizes, |t, s| {
            batch_norm_act(shaped(&t[0], &s[0]), t[1].clone(), t[2].clone(), 1e-3, activation).0
        }));
        assert_close(both(&sizes, |t, s| affine_act(shaped(&t[0], &s[0]), t[1].clone(), t[2].clone(), activation)));
    }
}

#[test]
fn upsampling_with_skip_equals_burns_own() {
    assert_close(both(&[vec![2, 3, 5, 7]], |t, s| upsample2x_concat(shaped(&t[0], &s[0]), None)));
    assert_close(both(&[vec![2, 3, 5, 7], vec![2, 4, 10, 14]], |t, s| {
        upsample2x_concat(shaped(&t[0], &s[0]), Some(shaped(&t[1], &s[1])))
    }));
}

#[test]
fn bilinear_upsampling_equals_burns_own() {
    for x in [vec![2, 3, 5, 7], vec![1, 2, 1, 6], vec![1, 2, 6, 1], vec![1, 1, 1, 1], vec![1, 1, 2, 40]] {
        assert_close(both(&[x], |t, s| upsample_bilinear2x(shaped(&t[0], &s[0]))));
    }
}

#[test]
fn joining_maps_equals_burns_own() {
    assert_close(both(&[vec![2, 3, 5, 7], vec![2, 4, 5, 7]], |t, s| {
        concat(shaped(&t[0], &s[0]), shaped(&t[1], &s[1]))
    }));
}

#[test]
fn transposed_convolutions_equal_burns_own() {
    for (x, w) in [(vec![2, 5, 7, 9], vec![5, 3, 2, 2]), (vec![1, 70, 3, 40], vec![70, 20, 2, 2])] {
        assert_close(both(&[x, w.clone(), vec![w[1]]], |t, s| {
            conv_transpose2x2(shaped(&t[0], &s[0]), shaped(&t[1], &s[1]), t[2].clone())
        }));
    }
}

#[test]
fn max_pooling_equals_burns_own() {
    for x in [vec![2, 3, 8, 10], vec![1, 2, 7, 5], vec![1, 1, 2, 2]] {
        assert_close(both(&[x], |t, s| max_pool2x2(shaped(&t[0], &s[0]))));
    }
}

#[test]
fn unpooling_equals_burns_own() {
    assert_close(both(&[vec![2, 3, 4, 5], vec![2, 3, 8, 10]], |t, s| {
        let reference = shaped(&t[1], &s[1]);
        // The reference gets a gradient of its own, which must be the only one.
        max_unpool2x2(shaped(&t[0], &s[0]), reference.clone()) + reference
    }));
}

#[test]
fn batch_statistics_are_the_means_and_biased_variances() {
    let device = Device::flex();
    let x = Tensor::<4>::random([3, 2, 5, 6], Distribution::Normal(4.0, 2.0), &device);
    let (_, mean, variance) =
        batch_norm_act(x.clone(), Tensor::ones([2], &device), Tensor::zeros([2], &device), 1e-5, Activation::Relu);
    let rows = x.swap_dims(0, 1).reshape([2, 90]);
    let expected_mean = rows.clone().mean_dim(1);
    let expected = (rows - expected_mean.clone()).powf_scalar(2.0).mean_dim(1);
    let gap = (mean - expected_mean.reshape([2])).abs().max().into_scalar::<f32>()
        + (variance - expected.reshape([2])).abs().max().into_scalar::<f32>();
    assert!(gap < 1e-4, "{gap}");
}
