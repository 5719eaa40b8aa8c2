"""One skeleton's joints in another's order, by what the joints mean."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bottomup.core.people import People
from bottomup.core.skeleton import COCO17, POSETRACK15, UNION21, Skeleton

# Joints whose names mislead: (skeleton, joint) -> the place of the body. All others mean what they are called.
# Measured along mid-shoulder (0) to head top (1): MPII's upper neck .17, LSP's neck .18, CrowdPose's .20,
# PoseTrack's head bottom .21; MPII's thorax 0. JHMDB marks the throat, and the middle of the face as head.
MEANINGS = {
    ("openpose18", "neck"): "between_shoulders",  # their mean, lower than where others mark a neck
    ("crowdpose14", "neck"): "upper_neck",
    ("posetrack15", "head_bottom"): "upper_neck",
    ("lsp14", "neck"): "upper_neck",
    ("jhmdb15", "neck"): "upper_neck",
    ("jhmdb15", "head"): "middle_of_face",
}
# Places that lie halfway between two others; computed only where it is asked for.
HALFWAY = {
    "between_shoulders": ("left_shoulder", "right_shoulder"),
    "pelvis": ("left_hip", "right_hip"),
}
TARGETS = {"coco17": COCO17, "posetrack15": POSETRACK15, "union": UNION21}  # what sets are merged into
WRITTEN = {"openpose18": COCO17}  # what results are written in, where it is not the skeleton itself


def meanings(skeleton: Skeleton) -> tuple[str, ...]:
    """For every joint the place of the body that it marks; equal in all skeletons that mark it."""
    return tuple(MEANINGS.get((skeleton.name, joint), joint) for joint in skeleton.joints)


def correspondence(source: Skeleton, target: Skeleton) -> tuple[int, ...]:
    """For every joint of the target the number of the source's joint that means the same, or -1."""
    places = {place: number for number, place in enumerate(meanings(source))}
    return tuple(places.get(place, -1) for place in meanings(target))


def missing_joints(source: Skeleton, target: Skeleton) -> tuple[str, ...]:
    """Joints of the target that the source does not have."""
    return tuple(joint for joint, k in zip(target.joints, correspondence(source, target), strict=True) if k < 0)


def relaid_joints(joints: np.ndarray, source: Skeleton, target: Skeleton, *, derive: Sequence[str] = ()) -> np.ndarray:
    """Joints (..., K, C) in the target's order (..., K', C); zeros where the source has no such joint.

    derive: places of HALFWAY to compute where the source lacks them: x and y halfway between their two ends, and of
    what follows (score, flag) the smaller; zeros unless both ends are there (last number above 0).
    """
    where = np.array(correspondence(source, target))
    relaid: np.ndarray = np.where((where >= 0)[:, None], joints[..., where, :], np.zeros((), joints.dtype))
    for place in derive:
        if place not in HALFWAY:
            raise ValueError(f"derive: {place!r} is none of {', '.join(HALFWAY)}")
        if place in meanings(target) and place not in meanings(source):
            ends = [meanings(source).index(end) for end in HALFWAY[place]]
            relaid[..., meanings(target).index(place), :] = _halfway(joints[..., ends, :])
    return relaid


def _halfway(ends: np.ndarray) -> np.ndarray:
    """(..., 2, C) -> (..., C)."""
    middle = np.concatenate((ends[..., :2].mean(-2), ends[..., 2:].min(-2)), -1)
    return np.where(ends[..., -1].min(-1)[..., None] > 0, middle, 0).astype(ends.dtype)


def relaid(people: People, target: Skeleton, *, derive: Sequence[str] = ()) -> People:
    """The same people with the target's joints; one that their skeleton lacks is not found (0, 0, 0).

    derive: as in `relaid_joints`.
    """
    joints = relaid_joints(people.joints, people.skeleton, target, derive=derive)
    return People(joints, people.scores, target, people.boxes, people.ids)


def written_skeleton(skeleton: Skeleton) -> Skeleton:
    """The skeleton that results of this one are written in: COCO's 17 joints for OpenPose's 18."""
    return WRITTEN.get(skeleton.name, skeleton)


def as_written(people: People) -> People:
    """The people with the joints that results hold."""
    target = written_skeleton(people.skeleton)
    return people if target is people.skeleton else relaid(people, target)
