"""The one decorator of all kernels: numba, cached on disk under a key of every kernel's source.

Numba's cache asks only whether the file of the outermost function changed; a kernel that calls
kernels of other files would go on running their old code. So the cache folder carries a hash of
all sources of this package, and any change starts a fresh one.
"""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

import numba

config: Any = numba.config
LOG = logging.getLogger("bottomup")
Function = TypeVar("Function", bound=Callable[..., Any])
HERE = Path(__file__).parent
TELLING = Lock()  # `cache` alone lets threads that begin at a time all go in
STALE = 24 * 3600  # seconds unused: then no running process has a cache folder of older sources in use


def source_key(folder: Path = HERE) -> str:
    """A hash of all Python files of the folder: names and contents."""
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def writable_folder(candidates: list[Path]) -> Path | None:
    """The first of the folders that can be written to (made if need be), or None."""
    for folder in candidates:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=folder).close()
        except OSError:
            continue
        return folder
    return None


@cache
def cache_folder() -> Path | None:
    """Where compiled kernels are kept: numba's own setting, else beside the sources, else the user's cache."""
    name = f"bottomup-{source_key()}"
    if config.CACHE_DIR:
        return writable_folder([Path(config.CACHE_DIR) / name])
    user = Path(os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA") or Path.home() / ".cache")
    chosen = writable_folder([HERE / "__pycache__" / name, user / "bottomup" / name])
    if chosen is not None:
        remove_stale(chosen)
    return chosen


def remove_stale(folder: Path) -> None:
    """Removes the folders beside this one that older sources left and nobody has written to for a day."""
    for other in folder.parent.glob("bottomup-*"):
        if other != folder and time.time() - other.stat().st_mtime > STALE:
            shutil.rmtree(other, ignore_errors=True)


def tell_if_cold() -> None:
    """Says once in a process, however many threads begin at a time, that kernels are about to be compiled, if none
    are kept."""
    with TELLING:
        _told()


@cache
def _told() -> None:
    folder = cache_folder()
    if folder is None:
        LOG.warning(
            "compiling the grouping kernels (about half a minute); no folder can keep them, see NUMBA_CACHE_DIR"
        )
    elif not any(folder.rglob("*.nbi")):
        LOG.warning("compiling the grouping kernels: about half a minute, once; `bottomup warmup` does it ahead")


def jit(function: Function) -> Function:
    """Compiles at the first call, frees the GIL, divides as C does, keeps the result on disk where it can."""
    return _compiled(function)


def jit_inside(function: Function) -> Function:
    """As `jit`, for small kernels in hot loops: always made part of their callers."""
    return _compiled(function, forceinline=True)


def jit_reordering(function: Function) -> Function:
    """As `jit`, and float sums may be reordered so that they vectorise: for sums that are exact or rounded later."""
    return _compiled(function, fastmath={"reassoc", "nsz"})


def _compiled(function: Function, **options: Any) -> Function:
    folder, before = cache_folder(), config.CACHE_DIR
    config.CACHE_DIR = "" if folder is None else str(folder)  # read while the decorator runs
    try:
        return numba.njit(cache=folder is not None, nogil=True, error_model="numpy", **options)(function)
    finally:
        config.CACHE_DIR = before
