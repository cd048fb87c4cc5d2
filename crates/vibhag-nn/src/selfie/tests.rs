use super::*;

#[test]
fn the_weights_that_come_with_it_fit_and_are_given_back() {
    let network = SelfieNet::pretrained(&Device::flex()).unwrap();
    let mut tensors = network.named_tensors().unwrap();
    let mut shipped = crate::weights::from_bytes(SELFIE.bytes).unwrap();
    tensors.sort_by(|a, b| a.name.cmp(&b.name));
    shipped.sort_by(|a, b| a.name.cmp(&b.name));
    assert!(tensors == shipped);
    assert_eq!(network.parameters(), shipped.iter().map(|tensor| tensor.values.len()).sum::<usize>());
}

#[test]
fn damaged_weights_are_an_error() {
    let device = Device::flex();
    for end in [0, 7, 8, 500, SELFIE.bytes.len() / 2, SELFIE.bytes.len() - 1] {
        let loaded = crate::weights::from_bytes(&SELFIE.bytes[..end]);
        assert!(loaded.is_err(), "{end} bytes");
    }
    let mut tensors = SelfieNet::pretrained(&device).unwrap().named_tensors().unwrap();
    let at = |tensors: &[NamedTensor], name: &str| tensors.iter().position(|tensor| tensor.name == name).unwrap();
    let first = at(&tensors, "conv2d.bias");
    tensors[first].name = "stem.bias".into();
    let deep = at(&tensors, "depthwise_conv2d_3.weight");
    tensors[deep].shape.swap(0, 1);
    let last = at(&tensors, "segment.weight");
    tensors[last].values.pop();
    let error = SelfieNet::from_tensors(tensors, &device).unwrap_err().to_string();
    for word in [
        "1 missing: conv2d.bias",
        "1 unexpected: stem.bias",
        "depthwise_conv2d_3.weight is [96, 1, 5, 5]",
        "segment.weight",
    ] {
        assert!(error.contains(word), "{error}");
    }
}

#[test]
fn a_pixel_has_a_logit_at_any_size_of_sixteens() {
    let network = SelfieNet::pretrained(&Device::flex()).unwrap();
    for [height, width] in [[16, 16], [64, 48]] {
        let logits = network.forward(Tensor::zeros([2, 3, height, width], &Device::flex()));
        assert_eq!(logits.dims(), [2, 1, height, width]);
    }
}
