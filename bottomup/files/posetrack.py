"""PoseTrack JSON and back: videos as frames of people with track ids, head boxes and regions to ignore.

The 2018 layout (also 2021's) is read and written, the 2017 layout is read. The two ear slots of 2018, which
PoseTrack never labels, are left out of the 15 joints and written as zeros. Joints are told by the category's
names, so that people of another skeleton can be read too; joints that it lacks were not found.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from bottomup.core import POSETRACK15
from bottomup.errors import DataError
from bottomup.files.atomic import replacing
from bottomup.files.jsonfile import load_json

Entry = dict[str, Any]
Box = tuple[float, float, float, float]  # x, y, width, height

SLOTS = (*POSETRACK15.joints[:3], "left_ear", "right_ear", *POSETRACK15.joints[3:])
CATEGORY = {
    "supercategory": "person",
    "id": 1,
    "name": "person",
    "keypoints": list(SLOTS),
    "skeleton": [
        [16, 14], [14, 12], [17, 15], [15, 13], [12, 13], [6, 12], [7, 13], [6, 7], [6, 8], [7, 9], [8, 10], [9, 11],
        [2, 3], [1, 2], [1, 3], [2, 4], [3, 5], [4, 6], [5, 7],
    ],
}  # fmt: skip
SAME = {"upper_neck": "head_bottom"}  # what other sets call a joint
POINT_IDS = (
    "right_ankle right_knee right_hip left_hip left_knee left_ankle right_wrist right_elbow right_shoulder "
    "left_shoulder left_elbow left_wrist head_bottom nose head_top"
).split()  # of 2017


@dataclass(frozen=True, eq=False)
class TrackedPerson:
    """One person in one frame. joints: float64 (15, 3) of x, y, flag; all 0 where there is no joint.

    scores: (15,) of the joints, or None. head, box: x, y, width, height, or None. more: the file's other fields.
    """

    joints: np.ndarray
    track_id: int | None = None
    scores: np.ndarray | None = None
    score: float | None = None
    head: Box | None = None
    box: Box | None = None
    more: Entry = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class TrackedFrame:
    """One frame: its people, and regions to ignore as polygons (P, 2). more: the file's other fields."""

    image_id: int
    name: str
    people: tuple[TrackedPerson, ...] = ()
    regions: tuple[np.ndarray, ...] = ()
    labelled: bool = True
    more: Entry = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class TrackedVideo:
    """The frames of one video in their order. more: the file's other lists (info, licenses)."""

    name: str
    frames: tuple[TrackedFrame, ...]
    more: Entry = field(default_factory=dict)


def read_posetrack(path: str | Path) -> list[TrackedVideo]:
    """The videos of a PoseTrack file, or of all .json files of a folder, by name.

    A file's video has the file's name; where a file holds several (2018: by vid_id), each has its vid_id.
    Raises DataError that names file and item.
    """
    path = Path(path)
    if path.is_dir():
        files = sorted(path.glob("*.json"))
        if not files:
            raise DataError(f"{path}: no .json file in this folder; name the folder of PoseTrack annotations")
        return [video for file in files for video in read_posetrack(file)]
    content = load_json(path)
    if isinstance(content, dict) and isinstance(content.get("annolist"), list):
        frames = [_frame_2017(path, number, entry) for number, entry in enumerate(content["annolist"])]
        return [TrackedVideo(path.stem, tuple(frames))]
    if not isinstance(content, dict) or not all(isinstance(content.get(k), list) for k in ("images", "annotations")):
        raise DataError(f"{path}: no PoseTrack file (needs `images` and `annotations`, or `annolist`)")
    return _videos_2018(path, content)


def write_posetrack(path: str | Path, video: TrackedVideo) -> None:
    """Writes a video in the 2018 layout, replacing `path` as a whole."""
    content = {
        **video.more,
        "categories": [CATEGORY],
        "images": [image_entry(frame) for frame in video.frames],
        "annotations": [entry for frame in video.frames for entry in annotation_entries(frame)],
    }
    with replacing(path) as file:
        file.write(json.dumps(content).encode())


def image_entry(frame: TrackedFrame) -> Entry:
    """A frame's element of `images`."""
    entry = {"id": frame.image_id, "file_name": frame.name, "is_labeled": frame.labelled} | frame.more
    if frame.regions:
        entry["ignore_regions_x"] = [region[:, 0].tolist() for region in frame.regions]
        entry["ignore_regions_y"] = [region[:, 1].tolist() for region in frame.regions]
    return entry


def annotation_entries(frame: TrackedFrame) -> list[Entry]:
    """A frame's elements of `annotations`; one without an id gets 100 times the image's, and its place."""
    return [
        {"id": frame.image_id * 100 + number, "image_id": frame.image_id} | _person_entry(person)
        for number, person in enumerate(frame.people)
    ]


def _person_entry(person: TrackedPerson) -> Entry:
    joints = np.insert(person.joints, [3, 3], 0, axis=0)
    scores = [] if person.scores is None else np.insert(person.scores, [3, 3], 0).tolist()
    optional = {"track_id": person.track_id, "score": person.score, "bbox_head": person.head, "bbox": person.box}
    given = {key: list(v) if isinstance(v, tuple) else v for key, v in optional.items() if v is not None}
    return {"category_id": 1} | given | {"keypoints": joints.ravel().tolist(), "scores": scores} | person.more


_IMAGE_FIELDS = {"id", "file_name", "is_labeled", "ignore_regions_x", "ignore_regions_y"}
_PERSON_FIELDS = {"image_id", "track_id", "score", "bbox_head", "bbox", "keypoints", "scores"}


def _videos_2018(path: Path, content: Entry) -> list[TrackedVideo]:
    slots = _slots(path, content)
    people: dict[int, list[TrackedPerson]] = {_needed(path, image, "id", "image"): [] for image in content["images"]}
    for entry in content["annotations"]:
        if _needed(path, entry, "image_id", "annotation") not in people:
            raise DataError(
                f"{path}: annotation {entry.get('id', '?')} is on image {entry['image_id']}, not among them"
            )
        people[entry["image_id"]].append(_person_2018(path, entry, slots))
    frames: dict[str, list[TrackedFrame]] = {}
    for image in content["images"]:
        of_video = frames.setdefault(str(image.get("vid_id", "")), [])
        of_video.append(_frame_2018(path, image, people[image["id"]]))
    more = {key: value for key, value in content.items() if key not in ("categories", "images", "annotations")}
    if len(frames) < 2:
        return [TrackedVideo(path.stem, tuple(f), more) for f in list(frames.values()) or [[]]]
    return [TrackedVideo(name, tuple(f), more) for name, f in frames.items()]


def _slots(path: Path, content: Entry) -> list[str]:
    """The joint of each slot of `keypoints`, as the category names them; it may lack some of the 15."""
    categories = content.get("categories") or [{}]
    names = [SAME.get(name, name) for name in categories[0].get("keypoints") or SLOTS]
    if not set(names) & set(POSETRACK15.joints):
        raise DataError(f"{path}: its category names none of PoseTrack's joints: {', '.join(POSETRACK15.joints)}")
    return names


def _frame_2018(path: Path, image: Entry, people: Sequence[TrackedPerson]) -> TrackedFrame:
    xs, ys = image.get("ignore_regions_x") or [], image.get("ignore_regions_y") or []
    if [len(x) for x in xs] != [len(y) for y in ys]:
        raise DataError(f"{path}: image {image['id']}: ignore_regions_x and ignore_regions_y differ in length")
    regions = tuple(np.column_stack([x, y]).astype(float) for x, y in zip(xs, ys, strict=True))
    more = {key: value for key, value in image.items() if key not in _IMAGE_FIELDS}
    labelled = bool(image.get("is_labeled", True))
    return TrackedFrame(image["id"], str(image.get("file_name", "")), tuple(people), regions, labelled, more)


def _person_2018(path: Path, entry: Entry, slots: list[str]) -> TrackedPerson:
    name = f"{path}: annotation {entry.get('id', '?')}"
    keypoints = np.array(_needed(path, entry, "keypoints", "annotation"), float)
    if keypoints.shape != (3 * len(slots),) or not np.isfinite(keypoints).all():
        raise DataError(f"{name}: `keypoints` must be {3 * len(slots)} finite numbers")
    order = [slots.index(joint) if joint in slots else len(slots) for joint in POSETRACK15.joints]
    scores = entry.get("scores")
    if scores and len(scores) != len(slots):
        raise DataError(f"{name}: {len(scores)} `scores` for {len(slots)} joints")
    return TrackedPerson(
        np.append(keypoints, (0, 0, 0)).reshape(-1, 3)[order],
        entry.get("track_id"),
        np.append(np.array(scores, float), 0)[order] if scores else None,
        entry.get("score"),
        _box(entry.get("bbox_head")),
        _box(entry.get("bbox")),
        {key: value for key, value in entry.items() if key not in _PERSON_FIELDS},
    )


def _frame_2017(path: Path, number: int, entry: Entry) -> TrackedFrame:
    """A frame of the 2017 layout, whose every value is a list of one."""
    try:
        regions = [[(p["x"][0], p["y"][0]) for p in r["point"]] for r in entry.get("ignore_regions") or []]
        people = [_person_2017(rectangle) for rectangle in entry.get("annorect") or []]
        name, labelled = entry["image"][0]["name"], bool(_only(entry, "is_labeled", 1))
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise DataError(f"{path}: frame {number}: not in the layout of PoseTrack 2017 ({error!r})") from error
    arrays = tuple(np.array(region, float).reshape(-1, 2) for region in regions)
    return TrackedFrame(number, name, tuple(people), arrays, labelled)


def _person_2017(entry: Entry) -> TrackedPerson:
    joints, scores, scored = np.zeros((len(POSETRACK15), 3)), np.zeros(len(POSETRACK15)), False
    for holder in entry.get("annopoints") or []:
        for point in holder.get("point") or []:
            joint = POSETRACK15.joints.index(POINT_IDS[point["id"][0]])
            joints[joint] = point["x"][0], point["y"][0], 1
            if point.get("score"):
                scores[joint], scored = point["score"][0], True
    head = None
    if entry.get("x1"):
        x1, y1, x2, y2 = (float(entry[key][0]) for key in ("x1", "y1", "x2", "y2"))
        head = (x1, y1, x2 - x1, y2 - y1)
    return TrackedPerson(joints, _only(entry, "track_id"), scores if scored else None, _only(entry, "score"), head)


def _only(entry: Entry, key: str, default: Any = None) -> Any:
    return entry[key][0] if entry.get(key) else default


def _needed(path: Path, entry: Entry, key: str, kind: str) -> Any:
    if key not in entry:
        raise DataError(f"{path}: {kind} {entry.get('id', entry.get('file_name', '?'))} has no `{key}`")
    return entry[key]


def _box(values: Sequence[float] | None) -> Box | None:
    """A box, or None where it is absent or empty, as it is in some releases."""
    if not values:
        return None
    x, y, width, height = (float(v) for v in values)
    return x, y, width, height


def frame_key(name: str) -> str:
    """A frame's folder and stem: what names it in files of any layout and picture format."""
    path = PurePosixPath(name)
    return f"{path.parent.name}/{path.stem}"
