"""Overlaps of boxes that are tensors, for networks and their targets; `core/boxes.py` has those of arrays.

On its own, so that whoever needs no network does not wait for torch.
"""

from __future__ import annotations

import torch
from torch import Tensor


def overlaps(first: Tensor, second: Tensor) -> Tensor:
    """Intersection over union (N, M) of boxes (N, 4) and (M, 4) of left, top, right, bottom; 0 where both are empty."""
    low = torch.maximum(first[:, None, :2], second[None, :, :2])
    high = torch.minimum(first[:, None, 2:], second[None, :, 2:])
    common = (high - low).clamp(min=0).prod(2)
    union = areas(first)[:, None] + areas(second) - common
    return common / union.clamp(min=torch.finfo(union.dtype).tiny)


def areas(boxes: Tensor) -> Tensor:
    """Areas (N,) of boxes (N, 4) of left, top, right, bottom."""
    return (boxes[:, 2:] - boxes[:, :2]).prod(1)
