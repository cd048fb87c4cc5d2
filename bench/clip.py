"""Cut-outs and skeletons of a video whose truth is known: people photographed standing, with masks, side by side in one
wide picture that a camera of 1280x720 pans along.

    python bench/clip.py DATA OUT [--model RUN] [--seconds 10] [--photos 8]
                         [--binary target/release/vibhag]     # numpy, Pillow, ffmpeg

DATA holds `images/` and `labels/` or `masks/` of equal stems; values above 0 are the person. Prints a table: frames a
second of the whole command, peak memory for a clip of half the length and of the whole one, the IoU of the cut-out with
the truth (with --model), and of skeletons how many of the people that a frame shows whole are found and how often one's
number changes. Passers-by in the photos' backgrounds are in no mask: their skeletons are counted as elsewhere. OUT keeps
the clips and what was made of them.
"""

import argparse
import json
import os
import subprocess
import time
from pathlib import Path

import numpy as np
from PIL import Image

WIDTH, HEIGHT, RATE = 1280, 720, 30


def panorama(data: Path, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Photos at the height of a frame side by side, and for each pixel the number of its person, 0 for none."""
    masks = {path.stem: path for name in ("labels", "masks") if (data / name).is_dir() for path in (data / name).iterdir()}
    images = sorted(path for path in (data / "images").iterdir() if path.stem in masks)
    chosen = [images[i * len(images) // count] for i in range(count)]
    photos, people = [], []
    for number, path in enumerate(chosen, 1):
        image = Image.open(path).convert("RGB")
        size = (round(image.width * HEIGHT / image.height), HEIGHT)
        photos.append(np.asarray(image.resize(size, Image.Resampling.BICUBIC)))
        mask = Image.open(masks[path.stem]).resize(size, Image.Resampling.NEAREST)
        people.append(np.where(np.asarray(mask) > 0, number, 0).astype(np.uint8))
    return np.concatenate(photos, 1), np.concatenate(people, 1)


def left_edges(width: int, frames: int) -> list[int]:
    return [round(i * (width - WIDTH) / max(frames - 1, 1)) for i in range(frames)]


def write_clip(path: Path, scene: np.ndarray, lefts: list[int]) -> None:
    command = ["ffmpeg", "-y", "-loglevel", "error", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{WIDTH}x{HEIGHT}"]
    command += ["-r", str(RATE), "-i", "-", "-c:v", "libx264", "-crf", "16", "-pix_fmt", "yuv420p", str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as encoder:
        for left in lefts:
            encoder.stdin.write(scene[:, left : left + WIDTH].tobytes())
        encoder.stdin.close()
        if encoder.wait() != 0:
            raise SystemExit("ffmpeg could not write the clip")


def run(command: list[str]) -> tuple[float, float]:
    """Seconds and the process's peak memory in MiB, its children's (ffmpeg) not counted."""
    started = time.monotonic()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    if os.waitstatus_to_exitcode(status) != 0:
        raise SystemExit(f"{' '.join(command)}: exit code {os.waitstatus_to_exitcode(status)}")
    return time.monotonic() - started, usage.ru_maxrss / 1024


def masks_of(video: Path) -> np.ndarray:
    """The frames of a grey video, frames x rows x columns."""
    command = ["ffmpeg", "-loglevel", "error", "-i", str(video), "-f", "rawvideo", "-pix_fmt", "gray", "-"]
    done = subprocess.run(command, check=True, capture_output=True)
    return np.frombuffer(done.stdout, np.uint8).reshape(-1, HEIGHT, WIDTH)


def cutout_iou(video: Path, people: np.ndarray, lefts: list[int]) -> float:
    found = masks_of(video)
    if len(found) != len(lefts):
        raise SystemExit(f"{video}: {len(found)} frames instead of {len(lefts)}")
    ratios = []
    for mask, left in zip(found, lefts):
        truth, mask = people[:, left : left + WIDTH] > 0, mask >= 128
        ratios.append((truth & mask).sum() / max((truth | mask).sum(), 1))
    return float(np.mean(ratios))


def follow(folder: Path, people: np.ndarray, lefts: list[int]) -> dict:
    """How often the people that frames show whole are found, and how often their numbers change."""
    whole = {number: (people == number).any(0).nonzero()[0] for number in range(1, people.max() + 1)}
    shown = found = changes = strangers = 0
    last: dict[int, int] = {}
    files = sorted(folder.rglob("*_keypoints.json"))
    if len(files) != len(lefts):
        raise SystemExit(f"{folder}: {len(files)} frames instead of {len(lefts)}")
    for path, left in zip(files, lefts):
        owners: dict[int, list[int]] = {}
        for person in json.loads(path.read_text())["people"]:
            points = np.array(person["pose_keypoints_2d"]).reshape(-1, 3)
            x, y = points[points[:, 2] > 0, :2].round().astype(int).T
            inside = (x >= 0) & (x < WIDTH) & (y >= 0) & (y < HEIGHT)
            numbers = people[y[inside], left + x[inside]]
            votes = np.bincount(numbers, minlength=2)
            votes[0] = 0
            if 2 * votes.max() >= len(x):
                owners.setdefault(int(votes.argmax()), []).append(person["person_id"][0])
            else:
                strangers += 1
        for number, columns in whole.items():
            if columns[0] < left or columns[-1] >= left + WIDTH:
                continue
            shown += 1
            if number in owners:
                found += 1
                own = owners[number]
                if number in last and last[number] not in own:
                    changes += 1
                if last.get(number) not in own:
                    last[number] = own[0]
    return {"shown": shown, "found": found, "changes": changes, "strangers": strangers, "people": len(last)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--photos", type=int, default=8)
    parser.add_argument("--binary", default="target/release/vibhag")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    scene, people = panorama(options.data, options.photos)
    lefts = left_edges(scene.shape[1], round(options.seconds * RATE))
    half = lefts[: len(lefts) // 2]
    write_clip(options.out / "clip.mp4", scene, lefts)
    write_clip(options.out / "half.mp4", scene, half)
    print("| command | frames | frames a second | peak memory, half and whole clip, MiB | result |\n|---|---|---|---|---|")

    def row(name: str, command: list[str], output: str, result) -> None:
        memory = []
        for clip in ("half", "clip"):
            target = options.out / f"{name}-{clip}{output}"
            seconds, peak = run([options.binary, command[0], str(options.out / f"{clip}.mp4"), "-o", str(target), "--quiet", *command[1:]])
            memory.append(peak)
        print(f"| {' '.join(command)} | {len(lefts)} | {len(lefts) / seconds:.1f} | {memory[0]:.0f}, {memory[1]:.0f} | {result(target)} |", flush=True)

    def poses(folder: Path) -> str:
        seen = follow(folder, people, lefts)
        return (
            f"{seen['found']} of {seen['shown']} whole people found, {seen['changes']} changes of number of "
            f"{seen['people']} people, {seen['strangers']} skeletons elsewhere"
        )

    row("pose", ["pose"], "", poses)
    row("pose-257", ["pose", "--size", "257"], "", poses)
    if options.model:
        command = ["cutout", "--model", str(options.model), "--alpha"]
        row("cutout", command, ".mp4", lambda video: f"IoU {cutout_iou(video, people, lefts):.3f}")


if __name__ == "__main__":
    main()
