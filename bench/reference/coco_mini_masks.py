"""Freezes what pycocotools makes of every annotation of a COCO file: run with numpy and pycocotools installed.

    python bench/reference/coco_mini_masks.py INSTANCES.json

Writes crates/vibhag-data/tests/annotations/reference/coco_mini_masks.json: for each id the area, the box and a hash of the
mask's pixels (0 or 1, column by column). No image content.
"""

import contextlib
import hashlib
import io
import json
import sys
from pathlib import Path

import numpy as np
from pycocotools import mask
from pycocotools.coco import COCO

with contextlib.redirect_stdout(io.StringIO()):
    coco = COCO(sys.argv[1])

rows = []
for id, annotation in sorted(coco.anns.items()):
    rle = coco.annToRLE(annotation)
    pixels = np.asfortranarray(mask.decode(rle))
    digest = hashlib.sha256(pixels.tobytes(order="F")).hexdigest()[:16]
    box = [int(value) for value in mask.toBbox(rle)]
    rows.append(json.dumps([id, int(mask.area(rle)), box, digest]))

target = Path(__file__).resolve().parents[2] / "crates/vibhag-data/tests/annotations/reference/coco_mini_masks.json"
target.parent.mkdir(parents=True, exist_ok=True)
target.write_text("[\n" + ",\n".join(rows) + "\n]\n")
