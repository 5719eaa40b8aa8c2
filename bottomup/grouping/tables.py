"""A skeleton as kernels want it: arrays, made once a skeleton."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from bottomup.core import Skeleton

SUMMANDS = 65536.0  # grid steps a unit, as in `grouping/grid.py`, which would import numba
SUMS = 7  # that are made of what other joints say of one joint
LANES_TOLD = 24  # joints that are told at a time
BLOCK = SUMS * LANES_TOLD
SURER = 0.7  # how fast a joint's say falls with the logarithm of the area in which it expects another


class Tables(NamedTuple):
    """limbs int64 (E, 2). mirror (K,): each joint's mirror image. side (K,): the smaller of both. beside (K, most limbs
    of a joint): the joints that limbs lead to, filled up with -1. prior float32 (K, K, 7), or (0, 0, 7) without one.
    square (K, K): its mean square distances, on a grid. expect (K, BLOCK or more): what each joint says of all others,
    from the mean of where it lies: for LANES_TOLD joints at a time, filled up with 0, their SUMS numbers, all says
    first, see `sum_expectations`. surest (K, K - 1): the others' numbers, the surest first. All are empty without a
    prior."""

    limbs: np.ndarray
    mirror: np.ndarray
    side: np.ndarray
    beside: np.ndarray
    prior: np.ndarray
    square: np.ndarray
    expect: np.ndarray
    surest: np.ndarray


@lru_cache(maxsize=32)
def tables_of(skeleton: Skeleton) -> Tables:
    """The skeleton's tables. Raises ValueError where its prior has the wrong shape or values."""
    mirror = np.array(skeleton.mirror, np.int64)
    limbs = np.array(skeleton.limbs, np.int64).reshape(-1, 2)
    side = np.minimum(mirror, np.arange(len(mirror)))
    prior = _symmetric_prior(skeleton, mirror)
    square = np.round(prior[..., 6].astype(np.float64) * SUMMANDS) / SUMMANDS
    expect = _expectations(prior.astype(np.float64))
    return Tables(limbs, mirror, side, _beside(limbs, len(mirror)), prior, square, expect, _surest(prior))


def _expectations(prior: np.ndarray) -> np.ndarray:
    """The table `expect`: a joint's say, by the spread of the prior, times parabolas of log density."""
    K = len(prior)
    say = np.exp(-SURER * prior[..., 5]) * (1 - np.eye(K))
    x, y = prior[..., 0], prior[..., 1]
    xx, xy, yy, floor = (say * prior[..., z] for z in (2, 3, 4, 5))
    x_pull, y_pull = xx * x + xy * y, xy * x + yy * y
    rows = np.stack((say, xx, xy, yy, x_pull, y_pull, floor + (x * x_pull + y * y_pull)), 1)
    count = -(-K // LANES_TOLD)
    blocks = np.pad(rows, ((0, 0), (0, 0), (0, -K % LANES_TOLD))).reshape(K, SUMS, count, LANES_TOLD)
    return np.ascontiguousarray(blocks.swapaxes(1, 2)).reshape(K, count * BLOCK)


def _surest(prior: np.ndarray) -> np.ndarray:
    say = prior[..., 5].T
    order = [sorted((j for j in range(len(say)) if j != k), key=lambda j: say[k, j]) for k in range(len(say))]
    return np.array(order, np.int64).reshape(len(say), max(len(say) - 1, 0))


def _beside(limbs: np.ndarray, joints: int) -> np.ndarray:
    neighbours: list[list[int]] = [[] for _ in range(joints)]
    for a, b in limbs.tolist():
        neighbours[a].append(b)
        neighbours[b].append(a)
    table = np.full((joints, max(1, *map(len, neighbours))), -1, np.int64)
    for k, others in enumerate(neighbours):
        table[k, : len(others)] = others
    return table


def _symmetric_prior(skeleton: Skeleton, mirror: np.ndarray) -> np.ndarray:
    """The skeleton's prior, averaged with its mirror image, so that mirrored maps give mirrored people."""
    if skeleton.prior is None:
        return np.empty((0, 0, 7), np.float32)
    prior, K = np.asarray(skeleton.prior, np.float32), len(mirror)
    if prior.shape != (K, K, 7) or not np.isfinite(prior).all():
        raise ValueError(f"skeleton {skeleton.name}: prior must be finite and ({K}, {K}, 7), got {prior.shape}")
    image = prior[mirror][:, mirror] * np.array([-1, 1, 1, -1, 1, 1, 1], np.float32)
    return np.ascontiguousarray((prior + image) / 2)
