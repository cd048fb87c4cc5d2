"""Freezes scikit-image's regionprops for crates/vibhag-imaging/src/regions: needs numpy, scipy and scikit-image.

    python bench/reference/regions.py

Writes crates/vibhag-imaging/tests/reference/regions.json.
"""

import json
from pathlib import Path

import numpy as np
from scipy import ndimage
from skimage.measure import regionprops

rng = np.random.default_rng(20261125)


def blobs(height, width, objects, smooth):
    """Touching, ragged objects with holes and several parts, and nothing between some of them."""
    fields = [ndimage.gaussian_filter(rng.standard_normal((height, width)), smooth) for _ in range(objects + 1)]
    order = np.argmax(fields, axis=0)
    numbers = np.array([0] + sorted(rng.choice(np.arange(1, 40), objects, replace=False).tolist()))
    ids = numbers[order]
    ids[rng.random(ids.shape) < 0.03] = 0
    return ids


def shapes():
    """Objects whose measurements are special: points, lines, squares, a ring, a diagonal, one of two parts."""
    ids = np.zeros((30, 34), int)
    ids[1, 1] = 3
    ids[1, 4:12] = 4
    ids[4:13, 1] = 5
    for i in range(8):
        ids[4 + i, 4 + i] = 6
    ids[3:5, 15:17] = 7
    ids[8:14, 14:20] = 8
    ids[9:13, 15:19] = 0
    ids[2:7, 20:34] = 9
    ids[16, 2:4] = 11
    ids[17:22, 2:30] = 12
    ids[24:26, 3:6] = ids[27:29, 20:27] = 13
    for i in range(5):
        ids[8 + i, 24 : 26 + 2 * i] = 14
    yy, xx = np.mgrid[:30, :34]
    ids[(yy - 24.0) ** 2 / 20 + (xx - 13.0) ** 2 / 9 < 1] = 70000
    ids[29, 33] = 70001
    return ids


def case(ids, image):
    regions = []
    for r in regionprops(ids, intensity_image=image):
        top, left, bottom, right = r.bbox
        regions.append({
            "id": int(r.label), "area": int(r.area), "centroid": [r.centroid[1], r.centroid[0]],
            "bounds": [int(left), int(top), int(right - left), int(bottom - top)],
            "perimeter": float(r.perimeter), "eccentricity": float(r.eccentricity),
            "major_axis": float(r.axis_major_length), "minor_axis": float(r.axis_minor_length),
            "orientation": float(r.orientation), "equivalent_diameter": float(r.equivalent_diameter_area),
            "solidity": float(r.solidity), "mean_intensity": np.atleast_1d(r.intensity_mean).tolist(),
        })
    height, width = ids.shape
    return {
        "width": width, "height": height, "ids": ids.ravel().tolist(),
        "channels": 1 if image.ndim == 2 else image.shape[2], "bits": 16 if image.max() > 255 else 8,
        "samples": image.ravel().tolist(), "regions": regions,
    }


cases = [
    case(shapes(), rng.integers(0, 256, (30, 34))),
    case(blobs(28, 37, 6, 2.0), rng.integers(0, 256, (28, 37, 3))),
    case(blobs(40, 25, 12, 1.2), rng.integers(0, 65536, (40, 25))),
    case(np.full((5, 9), 2), rng.integers(0, 256, (5, 9, 2))),
]
out = Path(__file__).parents[2] / "crates/vibhag-imaging/tests/reference/regions.json"
out.write_text(json.dumps(cases, separators=(",", ":")) + "\n")
print(out, out.stat().st_size, [len(c["regions"]) for c in cases])
