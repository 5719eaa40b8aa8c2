"""Warps: pixel centres, composition, EXIF; pictures and points move together."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from bottomup.core import Warp

warps = st.builds(
    lambda degrees, scale, x, y: Warp.shift(x, y) @ Warp.rotation(degrees, scale),
    st.floats(-180, 180),
    st.floats(0.1, 8),
    st.floats(-200, 200),
    st.floats(-200, 200),
)
points = st.lists(st.tuples(st.floats(-500, 500), st.floats(-500, 500)), min_size=1, max_size=5).map(np.array)


def blob(width: int, height: int, centre: tuple[float, float], sigma: float) -> np.ndarray:
    """A round bump at a real-valued place, so that its centre of mass can be measured."""
    y, x = np.mgrid[:height, :width]
    bump = np.exp(-((x - centre[0]) ** 2 + (y - centre[1]) ** 2) / (2 * sigma**2))
    return (255 * bump).astype(np.float32)


def centre_of_mass(image: np.ndarray) -> np.ndarray:
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    return np.array([(x * image).sum(), (y * image).sum()]) / image.sum()


def test_resizing_keeps_the_corners_of_the_picture():
    # the picture reaches from -1/2 to W - 1/2; the outer corners stay corners
    corners = np.array([[-0.5, -0.5], [9.5, 19.5]])
    np.testing.assert_allclose(Warp.resize(3, 0.5).points(corners), [[-0.5, -0.5], [29.5, 9.5]])


@pytest.mark.parametrize(("x", "expected"), [(0, 0.5), (1, 2.5), (10, 20.5)])
def test_doubling_puts_a_centre_between_two_pixels(x, expected):
    assert Warp.resize(2).points(np.array([x, x], float)).tolist() == [expected, expected]


@pytest.mark.parametrize(("stride", "cell", "pixel"), [(4, 0, 1.5), (4, 3, 13.5), (8, 0, 3.5), (8, 5, 43.5), (1, 7, 7)])
def test_cells_lie_in_the_middle_of_their_pixels(stride, cell, pixel):
    np.testing.assert_allclose(Warp.cells(stride).points(np.array([pixel, pixel])), [cell, cell], atol=1e-12)


def test_mirroring_swaps_first_and_last_column():
    assert Warp.flip(10).points(np.array([[0.0, 3.0], [9.0, 3.0]])).tolist() == [[9, 3], [0, 3]]


def test_a_quarter_turn_clockwise_takes_right_to_down():
    np.testing.assert_allclose(Warp.rotation(90).points(np.array([1.0, 0.0])), [0, 1], atol=1e-12)
    np.testing.assert_allclose(Warp.rotation(90).points(np.array([0.0, 1.0])), [-1, 0], atol=1e-12)


@given(warps, warps, points)
def test_composition_is_one_after_the_other(second, first, xy):
    np.testing.assert_allclose((second @ first).points(xy), second.points(first.points(xy)), atol=1e-6)


@given(warps, warps, warps)
def test_composition_is_associative(a, b, c):
    np.testing.assert_allclose(((a @ b) @ c).matrix, (a @ (b @ c)).matrix, rtol=1e-9, atol=1e-6)


@given(warps, points)
def test_the_inverse_leads_back(warp, xy):
    np.testing.assert_allclose(warp.inverse().points(warp.points(xy)), xy, atol=1e-6)
    np.testing.assert_allclose((warp.inverse() @ warp).matrix, Warp.identity().matrix, atol=1e-6)


@given(warps, warps)
def test_scales_multiply(a, b):
    assert (a @ b).scale == pytest.approx(a.scale * b.scale)


def test_scale_of_an_uneven_resize_is_the_root_of_the_area():
    assert Warp.resize(4, 9).scale == pytest.approx(6)
    assert Warp.flip(10).scale == 1


def test_mirroring_twice_is_nothing():
    np.testing.assert_array_equal((Warp.flip(11) @ Warp.flip(11)).matrix, Warp.identity().matrix)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(2,), (0, 2), (5, 2), (3, 17, 2)])
def test_points_keep_shape_and_type(shape, dtype):
    mapped = Warp.shift(1, 2).points(np.zeros(shape, dtype))
    assert mapped.shape == shape and mapped.dtype == dtype


def test_whole_numbers_become_real_ones():
    assert Warp.shift(0.5, 0).points(np.array([1, 2])).tolist() == [1.5, 2]


@given(warps)
def test_mapped_boxes_hold_their_mapped_corners_tightly(warp):
    (x, y, w, h) = 10.0, 20.0, 30.0, 40.0
    mapped = warp.points(np.array([[x, y], [x + w, y], [x, y + h], [x + w, y + h]]))
    (box,) = warp.boxes(np.array([[x, y, w, h]]))
    np.testing.assert_allclose(box, [*mapped.min(0), *(mapped.max(0) - mapped.min(0))], rtol=1e-6, atol=1e-6)


def test_no_boxes_stay_no_boxes():
    assert Warp.flip(10).boxes(np.zeros((0, 4))).shape == (0, 4)


def test_a_mirrored_box_keeps_its_size():
    np.testing.assert_allclose(Warp.flip(100).boxes(np.array([[10, 20, 30, 40]])), [[59, 20, 30, 40]])


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_turns_arrays_as_pillow_does(orientation):
    stored = np.random.default_rng(orientation).integers(0, 255, (5, 8, 3), np.uint8)
    picture = Image.fromarray(stored)
    picture.getexif()[0x0112] = orientation
    upright = np.asarray(ImageOps.exif_transpose(picture))
    warp, size = Warp.exif(orientation, 8, 5)
    assert size == upright.shape[1::-1]
    np.testing.assert_array_equal(warp.image(stored, size, nearest=True), upright)
    y, x = np.mgrid[:5, :8]
    places = np.rint(warp.points(np.stack([x, y], -1))).astype(int)
    np.testing.assert_array_equal(upright[places[..., 1], places[..., 0]], stored)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_keeps_every_pixel_inside(orientation):
    warp, (width, height) = Warp.exif(orientation, 8, 5)
    corners = warp.points(np.array([[0.0, 0], [7, 0], [0, 4], [7, 4]]))
    assert corners.min() == 0 and corners.max(0).tolist() == [width - 1, height - 1]


@pytest.mark.parametrize(
    "warp",
    [
        Warp.identity(),
        Warp.shift(7.25, -3.5),
        Warp.resize(2.0),
        Warp.resize(0.9, 1.3),
        Warp.resize(0.5),
        Warp.resize(0.23),
        Warp.flip(160),
        Warp.shift(60, 10) @ Warp.rotation(25),
        Warp.shift(40, 5) @ Warp.rotation(25, 0.4),
    ],
    ids=str,
)
def test_pictures_and_points_move_together(warp):
    centre = np.array([70.3, 48.6])
    seen = warp.image(blob(160, 120, tuple(centre), 6), (320, 260))
    np.testing.assert_allclose(centre_of_mass(seen), warp.points(centre), atol=0.1)


def test_a_strong_reduction_averages_instead_of_picking_pixels():
    stripes = np.zeros((64, 64), np.uint8)
    stripes[:, ::2] = 255
    small = Warp.resize(1 / 8).image(stripes, (8, 8))
    assert np.abs(small.astype(float) - 127.5).max() <= 2
    picked = cv2.warpAffine(stripes, Warp.resize(1 / 8).matrix, (8, 8), flags=cv2.INTER_NEAREST)
    assert set(np.unique(picked)) <= {0, 255}


def test_resizing_to_half_is_the_mean_of_four_pixels():
    image = np.random.default_rng(0).integers(0, 255, (10, 12), np.uint8)
    expected = image.reshape(5, 2, 6, 2).mean(axis=(1, 3))
    assert np.abs(Warp.resize(0.5).image(image, (6, 5)) - expected).max() <= 1


def test_outside_the_picture_is_the_border_value():
    white = np.full((4, 4, 3), 255, np.uint8)
    seen = Warp.shift(4, 0).image(white, (8, 4), border=114)
    assert (seen[:, :4] == 114).all() and (seen[:, 4:] == 255).all()


@pytest.mark.parametrize("shape", [(6, 9), (6, 9, 3), (1, 1), (2, 50, 3)])
def test_any_picture_shape(shape):
    image = np.full(shape, 7, np.uint8)
    seen = Warp.resize(0.5).image(image, (4, 3), border=7)
    assert seen.shape == (3, 4, *shape[2:]) and (seen == 7).all()


@pytest.mark.parametrize(
    "matrix", [np.eye(3), np.zeros((2, 2)), [[1, 0, np.nan], [0, 1, 0]], [[np.inf, 0, 0], [0, 1, 0]]]
)
def test_a_warp_is_a_finite_2_by_3_matrix(matrix):
    with pytest.raises(ValueError, match="2 x 3"):
        Warp(np.asarray(matrix))


def test_a_map_that_flattens_has_no_way_back():
    with pytest.raises(ValueError, match="no inverse"):
        Warp(np.array([[1, 1, 0], [1, 1, 0]])).inverse()


def test_the_given_matrix_is_copied():
    matrix = np.eye(2, 3)
    warp = Warp(matrix)
    matrix[0, 0] = 9
    assert warp.matrix[0, 0] == 1


@pytest.mark.parametrize("nearest", [False, True])
def test_colours_are_warped_each_like_a_picture_of_its_own(nearest):
    image = np.random.default_rng(0).integers(0, 256, (40, 50, 3)).astype(np.uint8)
    warp = Warp.shift(3.3, -2.1) @ Warp.rotation(17, 1.3)
    together = warp.image(image, (48, 32), border=124, nearest=nearest)
    apart = [warp.image(np.ascontiguousarray(image[..., i]), (48, 32), border=124, nearest=nearest) for i in range(3)]
    assert together.dtype == np.uint8 and together.flags.c_contiguous
    assert np.abs(together.astype(int) - np.dstack(apart)).max() <= 1
