"""Small data sets in their native forms, written for the tests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np

COCO_JOINTS = [[10 + k, 20 + k, 2] for k in range(17)]


def picture(path: Path, width: int = 64, height: int = 48, seed: int = 0) -> Path:
    """A picture with some structure."""
    path.parent.mkdir(parents=True, exist_ok=True)
    coarse = np.random.default_rng(seed).integers(0, 255, (6, 8, 3), dtype=np.uint8)
    assert cv2.imwrite(str(path), cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC))
    return path


def write_json(path: Path, content: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return path


def coco_person(number: int, image: int, joints: Any = COCO_JOINTS, **more: Any) -> dict[str, Any]:
    flat = [v for row in joints for v in row]
    return {"id": number, "image_id": image, "category_id": 1, "keypoints": flat, "bbox": [5, 6, 30, 40]} | more


def coco_set(folder: Path, year: str = "2017", split: str = "train") -> Path:
    """Two pictures in COCO's folders: one of a person and a crowd, one of nobody; named as each year names them."""
    names = {"2017": "000000000009.jpg", "2014": f"COCO_{split}2014_000000000009.jpg"}
    other = names[year].replace("009", "025")
    for seed, name in enumerate((names[year], other)):
        picture(folder / f"{split}{year}" / name, seed=seed)
    crowd = {"id": 3, "image_id": 9, "iscrowd": 1, "bbox": [40, 0, 20, 20], "num_keypoints": 0, "category_id": 1}
    crowd["segmentation"] = {"size": [48, 64], "counts": [0, 48 * 10, 48 * 54]}
    hidden = [[x, y, 1 if k == 9 else 2] for k, (x, y, _) in enumerate(COCO_JOINTS)]
    content = {
        "images": [{"id": i, "file_name": n, "width": 64, "height": 48} for i, n in ((9, names[year]), (25, other))],
        "annotations": [coco_person(7, 9, hidden, area=800.0, iscrowd=0, num_keypoints=17), crowd],
        "categories": [{"id": 1, "name": "person", "keypoints": []}],
    }
    write_json(folder / "annotations" / f"person_keypoints_{split}{year}.json", content)
    return folder


def mpii_list(folder: Path) -> Path:
    """MPII as a list: two people of one picture, the second without ankles."""
    picture(folder / "images" / "a.jpg", seed=30)
    joints = [[11.0 + k, 21.0 + k] for k in range(16)]
    missing = [[-1.0, -1.0] if k in (0, 5) else xy for k, xy in enumerate(joints)]
    people = [
        {"image": "a.jpg", "center": [20.0, 30.0], "scale": 0.2, "joints": joints, "joints_vis": [1] * 16},
        {"image": "a.jpg", "center": [40.0, 30.0], "scale": 0.2, "joints": missing,
         "joints_vis": [0 if k in (0, 5) else 1 for k in range(16)]},
    ]  # fmt: skip
    write_json(folder / "annot" / "train.json", people)
    return folder


def struct(**fields: Any) -> Any:
    """A Matlab struct for scipy's savemat."""
    return fields


def structs(*rows: dict[str, Any]) -> np.ndarray:
    """A Matlab struct array."""
    out = np.zeros((1, len(rows)), dtype=[(name, object) for name in rows[0]])
    for i, row in enumerate(rows):
        for name, value in row.items():
            out[0, i][name] = value
    return out


def posetrack17(folder: Path) -> Path:
    """PoseTrack 2017: a frame with a person, one of whom only the head is known, and a region; one without labels."""
    for number in (1, 2):
        picture(folder / "images" / "bonn" / f"{number:08d}.jpg", seed=10 + number)
    points = [{"id": [i], "x": [10.5 + i], "y": [5.25 + i], "is_visible": [0 if i == 7 else 1]} for i in range(15)]
    head = {"x1": [20], "y1": [2], "x2": [28], "y2": [12], "score": [-1]}
    region = {"point": [{"x": [40], "y": [0]}, {"x": [60], "y": [0]}, {"x": [60], "y": [20]}, {"x": [40], "y": [20]}]}
    frames = [
        {
            "image": [{"name": "images/bonn/00000001.jpg"}], "imgnum": [1], "is_labeled": [1],
            "ignore_regions": [region],
            "annorect": [head | {"track_id": [4], "annopoints": [{"point": points[:-1]}]}, head | {"track_id": [5]}],
        },
        {"image": [{"name": "images/bonn/00000002.jpg"}], "imgnum": [2], "is_labeled": [0], "annorect": []},
    ]  # fmt: skip
    write_json(folder / "annotations" / "train" / "bonn.json", {"annolist": frames})
    return folder


def posetrack18(folder: Path, year: int = 2018) -> Path:
    """PoseTrack 2018 or 2021: a person with a region in a labelled frame, and a frame without labels; no sizes."""
    for number in (0, 1):
        picture(folder / "images" / "train" / "000001_mpii_train" / f"{number:06d}.jpg", seed=20 + number)
    joints = [[0, 0, 0] if k in (3, 4, 16) else [10.5 + k, 5 + k, 1] for k in range(17)]
    flag = {2018: "is_labeled", 2021: "has_labeled_person"}[year]
    images = [
        {"id": 10000010000 + n, "file_name": f"images/train/000001_mpii_train/{n:06d}.jpg", "vid_id": "000001",
         "frame_id": 10000010000 + n, "nframes": 2, flag: n == 0,
         "ignore_regions_x": [[40, 60, 60, 40]] if n == 0 else [],
         "ignore_regions_y": [[0, 0, 20, 20]] if n == 0 else []}
        for n in (0, 1)
    ]  # fmt: skip
    person = coco_person(100, 10000010000, joints, bbox_head=[10, 2, 8, 9], track_id=3, scores=[])
    names = ["nose", "head_bottom", "head_top", *(f"joint {k}" for k in range(14))]
    content = {"images": images, "annotations": [person], "categories": [{"id": 1, "keypoints": names}]}
    top = {2018: folder / "annotations", 2021: folder / "posetrack_data"}[year]
    write_json(top / "train" / "000001_mpii_train.json", content)
    return folder
