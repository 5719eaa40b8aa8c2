"""The body prior of a skeleton: where each joint lies relative to each other joint, in body heights.

A table (K, K, 7), float32; row (j, k) says where joint k lies as seen from joint j: mean x, y; the
inverse covariance xx, xy, yy; the logarithm of the covariance's determinant; the mean square distance.
One body height is the root mean square distance of the two joints that lie farthest apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files

import numpy as np

CHUNK = 4096  # people at a time: all their joint pairs are in memory
ROUNDS = 6
FEWEST = 30  # people that must show both joints of a pair
NARROWEST = 1e-4  # added to variances, in squared heights


@dataclass
class Moments:
    """Sums over people of a pair's weight, offset (x, y) and products (xx, xy, yy), each (K, K, ...)."""

    count: np.ndarray
    offset: np.ndarray
    product: np.ndarray


def estimate_prior(joints: np.ndarray, mirror: Sequence[int]) -> np.ndarray:
    """The table (K, K, 7) out of poses (N, K, 3) of x, y, visibility or score (0: missing), in any scale.

    Every pose counts with its mirror image. A person's height is not measured but fitted: the one
    that explains the distances of the joints that are seen, in turn with the table itself.
    Raises ValueError that names the pair of joints too few people show.
    """
    joints = np.asarray(joints, np.float64)
    if joints.ndim != 3 or joints.shape[1:] != (len(mirror), 3):
        raise ValueError(f"joints must be (N, {len(mirror)}, 3), got {joints.shape}")
    seen = joints[..., 2] > 0
    square = np.ones((len(mirror),) * 2)
    for _ in range(ROUNDS):
        moments = _moments(joints[..., :2], seen, square, mirror)
        least = np.unravel_index(np.argmin(moments.count), moments.count.shape)
        if moments.count[least] < FEWEST:
            raise ValueError(f"only {moments.count[least]:g} poses show both joints {least}; a prior needs {FEWEST}")
        square = (moments.product[..., 0] + moments.product[..., 2]) / moments.count
        square /= square.max()
    return _table(_moments(joints[..., :2], seen, square, mirror), square)


def _moments(xy: np.ndarray, seen: np.ndarray, square: np.ndarray, mirror: Sequence[int]) -> Moments:
    K = len(mirror)
    total = Moments(np.zeros((K, K)), np.zeros((K, K, 2)), np.zeros((K, K, 3)))
    for offset, weight in _offsets(xy, seen, square):
        x, y = offset[..., 0], offset[..., 1]
        total.count += weight.sum(0)
        total.offset += offset.sum(0)
        total.product += np.stack([(x * x).sum(0), (x * y).sum(0), (y * y).sum(0)], -1)
    swap = np.ix_(list(mirror), list(mirror))
    return Moments(
        total.count + total.count[swap],
        total.offset + total.offset[swap] * (-1, 1),
        total.product + total.product[swap] * (1, -1, 1),
    )


def _offsets(xy: np.ndarray, seen: np.ndarray, square: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Chunks of offsets (n, K, K, 2) from joint j to joint k in heights, 0 where one is missing, and which count."""
    for start in range(0, len(xy), CHUNK):
        points, there = xy[start : start + CHUNK], seen[start : start + CHUNK]
        both = there[:, :, None] & there[:, None, :]
        offset = (points[:, None] - points[:, :, None]) * both[..., None]
        due = (both * square).sum((1, 2))
        height = np.sqrt((offset**2).sum((1, 2, 3)) / np.maximum(due, 1e-12))
        usable = height > 0
        yield offset[usable] / height[usable, None, None, None], both[usable]


def _table(moments: Moments, square: np.ndarray) -> np.ndarray:
    count = moments.count[..., None]
    mean = moments.offset / count
    x, y = mean[..., 0], mean[..., 1]
    xx, xy, yy = np.moveaxis(moments.product / count - np.stack([x * x, x * y, y * y], -1), -1, 0)
    xx, yy = xx + NARROWEST, yy + NARROWEST
    determinant = xx * yy - xy * xy
    columns = (x, y, yy / determinant, -xy / determinant, xx / determinant, np.log(determinant), square)
    return np.stack(columns, -1).astype(np.float32)


def shipped_prior(name: str) -> np.ndarray | None:
    """The table that comes with the package for the skeleton of this name, or None."""
    path = files("bottomup") / "core" / "priors" / f"{name}.npy"
    if not path.is_file():
        return None
    with path.open("rb") as file:
        return np.load(file)
