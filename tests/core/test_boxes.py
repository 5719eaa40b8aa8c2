"""Boxes hold what they say, or name the one that cannot be."""

import numpy as np
import pytest
from pycocotools import mask

from bottomup.core import Boxes
from bottomup.core.boxes import corners, overlaps

TWO = np.array([[10, 20, 50, 120], [-5, 0, 30, 40]], np.float32)


def test_boxes_are_float32_and_sliced_like_people():
    boxes = Boxes(TWO.astype(float).tolist(), [0.5, 1])
    assert boxes.xyxy.dtype == boxes.scores.dtype == np.float32 and len(boxes) == 2
    np.testing.assert_array_equal(boxes[1].xyxy, TWO[1:])
    np.testing.assert_array_equal(boxes[[True, False]].scores, [0.5])
    np.testing.assert_array_equal(boxes[[1, 0]].scores, [1, 0.5])
    assert len(boxes[:0]) == 0
    with pytest.raises(IndexError, match="box 2 of 2"):
        boxes[2]


def test_no_boxes_are_ordinary():
    for none in (Boxes.none(), Boxes.from_coco([]), Boxes.of_xywh(np.zeros((0, 4)))):
        assert none.xyxy.shape == none.xywh.shape == (0, 4) and len(none.require_inside((10, 10))) == 0


def test_coco_boxes_are_left_top_width_height():
    boxes = Boxes.from_coco([{"bbox": [10, 20, 40, 100], "score": 0.25}, {"bbox": [-5, 0, 35, 40]}])
    np.testing.assert_array_equal(boxes.xyxy, TWO)
    np.testing.assert_array_equal(boxes.xywh, [[10, 20, 40, 100], [-5, 0, 35, 40]])
    np.testing.assert_array_equal(boxes.scores, [0.25, 1])


@pytest.mark.parametrize(
    "xyxy, scores, message",
    [
        ([[0, 0, 5, 5], [10, 20, 10, 30]], [1, 1], r"box 1 \(left, top, right, bottom 10, 20, 10, 30\) has no size"),
        ([[10, 20, 30, 15]], [1], "box 0 .*10, 20, 30, 15.* has no size"),
        ([[10, np.nan, 30, 15]], [1], "box 0 .*nan.* not finite"),
        ([[10, 20, 30, 40]], [np.inf], "box 0 .*not finite.*inf"),
        ([[10, 20, 30]], [1], r"xyxy must be \(N, 4\), got \(1, 3\)"),
        ([[10, 20, 30, 40]], [1, 2], r"scores must be \(1,\), got \(2,\)"),
    ],
)
def test_what_is_no_box_is_named(xyxy, scores, message):
    with pytest.raises(ValueError, match=message):
        Boxes(np.array(xyxy, np.float32), np.array(scores, np.float32))


def test_boxes_may_reach_over_the_border_but_not_lie_outside():
    boxes = Boxes(TWO, np.ones(2))
    assert boxes.require_inside((60, 60)) is boxes
    for size in ((10, 200), (200, 20)):
        with pytest.raises(ValueError, match=f"box 0 .* is outside the picture of {size[0]} x {size[1]} pixels"):
            boxes.require_inside(size)
    with pytest.raises(ValueError, match="box 0 .* outside"):
        Boxes(np.array([[-9, 5, 0, 9]]), np.ones(1)).require_inside((50, 50))


def test_overlap_by_hand():
    second = np.array([[5, 0, 15, 10], [0, 0, 10, 10], [20, 20, 30, 30], [2, 2, 4, 4], [5, 5, 5, 5]])
    np.testing.assert_allclose(overlaps(np.array([[0, 0, 10, 10]]), second), [[1 / 3, 1, 0, 0.04, 0]])
    assert overlaps(second[4:], second[4:]).item() == 0, "an empty box overlaps nothing, not even itself"
    assert overlaps(second, second[:0]).shape == (5, 0)


def test_overlap_is_that_of_pycocotools():
    rng = np.random.default_rng(3)
    first, second = (np.hstack((rng.uniform(0, 60, (n, 2)), rng.uniform(1, 80, (n, 2)))) for n in (7, 9))
    np.testing.assert_allclose(overlaps(corners(first), corners(second)), mask.iou(first, second, [0] * 9), rtol=1e-12)
