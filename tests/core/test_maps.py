"""Maps: shapes must fit, a batch opens into single pictures, torch and numpy agree."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from bottomup.core import Maps


def random_maps(*lead: int, seed: int = 0) -> Maps:
    random = np.random.default_rng(seed)
    heatmaps = random.random((*lead, 3, 5, 7), np.float32)
    pafs, tags = random.random((*lead, 2, 2, 5, 7), np.float32), random.random((*lead, 1, 3, 5, 7), np.float32)
    return Maps(heatmaps, pafs, tags, stride=4, sigma=2.0)


@pytest.mark.parametrize("lead", [(), (2,)])
def test_one_picture_and_a_batch_are_told_apart(lead):
    assert random_maps(*lead).batched == bool(lead)


def test_a_batch_opens_into_its_pictures():
    batch = random_maps(2)
    for i in range(2):
        one = batch[i]
        assert not one.batched and (one.stride, one.sigma) == (4, 2.0)
        for name in ("heatmaps", "pafs", "tags"):
            np.testing.assert_array_equal(getattr(one, name), getattr(batch, name)[i])


def test_one_picture_cannot_be_indexed():
    with pytest.raises(TypeError, match="batch"):
        random_maps()[0]


def test_missing_maps_stay_missing():
    maps = Maps(np.zeros((4, 3, 5, 7)))[2].each(lambda m: m + 1)
    assert maps.pafs is None and maps.tags is None and (maps.heatmaps == 1).all()


def test_a_function_reaches_every_map_and_leaves_the_original_alone():
    maps = random_maps()
    doubled = maps.each(lambda m: 2 * m)
    for name in ("heatmaps", "pafs", "tags"):
        np.testing.assert_array_equal(getattr(doubled, name), 2 * getattr(maps, name))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_torch_maps_become_float32_numpy(dtype):
    maps = random_maps(2)
    tensors = maps.each(lambda m: torch.from_numpy(m).to(dtype).requires_grad_()).numpy()
    for name in ("heatmaps", "pafs", "tags"):
        given, back = getattr(maps, name), getattr(tensors, name)
        assert back.dtype == np.float32 and back.flags.c_contiguous
        np.testing.assert_allclose(back, given, atol=0.005 if dtype == torch.bfloat16 else 1e-7)


def test_transposed_tensors_become_contiguous():
    maps = Maps(torch.zeros(5, 7, 3).permute(2, 0, 1)).numpy()
    assert maps.heatmaps.shape == (3, 5, 7) and maps.heatmaps.flags.c_contiguous


@pytest.mark.parametrize(
    ("shapes", "word"),
    [
        (((5, 7), None, None), "heatmaps"),
        (((1, 1, 3, 5, 7), None, None), "heatmaps"),
        (((3, 5, 7), (4, 5, 7), None), "pafs"),
        (((3, 5, 7), (2, 2, 5, 8), None), "pafs"),
        (((2, 3, 5, 7), (2, 2, 5, 7), None), "pafs"),
        (((3, 5, 7), None, (3, 5, 7)), "tags"),
        (((3, 5, 7), None, (1, 3, 4, 7)), "tags"),
    ],
)
def test_maps_that_do_not_fit_are_named(shapes, word):
    with pytest.raises(ValueError, match=word):
        Maps(*(None if shape is None else np.zeros(shape) for shape in shapes))
