"""Boxes around people: what detectors find, what labels hold, what top-down networks look into."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, eq=False)
class Boxes:
    """N scored boxes of one picture; N = 0 is ordinary.

    xyxy: float32 (N, 4) of left, top, right, bottom, measured between pixels as labels of COCO are: a box around
    the whole picture goes from 0 to its width. scores: float32 (N,).
    Raises ValueError that names the box that has no size or is not finite, or the field whose shape is wrong.
    """

    xyxy: np.ndarray
    scores: np.ndarray

    def __post_init__(self) -> None:
        xyxy, scores = np.asarray(self.xyxy, np.float32), np.asarray(self.scores, np.float32)
        if xyxy.ndim != 2 or xyxy.shape[1] != 4:
            raise ValueError(f"xyxy must be (N, 4), got {xyxy.shape}")
        if scores.shape != (len(xyxy),):
            raise ValueError(f"scores must be ({len(xyxy)},), got {scores.shape}")
        finite = np.isfinite(xyxy).all(1) & np.isfinite(scores)
        _refuse(~finite, xyxy, f"or a score is not finite: {scores[~finite][:1]}")
        _refuse((xyxy[:, 2:] <= xyxy[:, :2]).any(1), xyxy, "has no size")
        object.__setattr__(self, "xyxy", xyxy)
        object.__setattr__(self, "scores", scores)

    @staticmethod
    def none() -> Boxes:
        """No boxes: (0, 4)."""
        return Boxes(np.zeros((0, 4), np.float32), np.zeros(0, np.float32))

    @staticmethod
    def of_xywh(xywh: np.ndarray, scores: np.ndarray | None = None) -> Boxes:
        """Boxes from (N, 4) of left, top, width, height; missing scores are 1."""
        xyxy = corners(np.asarray(xywh, np.float32).reshape(-1, 4))
        return Boxes(xyxy, np.ones(len(xyxy), np.float32) if scores is None else scores)

    @staticmethod
    def from_coco(entries: Iterable[dict[str, Any]]) -> Boxes:
        """Boxes of COCO results or annotations of one picture; a missing score counts as 1."""
        rows = list(entries)
        scores = np.array([row.get("score", 1.0) for row in rows], np.float32)
        return Boxes.of_xywh(np.array([row["bbox"] for row in rows], np.float32), scores)

    @property
    def xywh(self) -> np.ndarray:
        """(N, 4) of left, top, width, height."""
        return np.hstack((self.xyxy[:, :2], self.xyxy[:, 2:] - self.xyxy[:, :2]))

    def __len__(self) -> int:
        return len(self.xyxy)

    def __getitem__(self, index: Any) -> Boxes:
        """The boxes that a slice, a boolean mask or a list of indices selects (an int selects one)."""
        if isinstance(index, (int, np.integer)):
            if not -len(self) <= index < len(self):
                raise IndexError(f"box {index} of {len(self)}")
            index = [index]
        return Boxes(self.xyxy[index], self.scores[index])

    def require_inside(self, size: tuple[int, int]) -> Boxes:
        """These boxes; raises ValueError that names one that lies wholly outside a picture of (width, height).

        Boxes may reach over the border: people do.
        """
        outside = (self.xyxy[:, 2:] <= 0).any(1) | (self.xyxy[:, :2] >= size).any(1)
        _refuse(outside, self.xyxy, f"is outside the picture of {size[0]} x {size[1]} pixels")
        return self


def corners(xywh: np.ndarray) -> np.ndarray:
    """Left, top, right, bottom (N, 4) of boxes (N, 4) of left, top, width, height."""
    return np.hstack((xywh[:, :2], xywh[:, :2] + xywh[:, 2:]))


def overlaps(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Intersection over union (N, M) of boxes (N, 4) and (M, 4) of left, top, right, bottom; 0 where both are empty."""
    first, second = first.astype(np.float64), second.astype(np.float64)
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    common = np.clip(high - low, 0, None).prod(-1)
    union = _areas(first)[:, None] + _areas(second) - common
    return np.asarray(common / np.maximum(union, np.finfo(np.float64).tiny))


def _areas(boxes: np.ndarray) -> np.ndarray:
    return np.asarray((boxes[:, 2:] - boxes[:, :2]).prod(1))


def _refuse(wrong: Any, xyxy: np.ndarray, why: str) -> None:
    if wrong.any():
        number = int(np.argmax(wrong))
        corners = ", ".join(f"{value:g}" for value in xyxy[number])
        raise ValueError(f"box {number} (left, top, right, bottom {corners}) {why}")
