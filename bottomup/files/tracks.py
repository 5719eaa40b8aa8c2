"""Tracked people of one video as PoseTrack 2018 JSON, written while the frames come."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bottomup.core import People, Skeleton
from bottomup.files.atomic import replacing

FIRST_SAVE = 64  # frames; from then on the file is brought up to date whenever their number has doubled


class TrackFile:
    """PoseTrack 2018 JSON at `path`, whose category has the skeleton's joints; frames are added in turn.

    Memory does not grow: frames go to a file of lines beside `path`, which closing turns into the JSON and
    removes. A killed process leaves the lines, and a JSON of at least half the frames if they are many.
    """

    def __init__(self, path: str | Path, video: str, skeleton: Skeleton) -> None:
        self.path, self.video, self.skeleton = Path(path), video, skeleton
        self.lines = self.path.with_name(self.path.name + "l")
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file = open(self.lines, "w", encoding="utf-8")  # noqa: SIM115 - open as long as frames come
        self._frames = 0

    def __enter__(self) -> TrackFile:
        return self

    def __exit__(self, *problem: object) -> None:
        self._file.close()
        self._save()
        self.lines.unlink()

    def add(self, number: int, time: float, size: tuple[int, int] | None, people: People | None) -> None:
        """A frame with its people, who have ids; size: (width, height). None for both: the frame is broken."""
        width, height = size or (None, None)
        image = {
            "id": number,
            "frame_id": number,
            "vid_id": self.video,
            "file_name": f"{self.video}/{number:06d}.jpg",
            "time": round(time, 6),
            "is_labeled": people is not None,
            "width": width,
            "height": height,
        }
        line = {"image": image, "annotations": [] if people is None else _annotations(number, people)}
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()
        self._frames += 1
        if self._frames >= FIRST_SAVE and self._frames.bit_count() == 1:
            self._save()

    def _save(self) -> None:
        """Brings the JSON up to date."""
        with replacing(self.path, sync=False) as file:
            file.write(b'{"categories": [' + json.dumps(_category(self.skeleton)).encode() + b'],\n"images": [')
            for number, line in enumerate(self._each()):
                image = line["image"] | {"nframes": self._frames}
                file.write((b",\n" if number else b"\n") + json.dumps(image).encode())
            file.write(b'],\n"annotations": [')
            entries = (entry for line in self._each() for entry in line["annotations"])
            for number, entry in enumerate(entries, 1):
                file.write((b",\n" if number > 1 else b"\n") + json.dumps({"id": number} | entry).encode())
            file.write(b"]}\n")

    def _each(self) -> Iterator[dict[str, Any]]:
        with open(self.lines, encoding="utf-8") as file:
            yield from map(json.loads, file)


def _annotations(number: int, people: People) -> list[dict[str, Any]]:
    """PoseTrack annotations: as COCO's, with visibility 0 or 1 in keypoints and the joints' scores apart."""
    entries = people.to_coco(number)
    for entry in entries:
        entry["scores"] = entry["keypoints"][2::3]
        entry["keypoints"][2::3] = [int(score > 0) for score in entry["scores"]]
        entry["person_id"] = entry["track_id"]
    return entries


def _category(skeleton: Skeleton) -> dict[str, Any]:
    limbs = [[a + 1, b + 1] for a, b in skeleton.limbs]
    return {"supercategory": "person", "id": 1, "name": "person", "keypoints": skeleton.joints, "skeleton": limbs}
