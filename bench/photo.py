"""From a photo's file to its mask's file: the classical U-Net in Vibhag and in ONNX Runtime, time and peak memory.

    python bench/photo.py [--binary target/release/vibhag] [--rounds 3] [--size 2000x1500] [--json out.json]

The photo comes from a seed. Nothing is trained: a bundle is a manifest and named weights, so `prepare` writes one with
PyTorch's initial weights, statistics of the photo and a centred output, and exports the same weights to ONNX. Both
sides then do the same: decode the PNG, run windows of 256x256 that overlap by half, blend them by Gaussian weights,
write the mask; one pass, no flips, two threads, f32. Each run is a process, measured from start to end, imports and
loading of the model included; memory is what the kernel reports for it. The masks are compared at the end.
See bench/README.md for the packages. Leave the machine alone meanwhile.
"""

import argparse
import json
import math
import os
import statistics
import sys
import time
from pathlib import Path

WINDOW, OVERLAP, SIGMA = 256, 0.5, 1 / 8
MEAN, STD = 127.5, 64.0
OURS = "vibhag"

MANIFEST = f"""\
format_version = 1
vibhag_version = "0.1.0"
task = "semantic"
weights_licence = "random numbers"

[metrics]

[network]
architecture = "unet"
in_channels = 3
out_channels = 1
widths = [64, 128, 256, 512, 1024]
decoder_channels = []
upsampling = "transposed"

[preprocessing]
channels = 3
mean = [{MEAN}, {MEAN}, {MEAN}]
std = [{STD}, {STD}, {STD}]

[preprocessing.geometry]
kind = "window"
height = {WINDOW}
width = {WINDOW}

[postprocessing]
tta = "none"
threshold = 0.5
overlap = {OVERLAP}

[data]
format = "none"
coding = "none"
hash = ""
train_images = 0
val_images = 0

[[classes.classes]]
name = "background"
color = [0, 0, 0]

[[classes.classes]]
name = "foreground"
color = [255, 255, 255]
"""


def picture(width: int, height: int):
    """Smooth colours, forty ellipses, grain: decodes and compresses like a photo."""
    import numpy as np

    rng = np.random.default_rng(20261125)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    image = np.empty((height, width, 3), np.float32)
    for channel in range(3):
        waves = rng.uniform(2, 9, 2) * 2 * math.pi / width
        image[..., channel] = 120 + 50 * np.sin(waves[0] * x + channel) * np.cos(waves[1] * y)
    for _ in range(40):
        centre, radii = rng.uniform(0, 1, 2) * (height, width), rng.uniform(0.02, 0.09, 2) * width
        inside = ((y - centre[0]) / radii[0]) ** 2 + ((x - centre[1]) / radii[1]) ** 2 < 1
        image[inside] = 0.3 * image[inside] + 0.7 * rng.uniform(0, 255, 3)
    image += rng.normal(0, 6, (height, width, 1))
    return image.clip(0, 255).astype(np.uint8)


def normalised(pixels):
    """Pixels (HWC) as the network's input (CHW)."""
    import numpy as np

    return (pixels.transpose(2, 0, 1).astype(np.float32) - MEAN) / STD


def prepare(folder: Path, width: int, height: int) -> None:
    """`photo.png`, `bundle/` and `network.onnx`."""
    import numpy as np
    import torch
    from PIL import Image
    from safetensors.torch import save_file

    from peer import write_onnx
    from torch_networks import NETWORKS

    image = picture(width, height)
    Image.fromarray(image).save(folder / "photo.png")
    torch.manual_seed(0)
    net = NETWORKS["unet"]()
    rng = np.random.default_rng(0)
    corners = [(rng.integers(height - WINDOW + 1), rng.integers(width - WINDOW + 1)) for _ in range(4)]
    windows = np.stack([normalised(image[top : top + WINDOW, left : left + WINDOW]) for top, left in corners])
    windows = torch.from_numpy(windows)
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 1.0
    with torch.no_grad():
        net.train()(windows)
        # About half of the pixels are foreground, so that masks can differ.
        net.head.bias -= net.eval()(windows).median()
    bundle = folder / "bundle"
    bundle.mkdir(exist_ok=True)
    save_file(net.state_dict(), bundle / "weights.safetensors")
    (bundle / "manifest.toml").write_text(MANIFEST)
    write_onnx(torch, torch.nn.Sequential(net, torch.nn.Sigmoid()), windows, str(folder / "network.onnx"), any_batch=True)


def starts(size: int) -> list[int]:
    """First positions of the windows along a side: crates/vibhag-predict/src/window.rs."""
    last = size - WINDOW
    gaps = math.ceil(last / int(WINDOW * (1 - OVERLAP)))
    rounded_up = [-(-last * index // max(gaps, 1)) for index in range(gaps + 1)]
    return [rounded_up[i] if 2 * i <= gaps else last - rounded_up[gaps - i] for i in range(gaps + 1)]


def with_onnxruntime(folder: Path, batch: int, threads: int) -> None:
    """The peer's process: photo.png -> onnxruntime.png."""
    import numpy as np
    from PIL import Image

    from peer import onnxruntime

    run = onnxruntime(str(folder / "network.onnx"), threads)
    began = time.perf_counter()
    image = np.asarray(Image.open(folder / "photo.png").convert("RGB"))
    height, width, _ = image.shape
    line = np.exp(-0.5 * ((np.arange(WINDOW) - (WINDOW - 1) / 2) / (SIGMA * WINDOW)) ** 2).astype(np.float32)
    weights = np.outer(line, line)
    corners = [(top, left) for top in starts(height) for left in starts(width)]
    sums, total = np.zeros((height, width), np.float32), np.zeros((height, width), np.float32)
    for first in range(0, len(corners), batch):
        places = [np.s_[top : top + WINDOW, left : left + WINDOW] for top, left in corners[first : first + batch]]
        for place, probability in zip(places, run(np.stack([normalised(image[place]) for place in places]))):
            sums[place] += weights * probability[0]
            total[place] += weights
    mask = np.where(sums / total >= 0.5, 255, 0).astype(np.uint8)
    Image.fromarray(mask).save(folder / "onnxruntime.png")
    print(json.dumps({"seconds": time.perf_counter() - began, "windows": len(corners)}))


def measured(command: list[str], threads: int, said: Path) -> dict:
    """Seconds and peak memory of a process. This one must stay small: a child begins as its copy."""
    names = ["RAYON_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"]
    environment = os.environ | dict.fromkeys(names, str(threads))
    redirect = [(os.POSIX_SPAWN_OPEN, 1, str(said), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)]
    began = time.perf_counter()
    child = os.posix_spawnp(command[0], command, environment, file_actions=redirect)
    _, status, usage = os.wait4(child, 0)
    seconds = time.perf_counter() - began
    if code := os.waitstatus_to_exitcode(status):
        sys.exit(f"{' '.join(command)}: exit status {code}")
    return {"seconds": seconds, "peak_rss_mib": usage.ru_maxrss / 1024}


def agreement(one: Path, other: Path) -> float:
    """Share of equal pixels."""
    import numpy as np
    from PIL import Image

    return float((np.asarray(Image.open(one)) == np.asarray(Image.open(other))).mean())


def table(results: dict) -> str:
    lines = ["| | file to mask | without start and loading | spread over rounds | peak RSS |", "|---|---|---|---|---|"]
    for who, row in results["rows"].items():
        times = f"{row['seconds']:.1f} s | {row['inner_seconds']:.1f} s | {row['spread']:.1%}"
        lines.append(f"| {who} | {times} | {row['peak_rss_mib']:.0f} MiB |")
    best = results["best_peer"]
    lines += ["", f"Ours / {best}: time {results['time_ratio']:.2f}, peak RSS {results['rss_ratio']:.2f}."]
    lines += [f"{results['windows']} windows; {results['equal_pixels']:.4%} of the two masks' pixels are equal."]
    return "\n".join(lines)


def compare(arguments: argparse.Namespace, folder: Path, width: int, height: int) -> dict:
    here = [sys.executable, str(Path(__file__).resolve()), "--folder", str(folder), "--threads", str(arguments.threads)]
    said = folder / "said.json"
    measured([*here, "--step", "prepare", "--size", f"{width}x{height}"], arguments.threads, said)
    ours = [arguments.binary, "predict", str(folder / "bundle"), str(folder / "photo.png"), "-o", str(folder / OURS)]
    commands = {OURS: [*ours, "--write", "masks", "--json", "--device", "cpu"]}
    for batch in arguments.batches.split(","):
        commands[f"ONNX Runtime, batch {batch}"] = [*here, "--step", "onnxruntime", "--batches", batch]
    runs = {who: [] for who in commands}
    for number in range(arguments.rounds):
        order = list(commands)
        shift = number % len(order)
        for who in order[shift:] + order[:shift]:
            run = measured(commands[who], arguments.threads, said)
            answer = json.loads(said.read_text())
            run["inner_seconds"] = (answer[0] if who == OURS else answer)["seconds"]
            runs[who].append(run)
            print(f"round {number + 1}: {who}: {run['seconds']:.1f} s, {run['peak_rss_mib']:.0f} MiB", file=sys.stderr)
    rows = {}
    for who, measurements in runs.items():
        rows[who] = {key: statistics.median(run[key] for run in measurements) for key in measurements[0]}
        seconds = [run["seconds"] for run in measurements]
        rows[who] |= {"spread": (max(seconds) - min(seconds)) / rows[who]["seconds"], "rounds_s": seconds}
    best = min((who for who in rows if who != OURS), key=lambda who: rows[who]["seconds"])
    return {
        "size": [width, height],
        "windows": len(starts(width)) * len(starts(height)),
        "threads": arguments.threads,
        "rows": rows,
        "best_peer": best,
        "time_ratio": rows[OURS]["seconds"] / rows[best]["seconds"],
        "rss_ratio": rows[OURS]["peak_rss_mib"] / rows[best]["peak_rss_mib"],
        "equal_pixels": agreement(folder / OURS / "masks" / "photo.png", folder / "onnxruntime.png"),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default="target/release/vibhag")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--size", default="2000x1500", help="width x height, at least 256 each")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batches", default="1,4", help="windows per run of ONNX Runtime; each is measured (ours: 4)")
    parser.add_argument("--json", type=Path, help="write the results here")
    parser.add_argument("--folder", type=Path, default=Path("target/bench-photo"), help="photo, model and masks")
    parser.add_argument("--step", choices=["all", "prepare", "onnxruntime"], default="all", help="one part alone")
    arguments = parser.parse_args()
    width, height = map(int, arguments.size.split("x"))
    if min(width, height) < WINDOW:
        parser.error(f"--size: both sides need {WINDOW} pixels")
    arguments.folder.mkdir(parents=True, exist_ok=True)
    if arguments.step == "prepare":
        prepare(arguments.folder, width, height)
    elif arguments.step == "onnxruntime":
        with_onnxruntime(arguments.folder, int(arguments.batches), arguments.threads)
    else:
        results = compare(arguments, arguments.folder, width, height)
        if arguments.json:
            arguments.json.write_text(json.dumps(results, indent=1) + "\n")
        print(table(results))


if __name__ == "__main__":
    main()
