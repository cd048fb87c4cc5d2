"""Train the body preset for several lengths and input sizes, and score each on photos that none has seen.

    python bench/body.py DATA OUT --minutes 5,10,20 [--sizes auto,256x256] [--hold-out 60] [--foreground 1..58]
                         [--binary target/release/vibhag]

DATA holds `images/` and `labels/` or `masks/` of equal stems. A seeded choice of photos is kept aside, evenly over their
order; the others are learnt from, one run after the other. `auto` is the planner's size; others are ROWSxCOLUMNS. OUT gets
the two folders (links), a run for each row, `table.md` and `results.json`. Leave the machine alone meanwhile: minutes are
wall-clock time.
"""

import argparse
import json
import random
import subprocess
from pathlib import Path


def photos(data: Path) -> dict[str, dict[str, Path]]:
    """Stem -> photo and mask, each with the name of its folder."""
    masks_folder = next(name for name in ("labels", "masks") if (data / name).is_dir())
    masks = {path.stem: path for path in (data / masks_folder).iterdir()}
    images = sorted((data / "images").iterdir())
    return {path.stem: {"images": path, masks_folder: masks[path.stem]} for path in images if path.stem in masks}


def split(data: Path, out: Path, hold_out: int) -> tuple[Path, Path]:
    """Folders of links: photos to learn from, and photos kept aside."""
    everything = photos(data)
    stems = sorted(everything)
    if not 0 < hold_out < len(stems):
        raise SystemExit(f"--hold-out {hold_out} of {len(stems)} photos leaves nothing for one of the two sides")
    generator = random.Random(0)
    bounds = [i * len(stems) // hold_out for i in range(hold_out + 1)]
    kept = {generator.choice(stems[a:b]) for a, b in zip(bounds, bounds[1:])}
    train, test = out / "train", out / "test"
    for stem, files in everything.items():
        for side, path in files.items():
            target = (test if stem in kept else train) / side / path.name
            target.parent.mkdir(parents=True, exist_ok=True)
            if not target.exists():
                target.symlink_to(path.resolve())
    return train, test


def vibhag(binary: str, *arguments: str) -> dict:
    """The JSON that a command prints."""
    done = subprocess.run([binary, *arguments, "--json"], check=False, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"vibhag {' '.join(arguments)}: {done.stderr}")
    return json.loads(done.stdout)


def measure(binary: str, train: Path, test: Path, run: Path, minutes: str, size: str, reading: list[str]) -> dict:
    """One training and its scores."""
    shape = []
    if size != "auto":
        height, width = size.split("x")
        shape = ["--set", f"input.geometry.height={height}", "--set", f"input.geometry.width={width}"]
    trained = vibhag(binary, "train", str(train), "--task", "body", "-o", str(run), "--minutes", minutes, *reading, *shape)
    scores = vibhag(binary, "evaluate", str(run), str(test))
    plan = vibhag(binary, "plan", str(train), "--task", "body", "--minutes", minutes, *reading, *shape)["input"]["geometry"]
    return {
        "minutes": float(minutes),
        "size": f"{plan['height']}x{plan['width']}" + (" (planner's)" if size == "auto" else ""),
        "steps": trained["steps"],
        "iou": scores["iou_per_image"],
        "boundary_iou": scores["boundary_iou"],
        "worst": min(row["iou"] for row in scores["per_image"]),
        "photos": scores["images"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--minutes", default="20")
    parser.add_argument("--sizes", default="auto")
    parser.add_argument("--hold-out", type=int, default=60)
    parser.add_argument("--foreground")
    parser.add_argument("--binary", default="target/release/vibhag")
    options = parser.parse_args()
    train, test = split(options.data, options.out, options.hold_out)
    reading = ["--foreground", options.foreground] if options.foreground else []
    rows = []
    table = ["| minutes | rows x columns | steps | IoU per photo | boundary IoU | worst photo |", "|---|---|---|---|---|---|"]
    for minutes in options.minutes.split(","):
        for size in options.sizes.split(","):
            run = options.out / f"run-{minutes}-{size}"
            row = measure(options.binary, train, test, run, minutes, size, reading)
            rows.append(row)
            table.append(
                f"| {row['minutes']:g} | {row['size']} | {row['steps']} | {row['iou']:.3f} | {row['boundary_iou']:.3f} "
                f"| {row['worst']:.3f} |"
            )
            print(table[-1], flush=True)
            # After each row: hours of training are not lost with the last one.
            (options.out / "results.json").write_text(json.dumps(rows, indent=1) + "\n")
            (options.out / "table.md").write_text("\n".join(table) + "\n")


if __name__ == "__main__":
    main()
