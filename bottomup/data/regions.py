"""Regions of a picture where nothing may be taught."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

Record = dict[str, Any]


@dataclass(frozen=True)
class IgnoreMask:
    """Called, it draws regions (COCO annotations) into a bool mask (height, width)."""

    size: tuple[int, int]
    regions: tuple[Record, ...]

    def __call__(self) -> np.ndarray:
        width, height = self.size
        mask = np.zeros((height, width), bool)
        for region in self.regions:
            mask |= _region(region, width, height)
        return mask


def _region(region: Record, width: int, height: int) -> np.ndarray:
    from pycocotools import mask as coco_mask

    outline = region.get("segmentation")
    if outline:
        if isinstance(outline, list):
            outline = coco_mask.merge(coco_mask.frPyObjects(outline, height, width))
        elif isinstance(outline["counts"], list):
            outline = coco_mask.frPyObjects(outline, height, width)
        if tuple(outline["size"]) == (height, width):
            return coco_mask.decode(outline).astype(bool)
    mask = np.zeros((height, width), bool)
    x, y, w, h = region["bbox"]
    mask[max(0, int(y)) : max(0, int(np.ceil(y + h))), max(0, int(x)) : max(0, int(np.ceil(x + w)))] = True
    return mask
