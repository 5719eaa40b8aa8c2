"""Multiply-adds and parameters of layers worked out by hand, and of what papers make of them."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from bottomup.nets.count import CONVENTIONS, Cost, count
from bottomup.nets.network import PoseNetwork


def test_a_convolution_meets_its_weights_once_an_output():
    cost = count(nn.Conv2d, (10, 12), in_channels=3, out_channels=8, kernel_size=3, stride=2, padding=1)
    assert cost.operations == cost.on_output == 5 * 6 * 8 * (3 * 3 * 3)
    assert cost.parameters == 8 * 27 + 8


def test_groups_share_the_channels_out():
    cost = count(nn.Conv2d, (4, 4), in_channels=6, out_channels=6, kernel_size=3, padding=1, groups=6, bias=False)
    assert cost.operations == 4 * 4 * 6 * 9 and cost.parameters == 6 * 9


def test_a_transposed_convolution_meets_its_weights_once_an_input():
    layers = nn.Sequential(nn.Conv2d(5, 5, 1, bias=False), nn.ConvTranspose2d(5, 7, 4, 2, 1, bias=False))
    cost = count(lambda: layers.to("meta"), (3, 2))
    first = 3 * 2 * 5 * 5
    assert cost.operations == first + 3 * 2 * 5 * (7 * 4 * 4)
    assert cost.on_output == first + 6 * 4 * 5 * (7 * 4 * 4)


def test_linear_layers_count_and_batch_norms_have_parameters_alone():
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.norm, self.linear = nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.Linear(4, 10)

        def forward(self, x: Tensor) -> Tensor:
            return self.linear(self.norm(self.conv(x)).mean((2, 3)))

    cost = count(Two, (5, 5))
    assert cost.operations == 5 * 5 * 4 * 3 + 10 * 4
    assert cost.parameters == (4 * 3 + 4) + (4 + 4) + (10 * 4 + 10)


def test_a_layer_that_is_used_twice_counts_twice_in_operations_alone():
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 3, 1, bias=False)

        def forward(self, x: Tensor) -> Tensor:
            return self.conv(self.conv(x))

    cost = count(Twice, (2, 2))
    assert (cost.operations, cost.parameters) == (2 * 4 * 9, 9)


class Sided(PoseNetwork):
    """A head on the side that only training needs."""

    def __init__(self, joints: int = 2) -> None:
        super().__init__()
        self.stem, self.side, self.last = nn.Conv2d(3, 4, 1), nn.Conv2d(4, 6, 1), nn.Conv2d(4, joints, 1)

    def heads(self, images: Tensor) -> list[Tensor]:
        x = self.stem(images)
        return [self.side(x), self.last(x)] if self.supervised else [self.last(x)]


def test_heads_that_only_training_needs_are_left_out_unless_asked_for():
    assert count(Sided, (2, 3), joints=5).operations == 6 * (12 + 20)
    assert count(Sided, (2, 3), joints=5, every_head=True).operations == 6 * (12 + 24 + 20)


def test_parameters_that_are_not_learned_are_not_counted():
    frozen = Sided()
    frozen.side.requires_grad_(False)
    assert count(lambda: frozen.to("meta"), (2, 2)).parameters == 16 + 10


def test_no_weights_are_drawn():
    before = torch.get_rng_state()
    count(Sided, (2, 2))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("name", "giga", "parameters"),
    [
        ("true", 2.0, 7),
        ("gib", 2e9 / 2**30, 7),
        ("deconv_on_output", 3.0, 7),
        ("gib_deconv_on_output", 3e9 / 2**30, 7),
        ("gib_stride_in_first", 2e9 / 2**30, 7),
        ("gib_parameters_twice", 2e9 / 2**30, 14),
    ],
)
def test_conventions(name, giga, parameters):
    cost = Cost(parameters=7, operations=2 * 10**9, on_output=3 * 10**9)
    convention = CONVENTIONS[name]
    assert convention.giga(cost) == pytest.approx(giga) and convention.parameters(cost) == parameters
    assert len(CONVENTIONS) == 6 and CONVENTIONS["gib_stride_in_first"].options == {"stride_in_first": True}
