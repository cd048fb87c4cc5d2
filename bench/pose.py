"""Scores `vibhag pose` on photographs with COCO keypoints, at several sizes of the network's input.

    python bench/pose.py IMAGES person_keypoints.json OUT --vibhag target/release/vibhag     # numpy, pycocotools

IMAGES is a folder; the annotations are COCO's, whose numbers the files bear as names. pycocotools computes AP and AR.
"""
import argparse
import contextlib
import io
import json
import pathlib
import subprocess

from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("images", type=pathlib.Path)
    parser.add_argument("annotations", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--vibhag", default="target/release/vibhag")
    parser.add_argument("--sizes", default="257,353,513")
    args = parser.parse_args()
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(args.annotations))
    print("| size | AP | AP50 | AP75 | AR | AP of large people | seconds an image |\n|---|---|---|---|---|---|---|")
    for size in args.sizes.split(","):
        out = args.out / size
        command = [args.vibhag, "pose", str(args.images), "-o", str(out), "--format", "coco", "--size", size, "--quiet"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        rows = json.loads((out / "poses.json").read_text())
        seconds = sorted(row["seconds"] for row in rows)[len(rows) // 2]
        with contextlib.redirect_stdout(io.StringIO()):
            scores = COCOeval(truth, truth.loadRes(str(out / "coco_results.json")), "keypoints")
            scores.params.imgIds = [row["image_id"] for row in rows]
            scores.evaluate()
            scores.accumulate()
            scores.summarize()
        ap, ap50, ap75, _, large, ar = scores.stats[:6]
        print(f"| {size} | {ap:.3f} | {ap50:.3f} | {ap75:.3f} | {ar:.3f} | {large:.3f} | {seconds:.3f} |")


if __name__ == "__main__":
    main()
