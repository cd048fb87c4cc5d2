"""Freezes references for crates/vibhag-imaging/src/matte: run with numpy, scipy, opencv-contrib-python and pymatting
installed.

    python bench/reference/matte.py

Writes crates/vibhag-imaging/tests/reference/matte.json.
"""

import json
from pathlib import Path

import cv2
import numpy as np
from pymatting import estimate_foreground_ml
from scipy.ndimage import gaussian_filter, uniform_filter

rng = np.random.default_rng(20261127)


def values(array, digits=6):
    return [round(float(v), digits) for v in np.asarray(array).ravel()]


def ints(array):
    return np.rint(array).astype(int).ravel().tolist()


def guided(guide, p, radius, epsilon):
    """He, Sun and Tang 2013, in float64, windows cut at the borders. OpenCV mirrors the image there instead."""
    size = 2 * radius + 1
    count = uniform_filter(np.ones(p.shape), size, mode="constant")
    mean = lambda x: uniform_filter(x, size, mode="constant") / count
    channels = [guide[..., c] for c in range(guide.shape[2])]
    means = [mean(c) for c in channels]
    mean_p = mean(p)
    n = len(channels)
    sigma = np.empty(p.shape + (n, n))
    covariance = np.empty(p.shape + (n,))
    for i in range(n):
        covariance[..., i] = mean(channels[i] * p) - means[i] * mean_p
        for j in range(n):
            sigma[..., i, j] = mean(channels[i] * channels[j]) - means[i] * means[j]
    slope = np.linalg.solve(sigma + epsilon * np.eye(n), covariance[..., None])[..., 0]
    offset = mean_p - sum(slope[..., i] * means[i] for i in range(n))
    return sum(mean(slope[..., i]) * channels[i] for i in range(n)) + mean(offset)


filters = []
for (h, w), channels, radius, epsilon in [((21, 26), 3, 3, 1e-3), ((26, 21), 1, 4, 1e-4), ((7, 9), 3, 20, 1e-2)]:
    smooth = gaussian_filter(rng.random((h, w, channels)), (1.5, 1.5, 0))
    image = np.rint(255 * (smooth - smooth.min()) / np.ptp(smooth))
    noise = gaussian_filter(rng.random((h, w)), 3)
    p = ((noise - noise.min()) / np.ptp(noise)).astype(np.float32)
    guide = image / 255
    exact = guided(guide, p.astype(np.float64), radius, epsilon)
    # On the scale of 0 to 255, since OpenCV does not go below an epsilon of 0.01.
    opencv = cv2.ximgproc.guidedFilter(image.astype(np.float32).squeeze(), p, radius, epsilon * 255**2)
    filters.append({
        "size": [h, w, channels], "radius": radius, "epsilon": epsilon,
        "image": ints(image), "input": values(p, 8), "exact": values(exact), "opencv": values(opencv),
    })

# A textured foreground with a wavy, soft edge over another texture.
h, w = 44, 50
y, x = np.mgrid[:h, :w]
alpha = np.round(np.clip(0.5 + (14 + 2 * np.sin(x / 4.0) - np.hypot(x - 25, y - 23)) / 7, 0, 1), 4)
texture = lambda sigma: gaussian_filter(rng.random((h, w, 3)), (sigma, sigma, 0))
stretch = lambda t, low, high: low + (high - low) * (t - t.min()) / np.ptp(t)
front = stretch(texture(6), 0.55, 0.95) * [1.0, 0.75, 0.6]
back = stretch(texture(4), 0.05, 0.5) * [0.5, 1.0, 0.8]
image = np.rint(255 * (alpha[..., None] * front + (1 - alpha[..., None]) * back))
pymatting = estimate_foreground_ml(image / 255, alpha)
foreground = {
    "size": [h, w], "image": ints(image), "alpha": values(alpha, 4),
    "truth": ints(255 * front), "pymatting": ints(255 * np.clip(pymatting, 0, 1)),
}

target = Path(__file__).resolve().parents[2] / "crates/vibhag-imaging/tests/reference/matte.json"
target.write_text(json.dumps({"filters": filters, "foreground": foreground}) + "\n")
