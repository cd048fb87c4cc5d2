"""Freezes metrics of random label maps for crates/vibhag-metrics/tests/reference.rs.

Pooled scores come from torchmetrics, per-image scores from the formulas in numpy with the
empty-mask convention (both empty: 1). Run: python bench/reference/metrics.py
"""
import json
import pathlib

import numpy as np
import torch
from torchmetrics.functional.classification import (
    multiclass_accuracy, multiclass_confusion_matrix, multiclass_f1_score,
    multiclass_jaccard_index, multiclass_precision, multiclass_recall)

torch.set_num_threads(1)
OUT = pathlib.Path(__file__).parents[2] / "crates/vibhag-metrics/tests/reference/metrics.json"
WIDTH, HEIGHT, IGNORE = 12, 9, 255


def image(rng, classes, void, kind):
    truth = rng.integers(0, classes, (HEIGHT, WIDTH))
    pred = np.where(rng.random(truth.shape) < 0.7, truth, rng.integers(0, classes, truth.shape))
    if kind in ("both_empty", "empty_truth"):
        truth[:] = 0
    if kind in ("both_empty", "empty_prediction"):
        pred[:] = 0
    if void:
        truth[rng.random(truth.shape) < 0.15] = IGNORE
    return truth, pred


def ratio(a, b, present):
    return 1.0 if not present else (float(a) / float(b) if b else 0.0)


def class_scores(truth, pred, c):
    t, p = truth == c, pred == c
    tp, both, union = (t & p).sum(), t.sum() + p.sum(), (t | p).sum()
    return dict(dice=ratio(2 * tp, both, union > 0), iou=ratio(tp, union, union > 0),
                precision=ratio(tp, p.sum(), union > 0), recall=ratio(tp, t.sum(), union > 0),
                present=bool(union > 0))


def scores(truth, pred, classes):
    rows = [class_scores(truth, pred, c) for c in range(classes)]
    if classes == 2:
        return {k: rows[1][k] for k in ("dice", "iou", "precision", "recall")}
    rows = [r for r in rows if r["present"]]
    return {k: float(np.mean([r[k] for r in rows])) for k in ("dice", "iou", "precision", "recall")}


def case(name, classes, void, kinds, seed):
    rng = np.random.default_rng(seed)
    images, valid = [], []
    for kind in kinds:
        truth, pred = image(rng, classes, void, kind)
        keep = truth != IGNORE
        valid.append((truth[keep], pred[keep]))
        images.append(dict(truth=truth.ravel().tolist(), prediction=pred.ravel().tolist(),
                           scores=scores(truth[keep], pred[keep], classes)))
    truth = torch.tensor(np.concatenate([t for t, _ in valid]))
    pred = torch.tensor(np.concatenate([p for _, p in valid]))
    kw = dict(num_classes=classes, average="none")
    pooled = scores(truth.numpy(), pred.numpy(), classes)
    ious = [i["scores"]["iou"] for i in images]
    return dict(
        name=name, classes=classes, ignore=IGNORE if void else None, width=WIDTH, height=HEIGHT, images=images,
        confusion=multiclass_confusion_matrix(pred, truth, num_classes=classes).tolist(),
        class_iou=multiclass_jaccard_index(pred, truth, **kw).double().tolist(),
        class_dice=multiclass_f1_score(pred, truth, **kw).double().tolist(),
        class_precision=multiclass_precision(pred, truth, **kw).double().tolist(),
        class_recall=multiclass_recall(pred, truth, **kw).double().tolist(),
        mean_iou=float(multiclass_jaccard_index(pred, truth, num_classes=classes, average="macro")),
        pixel_accuracy=float(multiclass_accuracy(pred, truth, num_classes=classes, average="micro")),
        dice_per_image=float(np.mean([i["scores"]["dice"] for i in images])), iou_per_image=float(np.mean(ious)),
        dice_pooled=pooled["dice"], iou_pooled=pooled["iou"],
        threshold_jaccard=float(np.mean([i if i >= 0.65 else 0.0 for i in ious])))


plain = ["plain"] * 4
cases = [case("binary", 2, False, plain + ["both_empty", "empty_truth", "empty_prediction"], 1),
         case("binary with void", 2, True, plain, 2),
         case("four classes with void", 4, True, plain + ["empty_truth", "both_empty"], 3)]
OUT.parent.mkdir(parents=True, exist_ok=True)
OUT.write_text(json.dumps(dict(generator="bench/reference/metrics.py", cases=cases), separators=(",", ":")) + "\n")
