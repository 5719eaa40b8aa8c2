import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from bottomup.grouping.compile import callable_part
from bottomup.grouping.peaks import find_peaks, thin_peaks, tops_of_plane
from bottomup.grouping.sweep import BLOCK, CHUNK, sweep_plane

sweep_plane, thin_peaks, tops_of_plane = map(callable_part, (sweep_plane, thin_peaks, tops_of_plane))
coarse = arrays(
    np.float32, st.tuples(st.integers(1, 9), st.integers(1, 11)), elements=st.sampled_from([0, 0.25, 0.5, 0.75])
)


def bits_of(maps):
    """Heatmaps (..., h, w) as `find_peaks` reads them: (..., h w)."""
    return maps.view(np.int32).reshape(*maps.shape[:-2], -1)


def crests():
    """Bytes, and the same eight in one."""
    eights = np.empty(CHUNK // 8, np.uint64)
    return eights.view(np.uint8), eights


def tops_of(plane, low=0.1, widest=50):
    plane = np.ascontiguousarray(plane, np.float32)
    cells, boxes = np.empty(plane.size, np.int64), np.empty((plane.size, 5), np.int64)
    level, room = np.float32(low).view(np.int32), np.empty((2, (2 * widest + 1) ** 2), np.int64)
    return boxes[: tops_of_plane(plane, bits_of(plane), level, None, widest, cells, *crests(), room, boxes, 0)]


def peaks_of(heat, sigma=2.0, least=0.1):
    heat = np.ascontiguousarray(heat, np.float32)
    spot, start, _ = find_peaks(heat, bits_of(heat), sigma or 0.0, least, 1.5, 4.0)
    return spot.T, start


def plain_tops(plane, low):
    """Reference: all connected sets of equal cells with nothing higher around that do not fill the map."""
    h, w = plane.shape
    seen, tops = set(), []
    for y in range(h):
        for x in range(w):
            if (y, x) in seen or plane[y, x] <= low:
                continue
            cells, open_cells, best = {(y, x)}, [(y, x)], True
            while open_cells:
                cy, cx = open_cells.pop()
                for ny in range(max(cy - 1, 0), min(cy + 2, h)):
                    for nx in range(max(cx - 1, 0), min(cx + 2, w)):
                        best &= plane[ny, nx] <= plane[y, x]
                        if plane[ny, nx] == plane[y, x] and (ny, nx) not in cells:
                            cells.add((ny, nx))
                            open_cells.append((ny, nx))
            seen |= cells
            ys, xs = zip(*cells, strict=True)
            box = (min(xs), min(ys), max(xs), max(ys))
            if best and box != (0, 0, w - 1, h - 1):
                tops.append((*box, y * w + x))
    return tops


@settings(max_examples=200)
@given(coarse)
def test_tops_are_those_of_the_plain_reference(plane):
    assert [tuple(b) for b in tops_of(plane).tolist()] == plain_tops(plane, np.float32(0.1))


def test_the_vectorised_sweep_finds_what_the_plain_one_finds():
    plane = np.random.default_rng(3).random((40, 57)).astype(np.float32)
    found = [tuple(b) for b in tops_of(plane, 0.5).tolist()]
    assert found == plain_tops(plane, 0.5) and len(found) > 100


@pytest.mark.parametrize("value", [np.nan, -np.nan, np.inf, -np.inf])
def test_a_cell_that_is_no_number_is_told_wherever_it_stands(value):
    for at in (0, 63, 64, BLOCK - 1, BLOCK, 3 * BLOCK - 1, 3 * BLOCK + 16):
        heat = np.zeros((1, 3, BLOCK + 7), np.float32)
        heat.reshape(-1)[at] = value
        assert np.isnan(find_peaks(heat, bits_of(heat), 2.0, 0.1, 1.5, 4.0)[2])


def test_the_sweep_calls_the_first_of_equal_neighbours():
    plane = np.array([[0, 0, 0, 0], [0, 1, 1, 0], [0, 0, 0, 0]], np.float32)
    cells = np.empty(8, np.int64)
    assert sweep_plane(plane, bits_of(plane), np.float32(0.1).view(np.int32), None, cells, *crests()) == 1
    assert cells[0] == 5


def shoulders_of(plane, low):
    """Reference: cells not at the border, above `low`, at which the plane bends down along row and column, and more
    than at any of the eight around."""
    h, w = plane.shape
    five, found = np.float32(5), []

    def bent(y, x):
        return five * plane[y, x] - ((plane[y, x - 1] + plane[y, x + 1]) + (plane[y - 1, x] + plane[y + 1, x]))

    for y in range(2, h - 2):
        for x in range(2, w - 2):
            twice = 2 * plane[y, x]
            down = twice > plane[y, x - 1] + plane[y, x + 1] and twice > plane[y - 1, x] + plane[y + 1, x]
            others = [bent(y + i, x + j) for i in (-1, 0, 1) for j in (-1, 0, 1) if i or j]
            if plane[y, x] > low and down and bent(y, x) > max(others):
                found.append(y * w + x)
    return found


@pytest.mark.parametrize("size", [(40, 57), (9, 7), (4, 30), (30, 70)])
def test_where_peaks_are_sharp_shoulders_are_swept_up_too(size):
    rng = np.random.default_rng(1)
    for levels in (None, 6):
        plane = rng.random(size).astype(np.float32)
        plane = plane if levels is None else np.round(plane * levels) / np.float32(levels)
        known, cells = (plane, bits_of(plane), np.float32(0.3).view(np.int32)), np.empty((2, plane.size), np.int64)
        swept = zip((None, True), cells, strict=True)
        plain, sharp = (own[: sweep_plane(*known, sharp, own, *crests())].tolist() for sharp, own in swept)
        assert sharp == sorted({*plain, *shoulders_of(plane, 0.3)})
        assert size != (40, 57) or levels or len(sharp) > len(plain)


@pytest.mark.parametrize("angle", np.linspace(0, math.pi, 7))
def test_a_sharp_peak_melted_into_a_higher_one_is_found_and_in_its_place(angle):
    truth = np.array([(12.3, 12.6), (12.3 + 2.3 * math.cos(angle), 12.6 + 2.3 * math.sin(angle))])
    y, x = np.mgrid[:25, :25]
    one, other = (np.exp(-((x - px) ** 2 + (y - py) ** 2) / 1.62) for px, py in truth)
    spot, _ = peaks_of(np.cbrt((0.9 * one) ** 3 + (0.6 * other) ** 3)[None], sigma=0.9)
    gaps = np.hypot(*(spot[:, None, :2] - truth).T)
    assert len(spot) == 2 and gaps.min(1).max() < 0.6


def test_a_mirrored_plane_has_the_mirrored_shoulders():
    plane = np.random.default_rng(2).random((30, 41)).astype(np.float32)
    here, _ = peaks_of(plane[None], sigma=0.9)
    there, _ = peaks_of(plane[None, :, ::-1], sigma=0.9)
    there[:, 0] = 40 - there[:, 0]
    assert {tuple(peak) for peak in here} == {tuple(peak) for peak in there} and len(here) > 60


@given(coarse)
def test_a_mirrored_plane_has_the_mirrored_tops(plane):
    w = plane.shape[1]
    here = {(w - 1 - x1, y0, w - 1 - x0, y1) for x0, y0, x1, y1, _ in tops_of(plane).tolist()}
    assert here == {tuple(b[:4]) for b in tops_of(plane[:, ::-1]).tolist()}


@pytest.mark.parametrize(
    "plane",
    [
        np.zeros((5, 7)),
        np.full((5, 7), 0.8),
        np.full((1, 1), 0.9),
        np.zeros((0, 0)),
        np.zeros((0, 4)),
        np.full((6, 6), -1.0),
    ],
    ids=["zero", "constant", "one cell", "empty", "no rows", "negative"],
)
def test_nothing_stands_out_of_flat_maps(plane):
    peaks, start = peaks_of(np.stack([plane, plane]))
    assert peaks.shape == (0, 3) and start.tolist() == [0, 0, 0]


def test_a_joint_half_way_between_cells_is_one_peak_in_the_middle():
    y, x = np.mgrid[:20, :20]
    for cx, cy in ((9.5, 8), (9, 8.5), (9.5, 8.5)):
        heat = np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / 8)[None]
        np.testing.assert_allclose(peaks_of(heat)[0], [(cx, cy, 1)], atol=1e-3)


def test_a_clipped_peak_is_one_peak_at_its_middle():
    y, x = np.mgrid[:21, :21]
    heat = np.minimum(np.exp(-((x - 10) ** 2 + (y - 9) ** 2) / 8), 0.75)[None]
    assert (heat == 0.75).sum() == 9
    peaks, _ = peaks_of(heat)
    assert len(peaks) == 1
    np.testing.assert_allclose(peaks[0, :2], (10, 9), atol=1e-3)


def test_a_wide_flat_area_is_no_joint():
    heat = np.zeros((1, 40, 40))
    heat[0, :, :20] = 0.9
    assert len(peaks_of(heat)[0]) == 0
    assert len(tops_of(heat[0], widest=41)) == 1


def test_corners_and_edges_hold_peaks():
    heat = np.zeros((1, 9, 9))
    places = [(0, 0), (8, 0), (0, 8), (8, 8), (4, 0), (0, 4), (8, 4), (4, 8)]
    for x, y in places:
        heat[0, y, x] = 0.5
    assert {(x, y) for x, y, *_ in tops_of(heat[0]).tolist()} == set(places)


def test_only_peaks_above_the_threshold_count():
    heat = np.zeros((1, 9, 30))
    heat[0, 4, [4, 14, 24]] = [0.05, 0.1, 0.11]
    assert len(peaks_of(heat)[0]) == 1


def test_of_two_near_peaks_the_higher_stays_and_far_ones_both():
    for apart, left in ((2, 1), (4, 2)):  # sigma 2: the border lies at 3 cells
        heat = np.zeros((1, 9, 30))
        heat[0, 4, [10, 10 + apart]] = [0.6, 0.7]
        rows = tops_of(heat[0])
        rough = np.array([(b[0], b[1], heat[0, b[1], b[0]]) for b in rows])
        keep = np.empty(len(rows), np.bool_)
        thin_peaks(rough, rows, 0, len(rows), 3.0, 30, keep)
        assert keep.sum() == left and keep[1]


def test_equal_near_peaks_become_one_at_the_same_place_in_a_mirror():
    heat = np.zeros((1, 9, 31))
    heat[0, 4, [4, 6]] = 0.6
    here, there = peaks_of(heat)[0], peaks_of(heat[:, :, ::-1])[0]
    assert len(here) == len(there) == 1
    assert here[0, 0] == 5 and there[0, 0] == 25


def test_peaks_are_sorted_by_joint():
    heat = np.zeros((4, 20, 20))
    heat[0, 5, 5] = heat[2, 15, 3] = heat[2, 4, 17] = heat[3, 9, 9] = 0.8
    peaks, start = peaks_of(heat)
    assert start.tolist() == [0, 1, 1, 3, 4]
    np.testing.assert_allclose(peaks[:, :2], [(5, 5), (17, 4), (3, 15), (9, 9)], atol=0.01)


def test_there_is_no_limit_to_peaks():
    heat = np.zeros((3, 200, 200), np.float32)
    heat[:, ::4, ::4] = 0.9
    peaks, start = peaks_of(heat, sigma=0.5)
    assert start.tolist() == [0, 2500, 5000, 7500]


def test_more_tops_than_there_is_room_for_are_all_found():
    heat = np.zeros((40, 41, 41), np.float32)
    heat[:, ::2, ::2] = 0.5  # as many as can be, in all planes
    assert len(peaks_of(heat, 0.5)[0]) == 40 * 21 * 21
