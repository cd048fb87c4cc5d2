"""Freezes references for crates/vibhag-imaging/src/watershed.rs: run with numpy, scipy and scikit-image installed.

    python bench/reference/watershed.py

Writes crates/vibhag-imaging/tests/reference/watershed.json.
"""

import json
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter
from skimage.segmentation import watershed

rng = np.random.default_rng(20270112)
cases = []
for (h, w), sigma, masked in [((18, 25), 2.0, False), ((25, 18), 1.0, True), ((21, 21), 0.6, True), ((1, 30), 1.0, False)]:
    # Ranks have no equals, so that the result does not depend on an order among them.
    smooth = gaussian_filter(rng.standard_normal((h, w)), sigma)
    landscape = smooth.ravel().argsort().argsort().reshape(h, w)
    seeds = np.zeros((h, w), int)
    seeds.flat[rng.choice(h * w, 7, replace=False)] = [1, 2, 3, 4, 5, 5, 9]
    mask = rng.random((h, w)) < (0.8 if masked else 1.1)
    cases.append({
        "size": [h, w], "landscape": landscape.ravel().tolist(), "seeds": seeds.ravel().tolist(),
        "mask": mask.astype(int).ravel().tolist(),
        "four": watershed(landscape, seeds, connectivity=1, mask=mask).ravel().tolist(),
        "eight": watershed(landscape, seeds, connectivity=2, mask=mask).ravel().tolist(),
    })

target = Path(__file__).resolve().parents[2] / "crates/vibhag-imaging/tests/reference/watershed.json"
target.write_text(json.dumps({"cases": cases}) + "\n")
