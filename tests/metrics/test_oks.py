"""OKS and matching in numpy: equal to the formula and to COCO's loops, one by one."""

from __future__ import annotations

import numpy as np
import pytest

from bottomup.core import COCO17
from bottomup.metrics.oks import TruePeople, joint_similarities, matches, oks_matrix

SIGMAS = np.array(COCO17.sigmas)


def crowd_of(seed: int, count: int = 6) -> TruePeople:
    """True people with some joints, one of them with none, one a crowd."""
    random = np.random.default_rng(seed)
    joints = np.concatenate(
        [random.uniform(0, 300, (count, 17, 2)), random.integers(0, 3, (count, 17, 1)).astype(float)], 2
    )
    joints[1, :, 2] = 0
    boxes = np.hstack([random.uniform(0, 200, (count, 2)), random.uniform(20, 100, (count, 2))])
    crowd = np.arange(count) == 2
    return TruePeople(joints, boxes, random.uniform(500, 9000, count), crowd, crowd | (np.arange(count) == 1))


def plain_oks(xy: np.ndarray, people: TruePeople, person: int) -> float:
    """By the definition, one joint after the other."""
    labelled = people.joints[person, :, 2] > 0
    x, y, w, h = people.boxes[person]
    values = []
    for joint in range(17):
        if labelled.any() and not labelled[joint]:
            continue
        if labelled.any():
            dx, dy = xy[joint] - people.joints[person, joint, :2]
        else:  # the distance to the box doubled to each side
            dx = max(0, x - w - xy[joint, 0]) + max(0, xy[joint, 0] - (x + 2 * w))
            dy = max(0, y - h - xy[joint, 1]) + max(0, xy[joint, 1] - (y + 2 * h))
        values.append(np.exp(-(dx**2 + dy**2) / (2 * people.areas[person] * (2 * SIGMAS[joint]) ** 2)))
    return float(np.mean(values))


@pytest.mark.parametrize("seed", range(4))
def test_oks_is_the_definition(seed):
    people = crowd_of(seed)
    points = np.random.default_rng(seed + 9).uniform(-50, 350, (5, 17, 2))
    expected = [[plain_oks(xy, people, person) for person in range(6)] for xy in points]
    np.testing.assert_allclose(oks_matrix(points, people, SIGMAS), expected, rtol=1e-9, atol=1e-15)


def test_a_joint_on_its_place_is_1_and_one_k_away_is_what_a_gaussian_has_at_one_sigma():
    people = crowd_of(0)
    places = people.joints[:1, :, :2].copy()
    assert joint_similarities(places, people, SIGMAS)[0, 0] == pytest.approx(np.ones(17))
    places[0, :, 0] += 2 * SIGMAS * np.sqrt(people.areas[0])
    assert joint_similarities(places, people, SIGMAS)[0, 0] == pytest.approx(np.full(17, np.exp(-0.5)))


def plain_matches(oks: np.ndarray, threshold: float, ignored: np.ndarray, crowd: np.ndarray) -> list[int]:
    """COCO's own loops: people sorted with the ignored behind, of equal OKS the later taken."""
    order = sorted(range(oks.shape[1]), key=lambda person: ignored[person])
    taken: set[int] = set()
    met = []
    for row in oks:
        best, reached = -1, min(threshold, 1 - 1e-10)
        for person in order:
            if person in taken and not crowd[person]:
                continue
            if best > -1 and not ignored[best] and ignored[person]:
                break
            if row[person] >= reached:
                best, reached = person, row[person]
        if best > -1:
            taken.add(best)
        met.append(best)
    return met


@pytest.mark.parametrize("seed", range(12))
def test_matching_is_cocos_loop(seed):
    random = np.random.default_rng(seed)
    oks = np.round(random.random((9, 6)), 1)  # coarse, so that there are equals
    ignored = random.random((4, 6)) < 0.4
    crowd = random.random(6) < 0.3
    thresholds = np.array([0.3, 0.5, 0.7, 0.9])
    expected = [plain_matches(oks, t, i, crowd) for t, i in zip(thresholds, ignored, strict=True)]
    np.testing.assert_array_equal(matches(oks, thresholds, ignored, crowd), expected)


def test_nobody_on_either_side_is_ordinary():
    nobody = np.zeros(0, bool)
    assert matches(np.zeros((3, 0)), np.array([0.5]), nobody[None], nobody).tolist() == [[-1, -1, -1]]
    assert matches(np.zeros((0, 2)), np.array([0.5]), np.zeros((1, 2), bool), np.zeros(2, bool)).shape == (1, 0)
    assert oks_matrix(np.zeros((2, 17, 2)), TruePeople.of([], 17), SIGMAS).shape == (2, 0)
