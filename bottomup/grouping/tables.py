"""A skeleton as kernels want it: arrays, made once a skeleton."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from bottomup.core import Skeleton

SURER = 0.7  # how fast a joint's say falls with the logarithm of the area in which it expects another


class Tables(NamedTuple):
    """limbs int64 (E, 2). side (K,): the smaller of each joint and its mirror image. beside (K, most limbs of a
    joint): the joints that limbs lead to, filled up with -1. prior float32 (K, K, 7), or (0, 0, 7) without one.
    square (K, K): its mean square distances. expect (K, K, 8): for each joint the others, the surest first, of
    which each says where it lies: joint number, say (by the spread of the prior), mean x, y in body heights; then the
    inverse covariance xx, xy, yy and the logarithm of the determinant, times the say. (0, 0) and (0, 0, 8) without."""

    limbs: np.ndarray
    side: np.ndarray
    beside: np.ndarray
    prior: np.ndarray
    square: np.ndarray
    expect: np.ndarray


@lru_cache(maxsize=32)
def tables_of(skeleton: Skeleton) -> Tables:
    """The skeleton's tables. Raises ValueError where its prior has the wrong shape or values."""
    mirror = np.array(skeleton.mirror, np.int64)
    limbs = np.array(skeleton.limbs, np.int64).reshape(-1, 2)
    side = np.minimum(mirror, np.arange(len(mirror)))
    prior = _symmetric_prior(skeleton, mirror)
    square = prior[..., 6].astype(np.float64)
    return Tables(limbs, side, _beside(limbs, len(mirror)), prior, square, _expectations(prior.astype(np.float64)))


def _expectations(prior: np.ndarray) -> np.ndarray:
    table = np.empty((*prior.shape[:2], 8))
    for k in range(len(prior)):
        others = sorted((j for j in range(len(prior)) if j != k), key=lambda j: prior[j, k, 5])
        order = np.array([*others, k])  # the last is not looked at
        say = np.exp(-SURER * prior[order, k, 5])
        table[k] = np.column_stack((order, say, prior[order, k, :2], say[:, None] * prior[order, k, 2:6]))
    return table


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
