"""Vibhag's networks in PyTorch: the definition of "the same work" for speed.py, photo.py and reference/networks.py.

Layers, widths, upsampling and heads are those of crates/vibhag-nn. The tensors of `UNet` and of `Lite0` bear the names
that Vibhag's bundles use.
"""

import torch
import torch.nn.functional as F
from torch import nn

NORM_RELU, RELU_NORM = "bn-relu", "relu-bn"


def double_conv(inputs: int, outputs: int, order: str = NORM_RELU) -> nn.Sequential:
    layers = []
    for channels in (inputs, outputs):
        layers.append(nn.Conv2d(channels, outputs, 3, padding=1, bias=False))
        activation, norm = nn.ReLU(inplace=True), nn.BatchNorm2d(outputs)
        layers += [norm, activation] if order == NORM_RELU else [activation, norm]
    return nn.Sequential(*layers)


class UNet(nn.Module):
    """Ronneberger et al. 2015 with batch normalisation and padding; without skips and with conv-ReLU-BN, segnet-lite."""

    def __init__(self, inputs, classes, widths, order=NORM_RELU, bilinear=False, skips=True):
        super().__init__()
        self.bilinear, self.skips = bilinear, skips
        self.down = nn.ModuleList(double_conv(a, b, order) for a, b in zip([inputs, *widths[:-1]], widths))
        pairs = list(zip(widths[-2::-1], widths[:0:-1]))
        learned = [] if bilinear else pairs
        self.up = nn.ModuleList(nn.ConvTranspose2d(coarse, fine, 2, stride=2) for fine, coarse in learned)
        self.dec = nn.ModuleList(
            double_conv((coarse if bilinear else fine) + (fine if skips else 0), fine, order) for fine, coarse in pairs
        )
        self.head = nn.Conv2d(widths[0], classes, 1)

    def forward(self, x):
        maps = []
        for level, block in enumerate(self.down):
            x = block(F.max_pool2d(x, 2) if level else x)
            maps.append(x)
        maps.pop()
        for level, block in enumerate(self.dec):
            if self.bilinear:
                x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
            else:
                x = self.up[level](x)
            skip = maps.pop()
            x = block(torch.cat([x, skip], 1) if self.skips else x)
        return self.head(x)


def same_pad(x, kernel, stride):
    """TensorFlow's "same" padding: an odd remainder goes to the bottom and right."""
    height, width = x.shape[-2:]
    rows = max((-(-height // stride) - 1) * stride + kernel - height, 0)
    columns = max((-(-width // stride) - 1) * stride + kernel - width, 0)
    return F.pad(x, [columns // 2, columns - columns // 2, rows // 2, rows - rows // 2])


class MBConv(nn.Module):
    """Inverted bottleneck (Sandler et al. 2018) without squeeze-and-excitation."""

    def __init__(self, inputs, outputs, kernel, stride, expand):
        super().__init__()
        wide = inputs * expand
        if expand != 1:
            self._expand_conv, self._bn0 = nn.Conv2d(inputs, wide, 1, bias=False), nn.BatchNorm2d(wide, eps=1e-3)
        self._depthwise_conv = nn.Conv2d(wide, wide, kernel, stride, groups=wide, bias=False)
        self._bn1 = nn.BatchNorm2d(wide, eps=1e-3)
        self._project_conv, self._bn2 = nn.Conv2d(wide, outputs, 1, bias=False), nn.BatchNorm2d(outputs, eps=1e-3)
        self.expand, self.kernel, self.stride = expand, kernel, stride
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x):
        y = F.relu6(self._bn0(self._expand_conv(x)), inplace=True) if self.expand != 1 else x
        y = F.relu6(self._bn1(self._depthwise_conv(same_pad(y, self.kernel, self.stride))), inplace=True)
        y = self._bn2(self._project_conv(y))
        return x + y if self.residual else y


class Lite0(nn.Module):
    """EfficientNet-Lite0 (Tan and Le 2019) without its classifier: maps at strides 2, 4, 8, 16, 32."""

    # Expansion, output channels, kernel, stride, blocks, whether the stage's map is handed out.
    STAGES = [
        (1, 16, 3, 1, 1, True),
        (6, 24, 3, 2, 2, True),
        (6, 40, 5, 2, 2, True),
        (6, 80, 3, 2, 3, False),
        (6, 112, 5, 1, 3, True),
        (6, 192, 5, 2, 4, False),
        (6, 320, 3, 1, 1, True),
    ]
    CHANNELS = [16, 24, 40, 112, 320]

    def __init__(self):
        super().__init__()
        self._conv_stem, self._bn0 = nn.Conv2d(3, 32, 3, 2, bias=False), nn.BatchNorm2d(32, eps=1e-3)
        self._blocks, self.taps, inputs = nn.ModuleList(), [], 32
        for expand, outputs, kernel, stride, blocks, tap in self.STAGES:
            for index in range(blocks):
                self._blocks.append(MBConv(inputs, outputs, kernel, 1 if index else stride, expand))
                inputs = outputs
            if tap:
                self.taps.append(len(self._blocks) - 1)

    def forward(self, x):
        x, maps = F.relu6(self._bn0(self._conv_stem(same_pad(x, 3, 2))), inplace=True), []
        for index, block in enumerate(self._blocks):
            x = block(x)
            if index in self.taps:
                maps.append(x)
        return maps


class Up(nn.Module):
    """Doubling by repetition, concatenation with the encoder's map, double convolution."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.conv = double_conv(inputs, outputs)

    def forward(self, x, skip):
        x = F.interpolate(x, scale_factor=2.0, mode="nearest")
        return self.conv(x if skip is None else torch.cat([x, skip], 1))


class Lite0UNet(nn.Module):
    """U-Net over EfficientNet-Lite0: segmentation-models-pytorch's decoder of 256-128-64-32-16, 3x3 head."""

    WIDTHS = [256, 128, 64, 32, 16]

    def __init__(self, classes):
        super().__init__()
        self.encoder = Lite0()
        skips = [*Lite0.CHANNELS[-2::-1], 0]
        inputs = [Lite0.CHANNELS[-1], *self.WIDTHS[:-1]]
        self.dec = nn.ModuleList(Up(a + skip, b) for a, skip, b in zip(inputs, skips, self.WIDTHS))
        self.head = nn.Conv2d(self.WIDTHS[-1], classes, 3, padding=1)

    def forward(self, x):
        *skips, y = self.encoder(x)
        for up, skip in zip(self.dec, [*skips[::-1], None]):
            y = up(y, skip)
        return self.head(y)


class Fpn(nn.Module):
    """The sum of a feature pyramid's levels (Kirillov et al. 2019), refined to full resolution."""

    def __init__(self, channels, pyramid, total, outputs):
        """`channels`: of the maps at strides 1, 2, 4, ... (0 where there is none)."""
        super().__init__()
        full, half, *coarse = channels
        self.lateral = nn.ModuleList(nn.Conv2d(c, pyramid, 1) for c in coarse)
        self.levels = nn.ModuleList(
            nn.ModuleList(conv_norm_relu(total if index else pyramid, total) for index in range(max(level, 1)))
            for level in range(len(coarse))
        )
        self.reduce = nn.Conv2d(total, outputs, 1)
        self.refine = nn.ModuleList(conv_norm_relu(outputs + c, outputs) for c in (half, full) if c)

    def forward(self, maps):
        *fine, quarter, eighth, sixteenth, last = maps
        above, total = None, 0
        for level, x in reversed(list(enumerate((quarter, eighth, sixteenth, last)))):
            x = self.lateral[level](x)
            above = x if above is None else x + F.interpolate(above, scale_factor=2.0, mode="nearest")
            term = above
            for convolution in self.levels[level]:
                term = convolution(term)
                if level:
                    term = doubled(term)
            total = term + total
        x = self.reduce(total)
        for index in range(2):
            x = doubled(x)
            if fine:
                x = x + self.refine[index](torch.cat([x, fine.pop()], 1))
        return x


def conv_norm_relu(inputs, outputs):
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU())


def doubled(x):
    return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)


class Lite0Fpn(nn.Module):
    """The planner's network for several kinds of objects; `detail` is a convolution at full resolution, or none."""

    def __init__(self, classes, detail=0):
        super().__init__()
        self.encoder = Lite0()
        self.detail = conv_norm_relu(3, detail) if detail else None
        self.decoder = Fpn([detail, *Lite0.CHANNELS], 192, 96, 16)
        self.head = nn.Conv2d(16, classes, 3, padding=1)

    def forward(self, x):
        finest = [self.detail(x)] if self.detail else []
        return self.head(self.decoder(finest + self.encoder(x)))


# The names are those of `vibhag bench`'s results.
NETWORKS = {
    "unet": lambda: UNet(3, 1, [64, 128, 256, 512, 1024]),
    "unet-lite": lambda: UNet(3, 1, [16, 32, 64, 128, 256]),
    "unet+efficientnet-lite0": lambda: Lite0UNet(1),
}
