"""Freezes panoptic quality for crates/vibhag-metrics/tests/panoptic_reference.rs.

By the evaluation code of its authors (panopticapi), which is on no package index by that name but is part of
cityscapesScripts 2.3.0 (evalPanopticSemanticLabeling.py); it allows one crowd of a class in an image, so these images
have no more. Mean IoU of the pixels: a confusion matrix in numpy.

    pip install --no-deps cityscapesscripts pyquaternion; pip install pillow numpy
    python bench/reference/panoptic.py
"""
import contextlib
import io
import json
import pathlib
import tempfile

import numpy as np
from cityscapesscripts.evaluation.evalPanopticSemanticLabeling import pq_compute_single_core
from PIL import Image

from scenes import as_json, boxes, cells, dense, disks, scene, segment

OUT = pathlib.Path(__file__).parents[2] / "crates/vibhag-metrics/tests/reference/panoptic.json"


def annotation(folder, number, ids, segments):
    name = f"{number}.png"
    Image.fromarray(np.stack([ids % 256, ids // 256, 0 * ids], -1).astype(np.uint8)).save(folder / name)
    areas = np.bincount(ids.ravel(), minlength=len(segments) + 1)
    infos = [dict(id=i, category_id=s["class"], iscrowd=int(s["crowd"]), area=int(areas[i]))
             for i, s in enumerate(segments, 1)]
    return dict(image_id=number, file_name=name, segments_info=infos)


def qualities(images, categories):
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        folders = [folder / "truth", folder / "pred"]
        pairs = []
        for f in folders:
            f.mkdir()
        for number, i in enumerate(images):
            pairs.append((annotation(folders[0], number, i["truth"], i["truth_segments"]),
                          annotation(folders[1], number, i["pred"], i["pred_segments"])))
        with contextlib.redirect_stdout(io.StringIO()):
            return pq_compute_single_core(0, pairs, *folders, categories)


def averages(stat, categories, isthing):
    try:
        average, classes = stat.pq_average(categories, isthing)
    except ZeroDivisionError:
        return dict(PQ=0.0, SQ=0.0, RQ=0.0, n=0), {}
    return dict(PQ=float(average["pq"]), SQ=float(average["sq"]), RQ=float(average["rq"]), n=average["n"]), classes


def mean_iou(images, classes):
    counts = np.zeros((classes, classes + 1), np.int64)
    for i in images:
        truth, pred = (np.array([classes] + [s["class"] for s in i[f"{which}_segments"]])[i[which]]
                       for which in ("truth", "pred"))
        keep = truth < classes
        np.add.at(counts, (truth[keep], pred[keep]), 1)
    both, union = np.diag(counts), counts.sum(1) + counts[:, :classes].sum(0) - np.diag(counts)
    return float(np.mean(both[union > 0] / union[union > 0])) if (union > 0).any() else 0.0


def case(name, images, classes, things):
    categories = {c: dict(id=c, name=str(c), isthing=int(c in things)) for c in range(classes)}
    stat = qualities(images, categories)
    everything, by_class = averages(stat, categories, None)
    counts = [stat[c] for c in range(classes)]
    per_image = []
    for image in images:
        alone = qualities([image], categories)
        per_image.append(dict(
            PQ=averages(alone, categories, None)[0]["PQ"],
            **{k: sum(getattr(alone[c], k) for c in range(classes)) for k in ("tp", "fp", "fn")}))
    return dict(
        name=name, classes=classes, things=list(things), images=[as_json(i) for i in images], all=everything,
        things_mean=averages(stat, categories, True)[0], stuff_mean=averages(stat, categories, False)[0],
        mean_iou=mean_iou(images, classes), per_image=per_image,
        per_class=[dict(PQ=float(by_class[c]["pq"]) if by_class else 0.0, SQ=float(by_class[c]["sq"]) if by_class else 0.0,
                        RQ=float(by_class[c]["rq"]) if by_class else 0.0, TP=n.tp, FP=n.fp, FN=n.fn)
                   for c, n in enumerate(counts)])


def street(rng, width, height, count, crowds=0):
    """Objects (classes 3 and 4) before stuff in bands (classes 0 to 2), with void in the truth and gaps in the prediction."""
    front = disks(rng, width, height, count, 2, radius=(3, 12), noise=1.0, crowds=crowds)
    out = []
    for which, shift in (("truth", 0), ("pred", int(rng.integers(-4, 5)))):
        segments = [segment(c) for c in range(3)]
        rows = np.clip((np.arange(height) - shift) * 3 // height, 0, 2)
        ids = np.repeat(rows[:, None] + 1, width, 1)
        objects = front[which]
        seen = set()
        for s in front[f"{which}_segments"]:
            # One crowd of a class in an image.
            crowd = s["crowd"] and s["class"] not in seen
            seen |= {s["class"]} if s["crowd"] else set()
            segments.append(segment(s["class"] + 2, crowd, s["score"]))
        ids[objects > 0] = objects[objects > 0] + 3
        left = int(rng.integers(0, width // 2))
        ids[height // 3:height // 2 + 6, left:left + width // 3] = 0
        out += dense(ids, segments)
    return scene(*out)


def adversarial():
    s = segment
    empty = np.zeros((20, 20), np.int64)
    half = [(0, 0, 20, 10, s(3))]
    return [
        scene(empty, [], empty, []),
        boxes(20, 20, [], half),
        boxes(20, 20, half, []),
        # IoU of exactly one half is no match; void is taken from the union, which makes it one.
        boxes(40, 20, [(0, 0, 10, 20, s(0)), (10, 0, 20, 10, s(3)), (10, 10, 30, 10, s(1))],
              [(0, 0, 10, 20, s(0)), (10, 0, 10, 10, s(3)), (10, 10, 30, 10, s(1))]),
        boxes(40, 20, [(0, 0, 20, 10, s(3))], [(0, 0, 20, 19, s(3))]),
        # Exactly half of the prediction in void: it counts; a pixel more: it does not.
        boxes(40, 20, [(0, 0, 20, 20, s(0))], [(10, 0, 20, 10, s(3)), (9, 10, 23, 10, s(4))]),
        # A crowd of the class and one of another.
        boxes(40, 20, [(0, 0, 20, 20, s(3, True)), (20, 0, 20, 20, s(4, True))],
              [(0, 0, 15, 10, s(3)), (20, 0, 15, 10, s(3)), (15, 10, 11, 10, s(3))]),
        # Two crowded classes and an object that the prediction merges with the crowd.
        boxes(40, 20, [(0, 0, 20, 20, s(3, True)), (20, 0, 20, 20, s(3))], [(4, 0, 36, 20, s(3))]),
        # Single pixels; a segment split in two; the right place under another name.
        boxes(20, 20, [(0, 0, 1, 1, s(3)), (5, 5, 1, 1, s(4)), (0, 10, 20, 10, s(1))],
              [(0, 0, 1, 1, s(3)), (5, 5, 1, 1, s(3)), (0, 10, 10, 10, s(1)), (10, 10, 10, 10, s(1))]),
    ]


rng = np.random.default_rng(11)
cases = [
    case("streets", [street(rng, 80, 60, 12) for _ in range(4)], 5, (3, 4)),
    case("streets with crowds", [street(rng, 80, 60, 14, crowds=2) for _ in range(5)], 6, (3, 4)),
    case("things only", [disks(rng, 70, 60, 12, 2) for _ in range(3)] + [cells(rng, 60, 50, 16, 1, 2)], 3, (1, 2)),
    case("stuff only", [street(rng, 60, 40, 0) for _ in range(2)], 5, ()),
    case("adversarial", adversarial(), 5, (3, 4)),
    case("nothing at all", adversarial()[:1], 5, (3, 4)),
]
OUT.write_text(json.dumps(dict(generator="bench/reference/panoptic.py", cases=cases), separators=(",", ":")) + "\n")
print(OUT.stat().st_size // 1024, "KiB")
for c in cases:
    print(c["name"], c["all"], c["things_mean"], c["stuff_mean"], c["mean_iou"], [(p["TP"], p["FP"], p["FN"]) for p in c["per_class"]])
