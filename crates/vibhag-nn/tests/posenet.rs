//! PoseNet with the weights that come with it gives the maps of the published graph, which
//! bench/reference/posenet.py ran node by node.

#![allow(clippy::unwrap_used)] // Helpers of tests are tests, which clippy cannot see.

use burn::tensor::{Device, Tensor, TensorData};
use vibhag_nn::PoseNet;
use vibhag_nn::weights::from_bytes;

const HEIGHT: usize = 129;
const WIDTH: usize = 161;
const HEADS: [&str; 4] = ["heatmap_2", "offset_2", "displacement_fwd_2", "displacement_bwd_2"];

/// The script's picture as planes on the scale from -1 to 1.
fn picture() -> Vec<f32> {
    let value =
        |c: usize, y: usize, x: usize| ((x * (3 + c) + y * (7 - 2 * c) + x * y / (5 + c)) % 256) as f32 / 127.5 - 1.0;
    (0..3).flat_map(|c| (0..HEIGHT).flat_map(move |y| (0..WIDTH).map(move |x| value(c, y, x)))).collect()
}

#[test]
fn maps_are_those_of_the_published_graph() {
    let device = Device::flex();
    let network = PoseNet::pretrained(&device).unwrap();
    let x: Tensor<4> = Tensor::from_data(TensorData::new(picture(), [1, 3, HEIGHT, WIDTH]), &device);
    let maps = network.forward(x);
    assert_eq!(maps.dims(), [1, PoseNet::OUT_CHANNELS, 9, 11]);
    let found = maps.into_data().try_to_vec::<f32>().unwrap();

    let reference = from_bytes(include_bytes!("reference/posenet.safetensors")).unwrap();
    let mut start = 0;
    for head in HEADS {
        let expected = reference.iter().find(|tensor| tensor.name == head).unwrap();
        let own = &found[start..][..expected.values.len()];
        start += own.len();
        let largest = own.iter().zip(&expected.values).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        println!("{head}: largest difference {largest:e}");
        assert!(own.iter().all(|value| value.is_finite()) && largest <= 1e-3, "{head}: {largest}");
    }
    assert_eq!(start, found.len());
}
