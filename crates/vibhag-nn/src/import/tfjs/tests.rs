use super::*;
use crate::ops::Activation;

const SAME: &str = "U0FNRQ==";
const NHWC: &str = "TkhXQw==";
const BIAS_ADD: &str = "Qmlhc0FkZA==";
const RELU6: &str = "UmVsdTY=";

/// A graph of an input, a convolution [1, 2, 3, 2] with a bias and a depthwise one [2, 1, 2, 2].
fn model() -> serde_json::Value {
    let node = |name: &str, op: &str, input: &[&str]| {
        let fused: &[&str] = if op == "_FusedConv2D" { &[BIAS_ADD, RELU6] } else { &[BIAS_ADD] };
        serde_json::json!({ "name": name, "op": op, "input": input, "attr": {
            "padding": { "s": SAME }, "data_format": { "s": NHWC }, "dilations": { "list": { "i": ["1", "1", "1", "1"] } },
            "strides": { "list": { "i": ["1", "2", "2", "1"] } }, "fused_ops": { "list": { "s": fused } },
        }})
    };
    let constant = |name: &str, shape: &[usize]| {
        let sides: Vec<_> = shape.iter().map(|side| serde_json::json!({ "size": side.to_string() })).collect();
        let tensor = serde_json::json!({ "tensor": { "tensorShape": { "dim": sides } } });
        serde_json::json!({ "name": name, "op": "Const", "attr": { "value": tensor } })
    };
    let weight = |name: &str, shape: &[usize]| serde_json::json!({ "name": name, "shape": shape, "dtype": "float32" });
    serde_json::json!({
        "format": "graph-model",
        "generatedBy": "nobody",
        "modelTopology": { "node": [
            { "name": "image", "op": "Placeholder", "attr": {} },
            constant("k", &[1, 2, 3, 2]), constant("b", &[2]), constant("d", &[2, 1, 2, 2]), constant("e", &[4]),
            node("conv", "_FusedConv2D", &["image", "k", "b"]),
            node("deep", "FusedDepthwiseConv2dNative", &["conv", "d", "e"]),
        ]},
        "weightsManifest": [
            { "paths": ["w.bin", "v.bin"], "weights": [weight("k", &[1, 2, 3, 2]), weight("b", &[2]), weight("d", &[2, 1, 2, 2])] },
            { "paths": ["e.bin"], "weights": [weight("e", &[4])] },
        ],
    })
}

/// Writes the model, whose weights count up from 0, and reads it.
fn read(model: &serde_json::Value, change: impl FnOnce(&mut Vec<f32>)) -> Result<GraphModel> {
    let folder = tempfile::tempdir().unwrap();
    let mut values: Vec<f32> = (0..22).map(|value| value as f32).collect();
    change(&mut values);
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    // In the middle of a value.
    std::fs::write(folder.path().join("w.bin"), &bytes[..30]).unwrap();
    std::fs::write(folder.path().join("v.bin"), &bytes[30..]).unwrap();
    std::fs::write(folder.path().join("e.bin"), [0; 16]).unwrap();
    let path = folder.path().join("model.json");
    std::fs::write(&path, model.to_string()).unwrap();
    GraphModel::read(&path)
}

#[track_caller]
fn assert_fails(model: &serde_json::Value, change: impl FnOnce(&mut Vec<f32>), words: &[&str]) {
    let error = read(model, change).unwrap_err().to_string();
    assert!(words.iter().all(|word| error.contains(word)), "{error}");
}

/// The model with another value at a JSON pointer.
fn with(pointer: &str, value: serde_json::Value) -> serde_json::Value {
    let mut model = model();
    *model.pointer_mut(pointer).unwrap() = value;
    model
}

#[test]
fn kernels_are_brought_into_our_order_across_files() {
    let graph = read(&model(), |_| {}).unwrap();
    assert_eq!(graph.operations().collect::<Vec<_>>(), ["conv", "deep"]);

    let conv = graph.convolution("conv").unwrap();
    assert_eq!((conv.input.as_str(), conv.stride, conv.depthwise), ("image", 2, false));
    assert_eq!((conv.activation, conv.weight.shape.as_slice()), (Activation::Relu6, [2, 3, 1, 2].as_slice()));
    // [h, w, i, o] holds 6 w + 2 i + o.
    assert_eq!(conv.weight.values, [0.0, 6.0, 2.0, 8.0, 4.0, 10.0, 1.0, 7.0, 3.0, 9.0, 5.0, 11.0]);
    assert_eq!(conv.bias.values, [12.0, 13.0]);

    let deep = graph.convolution("deep").unwrap();
    assert_eq!((deep.depthwise, deep.activation), (true, Activation::Identity));
    assert_eq!(deep.weight.shape, [4, 1, 2, 1]);
    // [h, w, c, m] holds 14 + 4 h + 2 c + m.
    assert_eq!(deep.weight.values, [14.0, 18.0, 15.0, 19.0, 16.0, 20.0, 17.0, 21.0]);
}

#[test]
fn damaged_weights_are_named() {
    assert_fails(&model(), |values| values.truncate(20), &["model.json", "d takes 32 bytes", "24 are left"]);
    assert_fails(&model(), |values| values.push(1.0), &["w.bin, v.bin: 4 bytes"]);
    assert_fails(&model(), |values| values[13] = f32::NAN, &["model.json", "b, value 1: NaN"]);
    let missing = with("/weightsManifest/1/paths/0", "f.bin".into());
    assert_fails(&missing, |_| {}, &["f.bin"]);
    for path in ["../e.bin", "/e.bin", "a/e.bin", ""] {
        assert_fails(&with("/weightsManifest/1/paths/0", path.into()), |_| {}, &["beside the model"]);
    }
}

#[test]
fn what_is_not_understood_is_refused() {
    let weights = |key: &str, value: serde_json::Value| {
        let mut model = model();
        model["weightsManifest"][0]["weights"][1][key] = value;
        model
    };
    assert_fails(&weights("dtype", "int32".into()), |_| {}, &["type int32", "(b)"]);
    assert_fails(&weights("quantization", serde_json::json!({ "dtype": "uint8" })), |_| {}, &["quantised"]);
    assert_fails(&weights("name", "k".into()), |_| {}, &["two tensors", "(k)"]);
    assert_fails(&weights("shape", serde_json::json!([u64::MAX, 9])), |_| {}, &["impossible size"]);
    assert_fails(&with("/format", "layers-model".into()), |_| {}, &["layers-model"]);
    assert_fails(&serde_json::json!({}), |_| {}, &["not a TensorFlow.js graph model"]);
    assert_fails(&with("/modelTopology/node/1/name", "z".into()), |_| {}, &["without weights", "(z)"]);
    let shape = with("/modelTopology/node/2/attr/value/tensor/tensorShape/dim/0/size", "3".into());
    assert_fails(&shape, |_| {}, &["two shapes", "[2]"]);

    let node = |pointer: &str, value: serde_json::Value| {
        let model = with(&format!("/modelTopology/node/5/{pointer}"), value);
        read(&model, |_| {}).unwrap().convolution("conv").unwrap_err().to_string()
    };
    assert!(node("op", "Conv2D".into()).contains("op: Conv2D"));
    assert!(node("attr/padding/s", "VkFMSUQ=".into()).contains("VALID"));
    assert!(node("attr/strides/list/i/1", "1".into()).contains("1 and 2"));
    assert!(node("attr/dilations/list/i/1", "2".into()).contains("dilations: [1, 2, 1, 1]"));
    assert!(node("attr/fused_ops/list/s/1", "RWx1".into()).contains("BiasAdd, Elu"));
    assert!(node("input/2", "image".into()).contains("no constant"));
    assert!(node("input/2", "e".into()).contains("do not fit"));
    let error = read(&model(), |_| {}).unwrap().convolution("other").unwrap_err().to_string();
    assert!(error.contains("model.json") && error.contains("other"), "{error}");
}
