"""Keypoint R-CNN's losses: hand-worked owners, offsets and sums."""

from __future__ import annotations

import math

import pytest
import torch

from bottomup.nets.boxes import moved
from bottomup.targets.keypoint_rcnn import (
    NOBODY,
    UNSURE,
    box_loss,
    keypoint_loss,
    offsets,
    overlaps,
    owners,
    proposal_loss,
    sampled,
    spared,
)

TRUTH = torch.tensor([[0.0, 0, 10, 10], [20, 0, 30, 10]])


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_overlap_is_common_over_joint_area():
    shared = overlaps(torch.tensor([[0.0, 0, 10, 10], [5, 0, 15, 10], [40, 40, 41, 41]]), TRUTH)
    assert shared[:, 0].tolist() == pytest.approx([1, 1 / 3, 0]) and shared[:, 1].tolist() == [0, 0, 0]


def test_boxes_find_whom_they_overlap_most():
    boxes = torch.tensor([[0.0, 0, 10, 8], [0, 0, 10, 5], [20, 0, 25, 5], [50, 50, 60, 60]])  # .8, .5, .25, 0
    assert owners(boxes, TRUTH, low=0.3, high=0.7).tolist() == [0, UNSURE, NOBODY, NOBODY]
    assert owners(boxes, TRUTH, low=0.5, high=0.5).tolist() == [0, 0, NOBODY, NOBODY]
    assert owners(boxes, TRUTH, low=0.3, high=0.7, rescue=True).tolist() == [0, UNSURE, 1, NOBODY]
    assert owners(boxes, TRUTH[:0], low=0.3, high=0.7, rescue=True).tolist() == [NOBODY] * 4


def test_background_is_spared_where_people_may_be_that_nobody_labelled():
    taught = torch.tensor([[1, 0, 1]], dtype=torch.uint8)  # of 8 pixels each
    boxes = torch.tensor([[0.0, 0, 10, 8], [0, 0, 20, 8], [8, 0, 16, 8], [0, 0, 70, 90]])  # middles at 5, 10, 12, 35
    owner = torch.tensor([NOBODY, NOBODY, 1, NOBODY])
    assert spared(owner, boxes, taught, 8).tolist() == [NOBODY, UNSURE, 1, NOBODY]


def test_samples_are_people_up_to_a_share_and_background():
    owner = torch.tensor([0] * 30 + [UNSURE] * 30 + [NOBODY] * 30)
    chosen = sampled(owner, 16, 0.25, seeded())
    assert len(set(chosen.tolist())) == 16 and (owner[chosen] >= 0).sum() == 4 and (owner[chosen] != UNSURE).all()
    assert len(sampled(owner, 100, 0.5, seeded())) == 60


def test_offsets_are_undone_by_moving():
    boxes, weights = torch.tensor([[0.0, 0, 8, 4], [3, 1, 7, 21]]), (10.0, 10.0, 5.0, 5.0)
    steps = offsets(boxes, TRUTH)
    assert steps[0].tolist() == pytest.approx([1 / 8, 3 / 4, math.log(10 / 8), math.log(10 / 4)])
    torch.testing.assert_close(moved(boxes, offsets(boxes, TRUTH, weights), weights), TRUTH)


def test_proposals_are_charged_for_scores_and_people():
    anchors = torch.tensor([[0.0, 0, 10, 10], [20, 0, 30, 10], [50, 50, 60, 60], [70, 0, 80, 10]])
    logits, deltas = torch.tensor([0.0, 2.0, 0.0, -1.0]), torch.zeros(4, 4)
    deltas[0], deltas[2] = 0.5, 9.0  # the second is background's, which has no box to be charged for
    losses = proposal_loss(logits, deltas, anchors, torch.tensor([0, 1, NOBODY, NOBODY]), TRUTH, seeded())
    entropy = [math.log(2), math.log(1 + math.exp(-2)), math.log(2), math.log(1 + math.exp(-1))]
    assert losses["objectness"].item() == pytest.approx(sum(entropy) / 4, rel=1e-5)
    assert losses["anchor"].item() == pytest.approx(4 * 0.5 / 4)


def test_boxes_are_charged_smoothly_near_the_truth():
    boxes, owner = torch.cat((TRUTH, TRUTH[:1] + 50)), torch.tensor([0, 1, NOBODY])
    deltas = torch.tensor([[0.25, 0, 0, 0], [0, 2.0, 0, 0], [5, 5, 5, 5]])
    losses = box_loss(torch.zeros(3, 2), deltas, boxes, owner, TRUTH, (10.0, 10.0, 5.0, 5.0))
    assert losses["score"].item() == pytest.approx(math.log(2))
    assert losses["box"].item() == pytest.approx((0.5 * 0.25**2 / 0.5 + 2 - 0.25) / 3)


def test_joints_are_one_cell_of_their_box():
    boxes = torch.tensor([[10.0, 20, 18, 36]])  # cells of 2 x 4 pixels in a map of 4 x 4
    joints = torch.tensor([[[13.9, 29.0, 1], [18, 36, 1], [12, 22, 0], [19, 30, 1]]])
    logits = torch.zeros(1, 4, 4, 4)
    logits[0, 0, 2, 1], logits[0, 1, 3, 3] = 3.0, 1.0  # the third is not labelled, the fourth outside
    wanted = [math.log(15 + math.exp(v)) - v for v in (3, 1)]
    assert keypoint_loss(logits, boxes, joints).item() == pytest.approx(sum(wanted) / 2, rel=1e-5)
    joints[0, 1, 2] = 0.5  # less sure
    assert keypoint_loss(logits, boxes, joints).item() == pytest.approx((wanted[0] + wanted[1] / 2) / 2, rel=1e-5)


def test_nobody_costs_nothing_and_keeps_the_gradient():
    logits = torch.zeros(0, 4, 8, 8, requires_grad=True)
    loss = keypoint_loss(logits, torch.zeros(0, 4), torch.zeros(0, 4, 3))
    loss.backward()
    assert loss == 0 and logits.grad is not None
    nobody = proposal_loss(torch.zeros(5), torch.zeros(5, 4), TRUTH[[0] * 5], torch.full((5,), NOBODY), TRUTH[:0])
    assert nobody["anchor"] == 0 and nobody["objectness"].item() == pytest.approx(math.log(2))


def test_where_nothing_may_be_taught_nothing_is_charged():
    unsure = torch.full((5,), UNSURE)
    losses = proposal_loss(torch.ones(5), torch.ones(5, 4), TRUTH[[0] * 5], unsure, TRUTH)
    losses |= box_loss(torch.zeros(0, 2), torch.zeros(0, 4), TRUTH[:0], unsure[:0], TRUTH, (10.0, 10.0, 5.0, 5.0))
    assert all(loss == 0 for loss in losses.values())
