"""Of several answers about one person one is kept: suppression of boxes by overlap, of poses by OKS.

Hard suppression drops what a better one covers; soft suppression lowers its score.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from bottomup.core import Boxes, People
from bottomup.core.boxes import overlaps
from bottomup.core.oks import oks_matrix
from bottomup.nets.boxes import unsuppressed_by

LEAST = 0.001  # a score below is no answer any more


def nms(boxes: Boxes, most: float) -> Boxes:
    """The boxes, best first, that no better one overlaps by more than `most` (intersection over union)."""
    return boxes[_hard(overlaps(boxes.xyxy, boxes.xyxy), boxes.scores, most)]


def soft_nms(boxes: Boxes, spread: float = 0.5, least: float = LEAST) -> Boxes:
    """The boxes, best first, each score lowered by exp(-overlap^2 / spread) for every better box.

    Those that fall below `least` are left out. Source: Bodla et al., "Soft-NMS" (ICCV 2017), gaussian form.
    """
    order, scores = softened(overlaps(boxes.xyxy, boxes.xyxy), boxes.scores, spread)
    kept = scores >= least
    return Boxes(boxes.xyxy[order[kept]], scores[kept])


def oks_nms(people: People, areas: np.ndarray, most: float) -> People:
    """The people, best first, whom no better one resembles by more than `most` in OKS.

    areas: (N,) square pixels that each person fills; a pair is judged by the mean of its two.
    """
    return people[_hard(_resemblance(people, areas), people.scores, most)]


def soft_oks_nms(people: People, areas: np.ndarray, spread: float, least: float = LEAST) -> People:
    """The people, best first, each score lowered by exp(-OKS^2 / spread) for every better one like it."""
    order, scores = softened(_resemblance(people, areas), people.scores, spread)
    kept = scores >= least
    return replace(people[order[kept]], scores=scores[kept])


def softened(similarity: np.ndarray, scores: np.ndarray, spread: float) -> tuple[np.ndarray, np.ndarray]:
    """Indices, best first as scores fall, and their scores. Among equal scores the first comes first."""
    left = scores.astype(np.float64)
    order = np.zeros(len(left), np.int64)
    fallen = np.zeros(len(left))
    for rank in range(len(left)):
        best = int(left.argmax())
        order[rank], fallen[rank] = best, left[best]
        left *= np.exp(-np.square(similarity[best]) / spread)
        left[order[: rank + 1]] = -np.inf
    return order, fallen.astype(np.float32)


def _hard(similarity: np.ndarray, scores: np.ndarray, most: float) -> np.ndarray:
    return unsuppressed_by(torch.from_numpy(similarity), torch.from_numpy(scores), most).numpy()


def _resemblance(people: People, areas: np.ndarray) -> np.ndarray:
    means = (areas[:, None] + areas[None]) / 2
    return oks_matrix(people.joints, people.joints, means, people.skeleton.sigmas)
