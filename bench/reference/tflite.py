"""Writes small TensorFlow Lite models for the tests of crates/vibhag-nn/src/import/tflite, with the FlatBuffers library and
the schema of that format: one with every operator that is understood, and copies with one thing changed.

    python bench/reference/tflite.py      # numpy, flatbuffers, ai-edge-litert (for the schema)
"""
import base64
import json
from pathlib import Path

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

OUT = Path(__file__).resolve().parents[2] / "crates/vibhag-nn/tests/reference/tflite.json"
SAME, VALID = 0, 1
FLOAT, HALF, INTEGER = 0, 1, 2


class Graph:
    def __init__(self):
        self.model, self.graph = schema.ModelT(), schema.SubGraphT()
        self.model.version, self.model.subgraphs, self.model.operatorCodes = 3, [self.graph], []
        self.model.buffers = [schema.BufferT()]
        self.graph.tensors, self.graph.operators, self.kinds = [], [], {}

    def tensor(self, name, shape, kind=FLOAT, values=None):
        tensor = schema.TensorT()
        tensor.name, tensor.shape, tensor.type, tensor.buffer = name, list(shape), kind, 0
        if values is not None:
            buffer = schema.BufferT()
            dtype = {FLOAT: "<f4", HALF: "<f2", INTEGER: "<i4"}[kind]
            buffer.data = np.frombuffer(np.asarray(values).astype(dtype).tobytes(), np.uint8)
            self.model.buffers.append(buffer)
            tensor.buffer = len(self.model.buffers) - 1
        self.graph.tensors.append(tensor)
        return len(self.graph.tensors) - 1

    def operator(self, kind, inputs, output, options=None, custom=None, bytes=None):
        if kind not in self.kinds:
            code = schema.OperatorCodeT()
            code.builtinCode, code.deprecatedBuiltinCode, code.version = kind, min(kind, 127), 1
            code.customCode = custom
            self.kinds[kind] = len(self.model.operatorCodes)
            self.model.operatorCodes.append(code)
        operator = schema.OperatorT()
        operator.opcodeIndex, operator.inputs, operator.outputs = self.kinds[kind], list(inputs), [output]
        if options is not None:
            operator.builtinOptions = options
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, type(options).__name__[:-1])
        if bytes is not None:
            operator.customOptions = np.frombuffer(bytes, np.uint8)
        self.graph.operators.append(operator)
        return operator

    def half(self, name, shape, values):
        """A constant of 16 bits that an operator unpacks."""
        packed = self.tensor(name, shape, HALF, values)
        unpacked = self.tensor(name + "_float", shape)
        self.operator(schema.BuiltinOperator.DEQUANTIZE, [packed], unpacked)
        return unpacked

    def bytes(self):
        builder = flatbuffers.Builder(1024)
        builder.Finish(self.model.Pack(builder), b"TFL3")
        return bytes(builder.Output())


def convolution(cls, stride, padding):
    options = cls()
    options.strideW = options.strideH = stride
    options.padding, options.fusedActivationFunction = padding, 0
    options.dilationWFactor = options.dilationHFactor = 1
    if cls is schema.DepthwiseConv2DOptionsT:
        options.depthMultiplier = 1
    return options


def build():
    g, ops = Graph(), schema.BuiltinOperator
    count = lambda shape, first=0: np.arange(first, first + np.prod(shape)).reshape(shape)
    x = g.tensor("image", [1, 4, 4, 2])
    kernels, bias = g.half("k", [3, 3, 3, 2], count([3, 3, 3, 2])), g.half("b", [3], [0.5, -1, 2])
    sums = g.tensor("conv", [1, 2, 2, 3])
    g.conv = g.operator(ops.CONV_2D, [x, kernels, bias], sums, convolution(schema.Conv2DOptionsT, 2, SAME))
    a = g.tensor("swish", [1, 2, 2, 3])
    g.operator(ops.HARD_SWISH, [sums], a)
    kernels, bias = g.tensor("dk", [1, 2, 3, 3], FLOAT, count([1, 2, 3, 3], 100)), g.half("db", [3], [1, 2, 3])
    sums = g.tensor("deep", [1, 2, 2, 3])
    options = convolution(schema.DepthwiseConv2DOptionsT, 1, SAME)
    g.deep = g.operator(ops.DEPTHWISE_CONV_2D, [a, kernels, bias], sums, options)
    b = g.tensor("relu", [1, 2, 2, 3])
    g.operator(ops.RELU, [sums], b)
    mean = g.tensor("mean", [1, 1, 1, 3])
    pool = schema.Pool2DOptionsT()
    pool.padding, pool.strideW, pool.strideH, pool.filterWidth, pool.filterHeight = VALID, 2, 2, 2, 2
    g.pool = g.operator(ops.AVERAGE_POOL_2D, [b], mean, pool)
    kernels, bias = g.half("gk", [3, 1, 1, 3], count([3, 3])), g.half("gb", [3], [0, 0, 1])
    sums = g.tensor("gate", [1, 1, 1, 3])
    g.gate = g.operator(ops.CONV_2D, [mean, kernels, bias], sums, convolution(schema.Conv2DOptionsT, 1, VALID))
    gate = g.tensor("sigmoid", [1, 1, 1, 3])
    g.operator(ops.LOGISTIC, [sums], gate)
    product, total = g.tensor("product", [1, 2, 2, 3]), g.tensor("sum", [1, 2, 2, 3])
    g.operator(ops.MUL, [b, gate], product, schema.MulOptionsT())
    g.add = g.operator(ops.ADD, [product, a], total, schema.AddOptionsT())
    large, size = g.tensor("large", [1, 4, 4, 3]), g.tensor("size", [2], INTEGER, [4, 4])
    resize = schema.ResizeBilinearOptionsT()
    resize.alignCorners, resize.halfPixelCenters = False, True
    g.resize = g.operator(ops.RESIZE_BILINEAR, [total, size], large, resize)
    kernels, bias = g.half("uk", [1, 2, 2, 3], count([1, 2, 2, 3])), g.half("ub", [1], [7])
    out = g.tensor("out", [1, 8, 8, 1])
    plan = np.array([1, 2, 2], "<i4").tobytes()
    g.up = g.operator(ops.CUSTOM, [large, kernels, bias], out, None, b"Convolution2DTransposeBias", plan)
    g.graph.inputs, g.graph.outputs = [x], [out]
    return g


def changed(change):
    graph = build()
    change(graph)
    return graph.bytes()


def put(name, **values):
    def change(graph):
        for key, value in values.items():
            setattr(getattr(graph, name).builtinOptions, key, value)

    return change


def half_of(graph, name):
    tensor = next(tensor for tensor in graph.graph.tensors if tensor.name == name)
    return tensor, graph.model.buffers[tensor.buffer]


def quantized(graph):
    half_of(graph, "dk")[0].type = 9


def infinite(graph):
    half_of(graph, "b")[1].data = np.array([0, 0x3C, 0, 0x7C, 0, 0], np.uint8)


def short(graph):
    half_of(graph, "k")[1].data = half_of(graph, "k")[1].data[:-2]


def another_custom(graph):
    graph.model.operatorCodes[graph.up.opcodeIndex].customCode = b"Other"


def tanh(graph):
    code = graph.model.operatorCodes[graph.add.opcodeIndex]
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.TANH


def main():
    models = {
        "good": lambda graph: None,
        "valid padding": put("conv", padding=VALID),
        "strides": put("conv", strideW=1),
        "dilation": put("deep", dilationHFactor=2),
        "multiplier": put("deep", depthMultiplier=2),
        "fused": put("conv", fusedActivationFunction=1),
        "fused sum": put("add", fusedActivationFunction=3),
        "part": put("pool", filterWidth=1),
        "corners": put("resize", alignCorners=True),
        "edges": put("resize", halfPixelCenters=False),
        "quantized": quantized,
        "infinite": infinite,
        "short": short,
        "bias": lambda graph: graph.up.inputs.__setitem__(2, graph.gate.inputs[2]),
        "custom": another_custom,
        "tanh": tanh,
        "unlisted": lambda graph: graph.gate.inputs.__setitem__(1, 999),
        "two outputs": lambda graph: graph.graph.outputs.append(0),
        "no graph": lambda graph: graph.model.subgraphs.clear(),
    }
    text = {name: base64.b64encode(changed(change)).decode() for name, change in models.items()}
    OUT.write_text(json.dumps(text, indent=0) + "\n")


if __name__ == "__main__":
    main()
