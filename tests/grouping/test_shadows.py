"""A shadow is a second answer for one body; people beside or before each other are none."""

import numpy as np
import pytest

from bottomup.core import COCO17
from bottomup.grouping.compile import callable_part
from bottomup.grouping.shadows import drop_shadows, is_shadow, joints_found, write_boxes

drop_shadows, is_shadow, write_boxes = map(callable_part, (drop_shadows, is_shadow, write_boxes))
joints_found = callable_part(joints_found)

MIRROR = np.array(COCO17.mirror)


def somebody(x: float = 0.0, seed: int = 0) -> np.ndarray:
    """Joints (17, 3) within about 60 x 100 cells, shifted by x."""
    rng = np.random.default_rng(seed)
    return np.column_stack((rng.uniform(0, 60, 17) + x, rng.uniform(0, 100, 17), np.ones(17))).astype(np.float32)


def kept(*people: np.ndarray, share: float = 0.5, reach: float = 0.07) -> list[int]:
    """The numbers of those who are no shadows."""
    joints, scores = np.stack(people), np.arange(len(people), dtype=np.float32)
    P = drop_shadows(joints, scores, len(people), MIRROR, share, reach, np.empty((len(people), 4)))
    for p in range(P):
        assert np.array_equal(joints[p], people[int(scores[p])])
    return scores[:P].tolist()


def boxes_of(joints: np.ndarray) -> np.ndarray:
    boxes = np.empty((len(joints), 4))
    write_boxes(joints, len(joints), boxes)
    return boxes


def reference(a: np.ndarray, b: np.ndarray, share: float, reach: float) -> bool:
    """As the definition has it."""
    there = a[:, 2] > 0
    near = reach * np.hypot(*np.ptp(a[there, :2].astype(float), axis=0))
    mine = [k for k in range(17) if b[k, 2] > 0]
    shared = 0
    for k in mine:
        places = [a[j, :2] for j in (k, COCO17.mirror[k]) if there[j]]
        shared += any(np.hypot(*(place - b[k, :2]).astype(float)) < near for place in places)
    return shared >= share * len(mine)


def test_the_same_body_twice_is_one_person_and_the_better_stays() -> None:
    assert kept(somebody(), somebody() + np.float32([1, 1, 0])) == [0]


def test_left_and_right_exchanged_is_the_same_body() -> None:
    assert kept(somebody(), somebody()[list(COCO17.mirror)]) == [0]


def test_two_legs_left_over_are_a_shadow() -> None:
    body, legs = somebody(), somebody() + np.float32([2, -1, 0])
    legs[:11] = 0
    assert kept(body, legs) == [0]


@pytest.mark.parametrize("x", [25, 60, 200])
def test_people_side_by_side_are_both_there(x: float) -> None:
    assert kept(somebody(), somebody(x)) == [0, 1]


def test_somebody_else_in_the_same_place_is_no_shadow() -> None:
    assert kept(somebody(), somebody(seed=1)) == [0, 1]


def test_who_comes_after_a_shadow_moves_up() -> None:
    assert kept(somebody(), somebody() + np.float32([1, 1, 0]), somebody(200)) == [0, 2]


def test_a_small_person_before_a_large_one_stays() -> None:
    small = somebody(20, seed=2) * np.float32([0.3, 0.3, 1])
    assert kept(somebody(), small) == [0, 1]


def test_boxes_hold_the_joints_found() -> None:
    joints = np.zeros((2, 3, 3), np.float32)
    joints[0, :2] = (3, 9, 1), (5, 2, 1)
    assert boxes_of(joints)[0].tolist() == [3, 2, 5, 9] and boxes_of(joints)[1, 0] > boxes_of(joints)[1, 2]


def test_nobody_has_no_shadows() -> None:
    nobody = np.zeros((0, 17, 3), np.float32), np.zeros(0, np.float32)
    assert drop_shadows(*nobody, 0, MIRROR, 0.5, 0.07, np.empty((0, 4))) == 0


@pytest.mark.parametrize("seed", range(20))
def test_the_kernel_follows_the_definition_also_mirrored(seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = somebody(seed=seed), somebody(seed=seed)
    b[:, :2] += rng.normal(0, 6, (17, 2))
    a[rng.random(17) < 0.2], b[rng.random(17) < 0.2] = 0, 0
    both = np.stack((a, b))
    expected = reference(a, b, 0.5, 0.07)
    assert is_shadow(both, boxes_of(both), 0, 1, joints_found(both, 1), MIRROR, 0.5, 0.07) == expected
    mirrored = both[:, list(COCO17.mirror)] * np.float32([-1, 1, 1])
    assert is_shadow(mirrored, boxes_of(mirrored), 0, 1, joints_found(mirrored, 1), MIRROR, 0.5, 0.07) == expected
