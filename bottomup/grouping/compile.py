"""The one decorator of all kernels: numba, cached on disk under a key of every kernel's source.

Numba's cache asks only whether the file of the outermost function changed; a kernel that calls
kernels of other files would go on running their old code. So the cache folder carries a hash of
all sources of this package, and any change starts a fresh one.
"""

from __future__ import annotations

import gc
import hashlib
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from contextlib import nullcontext
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

import numba
from numba.core.registry import CPUDispatcher

try:
    from bottomup.grouping import parts
except (ImportError, AttributeError, TypeError):  # a numba with other insides
    parts = None  # type: ignore[assignment]

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
    folder, time_taken = cache_folder(), "about a dozen seconds" if known_inside() else "about half a minute"
    if folder is None:
        LOG.warning(f"compiling the grouping kernels ({time_taken}); no folder can keep them, see NUMBA_CACHE_DIR")
    elif not any(folder.rglob("*.nbi")):
        LOG.warning(f"compiling the grouping kernels: {time_taken}, once; `bottomup warmup` does it ahead")


class Kernel(CPUDispatcher):  # type: ignore[misc]
    """A kernel that Python calls."""

    def compile(self, sig: Any) -> Any:
        """As numba does, but without looking for garbage: it makes so much that stays that this takes a tenth of the
        time."""
        collects = gc.isenabled()
        gc.disable()
        try:
            with parts.quick_answers() if known_inside() else nullcontext():
                return super().compile(sig)
        finally:
            if collects:
                gc.enable()


def jit(function: Callable[..., Any]) -> Any:
    """For kernels that Python calls: compiled at the first call, frees the GIL, divides as C does, kept on disk.

    Kernels make no arrays but work in room that they are given, so that references need not be counted, which
    takes long to compile and slows inner loops."""
    folder, before = cache_folder(), config.CACHE_DIR
    config.CACHE_DIR = "" if folder is None else str(folder)  # read while the decorator runs
    try:
        kernel: Any = _compiled(function, cache=folder is not None)
    finally:
        config.CACHE_DIR = before
    kernel.__class__ = Kernel
    return kernel


def jit_part(function: Function, **options: Any) -> Function:
    """For kernels that only kernels call, in which they are kept: see `parts`. Python cannot call them, as there is
    nothing to call: see `callable_part`."""
    if not known_inside():
        return _compiled(function, **options)
    part: Any = _compiled(function, pipeline_class=parts.PartCompiler, no_cpython_wrapper=True, **options)
    part.__class__ = parts.Part
    return part  # type: ignore[no-any-return]


def known_inside() -> bool:
    """Whether the insides of this numba are known, so that parts can be compiled as such."""
    return parts is not None and parts.is_known(numba.__version__)


def jit_inside(function: Function) -> Function:
    """As `jit_part`, for small kernels in hot loops: always made part of their callers."""
    return jit_part(function, forceinline=True)


def jit_reordering(function: Function) -> Function:
    """As `jit_part`, and float sums may be reordered so that they vectorise: for sums that are exact."""
    return jit_part(function, fastmath={"reassoc", "nsz"})


def callable_part(part: Any) -> Any:
    """A kernel of `jit_part` as Python can call it, to look at it alone."""
    options = {name: value for name, value in part.targetoptions.items() if name in ("fastmath", "forceinline")}
    return _compiled(part.py_func, **options)


def _compiled(function: Function, **options: Any) -> Function:
    options |= {"nogil": True, "error_model": "numpy"}
    if known_inside():
        options |= {"no_cfunc_wrapper": True, "_nrt": False}
    return numba.njit(**options)(function)  # type: ignore[no-any-return]
