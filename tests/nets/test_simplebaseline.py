"""SimpleBaseline: published sizes and costs, shapes, training."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from bottomup.nets.published import load_published
from bottomup.nets.simplebaseline import SimpleBaseline, enlarging, own_names

PUBLISHED = {50: (33_999_697, 5.43), 101: (52_991_825, 9.06), 152: (68_635_473, 12.70)}


@pytest.mark.parametrize(("depth", "numbers"), PUBLISHED.items())
def test_it_has_the_published_parameters_and_operations(parameters, operations, depth, numbers):
    assert parameters(SimpleBaseline, depth=depth) == numbers[0]
    assert operations(SimpleBaseline, 256, 192, depth=depth) / 1e9 == pytest.approx(numbers[1], abs=0.005)


def test_larger_images_cost_what_is_published(operations):
    assert operations(SimpleBaseline, 384, 288) / 1e9 == pytest.approx(12.21, abs=0.005)


@pytest.fixture(scope="module")
def small() -> SimpleBaseline:
    torch.manual_seed(0)
    return SimpleBaseline(joints=16, depth=18, width=32)


@pytest.mark.parametrize(("batch", "height", "width"), [(1, 32, 32), (2, 96, 160), (3, 64, 32)])
def test_maps_have_a_quarter_of_the_images_sides(small, images, batch, height, width):
    with torch.no_grad():
        (maps,) = small.eval()(images(batch, height, width))
    assert maps.heatmaps.shape == (batch, 16, height // 4, width // 4)
    assert (maps.stride, maps.sigma, maps.pafs, maps.tags) == (4, 2.0, None, None)


def test_it_starts_near_empty_and_learns(small, images, learns):
    assert small.train()(images(2, 64, 64))[0].heatmaps.abs().max() < 0.3
    assert learns(small)


def test_enlarging_doubles_the_sides_and_rectifies():
    layers = enlarging(3, 5)
    y = layers(torch.randn(2, 3, 4, 6))
    assert y.shape == (2, 5, 8, 12) and y.min() == 0 and layers[0].bias is None


def test_a_lone_cell_is_spread_over_the_kernel_around_it():
    layers = enlarging(1, 1).eval()
    nn.init.ones_(layers[0].weight)
    x = torch.zeros(1, 1, 5, 5)
    x[0, 0, 2, 2] = 1
    with torch.no_grad():
        reached = layers(x)[0, 0] > 0
    assert reached[3:7, 3:7].all() and reached.sum() == 16


def test_other_members_of_the_family_are_told_by_name_and_shapes():
    network = SimpleBaseline(joints=16, depth=18)
    published = dict(zip(own_names(network).values(), network.state_dict().values(), strict=True))
    assert {"conv1.weight", "deconv_layers.6.weight", "final_layer.bias"} <= set(published)
    loaded = load_published("simplebaseline_r18", published)
    assert isinstance(loaded, SimpleBaseline) and loaded.joints == 16
    assert all(map(torch.equal, network.state_dict().values(), loaded.state_dict().values()))
