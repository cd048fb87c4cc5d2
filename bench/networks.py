"""Train several networks for the same minutes on the same images, and score them on images that none has seen.

    python bench/networks.py DATA OUT --minutes 8 [--hold-out 32] [--binary target/release/vibhag]

DATA holds `images/` and `masks/` of equal stems, or PH2's `IMDnnn` folders. A seeded choice of cases is kept aside,
spread evenly over PH2's numbering; the rest is trained on, one network after the other. OUT gets the two folders
(links), one run per network, `table.md`, `results.json` and `picture.png`: the held-out images on which the planner's
choice is worst, median and best, with the truth and every network's outline. Needs Pillow. Leave the machine alone
meanwhile: minutes are wall-clock time.
"""

import argparse
import json
import os
import random
import re
import subprocess
from pathlib import Path

from PIL import Image, ImageDraw

NETWORKS = {
    "planner's choice": [],
    "unet": ["--arch", "unet"],
    "unet-lite": ["--arch", "unet-lite"],
    "segnet": ["--arch", "segnet"],
    "segnet-lite": ["--arch", "segnet-lite"],
}
CELL = (240, 180)


def cases(data: Path) -> dict[str, dict[str, Path]]:
    """Stem -> image and mask."""
    found = {}
    for image in sorted(data.rglob("*_Dermoscopic_Image/*")):
        stem = image.stem
        (mask,) = image.parent.parent.glob("*_lesion/*")
        found[stem] = {"images": image, "masks": mask}
    if not found:
        masks = {path.stem: path for path in (data / "masks").iterdir()}
        found = {path.stem: {"images": path, "masks": masks[path.stem]} for path in sorted((data / "images").iterdir())}
    return found


def link(chosen: dict[str, dict[str, Path]], folder: Path) -> None:
    for stem, files in chosen.items():
        for side, path in files.items():
            (folder / side).mkdir(parents=True, exist_ok=True)
            target = folder / side / f"{stem}{path.suffix}"
            if not target.exists():
                os.symlink(path.resolve(), target)


def split(data: Path, out: Path, hold_out: int) -> tuple[Path, Path]:
    everything = cases(data)
    stems = sorted(everything)
    generator = random.Random(0)
    # One case out of every run of neighbours: PH2 is numbered roughly by diagnosis.
    kept = {generator.choice(stems[i * len(stems) // hold_out : (i + 1) * len(stems) // hold_out]) for i in range(hold_out)}
    train, test = out / "train", out / "test"
    link({stem: files for stem, files in everything.items() if stem not in kept}, train)
    link({stem: files for stem, files in everything.items() if stem in kept}, test)
    return train, test


def run(command: list[str]) -> str:
    print("+", " ".join(command), flush=True)
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def network(binary: str, name: str, options: list[str], train: Path, test: Path, out: Path, minutes: float) -> dict:
    folder = out / re.sub(r"[^a-z]+", "-", name)
    done = folder / "held-out.json"
    if not done.exists():
        command = [binary, "train", str(train), "-o", str(folder), "--minutes", str(minutes), "--json", *options]
        trained = json.loads(run(command))
        scored = json.loads(run([binary, "evaluate", str(folder), str(test), "--json"]))
        run([binary, "predict", str(folder), str(test / "images"), "-o", str(folder / "predictions"), "--write", "masks", "-q"])
        scored["steps"] = trained["steps"]
        done.write_text(json.dumps(scored, indent=1))
    return json.loads(done.read_text())


def table(results: dict[str, dict]) -> str:
    rows = ["| network | Dice per image | 95% CI | IoU per image | worst image | steps |", "|---|---|---|---|---|---|"]
    for name, found in results.items():
        low, high = found["dice_per_image_ci95"]["low"], found["dice_per_image_ci95"]["high"]
        rows.append(
            f"| {name} | {found['dice_per_image']:.3f} | {low:.3f} to {high:.3f} | {found['iou_per_image']:.3f} "
            f"| {found['per_image'][0]['dice']:.3f} | {found['steps']} |"
        )
    return "\n".join(rows) + "\n"


def outlined(image: Image.Image, mask: Path) -> Image.Image:
    """The image with the border of the mask drawn in green over black."""
    small = image.resize(CELL, Image.LANCZOS)
    inside = Image.open(mask).convert("L").point(lambda v: 255 if v else 0).resize(CELL, Image.NEAREST)
    pixels, out = inside.load(), small.load()
    for y in range(1, CELL[1] - 1):
        for x in range(1, CELL[0] - 1):
            if pixels[x, y] and not (pixels[x - 1, y] and pixels[x + 1, y] and pixels[x, y - 1] and pixels[x, y + 1]):
                out[x, y] = (0, 255, 80)
                out[x, y - 1] = (0, 0, 0)
    return small


def picture(results: dict[str, dict], test: Path, out: Path) -> Image.Image:
    first = next(iter(results.values()))["per_image"]
    names = [first[0]["image"], first[len(first) // 2]["image"], first[-1]["image"]]
    columns = ["truth", *results]
    sheet = Image.new("RGB", (CELL[0] * len(columns), (CELL[1] + 16) * len(names) + 16), "white")
    draw = ImageDraw.Draw(sheet)
    files = {path.stem: path for path in (test / "images").iterdir()}
    masks = {path.stem: path for path in (test / "masks").iterdir()}
    for column, title in enumerate(columns):
        draw.text((column * CELL[0] + 4, 2), title, fill="black")
        for row, name in enumerate(names):
            stem = Path(name).stem
            image = Image.open(files[stem]).convert("RGB")
            mask = masks[stem]
            label = stem
            if column:
                mask = out / re.sub(r"[^a-z]+", "-", title) / "predictions" / "masks" / f"{stem}.png"
                scores = {score["image"]: score["dice"] for score in results[title]["per_image"]}
                label = f"Dice {scores[name]:.3f}"
            top = 16 + row * (CELL[1] + 16)
            sheet.paste(outlined(image, mask), (column * CELL[0], top))
            draw.text((column * CELL[0] + 4, top + CELL[1] + 2), label, fill="black")
    return sheet


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--minutes", type=float, default=8)
    parser.add_argument("--hold-out", type=int, default=32)
    parser.add_argument("--binary", default="target/release/vibhag")
    parser.add_argument("--split-only", action="store_true", help="make the two folders and stop")
    arguments = parser.parse_args()
    train, test = split(arguments.data, arguments.out, arguments.hold_out)
    if arguments.split_only:
        return
    results = {
        name: network(arguments.binary, name, options, train, test, arguments.out, arguments.minutes)
        for name, options in NETWORKS.items()
    }
    (arguments.out / "results.json").write_text(json.dumps(results, indent=1))
    (arguments.out / "table.md").write_text(table(results))
    picture(results, test, arguments.out).save(arguments.out / "picture.png")
    print(table(results))


if __name__ == "__main__":
    main()
