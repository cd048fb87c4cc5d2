"""Freezes scores of poses for crates/vibhag-metrics/tests/keypoints_reference.rs.

AP, AR and similarities: pycocotools 2.0.11. PCK: a few lines of NumPy here, on images with one person and one prediction
each, where nobody has to be matched.

    pip install numpy pycocotools
    python bench/reference/keypoints.py
"""
import contextlib
import copy
import io
import json
import pathlib

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

OUT = pathlib.Path(__file__).parents[2] / "crates/vibhag-metrics/tests/reference/keypoints.json"
COCO_SIGMAS = np.array([.26, .25, .25, .35, .35, .79, .79, .72, .72, .62, .62, 1.07, 1.07, .87, .87, .89, .89]) / 10
# Of the joints of lsp-14, as crates/vibhag-core/src/skeleton/names.rs has them.
LSP_SIGMAS = np.array([89, 87, 107, 107, 87, 89, 62, 72, 79, 79, 72, 62, 79, 79]) / 1000
SIGMAS = {"coco-17": COCO_SIGMAS, "lsp-14": LSP_SIGMAS}


def person(rng, k, size, visible=0.8, place=None):
    """An annotation: keypoints anywhere in a box, some occluded, some without a label."""
    w, h = size
    left, top = place if place else rng.uniform(-10, 300, 2)
    kp = np.zeros((k, 3))
    kp[:, 0], kp[:, 1] = left + w * rng.random(k), top + h * rng.random(k)
    kp[:, 2] = np.where(rng.random(k) < visible, rng.integers(1, 3, k), 0)
    kp[kp[:, 2] == 0] = 0
    kp = np.round(kp, 3)
    return dict(keypoints=kp.ravel().tolist(), num_keypoints=int((kp[:, 2] > 0).sum()), iscrowd=0,
                area=round(0.6 * w * h, 2), bbox=[round(float(v), 2) for v in (left, top, w, h)])


def found(rng, truth, noise, score=None, lost=0.1):
    """A prediction near an annotation: noise in shares of the square root of its area."""
    kp = np.array(truth["keypoints"]).reshape(-1, 3)
    x, y, w, h = truth["bbox"]
    anywhere = np.stack([x + w * rng.random(len(kp)), y + h * rng.random(len(kp))], 1)
    places = np.where(kp[:, 2:] > 0, kp[:, :2], anywhere) + rng.normal(0, noise * truth["area"] ** 0.5, (len(kp), 2))
    out = np.concatenate([np.round(places, 3), np.full((len(kp), 1), 0.5)], 1)
    out[rng.random(len(kp)) < lost] = 0
    # Scores are f32 in the product.
    return dict(keypoints=out.ravel().tolist(), score=float(np.float32(rng.random() if score is None else score)))


def scenes(rng, count, k, people, noise, size=(20, 260), ties=False, extra=2, visible=0.8):
    images = []
    for _ in range(count):
        truth, predicted = [], []
        for _ in range(rng.integers(0, people + 1)):
            t = person(rng, k, rng.uniform(*size, 2), visible)
            truth.append(t)
            for _ in range(rng.integers(0, 3)):
                score = round(rng.random() * 4) / 4 if ties else None
                predicted.append(found(rng, t, rng.uniform(0, noise), score))
        for _ in range(rng.integers(0, extra + 1)):
            stranger = person(rng, k, rng.uniform(*size, 2), 1.0)
            predicted.append(found(rng, stranger, 0, 0.5 if ties else None))
        rng.shuffle(predicted)
        images.append(dict(truth=truth, predicted=predicted))
    return images


def with_crowds(rng, images, k):
    for image in images:
        crowd = person(rng, k, (300, 250), 0.0, (50, 40))
        crowd.update(iscrowd=1)
        image["truth"].insert(0, crowd)
        # One that somebody labelled although it is a crowd, and people without any label.
        labelled = person(rng, k, (90, 80))
        labelled.update(iscrowd=1)
        image["truth"].append(labelled)
        image["truth"].append(person(rng, k, (60, 120), 0.0))
        for t in (crowd, labelled, image["truth"][-1]):
            for _ in range(2):
                image["predicted"].append(found(rng, t, 0.05, 0.75))
        rng.shuffle(image["predicted"])
    return images


def adversarial(rng, k):
    exact = person(rng, k, (100, 100), 1.0, (10, 10))
    images = [dict(truth=[], predicted=[]), dict(truth=[], predicted=[found(rng, exact, 0)]), dict(truth=[exact], predicted=[])]
    # Perfect, in the order of falling scores and not, with equal scores.
    images.append(dict(truth=[exact], predicted=[found(rng, exact, 0, 0.5, 0), found(rng, exact, 0, 0.5, 0), found(rng, exact, 0.2, 0.9)]))
    # Areas exactly at the limits, and just beside them.
    for area in (32 ** 2, 32 ** 2 - 1, 96 ** 2, 96 ** 2 + 1, 0.0):
        t = copy.deepcopy(exact)
        t["area"] = float(area)
        images.append(dict(truth=[t], predicted=[found(rng, t, 0.02, 0.7), found(rng, exact, 0.5, 0.6)]))
    # Predictions whose boxes are exactly 32 x 32 and 96 x 96, far from everybody.
    for side in (32.0, 96.0):
        kp = np.zeros((k, 3))
        kp[:, :2] = 1000
        kp[0, :2] += side
        kp[:, 2] = 0.5
        images.append(dict(truth=[exact], predicted=[dict(keypoints=kp.ravel().tolist(), score=0.25)]))
    # Nothing found of a person: all keypoints at (0, 0); one labelled keypoint alone; two people in one place.
    images.append(dict(truth=[exact], predicted=[dict(keypoints=[0.0] * 3 * k, score=1.0)]))
    one = copy.deepcopy(exact)
    one["keypoints"] = [0.0] * 3 * (k - 1) + [50.0, 60.0, 1.0]
    one["num_keypoints"] = 1
    images.append(dict(truth=[one], predicted=[found(rng, one, 0.01, 0.5, 0)]))
    images.append(dict(truth=[exact, copy.deepcopy(exact)], predicted=[found(rng, exact, 0.01, 0.5, 0), found(rng, exact, 0.01, 0.5, 0)]))
    return images


def run(images, sigmas):
    annotations, results = [], []
    for number, image in enumerate(images, 1):
        for t in image["truth"]:
            annotations.append(dict(t, id=len(annotations) + 1, image_id=number, category_id=1))
        results += [dict(p, image_id=number, category_id=1) for p in image["predicted"]]
    dataset = dict(info={}, images=[dict(id=n) for n in range(1, len(images) + 1)], annotations=annotations,
                   categories=[dict(id=1, name="person")])
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = dataset
        truth.createIndex()
        if results:
            predicted = truth.loadRes(copy.deepcopy(results))
        else:
            predicted = COCO()
            predicted.dataset = dict(dataset, annotations=[])
            predicted.createIndex()
        evaluation = COCOeval(truth, predicted, "keypoints")
        evaluation.params.kpt_oks_sigmas = sigmas
        evaluation.evaluate()
        evaluation.accumulate()
    return evaluation


def mean(values):
    values = values[values > -1]
    return float(values.mean()) if values.size else None


def scores(images, sigmas):
    evaluation = run(images, sigmas)
    p, r = evaluation.eval["precision"][:, :, 0, :, 0], evaluation.eval["recall"][:, 0, :, 0]
    out = {}
    for area, suffix in ((0, ""), (1, "_medium"), (2, "_large")):
        out["AP" + suffix], out["AR" + suffix] = mean(p[:, :, area]), mean(r[:, area])
    for at, name in ((0, "50"), (5, "75")):
        out["AP" + name], out["AR" + name] = mean(p[at, :, 0]), mean(r[at, 0])
    similarities = []
    for number, image in enumerate(images, 1):
        table = evaluation.ious[number, 1]
        order = np.argsort([-d["score"] for d in image["predicted"]], kind="mergesort")[:20]
        rows = []
        for place, d in enumerate(order):
            rows += [[int(t), int(d), float(table[place][t])] for t in range(len(image["truth"]))]
        similarities.append(rows)
    return out, similarities


def pck(images):
    """Shares of labelled keypoints within shares of the torso: coco-17 only."""
    errors = []
    for image in images:
        (t,), (p,) = image["truth"], image["predicted"]
        t, p = np.array(t["keypoints"]).reshape(-1, 3), np.array(p["keypoints"]).reshape(-1, 3)
        diagonals = [np.hypot(*(t[a, :2] - t[b, :2])) for a, b in ((5, 12), (6, 11)) if t[a, 2] > 0 and t[b, 2] > 0]
        if diagonals:
            d = np.hypot(*(t[:, :2] - p[:, :2]).T) / np.mean(diagonals)
            errors += list(np.where(p[:, 2] > 0, d, np.inf)[t[:, 2] > 0])
    return {f"{alpha:.2f}": float(np.mean(np.array(errors) <= alpha)) for alpha in (0.05, 0.1, 0.2, 0.5)}


def case(name, images, skeleton="coco-17", with_pck=False):
    figures, similarities = scores(images, SIGMAS[skeleton])
    return dict(name=name, skeleton=skeleton, images=images, coco=figures, oks=similarities,
                pck=pck(images) if with_pck else None)


rng = np.random.default_rng(17)
alone = []
for _ in range(12):
    t = person(rng, 17, rng.uniform(60, 200, 2))
    alone.append(dict(truth=[t], predicted=[found(rng, t, 0.08)]))
many = scenes(rng, 2, 17, 8, 0.05)
for image in many:
    t = person(rng, 17, (120, 150))
    image["truth"].append(t)
    image["predicted"] += [found(rng, t, rng.uniform(0, 0.1)) for _ in range(30)]
cases = [
    case("people of all sizes", scenes(rng, 12, 17, 4, 0.1)),
    case("equal scores", scenes(rng, 10, 17, 4, 0.08, ties=True)),
    case("crowds and people without labels", with_crowds(rng, scenes(rng, 6, 17, 3, 0.15), 17)),
    case("hardly labelled", scenes(rng, 8, 17, 4, 0.2, visible=0.15)),
    case("adversarial", adversarial(rng, 17)),
    case("more than twenty", many),
    case("nothing found", [dict(truth=[person(rng, 17, (50, 60))], predicted=[])]),
    case("nothing to find", [dict(truth=[], predicted=[found(rng, person(rng, 17, (50, 60)), 0)])]),
    case("another skeleton", with_crowds(rng, scenes(rng, 6, 14, 3, 0.2), 14), "lsp-14"),
    case("one person each", alone, with_pck=True),
]
OUT.write_text(json.dumps(dict(generator="bench/reference/keypoints.py", cases=cases), separators=(",", ":")) + "\n")
print(OUT.stat().st_size // 1024, "KiB")
for c in cases:
    print(c["name"], {k: v if v is None else round(v, 4) for k, v in c["coco"].items()}, c["pck"])
