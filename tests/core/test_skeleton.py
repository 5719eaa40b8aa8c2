"""Skeletons: the released ones are whole and symmetric, and a wrong one is named."""

from __future__ import annotations

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycocotools.cocoeval import Params

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
    Skeleton,
)

ALL = list(SKELETONS.values())
every_skeleton = pytest.mark.parametrize("skeleton", ALL, ids=[s.name for s in ALL])
HAND = ("hand", ("wrist", "thumb", "finger"), ((0, 1), (0, 2)), (0, 1, 2), (0.05, 0.05, 0.05))


@pytest.mark.parametrize(
    ("skeleton", "joints", "limbs", "redundant"),
    [
        (COCO17, 17, 19, 3),
        (OPENPOSE18, 18, 19, 2),
        (POSETRACK15, 15, 16, 2),
        (MPII16, 16, 15, 0),
        (CROWDPOSE14, 14, 15, 2),
        (LSP14, 14, 14, 1),
        (JHMDB15, 15, 14, 0),
        (UNION21, 21, 28, 8),
    ],
)
def test_size_of_the_released_skeletons(skeleton, joints, limbs, redundant):
    assert (len(skeleton), len(skeleton.limbs)) == (joints, limbs)
    assert len(skeleton.redundant_limbs) == redundant == limbs - joints + 1


@every_skeleton
def test_left_and_right_are_mirror_partners_by_name(skeleton):
    swap = {"left": "right", "right": "left"}
    for joint, partner in enumerate(skeleton.mirror):
        side, _, part = skeleton.joints[joint].partition("_")
        expected = f"{swap[side]}_{part}" if side in swap else skeleton.joints[joint]
        assert skeleton.joints[partner] == expected


@every_skeleton
def test_mirror_partners_are_judged_alike(skeleton):
    assert [skeleton.sigmas[j] for j in skeleton.mirror] == list(skeleton.sigmas)


@every_skeleton
def test_the_spanning_tree_connects_every_joint_without_a_circle(skeleton):
    tree = nx.Graph([skeleton.limbs[e] for e in skeleton.spanning_tree])
    assert nx.is_tree(tree) and len(tree) == len(skeleton)
    assert sorted(skeleton.spanning_tree + skeleton.redundant_limbs) == list(range(len(skeleton.limbs)))


@every_skeleton
def test_mirroring_the_limbs_twice_changes_nothing(skeleton):
    for limb, (image, reverse) in enumerate(skeleton.limb_mirror):
        assert skeleton.limb_mirror[image] == (limb, reverse)
        first, second = (skeleton.mirror[j] for j in skeleton.limbs[limb])
        assert skeleton.limbs[image] == ((second, first) if reverse else (first, second))


def test_a_limb_across_the_body_is_its_own_reversed_image():
    shoulders = COCO17.limbs.index((5, 6))
    assert COCO17.limb_mirror[shoulders] == (shoulders, True)
    left_shin, right_shin = COCO17.limbs.index((15, 13)), COCO17.limbs.index((16, 14))
    assert COCO17.limb_mirror[left_shin] == (right_shin, False)


def test_earlier_limbs_are_preferred_for_the_tree():
    triangle = Skeleton("triangle", "abc", ((0, 1), (1, 2), (2, 0)), (0, 1, 2), (0.1,) * 3)
    assert triangle.spanning_tree == (0, 1)
    assert triangle.redundant_limbs == (2,)


def test_coco_sigmas_are_those_of_the_official_evaluation():
    assert COCO17.sigmas == pytest.approx(tuple(Params("keypoints").kpt_oks_sigmas))


def test_names_at_known_places():
    assert COCO17.joints[0] == "nose" and COCO17.joints[11] == "left_hip" and COCO17.joints[16] == "right_ankle"
    assert OPENPOSE18.joints[1] == "neck" and MPII16.joints[9] == "head_top" and CROWDPOSE14.joints[13] == "neck"


def test_a_single_joint_is_a_skeleton():
    dot = Skeleton("dot", ["point"], [], [0], [0.1])
    assert len(dot) == 1 and dot.spanning_tree == dot.redundant_limbs == dot.limb_mirror == ()


@given(st.integers(2, 12), st.randoms(use_true_random=False))
def test_any_random_tree_is_its_own_spanning_tree(count, random):
    limbs = [(random.randrange(j), j) for j in range(1, count)]
    tree = Skeleton("tree", [str(j) for j in range(count)], limbs, range(count), [0.1] * count)
    assert tree.spanning_tree == tuple(range(count - 1)) and tree.redundant_limbs == ()


@pytest.mark.parametrize(
    ("field", "value", "word"),
    [
        (1, (), "joints"),
        (1, ("wrist", "thumb", "thumb"), "joints"),
        (2, ((0, 1),), "do not connect finger"),
        (2, ((0, 1), (0, 3)), r"limb \(0, 3\)"),
        (2, ((0, 1), (0, -1)), r"limb \(0, -1\)"),
        (2, ((0, 1), (0, 2), (2, 2)), r"limb \(2, 2\)"),
        (2, ((0, 1), (0, 2), (1, 0)), "twice"),
        (3, (0, 1), "mirror"),
        (3, (0, 1, 1), "mirror"),
        (3, (1, 2, 0), "undoes itself"),
        (4, (0.1, 0.1), "sigmas"),
        (4, (0.1, 0.1, 0.0), "sigmas"),
    ],
)
def test_a_wrong_skeleton_names_itself_and_the_field(field, value, word):
    arguments = list(HAND)
    arguments[field] = value
    with pytest.raises(ValueError, match=word) as error:
        Skeleton(*arguments)
    assert "skeleton hand" in str(error.value)


def test_limbs_without_a_mirror_image_are_named():
    lopsided = Skeleton("lopsided", ("top", "left", "right"), ((0, 1), (1, 2)), (0, 2, 1), (0.1,) * 3)
    with pytest.raises(ValueError, match=r"\(0, 1\)"):
        _ = lopsided.limb_mirror


def test_names_and_lookup_agree():
    assert all(SKELETONS[skeleton.name] is skeleton for skeleton in ALL)
    assert repr(COCO17) == "Skeleton('coco17', 17 joints, 19 limbs)"
