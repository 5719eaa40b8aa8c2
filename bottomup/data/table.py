"""A label file's people as a few arrays; samples are made when they are asked for.

Worker processes that are forked share the arrays. A list of objects they would copy page by page, since counting
references writes into every one of them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, overload

import numpy as np

from bottomup.core import LABELLED, People, Sample, Skeleton
from bottomup.data.regions import IgnoreMask
from bottomup.data.shards import StoredImage

NO_TRACK = -1


class Texts:
    """Texts in one block of bytes."""

    def __init__(self, texts: Sequence[str]) -> None:
        coded = [text.encode() for text in texts]
        self.block = np.frombuffer(b"".join(coded), np.uint8)
        self.starts = np.concatenate(([0], np.cumsum([len(text) for text in coded], dtype=np.int64))).astype(np.int64)

    def __getitem__(self, number: int) -> str:
        return self.block[self.starts[number] : self.starts[number + 1]].tobytes().decode()


@dataclass(frozen=True, eq=False)
class Pictures:
    """Where I pictures lie: the folder or shard of each among `places`, its name, and offset and length there."""

    places: tuple[Path, ...]
    place: np.ndarray
    names: Texts
    spans: np.ndarray

    @staticmethod
    def of(stored: Sequence[StoredImage]) -> Pictures:
        """The pictures, in order."""
        tops = [_top(picture) if picture.length < 0 else str(picture.path) for picture in stored]
        numbers = {top: number for number, top in enumerate(dict.fromkeys(tops))}
        return Pictures(
            tuple(map(Path, numbers)),
            np.array([numbers[top] for top in tops], np.int32),
            Texts([picture.name for picture in stored]),
            np.array([(picture.offset, picture.length) for picture in stored], np.int64).reshape(-1, 2),
        )

    def __getitem__(self, number: int) -> StoredImage:
        name, place = self.names[number], self.places[self.place[number]]
        offset, length = (int(v) for v in self.spans[number])
        return StoredImage(place / name if length < 0 else place, name, offset, length)


def _top(picture: StoredImage) -> str:
    """The folder that the picture's name is relative to."""
    whole, name = str(picture.path), picture.name
    return whole[: -len(name)] if whole.endswith(name) else os.path.dirname(whole)


@dataclass(frozen=True, eq=False)
class Persons:
    """P people: joints float32 (P, K, 3) of x, y, confidence; visibility uint8 (P, K) in COCO's flags; boxes (P, 4);
    tracks int64 (P,), NO_TRACK where none; heads float32 (P, 4), NaN where none."""

    joints: np.ndarray
    visibility: np.ndarray
    boxes: np.ndarray
    tracks: np.ndarray
    heads: np.ndarray


@dataclass(frozen=True, eq=False)
class Rules:
    """How joints without a label are meant, for S sets that a file holds and of each picture (I,) its set.

    labelled bool (S, K): joints that the set labels at all. missing uint8 (S, K): ABSENT or UNKNOWN.
    """

    labelled: np.ndarray
    missing: np.ndarray
    of_picture: np.ndarray


@dataclass(frozen=True, eq=False)
class SampleTable(Sequence[Sample]):
    """The samples of one file, by number.

    ids (I,), sizes (I, 2), everybody (I,) of the pictures. people, regions (I + 1,): picture i has the people and
    regions from [i] to [i + 1]; outlines: of each region its COCO record as JSON.
    """

    file: str
    skeleton: Skeleton
    ids: np.ndarray
    sizes: np.ndarray
    everybody: np.ndarray
    pictures: Pictures
    rules: Rules
    people: np.ndarray
    persons: Persons
    regions: np.ndarray
    outlines: Texts

    def __len__(self) -> int:
        return len(self.ids)

    @overload
    def __getitem__(self, index: int) -> Sample: ...

    @overload
    def __getitem__(self, index: slice) -> list[Sample]: ...

    def __getitem__(self, index: Any) -> Any:
        """One sample, or a list of those of a slice."""
        if isinstance(index, slice):
            return [self._sample(i) for i in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(f"sample {index} of {len(self)}")
        return self._sample(int(index) % len(self))

    def _sample(self, i: int) -> Sample:
        who = slice(self.people[i], self.people[i + 1])
        joints, heads, rule = self.persons.joints[who], self.persons.heads[who], self.rules.of_picture[i]
        picture, size = self.pictures[i], (int(self.sizes[i, 0]), int(self.sizes[i, 1]))
        return Sample(
            load=picture,
            size=size,
            people=self._people(who),
            known=np.where(joints[..., 2] > 0, LABELLED, self.rules.missing[rule]).astype(np.uint8),
            labelled_joints=self.rules.labelled[rule].copy(),
            source=f"{self.file}:{picture.name}",
            image_id=int(self.ids[i]),
            ignore=self._ignore(i, size),
            everybody=bool(self.everybody[i]),
            visibility=self.persons.visibility[who].copy(),
            heads=None if np.isnan(heads).all() else heads.copy(),
        )

    def _people(self, who: slice) -> People:
        persons = self.persons
        tracks = persons.tracks[who]
        ids = None if (tracks == NO_TRACK).all() else tracks.copy()
        count = len(tracks)
        return People(
            persons.joints[who].copy(), np.ones(count, np.float32), self.skeleton, persons.boxes[who].copy(), ids
        )

    def _ignore(self, i: int, size: tuple[int, int]) -> IgnoreMask | None:
        numbers = range(int(self.regions[i]), int(self.regions[i + 1]))
        return IgnoreMask(size, tuple(json.loads(self.outlines[r]) for r in numbers)) if numbers else None
