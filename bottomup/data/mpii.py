"""MPII Human Pose: the released Matlab file, the list of people widely used as JSON, and its COCO form.

Matlab counts pixels from 1, and the JSON list took its numbers over: 1 is taken off. Joints are labelled or not, and in
the Matlab file also hidden or not. Not everybody in a picture is labelled.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from bottomup.core import MPII16, Skeleton
from bottomup.data.cocoform import coco_raw
from bottomup.data.labels import Raw, Record, WrongFormat, attempt, region
from bottomup.data.matlab import field, items, read_matlab
from bottomup.files.jsonfile import load_json

FIRST = 1.0  # what Matlab calls the first pixel
PERSON = 200.0  # pixels of a person of scale 1


def read_mpii(path: Path, skeleton: Skeleton = MPII16, split: str | None = None) -> Raw:
    """People of any of MPII's files; split "train" or "test" picks in the Matlab file, which holds both."""
    if path.suffix == ".mat":
        return _matlab(path, split)
    content = load_json(path)
    if isinstance(content, dict):
        return coco_raw(path, content, skeleton)
    if not isinstance(content, list) or not all(isinstance(p, dict) and "joints_vis" in p for p in content):
        raise WrongFormat(f"{path}: no list of MPII people (image, center, scale, joints, joints_vis)")
    return _listed(content)


# ---------------------------------------------------------------- JSON list


def _listed(content: list[Record]) -> Raw:
    images: dict[str, Record] = {}
    annotations = []
    for number, person in enumerate(content):
        name = person.get("image", f"of entry {number}")
        images.setdefault(name, {"id": name, "original_id": name, "file_name": name})
        known = {"id": number, "original_id": number, "image_id": name}
        annotations.append(attempt(known, lambda person=person: _listed_person(person)))  # type: ignore[misc]
    return Raw(list(images.values()), annotations, "list")


def _listed_person(person: Record) -> Record:
    joints = np.array(person["joints"], float).reshape(len(MPII16), 2) - FIRST
    seen = np.array(person["joints_vis"], float).reshape(len(MPII16), 1) > 0
    record: Record = {"keypoints": np.hstack((joints, 2.0 * seen)).reshape(-1)}
    if "center" in person:
        record["center"] = [float(v) - FIRST for v in person["center"]]
    return record | {key: person[key] for key in ("scale", "dataset") if key in person}


# ---------------------------------------------------------------- Matlab


def _matlab(path: Path, split: str | None) -> Raw:
    release = read_matlab(path).get("RELEASE")
    if field(release, "annolist") is None:
        raise WrongFormat(f"{path}: has no RELEASE.annolist, as mpii_human_pose_v1_u12_1.mat does")
    entries = items(field(release, "annolist"))
    in_training = [bool(v) for v in items(field(release, "img_train"))] or [True] * len(entries)
    wanted = {"train": (True,), "val": (False,), "test": (False,)}.get(split or "", (True, False))
    raw = Raw([], [], "matlab")
    for index, (entry, train) in enumerate(zip(entries, in_training, strict=False)):
        if train not in wanted:
            continue
        people = list(matlab_people(index, items(field(entry, "annorect"))))
        name = str(field(field(entry, "image"), "name"))
        image = {"id": index, "original_id": index, "file_name": name, "split": "train" if train else "test"}
        raw.images.append(image | {"is_labeled": any("keypoints" in person for person in people)})
        raw.annotations += people
    return raw


def matlab_people(image_id: int, rectangles: list[Any]) -> Iterator[Record]:
    """COCO records of one picture's `annorect`: people with joints, and regions for those without."""
    for number, rectangle in enumerate(rectangles):
        named = {"id": f"{image_id}/{number}", "original_id": f"{image_id}/{number}", "image_id": image_id}
        person = attempt(named, lambda rectangle=rectangle: _person(image_id, rectangle))  # type: ignore[misc]
        if len(person) > len(named):  # else nothing is known but that somebody is there
            yield person


def _person(image_id: int, rectangle: Any) -> Record:
    known, joints = _known(rectangle), _points(rectangle)
    if (joints[:, 2] > 0).any():
        return known | {"keypoints": joints.reshape(-1)}
    if "center" in known and "scale" in known:
        side = PERSON * known["scale"]
        x, y = known["center"]
        return known | region(image_id, box=(x - side / 2, y - side / 2, side, side))
    return known | region(image_id, box=known["bbox_head"]) if "bbox_head" in known else {}


def _known(rectangle: Any) -> Record:
    """Head box, scale and centre, as far as they are there."""
    known: Record = {}
    corners = [field(rectangle, name) for name in ("x1", "y1", "x2", "y2")]
    if all(isinstance(corner, (int, float)) for corner in corners):
        x1, y1, x2, y2 = (float(corner) - FIRST for corner in corners)
        known["bbox_head"] = [x1, y1, x2 - x1, y2 - y1]
    if isinstance(field(rectangle, "scale"), (int, float)):
        known["scale"] = float(field(rectangle, "scale"))
    centre = [field(field(rectangle, "objpos"), axis) for axis in ("x", "y")]
    if all(isinstance(value, (int, float)) for value in centre):
        known["center"] = [float(value) - FIRST for value in centre]
    return known


def _points(rectangle: Any) -> np.ndarray:
    """(16, 3) of x, y, flag; a point without is_visible counts as visible."""
    joints = np.zeros((len(MPII16), 3))
    for point in items(field(field(rectangle, "annopoints"), "point")):
        visible = field(point, "is_visible")
        flag = 1 if str(visible).strip() in ("0", "0.0", "False") else 2
        joints[int(field(point, "id"))] = (float(field(point, "x")) - FIRST, float(field(point, "y")) - FIRST, flag)
    return joints
