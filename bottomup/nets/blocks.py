"""Building blocks that several networks share."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def conv_bn(
    inputs: int,
    outputs: int,
    kernel: int = 1,
    *,
    stride: int = 1,
    dilation: int = 1,
    groups: int = 1,
    act: type[nn.Module] | None = nn.ReLU,
) -> nn.Sequential:
    """Convolution without bias, batch norm and (unless `act` is None) an activation; "same" padding.

    The last batch norm of a residual branch takes `act=None`, so that the sum is activated instead.
    """
    padding = dilation * (kernel - 1) // 2
    layers: list[nn.Module] = [
        nn.Conv2d(inputs, outputs, kernel, stride, padding, dilation, groups, bias=False),
        nn.BatchNorm2d(outputs),
    ]
    if act is not None:
        layers.append(act(inplace=True))
    return nn.Sequential(*layers)


class AttentionFusion(nn.Module):
    """Joins fine detail with coarse context, weighted at every position by an attention map.

    `alpha * fine + (1 - alpha) * coarse`, where coarse is first resized bilinearly to the size of
    fine and alpha comes from both. Source: attention-modulated fusion of MSPAF (Liu et al., AAAI 2018).
    """

    def __init__(self, channels: int, middle: int = 16) -> None:
        super().__init__()
        self.reduce = conv_bn(2 * channels, middle)
        self.attend = nn.Conv2d(middle, 1, 3, padding=1)

    def forward(self, fine: Tensor, coarse: Tensor) -> Tensor:
        coarse = F.interpolate(coarse, size=fine.shape[-2:], mode="bilinear", align_corners=False)
        alpha = torch.sigmoid(self.attend(self.reduce(torch.cat((fine, coarse), 1))))
        return coarse + alpha * (fine - coarse)
