"""The light person detector: what its cells mean, and that it starts where training can go on."""

from __future__ import annotations

import pytest
import torch

from bottomup.nets import build, description
from bottomup.nets.detector_mobile import DetectorMobile, boxes_of, level_cells, middles


@pytest.fixture
def small() -> DetectorMobile:
    torch.manual_seed(0)
    return DetectorMobile(width=16)


def test_cells_of_all_levels_row_by_row():
    cells = level_cells((64, 96))
    assert cells == ((8, 8, 12), (16, 4, 6), (32, 2, 3))
    points = middles(cells)
    assert points[:2].tolist() == [[4, 4], [12, 4]] and points[12].tolist() == [4, 12]
    assert points[96].tolist() == [8, 8] and points[-1].tolist() == [80, 48]


def test_boxes_are_as_far_from_the_cells_middle_as_it_says():
    cells = level_cells((64, 64))
    rows = torch.zeros(1, 5, 64 + 16 + 4)
    rows[0, 1:, 64] = torch.tensor([1.0, 2, 3, 4]).log()  # left, top, right, bottom in cells of 16 pixels
    boxes = boxes_of(rows, (64, 64))
    assert boxes.shape == (1, 84, 4)
    torch.testing.assert_close(boxes[0, 64], torch.tensor([8.0 - 16, 8 - 32, 8 + 48, 8 + 64]))
    torch.testing.assert_close(boxes[0, 0], torch.tensor([-4.0, -4, 12, 12]))
    assert len(middles(cells)) == 84


def test_an_overflowing_size_stays_finite():
    rows = torch.full((1, 5, 84), 1e4)
    assert torch.isfinite(boxes_of(rows, (64, 64))).all()


def test_an_answer_has_a_score_and_a_box_for_every_cell(small, images):
    said = small.eval()(images(2, 64, 96))
    assert said.logits.shape == (2, 126) and said.boxes.shape == (2, 126, 4)
    assert said.cells == level_cells((64, 96))
    assert (said.boxes[..., 2:] > said.boxes[..., :2]).all()


def test_before_training_people_are_rare_and_boxes_of_a_sensible_size(small, images):
    said = small.eval()(images(1, 64, 64))
    assert said.logits.sigmoid().max() < 0.05
    sides = (said.boxes[..., 2] - said.boxes[..., 0]).detach()[0]
    for level, stride in ((sides[:64], 8), (sides[64:80], 16), (sides[80:], 32)):
        assert level.median() == pytest.approx(8 * stride, rel=0.3)


def test_every_level_teaches_the_backbone(small, images):
    for level in range(3):
        small.zero_grad()
        small.train().heads(images(2, 64, 64))[level].square().mean().backward()
        assert small.backbone._conv_stem.weight.grad.abs().sum() > 0


def test_the_default_is_small_enough_and_can_be_built_again():
    network = DetectorMobile()
    assert 2 * sum(p.numel() for p in network.parameters()) < 6e6
    again = build(**description(network))
    assert {k: v.shape for k, v in again.state_dict().items()} == {k: v.shape for k, v in network.state_dict().items()}
