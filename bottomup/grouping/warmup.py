"""All kernels compiled ahead, so that nobody waits for them later."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from bottomup.core import COCO17, Maps, Skeleton
from bottomup.grouping.pipeline import group, group_batch

SIZE = 24  # cells
SPREADS = (None, 1.0, 2.0)  # of peaks, in cells: to be measured, sharp, wide


def warm_up() -> Path | None:
    """Groups small maps in all three ways, with and without a prior; where the kernels are kept, None if nowhere."""
    from bottomup.grouping.compile import cache_folder

    for maps, skeleton, sigma in _cases():
        group(maps.heatmaps, pafs=maps.pafs, tags=maps.tags, skeleton=skeleton, sigma=sigma, fill=True)
        if torch.cuda.is_available():  # maps on a GPU have kernels of their own
            group_batch(maps.each(lambda a: torch.from_numpy(a)[None].cuda()), skeleton, fill=True)
    return cache_folder()


def _cases() -> Iterator[tuple[Maps, Skeleton, float | None]]:
    rng = np.random.default_rng(0)
    heat = rng.random((len(COCO17), SIZE, SIZE), np.float32)
    pafs = rng.standard_normal((len(COCO17.limbs), 2, SIZE, SIZE), np.float32)
    tags = rng.standard_normal((1, len(COCO17), SIZE, SIZE), np.float32)
    for skeleton in (COCO17, COCO17.with_shipped_prior()):
        for fields, embedded in ((pafs, tags), (pafs, None), (None, tags)):
            for sigma in SPREADS:
                yield Maps(heat, fields, embedded, stride=4), skeleton, sigma
