"""Maps of several passes over the same pictures, mirrored or resized, brought together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional as F

from bottomup.core import Maps, Skeleton


def with_mirrored(maps: Maps, mirrored: Maps, skeleton: Skeleton) -> Maps:
    """Maps (a torch batch) averaged with those of the mirrored images; its tags become further components.

    Mirrored, a left joint's map is its partner's; a limb's vectors point the other way in x, and
    wholly the other way where the mirror image of the limb runs from its second to its first joint.
    """
    partners = list(skeleton.mirror)
    heatmaps = (maps.heatmaps + mirrored.heatmaps.flip(-1)[:, partners]) / 2
    pafs, tags = maps.pafs, maps.tags
    if pafs is not None:
        limbs, turned = zip(*skeleton.limb_mirror, strict=True)
        signs = torch.tensor([(1.0, -1.0) if t else (-1.0, 1.0) for t in turned], device=pafs.device)
        pafs = (pafs + mirrored.pafs.flip(-1)[:, list(limbs)] * signs[:, :, None, None]) / 2
    if tags is not None:
        tags = torch.cat((tags, mirrored.tags.flip(-1)[:, :, partners]), 1)
    return replace(maps, heatmaps=heatmaps, pafs=pafs, tags=tags)


def averaged(passes: Sequence[Maps], scales: Sequence[float]) -> Maps:
    """Heatmaps and PAFs (torch batches) averaged on the grid of the pass at scale 1; the tags of that pass."""
    base = passes[list(scales).index(1.0)]
    size = (base.heatmaps.shape[-2], base.heatmaps.shape[-1])

    def mean(maps: Sequence[Tensor]) -> Tensor:
        return torch.stack([resampled(m, size, s) for m, s in zip(maps, scales, strict=True)]).mean(0)

    if len(passes) == 1:
        return base
    pafs = base.pafs
    if pafs is not None:
        pafs = mean([p.pafs.flatten(1, 2) for p in passes]).view_as(pafs)
    return replace(base, heatmaps=mean([p.heatmaps for p in passes]), pafs=pafs)


def resampled(maps: Tensor, size: tuple[int, int], scale: float) -> Tensor:
    """Maps (B, C, h, w) of a picture resized by `scale`, on the (height, width) grid of the picture itself."""
    if scale == 1.0 and tuple(maps.shape[-2:]) == size:
        return maps
    axes = []
    for cells, own in zip(size, maps.shape[-2:], strict=True):
        centres = (torch.arange(cells, device=maps.device) + 0.5) * scale  # from the border, in own cells
        axes.append(2 * centres / own - 1)
    y, x = torch.meshgrid(*axes, indexing="ij")
    grid = torch.stack((x, y), -1).expand(len(maps), -1, -1, -1)
    return F.grid_sample(maps, grid, mode="bilinear", padding_mode="border", align_corners=False)
