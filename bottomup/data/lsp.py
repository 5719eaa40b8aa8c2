"""Leeds Sports Poses and its extended training set: one labelled person a picture, in joints.mat.

The two differ: extended is 14 x 3 x N, its third number 1 where a joint is labelled; the older is 3 x 14 x N, its third
number 1 where a joint is hidden. Joints are kept as released.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bottomup.core import LSP14, Skeleton
from bottomup.data.cocoform import read_coco_form
from bottomup.data.labels import Raw, WrongFormat
from bottomup.data.matlab import read_matlab

TRAINING = 1000  # first pictures of the older set; the rest is its test half


def read_lsp(path: Path, skeleton: Skeleton = LSP14, split: str | None = None) -> Raw:
    """People of joints.mat of either set, or of a COCO file with its 14 joints."""
    if path.suffix != ".mat":
        return read_coco_form(path, skeleton)
    content = read_matlab(path)
    people, digits = _people(path, np.atleast_3d(content.get("joints", np.zeros(0))))
    names = [f"im{number + 1:0{digits}d}.jpg" for number in range(len(people))]
    if "names" in content:
        names = [str(name) for name in np.atleast_1d(content["names"])]
    if len(names) != len(people):
        raise WrongFormat(f"{path}: has {len(people)} people but {len(names)} names of pictures")
    wanted = range(len(people))
    if digits == 4:
        wanted = {"train": wanted[:TRAINING], "val": wanted[TRAINING:], "test": wanted[TRAINING:]}.get(
            split or "", wanted
        )
    return Raw(
        [{"id": k, "original_id": names[k], "file_name": names[k]} for k in wanted],
        [{"id": k, "original_id": k, "image_id": k, "keypoints": people[k].reshape(-1)} for k in wanted],
        "matlab",
    )


def _people(path: Path, joints: np.ndarray) -> tuple[np.ndarray, int]:
    """(N, 14, 3) of x, y, flag, and of how many digits names of pictures are."""
    if joints.shape[:2] == (14, 3):
        people, flags, digits = joints.transpose(2, 0, 1), (0, 2), 5
    elif joints.shape[:2] == (3, 14):
        people, flags, digits = joints.transpose(2, 1, 0), (2, 1), 4
    else:
        raise WrongFormat(f"{path}: joints are {joints.shape}, not 14 x 3 x N (extended) or 3 x 14 x N")
    flag = np.where(people[..., 2] > 0.5, flags[1], flags[0])
    return np.concatenate((people[..., :2], flag[..., None]), -1).astype(float), digits
