"""SIGTERM, with which schedulers announce that a process will be killed: the run is saved and ends."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Terminated(Exception):
    """A run ended early because it was told to; it goes on from where it stopped when it is started again."""


@contextmanager
def noticed_termination() -> Iterator[Callable[[], bool]]:
    """Gives what tells whether SIGTERM came; a second one ends the process at once.

    Only a program's main thread is sent signals: in others nothing is ever noticed.
    """
    came = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield came.is_set
        return

    def notice(*_: object) -> None:
        came.set()
        signal.signal(signal.SIGTERM, before)

    before = signal.signal(signal.SIGTERM, notice)
    try:
        yield came.is_set
    finally:
        signal.signal(signal.SIGTERM, before)
