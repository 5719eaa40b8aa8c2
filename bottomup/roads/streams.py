"""Several pictures under way at a time, in order, on all cores."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import torch

MOST_STREAMS = 16

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_order(
    pool: ThreadPoolExecutor, work: Callable[[Item], Result], items: Iterable[Item], ahead: int
) -> Iterator[Result]:
    """work(item) of every item, in order, done by the pool; `ahead` items are under way before the first is awaited."""
    under_way: deque[Future[Result]] = deque()
    for item in items:
        under_way.append(pool.submit(work, item))
        if len(under_way) > ahead:
            yield under_way.popleft().result()
    while under_way:
        yield under_way.popleft().result()


@contextmanager
def one_thread_a_stream(device: torch.device, pictures: int) -> Iterator[int]:
    """How many network passes run side by side meanwhile.

    On a CPU one picture a core is faster than one picture on all cores, whose threads wait for each
    other in every layer; so torch's threads are shared out. On a GPU it is one.
    """
    threads = torch.get_num_threads()
    streams = max(1, min(threads, pictures, MOST_STREAMS)) if device.type == "cpu" else 1
    torch.set_num_threads(max(1, threads // streams))
    try:
        yield streams
    finally:
        torch.set_num_threads(threads)
