"""From heatmaps back to joints: golden cases by hand, and how far each refinement is off what was encoded."""

import numpy as np
import pytest
import torch

from bottomup.roads.decode import REFINEMENTS, blurred, decoded, highest
from bottomup.targets.topdown import Crops, blurred_cells, gaussians

HEIGHT, WIDTH = 64, 48


def flat(height=12, width=10):
    return np.zeros((1, 1, height, width), np.float32)


def encoded(joints, sigma=2.0):
    """Heatmaps (N, K, h, w) of joints (N, K, 2) in cells, as training has them."""
    labels = Crops(torch.from_numpy(joints), torch.full(joints.shape[:2], 2))
    return gaussians(labels, (HEIGHT, WIDTH), sigma)[0].numpy().astype(np.float32)


@pytest.fixture(scope="module")
def joints():
    """(N, K, 2) anywhere in the map but its border."""
    return np.random.default_rng(0).uniform((6, 6), (WIDTH - 7, HEIGHT - 7), (40, 5, 2))


def errors(joints, refine, sigma=2.0, blur=11, noise=0.0):
    maps = encoded(joints, sigma)
    maps = maps + np.random.default_rng(1).normal(0, noise, maps.shape).astype(np.float32)
    return decoded(maps, refine, blur)[..., :2] - joints


def test_each_refinement_is_nearer_to_what_was_encoded(joints):
    off = {refine: np.abs(errors(joints, refine)).mean() for refine in ("none", "quarter", "dark")}
    assert off["none"] == pytest.approx(1 / 4, abs=0.03)  # of a uniform place in a cell
    assert off["quarter"] == pytest.approx(1 / 8, abs=0.02)
    assert off["dark"] < 0.005 < off["quarter"] < off["none"]
    for refine in ("none", "quarter", "dark"):
        assert np.abs(errors(joints, refine).mean((0, 1))).max() < 0.03  # no bias


def test_the_order_holds_under_noise(joints):
    off = [np.abs(errors(joints, refine, noise=0.02)).mean() for refine in ("dark", "quarter", "none")]
    assert off[0] < off[1] < off[2]


def test_cells_of_blurred_targets_come_back(joints):
    """CPN's and MSPN's targets hold whole cells: their decoding is within a quarter of a cell of it."""
    labels = Crops(torch.from_numpy(joints), torch.full(joints.shape[:2], 2))
    maps = blurred_cells(labels, (HEIGHT, WIDTH), 7).numpy().astype(np.float32) / 255
    for blur in (5, 21):
        found = decoded(maps, "second", blur)
        steps = np.linalg.norm(found[..., :2] - np.floor(joints), axis=-1)
        assert steps == pytest.approx(0.25, abs=1e-5)
        assert found[..., 2] == pytest.approx(1)


def test_quarter_steps_by_hand():
    maps = flat()
    maps[0, 0, 5, 4], maps[0, 0, 5, 3], maps[0, 0, 6, 4], maps[0, 0, 4, 4] = 0.9, 0.5, 0.3, 0.2
    np.testing.assert_allclose(decoded(maps, "quarter")[0, 0], [3.75, 5.25, 0.9])
    np.testing.assert_allclose(decoded(maps, "none")[0, 0], [4, 5, 0.9])
    corner = flat()
    corner[0, 0, 0, 9], corner[0, 0, 0, 8] = 1, 0.5
    np.testing.assert_allclose(decoded(corner, "quarter")[0, 0], [9, 0, 1])  # no neighbour on one side: no step


def test_towards_the_second_highest_by_hand():
    maps = flat()
    maps[0, 0, 5, 4], maps[0, 0, 6, 5] = 1, 0.9
    x, y, value = decoded(maps, "second", 1)[0, 0]  # a kernel of one cell blurs nothing
    assert (x, y) == (pytest.approx(4 + 0.25 / 2**0.5), pytest.approx(5 + 0.25 / 2**0.5)) and value == 1
    lonely = flat()
    lonely[0, 0, 0, 0] = 1
    x, y, value = decoded(lonely, "second", 5)[0, 0]
    assert 0 <= x <= 0.25 and 0 <= y <= 0.25 and value == 1


def test_dark_is_exact_where_peaks_are_gaussians():
    joints = np.array([[[20.3, 30.8], [5.0, 6.0]]])
    np.testing.assert_allclose(decoded(encoded(joints), "dark")[..., :2], joints, atol=0.01)
    inside = joints[:, :1]  # the kernel of sigma 3 reaches 8 cells
    np.testing.assert_allclose(decoded(encoded(inside, 3.0), "dark", 17)[..., :2], inside, atol=0.01)


@pytest.mark.parametrize("place", [(0, 0), (1, 5), (8, 10), (9, 11)])
def test_dark_leaves_peaks_at_the_border_where_they_are(place):
    maps = flat()
    maps[0, 0, place[1], place[0]] = 1
    np.testing.assert_allclose(decoded(maps, "dark")[0, 0], [*place, 1])


def test_dark_leaves_what_is_no_peak_where_it_is():
    maps = flat()
    maps += np.linspace(0, 1, 10, dtype=np.float32)  # a ramp: highest at the right border
    maps[0, 0, :, 5] = 2  # a ridge
    x, y, value = decoded(maps, "dark")[0, 0]
    assert abs(x - 5) <= 1 and 0 <= y <= 11 and value == 2


@pytest.mark.parametrize("refine", REFINEMENTS)
def test_mirrored_maps_give_mirrored_joints(joints, refine):
    maps = encoded(joints)
    there, back = decoded(maps, refine, 5), decoded(np.ascontiguousarray(maps[..., ::-1]), refine, 5)
    np.testing.assert_allclose(WIDTH - 1 - back[..., 0], there[..., 0], atol=2e-3)
    np.testing.assert_allclose(back[..., 1:], there[..., 1:], atol=2e-3)


@pytest.mark.parametrize("refine", REFINEMENTS)
def test_nothing_anywhere_has_no_score(refine):
    assert (decoded(np.zeros((2, 3, 12, 10), np.float32), refine)[..., 2] == 0).all()
    assert decoded(np.zeros((0, 3, 12, 10), np.float32), refine).shape == (0, 3, 3)
    assert np.isfinite(decoded(np.full((1, 1, 12, 10), -1, np.float32), refine)).all()


def test_the_blur_is_opencv_s_own_gaussian_of_each_map():
    maps = flat()
    maps[0, 0, 5, 4] = 1
    smooth = blurred(np.concatenate((maps, 2 * maps), 1), 5, 0)
    assert smooth.shape == (1, 2, 12, 10) and smooth[0, 0].sum() == pytest.approx(1, abs=1e-6)
    np.testing.assert_allclose(smooth[0, 1], 2 * smooth[0, 0])
    assert [int(v[0, 0]) for v in highest(maps)[:2]] == [4, 5]
