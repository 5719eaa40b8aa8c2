"""Boxes of detectors: anchors, offsets, suppression against the plain rule, pooling against a plain reference."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bottomup.nets import boxes as box

torch.set_num_threads(1)


def boxes_of(seed: int, count: int, reach: float = 60.0) -> torch.Tensor:
    corners = reach * torch.rand(count, 2, generator=torch.Generator().manual_seed(seed))
    sides = 1 + reach * torch.rand(count, 2, generator=torch.Generator().manual_seed(seed + 1))
    return torch.cat((corners, corners + sides), 1)


def test_anchors_have_one_area_three_shapes_and_whole_pixels():
    anchors = box.base_anchors(32)
    assert anchors.tolist() == [[-23, -11, 23, 11], [-16, -16, 16, 16], [-11, -23, 11, 23]]
    large = box.base_anchors(512)
    sides = large[:, 2:] - large[:, :2]
    torch.testing.assert_close(sides.prod(1), torch.full((3,), 512.0**2), rtol=1e-2, atol=0)
    torch.testing.assert_close(sides[:, 1] / sides[:, 0], torch.tensor([0.5, 1, 2]), rtol=1e-2, atol=0)


def test_anchors_go_row_by_row_and_start_at_the_corner():
    base = torch.tensor([[-1.0, -1, 1, 1], [-2, -2, 2, 2]])
    anchors = box.grid_anchors(base, (2, 3), (8, 4))
    assert anchors.shape == (12, 4)
    assert torch.equal(anchors[:2], base)
    assert anchors[2].tolist() == [3, -1, 5, 1], "next column, four pixels on"
    assert anchors[6].tolist() == [-1, 7, 1, 9], "next row, eight pixels down"


def test_offsets_move_in_sides_and_grow_in_logarithms():
    boxes = torch.tensor([[10.0, 20, 30, 60]])  # 20 x 40 around (20, 40)
    deltas = torch.tensor([[0.5, -0.25, math.log(2), 0.0]])
    torch.testing.assert_close(box.moved(boxes, deltas), torch.tensor([[10.0, 10, 50, 50]]))
    torch.testing.assert_close(box.moved(boxes, 10 * deltas, (10, 10, 10, 10)), torch.tensor([[10.0, 10, 50, 50]]))
    assert torch.equal(box.moved(boxes, torch.zeros(1, 4)), boxes)


def test_growth_is_bounded():
    grown = box.moved(torch.tensor([[0.0, 0, 16, 16]]), torch.tensor([[0.0, 0, 100, 100]]))
    torch.testing.assert_close(grown[:, 2:] - grown[:, :2], torch.full((1, 2), 1000.0))


def test_boxes_are_cut_to_the_picture_and_slivers_are_told():
    cut = box.clipped(torch.tensor([[-5.0, -5, 50, 50], [30, 2, 40, 4]]), (20, 30))
    assert cut.tolist() == [[0, 0, 30, 20], [30, 2, 30, 4]]
    assert box.at_least(cut, 1).tolist() == [True, False]


def test_overlap_is_intersection_over_union():
    first = torch.tensor([[0.0, 0, 10, 10]])
    second = torch.tensor([[0.0, 0, 10, 10], [5, 0, 15, 10], [10, 0, 20, 10], [2, 2, 4, 4], [3, 3, 3, 3]])
    torch.testing.assert_close(box.overlaps(first, second), torch.tensor([[1, 1 / 3, 0, 0.04, 0]]))
    assert box.overlaps(second[4:], second[4:]).item() == 0, "an empty box overlaps nothing, not even itself"


def greedy(boxes: torch.Tensor, scores: torch.Tensor, most: float) -> list[int]:
    """The plain rule: best first, each unless a kept one overlaps it too much."""
    kept: list[int] = []
    over = (box.overlaps(boxes, boxes) > most).tolist()
    for i in sorted(range(len(boxes)), key=lambda i: (-scores[i].item(), i)):
        if not any(over[j][i] for j in kept):
            kept.append(i)
    return kept


@settings(max_examples=40)
@given(seed=st.integers(0, 10**6), count=st.integers(0, 40), most=st.sampled_from([0.0, 0.3, 0.5, 0.7]))
def test_suppression_is_the_greedy_rule(seed, count, most):
    boxes = boxes_of(seed, count)
    scores = (8 * torch.rand(count, generator=torch.Generator().manual_seed(seed + 2))).round()  # many equal ones
    kept = box.unsuppressed(boxes, scores, most)
    assert kept.tolist() == greedy(boxes, scores, most)


@settings(max_examples=20)
@given(seed=st.integers(0, 10**6), count=st.integers(1, 30))
def test_what_is_kept_does_not_overlap_and_what_is_not_is_overlapped_by_better(seed, count):
    boxes, scores = boxes_of(seed, count), torch.arange(count, 0.0, -1)
    kept = box.unsuppressed(boxes, scores, 0.5)
    assert kept[0] == 0 and torch.equal(kept, kept.sort().values)
    among = box.overlaps(boxes[kept], boxes[kept]).fill_diagonal_(0)
    assert (among <= 0.5).all()
    for lost in set(range(count)) - set(kept.tolist()):
        assert (box.overlaps(boxes[kept[kept < lost]], boxes[lost : lost + 1]) > 0.5).any()


def test_a_long_chain_of_boxes_keeps_every_second():
    starts = torch.arange(50.0) * 4
    chain = torch.stack((starts, torch.zeros(50), starts + 10, torch.full((50,), 10.0)), 1)
    scores = torch.arange(50, 0.0, -1)
    assert box.unsuppressed(chain, scores, 0.3).tolist() == list(range(0, 50, 2))


def test_pooling_worked_by_hand():
    features = torch.arange(16.0).reshape(1, 4, 4)  # value = column + 4 row, so that means are values at centres
    pooled = box.roi_align(features, torch.tensor([[0.0, 0, 2, 2]]), 2, 1.0)
    # bins of one cell from (0, 0): their centres are (.5, .5), (1.5, .5), (.5, 1.5), (1.5, 1.5)
    torch.testing.assert_close(pooled[0, 0], torch.tensor([[2.5, 3.5], [6.5, 7.5]]))
    aligned = box.roi_align(features, torch.tensor([[1.0, 1, 3, 3]]), 2, 1.0, aligned=True)
    torch.testing.assert_close(aligned[0, 0], torch.tensor([[5.0, 6], [9, 10]]))  # the four cells inside
    half = box.roi_align(features, torch.tensor([[2.0, 2, 6, 6]]), 1, 0.5, aligned=True)
    assert half.item() == pytest.approx(7.5), "the box's centre (4, 4) is (1.5, 1.5) in cells"


def test_small_boxes_count_as_a_cell_unless_aligned():
    features = torch.arange(4.0).expand(1, 4, 4)
    sliver = torch.tensor([[1.0, 1, 1.2, 1.2]])
    assert box.roi_align(features, sliver, 1, 1.0).item() == pytest.approx(1.5)
    assert box.roi_align(features, sliver, 1, 1.0, aligned=True).item() == pytest.approx(0.6)


def reference(features: np.ndarray, roi: list[float], size: int, scale: float, samples: int, aligned: bool):
    """Pooling one point at a time, as the layer is defined."""
    _, height, width = features.shape
    x1, y1, x2, y2 = (v * scale - (0.5 if aligned else 0) for v in roi)
    w, h = (x2 - x1, y2 - y1) if aligned else (max(x2 - x1, 1), max(y2 - y1, 1))
    pooled = np.zeros((features.shape[0], size, size))
    for row, column, i, j in np.ndindex(size, size, samples, samples):
        y = y1 + h / size * (row + (i + 0.5) / samples)
        x = x1 + w / size * (column + (j + 0.5) / samples)
        if not (-1 <= y <= height and -1 <= x <= width):
            continue
        y, x = min(max(y, 0), height - 1), min(max(x, 0), width - 1)
        top, left = int(y), int(x)
        below, right = min(top + 1, height - 1), min(left + 1, width - 1)
        upper = features[:, top, left] * (1 - (x - left)) + features[:, top, right] * (x - left)
        lower = features[:, below, left] * (1 - (x - left)) + features[:, below, right] * (x - left)
        pooled[:, row, column] += (upper * (1 - (y - top)) + lower * (y - top)) / samples**2
    return pooled


@pytest.mark.parametrize("aligned", [False, True])
@pytest.mark.parametrize(("shape", "size", "scale"), [((5, 7), 3, 0.25), ((9, 6), 2, 0.5), ((1, 4), 2, 0.125)])
def test_pooling_is_the_plain_reference_also_across_borders(aligned, shape, size, scale):
    features = torch.randn(3, *shape, generator=torch.Generator().manual_seed(1))
    rois = torch.cat((boxes_of(5, 6, reach=20), torch.tensor([[-30.0, -30, 60, 60], [3, 3, 3.5, 3.5], [90, 0, 99, 9]])))
    pooled = box.roi_align(features, rois, size, scale, aligned=aligned)
    expected = [reference(features.numpy(), roi, size, scale, 2, aligned) for roi in rois.tolist()]
    np.testing.assert_allclose(pooled.numpy(), np.stack(expected), atol=2e-5)


def test_levels_follow_the_size_of_boxes():
    sides = [1, 111, 113, 223, 224, 447, 448, 2000]
    boxes = torch.tensor([[0.0, 0, s, s] for s in sides])
    assert box.pyramid_level(boxes).tolist() == [2, 2, 3, 3, 4, 4, 5, 5]
    assert box.pyramid_level(torch.tensor([[0.0, 0, 448, 112]])).item() == 4, "by area"


def test_each_box_is_pooled_from_its_level_and_order_is_kept():
    pyramid = [torch.full((2, 512 // s, 512 // s), float(s)) for s in (4, 8, 16, 32)]
    boxes = torch.tensor([[0.0, 0, 500, 500], [0, 0, 20, 20], [0, 0, 230, 230], [0, 0, 120, 120]])
    assert box.pyramid_align(pyramid, boxes, 2)[:, 0, 0, 0].tolist() == [32, 4, 16, 8]


def test_no_boxes_are_pooled_to_nothing():
    none = torch.zeros(0, 4)
    assert box.roi_align(torch.zeros(3, 4, 4), none, 7, 0.25).shape == (0, 3, 7, 7)
    assert box.pyramid_align([torch.zeros(3, 4, 4)] * 4, none, 7).shape == (0, 3, 7, 7)
    assert box.unsuppressed(none, torch.zeros(0), 0.5).shape == (0,)
