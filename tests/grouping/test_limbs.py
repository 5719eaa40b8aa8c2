import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bottomup.grouping.limbs import bilinear, field_along, find_limbs, limb_integral, pair_strength

place = st.integers(-8192, 30 * 8192).map(lambda steps: steps / 8192)  # peaks lie on a grid
RULES = (2.0, 0.3, 0.08, 0.7)  # reach, score of short limbs, level of agreement, share


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


def plain_integral(field, a, b, agrees, share):
    """Reference: mean over evenly spread samples, 0 where too few agree."""
    along = np.subtract(b, a)
    length = np.hypot(*along)
    n = 2 * min(max(int(length + 1) // 2, 3), 6)
    at = [np.add(a, along * (i + 0.5) / n) for i in range(n)]
    values = [(plain_value(field[0], *p) * along[0] + plain_value(field[1], *p) * along[1]) / length for p in at]
    return np.mean(values) if np.sum(np.greater(values, agrees)) >= share * n else 0.0


def even_field(dx, dy, h=20, w=40):
    return np.broadcast_to(np.array([dx, dy], np.float32)[:, None, None], (2, h, w)).copy()


@given(place, place)
def test_bilinear_values_are_those_of_the_reference(x, y):
    plane = noise()[0]
    assert bilinear(plane, x, y) == pytest.approx(plain_value(plane, x, y), abs=1e-6)


@given(place, place)
def test_bilinear_values_mirror_exactly(x, y):
    plane = noise()[0]
    assert bilinear(plane, x, y) == bilinear(plane[:, ::-1].copy(), plane.shape[1] - 1 - x, y)


def test_the_field_counts_along_the_vector():
    field = even_field(0.6, -0.8)
    assert field_along(field, 3.3, 4.4, 2.0, 0.0) == pytest.approx(1.2, abs=1e-6)
    assert field_along(field, 3.3, 4.4, 0.0, 2.0) == pytest.approx(-1.6, abs=1e-6)


@given(place, place, place, place, st.integers(0, 20))
def test_integrals_are_those_of_the_reference(ax, ay, bx, by, seed):
    field = noise(seed) + 0.5
    if (ax, ay) != (bx, by):
        expected = plain_integral(field, (ax, ay), (bx, by), 0.08, 0.5)
        assert limb_integral(field, ax, ay, bx, by, 0.08, 0.5) == pytest.approx(expected, abs=2e-3)


@given(place, place, place, place)
def test_a_limb_read_backwards_or_in_a_mirror_scores_the_same_bit_for_bit(ax, ay, bx, by):
    field = noise()
    w = field.shape[2]
    mirrored = field[:, :, ::-1] * np.array([-1, 1], np.float32)[:, None, None]
    score = pair_strength(field, ax, ay, bx, by, *RULES)
    assert score == pair_strength(-field, bx, by, ax, ay, *RULES)
    assert score == pair_strength(mirrored, w - 1 - ax, ay, w - 1 - bx, by, *RULES)


def test_a_field_along_the_limb_scores_its_strength_and_against_it_nothing():
    assert pair_strength(even_field(0.9, 0), 5, 5, 25, 5, *RULES) == pytest.approx(0.9, abs=1e-4)
    assert pair_strength(even_field(-0.9, 0), 5, 5, 25, 5, *RULES) == 0
    assert pair_strength(even_field(0, 0.9), 5, 5, 25, 5, *RULES) == 0


def test_a_gap_of_a_third_of_the_limb_is_one_too_many():
    field = even_field(1, 0)
    field[:, :, 16:20] = 0
    assert pair_strength(field, 5, 5, 25, 5, *RULES) > 0.6
    field[:, :, 8:20] = 0
    assert pair_strength(field, 5, 5, 25, 5, *RULES) == 0


def test_short_limbs_need_no_field_and_the_nearer_counts_more():
    nothing = even_field(0, 0)
    assert pair_strength(nothing, 5, 5, 5, 5, *RULES) == pytest.approx(0.3, abs=1e-4)
    assert pair_strength(nothing, 5, 5, 7, 5, *RULES) == pytest.approx(0.15, abs=1e-4)
    assert pair_strength(nothing, 5, 5, 7.1, 5, *RULES) == 0
    assert pair_strength(even_field(0.9, 0), 5, 5, 6.5, 5, *RULES) == pytest.approx(0.9, abs=1e-4)


def test_candidates_are_all_pairs_that_score_and_the_number_says_if_there_was_room():
    peaks = np.array([(5, 5, 1), (5, 15, 1), (25, 5, 1), (25, 15, 1), (30, 10, 1)], np.float32)
    start, limbs = np.array([0, 2, 4, 5]), np.array([[0, 1], [2, 0]])
    pafs = np.stack([even_field(1, 0), even_field(0, 0)])

    def find(room):
        pair, strength = np.full((room, 2), -1), np.zeros(room)
        return find_limbs(peaks, start, pafs, limbs, 2.0, 0.3, 0.1, 0.08, 0.7, pair, strength), pair, strength

    count, pair, strength = find(8)
    assert count == 4 and pair[:4].tolist() == [[0, 2], [0, 3], [1, 2], [1, 3]]
    slope = 20 / np.hypot(20, 10)
    np.testing.assert_allclose(strength[:4], [1, slope, slope, 1], atol=1e-4)
    count, pair, _ = find(1)
    assert count == 4 and pair.tolist() == [[0, 2]]
