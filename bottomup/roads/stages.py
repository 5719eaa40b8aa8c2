"""The stages that pictures go through, overlapping: reading, network, and grouping with drawing and noting.

    reader threads -> network threads (one a core; one for a GPU) -> one thread: grouping, drawing, noting

Few pictures are under way at a time, so memory does not depend on their number.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from bottomup.core import People
from bottomup.core.layouts import as_written
from bottomup.errors import InputError
from bottomup.files.atomic import replacing
from bottomup.files.images import ImageFile, read_image, read_reduced
from bottomup.files.journal import Record, Signature
from bottomup.roads.road import Prepared, Reducing, Road
from bottomup.roads.streams import in_order

READERS = 2
POOL = "bottomup"  # what the threads are called
STAGES = ("read", "network", "grouping", "write")

Note = Callable[[ImageFile, Signature, Record, list[Record]], None]


@dataclass(eq=False)
class Picture:
    """One input on its way. image: kept only where it is drawn upon. error: why there is nothing to run."""

    file: ImageFile
    state: Signature
    prepared: Prepared | None = None
    image: np.ndarray | None = None
    error: str | None = None
    seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys(STAGES, 0.0))


class Stages:
    """The stages of one run. note: takes file, state, record and results entries of each picture when it is done.

    ids: image ids by name, for roads that know boxes by them. batch: pictures in a network batch (None: what suits
    the device). streams: network passes side by side. drawn: where the drawing of a name goes, None not to draw.
    """

    drawn: Callable[[str], Path] | None = None

    def __init__(
        self, road: Road, note: Note, ids: Mapping[str, int], *, batch: int | None = None, streams: int = 1
    ) -> None:
        self.road, self.note, self.ids, self.batch, self.streams = road, note, ids, batch or road.batch, streams

    def everything(self, todo: Iterable[tuple[ImageFile, Signature]]) -> Generator[int, None, None]:
        """Runs the pictures; the number of people of each as it is finished."""
        readers, networks, writer = (ThreadPoolExecutor(count, POOL) for count in (READERS, self.streams, 1))
        try:
            pictures = in_order(readers, self._read, todo, self.batch * self.streams + READERS)
            answers = in_order(networks, self._answer, self._batches(pictures), self.streams)
            for people in in_order(writer, self._finish, answers, 2):
                yield from people
        finally:  # also when interrupted: what has begun is finished and noted
            for pool in (readers, networks):
                pool.shutdown(cancel_futures=True)
            writer.shutdown()

    def _read(self, item: tuple[ImageFile, Signature]) -> Picture:
        picture = Picture(*item)
        start = time.perf_counter()
        try:
            self._prepare(picture)
        except InputError as error:
            picture.error = str(error)
        except MemoryError:
            picture.error = f"{picture.file.path}: too large for the free memory; scale it down"
        picture.seconds["read"] = time.perf_counter() - start
        return picture

    def _prepare(self, picture: Picture) -> None:
        """Reads the picture, as small as the road allows."""
        file, number = picture.file, self.ids.get(picture.file.name)
        if isinstance(self.road, Reducing):
            image, size = read_reduced(file.path, self.road.share, content=file.content)
            picture.prepared = self.road.prepare(image, number, size)
        else:
            image, size = read_reduced(file.path, lambda width, height: 1.0, content=file.content)
            picture.prepared = self.road.prepare(image, number)
        if self.drawn is not None and size == (image.shape[1], image.shape[0]):
            picture.image = image

    def _batches(self, pictures: Iterator[Picture]) -> Iterator[list[Picture]]:
        """Pictures of one input size together; those that could not be read alone."""
        waiting: dict[Any, list[Picture]] = {}
        for picture in pictures:
            if picture.prepared is None:
                yield [picture]
                continue
            alike = waiting.setdefault(picture.prepared.shapes, [])
            alike.append(picture)
            if len(alike) == self.batch or sum(map(len, waiting.values())) >= 4 * self.batch:
                yield waiting.pop(max(waiting, key=lambda shapes: len(waiting[shapes])))
        yield from waiting.values()

    def _answer(self, batch: list[Picture]) -> tuple[list[Picture], Any]:
        """The batch with its maps; a picture that could not be read has none."""
        prepared = [picture.prepared for picture in batch if picture.prepared is not None]
        start = time.perf_counter()
        maps = self.road.maps(prepared) if prepared else None
        for picture in batch:
            picture.seconds["network"] = (time.perf_counter() - start) / len(batch) if prepared else 0.0
        return batch, maps

    def _finish(self, answer: tuple[list[Picture], Any]) -> list[int]:
        """Groups, draws and notes the pictures of a batch; the number of people of each."""
        batch, maps = answer
        return [self._noted(picture, None if maps is None else maps[i]) for i, picture in enumerate(batch)]

    def _noted(self, picture: Picture, maps: Any) -> int:
        entries: list[Record] = []
        if maps is not None and picture.prepared is not None:
            try:
                entries = self._people(picture, picture.prepared, maps)
            except ValueError as error:  # one picture whose maps cannot be grouped does not end the run
                picture.error = f"{picture.file.path}: {error}"
        self.note(picture.file, picture.state, _record(picture, len(entries)), entries)
        return len(entries)

    def _people(self, picture: Picture, prepared: Prepared, maps: Any) -> list[Record]:
        """The results entries of one picture, without its image id; draws them where wanted."""
        start = time.perf_counter()
        people = self.road.people(maps, prepared)
        grouped = time.perf_counter()
        picture.seconds["grouping"] = grouped - start
        if self.drawn is not None:
            self._draw(picture, people, self.drawn(picture.file.name))
        entries = as_written(people).to_coco(0)
        for entry in entries:
            del entry["image_id"]  # it is known when all inputs are
        picture.seconds["write"] = time.perf_counter() - grouped
        return entries

    def _draw(self, picture: Picture, people: People, path: Path) -> None:
        from bottomup.draw import draw

        image = read_image(picture.file.path) if picture.image is None else picture.image
        with replacing(path, sync=False) as file:
            _save_jpeg(draw(image, people), file)


def _save_jpeg(image: np.ndarray, file: Any) -> None:
    from PIL import Image

    Image.fromarray(image).save(file, "JPEG", quality=90)


def _record(picture: Picture, people: int) -> Record:
    width, height = (None, None) if picture.prepared is None else picture.prepared.size
    status = "error" if picture.error is not None else "ok" if people else "empty"
    return {
        "file_name": picture.file.name,
        "status": status,
        "error": picture.error,
        "width": width,
        "height": height,
        "people": people,
        "seconds": {stage: round(seconds, 6) for stage, seconds in picture.seconds.items()},
    }
