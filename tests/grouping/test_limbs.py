import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bottomup.grouping.compile import callable_part
from bottomup.grouping.likeness import agreement, tag_gap
from bottomup.grouping.limbs import (
    ASIDE,
    LINE,
    MANY_LOOKS,
    find_limbs,
    limb_integral,
    may_be_limbs,
    pair_strength,
    read_ahead,
    weigh_limbs,
    within,
)

find_limbs, limb_integral, may_be_limbs = map(callable_part, (find_limbs, limb_integral, may_be_limbs))
pair_strength, within, weigh_limbs = map(callable_part, (pair_strength, within, weigh_limbs))
read_ahead = callable_part(read_ahead)
agreement, tag_gap = callable_part(agreement), callable_part(tag_gap)

GRID = 8192  # peaks lie on a grid of so many steps a cell
column = st.one_of(st.integers(0, 29 * GRID), st.integers(0, 29 * 2).map(lambda halves: halves * GRID // 2)).map(
    lambda steps: steps / GRID
)
row = st.one_of(st.integers(0, 23 * GRID), st.integers(0, 23 * 2).map(lambda halves: halves * GRID // 2)).map(
    lambda steps: steps / GRID
)
RULES = (2.0, 0.3, 0.08, 0.7)  # reach, score of short limbs, level of agreement, share


def noise(seed=0, h=24, w=30):
    return np.random.default_rng(seed).uniform(-1, 1, (2, h, w)).astype(np.float32)


def plain_integral(field, a, b, agrees, share):
    """Reference: mean over evenly spread samples of the nearest cells, half-way between columns of that nearer to the
    sample's own end, 0 where too few agree."""
    along = np.subtract(b, a)
    length = np.hypot(*along)
    n, values = 2 * min(max(int(length + 1) // 2, 3), 6), []
    for i in range(n // 2):
        for end, way in ((a, along), (b, -along)):
            x, y = np.add(end, way * (i + 0.5) / n)
            column = (
                np.ceil(x - 0.5)
                if round(x * GRID * n) % (GRID * n) * 2 == GRID * n and way[0] > 0
                else np.floor(x + 0.5)
            )
            cell = int(np.floor(y + 0.5)), int(column)
            values.append((field[0][cell] * along[0] + field[1][cell] * along[1]) / length)
    return np.mean(values) if np.sum(np.greater(values, agrees)) >= share * n else 0.0


def even_field(dx, dy, h=20, w=40):
    return np.broadcast_to(np.array([dx, dy], np.float32)[:, None, None], (2, h, w)).copy()


@given(column, row, column, row, st.integers(0, 20))
def test_integrals_are_those_of_the_reference(ax, ay, bx, by, seed):
    field = noise(seed) + 0.5
    if ax != bx:
        expected = plain_integral(field, (ax, ay), (bx, by), 0.08, 0.5)
        aside = ASIDE if bx < ax else -ASIDE
        assert limb_integral(*field, ax, ay, bx - ax, by - ay, aside, 0.08, 0.5) == pytest.approx(expected, abs=1e-5)


@given(column, row, column, row)
def test_a_limb_read_backwards_or_in_a_mirror_scores_the_same_bit_for_bit(ax, ay, bx, by):
    field = noise()
    w = field.shape[2]
    mirrored = np.ascontiguousarray(field[:, :, ::-1] * np.array([-1, 1], np.float32)[:, None, None])
    score = pair_strength(*field, ax, ay, bx, by, *RULES)
    assert score == pair_strength(*-field, bx, by, ax, ay, *RULES)
    assert score == pair_strength(*mirrored, w - 1 - ax, ay, w - 1 - bx, by, *RULES)


@given(st.floats(-0.5, 29.5))
def test_places_at_the_border_are_looked_at_within_the_map(place):
    kept = within(place, 30)
    assert int(kept + 0.5 - ASIDE) >= 0 and int(kept + 0.5 + ASIDE) <= 29 and abs(kept - place) <= 2 / GRID
    assert within(29 - place, 30) == pytest.approx(29 - kept, abs=1e-12)


def test_a_field_along_the_limb_scores_its_strength_and_against_it_nothing():
    assert pair_strength(*even_field(0.9, 0), 5, 5, 25, 5, *RULES) == pytest.approx(0.9, abs=1e-4)
    assert pair_strength(*even_field(-0.9, 0), 5, 5, 25, 5, *RULES) == 0
    assert pair_strength(*even_field(0, 0.9), 5, 5, 25, 5, *RULES) == 0


def test_a_gap_of_a_third_of_the_limb_is_one_too_many():
    field = even_field(1, 0)
    field[:, :, 16:20] = 0
    assert pair_strength(*field, 5, 5, 25, 5, *RULES) > 0.6
    field[:, :, 8:20] = 0
    assert pair_strength(*field, 5, 5, 25, 5, *RULES) == 0


def test_a_look_at_the_middle_settles_most_pairs():
    ahead, x, y = even_field(0.06, 0), np.array([5, 25, 6.5]), np.array([5.0, 5, 5])

    def ends(field, x):
        found = np.empty(3, np.int64)
        return found[: may_be_limbs(*field, x, y, 0, 1, 3, 2.0, found)].tolist()

    assert ends(ahead, x) == [1, 2] and ends(ahead * 0.5, x) == ends(-ahead, x) == [2]  # too short to have a field
    assert ends(ahead * np.float32("nan"), x) == [1, 2]  # for the integral to find
    between = np.array([5, 26, 6.5])  # no cell is nearest, so the integral decides
    assert ends(-ahead, between) == [1, 2] and pair_strength(*-ahead, 5, 5, 26, 5, *RULES) == 0


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_fields_that_are_no_numbers_are_told(value):
    field = even_field(1, 0)
    field[0, 5, 9] = value
    assert not np.isfinite(pair_strength(*field, 5, 5, 25, 5, *RULES))
    spot, pafs = np.array([(5.0, 25), (5, 5), (1, 1)]), field[None]
    room = np.empty((2, 2)), np.empty(2, np.int64), np.empty((4, 2), np.int64), np.empty(4)
    assert find_limbs(spot, np.array([0, 1, 2]), pafs, np.array([[0, 1]]), 2.0, 0.3, 0.1, 0.08, 0.7, *room) == -1


def test_short_limbs_need_no_field_and_the_nearer_counts_more():
    nothing = even_field(0, 0)
    assert pair_strength(*nothing, 5, 5, 5, 5, *RULES) == pytest.approx(0.3, abs=1e-4)
    assert pair_strength(*nothing, 5, 5, 7, 5, *RULES) == pytest.approx(0.15, abs=1e-4)
    assert pair_strength(*nothing, 5, 5, 7.1, 5, *RULES) == 0
    assert pair_strength(*even_field(0.9, 0), 5, 5, 6.5, 5, *RULES) == pytest.approx(0.9, abs=1e-4)


def test_candidates_are_all_pairs_that_score_and_the_number_says_if_there_was_room():
    spot = np.array([(5.0, 5, 25, 25, 30), (5, 15, 5, 15, 10), (1, 1, 1, 1, 1)])
    start, limbs = np.array([0, 2, 4, 5]), np.array([[0, 1], [2, 0]])
    pafs = np.stack([even_field(1, 0), even_field(0, 0)])

    def find(room):
        pair, strength = np.full((room, 2), -1), np.zeros(room)
        work = np.empty((2, 5)), np.empty(5, np.int64)
        return find_limbs(spot, start, pafs, limbs, 2.0, 0.3, 0.1, 0.08, 0.7, *work, pair, strength), pair, strength

    count, pair, strength = find(8)
    assert count == 4 and pair[:4].tolist() == [[0, 2], [0, 3], [1, 2], [1, 3]]
    slope = 20 / np.hypot(20, 10)
    np.testing.assert_allclose(strength[:4], [1, slope, slope, 1], atol=1e-4)
    count, pair, _ = find(1)
    assert count == 4 and pair.tolist() == [[0, 2]]


@pytest.mark.parametrize("odd", [0, np.nan])
def test_reading_fields_ahead_changes_no_candidate(odd):
    """Of many peaks, with a field that is no number where nobody looks."""
    rng, n = np.random.default_rng(4), 24
    spot = np.stack((rng.uniform(1, 28, 2 * n), rng.uniform(1, 18, 2 * n), np.ones(2 * n)))
    pafs = np.stack([even_field(0.6, 0.3), even_field(0, 0)])
    pafs[:, :, -1, ::LINE] = odd
    assert n * n * LINE > MANY_LOOKS * pafs[0, 0].size and (np.isnan(read_ahead(*pafs[0])) == np.isnan(odd))
    pair, strength, work = (
        np.empty((n * n, 2), np.int64),
        np.empty(n * n),
        (np.empty((2, 2 * n)), np.empty(n, np.int64)),
    )
    start, limbs = np.array([0, n, 2 * n]), np.array([[0, 1], [1, 0]])
    count = find_limbs(spot, start, pafs, limbs, 2.0, 0.3, 0.1, 0.08, 0.7, *work, pair, strength)
    ends = [(i, j, *spot[:2, i], *spot[:2, j]) for i in range(n) for j in range(n, 2 * n)]
    ends += [(j, i, x1, y1, x0, y0) for i, j, x0, y0, x1, y1 in ends]
    expected = {(a, b): pair_strength(*pafs[int(a >= n)], *places, *RULES) for a, b, *places in sorted(ends)}
    wanted = {ends: score for ends, score in expected.items() if score > 0.1}
    found = zip(map(tuple, pair[:count].tolist()), strength[:count].tolist(), strict=True)
    assert dict(found) == wanted and 50 < count < n * n


def test_the_gap_of_tags_does_not_depend_on_how_often_they_are_given():
    one, two = np.array([[0.0], [0.4]]), np.array([[0.0, 0.0], [0.4, 0.4]])
    assert tag_gap(one, 0, one, 1) == pytest.approx(0.16) == pytest.approx(tag_gap(two, 0, two, 1))


def test_agreement_falls_with_the_gap_and_is_bounded():
    assert agreement(0.0) == 1 and agreement(0.5) == 0 and agreement(1e9) == -3


def test_limbs_between_like_tags_win():
    strength, tag = np.array([0.5, 0.5]), np.array([[0.0], [0.1], [1.5]])
    weigh_limbs(np.array([[0, 1], [0, 2]]), strength, 2, tag, 0.1)
    assert strength[0] == pytest.approx(0.598) and strength[1] == pytest.approx(0.2)
