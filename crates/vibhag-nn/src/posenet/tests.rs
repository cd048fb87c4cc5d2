use super::*;

#[test]
fn the_weights_that_come_with_it_fit_and_are_given_back() {
    let network = PoseNet::pretrained(&Device::flex()).unwrap();
    let mut tensors = network.named_tensors().unwrap();
    let mut shipped = crate::weights::from_bytes(POSENET.bytes).unwrap();
    tensors.sort_by(|a, b| a.name.cmp(&b.name));
    shipped.sort_by(|a, b| a.name.cmp(&b.name));
    assert!(tensors == shipped);
    assert_eq!(network.parameters(), shipped.iter().map(|tensor| tensor.values.len()).sum::<usize>());
}

#[test]
fn tensors_that_do_not_fit_are_named() {
    let mut tensors = PoseNet::pretrained(&Device::flex()).unwrap().named_tensors().unwrap();
    tensors[0].name = "stem.bias".into();
    tensors[3].shape.swap(0, 1);
    let error = PoseNet::from_tensors(tensors, &Device::flex()).unwrap_err().to_string();
    for word in ["1 missing: Conv2d_0.bias", "1 unexpected: stem.bias", "Conv2d_1_depthwise.weight is [24, 1, 3, 3]"] {
        assert!(error.contains(word), "{error}");
    }
}

#[test]
fn maps_have_a_cell_for_sixteen_pixels() {
    let network = PoseNet::pretrained(&Device::flex()).unwrap();
    for (height, width, rows, columns) in [(33, 49, 3, 4), (1, 1, 1, 1), (32, 50, 2, 4)] {
        let maps = network.forward(Tensor::zeros([2, 3, height, width], &Device::flex()));
        assert_eq!(maps.dims(), [2, PoseNet::OUT_CHANNELS, rows, columns]);
    }
}
