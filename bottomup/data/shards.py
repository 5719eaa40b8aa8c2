"""Pictures in folders and in plain tar shards, read at random."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from bottomup.errors import DataError

ORIENTATION = 0x0112  # the EXIF tag


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
        data = np.frombuffer(self.data(), np.uint8)
        image = cv2.imdecode(data, cv2.IMREAD_COLOR) if len(data) else None
        if image is None:
            raise DataError(f"{self.path}: picture {self.name} cannot be decoded; replace the file")
        return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)

    def data(self) -> bytes:
        """The picture's bytes as they are stored; raises DataError that names the file."""
        try:
            with open(self.path, "rb") as file:
                file.seek(self.offset)
                return file.read(self.length)
        except OSError as error:
            raise DataError(f"{self.path}: cannot be read ({error.strerror}); check the data set's folder") from error


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
                    return StoredImage(folder / shard, member, *members[member])
            raise DataError(f"{folder / shard}: has no member {name}; the labels belong to another shard")
    where = ", ".join(str(folder) for folder in folders)
    raise DataError(f"picture {name if shard is None else shard} not found in {where}; name its folder")


def named_from(stored: StoredImage, folder: str) -> dict[str, str]:
    """What a label file in `folder` (its real path) calls the picture: file_name, and shard if it lies in one."""
    path = os.path.relpath(os.path.realpath(stored.path), folder)
    return {"file_name": path} if stored.length < 0 else {"file_name": stored.name, "shard": path}


class Finder:
    """Finds pictures by name below several folders, and in the tar shards that lie in them.

    Raises DataError that names what was looked for and where.
    """

    def __init__(self, folders: Iterable[Path]) -> None:
        self.folders = list(dict.fromkeys(folder for folder in folders if folder.is_dir()))
        self._shards: dict[str, StoredImage] | None = None

    def find(self, name: str, shard: str | None = None) -> StoredImage:
        """The picture `name`, in tar `shard` if one is named."""
        try:
            return locate(name, shard, self.folders)
        except DataError:
            packed = self._packed().get(name) if shard is None else None
            if packed is None:
                raise
            return packed

    def _packed(self) -> dict[str, StoredImage]:
        """Pictures of all shards, by whole name and by that below the shard's top folder."""
        if self._shards is None:
            self._shards = {}
            for path in (path for folder in self.folders for path in sorted(folder.glob("*.tar"))):
                for member, place in shard_index(path).items():
                    stored = StoredImage(path, member, *place)
                    self._shards.setdefault(member, stored)
                    self._shards.setdefault(member.split("/", 1)[-1], stored)
        return self._shards


def picture_size(stored: StoredImage) -> tuple[int, int]:
    """Width and height of the upright picture, out of its header; raises DataError that names the file."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(stored.data())) as image:
            turned = image.getexif().get(ORIENTATION, 1) >= 5
            return (image.height, image.width) if turned else (image.width, image.height)
    except (UnidentifiedImageError, OSError, SyntaxError) as error:
        raise DataError(f"{stored.path}: picture {stored.name} cannot be read ({error}); replace the file") from error
