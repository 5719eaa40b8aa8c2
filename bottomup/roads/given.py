"""Boxes that are known before a picture is looked at: of a detections file, or of labels."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bottomup.core import Boxes
from bottomup.data.coco import is_region
from bottomup.errors import DataError, InputError
from bottomup.files.jsonfile import load_json

Entry = dict[str, Any]


@dataclass(frozen=True)
class GivenBoxes:
    """Boxes by image id; a picture without any has nobody. source: for messages. digest: of the file."""

    by_image: Mapping[int, Boxes]
    source: str
    digest: str

    def of(self, image_id: int | None, size: tuple[int, int]) -> Boxes:
        """Boxes of one picture of (width, height); raises InputError that names a box outside of it."""
        if image_id is None:
            raise InputError(f"{self.source}: boxes by image id: which picture is this? run a folder, or give boxes")
        try:
            return self.by_image.get(image_id, Boxes.none()).require_inside(size)
        except ValueError as error:
            raise InputError(f"{self.source}: image {image_id}: {error}; is it of another picture?") from error

    def require_any_of(self, image_ids: Collection[int]) -> None:
        """Raises InputError if the file has boxes, but of none of these pictures."""
        if self.by_image and self.by_image.keys().isdisjoint(image_ids):
            raise InputError(
                f"{self.source}: has boxes of images such as {min(self.by_image)}, none of the pictures; "
                "image ids are the numbers of file names, else counted (see infer --help)"
            )


def detections(path: str | Path) -> GivenBoxes:
    """Boxes of a COCO detections file: a list of image_id, bbox (x, y, width, height), score; people alone count.

    Raises DataError that names file and entry: a missing field, a box of no size.
    """
    path = Path(path)
    content = load_json(path)
    if not isinstance(content, list):
        raise DataError(f"{path}: no COCO detections (a list of entries with image_id, bbox, score)")
    people = [(i, entry) for i, entry in enumerate(content, 1) if _is_person(entry)]
    return _by_image(path, people, lambda i, entry: f"entry {i}")


def _is_person(entry: Any) -> bool:
    return not isinstance(entry, dict) or entry.get("category_id", 1) == 1


def labelled(path: str | Path) -> GivenBoxes:
    """Boxes of the labelled people in a COCO keypoint file, each of score 1. Raises DataError as `detections` does."""
    path = Path(path)
    content = load_json(path)
    if not isinstance(content, dict) or "annotations" not in content:
        raise DataError(f"{path}: no COCO file (needs 'images' and 'annotations')")
    people = [(i, entry) for i, entry in enumerate(content["annotations"], 1) if not is_region(entry)]
    return _by_image(path, [(i, {**entry, "score": 1.0}) for i, entry in people], _annotation)


def _annotation(number: int, entry: Entry) -> str:
    return f"annotation {entry.get('id', f'number {number}')}"


def _by_image(path: Path, entries: list[tuple[int, Any]], name: Callable[[int, Entry], str]) -> GivenBoxes:
    grouped: dict[int, list[Entry]] = defaultdict(list)
    for number, entry in entries:
        try:
            grouped[entry["image_id"]].append(entry)
            Boxes.from_coco([{"score": entry["score"], "bbox": entry["bbox"]}])
        except (TypeError, ValueError, KeyError) as error:
            item = name(number, entry) if isinstance(entry, dict) else f"entry {number}"
            lacks = f"has no {error}" if isinstance(error, KeyError) else str(error)
            raise DataError(f"{path}: {item}: {lacks}; give image_id, bbox (x, y, width, height) and score") from error
    boxes = {image: Boxes.from_coco(rows) for image, rows in grouped.items()}
    return GivenBoxes(boxes, str(path), hashlib.sha256(path.read_bytes()).hexdigest())
