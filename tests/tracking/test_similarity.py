"""Alikeness of people: OKS with room, boxes where joints are few."""

import numpy as np
import pytest

from bottomup.core import COCO17, People
from bottomup.tracking.similarity import BOX_WEIGHT, LEAST_SIZE, boxes_of, extents, similarities, sizes

ROOM = np.full((1, 4), 100.0)
BODY = np.array([[(0, 0, 1), (30, 0, 1), (0, 90, 1), (30, 90, 1)]], float)


def alike(first, second, room=ROOM):
    return similarities(first, room, extents(first), second, extents(second))


def moved(x, y=0.0):
    return BODY + (x, y, 0)


def test_the_same_pose_is_alike_to_1_and_a_far_one_to_0():
    np.testing.assert_allclose(alike(BODY, np.concatenate((BODY, moved(1000)))), [[1, 0]], atol=1e-12)


def test_by_hand():
    """All joints 10 px off with variance 100: exp(-1/2); boxes of 30 x 90 overlap by 20 of 40."""
    expected = (4 * np.exp(-0.5) + BOX_WEIGHT * 20 / 40) / (4 + BOX_WEIGHT)
    assert alike(BODY, moved(10))[0, 0] == pytest.approx(expected)


def test_only_joints_that_both_have_count():
    partly = moved(0)
    partly[0, 3] = 0
    partly[0, 2, 1] += 1000  # one of three is far off, and the box is longer
    expected = (2 + BOX_WEIGHT * 90 / 1090) / (3 + BOX_WEIGHT)
    assert alike(BODY, partly)[0, 0] == pytest.approx(expected)


def test_room_makes_what_is_off_more_alike():
    values = [alike(BODY, moved(20), np.full((1, 4), room))[0, 0] for room in (25, 100, 400, 1600)]
    assert values == sorted(values) and values[-1] - values[0] > 0.4


def test_nobody_is_alike_to_nobody():
    none = np.zeros((0, 4, 3))
    assert similarities(none, np.zeros((0, 4)), extents(none), BODY, extents(BODY)).shape == (0, 1)
    assert similarities(BODY, ROOM, extents(BODY), none, extents(none)).shape == (1, 0)


def test_extents_are_around_found_joints_alone():
    joints = np.array([[(5, 7, 0.5), (15, 47, 0.1), (900, 900, 0)], [(1, 1, 0), (2, 2, 0), (3, 3, 0)]], float)
    np.testing.assert_allclose(extents(joints), [(5, 7, 10, 40), (0, 0, 0, 0)])


def test_own_boxes_are_used_where_there_are_some():
    joints = np.ones((1, 17, 3))
    box = np.array([(1, 2, 3, 4)], np.float32)
    np.testing.assert_array_equal(boxes_of(People(joints, np.ones(1), COCO17, box)), box)
    np.testing.assert_array_equal(boxes_of(People(joints, np.ones(1), COCO17)), [(1, 1, 0, 0)])


def test_size_scales_with_the_person_and_has_a_floor():
    boxes = np.array([(0, 0, 50, 100), (0, 0, 100, 200), (0, 0, 0, 100), (0, 0, 0, 0)], float)
    values = sizes(boxes)
    assert values[0] == pytest.approx(np.sqrt(0.53 * 5000))
    assert values[1] == pytest.approx(2 * values[0])
    assert values[2] == pytest.approx(np.sqrt(0.53 * 3000))  # seen from the side
    assert values[3] == LEAST_SIZE
