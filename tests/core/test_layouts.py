"""Joints of one skeleton in another's order, by what they mean."""

from __future__ import annotations

import numpy as np
import pytest

from bottomup.core import COCO17, CROWDPOSE14, MPII16, OPENPOSE18, POSETRACK15, SKELETONS, People
from bottomup.core.layouts import as_written, correspondence, relaid, written_skeleton

# OpenPose's joints out of COCO's as its authors publish them; the neck has no counterpart
FROM_COCO = (0, -1, 6, 8, 10, 5, 7, 9, 12, 14, 16, 11, 13, 15, 2, 1, 4, 3)


def some_people(skeleton):
    joints = np.random.default_rng(0).random((2, len(skeleton), 3), np.float32) + 0.1
    return People(joints, np.array([0.9, 0.4]), skeleton, np.ones((2, 4)), np.array([3, 8]))


def test_openpose_joints_are_coco_joints_in_the_published_order():
    assert correspondence(COCO17, OPENPOSE18) == FROM_COCO
    assert all(FROM_COCO[j] == k for k, j in enumerate(correspondence(OPENPOSE18, COCO17)))


def test_necks_are_told_apart():
    assert OPENPOSE18.joints[1] == CROWDPOSE14.joints[13] == "neck"
    assert correspondence(OPENPOSE18, CROWDPOSE14)[13] == -1
    assert correspondence(POSETRACK15, MPII16)[8] == 1 and correspondence(CROWDPOSE14, MPII16)[8] == 13


@pytest.mark.parametrize("skeleton", SKELETONS.values(), ids=SKELETONS)
def test_a_skeleton_corresponds_to_itself_and_left_to_left(skeleton):
    assert correspondence(skeleton, skeleton) == tuple(range(len(skeleton)))
    for target in SKELETONS.values():
        where = correspondence(skeleton, target)
        for joint, source in enumerate(where):
            assert source < 0 or where[target.mirror[joint]] == skeleton.mirror[source]


def test_people_keep_everything_but_the_joints_that_are_not_shared():
    people = some_people(OPENPOSE18)
    written = as_written(people)
    assert written.skeleton is COCO17 and written.joints.shape == (2, 17, 3)
    np.testing.assert_array_equal(written.joints[:, 9], people.joints[:, 7])  # left wrist
    np.testing.assert_array_equal(written.scores, people.scores)
    np.testing.assert_array_equal(written.ids, people.ids)
    back = relaid(written, OPENPOSE18)
    assert (back.joints[:, 1] == 0).all()
    np.testing.assert_array_equal(np.delete(back.joints, 1, 1), np.delete(people.joints, 1, 1))


def test_only_openpose_people_are_written_with_other_joints():
    for skeleton in (COCO17, MPII16, POSETRACK15, CROWDPOSE14):
        assert written_skeleton(skeleton) is skeleton
        people = some_people(skeleton)
        assert as_written(people) is people
    assert as_written(People.nobody(OPENPOSE18)).joints.shape == (0, 17, 3)
