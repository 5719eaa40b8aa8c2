"""Pictures for the page that are not of the labelled set: examples that may be passed on."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from bottomup.compare.embedding import jpeg_uri
from bottomup.compare.pictures import person_record
from bottomup.compare.runs import Load, Runner
from bottomup.errors import InputError
from bottomup.files.images import find_images, read_image

Record = dict[str, Any]


def shown_pictures(folder: str | Path, most: int) -> list[tuple[str, Load]]:
    """Name and reader of the pictures in a folder; raises InputError where there are none."""
    found = find_images([folder])
    if not found:
        raise InputError(f"{folder}: no pictures there; name a folder that holds some, or leave `show` out")
    return [(file.name, partial(read_image, file.path)) for file in found[:most]]


def shown_record(
    number: int, name: str, load: Load, runners: Mapping[str, Runner], least: Mapping[str, float]
) -> Record:
    """What the page needs of one picture; people: how many the first system is sure of, scores from `least` on."""
    image = load()
    found = []
    for runner in runners.values():
        entries, _ = runner.turn([(number, load)])[0]
        entries = sorted(entries, key=lambda entry: -entry["score"])
        found.append([person_record(entry["keypoints"], entry["score"], None) for entry in entries])
    first = next(iter(runners))
    return {
        "id": number,
        "name": name,
        "width": image.shape[1],
        "height": image.shape[0],
        "people": sum(person["score"] >= least[first] for person in found[0]),
        "size": None,
        "disagreement": None,
        "F1": None,
        "image": jpeg_uri(image),
        "truth": None,
        "found": found,
    }
