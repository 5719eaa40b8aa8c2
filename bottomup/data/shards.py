"""Pictures in folders and in plain tar shards, read at random."""

from __future__ import annotations

import tarfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from bottomup.errors import DataError


@dataclass(frozen=True)
class StoredImage:
    """Where the bytes of one picture lie: a whole file, or `length` bytes at `offset` of a tar shard.

    Called, it gives the image, RGB uint8 (H, W, 3); raises DataError that names the file.
    """

    path: Path
    name: str
    offset: int = 0
    length: int = -1

    def __call__(self) -> np.ndarray:
        try:
            with open(self.path, "rb") as file:
                file.seek(self.offset)
                data = np.frombuffer(file.read(self.length), np.uint8)
        except OSError as error:
            raise DataError(f"{self.path}: cannot be read ({error.strerror}); check the data set's folder") from error
        image = cv2.imdecode(data, cv2.IMREAD_COLOR) if len(data) else None
        if image is None:
            raise DataError(f"{self.path}: picture {self.name} cannot be decoded; replace the file")
        return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


@lru_cache(maxsize=64)
def shard_index(path: Path) -> dict[str, tuple[int, int]]:
    """Member name -> (offset, length) of a plain tar file; raises DataError for one that is broken."""
    try:
        with tarfile.open(path, "r:") as shard:
            return {m.name.removeprefix("./"): (m.offset_data, m.size) for m in shard if m.isfile()}
    except (OSError, tarfile.TarError) as error:
        raise DataError(f"{path}: not a readable plain tar shard ({error}); fetch it again") from error


def locate(name: str, shard: str | None, folders: list[Path]) -> StoredImage:
    """The picture `name`, in tar `shard` if one is named, below the first of the folders that has it.

    Raises DataError that names what was looked for and where.
    """
    for folder in folders:
        if shard is None and (folder / name).is_file():
            return StoredImage(folder / name, name)
        if shard is not None and (folder / shard).is_file():
            members = shard_index(folder / shard)
            for member in (name, f"{Path(shard).stem}/{name}"):
                if member in members:
                    return StoredImage(folder / shard, name, *members[member])
            raise DataError(f"{folder / shard}: has no member {name}; the labels belong to another shard")
    where = ", ".join(str(folder) for folder in folders)
    raise DataError(f"picture {name if shard is None else shard} not found in {where}; name its folder")
