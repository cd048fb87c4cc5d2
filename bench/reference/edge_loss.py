"""Freezes the edge loss and its gradient for crates/vibhag-nn/tests/losses.rs.

The band comes from scipy's rank filters; cross-entropy and its gradient (p - y, weighted and averaged over the band) are
numpy in float64. Run: python bench/reference/edge_loss.py
"""
import json
import pathlib

import numpy as np
from scipy.ndimage import maximum_filter, minimum_filter

OUT = pathlib.Path(__file__).parents[2] / "crates/vibhag-nn/tests/reference/edge_loss.json"
N, H, W, IGNORE = 3, 9, 11, 255
WEIGHTS = {1: [0.5, 2.0], 4: [0.25, 1.0, 2.0, 1.5]}


def band(target, reach):
    """Valid pixels with two valid classes in the square around them."""
    size, void = (1, 2 * reach + 1, 2 * reach + 1), target == IGNORE
    least = minimum_filter(np.where(void, 1000, target), size, mode="constant", cval=1000)
    most = maximum_filter(np.where(void, -1000, target), size, mode="constant", cval=-1000)
    return ~void & (least < most)


def case(channels, reach, void, weighted, factor):
    rng = np.random.default_rng(channels * 100 + reach * 10 + void)
    classes = max(channels, 2)
    # Blocks, so that there are pixels far from any edge.
    blocks = rng.integers(0, classes, (N, H // 3 + 1, W // 4 + 1))
    target = blocks.repeat(3, 1).repeat(4, 2)[:, :H, :W].copy()
    if void:
        target[rng.random(target.shape) < 0.15] = IGNORE
        target[2] = IGNORE
    x = (rng.standard_normal((N, channels, H, W)) * 2).astype(np.float32).astype(np.float64)
    z = np.concatenate([np.zeros_like(x), x], 1) if channels == 1 else x
    log_p = z - z.max(1, keepdims=True)
    log_p -= np.log(np.exp(log_p).sum(1, keepdims=True))
    label = np.where(target == IGNORE, 0, target)
    y = (label[:, None] == np.arange(classes)[None, :, None, None]).astype(float)
    weights = WEIGHTS[channels] if weighted else []
    w = band(target, reach) * (np.array(weights)[label] if weighted else 1.0)
    loss = -(np.take_along_axis(log_p, label[:, None], 1)[:, 0] * w).sum() / w.sum()
    gradient = (np.exp(log_p) - y) * w[:, None] / w.sum()
    if channels == 1:
        gradient = gradient[:, 1:]
    term = dict(kind="edge", weight=factor, reach=reach)
    return dict(name=f"edge of {channels} channels, reach {reach}, void {void}, weighted {weighted}",
                config=dict(ignore=IGNORE, label_smoothing=0.0, class_weights=weights, terms=[term]),
                shape=[N, channels, H, W], logits=[round(v, 9) for v in x.ravel().tolist()],
                target=target.ravel().tolist(), loss=factor * loss,
                gradient=[float(f"{v:.9g}") for v in (factor * gradient).ravel().tolist()])


cases = [case(channels, reach, void, weighted, factor) for channels in (1, 4)
         for reach, void, weighted, factor in ((1, False, False, 1.0), (2, True, False, 0.5), (3, True, True, 1.0))]
OUT.write_text(json.dumps(dict(generator="bench/reference/edge_loss.py", cases=cases), separators=(",", ":")) + "\n")
