"""Object keypoint similarity: how alike two poses are, 0 to 1."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def oks_matrix(first: np.ndarray, second: np.ndarray, areas: np.ndarray, sigmas: Sequence[float]) -> np.ndarray:
    """Similarity (N, M) of poses (N, K, 3) and (M, K, 3): the mean over joints that both have (score above 0).

    areas: square pixels, (N, M) or what broadcasts to it. Two poses without a common joint have 0.
    Source: the COCO keypoint metric, exp(-d^2 / (2 area (2 sigma)^2)).
    """
    squares = np.square(first[:, None, :, :2].astype(np.float64) - second[None, :, :, :2]).sum(-1)
    common = (first[:, None, :, 2] > 0) & (second[None, :, :, 2] > 0)
    spread = 2 * np.square(2 * np.asarray(sigmas, np.float64)) * np.asarray(areas, np.float64)[..., None]
    alike = np.exp(-squares / np.maximum(spread, np.finfo(np.float64).tiny)) * common
    return alike.sum(-1) / np.maximum(common.sum(-1), 1)
