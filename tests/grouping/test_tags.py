import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bottomup.grouping.assembly import single_pieces
from bottomup.grouping.compile import callable_part
from bottomup.grouping.tags import (
    bilinear,
    extent,
    find_like_tags,
    join_by_tags,
    mean_tags,
    peak_distance,
    read_any_tags,
    read_tags,
    room_for_tags,
)

bilinear, extent, find_like_tags = map(callable_part, (bilinear, extent, find_like_tags))
mean_tags, peak_distance, single_pieces = map(callable_part, (mean_tags, peak_distance, single_pieces))


anywhere = st.integers(-8192, 30 * 8192).map(lambda steps: steps / 8192)  # as peaks lie on the grid


def columns(peaks):
    """Peaks (n, 3) as kernels want them: (3, n)."""
    return np.ascontiguousarray(peaks.T, np.float64)


def singles(start):
    member, owner = np.empty((start[-1], len(start) - 1), np.int64), np.empty(start[-1], np.int64)
    single_pieces(start, member, owner)
    return member, owner


def row(*places):
    return np.array([(x, 5, 0.9) for x in places], np.float32)


def joined(peaks, start, tag, limit=1.0, reach=1.5):
    """Pieces after joining by tags, as sorted lists of peak numbers."""
    start, tag = np.array(start), np.array(tag, np.float64).reshape(len(peaks), -1)
    rank = np.arange(len(peaks))
    member, owner = singles(start)
    room = room_for_tags(len(peaks), len(start) - 1, tag.shape[1])
    join_by_tags(columns(peaks), start, rank, tag, 2.0, limit, 0.15, 0.5, 0.25, reach, *room, member, owner)
    return sorted(sorted(int(i) for i in m if i >= 0) for m in member if (m >= 0).any())


def noise(seed=0, h=24, w=30):
    return np.random.default_rng(seed).uniform(-1, 1, (2, h, w)).astype(np.float32)


def plain_value(plane, x, y):
    """Reference: bilinear interpolation of the plane continued by its border."""
    h, w = plane.shape
    x, y = np.clip(x, 0, w - 1), np.clip(y, 0, h - 1)
    x0, y0 = int(np.floor(x)), int(np.floor(y))
    total = 0.0
    for yy, wy in ((y0, 1 - (y - y0)), (y0 + 1, y - y0)):
        for xx, wx in ((x0, 1 - (x - x0)), (x0 + 1, x - x0)):
            if wx * wy > 0:
                total += wx * wy * float(plane[yy, xx])
    return total


@given(anywhere, anywhere)
def test_bilinear_values_are_those_of_the_reference(x, y):
    plane = noise()[0]
    assert bilinear(plane, x, y) == pytest.approx(plain_value(plane, x, y), abs=1e-6)


@given(anywhere, anywhere)
def test_bilinear_values_mirror_exactly(x, y):
    plane = noise()[0]
    assert bilinear(plane, x, y) == bilinear(plane[:, ::-1].copy(), plane.shape[1] - 1 - x, y)


def test_a_tag_is_read_at_its_own_joint_between_the_cells():
    tags = np.zeros((2, 2, 8, 9), np.float32)
    tags[0, 0], tags[0, 1], tags[1, 1] = 7, np.arange(9), 3
    peaks = np.array([(2, 2, 1), (3.5, 4, 1), (-0.4, 0, 1)], np.float32)
    assert read_any_tags(tags, columns(peaks), np.array([0, 1, 3]))[0].tolist() == [[7, 0], [3.5, 3], [0, 3]]


def test_a_piece_has_the_mean_tag_and_the_extent_of_its_peaks():
    member, tag = np.array([[0, 2], [-1, 1], [-1, -1]]), np.array([[1.0], [5.0], [2.0]])
    count, mean = np.empty(3, np.int64), np.empty((3, 1))
    mean_tags(member, tag, count, mean)
    assert count.tolist() == [2, 1, 0] and mean.tolist() == [[1.5], [5], [0]]
    peaks = np.array([(0, 0, 1), (9, 9, 1), (3, 4, 1)], np.float32)
    assert extent(member, 0, columns(peaks)) == 5 and extent(member, 1, columns(peaks)) == 0
    assert peak_distance(columns(peaks), 0, 2) == 5


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(-4, 4), st.sampled_from([0.2, 0.5])), min_size=1, max_size=12))
def test_each_peak_finds_its_best_partners_as_by_comparing_all_with_all(rows):
    rows = sorted(rows)
    kind, tag = np.array([k for k, _, _ in rows]), np.array([[t / 2, 0.0] for _, t, _ in rows])
    start, n = np.searchsorted(kind, np.arange(4)), len(rows)
    member, owner = singles(start)
    peaks = np.array([(3 * i, i, score) for i, (_, _, score) in enumerate(rows)], np.float32)
    mean, along, whole, best, worth, pair, value, _ = room_for_tags(n, 3, 2)
    known = (np.ones(n, np.int64), tag, along, whole, best, worth, pair, value, member, owner)
    found = find_like_tags(columns(peaks), start, np.arange(n), 2.0, 1.0, 0.1, 0.3, 0.25, *known)
    plain = set()
    for i in range(n):
        worth = {}
        for j in range(n):
            gap = (tag[i, 0] - tag[j, 0]) ** 2 / 2
            if kind[i] != kind[j] and gap < 1 and max(peaks[i, 2], peaks[j, 2]) > 0.25:
                far = 0.1 * np.log(1 + np.hypot(*(peaks[i, :2] - peaks[j, :2])) / 2)
                worth[j] = 1 - np.sqrt(gap) - far + 0.3 * (peaks[i, 2] + peaks[j, 2]) / 2
        for k in range(3):
            of_joint = [j for j in worth if kind[j] == k]
            if of_joint:
                plain.add(frozenset((i, max(of_joint, key=lambda j: (round(worth[j], 9), -j)))))
    assert {frozenset(p) for p in pair[:found].tolist()} == plain and found == len(plain)


def test_like_tags_join_and_unlike_ones_do_not():
    peaks = row(5, 10, 15, 30, 35, 40)[[0, 3, 1, 4, 2, 5]]
    assert joined(peaks, [0, 2, 4, 6], [0, 2, 0.2, 2.1, -0.1, 1.8]) == [[0, 2, 4], [1, 3, 5]]


def test_equal_tags_do_not_make_one_person_of_two():
    peaks = row(5, 10, 15, 50, 55, 60)[[0, 3, 1, 4, 2, 5]]
    assert joined(peaks, [0, 2, 4, 6], np.zeros(6)) == [[0, 2, 4], [1, 3, 5]]


def test_tags_nearer_than_half_are_not_all_the_same():
    # the second person's peaks are higher, but the tags say who is who
    peaks = np.array([(5, 5, 0.5), (8, 5, 0.9), (5, 9, 0.5), (8, 9, 0.9)], np.float32)
    assert joined(peaks, [0, 2, 4], [0, 0.45, 0.45, 0]) == [[0, 3], [1, 2]]


def test_only_the_first_of_two_tag_components_is_not_enough():
    peaks = row(5, 10, 6, 11)
    tag = [(0, 0), (0, 3), (0, 3), (0, 0)]
    assert joined(peaks, [0, 2, 4], tag) == [[0, 3], [1, 2]]


def test_a_far_peak_with_a_like_tag_stays_alone():
    near, far = row(5, 10, 15, 20, 40), row(5, 10, 15, 20, 90)
    assert joined(near, [0, 1, 2, 3, 4, 5], np.zeros(5)) == [[0, 1, 2, 3, 4]]
    assert joined(far, [0, 1, 2, 3, 4, 5], np.zeros(5)) == [[0, 1, 2, 3], [4]]


def test_grown_pieces_are_judged_by_their_mean_tag():
    # 0 - 0.6 - 1.2: neighbours are within 0.8, the ends and the mean of a pair are not
    peaks = row(5, 10, 15)
    assert joined(peaks, [0, 1, 2, 3], [0, 0.6, 1.2], limit=0.8) in ([[0, 1], [2]], [[0], [1, 2]])


@pytest.mark.parametrize("change", ["as it is", "strided", "double", "half"])
def test_tags_of_any_memory_layout_are_read_alike(change):
    rng = np.random.default_rng(0)
    tags = rng.normal(0, 2, (2, 3, 9, 11)).astype(np.float16).astype(np.float32)
    peaks = np.column_stack((rng.uniform(0, 10, 7), rng.uniform(0, 8, 7), np.ones(7)))
    peaks[0, :2], peaks[1, :2] = (10, 8), (0, 0)
    peaks, start = np.round(peaks * 8192) / 8192, np.array([0, 2, 2, 7])
    strided = np.ascontiguousarray(tags.transpose(0, 3, 2, 1)).transpose(0, 3, 2, 1)
    given = {"as it is": tags, "strided": strided, "double": tags.astype(float), "half": tags.astype(np.float16)}
    found, finite = read_any_tags(given[change], columns(peaks), start)
    expected = np.empty((7, 2))
    read_tags(tags, columns(peaks), start, expected)
    assert np.array_equal(found, expected) and found.flags.c_contiguous and finite
    for odd in (np.nan, np.inf):
        given[change][1, 2, :, 5:] = odd
        assert not read_any_tags(given[change], columns(peaks), start)[1]
    assert read_any_tags(given[change], columns(peaks[:0]), np.zeros(4, int))[0].shape == (0, 2)
