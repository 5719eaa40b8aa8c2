"""Targets and losses of the person detector, for a whole batch on the device that trains.

A person is taught at the cells around the middle of the box, on the level whose cells suit its size. Sources: Tian et
al., "FCOS" (ICCV 2019), with centre sampling; Li et al., "Generalized Focal Loss" (NeurIPS 2020) for scores that
foretell how well a box fits; Rezatofighi et al., "Generalized Intersection over Union" (CVPR 2019) for boxes.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

LONGEST = (96.0, 224.0, float("inf"))  # longer side of a box in pixels that a level takes, fine to coarse
OVERLAP = 1.25  # a box within this factor of a limit is taught on both sides of it
Levels = Sequence[tuple[int, int, int]]  # stride, rows, columns


def owners(boxes: Tensor, picture: Tensor, pictures: int, levels: Levels) -> Tensor:
    """(pictures, P): which box each cell is to find, -1 for none; the smaller one where two claim a cell.

    boxes (M, 4) x0, y0, x1, y1; picture (M,) which picture each is in. A box claims the 3 x 3 cells around its
    middle, as far as their own middles lie inside of it, the middle one always.
    """
    order = (boxes[:, 2:] - boxes[:, :2]).prod(1).argsort(stable=True)
    boxes, picture, nobody = boxes[order], picture[order], len(boxes)
    rank = torch.arange(nobody, device=boxes.device)
    claimed = []
    for level, (stride, rows, columns) in enumerate(levels):
        owner = torch.full((pictures * rows * columns,), nobody, device=boxes.device)
        suits = _suits(boxes, level)
        for column, row, inside in _around_middle(boxes, stride):
            here = suits & inside & (column >= 0) & (row >= 0) & (column < columns) & (row < rows)
            cell = (picture * rows + row) * columns + column
            owner.scatter_reduce_(0, cell[here], rank[here], "amin")
        claimed.append(owner.view(pictures, -1))
    found = torch.cat(claimed, 1)
    return torch.cat((order, order.new_tensor([-1])))[found]


def _suits(boxes: Tensor, level: int) -> Tensor:
    side = (boxes[:, 2:] - boxes[:, :2]).amax(1)
    low = 0.0 if level == 0 else LONGEST[level - 1] / OVERLAP
    return (side >= low) & (side < LONGEST[level] * OVERLAP)


def _around_middle(boxes: Tensor, stride: int) -> list[tuple[Tensor, Tensor, Tensor]]:
    """Column, row of 9 cells for every box, and whether the cell's middle lies inside the box."""
    middle = ((boxes[:, :2] + boxes[:, 2:]) / 2 / stride).floor().long()
    around = []
    for down in (-1, 0, 1):
        for across in (-1, 0, 1):
            cell = middle + middle.new_tensor((across, down))
            point = (cell + 0.5) * stride
            inside = ((point > boxes[:, :2]) & (point < boxes[:, 2:])).all(1)
            around.append((cell[:, 0], cell[:, 1], inside | (across == down == 0)))
    return around


def taught_cells(taught: Tensor, levels: Levels) -> Tensor:
    """bool (B, P): cells whose background may be taught. taught: uint8 (B, h, w) at the finest level's stride.

    A coarser cell may be if all the finer cells in it may.
    """
    free = 1 - taught[:, None].float()
    return torch.cat([F.adaptive_max_pool2d(free, (rows, columns)).flatten(1) == 0 for _, rows, columns in levels], 1)


def fit(predicted: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
    """Intersection over union (N,) of pairs of boxes (N, 4), and its generalised form, -1 to 1."""
    low, high = torch.maximum(predicted[:, :2], truth[:, :2]), torch.minimum(predicted[:, 2:], truth[:, 2:])
    common = (high - low).clamp(min=0).prod(1)
    union = _area(predicted) + _area(truth) - common
    around = torch.maximum(predicted[:, 2:], truth[:, 2:]) - torch.minimum(predicted[:, :2], truth[:, :2])
    hull = around.prod(1)
    iou = common / union.clamp(min=1e-6)
    return iou, iou - (hull - union) / hull.clamp(min=1e-6)


def _area(boxes: Tensor) -> Tensor:
    return (boxes[:, 2:] - boxes[:, :2]).prod(1)


def quality_focal(logits: Tensor, target: Tensor) -> Tensor:
    """Cross-entropy to a target in 0..1, times the square of how far off the score is. Shape of its inputs."""
    off = (logits.sigmoid() - target).detach().square()
    return off * F.binary_cross_entropy_with_logits(logits, target, reduction="none")


def detector_loss(
    logits: Tensor,
    predicted: Tensor,
    levels: Levels,
    *,
    boxes: Tensor,
    picture: Tensor,
    taught: Tensor,
    people: Tensor,
) -> dict[str, Tensor]:
    """total, score, box.

    logits (B, P), predicted (B, P, 4): what the cells say. boxes (M, 4) x0, y0, x1, y1 of people in pixels; picture
    (M,). taught uint8 (B, h, w) at the finest stride: 0 where people may be that nobody labelled. people: how many
    cells are to find somebody, over which losses are means.
    """
    owner = owners(boxes, picture, len(logits), levels)
    found = owner >= 0
    iou, generalised = fit(predicted[found], boxes[owner[found]])
    target = torch.zeros_like(logits)
    target[found] = iou.detach().clamp(min=0.1)  # even a box far off marks a person
    counts = (taught_cells(taught, levels) | found).to(logits.dtype)
    norm = people.clamp(min=1)
    score = (quality_focal(logits, target) * counts).sum() / norm
    box = (1 - generalised).sum() / norm
    return {"total": score + 2 * box, "score": score, "box": box}
