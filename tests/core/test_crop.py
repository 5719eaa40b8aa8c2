"""Crops show a box as large as they can, and points go into them and back."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bottomup.core import Warp, crop_warp, framed
from bottomup.core.crop import cut

coordinates = st.floats(-300, 900)
sides = st.floats(1, 800)


@given(coordinates, coordinates, sides, sides, st.sampled_from([(192, 256), (288, 384), (256, 256)]))
def test_into_the_crop_and_back_is_exact(x, y, width, height, size):
    warp = crop_warp(np.array([x, y, x + width, y + height]), size, (1.25, 1.25))
    points = np.array([[x, y], [x + width, y + height], [0, 0]])
    np.testing.assert_allclose(warp.inverse().points(warp.points(points)), points, atol=1e-6)
    inside = warp.points(points[:2] - 0.5)  # the box's borders, in pixel centres
    assert (inside > -0.5 - 1e-6).all() and (inside < np.array(size) - 0.5 + 1e-6).all()
    assert np.allclose(warp.matrix[0, 0], warp.matrix[1, 1])  # nobody is squeezed


def test_a_box_worked_by_hand():
    # 40 x 100 enlarged by 1.25: 50 x 125; at 3 : 4 the width grows to 93.75
    np.testing.assert_allclose(framed([10, 20, 50, 120], (192, 256), (1.25, 1.25)), [-16.875, 7.5, 76.875, 132.5])
    warp = crop_warp(np.array([10, 20, 50, 120]), (192, 256), (1.25, 1.25))
    assert warp.scale == pytest.approx(256 / 125)
    # the frame's left border lies half a pixel left of the crop's first pixel centre
    np.testing.assert_allclose(warp.points(np.array([[-16.875 - 0.5, 7.5 - 0.5]])), [[-0.5, -0.5]])
    np.testing.assert_allclose(warp.points(np.array([[29.5, 69.5]])), [[95.5, 127.5]])  # middle to middle


def test_enlarging_differs_by_axis_and_frames_come_in_batches():
    wide, high = framed([[0, 0, 90, 10], [0, 0, 10, 90]], (100, 100), (1.2, 1.3))
    np.testing.assert_allclose(wide, [-9, -49, 99, 59])
    np.testing.assert_allclose(high, [-53.5, -13.5, 63.5, 103.5])


def test_a_box_of_no_size_is_named():
    with pytest.raises(ValueError, match=r"box \[1, 2, 1, 2\].* has no size"):
        crop_warp(np.array([1, 2, 1, 2]), (64, 64))


@pytest.fixture(scope="module")
def picture():
    noise = np.random.default_rng(0).integers(0, 256, (300, 400, 3), dtype=np.uint8)
    return cv2.GaussianBlur(noise, (0, 0), 3)


@pytest.mark.parametrize("box", [(100, 100, 140, 180), (-20, 50, 300, 290), (350, 10, 398, 30), (5, 5, 395, 295)])
@pytest.mark.parametrize("degrees", [0, 30])
def test_a_part_of_the_picture_gives_the_crop_of_the_whole(picture, box, degrees):
    plain = crop_warp(np.array(box), (96, 128), (1.25, 1.25))
    warp = Warp.shift(48, 64) @ Warp.rotation(degrees) @ Warp.shift(-48, -64) @ plain
    part, whole = cut(picture, warp, (96, 128), border=114), warp.image(picture, (96, 128), border=114)
    assert np.abs(part.astype(int) - whole).max() <= 8  # areas are averaged on another grid
    assert np.abs(part.astype(int) - whole).mean() < 0.5


def test_outside_the_picture_is_nothing_but_border(picture):
    crop = cut(picture, crop_warp(np.array([900, 900, 950, 950]), (32, 48)), (32, 48), border=7)
    assert crop.shape == (48, 32, 3) and (crop == 7).all()
