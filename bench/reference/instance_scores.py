"""Freezes scores of objects for crates/vibhag-metrics/tests/instances_reference.rs.

Masks and boxes: pycocotools 2.0.11. Boundaries: faster-coco-eval 1.8.0, whose boundaries must equal those of
scipy.ndimage.binary_erosion here, since the reference (boundary-iou-api) is on no package index. TP / (TP + FP + FN):
stardist 0.9.2's matching.py, loaded by itself (numba and csbdeep, which it needs for speed and errors only, are stood
in for); it knows no classes and no crowds, so it sees one class at a time, and cases with crowds have no such scores.

    pip install pycocotools scipy scikit-image; pip install --no-deps faster-coco-eval stardist
    python bench/reference/instance_scores.py
"""
import contextlib
import copy
import importlib.util
import io
import json
import pathlib
import sys
import types

import numpy as np
from pycocotools import mask as mask_api
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from scipy import ndimage

import faster_coco_eval
from faster_coco_eval.core import mask as fast_mask

from scenes import as_json, boxes, cells, disks, scene, segment

OUT = pathlib.Path(__file__).parents[2] / "crates/vibhag-metrics/tests/reference/instances.json"
THRESHOLDS = [(50 + 5 * i) / 100 for i in range(10)]


def stardist_matching():
    def stand_in(name, **members):
        sys.modules[name] = types.ModuleType(name)
        vars(sys.modules[name]).update(members)

    def fail(error):
        raise error

    stand_in("numba", jit=lambda **_: lambda function: function)
    stand_in("csbdeep")
    stand_in("csbdeep.utils", _raise=fail)
    folder = pathlib.Path(importlib.util.find_spec("stardist").submodule_search_locations[0])
    spec = importlib.util.spec_from_file_location("stardist_matching", folder / "matching.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


stardist = stardist_matching()


def rle(mask):
    encoded = mask_api.encode(np.asfortranarray(mask.astype(np.uint8)))
    return dict(size=encoded["size"], counts=encoded["counts"].decode())


def coco_files(images, things):
    truth, found = [], []
    for number, image in enumerate(images, 1):
        for i, s in enumerate(image["truth_segments"], 1):
            if s["class"] in things:
                code = rle(image["truth"] == i)
                truth.append(dict(id=len(truth) + 1, image_id=number, category_id=s["class"], segmentation=code,
                                  area=int(mask_api.area(code)), bbox=mask_api.toBbox(code).tolist(),
                                  iscrowd=int(s["crowd"])))
        for i, s in enumerate(image["pred_segments"], 1):
            if s["class"] in things:
                found.append(dict(image_id=number, category_id=s["class"], score=s["score"],
                                  segmentation=rle(image["pred"] == i)))
    sizes = [dict(id=n, height=i["truth"].shape[0], width=i["truth"].shape[1]) for n, i in enumerate(images, 1)]
    return dict(info={}, images=sizes, annotations=truth, categories=[dict(id=c, name=str(c)) for c in things]), found


def number(value):
    return None if value == -1 else float(value)


def mean(values):
    values = values[values > -1]
    return float(values.mean()) if values.size else None


def coco_scores(images, things, most):
    truth_file, found = coco_files(images, things)
    scores = {}
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = truth_file
        truth.createIndex()
        # loadRes cannot read an empty list.
        results = truth.loadRes(copy.deepcopy(found)) if found else COCO()
        if not found:
            results.dataset = dict(truth_file, annotations=[])
            results.createIndex()
        for kind in ("segm", "bbox"):
            run = COCOeval(truth, results, kind)
            run.params.maxDets = [1, 10, most]
            run.evaluate()
            run.accumulate()
            p, r = run.eval["precision"], run.eval["recall"]
            if kind == "segm":
                for name, area in (("AP", 0), ("AP_small", 1), ("AP_medium", 2), ("AP_large", 3)):
                    scores[name] = mean(p[:, :, :, area, 2])
                scores["AP50"], scores["AP75"] = mean(p[0, :, :, 0, 2]), mean(p[5, :, :, 0, 2])
                scores["AR"] = mean(r[:, :, 0, 2])
                scores["classes"] = [dict(AP=mean(p[:, :, k, 0, 2]), AP50=mean(p[0, :, k, 0, 2]))
                                     for k in range(len(things))]
            else:
                scores["AP_bbox"], scores["AP50_bbox"] = mean(p[:, :, :, 0, 2]), mean(p[0, :, :, 0, 2])
        if found:
            fast_truth = faster_coco_eval.COCO(truth_file)
            run = faster_coco_eval.COCOeval_faster(fast_truth, fast_truth.loadRes(found), "boundary")
            run.params.maxDets = [1, 10, most]
            run.evaluate()
            run.accumulate()
            scores["AP_boundary"] = mean(run.eval["precision"][:, :, :, 0, 2])
        else:
            scores["AP_boundary"] = 0.0 if truth_file["annotations"] else None
    return scores


def boundary(mask):
    """Pixels that d erosions with a 3 x 3 square take away, the outside of the image being background."""
    d = max(1, round(0.02 * float(np.sqrt(mask.shape[0] ** 2 + mask.shape[1] ** 2))))
    return mask & ~ndimage.binary_erosion(mask, np.ones((3, 3)), iterations=d, border_value=0)


def boundary_ious(image):
    """Of every true object and the predicted one that it shares most with."""
    out = []
    for i in range(1, len(image["truth_segments"]) + 1):
        mask = image["truth"] == i
        fast = mask_api.decode(fast_mask.rleToBoundary(rle(mask)))
        assert (fast.astype(bool) == boundary(mask)).all(), "faster-coco-eval has other boundaries"
        shared = np.bincount(image["pred"][mask], minlength=1)
        shared[0] = 0
        if shared.any():
            j = int(shared.argmax())
            a, b = boundary(mask), boundary(image["pred"] == j)
            out.append([i, j, float((a & b).sum() / (a | b).sum())])
    return out


def of_class(ids, segments, cls):
    keep = np.array([0] + [i if s["class"] == cls else 0 for i, s in enumerate(segments, 1)])
    return keep[ids]


def matched(image, things, threshold):
    """TP, FP, FN and the sum of the matched IoUs."""
    total = np.zeros(4)
    for cls in things:
        m = stardist.matching(of_class(image["truth"], image["truth_segments"], cls),
                              of_class(image["pred"], image["pred_segments"], cls), threshold)
        total += [m.tp, m.fp, m.fn, m.mean_true_score * m.n_true]
    return total


def bowl_scores(images, things):
    def accuracy(tp, fp, fn):
        # stardist gives 0 where there is nothing to find and nothing found; the convention here is 1.
        return 1.0 if tp + fp + fn == 0 else float(stardist.accuracy(tp, fp, fn))

    counts = np.array([[matched(image, things, t) for t in THRESHOLDS] for image in images])
    pooled = counts.sum(0)
    tp, fp, fn, iou = pooled[0]
    return dict(
        ap_dsb={f"{t:.2f}": accuracy(*c[:3]) for t, c in zip(THRESHOLDS, pooled)},
        ap_dsb_by_image=float(np.mean([[accuracy(*c[:3]) for c in image] for image in counts])),
        tp=int(tp), fp=int(fp), fn=int(fn), mean_matched_iou=float(iou / tp) if tp else None,
        matchings=[[[t, *matched(image, things, t)] for t in (0.1, 0.3, 0.5, 0.75)] for image in images])


def case(name, images, classes=1, stuff=(), most=100):
    things = [c for c in range(1, classes + 1) if c not in stuff]
    crowds = any(s["crowd"] for i in images for s in i["truth_segments"])
    return dict(name=name, classes=classes + 1, things=things, max_detections=most, images=[as_json(i) for i in images],
                coco=coco_scores(images, things, most), bowl=None if crowds else bowl_scores(images, things),
                boundary_ious=[boundary_ious(i) for i in images])


def adversarial():
    def s(score=1.0):
        return segment(1, False, score)

    empty = np.zeros((40, 50), np.int64)
    return [
        scene(empty, [], empty, []),
        boxes(50, 40, [], [(3, 4, 10, 10, s(0.75))]),
        boxes(50, 40, [(3, 4, 10, 10, s()), (20, 20, 1, 1, s())], []),
        # Single pixels, found, missed by one, and invented.
        boxes(50, 40, [(0, 0, 1, 1, s()), (49, 39, 1, 1, s()), (10, 10, 1, 1, s())],
              [(0, 0, 1, 1, s(0.5)), (48, 39, 1, 1, s(0.5)), (10, 10, 1, 1, s(0.25)), (30, 30, 1, 1, s(0.25))]),
        # Exactly 32 x 32 and 96 x 96, and one less and one more.
        boxes(140, 120, [(0, 0, 32, 32, s()), (100, 0, 32, 32, s()), (0, 33, 96, 80, s())],
              [(0, 0, 32, 32, s(0.875)), (100, 0, 31, 33, s(0.625)), (0, 33, 96, 79, s(0.375))]),
        boxes(140, 120, [(2, 3, 96, 96, s()), (100, 0, 31, 33, s()), (100, 50, 33, 32, s())],
              [(2, 3, 96, 96, s(0.5)), (100, 0, 32, 32, s(0.5)), (100, 50, 30, 30, s(0.5))]),
        # IoU exactly at a threshold: 1/2, 3/5, 3/4, 4/5, 9/10, 19/20.
        boxes(130, 40, [(0, 0, 20, 10, s()), (22, 0, 20, 10, s()), (44, 0, 20, 10, s()), (66, 0, 20, 10, s()),
                        (88, 0, 20, 10, s()), (110, 0, 20, 10, s())],
              [(0, 0, 10, 10, s(0.9375)), (22, 0, 12, 10, s(0.8125)), (44, 0, 15, 10, s(0.6875)),
               (66, 0, 16, 10, s(0.5625)), (88, 0, 18, 10, s(0.4375)), (110, 0, 19, 10, s(0.3125))]),
        # Two halves of one object, one object over two true ones, touching neighbours with one score.
        boxes(60, 60, [(0, 0, 20, 10, s()), (0, 20, 10, 10, s()), (10, 20, 10, 10, s()), (30, 0, 10, 30, s()), (40, 0, 10, 30, s())],
              [(0, 0, 10, 10, s(0.5)), (10, 0, 10, 10, s(0.5)), (0, 20, 20, 10, s(0.5)), (30, 0, 11, 30, s(0.5)), (41, 0, 9, 30, s(0.5))]),
        # A hole, and boxes that overlap where the masks do not.
        scene(np.kron([[1, 1, 1], [1, 2, 1], [1, 1, 1]], np.ones((8, 8), int)), [s(), s()],
              np.kron([[1, 1, 1], [1, 1, 1], [1, 1, 0]], np.ones((8, 8), int)), [s(0.75)]),
    ]


rng = np.random.default_rng(5)
cases = [
    case("disks of one class", [disks(rng, 90, 70, 14, 1) for _ in range(4)]),
    case("disks of three classes and stuff", [disks(rng, 80, 80, 18, 4) for _ in range(4)], 4, stuff=(3,)),
    case("crowds and equal scores", [disks(rng, 80, 70, 16, 2, ties=True, crowds=2) for _ in range(5)], 2),
    case("large objects", [disks(rng, 260, 240, 9, 2, radius=(8, 90), noise=4) for _ in range(3)], 2),
    case("cells side by side", [cells(rng, 70, 60, 25, noise, 2) for noise in (0.5, 2, 5)], 2),
    case("adversarial", adversarial()),
    case("nothing found", [boxes(30, 30, [(1, 1, 9, 9, segment(1))], [])]),
    case("nothing to find", [boxes(30, 30, [], [(1, 1, 9, 9, segment(1, False, 0.5))])]),
    case("more than one hundred", [cells(rng, 90, 80, 130, 0.4), disks(rng, 90, 70, 20, 1)]),
    case("more than one hundred, all of them", [cells(rng, 90, 80, 130, 0.4)], most=300),
]
OUT.write_text(json.dumps(dict(generator="bench/reference/instance_scores.py", cases=cases), separators=(",", ":")) + "\n")
print(OUT.stat().st_size // 1024, "KiB")
for c in cases:
    print(c["name"], {k: v for k, v in c["coco"].items() if k != "classes"}, c["bowl"] and c["bowl"]["ap_dsb"]["0.50"])
