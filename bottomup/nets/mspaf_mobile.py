"""The default network: a light backbone, multi-scale fusion and two supervised stages at stride 4.

    images -> EfficientNet-Lite0 -> features at strides 4, 8, 16, 32
    neck    coarse to fine: attention fusion, inception blocks at 16 and 8  -> features at 4, 8, 16
    stage 1 head on the features at stride 4
    stage 2 down to 16 and up again from features + maps of stage 1, head at stride 4

Built in the manner of MSPAF (parallel receptive fields, attention-modulated fusion), with a tag head
of associative embedding (Newell et al., NIPS 2017) on the same trunk.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from bottomup.core.maps import Maps
from bottomup.nets.blocks import AttentionFusion, LinkConv, conv_bn
from bottomup.nets.mobile import EfficientNetLite0
from bottomup.nets.network import PoseNetwork


class Inception(nn.Module):
    """Parallel receptive fields of 1, 3, 5 and 7 cells, weighted by an attention at every position.

    Dense convolutions at half width in a chain whose every link is kept: as many operations as one
    full-width 3x3 convolution. (B, channels, h, w) -> the same shape.
    """

    levels = 4

    def __init__(self, channels: int) -> None:
        super().__init__()
        width = channels // 2
        self.reduce = conv_bn(channels, width)
        self.chain = nn.ModuleList(conv_bn(width, width, 3) for _ in range(self.levels - 1))
        self.attend = nn.Conv2d(width, self.levels, 1)
        self.join = conv_bn(self.levels * width, channels, act=None)
        self.act = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        fields = [self.reduce(x)]
        weights = self.levels * torch.softmax(self.attend(fields[0]), 1)
        for link in self.chain:
            fields.append(link(fields[-1]))
        weighted = [field * weights[:, i : i + 1] for i, field in enumerate(fields)]
        return self.act(x + self.join(torch.cat(weighted, 1)))


class Neck(nn.Module):
    """Backbone features at 4, 8, 16, 32 -> fused features at 4, 8, 16, coarse context in each.

    No inception at stride 4: it would cost as much as all others of the neck, and the second stage has one there.
    """

    def __init__(self, inputs: tuple[int, ...], widths: tuple[int, int, int]) -> None:
        super().__init__()
        self.context = conv_bn(inputs[3], widths[2])
        self.lateral = nn.ModuleList(conv_bn(i, w) for i, w in zip(inputs, widths, strict=False))
        self.narrow = nn.ModuleList((conv_bn(widths[1], widths[0]), conv_bn(widths[2], widths[1]), nn.Identity()))
        self.fuse = nn.ModuleList(AttentionFusion(w) for w in widths)
        self.mix = nn.ModuleList((nn.Identity(), Inception(widths[1]), Inception(widths[2])))

    def forward(self, features: list[Tensor]) -> list[Tensor]:
        coarse = self.context(features[3])
        fused: list[Tensor] = []
        for level in (2, 1, 0):
            fine = self.lateral[level](features[level])
            coarse = self.mix[level](self.fuse[level](fine, self.narrow[level](coarse)))
            fused.insert(0, coarse)
        return fused


class Refine(nn.Module):
    """Features at 4, 8, 16 and the maps that `head` makes of those at 4 -> better ones at 4, by one small hourglass."""

    def __init__(self, maps: int, widths: tuple[int, int, int]) -> None:
        super().__init__()
        fine, middle, coarse = widths
        self.link = LinkConv(maps, fine)
        self.down = nn.ModuleList((conv_bn(fine, middle, 3, stride=2), conv_bn(middle, coarse, 3, stride=2)))
        self.mix_down = nn.ModuleList((Inception(middle), nn.Sequential(Inception(coarse), Inception(coarse))))
        self.narrow = nn.ModuleList((conv_bn(middle, fine), conv_bn(coarse, middle)))
        self.fuse = nn.ModuleList((AttentionFusion(fine), AttentionFusion(middle)))
        self.mix_up = nn.ModuleList((Inception(fine), Inception(middle)))

    def forward(self, fused: list[Tensor], head: nn.Conv2d) -> Tensor:
        fine = self.link(fused[0], head)
        middle = self.mix_down[0](fused[1] + self.down[0](fine))
        coarse = self.mix_down[1](fused[2] + self.down[1](middle))
        middle = self.mix_up[1](self.fuse[1](middle, self.narrow[1](coarse)))
        return self.mix_up[0](self.fuse[0](fine, self.narrow[0](middle)))


class MspafMobile(PoseNetwork):
    """images (B, 3, H, W), sides multiples of 32 -> two Maps at stride 4 (one in eval).

    joints: K. limbs: E, for 2 E PAF channels. tags: L, for L K tag channels (0: no tags).
    sigma: spread in cells of the peaks it is trained on.
    """

    def __init__(
        self,
        joints: int = 17,
        limbs: int = 19,
        tags: int = 1,
        sigma: float = 1.75,
        widths: tuple[int, int, int] = (64, 96, 160),
    ) -> None:
        super().__init__()
        self.joints, self.limbs, self.tags, self.sigma = joints, limbs, tags, sigma
        widths = tuple(widths)  # type: ignore[assignment]
        maps = joints + 2 * limbs + tags * joints
        self.backbone = EfficientNetLite0()
        self.neck = Neck(self.backbone.channels, widths)
        self.refine = Refine(maps, widths)
        self.answers = nn.ModuleList(self._answer(widths[0], maps) for _ in range(2))

    def _answer(self, width: int, maps: int) -> nn.Conv2d:
        # Maps are nearly empty: starting near zero spares the first steps a large, useless loss. Tags that
        # all start alike would push nobody apart, so theirs start wider.
        head = nn.Conv2d(width, maps, 1)
        nn.init.normal_(head.weight, std=1e-3)
        nn.init.normal_(head.weight[self.joints + 2 * self.limbs :], std=2e-2)
        nn.init.constant_(head.bias, 0)  # type: ignore[arg-type]  # there is one
        return head

    def heads(self, images: Tensor) -> list[Tensor]:
        """Heatmaps, PAFs and tags along channels, of both stages or of the last."""
        fused = self.neck(self.backbone(images))
        last = self.answers[1](self.refine(fused, self.answers[0]))
        return [self.answers[0](fused[0]), last] if self.supervised else [last]

    @property
    def last_layer(self) -> nn.Module:
        """The answer's convolution."""
        return self.answers[-1]

    def read(self, heads: list[Tensor]) -> list[Maps]:
        """One Maps a stage, at stride 4."""
        return [self._split(head) for head in heads]

    def _split(self, maps: Tensor) -> Maps:
        batch, _, h, w = maps.shape
        heat, pafs, tags = maps.split((self.joints, 2 * self.limbs, self.tags * self.joints), 1)
        return Maps(
            heat,
            pafs.reshape(batch, self.limbs, 2, h, w),
            tags.reshape(batch, self.tags, self.joints, h, w) if self.tags else None,
            stride=self.stride,
            sigma=self.sigma,
        )
