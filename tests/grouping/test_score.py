import numpy as np
import pytest

from bottomup.grouping.bids import fields_of_peaks
from bottomup.grouping.bodies import COLUMNS
from bottomup.grouping.compile import callable_part
from bottomup.grouping.score import limb_agreement, people_of_pieces, piece_score, sum_of_best

fields_of_peaks, limb_agreement = callable_part(fields_of_peaks), callable_part(limb_agreement)
piece_score, sum_of_best = callable_part(piece_score), callable_part(sum_of_best)
SPOT = np.array([(1, 3, 5, 7), (2, 4, 6, 8), (0.9, 0.8, 0.7, 1.2)])
RANK = np.array([1, 2, 3, 0])
SIGMA = 1.5


def links(n, pairs):
    """The candidate limbs (one peak, the other, field) by peak."""
    begin, other, value = np.empty(n + 2, np.int64), np.empty(2 * len(pairs), np.int64), np.empty(2 * len(pairs))
    pair = np.array([p[:2] for p in pairs], np.int64).reshape(-1, 2)
    fields_of_peaks(n, pair, np.array([p[2] for p in pairs], np.float64), len(pairs), begin, other, value)
    return begin, other, value


def people(member, fewest=1, best=3, least=0.9, spot=SPOT, rank=RANK, limbs=(), pairs=()):
    """Joints and scores of all people, shadows too."""
    limbs, member = np.array(limbs, np.int64).reshape(-1, 2), np.array(member)
    n, K = member.shape
    room = np.empty(K + COLUMNS), np.empty(n), np.empty((4, n + 1), np.int64), np.empty((n, 4))
    joints, scores = np.empty((n, K, 3), np.float32), np.empty(n, np.float32)
    known = (spot, rank, SIGMA, 3.0, member, fewest, best, least, limbs, *links(spot.shape[1], pairs))
    P = people_of_pieces(*known, np.arange(K), 2.0, 0.1, *room, joints, scores)
    return joints[:P], scores[:P]


def test_a_perfect_person_scores_one_and_fewer_joints_less():
    spot = np.ones((3, 4))
    assert piece_score(np.array([0, 1, 2, 3]), spot, 1, 3, 0.9, np.empty(4)) == pytest.approx(1)
    assert piece_score(np.array([0, 1, 2, -1]), spot, 1, 3, 0.9, np.empty(4)) == pytest.approx(1.5 * 3 / 5)


def test_a_score_follows_the_documented_formula():
    _, scores = people([[0, 1, 2, -1]], limbs=[(0, 1)], pairs=[(0, 1, 0.6)])
    reach = np.sqrt(8 * 2 / 3)  # of (1, 2), (3, 4), (5, 6)
    size = (reach + SIGMA) / (reach + 6 * SIGMA)
    assert scores[0] == pytest.approx(1.5 * (0.9 + 0.8 + 0.7) / (3 + 2) * 0.8 * size, abs=1e-6)


def test_of_two_people_who_look_alike_the_larger_is_surer_and_one_in_a_single_cell_is_still_somebody():
    spot = np.concatenate([SPOT * [[1], [1], [1]], SPOT * [[4], [4], [1]], SPOT * [[0], [0], [1]]], 1)
    _, scores = people([[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]], spot=spot, rank=np.arange(12))
    joints, _ = people([[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]], spot=spot, rank=np.arange(12))
    assert joints[:, 0, 0].tolist() == [4, 1, 0]
    assert scores[0] > scores[1] > scores[2] > 0


def test_joints_are_those_of_the_peaks_and_no_score_exceeds_one():
    joints, scores = people([[0, 1, -1, 3]])
    np.testing.assert_array_equal(joints[0], np.float32([(1, 2, 0.9), (3, 4, 0.8), (0, 0, 0), (7, 8, 1)]))
    assert 0 < scores[0] <= 1 and joints.dtype == scores.dtype == np.float32


def test_few_or_weak_joints_are_nobody_but_few_sure_ones_are_somebody():
    joints, scores = people([[2, -1, -1, -1], [-1, -1, -1, -1]])
    assert joints.shape == (0, 4, 3) and scores.shape == (0,)
    assert len(people([[0, 1, 2, -1]], least=2.5)[0]) == 0
    assert len(people([[0, 1, 2, 3]], least=2.5)[0]) == 1  # the best three count, none for more than 1
    assert len(people([[0, 1, -1, -1]])[0]) == len(people([[3, -1, -1, -1]])[0]) == 1
    assert len(people([[0, 1, -1, -1]], fewest=3)[0]) == 0
    sure, doubtful = np.array([[1.0] * 4, [1.0] * 4, [0.95] * 4]), np.array([[1.0] * 4, [1.0] * 4, [0.85] * 4])
    assert len(people([[0, -1, -1, -1]], least=1.2, spot=sure)[0]) == 1  # one joint, but as sure as can be
    assert len(people([[0, -1, -1, -1]], least=1.2, spot=doubtful)[0]) == 0
    assert len(people([[0, 1, -1, -1]], least=1.2, spot=doubtful)[0]) == 1


def test_the_best_person_comes_first_and_equal_ones_by_their_best_peak():
    joints, scores = people([[0, 1, 2, -1], [0, 1, 2, 3]])
    assert (joints[:, 3, 2] > 0).tolist() == [True, False] and scores[0] > scores[1]
    twins = np.repeat(SPOT[:, :1], 6, 1)
    twins[0] = np.arange(6)
    member = np.array([[0, 1, 2], [3, 4, 5]])
    for rank, first in ((np.arange(6), 0), (np.arange(6)[::-1].copy(), 3)):
        joints, scores = people(member, spot=twins, rank=rank)
        assert scores[0] == scores[1] and joints[0, 0, 0] == first


def test_the_best_scores_are_summed():
    assert sum_of_best(np.array([0.1, 0.5, 0.0, 0.4]), 2) == pytest.approx(0.9)
    assert sum_of_best(np.array([0.5, 0.5, 0.5]), 3) == pytest.approx(1.5)


def test_agreement_is_the_mean_field_over_the_limbs_with_both_ends():
    limbs, member = np.array([[0, 1], [1, 2], [2, 3]]), np.array([[0, 1, 2, -1], [-1, -1, -1, 3]])
    fields = links(4, [(0, 1, 0.9), (2, 3, 0.7)])
    agreed = [limb_agreement(person, limbs, *fields) for person in member]
    assert agreed == pytest.approx([0.45, 0])  # limb 1-2 has no candidate, 2-3 lacks an end
