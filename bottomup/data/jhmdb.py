"""JHMDB: one labelled person in every frame of short clips; joint_positions.mat of each clip, or a COCO form of it.

Matlab counts pixels from 1; 1 is taken off. Every joint is labelled, hidden ones by guess; those outside the frame too.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np

from bottomup.core import JHMDB15, Skeleton
from bottomup.data.cocoform import read_coco_form
from bottomup.data.labels import Raw, WrongFormat
from bottomup.data.matlab import read_matlab

FIRST = 1.0
SPLIT_FILE = "{action}_test_split1.txt"  # the first of three; lines of "CLIP.avi 1" (train) or 2 (test)


def read_jhmdb(path: Path, skeleton: Skeleton = JHMDB15, split: str | None = None) -> Raw:
    """Frames of one clip (ACTION/CLIP/joint_positions.mat), or of a COCO file with the 15 joints.

    split: of the clips that splits/ACTION_test_split1.txt lists, if the file is there; other clips give nothing.
    """
    if path.suffix != ".mat":
        return read_coco_form(path, skeleton)
    clip, action = path.parent.name, path.parent.parent.name
    frames = _frames(path)
    listed = _split(path.parents[3] / "splits" / SPLIT_FILE.format(action=action)) if len(path.parents) > 3 else {}
    if split in ("train", "val", "test") and listed and (listed.get(clip) == 1) != (split == "train"):
        return Raw([], [], "matlab")
    names = [f"{action}/{clip}/{number + 1:05d}.png" for number in range(len(frames))]
    return Raw(
        [
            {"id": name, "original_id": name, "file_name": name, "vid_id": clip, "frame_id": number, "action": action}
            for number, name in enumerate(names)
        ],
        [
            {"id": name, "original_id": name, "image_id": name, "keypoints": frame.reshape(-1), "track_id": 0}
            for name, frame in zip(names, frames, strict=True)
        ],
        "matlab",
    )


def _frames(path: Path) -> np.ndarray:
    """(T, 15, 3) of x, y, 2."""
    positions = np.atleast_3d(read_matlab(path).get("pos_img", np.zeros(0)))
    if positions.shape[:2] != (2, len(JHMDB15)):
        raise WrongFormat(f"{path}: pos_img is {positions.shape}, not 2 x 15 x frames")
    xy = positions.transpose(2, 1, 0) - FIRST
    return np.concatenate((xy, np.full((*xy.shape[:2], 1), 2.0)), -1)


@lru_cache(maxsize=64)
def _split(path: Path) -> dict[str, int]:
    """Clip -> 1 (train) or 2 (test); nothing where there is no file."""
    if not path.is_file():
        return {}
    rows = [line.split() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    return {row[0].removesuffix(".avi"): int(row[1]) for row in rows}
