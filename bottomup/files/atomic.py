"""Files that are either wholly there or not at all."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def replacing(path: str | Path, *, sync: bool = True) -> Iterator[BinaryIO]:
    """A file to write, which takes the place of `path` once it is complete; makes its folder.

    After an error nothing is changed and nothing left behind. The unfinished file has a name of its
    own that depends on `path` alone, so what a killed process leaves is overwritten by the next.
    sync: wait until the bytes are on the disk, so that even a power cut leaves the old or the new file.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.parent / f".{hashlib.sha1(os.fsencode(path.name)).hexdigest()[:12]}.part"
    try:
        with open(part, "wb") as file:
            yield file
            file.flush()
            if sync:
                os.fsync(file.fileno())
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
