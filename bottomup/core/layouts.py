"""One skeleton's joints in another's order, by what the joints mean."""

from __future__ import annotations

import numpy as np

from bottomup.core.people import People
from bottomup.core.skeleton import COCO17, Skeleton

# Joints whose names mislead: (skeleton, joint) -> the place of the body. All others mean what they are called.
MEANINGS = {
    ("openpose18", "neck"): "between_shoulders",  # their mean, lower than where others mark a neck
    ("crowdpose14", "neck"): "upper_neck",
    ("posetrack15", "head_bottom"): "upper_neck",
}
WRITTEN = {"openpose18": COCO17}  # what results are written in, where it is not the skeleton itself


def meanings(skeleton: Skeleton) -> tuple[str, ...]:
    """For every joint the place of the body that it marks; equal in all skeletons that mark it."""
    return tuple(MEANINGS.get((skeleton.name, joint), joint) for joint in skeleton.joints)


def correspondence(source: Skeleton, target: Skeleton) -> tuple[int, ...]:
    """For every joint of the target the number of the source's joint that means the same, or -1."""
    places = {place: number for number, place in enumerate(meanings(source))}
    return tuple(places.get(place, -1) for place in meanings(target))


def relaid(people: People, target: Skeleton) -> People:
    """The same people with the target's joints; one that their skeleton lacks is not found (0, 0, 0)."""
    where = np.array(correspondence(people.skeleton, target))
    joints = np.where((where >= 0)[:, None], people.joints[:, where], np.float32(0))
    return People(joints, people.scores, target, people.boxes, people.ids)


def written_skeleton(skeleton: Skeleton) -> Skeleton:
    """The skeleton that results of this one are written in: COCO's 17 joints for OpenPose's 18."""
    return WRITTEN.get(skeleton.name, skeleton)


def as_written(people: People) -> People:
    """The people with the joints that results hold."""
    target = written_skeleton(people.skeleton)
    return people if target is people.skeleton else relaid(people, target)
