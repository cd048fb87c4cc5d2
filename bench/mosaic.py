"""Predict a mosaic of 6,000 x 6,000 pixels whose number of objects is known from its parts.

    python bench/mosaic.py RUN IMAGES OUT [--side 6000] [--binary target/release/vibhag]

IMAGES is a folder of photos; those of 256 x 256 pixels are used. Each lies in a cell of 300 pixels on the median colour
of its border, so that nothing of two cells touches, mirrored and turned in eight ways until the mosaic is full.
Every cell is predicted alone too. Printed are the peak memory of the mosaic's prediction, the number of objects of both
ways and their difference, and how many objects of a cell are in pieces in the mosaic.
"""

import argparse
import json
import random
from pathlib import Path

import numpy
from clip import run
from PIL import Image

Image.MAX_IMAGE_PIXELS = None
CELL, PART = 300, 256
# A piece counts from this share of the object on.
PIECE = 0.1


def cell_of(image: numpy.ndarray, way: int) -> numpy.ndarray:
    turned = numpy.rot90(image if way < 4 else image[:, ::-1], way % 4)
    border = numpy.concatenate([turned[0], turned[-1], turned[:, 0], turned[:, -1]])
    cell = numpy.empty((CELL, CELL, 3), numpy.uint8)
    cell[:] = numpy.median(border, axis=0)
    margin = (CELL - PART) // 2
    cell[margin:margin + PART, margin:margin + PART] = turned
    return cell


def numbers(path: Path) -> numpy.ndarray:
    return numpy.array(Image.open(path)).astype(numpy.int64)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("run", type=Path)
    parser.add_argument("images", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--side", type=int, default=6000)
    parser.add_argument("--binary", default="target/release/vibhag")
    arguments = parser.parse_args()
    photos = [numpy.array(Image.open(path).convert("RGB")) for path in sorted(arguments.images.iterdir())]
    photos = [photo for photo in photos if photo.shape[:2] == (PART, PART)]
    if not photos:
        raise SystemExit(f"no image of {PART} x {PART} pixels in {arguments.images}")
    parts, whole = arguments.out / "parts", arguments.out / "whole"
    for folder in (parts, whole):
        folder.mkdir(parents=True, exist_ok=True)
    columns = arguments.side // CELL
    kinds = [(photo, way) for way in range(8) for photo in range(len(photos))]
    cells = [kinds[index % len(kinds)] for index in range(columns * columns)]
    random.Random(7).shuffle(cells)
    mosaic = numpy.empty((columns * CELL, columns * CELL, 3), numpy.uint8)
    for index, (photo, way) in enumerate(cells):
        top, left = index // columns * CELL, index % columns * CELL
        mosaic[top:top + CELL, left:left + CELL] = cell_of(photos[photo], way)
    for photo, way in sorted(set(cells)):
        Image.fromarray(cell_of(photos[photo], way)).save(parts / f"{photo:04d}_{way}.png")
    Image.fromarray(mosaic).save(whole / "mosaic.png")

    def predict(images: Path) -> tuple[float, float]:
        out = images.with_name(f"{images.name}_out")
        return run([arguments.binary, "predict", str(arguments.run), str(images), "-o", str(out),
                    "--write", "masks", "--quiet"])

    predict(parts)
    seconds, memory = predict(whole)
    found = numbers(arguments.out / "whole_out" / "masks" / "mosaic.png")
    expected = split = 0
    for index, (photo, way) in enumerate(cells):
        part = numbers(arguments.out / "parts_out" / "masks" / f"{photo:04d}_{way}.png")
        top, left = index // columns * CELL, index % columns * CELL
        cell = found[top:top + CELL, left:left + CELL]
        objects = numpy.unique(part[part > 0])
        expected += len(objects)
        for number in objects:
            under = cell[part == number]
            shares = numpy.unique(under[under > 0], return_counts=True)[1] / len(under)
            split += int((shares > PIECE).sum() > 1)
    count = len(numpy.unique(found[found > 0]))
    print(json.dumps({
        "side": columns * CELL, "cells": len(cells), "seconds": round(seconds, 1), "peak_gib": round(memory / 1024, 2),
        "objects_of_parts": expected, "objects_of_mosaic": count,
        "difference": round(abs(count - expected) / max(expected, 1), 5), "split": split,
    }))


if __name__ == "__main__":
    main()
