"""Joints of one skeleton in another's order, by what they mean."""

from __future__ import annotations

import numpy as np
import pytest

from bottomup.core import (
    COCO17,
    CROWDPOSE14,
    JHMDB15,
    LSP14,
    MPII16,
    OPENPOSE18,
    POSETRACK15,
    SKELETONS,
    UNION21,
    People,
)
from bottomup.core.layouts import (
    TARGETS,
    as_written,
    correspondence,
    missing_joints,
    relaid,
    relaid_joints,
    written_skeleton,
)

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


PAIRS = [(a, b) for a in SKELETONS for b in SKELETONS]
FACE = "left_eye right_eye left_ear right_ear".split()
MISSING = {
    ("mpii16", "coco17"): ["nose", *FACE],
    ("mpii16", "posetrack15"): ["nose"],
    ("coco17", "posetrack15"): ["head_bottom", "head_top"],
    ("posetrack15", "coco17"): FACE,
    ("posetrack15", "mpii16"): ["pelvis", "thorax"],
    ("crowdpose14", "posetrack15"): ["nose"],
    ("lsp14", "posetrack15"): ["nose"],
    ("jhmdb15", "posetrack15"): ["nose", "head_top"],
    ("coco17", "union21"): ["head_top", "upper_neck", "thorax", "pelvis"],
    ("mpii16", "union21"): ["nose", *FACE],
    ("coco17", "openpose18"): ["neck"],
    ("openpose18", "coco17"): [],
    ("jhmdb15", "union21"): ["nose", *FACE, "head_top", "thorax", "pelvis"],
}


@pytest.mark.parametrize("pair", MISSING, ids="-".join)
def test_what_is_missing_is_named(pair):
    source, target = (SKELETONS[name] for name in pair)
    assert list(missing_joints(source, target)) == MISSING[pair]


@pytest.mark.parametrize("pair", PAIRS, ids="-".join)
def test_there_and_back_gives_every_shared_joint_and_nothing_else(pair):
    source, target = (SKELETONS[name] for name in pair)
    people = some_people(source)
    back = relaid(relaid(people, target), source)
    shared = [k for k, joint in enumerate(source.joints) if joint not in missing_joints(target, source)]
    np.testing.assert_array_equal(back.joints[:, shared], people.joints[:, shared])
    others = np.delete(back.joints, shared, 1)
    assert not others.any() and len(shared) + others.shape[1] == len(source)


@pytest.mark.parametrize("skeleton", (COCO17, POSETRACK15, MPII16, CROWDPOSE14, LSP14), ids=lambda s: s.name)
def test_the_union_has_a_place_for_every_joint_and_its_limbs_connect_them(skeleton):
    import networkx as nx

    assert missing_joints(UNION21, skeleton) == ()
    places = [k for k, j in enumerate(correspondence(skeleton, UNION21)) if j >= 0]
    assert len(places) == len(skeleton) and nx.is_connected(UNION21.graph.subgraph(places))
    assert TARGETS["union"] is UNION21


def test_throat_belly_and_face_of_jhmdb_are_no_other_joints():
    assert "belly" in missing_joints(UNION21, JHMDB15) and "head" in missing_joints(UNION21, JHMDB15)
    assert correspondence(JHMDB15, POSETRACK15)[1] == 0


def test_the_neck_is_halfway_between_the_shoulders_only_where_asked_for():
    joints = np.zeros((2, 17, 3), np.float32)
    joints[:, 5], joints[0, 6] = (10, 20, 0.9), (30, 24, 0.4)  # the second person has one shoulder
    people = People(joints, np.ones(2), COCO17)
    assert not relaid(people, OPENPOSE18).joints[:, 1].any()
    neck = relaid(people, OPENPOSE18, derive=["between_shoulders"]).joints[:, 1]
    np.testing.assert_allclose(neck, [(20, 22, 0.4), (0, 0, 0)])
    with pytest.raises(ValueError, match="'neck' is none of between_shoulders, pelvis"):
        relaid(people, OPENPOSE18, derive=["neck"])


def test_a_derived_joint_is_visible_only_if_both_ends_are():
    flags = np.zeros((3, 17, 3))
    flags[:, 11] = (0, 0, 2)
    flags[:, 12] = [(4, 8, 2), (4, 8, 1), (0, 0, 0)]
    pelvis = relaid_joints(flags, COCO17, MPII16, derive=["pelvis"])[:, 6]
    assert pelvis.tolist() == [[2, 4, 2], [2, 4, 1], [0, 0, 0]]


def test_a_labelled_joint_is_never_replaced_by_a_derived_one():
    people = some_people(MPII16)
    np.testing.assert_array_equal(relaid(people, UNION21, derive=["pelvis"]).joints[:, 20], people.joints[:, 6])
