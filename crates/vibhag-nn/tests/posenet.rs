//! PoseNet with the weights that come with it gives the maps of the published graph, which
//! bench/reference/posenet.py ran node by node.

#![allow(clippy::unwrap_used)] // Helpers of tests are tests, which clippy cannot see.

use std::path::Path;

use burn::tensor::{Device, Tensor, TensorData};
use vibhag_nn::import::tfjs::GraphModel;
use vibhag_nn::posenet::from_tfjs;
use vibhag_nn::weights::{from_bytes, load_pretrained_encoder};
use vibhag_nn::{Burn, NetworkConfig, PoseNet};

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

#[test]
fn the_encoder_that_networks_are_built_on_is_its_body() {
    let device = Device::flex();
    let config = NetworkConfig::new("fpn", Some("mobilenet-v1"), 3, 1).unwrap();
    let network = load_pretrained_encoder(&config.init(&device, 3).unwrap()).unwrap();
    let x: Tensor<4> = Tensor::from_data(TensorData::new(picture(), [1, 3, HEIGHT, WIDTH]), &device);
    let values = |map: Tensor<4>| map.into_data().try_to_vec::<f32>().unwrap();
    let maps = network.encoder().forward(&mut Burn, x.clone(), false).into_maps();
    let sizes: Vec<[usize; 4]> = maps.iter().map(Tensor::dims).collect();
    assert_eq!(sizes, [[1, 48, 65, 81], [1, 96, 33, 41], [1, 192, 17, 21], [1, 384, 9, 11]]);
    let body = PoseNet::pretrained(&device).unwrap().body().forward(&mut Burn, x);
    assert_eq!(values(maps[3].clone()), values(body.coarsest));
    // The stem takes other numbers of channels, as those of other encoders do.
    let grey = NetworkConfig::new("unet", Some("mobilenet-v1"), 1, 1).unwrap();
    load_pretrained_encoder(&grey.init(&device, 3).unwrap()).unwrap();
}

/// The published graph, where it lies beside the checkout.
#[test]
fn what_ships_is_what_the_published_graph_holds() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/weights/posenet/posenet.json");
    if !path.is_file() {
        eprintln!("skipped: no {}", path.display());
        return;
    }
    let mut tensors = from_tfjs(&GraphModel::read(&path).unwrap()).unwrap();
    let mut shipped = from_bytes(include_bytes!("../weights/posenet.safetensors")).unwrap();
    tensors.sort_by(|a, b| a.name.cmp(&b.name));
    shipped.sort_by(|a, b| a.name.cmp(&b.name));
    assert!(tensors == shipped);
}
