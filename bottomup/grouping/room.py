"""Room that kernels work in, kept from image to image: fresh memory costs more than much of the work in it."""

from __future__ import annotations

from collections.abc import Callable
from threading import local
from typing import Any, TypeVar

KEPT = local()  # by thread: images are grouped in parallel
LEAST, MOST = 64, 4096  # peaks: room for fewer is not made, room for more is not kept
Room = TypeVar("Room")


def room(make: Callable[..., Room], n: int, *shape: int) -> Room:
    """What make(m, *shape) gives for n or more things, its contents at random: this thread's, made before if it can be.

    Who asks again for the same gets the same arrays, so nothing of them may be given away."""
    kept: dict[Any, Any] = KEPT.__dict__
    key = (make, *shape)
    size, made = kept.get(key, (-1, None))
    if made is None or size < n:
        size = max(LEAST, n + n // 2)
        made = make(size, *shape)
        if n <= MOST:
            kept[key] = (size, made)
    return made
