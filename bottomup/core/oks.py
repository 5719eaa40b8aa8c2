"""Object keypoint similarity: how alike two poses are, 0 to 1.

Source: the COCO keypoint metric, exp(-d^2 / (2 area (2 sigma)^2)) of every joint.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def oks_matrix(first: np.ndarray, second: np.ndarray, areas: np.ndarray, sigmas: Sequence[float]) -> np.ndarray:
    """Similarity (N, M) of poses (N, K, 3) and (M, K, 3): the mean over joints that both have (score above 0).

    areas: square pixels, (N, M) or what broadcasts to it. Two poses without a common joint have 0.
    """
    alike, common = likeness(first, second, variances(np.asarray(areas, np.float64), np.array(sigmas)))
    return np.asarray(alike.sum(-1) / np.maximum(common.sum(-1), 1))


def likeness(first: np.ndarray, second: np.ndarray, room: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of every joint of poses (N, K, 3) and (M, K, 3) how alike it is, (N, M, K), and whether both have it.

    room: `variances`, (N, M, K) or what broadcasts to it. A joint that one of them lacks has 0.
    """
    squares = np.square(first[:, None, :, :2].astype(np.float64) - second[None, :, :, :2]).sum(-1)
    common = (first[:, None, :, 2] > 0) & (second[None, :, :, 2] > 0)
    return alike_within(squares, np.maximum(room, np.finfo(np.float64).tiny)) * common, common


def variances(areas: np.ndarray, sigmas: np.ndarray) -> np.ndarray:
    """Variance (..., K), in square pixels, of where a joint of a person of so many square pixels (...) is labelled."""
    return np.asarray(areas[..., None] * np.square(2 * sigmas))


def alike_within(squares: np.ndarray, room: np.ndarray) -> np.ndarray:
    """How alike joints are whose distances have these squares, by their `variances`."""
    return np.asarray(np.exp(-squares / (2 * room)))
