"""PoseTrack: the 2017 form (one-element lists throughout), and the COCO-like form of 2018 and 2021.

Both give the 15 joints of PoseTrack, ignore regions as polygons, head boxes, track ids, and frames without labels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np

from bottomup.core import POSETRACK15, Skeleton
from bottomup.data.labels import Raw, Record, WrongFormat, attempt, region
from bottomup.files.jsonfile import load_json
from bottomup.files.posetrack import POINT_IDS, SLOTS

FIRST_NAMES = ["nose", "head_bottom", "head_top"]
OURS = [SLOTS.index(joint) for joint in POSETRACK15.joints]  # among the 17 of 2018 and 2021, whose ears have no labels


# ---------------------------------------------------------------- 2018 and 2021


def read_posetrack18(path: Path, skeleton: Skeleton = POSETRACK15, split: str | None = None) -> Raw:
    """One sequence (or several) in the form of 2018 and 2021.

    A joint's third number says labelled or not; `occluded` of an annotation, where there is one, who is hidden.
    """
    content = load_json(path)
    if isinstance(content, dict) and "annolist" in content:
        raise WrongFormat(f"{path}: the 2017 form of PoseTrack (annolist); call the set posetrack17")
    if not isinstance(content, dict) or not {"images", "annotations"} <= content.keys():
        raise WrongFormat(f"{path}: no PoseTrack labels (needs 'images' and 'annotations')")
    people = content["annotations"]
    if any(len(a.get("keypoints") or ()) not in (0, 3 * 17) for a in people):
        raise WrongFormat(f"{path}: its people do not have PoseTrack's 17 x 3 keypoints; name the set that it is of")
    names = [name for c in content.get("categories") or () for name in (c.get("keypoints") or ())[:3]]
    if (names or FIRST_NAMES) != FIRST_NAMES:
        raise WrongFormat(f"{path}: its joints begin with {', '.join(names)}, not PoseTrack's; name the set it is of")
    if not names and not any("vid_id" in image for image in content["images"]):
        raise WrongFormat(f"{path}: neither categories nor vid_id tell that it is PoseTrack's")
    known = [{"id": a.get("id"), "original_id": a.get("id"), "image_id": a.get("image_id")} for a in people]
    found = [attempt(k, lambda a=a: _person18(a)) for k, a in zip(known, people, strict=True)]  # type: ignore[misc]
    regions = [r for image in content["images"] for r in _regions18(image)]
    return Raw([_image18(image) for image in content["images"]], found + regions, "2018")


def _image18(image: Record) -> Record:
    kept = {key: value for key, value in image.items() if not key.startswith("ignore_regions")}
    if "id" not in kept and "image_id" in kept:  # as some files of 2021 have it
        kept["id"] = kept["image_id"]
    labelled = bool(image.get("is_labeled", image.get("has_labeled_person", True)))
    return kept | {"original_id": kept.get("id"), "is_labeled": labelled}


def _person18(annotation: Record) -> Record:
    kept = {key: value for key, value in annotation.items() if key not in ("occluded", "scores", "num_keypoints")}
    kept["iscrowd"] = int(bool(annotation.get("iscrowd")))
    if not annotation.get("bbox_head"):  # an empty list where nobody drew one
        kept.pop("bbox_head", None)
    if not annotation.get("keypoints"):
        return kept | {"ignore": True}
    joints = np.array(annotation["keypoints"], float).reshape(17, 3)[OURS]
    occluded = np.array(annotation.get("occluded", np.zeros(17)), float).reshape(17)[OURS] > 0
    labelled = (joints[:, 2] > 0) & (joints[:, :2] != 0).any(1)
    joints[:, 2] = np.where(labelled, np.where(occluded, 1, 2), 0)
    return kept | {"keypoints": joints.reshape(-1)}


def _regions18(image: Record) -> Iterator[Record]:
    across, down = image.get("ignore_regions_x") or [], image.get("ignore_regions_y") or []
    if across and not isinstance(across[0], list):  # one polygon that was not put into a list
        across, down = [across], [down]
    for number, (x, y) in enumerate(zip_longest(across, down, fillvalue=())):
        yield from _polygon(image.get("id", image.get("image_id")), number, x, y)


def _polygon(image_id: Any, number: int, x: Sequence[float], y: Sequence[float]) -> Iterator[Record]:
    """An ignore region; a polygon of fewer than three points covers nothing."""
    name = f"{image_id}/ignore_region/{number}"
    known = {"id": name, "original_id": name, "image_id": image_id}
    if len(x) != len(y) or len(x) >= 3:
        yield attempt(known, lambda: region(image_id, [float(v) for xy in zip(x, y, strict=True) for v in xy]))


# ---------------------------------------------------------------- 2017


def read_posetrack17(path: Path, skeleton: Skeleton = POSETRACK15, split: str | None = None) -> Raw:
    """One sequence in the form of 2017 (annolist, annorect, annopoints)."""
    content = load_json(path)
    if isinstance(content, dict) and {"images", "annotations"} <= content.keys():
        raise WrongFormat(f"{path}: the form of PoseTrack 2018 and 2021; call the set posetrack18")
    if not isinstance(content, dict) or not isinstance(content.get("annolist"), list):
        raise WrongFormat(f"{path}: no PoseTrack 2017 labels (needs 'annolist')")
    raw = Raw([], [], "2017")
    for number, frame in enumerate(content["annolist"]):
        name = str(_only(_only(frame, "image"), "name"))
        labelled = bool(_only(frame, "is_labeled", 1))
        image = {"id": name, "original_id": name, "file_name": name, "vid_id": path.stem, "frame_id": number}
        raw.images.append(image | {"is_labeled": labelled, "imgnum": _only(frame, "imgnum", number + 1)})
        raw.annotations += list(_people17(name, frame.get("annorect") or []))
        raw.annotations += list(_regions17(name, frame.get("ignore_regions") or []))
    return raw


def _only(record: Record, name: str, default: Any = None) -> Any:
    """The one element of a one-element list."""
    value = record.get(name, default)
    if isinstance(value, list):
        return value[0] if value else default
    return value


def _people17(name: str, people: list[Record]) -> Iterator[Record]:
    for number, person in enumerate(people):
        known = {"id": f"{name}#{number}", "original_id": f"{name}#{number}", "image_id": name}
        record = attempt(known, lambda person=person: _person17(name, person))  # type: ignore[misc]
        if {"keypoints", "bbox", "broken"} & record.keys():  # else nothing is known but that somebody is there
            yield record


def _person17(name: str, person: Record) -> Record:
    record: Record = {}
    if _only(person, "track_id") is not None:
        record["track_id"] = int(_only(person, "track_id"))
    corners = [_only(person, corner) for corner in ("x1", "y1", "x2", "y2")]
    if None not in corners:
        x1, y1, x2, y2 = map(float, corners)
        record["bbox_head"] = [x1, y1, x2 - x1, y2 - y1]
    points = _only(person, "annopoints", {}) or {}
    joints = np.zeros((len(POSETRACK15), 3))
    for point in points.get("point") or []:
        number = int(_only(point, "id"))
        if not 0 <= number < len(POINT_IDS):
            raise ValueError(f"a point has the id {_only(point, 'id')}, PoseTrack 2017 has 0 to 14")
        hidden = str(_only(point, "is_visible", 1)) in ("0", "0.0", "False")
        joints[POSETRACK15.joints.index(POINT_IDS[number])] = (
            float(_only(point, "x")),
            float(_only(point, "y")),
            1 if hidden else 2,
        )
    if joints.any():
        return record | {"keypoints": joints.reshape(-1)}
    return record | region(name, box=record["bbox_head"]) if "bbox_head" in record else record


def _regions17(name: str, regions: list[Record]) -> Iterator[Record]:
    for number, polygon in enumerate(regions):
        points = polygon.get("point") or []
        x = [v for point in points for v in _all(point, "x")]
        y = [v for point in points for v in _all(point, "y")]
        yield from _polygon(name, number, x, y)


def _all(record: Record, name: str) -> list[float]:
    value = record.get(name) or []
    return value if isinstance(value, list) else [value]
