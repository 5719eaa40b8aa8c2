"""Encoding people and grouping the maps gives the people back, for every skeleton and every evidence."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bottomup.core import SKELETONS, Maps, People, Skeleton
from bottomup.grouping import group_batch
from bottomup.targets.encode import encode_people

SIGMA, STRIDE = 1.75, 4
EVIDENCE = ("pafs", "tags", "both")


def scattered(skeleton: Skeleton, seed: int, count: int = 3, height: int = 60, missing: float = 0.0) -> People:
    """People side by side, each with its joints apart from each other, a share of them missing."""
    rng = np.random.default_rng(seed)
    joints = np.zeros((count, len(skeleton), 3), np.float32)
    columns = 5
    for person in range(count):
        places = rng.permutation(columns * ((len(skeleton) + columns - 1) // columns))[: len(skeleton)]
        grid = np.stack((places % columns, places // columns), -1)
        joints[person, :, :2] = 8 + grid * 10 + rng.uniform(-1.5, 1.5, grid.shape) + (person * 60, 0)
        joints[person, :, 2] = 1
    gone = rng.random(joints.shape[:2]) < missing
    joints[gone] = 0
    return People(joints, np.ones(count, np.float32), skeleton)


def with_evidence(maps: Maps, evidence: str) -> Maps:
    pafs = None if evidence == "tags" else maps.pafs
    tags = None if evidence == "pafs" else maps.tags
    return Maps(maps.heatmaps, pafs, tags, sigma=maps.sigma)


def in_order(people: People) -> np.ndarray:
    """Joints of people sorted from left to right."""
    middle = [p[p[:, 2] > 0, 0].mean() for p in people.joints]
    return people.joints[np.argsort(middle)]


@pytest.mark.parametrize("evidence", EVIDENCE)
@pytest.mark.parametrize("name", sorted(SKELETONS))
def test_exact_maps_give_the_people_that_went_in(name: str, evidence: str) -> None:
    skeleton = SKELETONS[name]
    truth = [scattered(skeleton, seed) for seed in range(3)]
    found = group_batch(with_evidence(encode_people(truth, (60, 190), sigma=SIGMA), evidence), skeleton)
    assert [len(f) for f in found] == [3, 3, 3]
    pairs = zip(found, truth, strict=True)
    errors = np.concatenate([(in_order(f) - in_order(t))[..., :2].reshape(-1, 2) for f, t in pairs])
    pixels = STRIDE * errors
    assert np.abs(pixels.mean(0)).max() <= 0.02
    assert np.percentile(np.linalg.norm(pixels, axis=1), 95) <= 0.25


@given(seed=st.integers(0, 10_000), count=st.integers(0, 4), evidence=st.sampled_from(EVIDENCE))
@settings(max_examples=15, deadline=None)
def test_any_number_of_people_comes_back(seed: int, count: int, evidence: str) -> None:
    skeleton = SKELETONS["coco17"]
    truth = scattered(skeleton, seed, count)
    (found,) = group_batch(with_evidence(encode_people([truth], (60, 250), sigma=SIGMA), evidence), skeleton)
    assert found.joints.shape == (count, 17, 3)
    if count:
        assert np.allclose(in_order(found)[..., :2], in_order(truth)[..., :2], atol=0.2)
        assert found.scores.min() > 0.5  # as sure as joints of people of this size can be


def test_a_missing_joint_is_missing_and_not_guessed() -> None:
    skeleton = SKELETONS["coco17"]
    truth = scattered(skeleton, 3)
    joints = truth.joints.copy()
    joints[1, 9] = 0  # a wrist: nothing hangs on it
    truth = People(joints, truth.scores, skeleton)
    (found,) = group_batch(with_evidence(encode_people([truth], (60, 190), sigma=SIGMA), "both"), skeleton)
    assert len(found) == 3
    assert (in_order(found)[1, 9] == 0).all() and (in_order(found)[0, 9, 2] > 0.9)


def test_redundant_limbs_bridge_a_missing_shoulder() -> None:
    """Without the left shoulder the left arm still hangs on nothing, but hips and the right side hold together."""
    skeleton = SKELETONS["coco17"]
    joints = scattered(skeleton, 5, 1).joints.copy()
    joints[0, 6] = 0  # right shoulder: trunk and face are joined over the left side
    truth = People(joints, np.ones(1, np.float32), skeleton)
    (found,) = group_batch(with_evidence(encode_people([truth], (60, 70), sigma=SIGMA), "pafs"), skeleton)
    largest = max(found.joints, key=lambda p: (p[:, 2] > 0).sum())
    right_arm = {8, 10}
    assert {j for j in range(17) if largest[j, 2] > 0} >= set(range(17)) - {6} - right_arm
