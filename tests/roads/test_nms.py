"""Suppression against plain loops, and what must hold of any suppression."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bottomup.core import COCO17, Boxes, People
from bottomup.core.oks import oks_matrix
from bottomup.roads.nms import nms, oks_nms, soft_nms, soft_oks_nms, softened

numbers = st.integers(0, 60)
boxes_of = st.lists(st.tuples(numbers, numbers, st.integers(1, 40), st.integers(1, 40)), max_size=12)


def made(rows, seed=0):
    scores = np.random.default_rng(seed).permutation(len(rows)).astype(np.float32) / max(len(rows), 1) + 0.05
    return Boxes.of_xywh(np.array(rows, np.float32).reshape(-1, 4), scores)


def iou(a, b):
    w, h = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    common = max(w, 0) * max(h, 0)
    return common / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - common)


@given(boxes_of, st.sampled_from([0.2, 0.5, 0.8]))
def test_hard_suppression_is_the_plain_loop(rows, most):
    boxes = made(rows)
    kept = []
    for i in np.argsort(-boxes.scores, kind="stable"):
        if all(iou(boxes.xyxy[i], boxes.xyxy[k]) <= most for k in kept):
            kept.append(int(i))
    np.testing.assert_array_equal(nms(boxes, most).xyxy, boxes.xyxy[kept])


@given(boxes_of, st.sampled_from([0.1, 0.5, 2.0]))
def test_soft_suppression_is_the_plain_loop(rows, spread):
    boxes = made(rows)
    left = {i: float(s) for i, s in enumerate(boxes.scores)}
    expected = []
    while left:
        best = max(left, key=lambda i: (left[i], -i))
        expected.append((best, left.pop(best)))
        left = {i: s * np.exp(-(iou(boxes.xyxy[best], boxes.xyxy[i]) ** 2) / spread) for i, s in left.items()}
    expected = [(i, s) for i, s in expected if s >= 0.001]
    found = soft_nms(boxes, spread)
    np.testing.assert_allclose(found.scores, [s for _, s in expected], rtol=1e-4)
    np.testing.assert_array_equal(found.xyxy, boxes.xyxy[[i for i, _ in expected]])


@given(boxes_of)
def test_what_must_hold(rows):
    boxes = made(rows)
    for found in (nms(boxes, 0.5), soft_nms(boxes)):
        assert len(found) <= len(boxes) and (np.diff(found.scores) <= 0).all()
        assert all(box.tolist() in boxes.xyxy.tolist() for box in found.xyxy)
        if len(boxes):
            assert found.scores[0] == boxes.scores.max()  # the best stays as it is
    once = nms(boxes, 0.5)
    np.testing.assert_array_equal(nms(once, 0.5).xyxy, once.xyxy)  # a second time changes nothing
    np.testing.assert_array_equal(np.sort(nms(boxes, 1.0).scores), np.sort(boxes.scores))


def poses(count, spread, seed=0):
    rng = np.random.default_rng(seed)
    joints = np.ones((count, 17, 3), np.float32)
    joints[..., :2] = rng.uniform(0, 100, (1, 17, 2)) + rng.normal(0, spread, (count, 1, 1))
    return People(joints, rng.permutation(count) / count + 0.1, COCO17), np.full(count, 1e4)


def test_who_is_the_same_is_found_once():
    (one, area), (other, _) = poses(4, 0.1), poses(3, 0.1, seed=1)
    everybody, areas = People.concatenate([one, other]), np.full(7, area[0])
    kept = oks_nms(everybody, areas, 0.9)
    assert len(kept) == 2
    assert sorted(kept.scores) == sorted([one.scores.max(), other.scores.max()])
    soft = soft_oks_nms(everybody, areas, 0.3)
    assert soft.scores[0] == everybody.scores.max() and (np.diff(soft.scores) <= 0).all()
    assert len(soft) <= 7 and (soft.scores > 0.1).sum() == 2


def test_pairs_are_judged_by_their_mean_area():
    people, _ = poses(2, 8)
    people = people[np.argsort(-people.scores)]
    oks = [oks_matrix(people.joints, people.joints, np.array(a), COCO17.sigmas)[0, 1] for a in (1e3, 5.5e3, 1e4)]
    assert oks[0] < oks[1] < oks[2]
    areas = np.array([1e3, 1e4])
    assert len(oks_nms(people, areas, oks[1] - 1e-6)) == 1 and len(oks_nms(people, areas, oks[1] + 1e-6)) == 2


def test_nobody_and_equal_scores():
    assert len(nms(Boxes.none(), 0.5)) == len(soft_nms(Boxes.none())) == 0
    nobody = People.nobody(COCO17)
    assert len(oks_nms(nobody, np.zeros(0), 0.9)) == len(soft_oks_nms(nobody, np.zeros(0), 0.9)) == 0
    order, scores = softened(np.eye(3), np.ones(3, np.float32), 0.5)
    assert order.tolist() == [0, 1, 2] and scores == pytest.approx(1)
