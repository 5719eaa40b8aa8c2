"""Object keypoint similarity of all pairs at once, and COCO's matching at all thresholds at once.

Source: the official COCO keypoint evaluation (OKS with k = 2 sigma).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bottomup.core.oks import alike_within, variances

_BEFORE_IGNORED = 2.0**30  # a power of two: multiplying by it keeps every OKS's bits


@dataclass(frozen=True, eq=False)
class TruePeople:
    """The annotated people of one picture: joints (G, K, 3) of x, y, labelled if > 0; boxes (G, 4); areas (G,).

    crowd (G,): may be met by many predictions. ignored (G,): whoever meets one does not count.
    """

    joints: np.ndarray
    boxes: np.ndarray
    areas: np.ndarray
    crowd: np.ndarray
    ignored: np.ndarray

    @staticmethod
    def of(annotations: Iterable[dict[str, Any]], joints: int) -> TruePeople:
        """Out of checked annotations."""
        rows = list(annotations)
        crowd = np.array([row["iscrowd"] > 0 for row in rows], bool)
        return TruePeople(
            np.array([row["keypoints"] for row in rows], float).reshape(-1, joints, 3),
            np.array([row["bbox"] for row in rows], float).reshape(-1, 4),
            np.array([row["area"] for row in rows], float),
            crowd,
            crowd | np.array([not row["labelled"] for row in rows], bool),
        )

    def with_joints(self, joints: np.ndarray) -> TruePeople:
        """The same people with other joints (G, K, 3)."""
        return replace(self, joints=joints)


def joint_similarities(points: np.ndarray, people: TruePeople, sigmas: np.ndarray) -> np.ndarray:
    """exp(-d^2 / (2 area k^2)) of every joint of points (D, K, 2) to every true person's: (D, G, K).

    A person without a labelled joint is met anywhere in its box doubled to each side.
    """
    apart = points[:, None] - people.joints[None, :, :, :2]
    unlabelled = ~(people.joints[..., 2] > 0).any(1)
    if unlabelled.any():
        low, size = people.boxes[unlabelled, None, :2], people.boxes[unlabelled, None, 2:]
        there = points[:, None]
        apart[:, unlabelled] = np.maximum(0, low - size - there) + np.maximum(0, there - low - 2 * size)
    apart *= apart
    return alike_within(apart[..., 0] + apart[..., 1], variances(people.areas + np.spacing(1), sigmas))


def oks_matrix(points: np.ndarray, people: TruePeople, sigmas: np.ndarray) -> np.ndarray:
    """OKS (D, G) of predicted points (D, K, 2) and true people, over the labelled joints (over all if none is)."""
    labelled = people.joints[..., 2] > 0
    labelled[~labelled.any(1)] = True
    return (joint_similarities(points, people, sigmas) * labelled).sum(-1) / labelled.sum(-1)


def matches(oks: np.ndarray, thresholds: np.ndarray, ignored: np.ndarray, crowd: np.ndarray) -> np.ndarray:
    """Whom each prediction meets: indices (R, D), -1 for nobody; R runs of thresholds (R,) and ignored (R, G).

    Predictions (D, G), best score first, take in turn the free person of the greatest OKS that reaches
    the threshold; one that is not ignored comes before all that are; of equals the last.
    """
    rows, people = len(thresholds), oks.shape[1]
    met = np.full((rows, len(oks)), -1)
    if not people:
        return met
    reached = np.minimum(thresholds, 1 - 1e-10)[:, None]
    weights = np.where(ignored, 1.0, _BEFORE_IGNORED)
    # Of equals the last in pycocotools' order, which puts the ignored behind: within a kind the order is the same.
    # So of the reversed people the first greatest is taken.
    weights, crowd = weights[:, ::-1].copy(), crowd[::-1]
    every, lowest = np.arange(rows), reached.min()
    for number, row in enumerate(oks[:, ::-1]):
        if row.max() < lowest:
            continue
        worth = row * weights
        worth[row < reached] = -1
        best = worth.argmax(1)
        taken = np.flatnonzero(worth[every, best] > 0)
        place = best[taken]
        met[taken, number] = people - 1 - place
        weights[taken, place] *= crowd[place]  # only a crowd can be met again
    return met
