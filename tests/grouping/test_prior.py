import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bottomup.core import Skeleton
from bottomup.grouping import group
from bottomup.grouping.bodies import mean_tag, measure_body
from bottomup.grouping.compile import callable_part
from bottomup.grouping.prior import larger_first, measure_pieces, place_fit, surest_joint
from bottomup.grouping.tables import tables_of

mean_tag, measure_body, larger_first = map(callable_part, (mean_tag, measure_body, larger_first))
measure_pieces, place_fit, surest_joint = map(callable_part, (measure_pieces, place_fit, surest_joint))
BODY = np.array([(0.5, 0.05), (0.5, 0.2), (0.3, 0.3), (0.7, 0.3), (0.5, 0.55), (0.5, 0.95)])


@pytest.fixture(scope="module")
def lizard(drawn):
    """A skeleton with a prior of upright bodies that vary a little."""
    bodies = BODY + np.random.default_rng(0).normal(0, 0.04, (200, 6, 2))
    plain = drawn.LIZARD
    prior = drawn.prior_of(bodies)
    return Skeleton(plain.name, plain.joints, plain.limbs, plain.mirror, plain.sigmas, prior)


def body_at(x, y, height=40.0):
    return np.column_stack((BODY * height + (x, y), np.full(6, 0.9)))


def test_the_prior_is_made_the_same_for_both_sides(lizard):
    prior = tables_of(lizard).prior
    assert prior[2, 4, 0] == -prior[3, 4, 0] and prior[2, 4, 1] == prior[3, 4, 1]
    assert prior[2, 5, 3] == -prior[3, 5, 3] and prior[2, 5, 5] == prior[3, 5, 5]


def test_a_prior_of_another_skeleton_is_refused(lizard, drawn):
    heat, pafs = np.zeros((6, 8, 8)), np.zeros((5, 2, 8, 8))
    for prior in (np.zeros((5, 5, 7)), np.full((6, 6, 7), np.nan)):
        wrong = Skeleton("wrong", lizard.joints, lizard.limbs, lizard.mirror, lizard.sigmas, prior)
        with pytest.raises(ValueError, match=r"wrong: prior must be finite and \(6, 6, 7\)"):
            group(heat, pafs=pafs, skeleton=wrong)


def test_a_joint_in_its_place_fits_best(lizard):
    prior, height = tables_of(lizard).prior, 40.0
    peaks = body_at(10, 10).astype(np.float32)
    fits = []
    for shift in (0, 3, 6, 12):
        peaks[4, 1] = body_at(10, 10)[4, 1] + shift
        fits.append(place_fit(prior, 1, 4, np.ascontiguousarray(peaks.T, np.float64), 1, 4, height))
    assert fits == sorted(fits, reverse=True)
    spread = np.array([[prior[1, 4, 2], prior[1, 4, 3]], [prior[1, 4, 3], prior[1, 4, 4]]])
    offset = (peaks[4, :2] - peaks[1, :2]) / height - prior[1, 4, :2]
    assert fits[-1] == pytest.approx(-0.5 * (offset @ spread @ offset + prior[1, 4, 5]), abs=1e-3)


def test_a_joint_is_placed_from_the_one_that_knows_most(lizard):
    prior, surest = tables_of(lizard).prior, tables_of(lizard).surest
    member, rank = np.array([[0, 1, 2, 3, -1, 5], [-1] * 6]), np.arange(6)
    found = surest_joint(member, 0, 4, prior, surest, rank)
    assert prior[found, 4, 5] == min(prior[j, 4, 5] for j in (0, 1, 2, 3, 5))
    assert surest_joint(member, 1, 4, prior, surest, rank) == -1


def test_a_piece_is_measured_against_the_body(lizard):
    square, peaks = tables_of(lizard).square, np.ascontiguousarray(body_at(20, 30, 50).T)
    member, body = np.array([0, 1, -1, -1, 4, -1]), np.empty(6)
    measure_body(member, peaks, 15.0, np.array([3, 1, 2, 0, 5, 4]), square, body)
    assert np.sqrt(body[0] / body[1]) == pytest.approx(50, rel=0.05)
    pairs = [(i, j) for i in (0, 1, 4) for j in (0, 1, 4) if i < j]
    assert body[0] == pytest.approx(sum(np.sum((peaks[:2, i] - peaks[:2, j]) ** 2) for i, j in pairs))
    assert body[1] == pytest.approx(sum(square[j, i] for i, j in pairs))
    np.testing.assert_allclose(body[2:4] + (15, 0), peaks[:2, [0, 1, 4]].mean(1), atol=1e-9)
    assert body[4] == 1 and body[5] == 3
    assert larger_first(0, 1, np.array([[0, 0, 0, 0, 5, 2], [0, 0, 0, 0, 3, 2]])) == (1, 0)


@given(
    st.lists(st.tuples(st.integers(-800, 800), st.integers(0, 800)), min_size=6, max_size=6), st.permutations(range(6))
)
def test_a_body_measures_the_same_in_a_mirror_and_in_any_order(places, order):
    spot = np.column_stack((np.array(places, float) / 8192 * 37, np.ones(6))).T.copy()
    one, other, rank, square = np.empty(6), np.empty(6), np.arange(6), np.zeros((0, 0))
    measure_body(np.arange(6), spot, 7.5, rank, square, one)
    mirrored = spot * np.array([[-1], [1], [1]]) + np.array([[15], [0], [0]])
    measure_body(np.array(order), mirrored, 7.5, rank, square, other)
    assert other[2] == -one[2] and np.array_equal(np.delete(one, 2), np.delete(other, 2))


def test_the_mean_tag_is_that_of_the_joints_there_are():
    mean = np.empty(2)
    mean_tag(np.array([2, -1, 0]), np.array([(1.0, 4), (9, 9), (3, 0)]), mean)
    assert mean.tolist() == [2, 2]
    mean_tag(np.array([-1]), np.empty((0, 2)), mean)
    assert mean.tolist() == [0, 0]


def test_weak_lone_peaks_may_not_join(lizard):
    peaks = np.array([(5.0, 9), (5, 9), (0.2, 0.4)])
    member = np.array([[0, -1, -1, -1, -1, -1], [-1, 1, -1, -1, -1, -1]])
    room, able = (np.empty((2, 6)), np.empty((2, 0))), np.empty(2, np.int64)
    count = measure_pieces(
        member, peaks, 9.0, np.empty((2, 0)), tables_of(lizard).square, np.arange(2), 0.3, *room, able
    )
    assert able[:count].tolist() == [1]


def test_an_unseen_joint_does_not_cut_a_body_in_two(lizard, drawn):
    person = body_at(20, 10)
    person[1, 2] = 0  # the neck holds head, feet and hip together
    maps = drawn.draw(lizard, person, (64, 64))
    assert len(group(maps.heatmaps, pafs=maps.pafs, skeleton=drawn.LIZARD, sigma=2)) == 0
    people = group(maps.heatmaps, pafs=maps.pafs, skeleton=lizard, sigma=2)
    assert len(people) == 1
    np.testing.assert_allclose(people.joints[0, [0, 2, 3, 4, 5], :2], person[[0, 2, 3, 4, 5], :2], atol=0.05)
    assert people.joints[0, 1].tolist() == [0, 0, 0]


def test_pieces_of_two_bodies_go_to_the_right_ones(lizard, drawn):
    crowd = np.array([body_at(10, 10), body_at(45, 14), body_at(80, 6, 50)])
    crowd[:, 1, 2] = 0
    maps = drawn.draw(lizard, crowd, (80, 140))
    people = group(maps.heatmaps, pafs=maps.pafs, skeleton=lizard)
    assert len(people) == 3
    for person in people.joints:
        nearest = min(crowd, key=lambda other: np.abs(other[4, :2] - person[4, :2]).sum())
        np.testing.assert_allclose(person[[0, 2, 3, 4, 5], :2], nearest[[0, 2, 3, 4, 5], :2], atol=0.06)


def test_peaks_that_melted_into_one_serve_both_people(lizard, drawn):
    pair = np.array([body_at(10, 10), body_at(30, 10)])
    shared = (pair[0, 4, :2] + pair[1, 4, :2]) / 2
    pair[:, 4, :2] = shared  # one peak for both hips, half-way
    maps = drawn.draw(lizard, pair, (64, 90))
    people = group(maps.heatmaps, pafs=maps.pafs, skeleton=lizard, sigma=2)
    assert len(people) == 2
    member = (people.joints[..., 2] > 0).sum(1)
    assert member.min() >= 4


@pytest.mark.parametrize("evidence", ["pafs", "tags", "both"])
def test_mirrored_maps_give_exactly_mirrored_people_with_a_prior(lizard, drawn, evidence):
    rng = np.random.default_rng(5)
    crowd = np.array([body_at(8, 5), body_at(30, 20), body_at(52, 8, 30)]) + rng.normal(0, 1.5, (3, 6, 3)) * (1, 1, 0)
    crowd[rng.random((3, 6)) < 0.25, 2] = 0
    maps = drawn.draw(lizard, crowd, (70, 91))

    def grouped(of):
        pafs, tags = (of.pafs if evidence != "tags" else None), (of.tags if evidence != "pafs" else None)
        return group(of.heatmaps, pafs=pafs, tags=tags, skeleton=lizard, sigma=2)

    here, there = grouped(maps), grouped(drawn.mirror_maps(maps, lizard))
    assert len(here) >= 2
    assert np.array_equal(drawn.mirror_joints(here.joints, lizard, 91), there.joints)
    assert np.array_equal(here.scores, there.scores)
