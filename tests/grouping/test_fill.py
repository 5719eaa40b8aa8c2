"""Joints that a person lacks come from a weak signal where the prior expects them, or stay away."""

import numpy as np
import pytest

from bottomup.core import COCO17, Skeleton
from bottomup.grouping import group
from bottomup.grouping.compile import callable_part
from bottomup.grouping.fill import LEAST, best_cell, fill_joints, towards_higher
from bottomup.grouping.tables import tables_of

best_cell, towards_higher = callable_part(best_cell), callable_part(towards_higher)
SKELETON = COCO17.with_shipped_prior()
TABLES = tables_of(SKELETON)
WRIST = COCO17.joints.index("left_wrist")


def standing(height: float = 50.0, x: float = 40.0, y: float = 32.0) -> np.ndarray:
    """Joints (17, 3) that lie as the prior has them, seen from the nose."""
    joints = np.ones((17, 3), np.float32)
    joints[:, :2] = (x, y)
    joints[1:, :2] += height * np.asarray(SKELETON.prior)[0, 1:, :2]
    joints[:, 1] -= joints[:, 1].min() - 8
    return joints


def heat_at(place: np.ndarray, level: float, size: int = 90) -> np.ndarray:
    """Heatmaps (17, size, size), empty but for a gaussian of this height as left wrist."""
    heat, (y, x) = np.zeros((17, size, size), np.float32), np.mgrid[:size, :size]
    heat[WRIST] = level * np.exp(-((x - place[0]) ** 2 + (y - place[1]) ** 2) / (2 * 1.75**2))
    return heat


def filled(joints: np.ndarray, heat: np.ndarray) -> np.ndarray:
    people = joints[None].copy()
    fill_joints(people, heat, TABLES.square, TABLES.expect)
    return people[0]


@pytest.mark.parametrize("level", [0.05, 0.09, 0.5])
def test_a_weak_signal_where_the_joint_is_expected_is_taken(level):
    whole = standing()
    lacking = whole.copy()
    lacking[WRIST] = 0
    found = filled(lacking, heat_at(whole[WRIST, :2] + (2, -1), level))
    assert np.hypot(*(found[WRIST, :2] - whole[WRIST, :2] - (2, -1))) < 0.6
    assert found[WRIST, 2] == pytest.approx(level, rel=0.1)
    others = np.arange(17) != WRIST
    np.testing.assert_array_equal(found[others], whole[others])


def test_no_signal_a_fainter_one_and_one_far_away_leave_the_joint_away():
    whole = standing()
    lacking = whole.copy()
    lacking[WRIST] = 0
    for heat in (heat_at(whole[WRIST], 0), heat_at(whole[WRIST], 0.9 * LEAST), heat_at((2, 88), 1)):
        np.testing.assert_array_equal(filled(lacking, heat), lacking)


def test_few_joints_say_nothing_and_joints_that_are_there_stay():
    few = np.zeros((17, 3), np.float32)
    few[:3] = standing()[:3]
    np.testing.assert_array_equal(filled(few, np.ones((17, 90, 90), np.float32)), few)
    whole = standing()
    np.testing.assert_array_equal(filled(whole, np.ones((17, 90, 90), np.float32)), whole)


def test_the_best_cell_is_that_of_the_definition():
    rng = np.random.default_rng(0)
    for _ in range(20):
        plane = rng.random((12, 15), np.float32)
        place = np.array([*rng.uniform(-9, 9, 1), *rng.uniform(-3, 14, 1), 0, *rng.uniform(0.05, 1, 2), 0.05])
        y, x = np.mgrid[:12, :15]
        dx, dy = x - place[0] - 7, y - place[1]
        fall = place[3] * dx**2 + place[4] * dy**2 + place[5] * dx * dy
        worth = np.where((fall < 6) & (plane > LEAST), plane * np.exp(-0.2 * fall), 0)
        row, column = np.unravel_index(worth.argmax(), worth.shape)
        assert best_cell(plane, place, 7.0) == ((column, row) if worth.any() else (-1, -1))


def test_a_quarter_cell_goes_towards_the_higher_neighbour():
    assert [towards_higher(1, 2), towards_higher(2, 1), towards_higher(1, 1)] == [0.25, -0.25, 0]


def test_group_fills_only_where_asked_and_only_with_a_prior(drawn):
    whole = standing()
    lacking = whole.copy()
    lacking[WRIST] = 0
    maps = drawn.draw(COCO17, lacking[None], (90, 90), 1.75)
    heat = np.maximum(maps.heatmaps, heat_at(whole[WRIST], 0.08))

    def joints_found(skeleton: Skeleton, fill: bool) -> int:
        (joints,) = group(heat, pafs=maps.pafs, skeleton=skeleton, sigma=1.75, fill=fill).joints
        return int((joints[:, 2] > 0).sum())

    assert [joints_found(SKELETON, False), joints_found(SKELETON, True), joints_found(COCO17, True)] == [16, 17, 16]
