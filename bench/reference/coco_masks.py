"""Freezes the masks that pycocotools makes of polygons: run with numpy and pycocotools installed.

    python bench/reference/coco_masks.py

Writes crates/vibhag-imaging/tests/reference/coco_masks.json.
"""

import json
from pathlib import Path

import numpy as np
from pycocotools import mask

rng = np.random.default_rng(20261126)


def case(name, width, height, parts):
    merged = mask.merge(mask.frPyObjects(parts, height, width))
    return {
        "name": name, "width": width, "height": height, "parts": parts,
        "counts": merged["counts"].decode(), "area": int(mask.area(merged)),
    }


def points(n, low, high, decimals=2):
    return np.round(rng.uniform(low, high, (n, 2)), decimals)


cases = []
for index in range(60):
    width, height = int(rng.integers(1, 40)), int(rng.integers(1, 40))
    side = max(width, height)
    ranges = [(0, side), (-0.7 * side, 1.7 * side), (-3, 3), (side - 2, side + 2), (-20 * side, 20 * side)]
    low, high = ranges[index % 5]
    parts = []
    for _ in range(int(rng.integers(1, 4))):
        corners = points(int(rng.integers(3, 12)), low, high, int(rng.integers(0, 4)))
        # Every third is star-shaped, the others cross themselves.
        if index % 3 == 0:
            centre = corners.mean(axis=0)
            corners = corners[np.argsort(np.arctan2(*(corners - centre).T))]
        parts.append(corners.ravel().tolist())
    cases.append(case("random", width, height, parts))

square = [2.0, 2.0, 8.0, 2.0, 8.0, 8.0, 2.0, 8.0]
cases += [
    case("wholly left of the image", 12, 10, [[-9.0, 1, -2, 1, -2, 6, -9, 6]]),
    case("wholly below the image", 12, 10, [[1.0, 12, 8, 12, 8, 20, 1, 20]]),
    case("wholly right of the image", 12, 10, [[13.0, 1, 18, 1, 18, 6, 13, 6]]),
    case("wholly above the image", 12, 10, [[1.0, -8, 6, -8, 6, -1, 1, -1]]),
    case("covers the image", 12, 10, [[-50.0, -50, 50, -50, 50, 50, -50, 50]]),
    case("the image exactly", 12, 10, [[0.0, 0, 12, 0, 12, 10, 0, 10]]),
    case("a bow tie", 12, 10, [[1.0, 1, 11, 9, 11, 1, 1, 9]]),
    case("a star crossing itself", 20, 20, [[10.0, 1, 15, 18, 1, 7, 19, 7, 5, 18]]),
    case("zero area", 12, 10, [[1.0, 1, 9, 7, 1, 1, 9, 7]]),
    case("one point three times", 12, 10, [[4.0, 4, 4, 4, 4, 4]]),
    case("three points on a line", 12, 10, [[1.0, 1, 5, 5, 9, 9]]),
    case("a horizontal line", 12, 10, [[1.0, 4, 9, 4, 5, 4]]),
    case("a vertical line", 12, 10, [[4.0, 1, 4, 9, 4, 5]]),
    case("smaller than a pixel", 12, 10, [[4.1, 4.1, 4.3, 4.1, 4.2, 4.3]]),
    case("smaller than a pixel around a middle", 12, 10, [[4.4, 4.4, 4.6, 4.4, 4.6, 4.6, 4.4, 4.6]]),
    case("repeated points", 12, 10, [[2.0, 2, 2, 2, 8, 2, 8, 2, 8, 8, 8, 8, 2, 8, 2, 8, 2, 2]]),
    case("closed twice", 12, 10, [square + square]),
    case("backwards", 12, 10, [[2.0, 2, 2, 8, 8, 8, 8, 2]]),
    case("two equal parts", 12, 10, [square, square]),
    case("a part inside another", 12, 10, [square, [4.0, 4, 6, 4, 6, 6, 4, 6]]),
    case("halves of pixels", 12, 10, [[2.5, 2.5, 8.5, 2.5, 8.5, 8.5, 2.5, 8.5]]),
    case("fifths of pixels", 12, 10, [[2.1, 2.3, 8.5, 2.7, 8.9, 8.1, 2.3, 8.5]]),
    case("just outside zero", 12, 10, [[-0.1, -0.1, 4, -0.09, 4, 4, -0.11, 4]]),
    case("steep across the border", 12, 10, [[-2.0, -30, 3, 40, 5, 41, 1, -29]]),
    case("one pixel image", 1, 1, [[0.0, 0, 1, 0, 1, 1, 0, 1]]),
    case("one column", 1, 9, [[0.0, 2, 1, 2, 1, 7, 0, 7]]),
    case("one row", 9, 1, [[2.0, 0, 7, 0, 7, 1, 2, 1]]),
    case("large coordinates", 12, 10, [[-1e6, -1e6, 1e6, -9e5, 1e6, 1e6]]),
    case("a needle", 30, 30, [[1.0, 1, 29, 28.7, 28.8, 29]]),
]
turns = np.linspace(0, 30, 200)
spiral = np.stack([25 + turns * np.cos(turns) * 0.9, 25 + turns * np.sin(turns) * 0.9], axis=1)
cases.append(case("a spiral", 50, 50, [np.round(spiral, 2).ravel().tolist()]))

target = Path(__file__).resolve().parents[2] / "crates/vibhag-imaging/tests/reference/coco_masks.json"
target.write_text("[\n" + ",\n".join(json.dumps(c) for c in cases) + "\n]\n")
