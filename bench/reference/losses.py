"""Freezes losses and their gradients for crates/vibhag-nn/tests/losses.rs.

Cross-entropy, BCE and focal come from torch and torchvision; Dice and Tversky are the formulas on
autograd. Everything in float64. Run: python bench/reference/losses.py
"""
import json
import pathlib

import torch
import torch.nn.functional as F
from torchvision.ops import sigmoid_focal_loss

torch.set_num_threads(1)
OUT = pathlib.Path(__file__).parents[2] / "crates/vibhag-nn/tests/reference/losses.json"
N, H, W, IGNORE = 3, 4, 5, 255
WEIGHTS = {1: [0.5, 2.0], 4: [0.25, 1.0, 2.0, 1.5]}


def data(channels, void, scale):
    g = torch.Generator().manual_seed(channels * 10 + void)
    logits = (torch.randn(N, channels, H, W, generator=g) * scale).float().double()
    target = torch.randint(0, max(channels, 2), (N, H, W), generator=g)
    if void:
        target[torch.rand(N, H, W, generator=g) < 0.2] = IGNORE
        target[2] = IGNORE  # an image without any valid pixel
    return logits.requires_grad_(), target


def one_hot(target, channels):
    classes = torch.arange(1, 2) if channels == 1 else torch.arange(channels)
    return (target[:, None] == classes[None, :, None, None]).double()


def pixel_weights(target, channels, weights):
    valid = (target != IGNORE).double()
    return valid if not weights else valid * torch.tensor(weights, dtype=torch.float64)[target.clamp(max=len(weights) - 1)]


def cross_entropy(x, t, weights, smoothing, **_):
    w = torch.tensor(weights, dtype=torch.float64) if weights else None
    return F.cross_entropy(x, t, weight=w, ignore_index=IGNORE, label_smoothing=smoothing)


def bce(x, t, weights, smoothing, **_):
    if weights:  # the two-class cross-entropy of (0, x)
        return cross_entropy(torch.cat([torch.zeros_like(x), x], 1), t, weights, smoothing)
    y = (t == 1).double() * (1 - smoothing) + smoothing / 2
    return F.binary_cross_entropy_with_logits(x[:, 0][t != IGNORE], y[t != IGNORE])


def focal(x, t, weights, smoothing, gamma=2.0, alpha=-1.0):
    w = pixel_weights(t, x.shape[1], weights)
    if x.shape[1] == 1:
        loss = sigmoid_focal_loss(x[:, 0], (t == 1).double(), alpha=alpha, gamma=gamma)
    else:
        log_p = F.log_softmax(x, 1).gather(1, t.clamp(max=x.shape[1] - 1)[:, None])[:, 0]
        loss = -(1 - log_p.exp()) ** gamma * log_p
    return (loss * w).sum() / w.sum()


def overlap(x, t, over):
    p = x.sigmoid() if x.shape[1] == 1 else x.softmax(1)
    p, y = p * (t != IGNORE)[:, None], one_hot(t, x.shape[1])
    dims = (2, 3) if over == "image" else (0, 2, 3)
    return (p * y).sum(dims), p.sum(dims), y.sum(dims)


def mean_loss(score, weights, channels):
    if weights and channels > 1:
        w = torch.tensor(weights, dtype=torch.float64)
        return ((1 - score) * w / w.sum()).sum(-1).mean()
    return (1 - score).mean()


def dice(x, t, weights, smoothing, over="image", smooth=1.0):
    tp, p, y = overlap(x, t, over)
    return mean_loss((2 * tp + smooth) / (p + y + smooth), weights, x.shape[1])


def tversky(x, t, weights, smoothing, over="image", smooth=1.0, alpha=0.3, beta=0.7):
    tp, p, y = overlap(x, t, over)
    return mean_loss((tp + smooth) / (tp + alpha * (p - tp) + beta * (y - tp) + smooth), weights, x.shape[1])


FUNCTIONS = {"cross-entropy": cross_entropy, "bce": bce, "dice": dice, "focal": focal, "tversky": tversky}


def case(name, channels, terms, void=False, weighted=False, smoothing=0.0, scale=2.0):
    x, t = data(channels, void, scale)
    weights = WEIGHTS[channels] if weighted else []
    loss = 0
    for term in terms:
        options = {k: v for k, v in term.items() if k not in ("kind", "weight")}
        loss = loss + term.get("weight", 1.0) * FUNCTIONS[term["kind"]](x, t, weights, smoothing, **options)
    loss.backward()
    config = dict(ignore=IGNORE, label_smoothing=smoothing, class_weights=weights, terms=terms)
    return dict(name=name, config=config, shape=[N, channels, H, W],
                logits=[round(v, 9) for v in x.detach().flatten().tolist()], target=t.flatten().tolist(),
                loss=loss.item(), gradient=[float(f"{v:.9g}") for v in x.grad.flatten().tolist()])


def term(kind, **options):
    return dict(kind=kind, **options)


cases = []
for channels, entropy in ((1, "bce"), (4, "cross-entropy")):
    for void in (False, True):
        where = f"{channels} channels, void {void}"
        for terms in ([term(entropy)], [term("dice")], [term("dice", over="batch")], [term("focal")],
                      [term("tversky")], [term("tversky", over="batch", alpha=0.6, beta=0.2, smooth=0.5)],
                      [term(entropy), term("dice", weight=0.5)]):
            cases.append(case(f"{terms}, {where}", channels, terms, void))
    everything = [term(k) for k in (entropy, "dice", "focal", "tversky")]
    cases.append(case(f"all weighted and smoothed, {channels} channels", channels, everything, True, True, 0.1))
    cases.append(case(f"smoothed, {channels} channels", channels, [term(entropy)], True, False, 0.2))
    cases.append(case(f"large logits, {channels} channels", channels, everything, True, scale=40.0))
    cases.append(case(f"focal of gamma 0.5, {channels} channels", channels, [term("focal", gamma=0.5)], True))
cases.append(case("focal with alpha", 1, [term("focal", alpha=0.25, gamma=1.5)], True))
OUT.parent.mkdir(parents=True, exist_ok=True)
OUT.write_text(json.dumps(dict(generator="bench/reference/losses.py", cases=cases), separators=(",", ":")) + "\n")
