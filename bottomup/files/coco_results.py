"""COCO keypoint results files: a JSON list of people found, with `image_id`, `keypoints` and `score`."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from bottomup.errors import DataError
from bottomup.files.atomic import replacing
from bottomup.files.jsonfile import load_json

Entry = dict[str, Any]


def read_coco_results(path: str | Path) -> list[Entry]:
    """The entries of a COCO results file, gzipped or not; raises DataError that names file and entry."""
    content = load_json(path)
    if not isinstance(content, list):
        what = "labels" if isinstance(content, dict) and "annotations" in content else type(content).__name__
        raise DataError(f"{path}: holds {what}, COCO results are a list of entries; name a results file")
    for number, entry in enumerate(content, start=1):
        if not isinstance(entry, dict):
            raise DataError(f"{path}: results entry {number} is {entry!r}, not an object; write COCO keypoint results")
    return content


def write_coco_results(path: str | Path, entries: Iterable[Entry]) -> None:
    """Writes entries (such as `People.to_coco` gives), one a line, replacing `path` as a whole."""
    lines = ",\n".join(json.dumps(entry) for entry in entries)
    with replacing(path) as file:
        file.write(f"[\n{lines}\n]\n".encode() if lines else b"[]\n")
