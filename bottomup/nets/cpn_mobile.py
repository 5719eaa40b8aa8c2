"""A light cascaded pyramid network for one person a crop, on the trunk of the default bottom-up network.

    images -> EfficientNet-Lite0 -> features at strides 4, 8, 16, 32
    GlobalNet  the neck of mspaf_mobile, a head at 16, 8 and 4; all heads' maps are enlarged to stride 4
    RefineNet  an hourglass over all levels and the finest head's maps, head at stride 4

The division of work is CPN's (Chen et al., CVPR 2018); the parts are those of `mspaf_mobile`, so that its trained
backbone, neck and hourglass can be the start, and both roads can be compared with one trunk.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from bottomup.core.maps import Maps
from bottomup.nets.mobile import EfficientNetLite0
from bottomup.nets.mspaf_mobile import Neck, Refine
from bottomup.nets.network import PoseNetwork


class CpnMobile(PoseNetwork):
    """images (B, 3, H, W), sides multiples of 32 -> four Maps at stride 4: global ones, coarse to fine, then refined.

    In eval the refined ones alone. joints: K. sigma: spread in cells of the peaks that the answer is trained on.
    """

    def __init__(self, joints: int = 17, sigma: float = 1.75, widths: tuple[int, int, int] = (64, 96, 160)) -> None:
        super().__init__()
        self.joints, self.sigma = joints, sigma
        widths = tuple(widths)  # type: ignore[assignment]
        self.backbone = EfficientNetLite0()
        self.neck = Neck(self.backbone.channels, widths)
        self.refine = Refine(joints, widths)
        self.answers = nn.ModuleList(_head(width, joints) for width in (*reversed(widths), widths[0]))

    def heads(self, images: Tensor) -> list[Tensor]:
        """Heatmaps of the three global heads and of the refined one, or of the last alone."""
        fused = self.neck(self.backbone(images))
        refined = self.answers[3](self.refine(fused, self.answers[2]))
        if not self.supervised:
            return [refined]
        finest = self.answers[2](fused[0])
        coarse = [head(level) for head, level in zip(self.answers, (fused[2], fused[1]), strict=False)]
        size = finest.shape[-2:]
        enlarged = [F.interpolate(maps, size=size, mode="bilinear", align_corners=False) for maps in coarse]
        return [*enlarged, finest, refined]

    @property
    def last_layer(self) -> nn.Module:
        """The answer's convolution."""
        return self.answers[-1]

    def read(self, heads: list[Tensor]) -> list[Maps]:
        """One Maps a head, at stride 4."""
        return [Maps(head, stride=self.stride, sigma=self.sigma) for head in heads]


def _head(width: int, joints: int) -> nn.Conv2d:
    # Maps are nearly empty: starting near zero spares the first steps a large, useless loss.
    head = nn.Conv2d(width, joints, 1)
    nn.init.normal_(head.weight, std=1e-3)
    nn.init.constant_(head.bias, 0)  # type: ignore[arg-type]  # there is one
    return head
