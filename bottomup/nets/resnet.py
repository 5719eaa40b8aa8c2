"""ResNet, and the two residual blocks that many pose networks are built of.

Source: He et al., "Deep Residual Learning for Image Recognition" (CVPR 2016). Tensor names are torchvision's, so
that its ImageNet weights load as they are.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TypeVar

from torch import Tensor, nn
from torch.nn import functional as F

Norm = Callable[[int], nn.Module]  # channels -> layer
Head = TypeVar("Head", nn.Conv2d, nn.ConvTranspose2d, nn.Linear)

DEPTHS = {
    18: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
}
WIDTHS = (64, 128, 256, 512)


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut. (B, inputs, h, w) -> (B, width, h / stride, w / stride)."""

    expansion = 1
    last_norm = "bn2"

    def __init__(
        self,
        inputs: int,
        width: int,
        stride: int = 1,
        *,
        norm: Norm = nn.BatchNorm2d,
        bias: bool = False,
        stride_in_first: bool = True,  # always: only bottlenecks leave a choice
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, width, 3, stride, 1, bias=bias)
        self.bn1 = norm(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=bias)
        self.bn2 = norm(width)
        self.downsample = shortcut(inputs, width, stride, norm=norm, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)), inplace=True)
        y = self.bn2(self.conv2(y))
        return F.relu(y + self.downsample(x), inplace=True)


class Bottleneck(nn.Module):
    """1x1 to width, 3x3, 1x1 to width * expansion, and a shortcut.

    stride_in_first: reduce in the first 1x1 (Caffe's models) rather than in the 3x3. project: a 1x1
    convolution on the shortcut even where shapes agree.
    """

    expansion = 4
    last_norm = "bn3"

    def __init__(
        self,
        inputs: int,
        width: int,
        stride: int = 1,
        *,
        norm: Norm = nn.BatchNorm2d,
        bias: bool = False,
        stride_in_first: bool = False,
        expansion: int = 4,
        project: bool = False,
    ) -> None:
        super().__init__()
        outputs = width * expansion
        strides = (stride, 1) if stride_in_first else (1, stride)
        self.conv1 = nn.Conv2d(inputs, width, 1, strides[0], bias=bias)
        self.bn1 = norm(width)
        self.conv2 = nn.Conv2d(width, width, 3, strides[1], 1, bias=bias)
        self.bn2 = norm(width)
        self.conv3 = nn.Conv2d(width, outputs, 1, bias=bias)
        self.bn3 = norm(outputs)
        self.downsample = shortcut(inputs, outputs, stride, norm=norm, bias=bias, project=project)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)), inplace=True)
        y = F.relu(self.bn2(self.conv2(y)), inplace=True)
        y = self.bn3(self.conv3(y))
        return F.relu(y + self.downsample(x), inplace=True)


def shortcut(inputs: int, outputs: int, stride: int, *, norm: Norm, bias: bool, project: bool = False) -> nn.Module:
    """Identity where shapes agree and no projection is asked for, else a strided 1x1 convolution with norm."""
    if stride == 1 and inputs == outputs and not project:
        return nn.Identity()
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=bias), norm(outputs))


def residual_layer(
    block: type[BasicBlock] | type[Bottleneck],
    inputs: int,
    width: int,
    count: int,
    stride: int = 1,
    *,
    norm: Norm = nn.BatchNorm2d,
    bias: bool = False,
    stride_in_first: bool = False,
) -> nn.Sequential:
    """`count` blocks of one resolution, the first with the stride and the change of channels."""
    blocks = []
    for i in range(count):
        step = stride if i == 0 else 1
        blocks.append(block(inputs, width, step, norm=norm, bias=bias, stride_in_first=stride_in_first))
        inputs = width * block.expansion
    return nn.Sequential(*blocks)


def residual_layers(
    depth: int,
    blocks: Sequence[int] | None = None,
    *,
    inputs: int = 64,
    norm: Norm = nn.BatchNorm2d,
    bias: bool = False,
    stride_in_first: bool = False,
) -> tuple[list[nn.Sequential], tuple[int, int, int, int]]:
    """The four layers of a ResNet, without its stem, and their channels.

    depth: 18 and 34 have basic blocks, 50, 101 and 152 bottlenecks. blocks: their numbers, if not those of that depth.
    Raises ValueError for another depth, or where blocks are not four.
    """
    if depth not in DEPTHS:
        raise ValueError(f"no ResNet has {depth} layers; there are: {', '.join(map(str, DEPTHS))}")
    counts = tuple(blocks or DEPTHS[depth])
    if len(counts) != len(WIDTHS):
        raise ValueError(f"a ResNet has blocks at four resolutions, got {counts}")
    block = BasicBlock if depth < 50 else Bottleneck
    layers = []
    for i, (width, count) in enumerate(zip(WIDTHS, counts, strict=True)):
        stride = 1 if i == 0 else 2
        layers.append(
            residual_layer(block, inputs, width, count, stride, norm=norm, bias=bias, stride_in_first=stride_in_first)
        )
        inputs = width * block.expansion
    c2, c3, c4, c5 = (width * block.expansion for width in WIDTHS)
    return layers, (c2, c3, c4, c5)


class ResNet(nn.Module):
    """images (B, 3, H, W) -> features C2..C5 at strides 4, 8, 16, 32 with `channels` channels each.

    depth: 18, 34, 50, 101 or 152. blocks: numbers of blocks at each stride, if not those of that depth.
    norm: channels -> normalising layer. stride_in_first: strides in the first 1x1 (Caffe's models), not in the 3x3.
    """

    def __init__(
        self,
        depth: int = 50,
        *,
        blocks: Sequence[int] | None = None,
        norm: Norm = nn.BatchNorm2d,
        stride_in_first: bool = False,
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = norm(64)
        layers, self.channels = residual_layers(depth, blocks, norm=norm, stride_in_first=stride_in_first)
        self.layer1, self.layer2, self.layer3, self.layer4 = layers
        initialise(self)

    def forward(self, images: Tensor) -> list[Tensor]:
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(images)), inplace=True), 3, 2, 1)
        c2 = self.layer1(x)
        c3 = self.layer2(c2)
        c4 = self.layer3(c3)
        return [c2, c3, c4, self.layer4(c4)]


def initialise(module: nn.Module) -> None:
    """Starts all convolutions from He's normal distribution and every residual branch from nothing.

    With the last batch norm of a branch at zero a network of several stages starts with gradients of ordinary size;
    otherwise those of the first layers are a thousand times larger. Sources: He et al. (ICCV 2015), Goyal et al.,
    "Accurate, Large Minibatch SGD" (2017), section 5.1.
    """
    for part in module.modules():
        if isinstance(part, (nn.Conv2d, nn.ConvTranspose2d)):
            # By hand, since PyTorch's own forgets groups: depthwise kernels would start far too small.
            reached = part.out_channels // part.groups * math.prod(part.kernel_size)
            nn.init.normal_(part.weight, std=math.sqrt(2 / reached))
            if part.bias is not None:
                nn.init.zeros_(part.bias)
        elif last := getattr(part, "last_norm", ""):
            norm = part.get_submodule(last)
            if isinstance(norm, nn.BatchNorm2d):  # a frozen one has its weights from elsewhere
                nn.init.zeros_(norm.weight)


def near_empty(head: Head) -> Head:
    """A head whose maps start near zero: heatmaps are nearly empty, and so the first steps are not spent on that."""
    nn.init.normal_(head.weight, std=1e-3)
    if head.bias is not None:
        nn.init.zeros_(head.bias)
    return head
