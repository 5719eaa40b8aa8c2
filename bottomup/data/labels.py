"""Labels in COCO form with a set's own joints: what every format's reader gives, checked in one place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from bottomup.core import Skeleton
from bottomup.data.shards import Finder, StoredImage, picture_size
from bottomup.errors import DataError

Record = dict[str, Any]
MARGIN = 0.15  # of the joints' extent, added on every side where a set has no boxes
AREA = 0.53  # of a box, where a set has no areas: the share that COCO's people fill of theirs


OUTSIDE = "joints labelled outside their picture: kept as they are"


class WrongFormat(DataError):
    """A file that is not of the format that was asked for."""


@dataclass
class Problems:
    """Broken items. They are raised at once, or noted when `go_on`; `noted` holds file, item and problem of each."""

    go_on: bool = False
    noted: list[Record] = field(default_factory=list)

    def add(self, file: Path, item: str, what: str, remedy: str) -> None:
        """Raises DataError that names file, item and remedy, or notes it."""
        if not self.go_on:
            raise DataError(f"{file}: {item} {what}; {remedy}, or go on without it (--skip-bad)")
        self.noted.append({"file": str(file), "item": item, "problem": what})


@dataclass
class Raw:
    """What a format's reader makes of one file, not checked yet.

    images: COCO records; width and height may lack (the picture tells). annotations: COCO records whose keypoints
    are in the set's order with COCO's flags; a region has `ignore`; box and area may lack. form: which of the set's
    file formats it was. Both keep what else the file says of them.
    """

    images: list[Record]
    annotations: list[Record]
    form: str = "coco"


@dataclass
class Labels:
    """One label file: COCO records in the skeleton's joints, and where each picture lies by image id.

    Every person has keypoints (3 K numbers), num_keypoints, bbox and area; every region `ignore` and bbox. notes:
    what is worth knowing beside the problems, with counts.
    """

    file: Path
    skeleton: Skeleton
    images: list[Record]
    annotations: list[Record]
    pictures: dict[Any, StoredImage]
    notes: Counter[str] = field(default_factory=Counter)


def is_region(annotation: Record) -> bool:
    """Whether an annotation is a place where nothing may be taught or counted, not a labelled person."""
    return bool(annotation.get("iscrowd") or annotation.get("ignore") or not annotation.get("num_keypoints", 1))


def is_labelled(image: Record) -> bool:
    """Whether people were labelled in a picture; most frames of PoseTrack's videos were left alone."""
    return bool(image.get("is_labeled", True))


def region(image_id: Any, polygon: Sequence[float] | None = None, box: Sequence[float] | None = None) -> Record:
    """An ignore region: a polygon of x, y, x, y, ... or a box x, y, width, height."""
    if polygon is not None:
        x, y = np.array(polygon[0::2], float), np.array(polygon[1::2], float)
        box = [float(x.min()), float(y.min()), float(np.ptp(x)), float(np.ptp(y))]
    shape = {} if polygon is None else {"segmentation": [[float(v) for v in polygon]]}
    return {"image_id": image_id, "ignore": True, "iscrowd": 1, "bbox": list(box or ()), **shape}


def attempt(known: Record, make: Callable[[], Record]) -> Record:
    """What is known of an annotation and what `make` adds, or why it could not, which `check` then reports."""
    try:
        return known | make()
    except (ValueError, TypeError, KeyError, IndexError) as error:
        return known | {"broken": f"cannot be read ({type(error).__name__}: {error})"}


def check(file: Path, raw: Raw, skeleton: Skeleton, finder: Finder, problems: Problems) -> Labels:
    """Labels whose every picture was found and every annotation is whole.

    Raises DataError for the first thing that is broken, or leaves it out and notes it, as `problems` says.
    """
    labels = Labels(file, skeleton, [], [], {})
    bad_images = _check_images(labels, raw.images, finder, problems)
    sizes = {image["id"]: (image["width"], image["height"]) for image in labels.images}
    for number, annotation in enumerate(raw.annotations):
        name = f"annotation {annotation.get('id', annotation.get('original_id', number))}"
        if annotation.get("image_id") in bad_images:
            labels.notes["annotations of pictures that were left out"] += 1
            continue
        try:
            checked = _checked(annotation, sizes, len(skeleton))
            labels.notes[OUTSIDE] += _outside(checked, sizes)
            labels.annotations.append(checked)
        except (ValueError, TypeError, KeyError) as error:
            what = f"has no {error.args[0]}" if isinstance(error, KeyError) else str(error)
            problems.add(file, name, what, "mend or remove it")
    return labels


def _outside(annotation: Record, sizes: dict[Any, tuple[int, int]]) -> int:
    """How many joints of a person lie outside the picture."""
    if is_region(annotation):
        return 0
    joints = np.reshape(annotation["keypoints"], (-1, 3))
    out = (joints[:, :2] < -1).any(1) | (joints[:, :2] > sizes[annotation["image_id"]]).any(1)
    return int((out & (joints[:, 2] > 0)).sum())


def _check_images(labels: Labels, images: Sequence[Record], finder: Finder, problems: Problems) -> set[Any]:
    """Fills in the pictures; the ids of those left out."""
    bad: set[Any] = set()
    for number, image in enumerate(images):
        name = f"picture {image.get('file_name', image.get('id', number))}"
        missing = [key for key in ("id", "file_name") if key not in image]
        if missing:
            problems.add(labels.file, name, f"has no {missing[0]}", "mend the file")
        elif image["id"] in labels.pictures:
            problems.add(labels.file, name, f"has the id {image['id']!r} of another picture", "mend the file")
        else:
            try:
                stored = finder.find(image["file_name"], image.get("shard"))
                width, height = _size(image, stored)
            except DataError as error:
                bad.add(image["id"])
                what = str(error).split(";")[0].removeprefix(f"{name} ")
                problems.add(labels.file, name, what, "name the folder that holds the right one")
                continue
            labels.pictures[image["id"]] = stored
            labels.images.append(image | {"width": width, "height": height})
    return bad


def _size(image: Record, stored: StoredImage) -> tuple[int, int]:
    if image.get("width") and image.get("height"):
        return int(image["width"]), int(image["height"])
    return picture_size(stored)


def _checked(annotation: Record, sizes: dict[Any, tuple[int, int]], count: int) -> Record:
    """The annotation with all that Labels promises; raises ValueError or KeyError."""
    if "broken" in annotation:
        raise ValueError(annotation["broken"])
    image_id = annotation["image_id"]
    if image_id not in sizes:
        raise ValueError(f"names image_id {image_id!r}, which is not among the pictures")
    if is_region(annotation):
        return _as_region(annotation)
    joints = joint_rows(annotation, count)
    labelled = int((joints[:, 2] > 0).sum())
    if not labelled:  # somebody is there, nobody knows how
        return _as_region(annotation)
    person = annotation | {"keypoints": joints.reshape(-1).tolist(), "num_keypoints": labelled, "iscrowd": 0}
    if annotation.get("bbox") is None:
        person |= {"bbox": box_around(joints, sizes[image_id]), "bbox_from": "joints"}
    box = person["bbox"] = numbers(person, "bbox", 4)
    if not annotation.get("area"):
        person |= {"area": round(AREA * box[2] * box[3], 2), "area_is_estimate": True}
    return person


def _as_region(annotation: Record) -> Record:
    """The annotation as a region to ignore, whose area is its box's where none is given."""
    box = numbers(annotation, "bbox", 4)
    area = annotation.get("area") or round(box[2] * box[3], 2)
    return annotation | {"ignore": True, "bbox": box, "num_keypoints": 0, "area": area}


def numbers(record: Record, name: str, count: int) -> list[float]:
    """A field of so many finite numbers; raises ValueError or KeyError."""
    try:
        values = np.array(record[name], float).reshape(-1)
    except (TypeError, ValueError) as error:
        raise ValueError(f"needs a {name} of {count} numbers ({error})") from error
    if len(values) != count:
        raise ValueError(f"needs a {name} of {count} numbers, has {len(values)}")
    if not np.isfinite(values).all():
        raise ValueError(f"has a {name} that is not finite")
    return values.tolist()


def joint_rows(annotation: Record, count: int) -> np.ndarray:
    """(K, 3) of x, y, flag; zeros where not labelled. Raises ValueError or KeyError."""
    joints = np.array(numbers(annotation, "keypoints", 3 * count)).reshape(count, 3)
    if not np.isin(joints[:, 2], (0, 1, 2)).all():
        raise ValueError("has a joint whose flag is none of 0, 1, 2")
    joints[joints[:, 2] == 0] = 0
    return joints


def box_around(joints: np.ndarray, size: tuple[int, int]) -> list[float]:
    """Box x, y, width, height around the labelled joints (K, 3) and a margin, within the picture."""
    xy = joints[joints[:, 2] > 0, :2]
    margin = MARGIN * np.maximum(np.ptp(xy, 0), 1)
    low = np.clip(xy.min(0) - margin, 0, size)
    high = np.clip(xy.max(0) + margin, 0, size)
    return [round(float(v), 2) for v in (*low, *np.maximum(high - low, 1))]
