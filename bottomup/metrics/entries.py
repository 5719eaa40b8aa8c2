"""COCO truth and results as metrics take them: read, matched by picture, and checked."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from bottomup.errors import DataError
from bottomup.files.coco_results import read_coco_results
from bottomup.files.jsonfile import load_json

Entry = dict[str, Any]


def read_truth(truth: Entry | str | Path) -> tuple[Entry, str]:
    """COCO labels out of a dict or a JSON file, and what to call them; raises DataError that names the file."""
    source = "truth"
    if not isinstance(truth, dict):
        source = str(truth)
        truth = load_json(truth)
    if not isinstance(truth, dict) or not all(isinstance(truth.get(k), list) for k in ("images", "annotations")):
        raise DataError(f"{source}: a COCO truth needs the lists `images` and `annotations`")
    return truth, source


def read_results(path: str | Path, truth: Entry) -> list[Entry]:
    """The entries of a COCO results file with the truth's image ids.

    An entry with a `file_name` is on the truth's picture of that name (the whole path, else the one
    picture whose path ends so): ids that a run on a folder gave need not be the truth's. Any other
    entry, and one whose picture the truth does not name, keeps its `image_id`.
    """
    names = {image["file_name"]: image["id"] for image in truth["images"] if image.get("file_name")}
    ends = Counter(PurePosixPath(name).name for name in names)
    by_end = {PurePosixPath(name).name: number for name, number in names.items()}
    entries = []
    for entry in read_coco_results(path):
        name = entry.get("file_name")
        if name in names:
            entry = entry | {"image_id": names[name]}
        elif name and ends[end := PurePosixPath(name).name] == 1:
            entry = entry | {"image_id": by_end[end]}
        entries.append(entry)
    return entries


def chosen_images(truth: Entry, source: str, image_ids: Sequence[int] | None) -> list[int]:
    """The ids of the pictures to judge, sorted; raises DataError for one that the truth lacks."""
    known = {image["id"] for image in truth["images"]}
    wanted = sorted(known if image_ids is None else set(image_ids))
    if unknown := [image for image in wanted if image not in known]:
        raise DataError(f"{source}: no picture has id {unknown[0]}; take image_ids from its images")
    return wanted


def images_of_levels(truth: Entry, source: str, levels: Sequence[str]) -> list[int] | None:
    """The ids of the pictures of these `annotation_level`s, None (all) for no level; DataError for an unknown one."""
    if not levels:
        return None
    known = {str(image.get("annotation_level")) for image in truth["images"]}
    if unknown := sorted(set(levels) - known):
        there = ", ".join(sorted(known))
        raise DataError(f"{source}: no picture has annotation_level {unknown[0]!r}; there are {there}")
    return [image["id"] for image in truth["images"] if image.get("annotation_level") in levels]


def checked_annotations(truth: Entry, joints: int, source: str, box_area: float | None = None) -> list[Entry]:
    """Annotations numbered from 1 (pycocotools takes id 0 for no match), `ignore` and `iscrowd` as one.

    box_area: the share of its box that a person's area is; without it the annotation's own `area`.
    """
    known = {image["id"] for image in truth["images"]}
    needed = ("image_id", "bbox") if box_area else ("image_id", "bbox", "area")
    checked = []
    for number, annotation in enumerate(truth["annotations"], start=1):
        name = f"{source}: annotation {annotation.get('id', f'number {number}')}"
        for key in needed:
            if annotation.get(key) is None:
                raise DataError(f"{name} has no `{key}`, which OKS needs; add it to the file")
        if annotation["image_id"] not in known:
            raise DataError(f"{name} belongs to picture {annotation['image_id']}, which is not among the images")
        keypoints = annotation.get("keypoints") or [0] * (3 * joints)
        if len(keypoints) != 3 * joints:
            raise DataError(f"{name} has {len(keypoints)} numbers in `keypoints`, {joints} joints need {3 * joints}")
        _, _, width, height = annotation["bbox"]
        labelled = any(v > 0 for v in keypoints[2::3])
        checked.append(
            {
                "id": number,
                "image_id": annotation["image_id"],
                "keypoints": keypoints,
                "labelled": labelled and annotation.get("num_keypoints") != 0,
                "bbox": annotation["bbox"],
                "area": box_area * width * height if box_area else annotation["area"],
                "iscrowd": int(bool(annotation.get("iscrowd") or annotation.get("ignore"))),
            }
        )
    return checked


def only_category(annotations: list[Entry], source: str) -> int | None:
    """The one category of all annotations; raises DataError where there are several."""
    categories = {annotation.get("category_id", 1) for annotation in annotations}
    if len(categories) > 1:
        raise DataError(f"{source}: annotations of categories {sorted(categories)}; keep those of people alone")
    return next(iter(categories), None)


def checked_results(results: list[Entry], truth: Entry, joints: int, source: str) -> list[Entry]:
    """Results numbered from 1, with `points` (K, 2); a person's area is the extent of its joints."""
    known = {image["id"] for image in truth["images"]}
    category = only_category(truth["annotations"], source)
    for number, entry in enumerate(results, start=1):
        _check_result(entry, f"results entry {number}", known, category, source)
    points = _points_of(results, joints)
    low, high = points.min(1), points.max(1)
    return [
        {"id": number, "image_id": entry["image_id"], "points": xy, "score": entry["score"], "area": area}
        for number, (entry, xy, area) in enumerate(
            zip(results, points, np.prod(high - low, axis=1).tolist(), strict=True), start=1
        )
    ]


def _check_result(entry: Entry, name: str, known: set[int], category: int | None, source: str) -> None:
    for key in ("image_id", "keypoints", "score"):
        if key not in entry:
            raise DataError(f"{name} has no `{key}`; write COCO keypoint results")
    if entry["image_id"] not in known:
        raise DataError(f"{name} is on picture {entry['image_id']}, which {source} does not have")
    if not np.isfinite(entry["score"]):
        raise DataError(f"{name} (picture {entry['image_id']}): score {entry['score']} is not a finite number")
    if category is not None and entry.get("category_id", category) != category:
        raise DataError(f"{name} has category_id {entry['category_id']}; the people of {source} have {category}")


def _points_of(results: list[Entry], joints: int) -> np.ndarray:
    """x, y of all entries' joints (D, K, 2); raises DataError that names the first that has not K finite ones."""
    lists = [entry["keypoints"] for entry in results]
    wrong = [number for number, keypoints in enumerate(lists) if len(keypoints) != 3 * joints]
    if not wrong:
        points = np.array(lists, float).reshape(-1, joints, 3)
        wrong = np.flatnonzero(~np.isfinite(points).all((1, 2))).tolist()
    if wrong:
        where = f"results entry {wrong[0] + 1} (picture {results[wrong[0]]['image_id']})"
        raise DataError(f"{where}: `keypoints` must be {3 * joints} finite numbers")
    return points[..., :2]


def by_picture(entries: list[Entry]) -> dict[int, list[Entry]]:
    """The entries of each picture, in their order; none for any other picture."""
    pictures: dict[int, list[Entry]] = defaultdict(list)
    for entry in entries:
        pictures[entry["image_id"]].append(entry)
    return pictures
