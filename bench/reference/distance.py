"""Freezes references for crates/vibhag-imaging/src/distance.rs: run with numpy and scipy installed.

    python bench/reference/distance.py

Writes crates/vibhag-imaging/tests/reference/distance.json.
"""

import json
from pathlib import Path

import numpy as np
from scipy.ndimage import distance_transform_edt, gaussian_filter

rng = np.random.default_rng(20270111)


def ints(array):
    return np.rint(array).astype(int).ravel().tolist()


masks = []
for (h, w), density in [((1, 9), 0.7), ((9, 1), 0.7), ((14, 23), 0.5), ((23, 14), 0.97), ((17, 17), 0.2)]:
    mask = rng.random((h, w)) < density
    mask.flat[rng.integers(mask.size)] = False
    # SciPy takes the pixels around the image for nothing at all, so padding makes them background.
    padded = distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
    masks.append({
        "size": [h, w], "mask": ints(mask),
        "squares": ints(distance_transform_edt(mask) ** 2), "bordered": ints(padded**2),
    })

labels = []
for h, w in [(20, 31), (24, 24)]:
    ids = np.clip(np.floor(3 + 14 * gaussian_filter(rng.standard_normal((h, w)), 2.5)), 0, 6).astype(int)
    distances = np.zeros((h, w))
    for label in np.unique(ids[ids > 0]):
        distances += distance_transform_edt(ids == label)
    labels.append({"size": [h, w], "ids": ints(ids), "squares": ints(distances**2)})

target = Path(__file__).resolve().parents[2] / "crates/vibhag-imaging/tests/reference/distance.json"
target.write_text(json.dumps({"masks": masks, "labels": labels}) + "\n")
