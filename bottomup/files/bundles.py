"""Pictures out of tar shards (WebDataset layout), Parquet files and lists: where millions of them are kept."""

from __future__ import annotations

import hashlib
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from bottomup.errors import DataError
from bottomup.files.images import SUFFIXES, ImageFile, common_folder
from bottomup.files.journal import Signature

BUNDLES = (".tar", ".parquet")
LIST = ".txt"
AT_ONCE = 64  # rows of a table in memory
NAMES = ("file_name", "name", "path", "key", "__key__", "image_id", "id")  # columns that may name a picture
CONTENTS = ("image", "bytes", "content", "jpg", "jpeg", "png", "webp")  # columns that may hold its bytes


def listed(inputs: Sequence[str | Path]) -> list[str | Path]:
    """The inputs, with the lines of every text file in its place; relative paths are beside it.

    Raises DataError for a list that cannot be read.
    """
    found: list[str | Path] = []
    for text in inputs:
        path = Path(text)
        if path.suffix != LIST or not path.is_file():
            found.append(text)
            continue
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(
                f"{path}: not a list of pictures in UTF-8, one a line ({error}); save it as such"
            ) from error
        found += [path.parent / line.strip() for line in lines if line.strip()]
    return found


def bundles(inputs: Sequence[str | Path]) -> list[ImageFile]:
    """The shards and Parquet files that files and folders stand for, sorted; empty where there are none."""
    paths: set[Path] = set()
    for path in map(Path, inputs):
        inside = path.rglob("*") if path.is_dir() else [path]
        paths |= {each.absolute() for each in inside if each.suffix in BUNDLES}
    root = common_folder([*inputs]) if inputs else Path.cwd()
    return [ImageFile(path, path.relative_to(root).as_posix()) for path in sorted(paths)]


def tar_members(path: str | Path, name: str) -> Iterator[tuple[str, bytes]]:
    """Name (below the shard's) and bytes of every picture in a tar, in its order; raises DataError for a broken one."""
    try:
        with tarfile.open(path, "r|*") as tar:
            for member in tar:
                if member.isfile() and Path(member.name).suffix.lower() in SUFFIXES:
                    file = tar.extractfile(member)
                    yield f"{name}/{member.name}", file.read() if file else b""
    except (tarfile.TarError, EOFError, OSError) as error:
        raise DataError(f"{path}: broken or incomplete tar ({error}); fetch it again") from error


def parquet_columns(path: Path) -> tuple[str, str]:
    """The columns of pictures' names and of their bytes (or {bytes, ...}). Raises DataError that lists the columns."""
    import pyarrow
    from pyarrow import parquet

    try:
        schema = parquet.read_schema(path)
    except (pyarrow.ArrowException, OSError) as error:
        raise DataError(f"{path}: not a Parquet file ({error}); fetch it again") from error
    known = list(schema.names)
    name = next((column for column in NAMES if column in known), None)
    content = next((column for column in CONTENTS if column in known), None)
    if name is None or content is None:
        needs = f"one of {', '.join(NAMES)} and one of {', '.join(CONTENTS)}"
        raise DataError(f"{path}: has columns {', '.join(known)}; name them {needs}")
    return name, content


def parquet_rows(path: str | Path) -> Iterator[tuple[str, bytes]]:
    """Name and bytes of every row; a picture as {bytes, path} is taken too, and one without bytes gives none.

    Raises DataError as `parquet_columns` does, and for a broken file.
    """
    name, content = parquet_columns(Path(path))
    import pyarrow
    from pyarrow import parquet

    try:
        for batch in parquet.ParquetFile(path).iter_batches(AT_ONCE, columns=[name, content]):
            for row in batch.to_pylist():
                value = row[content]
                yield str(row[name]), (value.get("bytes") if isinstance(value, dict) else value) or b""
    except (pyarrow.ArrowException, OSError) as error:
        raise DataError(f"{path}: broken or incomplete Parquet ({error}); fetch it again") from error


def bundled_pictures(path: str | Path, name: str) -> Iterator[tuple[str, bytes]]:
    """Name and bytes of every picture in a shard or table of this name."""
    return parquet_rows(path) if Path(path).suffix == ".parquet" else tar_members(path, name)


def content_signature(content: bytes) -> Signature:
    """What tells one picture's bytes from another's."""
    return [len(content), hashlib.sha1(content).hexdigest()]
