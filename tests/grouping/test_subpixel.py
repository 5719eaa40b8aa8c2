import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bottomup.grouping.compile import callable_part
from bottomup.grouping.peaks import find_peaks, tops_of_plane
from bottomup.grouping.subpixel import (
    UNKNOWN_SPREAD,
    edge_offset,
    fall_length,
    line_sum,
    parabola_around,
    place_along,
    place_sharp,
    spread_of_peaks,
    vertex,
)

tops_of_plane, edge_offset, fall_length = map(callable_part, (tops_of_plane, edge_offset, fall_length))
line_sum, place_along, vertex = map(callable_part, (line_sum, place_along, vertex))
spread_of_peaks, parabola_around = callable_part(spread_of_peaks), callable_part(parabola_around)
place_sharp = callable_part(place_sharp)


def gaussian(size, x, y, sigma, height=1.0):
    yy, xx = np.mgrid[: size[0], : size[1]]
    return (height * np.exp(-((xx - x) ** 2 + (yy - y) ** 2) / (2 * sigma**2))).astype(np.float32)


def peak_of(plane, sigma=None):
    bits = plane.view(np.int32).reshape(1, -1)
    spot, start, spread = find_peaks(plane[None], bits, sigma or 0.0, 0.1, 1.5, 4.0)
    return spot.T, start, spread


@given(st.floats(-0.5, 0.5), st.floats(0.6, 5), st.integers(1, 4))
def test_the_vertex_of_three_gaussian_values_is_exact(offset, sigma, far):
    def value(at):
        return math.exp(-((at - offset) ** 2) / (2 * sigma**2))

    if min(value(-far), value(far)) < 0.01 * value(0):
        return
    found, gain = vertex(value(-far), value(0), value(far), far, 0)
    assert found == pytest.approx(offset, abs=1e-6)
    assert math.exp(gain) * value(0) == pytest.approx(1, abs=1e-6)


def test_the_vertex_of_a_tie_lies_half_way_and_mirrors_exactly():
    side, top = math.exp(-(1.5**2) / 8), math.exp(-(0.5**2) / 8)
    assert vertex(side, top, side, 1.5, 0.5)[0] == 0
    one, other = vertex(0.31, 0.9, 0.52, 1, 0), vertex(0.52, 0.9, 0.31, 1, 0)
    assert one == (-other[0], other[1]) and one[0] > 0
    assert vertex(1.0, 1.0, 1.0, 1, 0) == (0, 0)


@given(st.floats(-0.5, 0.5), st.floats(0.8, 4), st.integers(1, 3))
def test_beyond_the_border_the_ratio_of_two_cells_tells_the_place(offset, sigma, step):
    border, inner = math.exp(-(offset**2) / (2 * sigma**2)), math.exp(-((step - offset) ** 2) / (2 * sigma**2))
    assert edge_offset(border, inner, step, sigma) == pytest.approx(offset, abs=1e-6)


@given(st.lists(st.floats(0, 1, width=32), min_size=1, max_size=9))
def test_line_sums_are_sums_and_the_same_from_both_ends(values):
    flat = np.array(values, np.float32)
    total = line_sum(flat, 0, 1, len(flat))
    assert total == pytest.approx(sum(map(float, flat)), abs=1e-9)
    assert total == line_sum(flat[::-1].copy(), 0, 1, len(flat))
    assert line_sum(flat, len(flat) - 1, -1, len(flat)) == total


@pytest.mark.parametrize("sigma", [0.7, 1.0, 2.0, 3.5])
def test_exact_gaussians_are_placed_without_bias_and_keep_their_height(sigma):
    rng, errors, heights = np.random.default_rng(0), [], []
    for _ in range(60):
        x, y = rng.uniform(8, 16, 2)
        peaks, _, _ = peak_of(gaussian((25, 25), x, y, sigma, 0.8), sigma)
        assert len(peaks) == 1
        errors.append(peaks[0, :2] - (x, y))
        heights.append(peaks[0, 2])
    assert np.abs(np.mean(errors, 0)).max() < 0.002
    assert np.abs(errors).max() < 0.01
    np.testing.assert_allclose(heights, 0.8, atol=0.01)


def around(plane):
    """The 3 x 3 cells around the middle of a plane of 5 x 5, placed as a sharp peak: dx, dy, score, or None."""
    peaks = np.full((1, 3), np.nan)
    return peaks[0] - (2, 2, 0) if place_sharp(plane.ravel(), 12, 2, 2, 5, peaks, 0) else None


def test_the_parabola_around_a_cell_is_the_least_squares_one():
    rng = np.random.default_rng(0)
    y, x = (offset.ravel() for offset in np.mgrid[-1:2, -1:2])
    terms = np.stack((np.ones(9), x, y, x * x / 2, y * y / 2, x * y), 1)
    for _ in range(20):
        plane = rng.uniform(0.2, 1, (5, 5)).astype(np.float32)
        expected = np.linalg.lstsq(terms, np.log(plane[1:4, 1:4].astype(float)).ravel(), rcond=None)[0]
        np.testing.assert_allclose(parabola_around(plane.ravel(), 12, 5), expected[1:], atol=1e-6)


@given(st.floats(-0.5, 0.5), st.floats(-0.5, 0.5), st.floats(0.8, 1.2), st.floats(0.8, 1.2), st.floats(0, 3))
def test_a_slanted_gaussian_of_any_width_is_placed_exactly(dx, dy, wide, high, angle):
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    inverse = turn @ np.diag((1 / wide**2, 1 / high**2)) @ turn.T
    y, x = np.mgrid[-2:3, -2:3]
    off = np.stack((x - dx, y - dy), -1)
    plane = (0.8 * np.exp(-np.einsum("yxi,ij,yxj->yx", off, inverse, off) / 2)).astype(np.float32)
    np.testing.assert_allclose(around(plane), (dx, dy, 0.8), atol=2e-3)


def test_sharp_peaks_mirror_exactly_and_stay_within_their_cell():
    rng, placed = np.random.default_rng(0), 0
    for _ in range(200):
        plane = rng.uniform(-0.2, 0.9, (5, 5)).astype(np.float32)
        plane[2, 2] = 1
        here, there, upright = (around(np.ascontiguousarray(p)) for p in (plane, plane[:, ::-1], plane[::-1]))
        assert (here is None) == (there is None) == (upright is None)
        if here is not None:
            placed += 1
            assert tuple(here * (-1, 1, 1)) == tuple(there) and tuple(here * (1, -1, 1)) == tuple(upright)
            assert np.abs(here[:2]).max() <= 0.5 and 1 <= here[2] < 2.3
    assert placed > 50
    assert around(np.ones((5, 5), np.float32)) is None


@pytest.mark.parametrize("at", [-0.3, 0.0, 0.3, 0.8])
def test_peaks_at_the_border_are_placed_as_well_as_inside(at):
    for x, y in ((at, 9.3), (9.3, at), (19 - at, 9.3), (at, 19 - at)):
        peaks, _, _ = peak_of(gaussian((20, 20), x, y, 2.0), 2.0)
        np.testing.assert_allclose(peaks, [(x, y, 1)], atol=0.01)


def test_cut_tails_do_not_break_the_placing():
    plane = gaussian((15, 15), 7.2, 6.7, 1.0)
    plane[plane < 0.3] = 0
    peaks, _, _ = peak_of(plane, 1.0)
    assert len(peaks) == 1
    np.testing.assert_allclose(peaks[0, :2], (7.2, 6.7), atol=0.3)


def test_a_map_of_one_row_is_placed_along_it():
    row = gaussian((1, 20), 8.4, 0, 2.0)
    peaks, _, _ = peak_of(row, 2.0)
    np.testing.assert_allclose(peaks, [(8.4, 0, 1)], atol=0.01)
    flat = np.ones(1, np.float32)
    assert place_along(flat, 0, 0, 1, 1, 0, 0, 1, 1, 2.0) == (0, 0)


def test_the_fall_from_a_peak_is_measured_between_cells():
    flat = np.array([1, 0.8, 0.4, 0.1], np.float32)
    assert fall_length(flat, 0, 1, 3, 0.6) == pytest.approx(1.5, abs=1e-6)
    assert fall_length(flat, 0, 1, 1, 0.6) == -1  # the map ends before
    assert fall_length(np.array([1, 1.1, 0], np.float32), 0, 1, 2, 0.6) == -1  # it rises


@pytest.mark.parametrize("sigma", [1.0, 1.5, 2.0, 3.0, 6.0])
def test_the_spread_is_measured_on_clean_peaks(sigma):
    rng = np.random.default_rng(1)
    planes = [gaussian((64, 64), *rng.uniform(20, 44, 2), sigma) for _ in range(9)]
    planes.append(gaussian((64, 64), 32, 32, 3 * sigma))  # an odd one does not move the median far
    heat = np.stack(planes)
    flat = heat.reshape(len(heat), -1)
    boxes, cells, start = np.empty((4096, 5), np.int64), np.empty(4096, np.int64), [0]
    for plane in heat:
        bits = plane.view(np.int32).reshape(-1)
        crests, flood = np.empty(8, np.uint64), np.empty((2, 361), np.int64)
        known = (plane, bits, np.float32(0.1).view(np.int32), None, 9, cells, crests.view(np.uint8), crests, flood)
        start.append(tops_of_plane(*known, boxes, start[-1]))
    room = np.empty(4096), np.empty((4, 4097), np.int64)
    assert spread_of_peaks(flat, 64, 64, boxes, np.array(start), *room) == pytest.approx(sigma, rel=0.1)


def test_without_a_clean_peak_the_spread_is_the_default():
    heat = np.zeros((1, 5, 5), np.float32)
    heat[0, 0, 0] = 1
    assert peak_of(heat[0])[2] == UNKNOWN_SPREAD
    assert peak_of(np.zeros((5, 5), np.float32))[2] == UNKNOWN_SPREAD
