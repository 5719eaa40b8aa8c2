"""The people of one picture: what roads return and everything else takes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bottomup.core.skeleton import Skeleton
from bottomup.core.warp import Warp

FAINT = 0.1  # joints of a lower score are guesses: they are in results, not in pictures and tracks


@dataclass(frozen=True, eq=False)
class People:
    """N people of one picture; N = 0 is ordinary.

    joints: float32 (N, K, 3) of x, y, score in pixels; score 0 means the joint was not found.
    scores: float32 (N,). boxes: float32 (N, 4) of x, y, width, height, or None. ids: int64 (N,) or None.
    Raises ValueError that names the field whose shape or values are wrong.
    """

    joints: np.ndarray
    scores: np.ndarray
    skeleton: Skeleton
    boxes: np.ndarray | None = None
    ids: np.ndarray | None = None

    def __post_init__(self) -> None:
        joints = np.asarray(self.joints, dtype=np.float32)
        if joints.ndim != 3 or joints.shape[1:] != (len(self.skeleton), 3):
            raise ValueError(f"joints must be (N, {len(self.skeleton)}, 3), got {joints.shape}")
        self._put("joints", joints)
        self._put("scores", self._column("scores", self.scores, np.float32))
        if self.boxes is not None:
            boxes = np.asarray(self.boxes, dtype=np.float32)
            if boxes.shape != (len(joints), 4):
                raise ValueError(f"boxes must be ({len(joints)}, 4), got {boxes.shape}")
            self._put("boxes", boxes)
        if self.ids is not None:
            self._put("ids", self._column("ids", self.ids, np.int64))

    def _put(self, name: str, value: np.ndarray) -> None:
        object.__setattr__(self, name, value)

    def _column(self, name: str, value: Any, dtype: type) -> np.ndarray:
        column: np.ndarray = np.asarray(value, dtype=dtype)
        if column.shape != (len(self.joints),):
            raise ValueError(f"{name} must be ({len(self.joints)},), got {column.shape}")
        return column

    @staticmethod
    def nobody(skeleton: Skeleton) -> People:
        """Nobody: joints (0, K, 3)."""
        return People(np.zeros((0, len(skeleton), 3), np.float32), np.zeros(0, np.float32), skeleton)

    @staticmethod
    def concatenate(parts: Sequence[People]) -> People:
        """All people of several sets with one skeleton; boxes and ids survive if every part has them."""
        if not parts:
            raise ValueError("nothing to concatenate")
        skeleton = parts[0].skeleton
        if any(part.skeleton.joints != skeleton.joints for part in parts):
            raise ValueError(f"people of different skeletons: {sorted({p.skeleton.name for p in parts})}")

        def join(name: str) -> np.ndarray | None:
            columns = [getattr(part, name) for part in parts]
            return None if any(c is None for c in columns) else np.concatenate(columns)

        return People(join("joints"), join("scores"), skeleton, join("boxes"), join("ids"))  # type: ignore[arg-type]

    def __len__(self) -> int:
        return len(self.joints)

    def __getitem__(self, index: Any) -> People:
        """The people that a slice, a boolean mask or a list of indices selects (an int selects one)."""
        if isinstance(index, (int, np.integer)):
            if not -len(self) <= index < len(self):
                raise IndexError(f"person {index} of {len(self)}")
            index = [index]

        def take(column: np.ndarray | None) -> np.ndarray | None:
            return None if column is None else column[index]

        return People(self.joints[index], self.scores[index], self.skeleton, take(self.boxes), take(self.ids))

    def warp(self, warp: Warp) -> People:
        """The same people in the pixels that the warp leads to. Joints that were not found stay zero."""
        joints = self.joints.copy()
        joints[..., :2] = warp.points(self.joints[..., :2])
        joints[self.joints[..., 2] <= 0] = 0
        boxes = None if self.boxes is None else warp.boxes(self.boxes)
        return People(joints, self.scores, self.skeleton, boxes, self.ids)

    def without_faint(self) -> People:
        """The same people; joints of a score below `FAINT` count as not found."""
        joints = np.where(self.joints[..., 2:] >= FAINT, self.joints, 0)
        return People(joints, self.scores, self.skeleton, self.boxes, self.ids)

    def to_coco(self, image_id: int, *, category_id: int = 1, **more: Any) -> list[dict[str, Any]]:
        """COCO results entries; `more` is added to each. Numbers are rounded to what float32 holds."""
        entries = []
        for i in range(len(self)):
            entry = {
                "image_id": image_id,
                "category_id": category_id,
                "keypoints": [round(float(v), 4) for v in self.joints[i].reshape(-1)],
                "score": round(float(self.scores[i]), 6),
            }
            if self.boxes is not None:
                entry["bbox"] = [round(float(v), 3) for v in self.boxes[i]]
            if self.ids is not None:
                entry["track_id"] = int(self.ids[i])
            entries.append(entry | more)
        return entries

    @staticmethod
    def from_coco(entries: Iterable[dict[str, Any]], skeleton: Skeleton) -> People:
        """People out of COCO results or annotations of one picture; a missing score counts as 1.

        Raises ValueError that names the entry whose keypoints have the wrong length.
        """
        rows = list(entries)
        joints = np.zeros((len(rows), len(skeleton), 3), np.float32)
        for i, row in enumerate(rows):
            if len(row["keypoints"]) != 3 * len(skeleton):
                raise ValueError(
                    f"entry {row.get('id', i)} has {len(row['keypoints'])} numbers in keypoints, "
                    f"skeleton {skeleton.name} needs {3 * len(skeleton)}"
                )
            joints[i] = np.reshape(row["keypoints"], (-1, 3))
        scores = np.array([row.get("score", 1.0) for row in rows], np.float32)
        boxed = bool(rows) and all("bbox" in row for row in rows)
        boxes = np.array([row["bbox"] for row in rows], np.float32) if boxed else None
        tracked = bool(rows) and all("track_id" in row for row in rows)
        ids = np.array([row["track_id"] for row in rows], np.int64) if tracked else None
        return People(joints, scores, skeleton, boxes, ids)
