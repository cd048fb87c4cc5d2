"""One peer's share of speed.py, in a process of its own so that its peak memory is its own.

    python bench/peer.py '{"job": "predict", "network": "unet", "how": "onnxruntime", ...}'

Prints one JSON object. An exception is an answer too: {"failed": reason}. Nothing is imported before it is needed:
a runtime that does not use PyTorch does not pay for it.
"""

import json
import statistics
import sys
import time
import traceback


def resident_mib(field: str) -> float:
    """`VmHWM` (peak) or `VmRSS` (now) of this process."""
    with open("/proc/self/status") as status:
        line = next(line for line in status if line.startswith(field + ":"))
    return round(int(line.split()[1]) / 1024, 1)


def timed(step, steps: int, warmup: int) -> dict:
    imported = resident_mib("VmRSS")
    seconds = []
    for _ in range(warmup + steps):
        began = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - began)
    counted = seconds[warmup:]
    return {
        "median_s": statistics.median(counted),
        "min_s": min(counted),
        "peak_rss_mib": resident_mib("VmHWM"),
        "rss_before_steps_mib": imported,
    }


def pytorch(threads: int):
    import torch

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    return torch


def network_and_input(torch, network: str, batch: int, size: list[int], how: str):
    from torch_networks import NETWORKS

    net, x = NETWORKS[network](), torch.randn(batch, 3, *size)
    if how == "channels_last":
        net = net.to(memory_format=torch.channels_last)
        x = x.contiguous(memory_format=torch.channels_last)
    return net, x


def bce(logits, truth):
    import torch.nn.functional as F

    return F.binary_cross_entropy_with_logits(logits, truth)


def bce_and_dice(logits, truth):
    """Soft Dice per image, unsquared denominators, smoothed by 1: crates/vibhag-nn/src/losses/dice.rs."""
    probabilities = logits.sigmoid()
    overlap = (probabilities * truth).sum((2, 3))
    dice = (2 * overlap + 1) / (probabilities.sum((2, 3)) + truth.sum((2, 3)) + 1)
    return bce(logits, truth) + (1 - dice).mean()


LOSSES = {"bce": bce, "bce+dice": bce_and_dice}


def train(network, batch, size, how, loss, steps, warmup, threads) -> dict:
    """Forward, loss, backward, AdamW."""
    torch = pytorch(threads)
    net, x = network_and_input(torch, network, batch, size, how)
    truth = (torch.rand(batch, 1, *size) < 0.5).float()
    net.train()
    # Without decay, as in crates/vibhag-train/src/timing.rs; the fused update is PyTorch's fastest.
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3, weight_decay=0.0, fused=True)
    forward = torch.compile(net) if how == "compile" else net
    loss = LOSSES[loss]

    def step():
        optimizer.zero_grad(set_to_none=True)
        value = loss(forward(x), truth)
        value.backward()
        optimizer.step()
        value.item()

    return timed(step, steps, warmup)


def predict(network, batch, size, how, steps, warmup, threads, onnx=None) -> dict:
    """The forward pass in evaluation mode."""
    if how in RUNTIMES:
        import numpy as np

        run = RUNTIMES[how](onnx, threads)
        x = np.random.default_rng(0).standard_normal((batch, 3, *size), dtype=np.float32)
        return timed(lambda: run(x), steps, warmup)
    torch = pytorch(threads)
    net, x = network_and_input(torch, network, batch, size, how)
    net.eval()
    forward = net
    if how == "compile":
        import torch._inductor.config

        # Folds normalisation into the kernels and packs them ahead, as the other runtimes do.
        torch._inductor.config.freezing = True
        forward = torch.compile(net)
    # torch.compile freezes weights under no_grad only.
    with torch.no_grad() if how == "compile" else torch.inference_mode():
        return timed(lambda: forward(x), steps, warmup)


def onnxruntime(path: str, threads: int):
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda x: session.run(None, {name: x})[0]


def openvino(path: str, threads: int):
    import openvino as ov

    hints = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32"}
    request = ov.Core().compile_model(path, "CPU", hints).create_infer_request()
    return lambda x: request.infer({0: x})[0]


RUNTIMES = {"onnxruntime": onnxruntime, "openvino": openvino}


def write_onnx(torch, net, x, path: str, any_batch: bool = False) -> None:
    """One file, weights included."""
    shapes = ({0: torch.export.Dim("batch", min=1, max=64)},) if any_batch else None
    torch.onnx.export(
        net.eval(), (x,), path, dynamo=True, external_data=False, dynamic_shapes=shapes, opset_version=18, verbose=False
    )


def export(network, batch, size, onnx, threads) -> dict:
    torch = pytorch(threads)
    net, x = network_and_input(torch, network, batch, size, "eager")
    write_onnx(torch, net, x, onnx)
    return {"onnx": onnx}


def count(network, batch, size) -> dict:
    """FLOP and least traffic of each convolution in one forward pass, from shapes; nothing is computed.

    A multiplication and an addition are two. Traffic: input, kernel and output once, f32. `passes` is how often a
    training step does as much: output, gradient of the kernel, and, but for the first layer, gradient of the input.
    Normalisation, activation, pooling and concatenation are not counted.
    """
    import torch
    from torch import nn

    from torch_networks import NETWORKS

    layers = []

    def hook(module, inputs, output):
        (x,), weight = inputs, module.weight
        # Every value of a convolution's output, or of a transposed one's input, meets one kernel.
        meets = x if isinstance(module, nn.ConvTranspose2d) else output
        layers.append({
            "flop": 2 * meets.numel() * weight[0].numel(),
            "bytes": 4 * (x.numel() + weight.numel() + output.numel()),
            "passes": 3 if x.requires_grad else 2,
        })

    with torch.device("meta"):
        net = NETWORKS[network]()
        for module in net.modules():
            if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
                module.register_forward_hook(hook)
        net(torch.empty(batch, 3, *size))
    return {"layers": layers, "parameters": sum(p.numel() for p in net.parameters())}


def machine(threads) -> dict:
    """What this machine reaches in practice: a product of two 2048x2048 f32 matrices, a copy of 256 MiB."""
    torch = pytorch(threads)
    side, floats = 2048, 64 << 20
    a, b, product = torch.randn(side, side), torch.randn(side, side), torch.empty(side, side)
    source, target = torch.ones(floats), torch.zeros(floats)
    with torch.inference_mode():
        multiply = timed(lambda: torch.mm(a, b, out=product), 10, 2)["min_s"]
        copy = timed(lambda: target.copy_(source), 5, 1)["min_s"]
    # A copied byte is read and written.
    return {"peak_gflops": 2 * side**3 / multiply / 1e9, "bandwidth_gbs": 2 * 4 * floats / copy / 1e9}


JOBS = {"train": train, "predict": predict, "export": export, "count": count, "machine": machine}

if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    request = json.loads(sys.argv[1])
    try:
        answer = JOBS[request.pop("job")](**request)
    except Exception as error:
        traceback.print_exc()
        first = (str(error).strip().splitlines() or [""])[0]
        answer = {"failed": f"{type(error).__name__}: {first}"[:200]}
    # Exporters and compilers talk on stdout too: the answer is the last line.
    print("\n" + json.dumps(answer))
