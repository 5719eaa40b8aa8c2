"""Drawings show the people and leave the rest of the picture alone."""

import numpy as np
import pytest

from bottomup.core import COCO17, CROWDPOSE14, MPII16, People, Skeleton
from bottomup.draw import draw, joint_sides


def someone(scale, at, seed=0, skeleton=COCO17):
    joints = np.ones((1, len(skeleton), 3), np.float32)
    joints[0, :, :2] = np.random.default_rng(seed).uniform(0, scale, (len(skeleton), 2)) + at
    return People(joints, np.ones(1), skeleton)


def changed(before, after):
    return (before != after).any(-1)


def test_nobody_leaves_the_picture_unchanged():
    image = np.random.default_rng(0).integers(0, 256, (50, 60, 3), dtype=np.uint8)
    drawn = draw(image, People.nobody(COCO17))
    np.testing.assert_array_equal(drawn, image)
    assert drawn is not image and not np.shares_memory(drawn, image)


def test_the_picture_given_is_not_drawn_upon():
    image = np.zeros((100, 100, 3), np.uint8)
    assert draw(image, someone(80, 10)).any()
    assert not image.any()


@pytest.mark.parametrize("side", [200, 1000, 4000])
def test_found_joints_are_covered_and_far_places_are_not(side):
    image = np.full((side, side, 3), 128, np.uint8)
    people = someone(0.4 * side, 0.05 * side)
    touched = changed(image, draw(image, people))
    for x, y in np.rint(people.joints[0, :, :2]).astype(int):
        assert touched[y, x]
    margin = round(0.01 * side) + 4
    assert not touched[round(0.45 * side) + margin :].any() and not touched[:, round(0.45 * side) + margin :].any()


def test_lines_grow_with_the_person():
    image = np.full((1000, 1000, 3), 128, np.uint8)
    skeleton = Skeleton("line", ["a", "b"], [(0, 1)], [0, 1], [0.1, 0.1])
    widths = []
    for length in (100, 800):
        joints = np.array([[[100, 100, 1], [100, 100 + length, 1]]])
        drawn = draw(image, People(joints, np.ones(1), skeleton))
        widths.append(changed(image, drawn)[100 + length // 2].sum())
    assert 1 <= widths[0] < widths[1] <= 40


def test_joints_not_found_are_not_drawn():
    image = np.full((100, 100, 3), 128, np.uint8)
    skeleton = Skeleton("line", ["a", "b"], [(0, 1)], [0, 1], [0.1, 0.1])
    drawn = draw(image, People(np.array([[[20, 20, 1], [80, 80, 0]]]), np.ones(1), skeleton))
    touched = changed(image, drawn)
    assert touched[20, 20] and not touched[30:].any()
    nothing = draw(image, People(np.zeros((1, 2, 3)), np.zeros(1), skeleton))
    np.testing.assert_array_equal(nothing, image)


def test_people_have_colours_of_their_own_and_small_ones_lie_on_top():
    black, white = np.zeros((400, 400, 3), np.uint8), np.full((400, 400, 3), 255, np.uint8)
    large, small = someone(380, 10), someone(150, 100, seed=1)
    unseen = People(large.joints * (1, 1, 0), large.scores, COCO17)
    alone = People.concatenate([small, unseen])
    opaque = ~changed(draw(black, alone), draw(white, alone))  # but for the soft rims
    drawn = draw(black, People.concatenate([small, large]))
    assert opaque.sum() > 200
    np.testing.assert_array_equal(drawn[opaque], draw(black, alone)[opaque])
    other = draw(black, People.concatenate([unseen, small]))
    assert changed(other, draw(black, alone))[opaque].mean() > 0.3


def test_joints_far_outside_are_no_trouble():
    image = np.zeros((50, 50, 3), np.uint8)
    people = someone(40, 5)
    people.joints[0, 3, :2] = 1e8, -1e8
    people.joints[0, 4, :2] = -500, 20
    assert draw(image, people).shape == image.shape


@pytest.mark.parametrize("shape", [(1, 1, 3), (3, 500, 3)])
def test_tiny_pictures(shape):
    assert draw(np.zeros(shape, np.uint8), someone(3, 0)).shape == shape


@pytest.mark.parametrize("skeleton", [COCO17, CROWDPOSE14, MPII16])
def test_sides_follow_the_names_and_mirror(skeleton):
    sides = joint_sides(skeleton)
    for joint, name in enumerate(skeleton.joints):
        assert sides[joint] == -sides[skeleton.mirror[joint]]
        assert sides[joint] == (-1 if "left" in name else 1 if "right" in name else 0)
