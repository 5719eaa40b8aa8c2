"""The images of a batch, each on a thread of its own."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Result = TypeVar("Result")


def of_each(function: Callable[[int], Result], count: int) -> list[Result]:
    """What the function gives for the images 0..count; of several errors the first image's is raised."""
    workers = min(count, os.cpu_count() or 1)
    if workers <= 1:
        return [function(i) for i in range(count)]
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(function, range(count)))
