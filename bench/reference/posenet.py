"""Freezes PoseNet's outputs for crates/vibhag-nn/tests/posenet.rs, by running its TensorFlow.js graph node by node.

    python bench/reference/posenet.py posenet.json      # numpy, torch, safetensors

The picture is a formula of row, column and channel that the test computes too. Heat maps are logits.
"""
import base64
import json
import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

OUT = Path(__file__).resolve().parents[2] / "crates/vibhag-nn/tests/reference/posenet.safetensors"
HEIGHT, WIDTH = 129, 161
HEADS = ("heatmap_2", "offset_2", "displacement_fwd_2", "displacement_bwd_2")
torch.set_num_threads(1)


def picture():
    y, x, c = np.meshgrid(np.arange(HEIGHT), np.arange(WIDTH), np.arange(3), indexing="ij")
    return ((x * (3 + c) + y * (7 - 2 * c) + x * y // (5 + c)) % 256).astype(np.float32)


def constants(path, model):
    values = {}
    for group in model["weightsManifest"]:
        data = b"".join((path.parent / shard).read_bytes() for shard in group["paths"])
        start = 0
        for weight in group["weights"]:
            assert weight["dtype"] == "float32" and "quantization" not in weight
            count = int(np.prod(weight["shape"]))
            array = np.frombuffer(data, "<f4", count, start).reshape(weight["shape"])
            values[weight["name"]] = torch.from_numpy(array.copy())
            start += 4 * count
        assert start == len(data)
    return values


def same(x, kernel, stride):
    """TensorFlow's "SAME": output sides are ceil(side / stride); an odd remainder goes to the bottom and right."""
    pads = []
    for side, k in zip(x.shape[:1:-1], kernel[::-1]):
        total = max((-(-side // stride) - 1) * stride + k - side, 0)
        pads += [total // 2, total - total // 2]
    return F.pad(x, pads)


def run(model, values, image):
    text = lambda s: base64.b64decode(s).decode()
    for node in model["modelTopology"]["node"]:
        op, attr = node["op"], node.get("attr", {})
        if op == "Const":
            continue
        if op == "Placeholder":
            values[node["name"]] = image
            continue
        assert op in ("_FusedConv2D", "FusedDepthwiseConv2dNative"), op
        assert text(attr["padding"]["s"]) == "SAME" and text(attr["data_format"]["s"]) == "NHWC"
        assert attr["dilations"]["list"]["i"] == ["1"] * 4
        x, weight, bias = (values[name] for name in node["input"])
        _, stride, other, _ = map(int, attr["strides"]["list"]["i"])
        assert stride == other
        groups = x.shape[1] if op.startswith("FusedDepthwise") else 1
        kernel = weight.permute(2, 3, 0, 1).reshape(-1, 1, *weight.shape[:2]) if groups > 1 else weight.permute(3, 2, 0, 1)
        # In double precision: the reference is the function, not one order of its sums.
        y = F.conv2d(same(x, kernel.shape[2:], stride), kernel.double(), bias.double(), stride=stride, groups=groups)
        fused = [text(s) for s in attr["fused_ops"]["list"]["s"]]
        assert fused in (["BiasAdd"], ["BiasAdd", "Relu6"]), fused
        values[node["name"]] = y.clamp(0, 6) if fused[-1] == "Relu6" else y
    return {head: values[f"MobilenetV1/{head}/BiasAdd"][0].float().contiguous() for head in HEADS}


def main():
    path = Path(sys.argv[1])
    model = json.loads(path.read_text())
    image = torch.from_numpy(picture() / np.float32(127.5) - 1).permute(2, 0, 1)[None].double()
    outputs = run(model, constants(path, model), image)
    for name, value in outputs.items():
        print(name, tuple(value.shape), float(value.min()), float(value.max()))
    save_file(outputs, str(OUT))
    half = {name: value.half().float() for name, value in constants(path, model).items()}
    rounded = run(model, half, image)
    print("with weights of float16:", {name: float((rounded[name] - outputs[name]).abs().max()) for name in outputs})


if __name__ == "__main__":
    main()
