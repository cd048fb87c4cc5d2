"""Small images of segments, true and predicted, for instance_scores.py and panoptic.py.

An image is two maps of ids with a list of segments each; segment n is segments[n - 1].
"""
import numpy as np


def segment(cls, crowd=False, score=1.0):
    return {"class": cls, "crowd": crowd, "score": score}


def scene(truth, truth_segments, pred, pred_segments):
    for ids, segments in ((truth, truth_segments), (pred, pred_segments)):
        assert ids.max(initial=0) <= len(segments), (ids.max(), len(segments))
    return dict(truth=np.asarray(truth, np.int64), truth_segments=truth_segments,
                pred=np.asarray(pred, np.int64), pred_segments=pred_segments)


def dense(ids, segments):
    """Without the segments that have no pixel left."""
    kept = [i for i in np.unique(ids) if i > 0]
    out = np.zeros_like(ids)
    for new, old in enumerate(kept, 1):
        out[ids == old] = new
    return out, [segments[i - 1] for i in kept]


def disks(rng, width, height, count, classes, radius=(2, 9), noise=1.5, lost=0.15, swapped=0.1, ties=False, crowds=0):
    """Disks, touching and covering one another, and the same disks moved, resized, lost, invented, misnamed."""
    y, x = np.mgrid[:height, :width]
    truth, pred = np.zeros((height, width), np.int64), np.zeros((height, width), np.int64)
    ts, ps = [], []
    grid = 4 if ties else 512
    for index in range(count):
        cx, cy, r = rng.uniform(0, width), rng.uniform(0, height), rng.uniform(*radius)
        cls = int(rng.integers(1, classes + 1))
        crowd = index < crowds
        ts.append(segment(cls, crowd))
        truth[(x - cx) ** 2 + (y - cy) ** 2 <= (r * (2 if crowd else 1)) ** 2] = len(ts)
        if rng.random() < lost:
            continue
        dx, dy, s = rng.normal(0, noise), rng.normal(0, noise), rng.uniform(0.75, 1.3)
        named = int(rng.integers(1, classes + 1)) if rng.random() < swapped else cls
        ps.append(segment(named, False, float(rng.integers(1, grid + 1)) / grid))
        pred[(x - cx - dx) ** 2 + (y - cy - dy) ** 2 <= (r * s) ** 2] = len(ps)
    for _ in range(max(1, count // 8)):
        cx, cy, r = rng.uniform(0, width), rng.uniform(0, height), rng.uniform(*radius)
        ps.append(segment(int(rng.integers(1, classes + 1)), False, float(rng.integers(1, grid + 1)) / grid))
        pred[(x - cx) ** 2 + (y - cy) ** 2 <= r**2] = len(ps)
    return scene(*dense(truth, ts), *dense(pred, ps))


def cells(rng, width, height, count, noise, classes=1):
    """Every pixel belongs to an object; the prediction's cells have other centres."""
    y, x = np.mgrid[:height, :width]

    def nearest(points):
        return np.argmin([(x - a) ** 2 + (y - b) ** 2 for a, b in points], axis=0) + 1

    points = rng.uniform(0, 1, (count, 2)) * (width, height)
    named = rng.integers(1, classes + 1, count)
    moved = np.concatenate([points + rng.normal(0, noise, points.shape), rng.uniform(0, 1, (2, 2)) * (width, height)])
    ts = [segment(int(c)) for c in named]
    ps = [segment(int(c), False, float(rng.integers(1, 513)) / 512) for c in [*named, 1, 1]]
    return scene(*dense(nearest(points), ts), *dense(nearest(moved), ps))


def boxes(width, height, truth, pred):
    """From (left, top, width, height, segment) of each object."""
    out = []
    for items in (truth, pred):
        ids = np.zeros((height, width), np.int64)
        for number, (left, top, w, h, _) in enumerate(items, 1):
            ids[top:top + h, left:left + w] = number
        out += [ids, [item[4] for item in items]]
    return scene(*out)


def runs(ids):
    """[id, length, id, length, ...] along the rows."""
    flat = ids.ravel()
    starts = np.flatnonzero(np.r_[True, flat[1:] != flat[:-1]])
    lengths = np.diff(np.r_[starts, flat.size])
    return [int(v) for pair in zip(flat[starts], lengths) for v in pair]


def as_json(image):
    height, width = image["truth"].shape
    return dict(width=width, height=height, truth=runs(image["truth"]), truth_segments=image["truth_segments"],
                prediction=runs(image["pred"]), prediction_segments=image["pred_segments"])
