"""The pictures of the page: those on which the systems differ most, with everybody's people."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bottomup.compare.embedding import jpeg_uri
from bottomup.compare.report import Judged
from bottomup.core import Skeleton
from bottomup.data.coco import is_region
from bottomup.data.shards import locate
from bottomup.draw import joint_sides
from bottomup.errors import DataError

SIZES = ((32**2, "small"), (96**2, "medium"), (np.inf, "large"))  # COCO's areas
LEAST_SCORE = 0.02  # people below this share of the surest person's score are not on the page
Record = dict[str, Any]


class Album:
    """The pictures of a COCO file. images: their folder, where all must be (default: beside the file, if there)."""

    def __init__(self, truth: Mapping[str, Any], gt: str | Path, images: str | Path | None) -> None:
        self._images = {record["id"]: record for record in truth["images"]}
        self._people: dict[int, list[Record]] = defaultdict(list)
        for annotation in truth["annotations"]:
            if not is_region(annotation) and annotation.get("keypoints"):
                self._people[annotation["image_id"]].append(annotation)
        self._folders = [Path(images)] if images is not None else [Path(gt).parent, Path(gt).parent.parent]
        self._needed = images is not None

    def find(self, image_id: int) -> Callable[[], np.ndarray]:
        """What gives the picture, RGB uint8; raises DataError where there is none."""
        record = self._images[image_id]
        if "file_name" not in record:
            raise DataError(f"picture {image_id} has no file_name in the labels; add it, or leave --images out")
        return locate(record["file_name"], record.get("shard"), self._folders)

    def records(self, ranked: Sequence[Record], judged: Sequence[Judged]) -> list[Record]:
        """Of pictures of the report: the photograph, the true people, and those that each system found."""
        places = {number: place for place, number in enumerate(judged[0].evaluation.images)}
        found = [_found_people(one) for one in judged]
        return [self._record(row, [each[places[row["id"]]] for each in found]) for row in ranked]

    def _record(self, row: Record, found: list[list[Record]]) -> Record:
        image, people = self._images[row["id"]], self._people[row["id"]]
        photograph = self._photograph(row["id"])
        truth = [{"joints": _rounded(person["keypoints"])} for person in people]
        width, height = _size(image, photograph, [*truth, *(person for each in found for person in each)])
        return {
            "id": row["id"],
            "name": str(image.get("file_name", row["id"])),
            "width": width,
            "height": height,
            "people": row["people"],
            "size": _size_class([person.get("area") or _box_area(person) for person in people]),
            "disagreement": row["disagreement"],
            "F1": list(row["F1"].values()),
            "image": None if photograph is None else jpeg_uri(photograph),
            "truth": truth,
            "found": found,
        }

    def _photograph(self, image_id: int) -> np.ndarray | None:
        try:
            load = self.find(image_id)
        except DataError:
            if self._needed:
                raise
            return None
        return load()


def skeleton_record(skeleton: Skeleton) -> Record:
    """What the page needs to draw people: joints' names, limbs, and the side of each limb and joint (-1, 0, 1)."""
    sides = joint_sides(skeleton)
    return {
        "joints": list(skeleton.joints),
        "limbs": [list(limb) for limb in skeleton.limbs],
        "sides": sides,
        "limbSides": [int(np.sign(sides[a] + sides[b])) for a, b in skeleton.limbs],
    }


def _found_people(one: Judged) -> dict[int, list[Record]]:
    """Of every picture (its place) the people found that are judged, surest first."""
    evaluation = one.evaluation
    by_place: dict[int, list[Record]] = defaultdict(list)
    least = LEAST_SCORE * evaluation.scores.max(initial=0.0)
    for d in np.argsort(-evaluation.scores, kind="stable"):
        if evaluation.scores[d] < least:
            break
        right = evaluation.hits[:, d] & ~evaluation.ignored[:, d]
        good = None if evaluation.ignored[0, d] else round(float(right.mean()), 2)
        keypoints = one.entries[evaluation.entry[d]]["keypoints"]
        by_place[int(evaluation.image[d])].append(person_record(keypoints, evaluation.scores[d], good))
    return by_place


def person_record(keypoints: Sequence[float], score: float, good: float | None) -> Record:
    """Somebody found, as the page takes them. good: at which share of the OKS thresholds right, None: not known."""
    return {"score": round(float(score), 4), "joints": _rounded(keypoints), "good": good}


def _rounded(keypoints: Sequence[float]) -> list[float]:
    """Tenths of pixels are enough to look at; scores keep two digits."""
    return [round(float(v), 2 if i % 3 == 2 else 1) for i, v in enumerate(keypoints)]


def _size(image: Record, photograph: np.ndarray | None, people: Sequence[Record]) -> tuple[float, float]:
    """Width and height: of the labels, else of the photograph, else what holds everybody."""
    if image.get("width") and image.get("height"):
        return image["width"], image["height"]
    if photograph is not None:
        return photograph.shape[1], photograph.shape[0]
    joints = np.array([person["joints"] for person in people], float).reshape(-1, 3)
    x, y = joints[joints[:, 2] > 0, :2].max(axis=0, initial=1.0)
    return float(x) + 10, float(y) + 10


def _box_area(person: Record) -> float:
    return float(person["bbox"][2] * person["bbox"][3])


def _size_class(areas: Sequence[float]) -> str | None:
    """What the median person's area is called; None where nobody is."""
    if not len(areas):
        return None
    middle = float(np.median(areas))
    return next(name for limit, name in SIZES if middle < limit)
