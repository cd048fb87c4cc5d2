"""Reads what `vibhag pose` wrote with readers that others made, and compares every number with the file's own.

    vibhag pose clip.mp4 photos/ -o OUT --format openpose,coco
    python bench/openpose_readers.py OUT person_keypoints.json     # pose-format, pycocotools, numpy

OpenPose's files of each video (`OUT/*_json/`) go to pose-format's `load_openpose_directory`, COCO's results to pycocotools'
`loadRes` with the annotations whose image numbers they bear (left out without them).
"""

import contextlib
import io
import json
import re
import sys
from pathlib import Path

import numpy as np
from pose_format.utils.openpose import load_openpose_directory
from pycocotools.coco import COCO


def read_frames(folder: Path) -> None:
    files = {int(re.search(r"_(\d{12})_keypoints", path.name)[1]): path for path in folder.iterdir()}
    pose = load_openpose_directory(str(folder), fps=30, width=1280, height=720)
    points = len(pose.header.components[0].points)
    data, scores = pose.body.data.filled(0)[:, :, :points], pose.body.confidence[:, :, :points]
    people = 0
    for number, path in files.items():
        for place, person in enumerate(json.loads(path.read_text())["people"]):
            own = np.array(person["pose_keypoints_2d"], np.float32).reshape(-1, 3)
            shown = own[:, 2] > 0
            assert np.array_equal(scores[number, place], own[:, 2]), path
            assert np.array_equal(data[number, place][shown], own[shown, :2]), path
            people += 1
    print(f"{folder}: pose-format read {len(files)} frames, {people} people of {points} keypoints, every number as written")


def read_results(results: Path, annotations: Path) -> None:
    with contextlib.redirect_stdout(io.StringIO()):
        loaded = COCO(str(annotations)).loadRes(str(results))
    rows = json.loads(results.read_text())
    kept = loaded.loadAnns(loaded.getAnnIds())
    assert [row["keypoints"] for row in kept] == [row["keypoints"] for row in rows]
    print(f"{results}: pycocotools loaded {len(kept)} people")


def main() -> None:
    out = Path(sys.argv[1])
    folders = sorted(path for path in out.iterdir() if path.is_dir() and path.name.endswith("_json"))
    if not folders and len(sys.argv) < 3:
        raise SystemExit(f"{out} holds the frames of no video")
    for folder in folders:
        read_frames(folder)
    if len(sys.argv) > 2:
        read_results(out / "coco_results.json", Path(sys.argv[2]))


if __name__ == "__main__":
    main()
