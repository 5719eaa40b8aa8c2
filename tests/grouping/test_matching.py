import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bottomup.grouping.compile import callable_part
from bottomup.grouping.grid import CELLS, on_grid
from bottomup.grouping.matching import order_pairs, rank_peaks, sort_best_first

on_grid, order_pairs, rank_peaks = map(callable_part, (on_grid, order_pairs, rank_peaks))
sort_best_first = callable_part(sort_best_first)
few = st.integers(-3, 3)


def room(n):
    """What orders of n things are worked out in."""
    return np.empty((4, n + 1), np.int64)


@given(st.lists(st.tuples(few, few), max_size=200))
def test_sorting_is_by_falling_value_then_rising_key_and_stable(rows):
    value = np.array([v for v, _ in rows], np.float64)
    key = np.array([k for _, k in rows], np.int64)
    order = np.arange(len(rows))
    sort_best_first(order, value, key, room(len(order))[2:])
    assert order.tolist() == sorted(range(len(rows)), key=lambda i: (-value[i], key[i]))


def test_sorting_takes_any_subset():
    value, key = np.array([0.1, 0.9, 0.5, 0.7]), np.zeros(4, np.int64)
    order = np.array([3, 0, 2])
    sort_best_first(order, value, key, room(len(order))[2:])
    assert order.tolist() == [3, 2, 0]


@given(st.lists(st.tuples(few, few, few), min_size=1, max_size=12, unique=True))
def test_ranks_of_peaks_are_those_of_the_mirrored_peaks(places):
    width, swap = 9, [1, 0, 2]
    peaks = np.array([(4 + x, 4 + y, 1 + 0.1 * abs(s)) for x, y, s in places], np.float32)
    joint = np.array([abs(s) % 3 for _, _, s in places])
    by_joint = np.argsort(joint, kind="stable")
    peaks, joint = peaks[by_joint], joint[by_joint]
    mirrored = peaks.copy()
    mirrored[:, 0] = width - 1 - peaks[:, 0]
    back = np.argsort(np.array(swap)[joint], kind="stable")  # the mirrored peaks in their own joints' order

    def ranked(some, joints):
        start, rank = np.searchsorted(joints, np.arange(4)), np.empty(len(some), np.int64)
        rank_peaks(np.ascontiguousarray(some.T, np.float64), start, np.array([0, 0, 2]), width, rank, room(len(rank)))
        return rank

    one, other = ranked(peaks, joint), ranked(mirrored[back], np.array(swap)[joint][back])
    twins = {tuple(p) for p in np.round(peaks, 3)} & {tuple(p) for p in np.round(mirrored, 3)}
    for number, i in enumerate(back):
        if tuple(np.round(peaks[i], 3)) not in twins:
            assert other[number] == one[i]


def test_ranks_go_by_score_then_row_then_distance_from_the_middle():
    spot = np.array([(0, 4, 9, 3), (5, 5, 5, 1), (0.5, 0.5, 0.9, 0.5)])
    rank = np.empty(4, np.int64)
    rank_peaks(spot, np.array([0, 4]), np.array([0]), 11, rank, room(4))
    assert rank.tolist() == [3, 2, 0, 1]


def test_equal_pairs_go_by_the_ranks_of_their_ends_whichever_way_round():
    rank = np.array([2, 0, 1])
    pair, value = np.array([[0, 1], [2, 1], [0, 2], [1, 0]]), np.array([0.5, 0.5, 0.5, 0.9])
    for pairs in (pair, pair[:, ::-1].copy()):
        work = room(4)
        order_pairs(pairs, value, 4, rank, work)
        assert work[0, :4].tolist() == [3, 1, 0, 2]
    order_pairs(pair, value, 0, rank, room(0))


@given(st.floats(-4000, 4000))
def test_rounding_to_the_grid_is_nearest_and_alike_for_both_signs(value):
    rounded = on_grid(value, CELLS)
    assert abs(rounded - value) <= 0.5 / CELLS + 1e-12
    assert rounded * CELLS == round(rounded * CELLS)
    assert on_grid(-value, CELLS) == -rounded
