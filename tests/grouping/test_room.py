"""Room is made once a thread and grows; of much, nothing is kept."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from bottomup.grouping.room import LEAST, MOST, room


def rows(n: int, width: int) -> np.ndarray:
    return np.empty((n, width))


def test_room_is_kept_until_more_is_needed() -> None:
    first = room(rows, 5, 3)
    assert len(first) >= LEAST and room(rows, LEAST, 3) is first and room(rows, 5, 2) is not first
    more = room(rows, 2 * LEAST, 3)
    assert len(more) >= 2 * LEAST and room(rows, 1, 3) is more


def test_much_room_is_not_kept() -> None:
    assert len(room(rows, MOST + 1, 4)) > MOST
    assert len(room(rows, 1, 4)) < MOST


def test_no_two_threads_share_room() -> None:
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(room, rows, 5, 6).result() is not room(rows, 5, 6)
