"""Freezes outputs of the networks in PyTorch for crates/vibhag-nn/tests/conformance.rs.

    python bench/reference/networks.py      # torch, torchvision, segmentation-models-pytorch, safetensors

Weights and inputs come from an integer hash of the tensor's name and the value's index, which the
test computes too, so that only outputs are stored.
"""
import re
import sys
from pathlib import Path

import numpy as np
import segmentation_models_pytorch as smp
import torch
import torch.nn as nn
import torch.nn.functional as F
import torchvision
from safetensors.torch import load_file, save_file

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from torch_networks import Lite0, Lite0Fpn, Lite0UNet, UNet

CRATE = Path(__file__).resolve().parents[2] / "crates/vibhag-nn"
torch.set_num_threads(1)


def hashed(name, shape):
    """Numbers in [-1, 1), equal on every platform."""
    seed = np.uint64(sum((i + 1) * b for i, b in enumerate(name.encode())))
    mask = np.uint64(0xFFFFFFFF)
    h = (np.arange(int(np.prod(shape)), dtype=np.uint64) * np.uint64(747796405) + seed * np.uint64(2891336453)) & mask
    h ^= h >> np.uint64(16)
    h = (h * np.uint64(2246822519)) & mask
    h ^= h >> np.uint64(13)
    return torch.from_numpy((h.astype(np.float64) / 2**31 - 1).astype(np.float32)).reshape(shape)


def formula(name, shape):
    u = hashed(name, shape)
    if len(shape) == 4:
        return u * np.float32(np.sqrt(6 / (shape[1] * shape[2] * shape[3])))
    if name.endswith("running_var"):
        return 1 + 0.3 * u
    return 1 + 0.2 * u if name.endswith("weight") else 0.2 * u


def fill(net, rename=lambda name: name):
    state = {k: v if v.dtype == torch.int64 else formula(rename(k), tuple(v.shape)) for k, v in net.state_dict().items()}
    net.load_state_dict(state)
    return net.eval()


class SegNet(nn.Module):
    """Badrinarayanan et al. 2017; torchvision's VGG-16-BN layers, narrowed by `divisor`."""
    def __init__(self, cin, classes, divisor):
        super().__init__()
        w = [c // divisor for c in (64, 128, 256, 512, 512)]
        cfg = [c if c == "M" else c // divisor for c in torchvision.models.vgg.cfgs["D"]]
        self.encoder = nn.Module()
        self.encoder.features = torchvision.models.vgg.make_layers(cfg, batch_norm=True)
        first = self.encoder.features[0]
        self.encoder.features[0] = nn.Conv2d(cin, first.out_channels, 3, padding=1)
        self.decoder = nn.Module()
        rows = [[w[4], w[4], w[4], w[3]], [w[3], w[3], w[3], w[2]], [w[2], w[2], w[2], w[1]], [w[1], w[1], w[0]], [w[0], w[0]]]
        self.decoder.blocks = nn.ModuleList(
            nn.Sequential(*[m for a, b in zip(r, r[1:]) for m in (nn.Conv2d(a, b, 3, padding=1, bias=False), nn.BatchNorm2d(b), nn.ReLU())])
            for r in rows)
        self.head = nn.Conv2d(w[0], classes, 3, padding=1)

    def forward(self, x):
        indices = []
        for layer in self.encoder.features:
            if isinstance(layer, nn.MaxPool2d):
                x, i = F.max_pool2d(x, 2, return_indices=True)
                indices.append(i)
            else:
                x = layer(x)
        for block in self.decoder.blocks:
            x = block(F.max_unpool2d(x, indices.pop(), 2))
        return self.head(x)


def smp_names(name):
    """The decoder's names as segmentation-models-pytorch has them."""
    name = re.sub(r"^dec\.(\d)\.conv\.([01])\.", r"decoder.blocks.\1.conv1.\2.", name)
    name = re.sub(r"^dec\.(\d)\.conv\.([34])\.", lambda m: f"decoder.blocks.{m[1]}.conv2.{int(m[2]) - 3}.", name)
    return re.sub(r"^head\.", "segmentation_head.0.", name)


def picture(height, width):
    """A smooth colour image on the 0..255 scale."""
    y, x = torch.meshgrid(torch.arange(height, dtype=torch.float64), torch.arange(width, dtype=torch.float64), indexing="ij")
    planes = [127.5 * (1 + torch.sin(0.11 * y + 0.7 * c) * torch.cos(0.07 * x * (c + 1))) for c in range(3)]
    return torch.stack(planes)[None].float()


@torch.no_grad()
def outputs():
    cases = {
        "segnet": (SegNet(3, 2, 8), (2, 3, 32, 64)),
        "segnet-full": (SegNet(3, 2, 1), (1, 3, 32, 32)),
        "segnet-lite": (UNet(3, 2, [16, 32, 64, 128, 256], "relu-bn", bilinear=True, skips=False), (2, 3, 32, 48)),
        "unet": (UNet(3, 2, [64, 128, 256, 512, 1024]), (1, 3, 32, 32)),
        "unet-shallow-bilinear": (UNet(1, 3, [8, 12, 20], bilinear=True), (2, 1, 20, 32)),
        "unet-lite": (UNet(3, 2, [16, 32, 64, 128, 256]), (2, 3, 48, 32)),
        "unet+efficientnet-lite0": (Lite0UNet(2), (1, 3, 64, 96)),
        "fpn+efficientnet-lite0": (Lite0Fpn(2), (1, 3, 64, 96)),
        "fpn+efficientnet-lite0-detail": (Lite0Fpn(2, detail=16), (2, 3, 32, 64)),
        "unet+resnet18": (smp.Unet("resnet18", encoder_weights=None, in_channels=3, classes=2), (1, 3, 64, 32)),
        "unet+resnet34": (smp.Unet("resnet34", encoder_weights=None, in_channels=4, classes=1), (1, 4, 32, 32)),
    }
    out = {}
    for name, (net, shape) in cases.items():
        rename = smp_names if "lite0" in name else lambda n: n
        out[name] = fill(net, rename)(hashed("input", shape))
    # Sides that are not multiples of 16: mirrored at the bottom and right, then cropped.
    x = hashed("input", (1, 3, 37, 50))
    net = fill(UNet(3, 2, [16, 32, 64, 128, 256]))
    out["unet-lite-odd"] = net(F.pad(x, [0, 14, 0, 11], mode="reflect"))[..., :37, :50]
    return {k: v.contiguous() for k, v in out.items()}


@torch.no_grad()
def imagenet():
    net = Lite0()
    missing, unexpected = net.load_state_dict(load_file(CRATE / "weights/efficientnet_lite0.safetensors"), strict=False)
    assert not unexpected and all("num_batches" in name for name in missing), (missing, unexpected)
    maps = net.eval()((picture(64, 96) - 127) / 128)
    return {f"imagenet.{i}": m[:, :, :: 4 if i < 2 else 1, :: 4 if i < 2 else 1].contiguous() for i, m in enumerate(maps)}


def training_step():
    """One forward and backward pass in training mode: gradients and running statistics."""
    net = fill(UNet(2, 2, [4, 8, 12])).train()
    y = net(hashed("input", (2, 2, 16, 12)))
    (y * hashed("weights of the loss", tuple(y.shape))).mean().backward()
    out = {"step.output": y.detach()}
    out |= {f"step.gradient.{name}": p.grad for name, p in net.named_parameters()}
    out |= {f"step.state.{name}": b.clone() for name, b in net.named_buffers() if "num_batches" not in name}
    return {k: v.contiguous() for k, v in out.items()}


if __name__ == "__main__":
    target = CRATE / "tests/reference/networks.safetensors"
    target.parent.mkdir(parents=True, exist_ok=True)
    frozen = outputs() | imagenet() | training_step()
    save_file(frozen, target)
    for name, value in frozen.items():
        if not name.startswith("step."):
            print(f"{name}: {tuple(value.shape)} in [{value.min():.3f}, {value.max():.3f}], std {value.std():.3f}")
