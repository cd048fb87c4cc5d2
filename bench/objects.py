"""Train every head for the same minutes on the same images with objects, and score them on images that none has seen.

    python bench/objects.py DATA OUT --minutes 10 [--hold-out 60] [--heads planner,star,flow,center] [--peer]
        [--binary target/release/vibhag]

DATA holds `images/` and `labels/` with label maps of equal names. A seeded choice of images is kept aside; the rest is
trained on, one head after the other. OUT gets the two folders (links), one run per head, `table.md` and `results.json`.
With `--peer`, Cellpose 3 (`pip install "cellpose<4"`) trains its own network from random weights on the same images for
the same minutes, and its label maps are scored by the same command. Leave the machine alone meanwhile: minutes are
wall-clock time.
"""

import argparse
import json
import os
import random
import subprocess
import time
from pathlib import Path

PEER_BATCH = 8


def split(data: Path, out: Path, hold_out: int) -> tuple[Path, Path]:
    names = sorted(path.name for path in (data / "images").iterdir())
    random.Random(7).shuffle(names)
    # The folders' names tell the class.
    train, test = out / f"train_{data.name}", out / f"test_{data.name}"
    for folder, chosen in ((test, names[:hold_out]), (train, names[hold_out:])):
        for side in ("images", "labels"):
            (folder / side).mkdir(parents=True, exist_ok=True)
            for name in chosen:
                if not (folder / side / name).exists():
                    os.symlink((data / side / name).resolve(), folder / side / name)
    return train, test


def run(command: list[str]) -> str:
    print("+", " ".join(command), flush=True)
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def train_head(binary: str, head: str, train: Path, test: Path, out: Path, minutes: float) -> dict:
    folder = out / f"run-{head}"
    options = [] if head == "planner" else ["--head", head]
    trained = json.loads(run([binary, "train", str(train), "--task", "instance", "--minutes", str(minutes), "-o",
                              str(folder), "--json", *options]))
    scores = json.loads(run([binary, "evaluate", str(folder), str(test), "--json"]))
    return {"steps": trained["steps"], "scores": scores}


def train_peer(binary: str, train: Path, test: Path, out: Path, minutes: float) -> dict:
    import numpy
    from cellpose import models
    from cellpose import train as cellpose_train
    from PIL import Image

    def load(folder: Path) -> tuple[list[str], list, list]:
        names = sorted(path.name for path in (folder / "images").iterdir())
        images = [numpy.array(Image.open(folder / "images" / name).convert("L")) for name in names]
        return names, images, [numpy.array(Image.open(folder / "labels" / name)).astype(numpy.int32) for name in names]

    _, images, labels = load(train)
    names, unseen, _ = load(test)
    model = models.CellposeModel(gpu=False, pretrained_model=False)

    def fit(epochs: int) -> float:
        began = time.time()
        cellpose_train.train_seg(model.net, train_data=images, train_labels=labels, channels=[0, 0], normalize=True,
                                 n_epochs=epochs, batch_size=PEER_BATCH, learning_rate=0.2, SGD=True,
                                 weight_decay=1e-5, save_path=str(out), nimg_per_epoch=PEER_BATCH * 10,
                                 min_train_masks=1)
        return time.time() - began

    # Two lengths tell the cost of preparing (flows are computed once) and of an epoch.
    short, longer = fit(1), fit(3)
    epoch = max((longer - short) / 2, 1e-3)
    epochs = max(int((60 * minutes - (short - epoch)) / epoch), 1)
    model = models.CellposeModel(gpu=False, pretrained_model=False)
    seconds = fit(epochs)
    predictions = out / "peer"
    predictions.mkdir(exist_ok=True)
    masks, _, _ = model.eval(unseen, channels=[0, 0], diameter=None, batch_size=PEER_BATCH)
    for name, mask in zip(names, masks):
        Image.fromarray(mask.astype(numpy.uint16)).save(predictions / Path(name).with_suffix(".png").name)
    scores = json.loads(run([binary, "evaluate", "--truth", str(test / "labels"), "--pred", str(predictions), "--task",
                             "instance", "--json"]))
    return {"steps": 10 * epochs, "seconds": seconds, "scores": scores}


def row(name: str, result: dict) -> str:
    scores = result["scores"]
    return (f"| {name} | {scores['ap_dsb']['0.50']:.3f} | {scores['ap_dsb']['0.75']:.3f} | {scores['ap_dsb_mean']:.3f} | "
            f"{scores['count_mae']:.2f} | {100 * scores['count_error']:.1f} % | {result['steps']} |")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--hold-out", type=int, default=60)
    parser.add_argument("--heads", default="planner,star,flow,center")
    parser.add_argument("--peer", action="store_true")
    parser.add_argument("--binary", default="target/release/vibhag")
    options = parser.parse_args()
    train, test = split(options.data, options.out, options.hold_out)
    kept = options.out / "results.json"
    results = json.loads(kept.read_text()) if kept.exists() else {}
    jobs = [head for head in options.heads.split(",") if head]
    for name in [*jobs, *(["Cellpose 3"] if options.peer else [])]:
        if name in results:
            continue
        if name == "Cellpose 3":
            results[name] = train_peer(options.binary, train, test, options.out, options.minutes)
        else:
            results[name] = train_head(options.binary, name, train, test, options.out, options.minutes)
        kept.write_text(json.dumps(results, indent=1))
    lines = ["| head | AP at 0.5 | AP at 0.75 | mean AP | count off by | share | steps |", "|---|---|---|---|---|---|---|"]
    lines += [row(name, result) for name, result in results.items()]
    (options.out / "table.md").write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
