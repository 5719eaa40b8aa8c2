"""A folder run: reading, network, and grouping with writing overlap, each picture gives one record."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from tqdm import tqdm

from bottomup.errors import InputError
from bottomup.files.images import common_folder, find_images
from bottomup.files.results import DRAWN, Outputs, image_ids
from bottomup.roads.predictor import Predictor
from bottomup.roads.stages import Stages
from bottomup.roads.streams import one_thread_a_stream


def run_folder(
    predictor: Predictor,
    inputs: Sequence[str | Path],
    out: str | Path,
    *,
    draw: bool = False,
    batch: int | None = None,
    rows: str | None = None,
    overwrite: bool = False,
    progress: bool = False,
) -> Counter[str]:
    """Runs all pictures that the inputs name and writes `out`; the counts of ok, empty, error and people.

    What an earlier run with the same settings did there is kept. batch: pictures in a network batch
    (default: what suits the device). rows: write rows.jsonl or rows.parquet too, one row a picture. Raises
    InputError when there are no pictures, SettingsError when `out` holds a run with other settings.
    """
    images = find_images(inputs, skip=Path(out) / DRAWN)
    if not images:
        raise InputError(f"{', '.join(map(str, inputs))}: no pictures there; name pictures, or folders that hold some")
    ids = image_ids([image.name for image in images])
    predictor.road.expect(ids.values())
    settings = settings_of(predictor, inputs, draw, batch)
    with closing(Outputs(out, settings, overwrite=overwrite)) as outputs:
        todo = outputs.begin(images)
        hidden = None if progress else True  # None: shown on a terminal only
        bar = tqdm(total=len(images), initial=len(images) - len(todo), unit="picture", disable=hidden)
        with bar, one_thread_a_stream(predictor.device, len(todo)) as streams:
            stages = Stages(predictor.road, outputs.add, ids, batch=batch, streams=streams)
            stages.drawn = outputs.drawn if draw else None
            total = 0
            with closing(stages.everything(todo)) as people_found:
                for number in people_found:
                    total += number
                    bar.set_postfix(people=total, refresh=False)
                    bar.update()
        return outputs.finish(images, rows)


def settings_of(
    predictor: Predictor, inputs: Sequence[str | Path], draw: bool = False, batch: int | None = None
) -> dict[str, Any]:
    """What `Outputs` notes of a run."""
    return {
        "decides": {
            "weights": [hashlib.sha256(file.read_bytes()).hexdigest() for file in predictor.files],
            "road": predictor.road.decides(),
            "root": str(common_folder(inputs)),
            "draw": draw,
        }
        | ({} if predictor.precision == "float32" else {"precision": predictor.precision}),
        "weights": [str(file) for file in predictor.files],
        "device": str(predictor.device),
        "runtime": predictor.runtime,
        "batch": batch or predictor.road.batch,
        "inputs": [str(text) for text in inputs],
    }
