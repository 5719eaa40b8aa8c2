"""Several data sets as one COCO file in one layout, with an account of what became of every joint."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from bottomup.core import Skeleton
from bottomup.core.layouts import TARGETS, correspondence, relaid_joints
from bottomup.data.duplicates import Copy, exact_copies, resized_copies
from bottomup.data.labels import Labels, Record, is_labelled, is_region
from bottomup.data.reading import ReadSet
from bottomup.data.shards import StoredImage, named_from
from bottomup.errors import SettingsError


@dataclass
class SetCounts:
    """What a set brought: pictures, people and so on by name; visible and hidden (K,) labels of each target joint."""

    things: Counter[str]
    visible: np.ndarray
    hidden: np.ndarray
    dropped: Counter[str] = field(default_factory=Counter)


@dataclass
class Merged:
    """The merged file's content, and what a reader wants to check it by.

    counts: by set. sets: as they were read, by name. origins: of each image of the content the labels that it comes
    from and its id there. exact, resized: pairs of images of different sets; None where they were not looked for.
    """

    layout: str
    skeleton: Skeleton
    content: dict[str, Any]
    counts: dict[str, SetCounts]
    sets: dict[str, list[ReadSet]]
    origins: list[tuple[Labels, Any]]
    exact: list[Copy] = field(default_factory=list)
    resized: list[Copy] | None = None

    @property
    def pictures(self) -> list[StoredImage]:
        """Where each image of the content lies, in its order."""
        return [labels.pictures[image_id] for labels, image_id in self.origins]


def merge(sets: Sequence[ReadSet], layout: str, folder: str | Path, *, near_duplicates: bool = False) -> Merged:
    """The sets' labels in one layout ("coco17", "posetrack15" or "union"), for a file that will lie in `folder`.

    A joint that a set does not label is left 0 and is missing in the set's `labelled_joints`, so that training masks
    it. People without any joint of the layout become ignore regions. near_duplicates: look for resized copies too.
    Raises SettingsError for an unknown layout.
    """
    if layout not in TARGETS:
        raise SettingsError(f"unknown layout {layout!r}; known are {', '.join(TARGETS)}")
    merged = Merged(layout, TARGETS[layout], {}, {}, {}, [])
    images: list[Record] = []
    annotations: list[Record] = []
    mover = _Mover(merged, os.path.realpath(folder), images, annotations)
    for read in sets:
        merged.sets.setdefault(read.kind.name, []).append(read)
        for part in read.parts:
            mover.take(read, part)
    merged.content = {
        "info": _info(merged),
        "images": images,
        "annotations": annotations,
        "categories": _person(merged),
    }
    _mark_copies(merged, near_duplicates)
    return merged


def _mark_copies(merged: Merged, near_duplicates: bool) -> None:
    images = merged.content["images"]
    sources = [image["source"] for image in images]
    pictures = merged.pictures
    merged.exact = exact_copies(pictures, sources)
    if near_duplicates:
        same = {(copy.first, copy.second) for copy in merged.exact}
        found = resized_copies(pictures, sources)
        merged.resized = [copy for copy in found if (copy.first, copy.second) not in same]
    for copy in [*merged.exact, *(merged.resized or ())]:
        images[copy.second]["duplicate_of"] = images[copy.first]["id"]


def _info(merged: Merged) -> Record:
    return {
        "layout": merged.skeleton.name,
        "sets": {name: _facts(merged, name) for name in merged.sets},
    }


def labelled_joints(counts: SetCounts, target: Skeleton) -> list[str]:
    """Joints that a set labels: that it has a place for, and that somebody in it has."""
    return [joint for joint, count in zip(target.joints, counts.visible + counts.hidden, strict=True) if count]


def _facts(merged: Merged, name: str) -> Record:
    """What training has to know of a set, and whose terms apply."""
    kind = merged.sets[name][0].kind
    return {
        "joints": kind.skeleton.name,
        "labelled_joints": labelled_joints(merged.counts[name], merged.skeleton),
        "unlabelled": kind.unlabelled,
        "all_people_labelled": kind.everybody,
        "hidden_known": kind.hidden,
        "terms": kind.terms,
    }


def _person(merged: Merged) -> list[Record]:
    skeleton = merged.skeleton
    limbs = [[a + 1, b + 1] for a, b in skeleton.limbs]  # COCO counts from 1 here
    return [{"id": 1, "name": "person", "supercategory": "person", "keypoints": skeleton.joints, "skeleton": limbs}]


@dataclass
class _Mover:
    """Takes label files into the merged lists, one after the other, and counts."""

    merged: Merged
    folder: str
    images: list[Record]
    annotations: list[Record]

    def take(self, read: ReadSet, part: Labels) -> None:
        name, target = read.kind.name, self.merged.skeleton
        count = np.zeros(len(target), int)
        counts = self.merged.counts.setdefault(name, SetCounts(Counter(), count, count.copy()))
        ids = {image["id"]: self._image(read, part, image, counts) for image in part.images}
        mapping = np.array(correspondence(read.kind.skeleton, target))
        lost = np.setdiff1d(np.arange(len(read.kind.skeleton)), mapping)
        for annotation in part.annotations:
            moved = {key: value for key, value in annotation.items() if key not in ("id", "category_id", "scores")}
            moved |= {"id": len(self.annotations) + 1, "image_id": ids[annotation["image_id"]], "category_id": 1}
            moved |= {"source": name, "original_id": annotation.get("original_id", annotation.get("id"))}
            moved |= self._region(counts) if is_region(annotation) else self._joints(annotation, read, lost, counts)
            self.annotations.append(moved)

    def _image(self, read: ReadSet, part: Labels, image: Record, counts: SetCounts) -> int:
        stored = part.pictures[image["id"]]
        moved = {"id": len(self.images) + 1, "source": read.kind.name, "all_people_labelled": read.kind.everybody}
        moved |= {key: value for key, value in image.items() if key not in ("id", "file_name", "shard", "source")}
        moved["original_id"] = image.get("original_id", image["id"])
        moved |= named_from(stored, self.folder)
        self.images.append(moved)
        self.merged.origins.append((part, image["id"]))
        counts.things["pictures"] += 1
        counts.things["unlabelled frames"] += not is_labelled(image)
        return len(self.images)

    def _region(self, counts: SetCounts) -> Record:
        counts.things["ignore regions"] += 1
        return {"ignore": True, "num_keypoints": 0, "keypoints": [0] * (3 * len(self.merged.skeleton))}

    def _joints(self, annotation: Record, read: ReadSet, lost: np.ndarray, counts: SetCounts) -> Record:
        source, target = read.kind.skeleton, self.merged.skeleton
        old = np.reshape(annotation["keypoints"], (len(source), 3))
        for joint in lost[old[lost, 2] > 0]:
            counts.dropped[f"joint {source.joints[joint]}: not in the layout"] += 1
        new = relaid_joints(old, source, target)
        if not (new[:, 2] > 0).any():
            counts.dropped["people without a joint of the layout: kept as ignore regions"] += 1
            return self._region(counts)
        counts.things["people"] += 1
        counts.things["people with a track"] += "track_id" in annotation
        counts.things["people with a head box"] += "bbox_head" in annotation
        counts.visible += new[:, 2] == 2
        counts.hidden += new[:, 2] == 1
        scores = np.array(annotation.get("scores", ()), float).reshape(-1)
        more: Record = {}
        if len(scores) == len(source):
            more["scores"] = relaid_joints(scores[:, None], source, target)[:, 0].tolist()
        flat = [int(v) if float(v).is_integer() else float(v) for v in new.reshape(-1)]
        return {"keypoints": flat, "num_keypoints": int((new[:, 2] > 0).sum()), "ignore": False} | more
