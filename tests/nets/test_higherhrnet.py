"""HigherHRNet: published sizes and costs, two resolutions in training, one answer."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from bottomup.nets.higherhrnet import HigherHRNet


@pytest.mark.parametrize(
    ("width", "side", "count", "giga"),
    [(32, 512, 28_645_331, 46.20), (48, 640, 63_827_139, 149.47)],
)
def test_it_has_the_published_parameters_and_operations(parameters, operations, width, side, count, giga):
    assert parameters(HigherHRNet, width=width) == count
    assert operations(HigherHRNet, side, side, width=width) / 1e9 == pytest.approx(giga, abs=0.005)


@pytest.fixture(scope="module")
def small() -> HigherHRNet:
    torch.manual_seed(0)
    return HigherHRNet(joints=14, width=8)


def test_training_gives_both_resolutions_and_tags_at_the_coarse_one(small, images):
    coarse, fine = small.train()(images(2, 64, 96))
    assert coarse.heatmaps.shape == (2, 14, 16, 24) and coarse.tags.shape == (2, 1, 14, 16, 24)
    assert fine.heatmaps.shape == (2, 14, 32, 48) and fine.tags is None
    assert (coarse.stride, fine.stride) == (4, 2) and coarse.sigma == fine.sigma == 2.0


def test_the_answer_is_the_mean_of_both_at_the_fine_resolution(small, images):
    with torch.no_grad():
        (answer,) = small.eval()(images(1, 32, 64))
        coarse, fine = small.heads(images(1, 32, 64))
    coarse = F.interpolate(coarse, scale_factor=2, mode="bilinear", align_corners=False)
    torch.testing.assert_close(answer.heatmaps, (coarse[:, :14] + fine) / 2)
    torch.testing.assert_close(answer.tags, coarse[:, None, 14:])
    assert answer.stride == small.stride == 2


def test_the_answer_of_equal_maps_is_those_maps(small):
    (answer,) = small.eval().read([torch.full((1, 28, 4, 4), 2.0), torch.full((1, 14, 8, 8), 4.0)])
    assert (answer.heatmaps == 3).all() and (answer.tags == 2).all()


@pytest.mark.parametrize("tags", [0, 2])
def test_tags_have_as_many_dimensions_as_wanted(images, tags):
    network = HigherHRNet(joints=3, width=8, tags=tags)
    coarse, _ = network(images(2, 32, 32))
    (answer,) = network.eval()(images(1, 32, 32))
    if tags:
        assert coarse.tags.shape == (2, tags, 3, 8, 8) and answer.tags.shape == (1, tags, 3, 16, 16)
    else:
        assert coarse.tags is None and answer.tags is None


def test_the_fine_head_sees_the_coarse_maps(small, images):
    with torch.no_grad():
        before = small.eval().heads(images(1, 32, 32))[1]
        small.final_layers[0].bias += 1
        after = small.heads(images(1, 32, 32))[1]
        small.final_layers[0].bias -= 1
    assert not torch.allclose(before, after)
