"""A folder run: reading, network, and grouping with writing overlap, each picture gives one record.

    reader threads -> network threads (one a core; one for a GPU) -> one thread: grouping, drawing, writing

Few pictures are under way at a time, so memory does not depend on their number.
"""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from bottomup.core import Maps
from bottomup.core.layouts import as_written
from bottomup.errors import InputError
from bottomup.files.atomic import replacing
from bottomup.files.images import ImageFile, common_folder, find_images, read_image
from bottomup.files.journal import Record, Signature
from bottomup.files.results import DRAWN, Outputs
from bottomup.roads.bottomup import Prepared
from bottomup.roads.predictor import Predictor
from bottomup.roads.streams import in_order, one_thread_a_stream

READERS = 2
STAGES = ("read", "network", "grouping", "write")


@dataclass(eq=False)
class Picture:
    """One input on its way. image: kept only where it is drawn upon. error: why there is nothing to run."""

    file: ImageFile
    state: Signature
    prepared: Prepared | None = None
    image: np.ndarray | None = None
    error: str | None = None
    seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys(STAGES, 0.0))


def run_folder(
    predictor: Predictor,
    inputs: Sequence[str | Path],
    out: str | Path,
    *,
    draw: bool = False,
    batch: int | None = None,
    overwrite: bool = False,
    progress: bool = False,
) -> Counter[str]:
    """Runs all pictures that the inputs name and writes `out`; the counts of ok, empty, error and people.

    What an earlier run with the same settings did there is kept. batch: pictures in a network batch
    (default: what suits the device). Raises InputError when there are no pictures, SettingsError when
    `out` holds a run with other settings.
    """
    images = find_images(inputs, skip=Path(out) / DRAWN)
    if not images:
        raise InputError(f"{', '.join(map(str, inputs))}: no pictures there; name pictures, or folders that hold some")
    settings = _settings(predictor, inputs, draw, batch)
    outputs = Outputs(out, settings, overwrite=overwrite)
    try:
        todo = outputs.begin(images)
        hidden = None if progress else True  # None: shown on a terminal only
        bar = tqdm(total=len(images), initial=len(images) - len(todo), unit="picture", disable=hidden)
        with bar, one_thread_a_stream(predictor.device, len(todo)) as streams:
            run, total = _Run(predictor, outputs, draw, batch or predictor.road.batch, streams), 0
            with closing(run.everything(todo)) as people_found:
                for number in people_found:
                    total += number
                    bar.set_postfix(people=total, refresh=False)
                    bar.update()
        return outputs.finish(images)
    finally:
        outputs.close()


def _settings(predictor: Predictor, inputs: Sequence[str | Path], draw: bool, batch: int | None) -> dict[str, Any]:
    weights = predictor.weights
    return {
        "decides": {
            "weights": None if weights is None else hashlib.sha256(weights.read_bytes()).hexdigest(),
            "road": predictor.road.settings.to_dict(),
            "root": str(common_folder(inputs)),
            "draw": draw,
        },
        "weights": str(weights),
        "device": str(predictor.device),
        "batch": batch or predictor.road.batch,
        "inputs": [str(text) for text in inputs],
    }


class _Run:
    """The stages of one run."""

    def __init__(self, predictor: Predictor, outputs: Outputs, draw: bool, batch: int, streams: int) -> None:
        self.road, self.outputs, self.draw, self.batch, self.streams = predictor.road, outputs, draw, batch, streams

    def everything(self, todo: Sequence[tuple[ImageFile, Signature]]) -> Generator[int, None, None]:
        """Runs the pictures; the number of people of each as it is finished."""
        readers, networks, writer = (ThreadPoolExecutor(count) for count in (READERS, self.streams, 1))
        try:
            pictures = in_order(readers, self._read, todo, self.batch * self.streams + READERS)
            answers = in_order(networks, self._answer, self._batches(pictures), self.streams)
            for people in in_order(writer, self._finish, answers, 2):
                yield from people
        finally:  # also when interrupted: what has begun is finished and noted
            for pool in (readers, networks, writer):
                pool.shutdown(cancel_futures=True)

    def _read(self, item: tuple[ImageFile, Signature]) -> Picture:
        picture = Picture(*item)
        start = time.perf_counter()
        try:
            image = read_image(picture.file.path)
            picture.prepared = self.road.prepare(image)
            picture.image = image if self.draw else None
        except InputError as error:
            picture.error = str(error)
        except MemoryError:
            picture.error = f"{picture.file.path}: too large for the free memory; scale it down"
        picture.seconds["read"] = time.perf_counter() - start
        return picture

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

    def _answer(self, batch: list[Picture]) -> tuple[list[Picture], Maps | None]:
        """The batch with its maps; a picture that could not be read has none."""
        prepared = [picture.prepared for picture in batch if picture.prepared is not None]
        start = time.perf_counter()
        maps = self.road.maps(prepared) if prepared else None
        for picture in batch:
            picture.seconds["network"] = (time.perf_counter() - start) / len(batch) if prepared else 0.0
        return batch, maps

    def _finish(self, answer: tuple[list[Picture], Maps | None]) -> list[int]:
        """Groups, draws and notes the pictures of a batch; the number of people of each."""
        batch, maps = answer
        return [self._note(picture, None if maps is None else maps[i]) for i, picture in enumerate(batch)]

    def _note(self, picture: Picture, maps: Maps | None) -> int:
        entries: list[Record] = []
        if maps is not None and picture.prepared is not None:
            try:
                entries = self._people(picture, picture.prepared, maps)
            except ValueError as error:  # one picture whose maps cannot be grouped does not end the run
                picture.error = f"{picture.file.path}: {error}"
        self.outputs.add(picture.file, picture.state, _record(picture, len(entries)), entries)
        return len(entries)

    def _people(self, picture: Picture, prepared: Prepared, maps: Maps) -> list[Record]:
        """The results entries of one picture, without its image id; draws them where wanted."""
        start = time.perf_counter()
        people = self.road.people(maps, prepared)
        grouped = time.perf_counter()
        picture.seconds["grouping"] = grouped - start
        if picture.image is not None:
            from bottomup.draw import draw

            with replacing(self.outputs.drawn(picture.file.name), sync=False) as file:
                _save_jpeg(draw(picture.image, people), file)
        entries = as_written(people).to_coco(0)
        for entry in entries:
            del entry["image_id"]  # it is known when all inputs are
        picture.seconds["write"] = time.perf_counter() - grouped
        return entries


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
