"""Freezes the output of MediaPipe's selfie segmentation for crates/vibhag-nn/tests/selfie.rs, by running its TensorFlow Lite
file in the interpreter of that format.

    python bench/reference/selfie.py selfie_segmentation.tflite      # numpy, safetensors, flatbuffers, ai-edge-litert

The pictures are formulas of row, column and channel that the test computes too. `person` is a head over shoulders. What is
kept are logits, which show more than probabilities near 0 and 1: the file's output is set to what its sigmoid reads.
"""
import sys
from pathlib import Path

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter
from safetensors.numpy import save_file

OUT = Path(__file__).resolve().parents[2] / "crates/vibhag-nn/tests/reference/selfie.safetensors"
SIDE, STEP = 256, 3


def pattern():
    y, x, c = np.meshgrid(np.arange(SIDE), np.arange(SIDE), np.arange(3), indexing="ij")
    return (x * (3 + c) + y * (7 - 2 * c) + x * y // (5 + c)) % 256


def person():
    y, x = np.meshgrid(np.arange(SIDE), np.arange(SIDE), indexing="ij")
    inside = lambda cx, cy, rx, ry: (x - cx) ** 2 * ry**2 + (y - cy) ** 2 * rx**2 <= rx**2 * ry**2
    picture = np.empty((SIDE, SIDE, 3), int)
    picture[:] = 120, 150, 170
    # The furthest first.
    picture[inside(128, 272, 72, 112)] = 60, 60, 120
    picture[(112 <= x) & (x < 144) & (128 <= y) & (y < 172)] = 205, 160, 130
    picture[inside(128, 92, 36, 56)] = 225, 180, 150
    picture[(y < 76) & inside(128, 76, 42, 52)] = 50, 35, 25
    picture[inside(110, 88, 3, 3) | inside(146, 88, 3, 3)] = 30, 20, 20
    return picture


def without_sigmoid(path):
    content = bytearray(path.read_bytes())
    graph = schema.Model.GetRootAs(content, 0).Subgraphs(0)
    last = graph.Operators(graph.OperatorsLength() - 1)
    outputs = graph.OutputsAsNumpy()
    assert last.OutputsAsNumpy()[0] == outputs[0]
    outputs[0] = last.InputsAsNumpy()[0]
    return bytes(content)


def main():
    interpreter = Interpreter(model_content=without_sigmoid(Path(sys.argv[1])), num_threads=1)
    interpreter.allocate_tensors()
    (into,), (out,) = interpreter.get_input_details(), interpreter.get_output_details()
    outputs = {}
    for name, picture in (("pattern", pattern()), ("person", person()), ("both", (3 * person() + pattern()) // 4)):
        interpreter.set_tensor(into["index"], (picture[None] / 255).astype(np.float32))
        interpreter.invoke()
        # Every third row and column is enough to compare, and less to keep.
        outputs[name] = np.ascontiguousarray(interpreter.get_tensor(out["index"])[0, ::STEP, ::STEP, 0])
        print(name, outputs[name].shape, outputs[name].min(), outputs[name].max(), outputs[name].mean())
    save_file(outputs, str(OUT))


if __name__ == "__main__":
    main()
