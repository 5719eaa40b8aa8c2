"""What detectors do with boxes: anchors, offsets, suppression, and pooling of features inside.

Boxes are (N, 4) tensors x1, y1, x2, y2 in input pixels, measured as labels of COCO are: a box around everything
goes from 0 to the width.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from bottomup.core.tensor_boxes import areas, overlaps

LONGEST_STEP = math.log(1000 / 16)  # a box grows at most by this (in its logarithm), so that exp cannot overflow


def base_anchors(side: float, ratios: Sequence[float] = (0.5, 1.0, 2.0)) -> Tensor:
    """Boxes (len(ratios), 4) around (0, 0) of area side^2 and height : width as given, rounded to whole pixels."""
    shape = torch.tensor(ratios).sqrt()
    half = torch.stack((1 / shape, shape), 1) * side / 2
    return torch.cat((-half, half), 1).round()


def grid_anchors(base: Tensor, cells: Sequence[int], strides: Sequence[int]) -> Tensor:
    """The base anchors (A, 4) at every cell: (h * w * A, 4), row by row. cells: h, w. strides: of rows and columns."""
    ys, xs = (torch.arange(n, device=base.device, dtype=base.dtype) * s for n, s in zip(cells, strides, strict=True))
    y, x = torch.meshgrid(ys, xs, indexing="ij")
    shifts = torch.stack((x, y, x, y), -1)
    return (shifts[:, :, None] + base).reshape(-1, 4)


def moved(boxes: Tensor, deltas: Tensor, weights: Sequence[float] = (1, 1, 1, 1)) -> Tensor:
    """Boxes moved and resized by predicted offsets (N, 4).

    Offsets are of the centre in widths and heights, and logarithms of how the sides grow, each times its weight.
    Source: Girshick et al., "Rich Feature Hierarchies" (CVPR 2014), appendix C.
    """
    steps = deltas / deltas.new_tensor(weights)
    sides = boxes[:, 2:] - boxes[:, :2]
    centres = boxes[:, :2] + sides / 2 + steps[:, :2] * sides
    half = sides * steps[:, 2:].clamp(max=LONGEST_STEP).exp() / 2
    return torch.cat((centres - half, centres + half), 1)


def clipped(boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """Boxes cut to a picture. size: height, width."""
    height, width = size
    return torch.minimum(boxes.clamp(min=0), boxes.new_tensor((width, height, width, height)))


def at_least(boxes: Tensor, side: float) -> Tensor:
    """Which boxes (N,) have both sides that long."""
    return (boxes[:, 2:] - boxes[:, :2] >= side).all(1)


def unsuppressed(boxes: Tensor, scores: Tensor, most: float) -> Tensor:
    """Indices, best first, of the boxes that no better kept box overlaps by more than `most` (greedy suppression)."""
    return unsuppressed_by(overlaps(boxes, boxes), scores, most)


def unsuppressed_by(similarity: Tensor, scores: Tensor, most: float) -> Tensor:
    """Indices, best first, of those whom no better kept one resembles by more than `most`. similarity: (N, N).

    Repeats "kept is who no better kept one covers" for all at once until nothing changes: every round
    settles at least the best that is still open, most rounds many, so a handful is enough.
    """
    order = scores.argsort(descending=True, stable=True)
    covers = (similarity[order][:, order] > most).triu(1)
    kept = torch.ones_like(order, dtype=torch.bool)
    for _ in range(len(order)):
        now = ~(covers & kept[:, None]).any(0)
        if torch.equal(now, kept):
            break
        kept = now
    return order[kept]


def roi_align(
    features: Tensor, boxes: Tensor, size: int, scale: float, *, samples: int = 2, aligned: bool = False
) -> Tensor:
    """Features (C, h, w) averaged in size x size bins of each box: (N, C, size, size).

    Each bin takes samples x samples bilinear values. scale: cells an input pixel. aligned: cell centres are at
    .5, and boxes may be smaller than a cell; else at 0, and boxes count as a cell wide at least (the first form).
    Source: He et al., "Mask R-CNN" (ICCV 2017), section 3.
    """
    points, (height, width) = size * samples, features.shape[-2:]
    if len(boxes) == 0:
        return features.new_zeros(0, features.shape[0], size, size)
    corners = boxes * scale - (0.5 if aligned else 0)
    sides = (corners[:, 2:] - corners[:, :2]).clamp(min=0 if aligned else 1)
    steps = (torch.arange(points, device=boxes.device, dtype=boxes.dtype) + 0.5) / points
    xs, ys = (corners[:, i, None] + sides[:, i, None] * steps for i in (0, 1))  # (N, points) each
    values = _bilinear(features, xs, ys)
    inside = ((ys >= -1) & (ys <= height))[:, :, None] & ((xs >= -1) & (xs <= width))[:, None]
    return F.avg_pool2d(values * inside[:, None], samples)


def _bilinear(features: Tensor, xs: Tensor, ys: Tensor) -> Tensor:
    """Values (N, C, Y, X) at the crossings of columns xs (N, X) and rows ys (N, Y), in cells; edges go on outside."""
    height, width = features.shape[-2:]
    x = 2 * xs / max(width - 1, 1) - 1
    y = 2 * ys / max(height - 1, 1) - 1
    count, rows, columns = len(xs), ys.shape[1], xs.shape[1]
    grid = torch.stack((x[:, None].expand(-1, rows, -1), y[:, :, None].expand(-1, -1, columns)), -1)
    values = F.grid_sample(
        features[None], grid.reshape(1, count * rows, columns, 2), padding_mode="border", align_corners=True
    )
    return values.view(-1, count, rows, columns).transpose(0, 1)


def pyramid_level(boxes: Tensor, lowest: int = 2, highest: int = 5) -> Tensor:
    """The pyramid level (N,) that each box is pooled from: 4 for boxes of 224 x 224, one more for each doubling.

    Source: Lin et al., "Feature Pyramid Networks" (CVPR 2017), equation 1.
    """
    side = areas(boxes).clamp(min=0).sqrt()
    level = torch.floor(4 + torch.log2(side / 224) + 1e-6)
    return level.clamp(lowest, highest).long()


def pyramid_align(pyramid: Sequence[Tensor], boxes: Tensor, size: int, *, aligned: bool = False) -> Tensor:
    """`roi_align` of each box on its level of one image's pyramid: features (C, h, w) at strides 4, 8, 16, 32."""
    levels = pyramid_level(boxes)
    pooled = boxes.new_zeros(len(boxes), pyramid[0].shape[0], size, size)
    for level, features in enumerate(pyramid, 2):
        here = levels == level
        pooled[here] = roi_align(features, boxes[here], size, 0.5**level, aligned=aligned).to(pooled.dtype)
    return pooled
