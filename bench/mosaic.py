"""Predict a mosaic of 6,000 x 6,000 pixels whose number of objects is known from its parts.

    python bench/mosaic.py RUN IMAGES OUT [--side 6000] [--binary target/release/vibhag]

IMAGES is a folder of photos; those of 256 x 256 pixels are used. Each lies in a cell of 300 pixels on the median colour
of its border, so that nothing of two cells touches, mirrored and turned in eight ways until the mosaic is full.
Every cell is predicted alone too. Printed are the peak memory of the mosaic's prediction, the number of objects of both
ways and their difference, and how many objects of a cell are in pieces in the mosaic. If seams broke objects, those in
pieces would lie across edges of windows more often than objects do at large, so both shares are printed.
"""

import argparse
import json
import random
import tomllib
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


def window_edges(manifest: dict, side: int) -> numpy.ndarray:
    """Whether an edge of a window lies at each row (and column): where it begins, and the first after its end.

    Within a pixel, as starts that are not whole are rounded.
    """
    window = manifest["preprocessing"]["geometry"]["height"]
    last = max(side - window, 0)
    gaps = -(-last // max(int(window * (1 - manifest["postprocessing"]["overlap"])), 1))
    starts = numpy.round(numpy.linspace(0, last, gaps + 1)).astype(int)
    edges = numpy.zeros(side, bool)
    edges[starts[1:]] = True
    edges[starts[:-1] + window] = True
    return edges


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
    manifest = tomllib.loads((arguments.run / "model" / "manifest.toml").read_text())
    edges = window_edges(manifest, columns * CELL)
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
    # By whether an object is in pieces: how many there are, and how many of them lie across an edge.
    objects, across = [0, 0], [0, 0]
    for index, (photo, way) in enumerate(cells):
        part = numbers(arguments.out / "parts_out" / "masks" / f"{photo:04d}_{way}.png")
        top, left = index // columns * CELL, index % columns * CELL
        cell = found[top:top + CELL, left:left + CELL]
        for number in numpy.unique(part[part > 0]):
            down, right = numpy.nonzero(part == number)
            under = cell[down, right]
            shares = numpy.unique(under[under > 0], return_counts=True)[1] / len(under)
            pieces = int((shares > PIECE).sum() > 1)
            objects[pieces] += 1
            across[pieces] += int(edges[top + down].any() or edges[left + right].any())
    expected = sum(objects)
    count = len(numpy.unique(found[found > 0]))
    print(json.dumps({
        "side": columns * CELL, "cells": len(cells), "seconds": round(seconds, 1), "peak_gib": round(memory / 1024, 2),
        "objects_of_parts": expected, "objects_of_mosaic": count,
        "difference": round(abs(count - expected) / max(expected, 1), 5), "in_pieces": objects[1],
        "in_pieces_across_edges": round(across[1] / max(objects[1], 1), 3),
        "all_across_edges": round(sum(across) / max(expected, 1), 3),
    }))


if __name__ == "__main__":
    main()
