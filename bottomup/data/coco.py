"""Reader of COCO keypoint files, with pictures in a folder or in tar shards.

Beyond COCO it reads, where present: `shard` of an image (the tar that holds it), `all_people_labelled`
of an image, `ignore` of an annotation (a region, not a person), `scores` of an annotation (one
confidence a joint).
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bottomup.core import ABSENT, COCO17, LABELLED, UNKNOWN, People, Sample, Skeleton
from bottomup.data.shards import locate
from bottomup.errors import DataError

Record = dict[str, Any]


@dataclass(frozen=True)
class IgnoreMask:
    """Called, it draws regions (COCO annotations) into a bool mask (height, width)."""

    size: tuple[int, int]
    regions: tuple[Record, ...]

    def __call__(self) -> np.ndarray:
        width, height = self.size
        mask = np.zeros((height, width), bool)
        for region in self.regions:
            mask |= _region(region, width, height)
        return mask


def _region(region: Record, width: int, height: int) -> np.ndarray:
    from pycocotools import mask as coco_mask

    outline = region.get("segmentation")
    if outline:
        if isinstance(outline, list):
            outline = coco_mask.merge(coco_mask.frPyObjects(outline, height, width))
        elif isinstance(outline["counts"], list):
            outline = coco_mask.frPyObjects(outline, height, width)
        if tuple(outline["size"]) == (height, width):
            return coco_mask.decode(outline).astype(bool)
    mask = np.zeros((height, width), bool)
    x, y, w, h = region["bbox"]
    mask[max(0, int(y)) : max(0, int(np.ceil(y + h))), max(0, int(x)) : max(0, int(np.ceil(x + w)))] = True
    return mask


def load_json(path: Path) -> Any:
    """The content of a JSON file, gzipped or not; raises DataError that names the file."""
    try:
        with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else open(path, encoding="utf-8") as file:
            return json.load(file)
    except (EOFError, zlib.error) as error:
        raise DataError(f"{path}: damaged gzip file ({error}); fetch it again") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error}); check the path") from error
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise DataError(f"{path}: not valid JSON ({error}); fetch it again") from error


def is_region(annotation: Record) -> bool:
    """Whether an annotation is a place where nothing may be taught or counted, not a labelled person."""
    return bool(annotation.get("iscrowd") or annotation.get("ignore") or not annotation.get("num_keypoints", 1))


def read_coco(
    path: str | Path,
    images: str | Path | None = None,
    *,
    skeleton: Skeleton = COCO17,
    unlabelled: str = "absent",
    least_joints: int = 1,
) -> list[Sample]:
    """The labelled pictures of one COCO keypoint file, in its order.

    images: folder of the pictures or shards (default: the file's own folder, then the one above).
    unlabelled: what a joint with v = 0 means: "absent" (as in COCO) or "unknown" (mask it).
    least_joints: people with fewer labelled joints become ignore regions.
    Raises DataError that names file and annotation or picture.
    """
    path = Path(path)
    if unlabelled not in ("absent", "unknown"):
        raise ValueError(f"unlabelled must be 'absent' or 'unknown', got {unlabelled!r}")
    content = load_json(path)
    if not isinstance(content, dict) or not {"images", "annotations"} <= content.keys():
        raise DataError(f"{path}: no COCO file (needs 'images' and 'annotations')")
    folders = [Path(images)] if images is not None else [path.parent, path.parent.parent]
    by_image: dict[int, list[Record]] = defaultdict(list)
    for annotation in content["annotations"]:
        by_image[_field(path, annotation, "image_id")].append(annotation)
    strangers = by_image.keys() - {_field(path, image, "id", "image") for image in content["images"]}
    if strangers:
        raise DataError(f"{path}: annotations name image_id {min(strangers)}, which is not among the images")
    reader = _Reader(path, skeleton, ABSENT if unlabelled == "absent" else UNKNOWN, least_joints)
    return [reader.sample(image, by_image[image["id"]], folders) for image in content["images"]]


def _field(path: Path, record: Record, name: str, kind: str = "annotation") -> Any:
    if name not in record:
        raise DataError(f"{path}: {kind} {record.get('id', record.get('file_name', '?'))} has no {name}")
    return record[name]


@dataclass(frozen=True)
class _Reader:
    path: Path
    skeleton: Skeleton
    missing: int
    least_joints: int

    def sample(self, image: Record, annotations: list[Record], folders: list[Path]) -> Sample:
        regions = [a for a in annotations if is_region(a)]
        humans = [a for a in annotations if not is_region(a)]
        joints = self._joints(humans)
        enough = (joints[..., 2] > 0).sum(1) >= self.least_joints
        regions += [a for a, keep in zip(humans, enough, strict=True) if not keep]
        humans = [a for a, keep in zip(humans, enough, strict=True) if keep]
        boxes = np.array([self._box(a) for a in humans], np.float32).reshape(-1, 4)
        people = People(joints[enough], np.ones(len(humans), np.float32), self.skeleton, boxes)
        size = (_field(self.path, image, "width", "image"), _field(self.path, image, "height", "image"))
        name = _field(self.path, image, "file_name", "image")
        for region in regions:
            self._box(region)
        return Sample(
            load=locate(name, image.get("shard"), folders),
            size=size,
            people=people,
            known=np.where(joints[enough][..., 2] > 0, LABELLED, self.missing).astype(np.uint8),
            labelled_joints=np.ones(len(self.skeleton), bool),
            source=f"{self.path.name}:{name}",
            image_id=image["id"],
            ignore=IgnoreMask(size, tuple(regions)) if regions else None,
            everybody=image.get("all_people_labelled", True),
        )

    def _box(self, annotation: Record) -> np.ndarray:
        """(4,) of x, y, width, height."""
        try:
            box = np.array(_field(self.path, annotation, "bbox"), np.float32).reshape(4)
        except (TypeError, ValueError) as error:
            raise DataError(
                f"{self.path}: annotation {annotation.get('id', '?')} needs a bbox of 4 numbers ({error})"
            ) from error
        if not np.isfinite(box).all():
            raise DataError(f"{self.path}: annotation {annotation.get('id', '?')} has a bbox that is not finite")
        return box

    def _joints(self, humans: Iterable[Record]) -> np.ndarray:
        """(N, K, 3) of x, y, confidence; 0 where not labelled."""
        rows = [self._person(annotation) for annotation in humans]
        return np.array(rows, np.float32).reshape(-1, len(self.skeleton), 3)

    def _person(self, annotation: Record) -> np.ndarray:
        count = len(self.skeleton)
        try:
            joints = np.array(_field(self.path, annotation, "keypoints"), np.float32).reshape(count, 3)
            confidence = np.array(annotation.get("scores", np.ones(count)), np.float32).reshape(count)
        except (TypeError, ValueError) as error:
            raise DataError(
                f"{self.path}: annotation {annotation.get('id', '?')} does not have {count} x 3 keypoints ({error}); "
                f"skeleton {self.skeleton.name} has {count} joints"
            ) from error
        if not (np.isfinite(joints).all() and np.isfinite(confidence).all()):
            raise DataError(
                f"{self.path}: annotation {annotation.get('id', '?')} has a keypoint or score that is no number"
            )
        joints[:, 2] = np.where(joints[:, 2] > 0, np.clip(confidence, 0, 1), 0)
        joints[joints[:, 2] <= 0] = 0
        return joints
