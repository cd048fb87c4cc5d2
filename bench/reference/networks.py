"""Freezes outputs of the networks in PyTorch for crates/vibhag-nn/tests/conformance.rs.

    python bench/reference/networks.py      # torch, torchvision, segmentation-models-pytorch, safetensors

Weights and inputs come from an integer hash of the tensor's name and the value's index, which the
test computes too, so that only outputs are stored.
"""
import re
from pathlib import Path

import numpy as np
import segmentation_models_pytorch as smp
import torch
import torch.nn as nn
import torch.nn.functional as F
import torchvision
from safetensors.torch import load_file, save_file

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


def double(cin, cout, order):
    layers = []
    for a in (cin, cout):
        conv, norm = nn.Conv2d(a, cout, 3, padding=1, bias=False), nn.BatchNorm2d(cout)
        layers += [conv, norm, nn.ReLU()] if order == "bn-relu" else [conv, nn.ReLU(), norm]
    return nn.Sequential(*layers)


class UNet(nn.Module):
    """The classical U-Net; without skips and with conv-ReLU-BN it is segnet-lite."""
    def __init__(self, cin, classes, w, order="bn-relu", bilinear=False, skips=True):
        super().__init__()
        self.bilinear, self.skips = bilinear, skips
        self.down = nn.ModuleList(double(a, b, order) for a, b in zip([cin] + w[:-1], w))
        pairs = list(zip(w[-2::-1], w[:0:-1]))
        self.up = nn.ModuleList() if bilinear else nn.ModuleList(nn.ConvTranspose2d(b, a, 2, stride=2) for a, b in pairs)
        self.dec = nn.ModuleList(double((b if bilinear else a) + (a if skips else 0), a, order) for a, b in pairs)
        self.head = nn.Conv2d(w[0], classes, 1)

    def forward(self, x):
        maps = []
        for i, block in enumerate(self.down):
            x = block(F.max_pool2d(x, 2) if i else x)
            maps.append(x)
        maps.pop()
        for i, dec in enumerate(self.dec):
            x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False) if self.bilinear else self.up[i](x)
            skip = maps.pop()
            x = dec(torch.cat([x, skip], 1) if self.skips else x)
        return self.head(x)


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


def same_pad(x, k, s):
    h, w = x.shape[-2:]
    ph, pw = max((-(-h // s) - 1) * s + k - h, 0), max((-(-w // s) - 1) * s + k - w, 0)
    return F.pad(x, [pw // 2, pw - pw // 2, ph // 2, ph - ph // 2])


class MBConv(nn.Module):
    def __init__(self, cin, cout, k, stride, expand):
        super().__init__()
        mid = cin * expand
        if expand != 1:
            self._expand_conv, self._bn0 = nn.Conv2d(cin, mid, 1, bias=False), nn.BatchNorm2d(mid, eps=1e-3)
        self._depthwise_conv, self._bn1 = nn.Conv2d(mid, mid, k, stride, groups=mid, bias=False), nn.BatchNorm2d(mid, eps=1e-3)
        self._project_conv, self._bn2 = nn.Conv2d(mid, cout, 1, bias=False), nn.BatchNorm2d(cout, eps=1e-3)
        self.expand, self.residual, self.k, self.stride = expand, stride == 1 and cin == cout, k, stride

    def forward(self, x):
        y = F.relu6(self._bn0(self._expand_conv(x))) if self.expand != 1 else x
        y = F.relu6(self._bn1(self._depthwise_conv(same_pad(y, self.k, self.stride))))
        y = self._bn2(self._project_conv(y))
        return x + y if self.residual else y


class Lite0(nn.Module):
    def __init__(self):
        super().__init__()
        self._conv_stem, self._bn0 = nn.Conv2d(3, 32, 3, 2, bias=False), nn.BatchNorm2d(32, eps=1e-3)
        stages = [(1, 16, 3, 1, 1), (6, 24, 3, 2, 2), (6, 40, 5, 2, 2), (6, 80, 3, 2, 3), (6, 112, 5, 1, 3), (6, 192, 5, 2, 4), (6, 320, 3, 1, 1)]
        self._blocks, ends, cin = nn.ModuleList(), [], 32
        for expand, cout, k, stride, n in stages:
            for i in range(n):
                self._blocks.append(MBConv(cin, cout, k, stride if i == 0 else 1, expand))
                cin = cout
            ends.append(len(self._blocks) - 1)
        self.taps = [ends[i] for i in (0, 1, 2, 4, 6)]

    def forward(self, x):
        x, out = F.relu6(self._bn0(self._conv_stem(same_pad(x, 3, 2)))), []
        for i, block in enumerate(self._blocks):
            x = block(x)
            if i in self.taps:
                out.append(x)
        return out


class Up(nn.Module):
    def __init__(self, cin, cout):
        super().__init__()
        self.conv = double(cin, cout, "bn-relu")

    def forward(self, x, skip):
        x = F.interpolate(x, scale_factor=2.0, mode="nearest")
        return self.conv(x if skip is None else torch.cat([x, skip], 1))


class Lite0UNet(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.encoder = Lite0()
        c, d = [16, 24, 40, 112, 320], [256, 128, 64, 32, 16]
        self.dec = nn.ModuleList([Up(c[4] + c[3], d[0]), Up(d[0] + c[2], d[1]), Up(d[1] + c[1], d[2]), Up(d[2] + c[0], d[3]), Up(d[3], d[4])])
        self.head = nn.Conv2d(d[4], classes, 3, padding=1)

    def forward(self, x):
        f = self.encoder(x)
        y = f[4]
        for up, skip in zip(self.dec, [f[3], f[2], f[1], f[0], None]):
            y = up(y, skip)
        return self.head(y)


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
        "unet+resnet18": (smp.Unet("resnet18", encoder_weights=None, in_channels=3, classes=2), (1, 3, 64, 32)),
        "unet+resnet34": (smp.Unet("resnet34", encoder_weights=None, in_channels=4, classes=1), (1, 4, 32, 32)),
    }
    out = {}
    for name, (net, shape) in cases.items():
        rename = smp_names if name.endswith("lite0") else lambda n: n
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
