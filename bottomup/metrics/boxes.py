"""How well boxes around people are found: COCO's box numbers, and the recall that a top-down road depends on."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bottomup.core.boxes import corners, overlaps
from bottomup.errors import DataError
from bottomup.metrics.entries import Entry, by_picture, chosen_images, only_category, read_truth

NUMBERS = ("AP", "AP50", "AP75", "APs", "APm", "APl")  # the first of pycocotools' twelve
OVERLAP, OVER = 0.5, 64.0


def box_numbers(
    truth: Entry | str | Path, results: list[Entry], *, image_ids: Sequence[int] | None = None, over: float = OVER
) -> dict[str, float]:
    """AP AP50 AP75 APs APm APl of COCO detections (image_id, bbox, score), and `recall` (see `recall_of`).

    truth: COCO annotations, a dict or a JSON file; crowds and those with `ignore` are regions where boxes are not
    counted, people without joints count. image_ids: the pictures to judge (default: all). -1 where nobody is to be
    found. Raises DataError that names the entry.
    """
    truth, source = read_truth(truth)
    wanted = chosen_images(truth, source, image_ids)
    people, found = _people(truth, source), _found(results, truth, source)
    numbers = dict(zip(NUMBERS, _coco_numbers(people, found, wanted), strict=True))
    return numbers | {"recall": recall_of(people, found, wanted, over)}


def recall_of(people: list[Entry], found: list[Entry], images: Sequence[int], over: float = OVER) -> float:
    """Share of the people whose longer side is over so many pixels that have a box of their own overlapping by .5.

    Best box first, each takes the person it overlaps most who has none yet. -1 if there is no such person.
    """
    people_in, found_in = by_picture(people), by_picture(found)
    large = met = 0
    for image in images:
        true = [entry for entry in people_in[image] if not entry["iscrowd"]]
        taken = _taken(true, sorted(found_in[image], key=lambda entry: -entry["score"]))
        counts = [max(entry["bbox"][2:]) > over for entry in true]
        large += sum(counts)
        met += sum(count and number in taken for number, count in enumerate(counts))
    return met / large if large else -1.0


def _taken(true: list[Entry], found: list[Entry]) -> set[int]:
    """Numbers of the people who have a box of their own."""
    if not true or not found:
        return set()
    boxes, people = (corners(np.array([entry["bbox"] for entry in side], float)) for side in (found, true))
    taken: set[int] = set()
    for row in overlaps(boxes, people):
        row[list(taken)] = 0
        if row.max() >= OVERLAP:
            taken.add(int(row.argmax()))
    return taken


def _people(truth: Entry, source: str) -> list[Entry]:
    only_category(truth["annotations"], source)
    people = []
    for number, annotation in enumerate(truth["annotations"], 1):
        if annotation.get("bbox") is None:
            raise DataError(f"{source}: annotation {annotation.get('id', f'number {number}')} has no `bbox`; add it")
        box = annotation["bbox"]
        crowd = int(bool(annotation.get("iscrowd") or annotation.get("ignore")))
        area = annotation.get("area") or box[2] * box[3]
        known = {"id": number, "category_id": 1, "iscrowd": crowd, "area": area}
        people.append({"image_id": annotation["image_id"], "bbox": box} | known)
    return people


def _found(results: list[Entry], truth: Entry, source: str) -> list[Entry]:
    known = {image["id"] for image in truth["images"]}
    for number, entry in enumerate(results, 1):
        missing = {"image_id", "bbox", "score"} - entry.keys()
        if missing:
            raise DataError(f"results entry {number} has no `{min(missing)}`; write COCO detections")
        if entry["image_id"] not in known:
            raise DataError(f"results entry {number} is on picture {entry['image_id']}, which {source} does not have")
    return [
        {
            "id": number,
            "image_id": entry["image_id"],
            "category_id": 1,
            "bbox": entry["bbox"],
            "area": entry["bbox"][2] * entry["bbox"][3],
            "score": entry["score"],
            "iscrowd": 0,
        }
        for number, entry in enumerate(results, 1)
    ]


def _coco_numbers(people: list[Entry], found: list[Entry], images: list[int]) -> list[float]:
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    with contextlib.redirect_stdout(io.StringIO()):  # pycocotools prints
        sides = [COCO(), COCO()]
        for side, entries in zip(sides, (people, found), strict=True):
            side.dataset = {"images": [{"id": i} for i in images], "annotations": entries, "categories": [{"id": 1}]}
            side.createIndex()
        evaluation = COCOeval(*sides, iouType="bbox")
        evaluation.params.imgIds = images
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return [float(number) for number in evaluation.stats[: len(NUMBERS)]]
