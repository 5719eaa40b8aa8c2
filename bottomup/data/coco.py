"""Reader of COCO keypoint files for training, with pictures in folders or in tar shards.

Beyond COCO it reads, where present: `shard` of an image (the tar that holds it), `all_people_labelled` and
`is_labeled` of an image, `ignore` of an annotation (a region, not a person), `scores` of an annotation (one
confidence a joint), `track_id`, `bbox_head`; and what `bottomup merge` says of its sets (`info.sets`).
"""

from __future__ import annotations

import gc
import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bottomup.core import ABSENT, COCO17, UNKNOWN, Skeleton
from bottomup.data.labels import Record, is_labelled, is_region
from bottomup.data.shards import StoredImage, locate
from bottomup.data.table import NO_TRACK, Persons, Pictures, Rules, SampleTable, Texts
from bottomup.errors import DataError
from bottomup.files.jsonfile import load_json

__all__ = ["is_region", "load_json", "read_coco"]


def read_coco(
    path: str | Path,
    images: str | Path | None = None,
    *,
    skeleton: Skeleton = COCO17,
    unlabelled: str = "absent",
    least_joints: int = 1,
    source: str | None = None,
    confidence: float = 1.0,
    find_pictures: bool = True,
) -> SampleTable:
    """The labelled pictures of one COCO keypoint file, in its order.

    images: folder of the pictures or shards (default: the file's own folder, then the one above).
    unlabelled: what a joint with v = 0 means: "absent" (as in COCO) or "unknown" (mask it); a merged file says it of
    each set. least_joints: people with fewer labelled joints become ignore regions. source: of a merged file only the
    pictures of this set. confidence: factor on all joints' confidence. find_pictures: False takes the labels alone.
    Raises DataError that names file and annotation or picture.
    """
    if unlabelled not in ("absent", "unknown"):
        raise ValueError(f"unlabelled must be 'absent' or 'unknown', got {unlabelled!r}")
    missing = ABSENT if unlabelled == "absent" else UNKNOWN
    reader = _Reader(Path(path), skeleton, least_joints, confidence)
    with _nothing_collected():
        return _read(reader, None if images is None else Path(images), missing, source, find_pictures)


@contextmanager
def _nothing_collected() -> Iterator[None]:
    """Millions of new objects, none of them garbage: looking for garbage among them would take as long again."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


def _read(reader: _Reader, images: Path | None, missing: int, source: str | None, find: bool) -> SampleTable:
    path = reader.path
    content = load_json(path)
    if not isinstance(content, dict) or not {"images", "annotations"} <= content.keys():
        raise DataError(f"{path}: no COCO file (needs 'images' and 'annotations')")
    folders = [images] if images is not None else [path.parent, path.parent.parent]
    by_image: dict[int, list[Record]] = defaultdict(list)
    for annotation in content["annotations"]:
        by_image[_field(path, annotation, "image_id")].append(annotation)
    strangers = by_image.keys() - {_field(path, image, "id", "image") for image in content["images"]}
    if strangers:
        raise DataError(f"{path}: annotations name image_id {min(strangers)}, which is not among the images")
    chosen = [i for i in _of_source(path, content, source) if is_labelled(i)]
    stored = [_stored(path, image, folders, find) for image in chosen]
    sets = (content.get("info") or {}).get("sets") or {}
    rules = _rules(sets, chosen, reader.skeleton, missing)
    return reader.table(chosen, [by_image[i["id"]] for i in chosen], stored, rules)


def _of_source(path: Path, content: Record, source: str | None) -> list[Record]:
    if source is None:
        return content["images"]
    chosen = [image for image in content["images"] if image.get("source") == source]
    if not chosen:
        known = sorted({str(image.get("source")) for image in content["images"]})
        raise DataError(f"{path}: no picture is of the source {source!r}; there are {', '.join(known)}")
    return chosen


def _stored(path: Path, image: Record, folders: list[Path], find: bool) -> StoredImage:
    name = _field(path, image, "file_name", "image")
    return locate(name, image.get("shard"), folders) if find else StoredImage(folders[0] / name, name)


def _rules(sets: Record, images: Sequence[Record], skeleton: Skeleton, missing: int) -> Rules:
    """How joints without label are meant in each set of a merged file, and (first) in all other pictures."""
    names = {name: number for number, name in enumerate(sets, 1)}
    labelled = np.ones((len(sets) + 1, len(skeleton)), bool)
    state = np.full(labelled.shape, missing, np.uint8)
    for name, number in names.items():
        facts = sets[name]
        if facts.get("unlabelled") == "unknown":
            state[number] = UNKNOWN
        labelled[number] = [joint in facts.get("labelled_joints", skeleton.joints) for joint in skeleton.joints]
        state[number, [joint in facts.get("filled_joints", ()) for joint in skeleton.joints]] = UNKNOWN
    state[~labelled] = UNKNOWN
    return Rules(labelled, state, np.array([names.get(image.get("source", ""), 0) for image in images], np.int32))


def _field(path: Path, record: Record, name: str, kind: str = "annotation") -> Any:
    if name not in record:
        raise DataError(f"{path}: {kind} {record.get('id', record.get('file_name', '?'))} has no {name}")
    return record[name]


@dataclass(frozen=True)
class _Reader:
    path: Path
    skeleton: Skeleton
    least_joints: int
    confidence: float

    def table(
        self,
        images: Sequence[Record],
        annotations: Sequence[Sequence[Record]],
        stored: Sequence[StoredImage],
        rules: Rules,
    ) -> SampleTable:
        split = [_split(own) for own in annotations]
        humans, regions = [own for own, _ in split], [own for _, own in split]
        joints, flags = self._joints([a for own in humans for a in own])
        enough = (joints[..., 2] > 0).sum(1) >= self.least_joints
        if not enough.all():
            humans, regions = _moved(humans, regions, enough)
            joints, flags = joints[enough], flags[enough]
        people, places = [a for own in humans for a in own], [a for own in regions for a in own]
        for region in places:
            self._box(region)
        return SampleTable(
            file=self.path.name,
            skeleton=self.skeleton,
            ids=np.array([image["id"] for image in images], np.int64),
            sizes=np.array([self._size(image) for image in images], np.int32).reshape(-1, 2),
            everybody=np.array([bool(image.get("all_people_labelled", True)) for image in images], bool),
            pictures=Pictures.of(stored),
            rules=rules,
            people=_starts(humans),
            persons=self._persons(people, joints, flags),
            regions=_starts(regions),
            outlines=Texts([json.dumps({k: a[k] for k in ("bbox", "segmentation") if k in a}) for a in places]),
        )

    def _persons(self, people: Sequence[Record], joints: np.ndarray, flags: np.ndarray) -> Persons:
        heads = np.full((len(people), 4), np.nan, np.float32)
        for number, annotation in enumerate(people):
            if "bbox_head" in annotation:
                heads[number] = self._box(annotation, "bbox_head")
        tracks = np.array([a.get("track_id", NO_TRACK) for a in people], np.int64)
        boxes = self._whole([a.get("bbox") for a in people], 4, lambda i: self._box(people[i]))
        joints[..., 2] *= self.confidence
        return Persons(joints, flags, boxes, tracks, heads)

    def _size(self, image: Record) -> tuple[int, int]:
        return _field(self.path, image, "width", "image"), _field(self.path, image, "height", "image")

    def _whole(self, rows: list[Any], count: int, one: Callable[[int], np.ndarray]) -> np.ndarray:
        """float32 (N, count) of rows of numbers; where they are not, `one` tells what is wrong with which."""
        try:
            table = np.array(rows, np.float32).reshape(len(rows), count)
        except (TypeError, ValueError):
            table = np.array([one(i).reshape(-1) for i in range(len(rows))], np.float32).reshape(-1, count)
        for i in np.flatnonzero(~np.isfinite(table).all(1)):
            one(int(i))
        return table

    def _box(self, annotation: Record, name: str = "bbox") -> np.ndarray:
        """(4,) of x, y, width, height."""
        try:
            box = np.array(_field(self.path, annotation, name), np.float32).reshape(4)
        except (TypeError, ValueError) as error:
            if isinstance(error, DataError):
                raise
            raise DataError(
                f"{self.path}: annotation {annotation.get('id', '?')} needs a {name} of 4 numbers ({error})"
            ) from error
        if not np.isfinite(box).all():
            raise DataError(f"{self.path}: annotation {annotation.get('id', '?')} has a {name} that is not finite")
        return box

    def _joints(self, humans: Sequence[Record]) -> tuple[np.ndarray, np.ndarray]:
        """(N, K, 3) of x, y, confidence, 0 where not labelled; uint8 (N, K) of COCO's flags."""
        count = len(self.skeleton)
        rows = [annotation.get("keypoints") for annotation in humans]
        joints = self._whole(rows, 3 * count, lambda i: self._person(humans[i])[0]).reshape(-1, count, 3)
        confidence = np.ones(joints.shape[:2], np.float32)
        for number, annotation in enumerate(humans):
            if annotation.get("scores"):
                confidence[number] = self._person(annotation)[1]
        flags = np.where(joints[..., 2] > 0, np.clip(joints[..., 2], 1, 2), 0) * (confidence > 0)
        joints[..., 2] = np.where(flags > 0, np.clip(confidence, 0, 1), 0)
        joints[joints[..., 2] <= 0] = 0
        return joints, flags.astype(np.uint8)

    def _person(self, annotation: Record) -> tuple[np.ndarray, np.ndarray]:
        """(K, 3) as in the file and confidence (K,); raises DataError."""
        count = len(self.skeleton)
        try:
            joints = np.array(_field(self.path, annotation, "keypoints"), np.float32).reshape(count, 3)
            confidence = np.array(annotation.get("scores") or np.ones(count), np.float32).reshape(count)
        except (TypeError, ValueError) as error:
            if isinstance(error, DataError):
                raise
            raise DataError(
                f"{self.path}: annotation {annotation.get('id', '?')} does not have {count} x 3 keypoints ({error}); "
                f"skeleton {self.skeleton.name} has {count} joints"
            ) from error
        if not (np.isfinite(joints).all() and np.isfinite(confidence).all()):
            raise DataError(
                f"{self.path}: annotation {annotation.get('id', '?')} has a keypoint or score that is no number"
            )
        return joints, confidence


def _split(annotations: Sequence[Record]) -> tuple[list[Record], list[Record]]:
    """People and regions."""
    both: tuple[list[Record], list[Record]] = ([], [])
    for annotation in annotations:
        both[is_region(annotation)].append(annotation)
    return both


def _starts(groups: Sequence[Sequence[Any]]) -> np.ndarray:
    return np.concatenate(([0], np.cumsum([len(group) for group in groups]))).astype(np.int64)


def _moved(
    humans: list[list[Record]], regions: list[list[Record]], enough: np.ndarray
) -> tuple[list[list[Record]], list[list[Record]]]:
    """People with too few joints are regions."""
    keep = iter(enough.tolist())
    decided = [[(annotation, next(keep)) for annotation in own] for own in humans]
    return (
        [[a for a, kept in own if kept] for own in decided],
        [own + [a for a, kept in more if not kept] for own, more in zip(regions, decided, strict=True)],
    )
