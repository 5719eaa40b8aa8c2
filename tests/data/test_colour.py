"""Colour changes: the same scene through another camera, never another scene."""

from __future__ import annotations

import numpy as np
import pytest

from bottomup.data.colour import recolour


def scene() -> np.ndarray:
    """Smooth ramps with a bright square, no colour clipped."""
    y, x = np.mgrid[:48, :64]
    image = np.dstack((60 + 2 * x, 80 + 2 * y, 200 - x)).astype(np.uint8)
    image[16:32, 24:40] = (220, 60, 40)
    return image


def changed(strength: float, seed: int, image: np.ndarray | None = None) -> np.ndarray:
    return recolour(scene() if image is None else image, strength, np.random.default_rng(seed))


def test_no_strength_changes_nothing_and_draws_no_random_number():
    rng = np.random.default_rng(1)
    np.testing.assert_array_equal(recolour(scene(), 0, rng), scene())
    assert rng.random() == np.random.default_rng(1).random()


def test_the_seed_alone_decides():
    np.testing.assert_array_equal(changed(1, 5), changed(1, 5))
    assert len({changed(1, seed).tobytes() for seed in range(20)}) == 20


def test_the_picture_given_stays_as_it_was():
    image = scene()
    for seed in range(10):
        changed(1, seed, image)
    np.testing.assert_array_equal(image, scene())


@pytest.mark.parametrize("strength", [0.3, 1.0, 2.0])
def test_shape_and_type_stay_and_the_scene_is_recognised(strength):
    edges = np.abs(np.diff(scene().astype(float).mean(-1), axis=1))
    for seed in range(15):
        image = changed(strength, seed)
        assert image.shape == (48, 64, 3) and image.dtype == np.uint8
        likeness = np.corrcoef(edges.ravel(), np.abs(np.diff(image.astype(float).mean(-1), axis=1)).ravel())[0, 1]
        assert likeness > 0.5, "the square's edges stay where they are"


def test_more_strength_changes_more():
    difference = [
        np.mean([np.abs(changed(strength, seed).astype(float) - scene()).mean() for seed in range(20)])
        for strength in (0.1, 0.5, 1.0)
    ]
    assert 0 < difference[0] < difference[1] < difference[2] < 60


def test_red_stays_redder_than_blue():
    red = np.full((16, 16, 3), (180, 90, 40), np.uint8)
    means = np.array([changed(1, seed, red).mean((0, 1)) for seed in range(40)])
    assert (means[:, 0] >= means[:, 2] - 20).all(), "channels are never exchanged"
    grey = np.ptp(means, axis=1) < 3
    assert 0 < grey.sum() < 12, "now and then a picture is without colour"
