"""Time Vibhag and its peers on the same work, in turn, and hold the work against what the machine can do.

    python bench/speed.py [--binary target/release/vibhag] [--rounds 5] [--only train-unet,...] [--json out.json]

Works: a training step (forward, loss, backward, AdamW) and a forward pass of three networks, on random data in f32.
Peers: PyTorch (eager, channels_last, torch.compile); for the forward pass also ONNX Runtime and OpenVINO. Every
measurement is a process of its own with `--threads` threads, a few steps that warm up and a few that count; a round
runs each once, in an order that shifts from round to round. A peer that fails is a row with the reason.

Tables: the median over the rounds of each round's median; the best peer's ratio as the median over rounds, with the
lowest and highest round; peak resident memory against that peer and against the leanest. The roofline counts the
convolutions' FLOP from their shapes, and compares with the best of a matrix product and of a large copy, measured before
each work in each round: the floor is the time that the convolutions would need, layer by layer, at those rates.
See bench/README.md for the packages. Leave the machine alone meanwhile.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

PEER = Path(__file__).resolve().with_name("peer.py")
OURS = "vibhag"
PYTORCH = {"PyTorch eager": "eager", "PyTorch channels_last": "channels_last", "torch.compile": "compile"}
RUNTIMES = {"ONNX Runtime": "onnxruntime", "OpenVINO": "openvino"}
PACKAGES = ["torch", "numpy", "onnx", "onnxruntime", "openvino"]
WARMUP = 3


@dataclass(frozen=True)
class Work:
    mode: str
    network: str
    batch: int
    size: tuple[int, int]
    steps: int

    def peers(self) -> dict[str, str]:
        return PYTORCH if self.mode == "train" else PYTORCH | RUNTIMES

    def title(self) -> str:
        return f"{self.mode} `{self.network}` {self.batch}x3x{self.size[0]}x{self.size[1]}"


WORKS = {
    "train-unet": Work("train", "unet", 8, (128, 128), 3),
    "train-unet-lite": Work("train", "unet-lite", 8, (256, 256), 5),
    "train-unet-lite0": Work("train", "unet+efficientnet-lite0", 8, (256, 256), 5),
    "predict-unet": Work("predict", "unet", 1, (256, 256), 9),
    "predict-unet-lite": Work("predict", "unet-lite", 1, (256, 256), 21),
    "predict-unet-lite0": Work("predict", "unet+efficientnet-lite0", 1, (256, 256), 21),
}


def run(command: list[str], threads: int, timeout: float) -> dict:
    """The JSON that the command prints last, or {"failed": reason}."""
    names = ["RAYON_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"]
    # One compiling process: what it needs counts as the peer's memory.
    environment = os.environ | dict.fromkeys(names, str(threads)) | {"TORCHINDUCTOR_COMPILE_THREADS": "1"}
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=timeout)
    except subprocess.TimeoutExpired:
        return {"failed": f"no result after {timeout:.0f} s"}
    try:
        if done.returncode == 0:
            # `vibhag` prints an indented object, a peer its last line.
            text = done.stdout.strip()
            return json.loads(text if text.startswith("{") else text.splitlines()[-1])
    except (json.JSONDecodeError, IndexError):
        pass
    said = (done.stderr.strip() or done.stdout.strip()).splitlines()
    return {"failed": f"exit status {done.returncode}: {said[-1] if said else 'silent'}"[:200]}


class Bench:
    def __init__(self, arguments: argparse.Namespace, folder: Path):
        self.arguments, self.folder = arguments, folder
        chosen = arguments.only.split(",") if arguments.only else list(WORKS)
        if unknown := [name for name in chosen if name not in WORKS]:
            sys.exit(f"no such work: {', '.join(unknown)}; choose of {', '.join(WORKS)}")
        self.works = {name: WORKS[name] for name in chosen}
        # work -> participant -> one answer per round
        self.answers = {name: {who: [] for who in [OURS, *work.peers()]} for name, work in self.works.items()}
        self.machine, self.counted = [], {}

    def peer(self, job: str, **request) -> dict:
        command = [sys.executable, str(PEER), json.dumps({"job": job, **request})]
        return run(command, self.arguments.threads, self.arguments.timeout)

    def steps(self, work: Work) -> int:
        return self.arguments.steps or work.steps

    def vibhag(self, work: Work) -> dict:
        architecture, _, encoder = work.network.partition("+")
        command = [self.arguments.binary, "bench", work.mode, "--arch", architecture, "--json", "--device", "cpu"]
        command += ["--encoder", encoder] if encoder else []
        command += ["--batch", str(work.batch), "--size", "x".join(map(str, work.size))]
        command += ["--steps", str(self.steps(work))]
        return run(command, self.arguments.threads, self.arguments.timeout)

    def onnx(self, name: str, work: Work) -> dict:
        """The exported network; made once, by a process that is not timed."""
        path = self.folder / f"{name}.onnx"
        if path.exists():
            return {"onnx": str(path)}
        request = {"network": work.network, "batch": work.batch, "size": work.size, "onnx": str(path)}
        return self.peer("export", **request, threads=self.arguments.threads)

    def measure(self, name: str, who: str) -> dict:
        work = self.works[name]
        if who == OURS:
            return self.vibhag(work)
        how = work.peers()[who]
        request = {"network": work.network, "batch": work.batch, "size": work.size, "how": how}
        request |= {"steps": self.steps(work), "warmup": min(WARMUP, self.steps(work)), "threads": self.arguments.threads}
        if work.mode == "train":
            request["loss"] = self.arguments.loss
        elif how in RUNTIMES.values():
            exported = self.onnx(name, work)
            if "failed" in exported:
                return exported
            request["onnx"] = exported["onnx"]
        return self.peer(work.mode, **request)

    def round(self, number: int) -> None:
        for name, participants in self.answers.items():
            self.machine.append(self.peer("machine", threads=self.arguments.threads))
            order = list(participants)
            shift = number % len(order)
            for who in order[shift:] + order[:shift]:
                before = participants[who]
                if before and "failed" in before[-1]:
                    continue
                began = time.monotonic()
                answer = self.measure(name, who)
                before.append(answer)
                said = f"FAILED {answer['failed']}" if "failed" in answer else f"{answer['median_s']:.4f} s"
                print(f"round {number + 1}: {name}, {who}: {said} ({time.monotonic() - began:.0f} s)", file=sys.stderr)

    def results(self) -> dict:
        machine = [answer for answer in self.machine if "failed" not in answer]
        peak = {key: max(answer[key] for answer in machine) for key in machine[0]} if machine else {}
        works = {}
        for name, work in self.works.items():
            rows = {who: summary(answers) for who, answers in self.answers[name].items() if answers}
            works[name] = {"title": work.title(), "rows": rows} | against(rows)
            if name not in self.counted:
                self.counted[name] = self.peer("count", network=work.network, batch=work.batch, size=work.size)
            counted = self.counted[name]
            if peak and "failed" not in counted and "failed" not in rows[OURS]:
                works[name]["roofline"] = roofline(counted["layers"], work.mode, rows, peak)
        return {"setting": setting(self.arguments), "machine": peak, "works": works}


def summary(answers: list[dict]) -> dict:
    if "failed" in answers[-1]:
        return {"failed": answers[-1]["failed"]}
    medians = [answer["median_s"] for answer in answers]
    median = statistics.median(medians)
    return {
        "median_s": median,
        "min_s": min(answer["min_s"] for answer in answers),
        "spread": (max(medians) - min(medians)) / median,
        "peak_rss_mib": statistics.median(answer["peak_rss_mib"] for answer in answers),
        "rounds_s": medians,
    } | {key: answers[-1][key] for key in ("rss_before_steps_mib", "threads") if key in answers[-1]}


def against(rows: dict[str, dict]) -> dict:
    """Ours against the peer whose median over the rounds is lowest."""
    peers = {who: row for who, row in rows.items() if who != OURS and "failed" not in row}
    ours = rows[OURS]
    if not peers or "failed" in ours:
        return {}
    best = min(peers, key=lambda who: peers[who]["median_s"])
    leanest = min(peers, key=lambda who: peers[who]["peak_rss_mib"])
    ratios = [mine / theirs for mine, theirs in zip(ours["rounds_s"], peers[best]["rounds_s"])]
    return {
        "best_peer": best,
        "time_ratio": statistics.median(ratios),
        "time_ratio_range": [min(ratios), max(ratios)],
        "rss_ratio": ours["peak_rss_mib"] / peers[best]["peak_rss_mib"],
        "leanest_peer": leanest,
        "rss_ratio_leanest": ours["peak_rss_mib"] / peers[leanest]["peak_rss_mib"],
    }


def roofline(layers: list[dict], mode: str, rows: dict[str, dict], peak: dict) -> dict:
    floor = flop = 0.0
    for layer in layers:
        passes = layer["passes"] if mode == "train" else 1
        flop += passes * layer["flop"]
        arithmetic = layer["flop"] / (peak["peak_gflops"] * 1e9)
        traffic = layer["bytes"] / (peak["bandwidth_gbs"] * 1e9)
        floor += passes * max(arithmetic, traffic)
    achieved = {who: flop / row["median_s"] / 1e9 for who, row in rows.items() if "failed" not in row}
    return {
        "gflop": flop / 1e9,
        "floor_s": floor,
        "gflops": achieved,
        "share_of_peak": {who: rate / peak["peak_gflops"] for who, rate in achieved.items()},
        "share_of_floor": {who: floor / rows[who]["median_s"] for who in achieved},
    }


def setting(arguments: argparse.Namespace) -> dict:
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = None
    info = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.split(":", 1)[1].strip() for line in info if line.startswith("model name")), "unknown")
    chosen = {"rounds": arguments.rounds, "threads": arguments.threads, "loss": arguments.loss, "steps": arguments.steps}
    return {"cpu": model, "cores": os.cpu_count(), "versions": versions, **chosen}


def markdown(results: dict) -> str:
    lines = ["| work | | median | fastest | spread over rounds | peak RSS |", "|---|---|---|---|---|---|"]
    for work in results["works"].values():
        title = work["title"]
        for who, row in work["rows"].items():
            if "failed" in row:
                lines.append(f"| {title} | {who} | failed: {row['failed'].replace('|', '/')} | | | |")
            else:
                times = f"{row['median_s']:.4f} s | {row['min_s']:.4f} s | {row['spread']:.1%}"
                lines.append(f"| {title} | {who} | {times} | {row['peak_rss_mib']:.0f} MiB |")
            title = ""
    lines += ["", "| work | best peer | time, ours / best (rounds) | peak RSS, ours / best | ours / leanest |"]
    lines.append("|---|---|---|---|---|")
    for work in results["works"].values():
        if "best_peer" in work:
            low, high = work["time_ratio_range"]
            ratios = f"{work['time_ratio']:.2f} ({low:.2f} to {high:.2f}) | {work['rss_ratio']:.2f}"
            lean = f"{work['rss_ratio_leanest']:.2f} ({work['leanest_peer']})"
            lines.append(f"| {work['title']} | {work['best_peer']} | {ratios} | {lean} |")
    machine = results["machine"]
    if machine:
        rates = f"{machine['peak_gflops']:.1f} GFLOP/s (f32 product of 2048x2048 matrices)"
        lines += ["", f"Machine in practice: {rates}, {machine['bandwidth_gbs']:.1f} GB/s (copy of 256 MiB)."]
        lines += ["", "| work | GFLOP | floor | ours | share of peak | share of floor | best peer's GFLOP/s |"]
        lines.append("|---|---|---|---|---|---|---|")
    for work in results["works"].values():
        if "roofline" in work:
            roof = work["roofline"]
            shares = f"{roof['share_of_peak'][OURS]:.0%} | {roof['share_of_floor'][OURS]:.0%}"
            best = f"{roof['gflops'][work['best_peer']]:.1f}" if "best_peer" in work else ""
            ours = f"{roof['gflops'][OURS]:.1f} GFLOP/s"
            lines.append(
                f"| {work['title']} | {roof['gflop']:.2f} | {roof['floor_s']:.4f} s | {ours} | {shares} | {best} |"
            )
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default="target/release/vibhag")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", help="works, separated by commas: " + ", ".join(WORKS))
    parser.add_argument("--json", type=Path, help="write everything here, after each round")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, help="steps that count, instead of each work's own number")
    parser.add_argument("--loss", choices=["bce", "bce+dice"], default="bce", help="the peers'; `vibhag bench` does bce")
    parser.add_argument("--timeout", type=float, default=900, help="seconds for one measurement")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(arguments, Path(folder))
        for number in range(arguments.rounds):
            bench.round(number)
            results = bench.results()
            if arguments.json:
                arguments.json.write_text(json.dumps(results, indent=1) + "\n")
    print(markdown(results))


if __name__ == "__main__":
    main()
