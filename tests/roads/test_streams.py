"""Work done side by side comes back in order, a little at a time."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from bottomup.roads.streams import MOST_STREAMS, in_order, one_thread_a_stream


def test_results_keep_the_order_of_the_items():
    def work(number):
        time.sleep(0.002 * (5 - number % 5))
        return number * number

    with ThreadPoolExecutor(4) as pool:
        assert list(in_order(pool, work, range(20), 6)) == [n * n for n in range(20)]
        assert list(in_order(pool, work, [], 6)) == []


def test_items_are_taken_only_a_little_ahead():
    taken = []

    def items():
        for number in range(50):
            taken.append(number)
            yield number

    with ThreadPoolExecutor(2) as pool:
        for done, _ in enumerate(in_order(pool, lambda n: n, items(), 3)):
            assert len(taken) <= done + 4


def test_an_error_of_the_work_is_raised_in_its_place():
    def work(number):
        if number == 3:
            raise RuntimeError("three")
        return number

    with ThreadPoolExecutor(2) as pool:
        results = in_order(pool, work, range(9), 2)
        assert [next(results) for _ in range(3)] == [0, 1, 2]
        with pytest.raises(RuntimeError, match="three"):
            next(results)


def test_a_cpu_has_its_threads_shared_out_and_given_back(monkeypatch):
    threads = torch.get_num_threads()
    try:
        for cores, pictures, streams, each in [
            (4, 100, 4, 1),
            (4, 2, 2, 2),
            (4, 0, 1, 4),
            (1, 9, 1, 1),
            (64, 99, 16, 4),
        ]:
            torch.set_num_threads(cores)
            with one_thread_a_stream(torch.device("cpu"), pictures) as number:
                assert number == streams <= MOST_STREAMS
                with ThreadPoolExecutor(1) as pool:
                    assert pool.submit(torch.get_num_threads).result() == each == torch.get_num_threads()
            assert torch.get_num_threads() == cores
        with one_thread_a_stream(torch.device("cuda"), 100) as number:
            assert number == 1
    finally:
        torch.set_num_threads(threads)
