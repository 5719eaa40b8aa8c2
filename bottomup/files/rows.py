"""Results as one row a picture, for those who read tables: JSON lines or Parquet."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

from bottomup.errors import SettingsError
from bottomup.files.atomic import replacing

KINDS = ("jsonl", "parquet")
GROUP = 1000  # rows of a Parquet row group: what is in memory at a time


def write_rows(rows: Iterable[dict[str, Any]], folder: str | Path, kind: str) -> Path:
    """Writes rows.jsonl or rows.parquet into the folder, as a whole; the file. kind: "jsonl" or "parquet".

    Raises SettingsError for another kind, and where Parquet needs a package that is not installed.
    """
    if kind not in KINDS:
        raise SettingsError(f"rows are {kind!r}, they must be one of {', '.join(KINDS)}")
    path = Path(folder) / f"rows.{kind}"
    with replacing(path) as file:
        if kind == "parquet":
            _write_parquet(iter(rows), file)
        else:
            file.writelines(json.dumps(row).encode() + b"\n" for row in rows)
    return path


def _write_parquet(rows: Iterator[dict[str, Any]], file: BinaryIO) -> None:
    try:
        import pyarrow
        from pyarrow import parquet
    except ModuleNotFoundError as error:
        raise SettingsError("Parquet needs pyarrow: pip install 'bottomup[distributed]'") from error
    numbers = pyarrow.list_(pyarrow.float32())
    instance = {"category_id": pyarrow.int32(), "keypoints": numbers, "score": pyarrow.float32(), "bbox": numbers}
    whole = {"image_id": pyarrow.int64(), "file_name": pyarrow.string(), "status": pyarrow.string()}
    sizes = {name: pyarrow.int32() for name in ("width", "height", "people")}
    instances = pyarrow.list_(pyarrow.struct(list(instance.items())))
    fields = {**whole, "error": pyarrow.string(), **sizes, "instances": instances}
    schema = pyarrow.schema(list(fields.items()))
    with parquet.ParquetWriter(file, schema) as writer:
        while group := list(islice(rows, GROUP)):
            writer.write_table(pyarrow.Table.from_pylist(group, schema))
