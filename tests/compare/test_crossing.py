"""Lines of time against people, and where they meet."""

import numpy as np
import pytest

from bottomup.compare.crossing import find_crossing, fit_line

PEOPLE = np.arange(1, 21)
FLAT, STEEP = 0.100 + 0.001 * PEOPLE, 0.020 + 0.011 * PEOPLE  # meet at 8 people
NOISE = np.random.default_rng(0).normal(0, 0.004, (2, 20))


def test_a_line_without_noise_is_found_exactly():
    line = fit_line(PEOPLE, FLAT)
    assert (line.alone, line.each) == (pytest.approx(0.1), pytest.approx(0.001))
    assert line.each_interval == pytest.approx((0.001, 0.001))


def test_the_intervals_of_a_noisy_line_hold_the_truth():
    line = fit_line(PEOPLE, FLAT + NOISE[0])
    assert line.alone_interval[0] < 0.1 < line.alone_interval[1]
    assert line.each_interval[0] < 0.001 < line.each_interval[1]
    assert line.each == pytest.approx(np.polyfit(PEOPLE, FLAT + NOISE[0], 1)[0])


@pytest.mark.parametrize("swapped", [False, True])
def test_the_flatter_line_becomes_the_faster_system_where_they_meet(swapped):
    names, times = ("bottom-up", "top-down"), (FLAT, STEEP)
    crossing = find_crossing(names[::-1], PEOPLE, times[::-1]) if swapped else find_crossing(names, PEOPLE, times)
    assert (crossing.faster, crossing.slower) == names
    assert crossing.people == pytest.approx(8)
    assert crossing.interval == pytest.approx((8, 8)) and crossing.share == 1


def test_the_interval_of_a_noisy_crossing_holds_the_truth():
    low, high = find_crossing(("a", "b"), PEOPLE, (FLAT + NOISE[0], STEEP + NOISE[1])).interval
    assert low < 8 < high and high - low < 3


def test_lines_that_run_alike_cross_nowhere_in_particular():
    crossing = find_crossing(("a", "b"), PEOPLE, (FLAT + NOISE[0], FLAT + 0.05 + NOISE[1]))
    assert None in crossing.interval or crossing.interval[1] - crossing.interval[0] > 20
    assert 0.02 < crossing.share < 0.98


def test_parallel_lines_do_not_meet():
    crossing = find_crossing(("a", "b"), PEOPLE, (FLAT, FLAT + 1.0))
    assert crossing.people is None or abs(crossing.people) > 1e9  # rounding may leave a trace of a slope


def test_a_flatter_line_below_meets_at_fewer_than_no_people():
    assert find_crossing(("a", "b"), PEOPLE, (FLAT - 0.09, STEEP)).people < 0


def test_pictures_with_equally_many_people_have_no_line():
    assert fit_line(np.full(5, 3), np.arange(5.0)) is None
