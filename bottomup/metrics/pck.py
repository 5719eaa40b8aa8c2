"""PCK: the share of joints that are near enough, in parts of a length of each person's own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bottomup.core import Skeleton
from bottomup.errors import DataError

HEAD_SHARE = 0.6  # of the head box's diagonal: the head size of MPII and PoseTrack


def pck(
    found: np.ndarray, true: np.ndarray, labelled: np.ndarray, lengths: np.ndarray, alpha: float | Sequence[float]
) -> np.ndarray:
    """Share of the labelled joints (N, K) whose found place (N, K, 2) is at most alpha lengths (N,) off: (K,).

    An exact alpha counts. Several alphas give (A, K). NaN found is not found; NaN where no joint is labelled.
    """
    off = np.linalg.norm(np.asarray(found, float) - true, axis=-1) / np.asarray(lengths, float)[:, None]
    near = off <= np.asarray(alpha, float)[..., None, None]
    count = np.asarray(labelled, bool).sum(0)
    shares: np.ndarray = (near & np.asarray(labelled, bool)).sum(-2) / np.where(count, count, np.nan)
    return shares


def head_size(box: Sequence[float] | None, name: str) -> float:
    """.6 times the diagonal of a head box x, y, width, height; raises DataError where `name` has none."""
    diagonal = 0.0 if box is None else float(np.hypot(box[2], box[3]))
    if not diagonal > 0:
        raise DataError(f"{name} has no head box (`bbox_head`: x, y, width, height), by which PCKh measures")
    return HEAD_SHARE * diagonal


def assigned(near: np.ndarray, labelled: np.ndarray) -> np.ndarray:
    """For everybody found the number of the true person for whom they stand, or -1: (P,).

    near: bool (P, G, K); labelled: bool (G, K). Everybody found takes the true person of whom it has the
    greatest share of joints, each of those the best of its takers; the rest stand for nobody.
    """
    found, true = near.shape[:2]
    whom = np.full(found, -1)
    if found and true:
        share = near.sum(2) / np.maximum(labelled.sum(1), 1)
        only_best = np.where(np.arange(true) == share.argmax(1)[:, None], share, 0)
        taken = np.flatnonzero(only_best.max(0) > 0)
        whom[only_best.argmax(0)[taken]] = taken
    return whom


def torso_lengths(true: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """Left shoulder to right hip (N,) of joints (N, K, 2 or 3): the length of PCK on people's torsos."""
    ends = [skeleton.joints.index(joint) for joint in ("left_shoulder", "right_hip")]
    lengths: np.ndarray = np.linalg.norm(true[:, ends[0], :2] - true[:, ends[1], :2], axis=-1)
    return lengths


def box_sides(boxes: np.ndarray) -> np.ndarray:
    """The longer side (N,) of boxes (N, 4) of x, y, width, height: the length of PCK in people's boxes."""
    sides: np.ndarray = np.asarray(boxes, float)[:, 2:].max(1)
    return sides
