"""Freezes training targets of objects for crates/vibhag-imaging: run with numpy and scipy installed.

    python bench/reference/instance_targets.py

Written from the papers' definitions, slowly and in float64. Writes
crates/vibhag-imaging/tests/reference/instances.json.
"""

import json
from pathlib import Path

import numpy as np
import scipy.ndimage

W, H, RAYS = 41, 33, 32
yy, xx = np.mgrid[:H, :W].astype(float)
ids = np.zeros((H, W), dtype=int)
ids[((xx - 11) / 8.3) ** 2 + ((yy - 12) / 9.6) ** 2 <= 1] = 3
ids[(((xx - 24) * 0.8 + (yy - 10) * 0.6) / 9) ** 2 + (((yy - 10) * 0.8 - (xx - 24) * 0.6) / 5) ** 2 <= 1] = 8
ids[(yy > 22) & (yy < 31) & (xx > 6) & (xx < 33) & ~((yy < 27) & (xx > 12) & (xx < 26))] = 5
ids[(xx > 35) & (yy > 18)] = 9


def center(ids):
    heat, offsets = np.zeros((H, W)), np.zeros((2, H, W))
    for label in np.unique(ids[ids > 0]):
        y, x = np.nonzero(ids == label)
        cy, cx = y.mean(), x.mean()
        sigma = np.clip(0.1 * np.sqrt(len(y)), 1.5, 8)
        near = (abs(yy - cy) <= 3 * sigma) & (abs(xx - cx) <= 3 * sigma)
        heat = np.maximum(heat, near * np.exp(-((yy - cy) ** 2 + (xx - cx) ** 2) / (2 * sigma**2)))
        offsets[0][ids == label] = cy - y
        offsets[1][ids == label] = cx - x
    return heat, offsets


def star(ids):
    probability, distances = np.zeros((H, W)), []
    for label in np.unique(ids[ids > 0]):
        mask = ids == label
        inner = scipy.ndimage.distance_transform_edt(mask)
        probability += mask * inner / inner.max()
        for y, x in zip(*np.nonzero(mask)):
            if y % 2 or x % 2:
                continue
            rays = []
            for k in range(RAYS):
                angle = 2 * np.pi * k / RAYS
                t = np.arange(0, W + H, 0.01)
                px, py = np.rint(x + t * np.cos(angle)).astype(int), np.rint(y + t * np.sin(angle)).astype(int)
                inside = (px >= 0) & (px < W) & (py >= 0) & (py < H)
                inside[inside] = mask[py[inside], px[inside]]
                rays.append(round(float(t[np.argmin(inside)]), 2))
            distances.append([int(x), int(y), rays])
    return probability, distances


def flow(ids):
    flows = np.zeros((2, H, W))
    for label in np.unique(ids[ids > 0]):
        y, x = np.nonzero(ids == label)
        top, left = y.min(), x.min()
        h, w = y.max() - top + 1, x.max() - left + 1
        mask = np.zeros((h + 2, w + 2))
        mask[y - top + 1, x - left + 1] = 1
        square = (y - np.median(y)) ** 2 + (x - np.median(x)) ** 2
        # Where several pixels are as near they share the heat, so that mirrored objects have mirrored flows.
        source = np.zeros_like(mask)
        nearest = square == square.min()
        source[y[nearest] - top + 1, x[nearest] - left + 1] = 1 / nearest.sum()
        heat = np.zeros_like(mask)
        for _ in range(2 * (w + h)):
            heat += source
            heat = mask * scipy.ndimage.uniform_filter(heat, 3, mode="constant")
        log = np.log1p(np.maximum(heat, 0))
        gradient = np.stack([np.roll(log, -1, 0) - np.roll(log, 1, 0), np.roll(log, -1, 1) - np.roll(log, 1, 1)])
        length = np.sqrt((gradient**2).sum(0))
        gradient = np.where(length > 1e-12, gradient / np.maximum(length, 1e-30), 0)
        flows[:, y, x] = gradient[:, y - top + 1, x - left + 1]
    return flows


heat, offsets = center(ids)
probability, distances = star(ids)
listed = lambda array: np.round(array, 5).ravel().tolist()
target = Path(__file__).resolve().parents[2] / "crates/vibhag-imaging/tests/reference/instances.json"
target.write_text(json.dumps({
    "size": [W, H], "ids": ids.ravel().tolist(),
    "center": {"heat": listed(heat), "offsets": listed(offsets)},
    "star": {"probability": listed(probability), "distances": distances},
    "flow": listed(flow(ids)),
}) + "\n")
