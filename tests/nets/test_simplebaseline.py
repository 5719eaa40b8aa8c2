"""SimpleBaseline: published sizes and costs, shapes, training."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from bottomup.nets.simplebaseline import SimpleBaseline, enlarging

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
