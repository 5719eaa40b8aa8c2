"""Many machines: Ray Data moves rows, a worker runs the stages of a folder run on them, this process notes them.

    folders, lists, tar shards, Parquet -> rows -> workers (a core or a GPU each) -> rows -> one journal

This process alone writes, and by name, so a row that comes again after a worker died is noted once.
"""

from __future__ import annotations

import json
import logging
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from tqdm import tqdm

from bottomup.errors import DataError, InputError, SettingsError
from bottomup.files.bundles import bundled_pictures, bundles, content_signature, listed
from bottomup.files.images import ImageFile, find_images
from bottomup.files.journal import Signature
from bottomup.files.results import DRAWN, Outputs, image_ids
from bottomup.roads.pipeline import settings_of
from bottomup.roads.predictor import Predictor
from bottomup.roads.stages import Stages

ROWS = 32  # that a worker takes at a time: what is done again when it dies
READING = 4  # shards that are read at a time

Row = dict[str, Any]


class Worker:
    """Runs batches of rows by the stages of a folder run. make: gives its predictor, on the machine it is on.

    done: signatures of pictures that need not run again, by name.
    """

    def __init__(self, make: Callable[[], Predictor], done: Mapping[str, Signature]) -> None:
        self.road, self.done = make().road, done

    def __call__(self, batch: Mapping[str, Any]) -> dict[str, list[Any]]:
        """Columns name, state and line, the picture's record and entries in JSON; of what is done an empty line."""
        lines: dict[str, str] = {}

        def note(file: ImageFile, state: Signature, *parts: Any) -> None:
            lines[file.name] = json.dumps(parts)

        todo, ids, states = [], {}, {}
        for row in map(json.loads, batch["row"]) if "row" in batch else _of_contents(batch):
            name = row["name"]
            states[name], ids[name] = row["state"], row.get("id")
            if self.done.get(name) != row["state"]:
                todo.append((ImageFile(Path(row["path"]), name, row.get("content")), row["state"]))
        for _ in Stages(self.road, note, ids).everything(todo):  # type: ignore[arg-type]  # None: no id is known
            pass
        names = list(states)
        answers = [lines.get(name, "") for name in names]
        return {"name": names, "state": [json.dumps(states[name]) for name in names], "line": answers}


def _of_contents(batch: Mapping[str, Any]) -> Iterator[Row]:
    for name, content in zip(batch["name"], batch["content"], strict=True):
        yield {"name": str(name), "path": str(name), "content": content, "state": content_signature(content)}


def run_ray(
    make: Callable[[], Predictor],
    described: Predictor,
    inputs: Sequence[str | Path],
    out: str | Path,
    *,
    workers: int | None = None,
    address: str | None = None,
    rows: str | None = None,
    overwrite: bool = False,
    progress: bool = False,
) -> Counter[str]:
    """As `run_folder`, on a Ray cluster; a local one is started where no address is given.

    make: gives a worker's predictor. described: the same system here, for what the run notes about itself. inputs:
    also text files that list pictures, tar shards, Parquet files. workers: by default one a core, or a GPU where the
    system runs on one. rows: write rows.jsonl or
    rows.parquet too. Raises InputError when there are no pictures, SettingsError, DataError for broken shards.
    """
    inputs = listed(inputs)
    packed = bundles(inputs)
    images = [] if packed else find_images(inputs, skip=Path(out) / DRAWN)
    _check(inputs, packed, images, described)
    ids = image_ids([image.name for image in images])
    described.road.expect(ids.values())
    with closing(Outputs(out, settings_of(described, inputs), overwrite=overwrite)) as outputs:
        todo = outputs.begin(images)
        done = outputs.signatures() if packed else {}
        with _cluster(address) as ray:
            data = _bundled(ray, packed) if packed else _listed(ray, todo, ids)
            names = _noted(_answers(ray, data, make, done, described, workers), outputs, progress)
        found = [ImageFile(Path(name), name) for name in sorted(names)] if packed else images
        return outputs.finish(found, rows)


def _check(
    inputs: Sequence[str | Path], packed: Sequence[ImageFile], images: Sequence[ImageFile], described: Predictor
) -> None:
    if not packed and not images:
        raise InputError(f"{', '.join(map(str, inputs))}: no pictures there; name pictures, folders, lists or shards")
    if packed and getattr(described.road, "boxes", None) is not None:
        raise SettingsError("boxes are known by image id, which pictures in shards do not have; use a folder")


class _cluster:
    """Ray, connected while it lasts; a cluster of this machine alone if there is no address."""

    def __init__(self, address: str | None) -> None:
        self.address = address or os.environ.get("RAY_ADDRESS") or "local"

    def __enter__(self) -> Any:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        try:
            import ray
            import ray.data
        except ModuleNotFoundError as error:
            raise SettingsError("engine ray needs ray: pip install 'bottomup[distributed]'") from error
        ray.init(self.address, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
        ray.data.DataContext.get_current().enable_progress_bars = False
        logging.getLogger("ray.data").setLevel(logging.ERROR)
        return ray

    def __exit__(self, *_: object) -> None:
        import ray

        ray.shutdown()


def _listed(ray: Any, todo: Sequence[tuple[ImageFile, Signature]], ids: Mapping[str, int]) -> Any:
    """Rows of pictures that workers read themselves."""
    rows = [
        {"row": json.dumps({"name": file.name, "path": str(file.path), "id": ids[file.name], "state": state})}
        for file, state in todo
    ]
    return ray.data.from_items(rows, override_num_blocks=max(1, -(-len(rows) // ROWS))) if rows else None


def _bundled(ray: Any, packed: Sequence[ImageFile]) -> Any:
    """Rows of name and content, out of a few shards at a time."""
    rows = [{"path": str(file.path), "name": file.name} for file in packed]
    shards = ray.data.from_items(rows, override_num_blocks=len(rows))
    # No share of a core: where workers hold them all, reading would wait for the workers, who wait for it.
    return shards.flat_map(_members, num_cpus=0, concurrency=READING)


def _members(shard: Row) -> Iterator[Row]:
    for name, content in bundled_pictures(shard["path"], shard["name"]):
        yield {"name": name, "content": content}


def _answers(
    ray: Any,
    data: Any,
    make: Callable[[], Predictor],
    done: Mapping[str, Signature],
    described: Predictor,
    workers: int | None,
) -> Iterator[Row]:
    """What the workers say about every row, in no order."""
    if data is None:
        return
    kind = "GPU" if described.device.type == "cuda" else "CPU"
    count = workers or max(1, int(ray.cluster_resources().get(kind, 1)))
    need = {"num_gpus": 1} if kind == "GPU" else {"num_cpus": 1}
    answers = data.map_batches(
        Worker,
        fn_constructor_args=(make, done),
        batch_size=ROWS,
        compute=ray.data.ActorPoolStrategy(size=count),
        **need,
    )
    for batch in answers.iter_batches(batch_size=None, batch_format="numpy"):
        for name, state, line in zip(batch["name"], batch["state"], batch["line"], strict=True):
            yield {"name": str(name), "state": json.loads(state), "line": str(line)}


def _noted(answers: Iterator[Row], outputs: Outputs, progress: bool) -> list[str]:
    """Notes every answer once; the names. Raises DataError where two pictures have one name."""
    seen: dict[str, Signature] = {}
    for row in tqdm(answers, unit="picture", disable=None if progress else True):
        name, state = row["name"], row["state"]
        if seen.setdefault(name, state) != state:
            raise DataError(f"{name}: two pictures have this name; rename one")
        if row["line"] and not outputs.holds(name, state):
            record, entries = json.loads(row["line"])
            outputs.add(ImageFile(Path(name), name), state, record, entries)
    return list(seen)
