"""MPII's validation truth and predictions as the Matlab files that are exchanged for PCKh; both count from 1."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from bottomup.errors import DataError


def read_mpii_truth(path: str | Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Joints (N, 16, 2), which are labelled (N, 16), and the head boxes' diagonals (N,) of a gt_valid.mat.

    It holds jnt_missing (16, N), pos_gt_src (16, 2, N) and headboxes_src (2, 2, N). Raises DataError that names it.
    """
    missing, joints, heads = _arrays(path, {"jnt_missing": 2, "pos_gt_src": 3, "headboxes_src": 3})
    diagonals: np.ndarray = np.linalg.norm(heads[1] - heads[0], axis=0)
    return joints.transpose(2, 0, 1), missing.T == 0, diagonals


def read_mpii_predictions(path: str | Path) -> np.ndarray:
    """Joints (N, 16, 2) of a predictions file, which holds preds (N, 16, 2 or more)."""
    (found,) = _arrays(path, {"preds": 3})
    return found[..., :2]


def _arrays(path: str | Path, names: dict[str, int]) -> list[np.ndarray]:
    from scipy.io import loadmat  # slow to import
    from scipy.io.matlab import MatReadError

    try:
        content: dict[str, Any] = loadmat(str(path))
    except (OSError, ValueError, NotImplementedError, MatReadError) as error:
        raise DataError(f"{path}: not a readable Matlab file ({error})") from error
    arrays = [np.asarray(content[name], float) for name in names if name in content]
    if [array.ndim for array in arrays] != list(names.values()):
        raise DataError(f"{path}: needs {', '.join(f'{n} of {d} axes' for n, d in names.items())}")
    return arrays
