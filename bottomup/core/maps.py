"""What networks give, what encoding gives, what grouping takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np


@dataclass(frozen=True, eq=False)
class Maps:
    """Heatmaps (K, h, w), PAFs (E, 2, h, w) or None, tags (L, K, h, w) or None, torch or numpy.

    A batch has one leading dimension more on all of them. stride: input pixels a cell.
    sigma: the spread of a peak in cells, or None where it is not known.
    """

    heatmaps: Any
    pafs: Any = None
    tags: Any = None
    stride: float = 1
    sigma: float | None = None

    def __post_init__(self) -> None:
        lead = self.heatmaps.ndim - 3
        if lead not in (0, 1):
            raise ValueError(f"heatmaps are (K, h, w) or (B, K, h, w), got {tuple(self.heatmaps.shape)}")
        cells = tuple(self.heatmaps.shape[-2:])
        for name, maps in (("pafs", self.pafs), ("tags", self.tags)):
            if maps is not None and (maps.ndim != 4 + lead or tuple(maps.shape[-2:]) != cells):
                raise ValueError(f"{name} {tuple(maps.shape)} do not fit heatmaps {tuple(self.heatmaps.shape)}")

    @property
    def batched(self) -> bool:
        """Whether there is a leading batch dimension."""
        return self.heatmaps.ndim == 4

    def each(self, function: Callable[[Any], Any]) -> Maps:
        """The same function applied to heatmaps, PAFs and tags (those that exist)."""
        pafs = None if self.pafs is None else function(self.pafs)
        tags = None if self.tags is None else function(self.tags)
        return replace(self, heatmaps=function(self.heatmaps), pafs=pafs, tags=tags)

    def __getitem__(self, index: int) -> Maps:
        if not self.batched:
            raise TypeError("only a batch of maps can be indexed")
        return self.each(lambda maps: maps[index])

    def numpy(self) -> Maps:
        """As contiguous float32 numpy arrays on the CPU (torch tensors are copied there)."""
        return self.each(_as_float32)


def _as_float32(maps: Any) -> np.ndarray:
    if hasattr(maps, "detach"):  # torch, which need not be imported for this
        maps = maps.detach().float().cpu().numpy()
    return np.ascontiguousarray(maps, np.float32)
