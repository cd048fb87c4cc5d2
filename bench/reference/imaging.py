"""Freezes references for crates/vibhag-imaging: run with torch, numpy and scipy installed.

    python bench/reference/imaging.py

Writes crates/vibhag-imaging/tests/reference/imaging.json.
"""

import json
from pathlib import Path

import numpy as np
import scipy.ndimage
import torch
import torch.nn.functional as F

torch.set_num_threads(1)
rng = np.random.default_rng(20261124)

planes = []
for (h, w), (H, W) in [((3, 5), (7, 4)), ((4, 4), (8, 8)), ((6, 7), (3, 3)), ((1, 1), (2, 3)), ((2, 9), (5, 9))]:
    src = rng.standard_normal((h, w)).astype(np.float32)
    out = F.interpolate(torch.from_numpy(src)[None, None], size=(H, W), mode="bilinear", align_corners=False)
    planes.append({"from": [h, w], "to": [H, W], "src": src.ravel().tolist(), "out": out.ravel().tolist()})

images = []
for (h, w, c), (H, W) in [((12, 16, 3), (5, 7)), ((9, 9, 1), (4, 4)), ((6, 5, 3), (9, 11)), ((20, 7, 1), (6, 7))]:
    src = rng.integers(0, 256, (h, w, c)).astype(np.float32)
    x = torch.from_numpy(src).permute(2, 0, 1)[None]
    out = F.interpolate(x, size=(H, W), mode="bilinear", align_corners=False, antialias=True)[0].permute(1, 2, 0)
    images.append({
        "from": [h, w, c], "to": [H, W],
        "src": src.astype(int).ravel().tolist(), "out": out.contiguous().ravel().tolist(),
    })

components = []
for density in (0.4, 0.6):
    mask = rng.random((12, 17)) < density
    four, _ = scipy.ndimage.label(mask)
    eight, _ = scipy.ndimage.label(mask, structure=np.ones((3, 3)))
    components.append({
        "size": [12, 17], "mask": mask.astype(int).ravel().tolist(),
        "four": four.ravel().tolist(), "eight": eight.ravel().tolist(),
    })

blur_src = (rng.random((11, 13)) * 255).astype(np.float32)
blur = [
    {"sigma": s, "out": scipy.ndimage.gaussian_filter(blur_src, s, mode="nearest", radius=int(np.ceil(3 * s))).ravel().tolist()}
    for s in (0.6, 1.3)
]

target = Path(__file__).resolve().parents[2] / "crates/vibhag-imaging/tests/reference/imaging.json"
target.parent.mkdir(parents=True, exist_ok=True)
target.write_text(json.dumps({
    "planes": planes, "images": images, "components": components,
    "blur": {"size": [11, 13], "src": blur_src.ravel().tolist(), "cases": blur},
}) + "\n")
