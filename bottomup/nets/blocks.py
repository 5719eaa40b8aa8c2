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
        self.reduce = nn.Sequential(PairConv(channels, middle), nn.BatchNorm2d(middle), nn.ReLU(inplace=True))
        self.attend = nn.Conv2d(middle, 1, 3, padding=1)

    def forward(self, fine: Tensor, coarse: Tensor) -> Tensor:
        conv, norm, act = self.reduce
        alpha = torch.sigmoid(self.attend(act(norm(conv(fine, coarse)))))
        coarse = enlarged(coarse, fine)
        return torch.lerp(coarse, fine.to(coarse.dtype), alpha.to(coarse.dtype))


class PairConv(nn.Conv2d):
    """A 1x1 convolution of fine maps joined with coarse ones enlarged to them: (B, c, h, w) each -> (B, outputs, h, w).

    The coarse ones are convolved before they are enlarged, which gives the same and costs a quarter.
    """

    def __init__(self, channels: int, outputs: int) -> None:
        super().__init__(2 * channels, outputs, 1, bias=False)

    def forward(self, fine: Tensor, coarse: Tensor) -> Tensor:  # type: ignore[override]  # it takes two
        of_fine, of_coarse = self.weight.chunk(2, 1)
        return F.conv2d(fine, of_fine, self.bias) + enlarged(F.conv2d(coarse, of_coarse), fine)


def enlarged(coarse: Tensor, fine: Tensor) -> Tensor:
    """Bilinear to the height and width of the fine maps."""
    return F.interpolate(coarse, size=fine.shape[-2:], mode="bilinear", align_corners=False)


class LinkConv(nn.Conv2d):
    """x + link(head(x)) for this 1x1 convolution and that of a head, as one by their product: no maps are made.

    (B, outputs, h, w) -> the same shape; inputs are the head's maps.
    """

    def __init__(self, maps: int, channels: int) -> None:
        super().__init__(maps, channels, 1)

    def forward(self, x: Tensor, head: nn.Conv2d) -> Tensor:  # type: ignore[override]  # it takes the head too
        outer = self.weight.flatten(1)
        weight = outer @ head.weight.flatten(1) + torch.eye(len(outer), dtype=outer.dtype, device=outer.device)
        return F.conv2d(x, weight[:, :, None, None], outer @ head.bias + self.bias)  # type: ignore[operator]  # both have biases
