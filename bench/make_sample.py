"""Choose the 40 images that `vibhag demo` carries, and copy them into the crate.

    python bench/make_sample.py PATH/TO/dsb2018

PATH/TO/dsb2018 holds `images/*.png` and `labels/*.png` (16-bit instance ids, equal names): the
Data Science Bowl 2018 stage 1 training set with the community's fixes, CC0. The choice is a pure
function of the files: strata by size and colour mode, and within a stratum evenly spaced picks
from the smaller half by bytes, so that the sample is varied and stays small. Needs Pillow, NumPy.
"""

import shutil
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
from PIL import Image

OUT = Path(__file__).resolve().parent.parent / "crates" / "vibhag" / "assets" / "sample"
BUDGET_BYTES = 2_500_000
MIN_NUCLEI = 3

# (width, height, PIL mode) -> how many. Grey: fluorescence; RGB: stained tissue, bright field.
STRATA = {
    (256, 256, "L"): 14,
    (320, 256, "L"): 2,
    (320, 256, "RGB"): 9,
    (347, 260, "L"): 2,
    (360, 360, "L"): 5,
    (640, 512, "L"): 2,
    (696, 520, "L"): 5,
    (1272, 603, "L"): 1,
}


def main(source: Path) -> None:
    groups = defaultdict(list)
    for image in sorted((source / "images").glob("*.png")):
        label = source / "labels" / image.name
        with Image.open(image) as opened:
            key = (*opened.size, opened.mode)
        if key not in STRATA:
            continue
        ids = np.unique(np.asarray(Image.open(label)))
        if np.count_nonzero(ids) < MIN_NUCLEI:
            continue
        groups[key].append((image.stat().st_size + label.stat().st_size, image.stem))

    chosen = []
    for key, count in STRATA.items():
        found = sorted(groups[key])
        half = found[: max(count, (len(found) + 1) // 2)]
        if len(half) < count:
            sys.exit(f"{source}: {len(half)} images of {key}, {count} wanted")
        chosen += [half[i * len(half) // count] for i in range(count)]

    total = sum(size for size, _ in chosen)
    if total > BUDGET_BYTES:
        sys.exit(f"the choice takes {total} bytes, over {BUDGET_BYTES}")
    short = {stem[:8] for _, stem in chosen}
    if len(short) != len(chosen):
        sys.exit("two chosen ids share their first eight digits")

    for folder in ("images", "labels"):
        shutil.rmtree(OUT / folder, ignore_errors=True)
        (OUT / folder).mkdir(parents=True)
        for _, stem in chosen:
            shutil.copyfile(source / folder / f"{stem}.png", OUT / folder / f"{stem[:8]}.png")
    print(f"{len(chosen)} images, {total} bytes -> {OUT}")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
