"""Stacked hourglasses: sizes and operations of the paper, both forms of published names, levels and links."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from bottomup.errors import DataError
from bottomup.nets.hourglass import Hourglass, Level, Residual, own_names
from bottomup.nets.published import load_published
from tests.nets.noise import noise

torch.set_num_threads(1)


def small(**options) -> Hourglass:
    torch.manual_seed(0)
    network = Hourglass(**{"joints": 5, "stacks": 2, **options})
    for stack in network.stacks:
        nn.init.normal_(stack.head.weight, std=0.1)
    return network.eval()


def published_state(network: Hourglass) -> dict[str, torch.Tensor]:
    names = own_names(network)
    return {names[name]: value for name, value in network.state_dict().items()}


@pytest.mark.parametrize(
    ("stacks", "millions", "giga"), [(1, 3.43, 3.86), (2, 6.57, 6.25), (4, 12.86, 11.03), (8, 25.44, 20.59)]
)
def test_it_has_the_size_and_operations_of_the_paper(parameters, operations, stacks, millions, giga):
    options = {"joints": 17, "stacks": stacks}
    assert parameters(Hourglass, **options) / 1e6 == pytest.approx(millions, abs=0.005)
    assert operations(Hourglass, 256, 192, **options) / 1e9 == pytest.approx(giga, abs=0.005)


def test_it_has_the_published_parameters_that_are_used(parameters):
    assert parameters(Hourglass) == 25_434_112
    assert parameters(Hourglass, stacks=2, widen_early=True) == 6_730_912


def test_four_stacks_of_the_second_form_take_what_a_comparison_lists(operations):
    listed = operations(Hourglass, 256, 256, joints=17, stacks=4, widen_early=True) / 2**30
    assert listed == pytest.approx(14.31, abs=0.005)


def test_a_stack_is_told_the_maps_before_it():
    network, images = small(), noise(1, 3, 64, 64)
    network.every_head = True
    with torch.no_grad():
        first, second = network.heads(images)
        network.stacks[0].head.bias += 1
        shifted, changed = network.heads(images)
    torch.testing.assert_close(shifted, first + 1)
    assert not torch.allclose(changed, second)


def test_an_hourglass_is_the_sum_of_its_levels():
    level = Level([4, 4, 4], lambda inputs, outputs: nn.Identity())
    image = torch.arange(16.0).reshape(1, 1, 4, 4)
    halves, quarter = torch.tensor([[5.0, 7], [13, 15]]), 15.0  # largest of each 2x2, and of all
    expected = image + (halves + quarter).repeat_interleave(2, 0).repeat_interleave(2, 1)
    assert torch.equal(level(image), expected)


def test_levels_widen_downwards_and_narrow_upwards():
    sizes = []

    def block(inputs: int, outputs: int) -> nn.Module:
        sizes.append((inputs, outputs))
        return nn.Conv2d(inputs, outputs, 1)

    level = Level([2, 3, 4], block)
    assert sizes == [(2, 2), (2, 3), (3, 3), (3, 4), (4, 4), (4, 3), (3, 2)]
    assert level(noise(1, 2, 8, 12)).shape == (1, 2, 8, 12)


@pytest.mark.parametrize(("inputs", "outputs"), [(8, 8), (8, 12)])
def test_a_residual_adds_to_what_it_gets(inputs, outputs):
    block, image = Residual(inputs, outputs).eval(), noise(1, inputs, 6, 6)
    nn.init.zeros_(block.conv3.weight)
    nn.init.zeros_(block.conv3.bias)
    kept = image.clone()
    assert isinstance(block.skip, nn.Identity) == (inputs == outputs)
    torch.testing.assert_close(block(image), block.skip(kept))
    assert torch.equal(image, kept), "what it gets stays as it is"


def test_published_names_are_as_their_files_have_them():
    first, second = (own_names(small(widen_early=early)) for early in (False, True))
    pairs = {
        "stem.0.bias": ("pre.0.conv.bias", "conv1.bias"),
        "stem.1.running_var": ("pre.0.bn.running_var", "bn1.running_var"),
        "stem.3.skip.weight": ("pre.1.skip_layer.conv.weight", "layer1.0.downsample.0.weight"),
        "stem.6.conv2.weight": ("pre.4.conv2.conv.weight", "layer3.0.conv2.weight"),
        "stacks.1.hourglass.up1.0.bn1.bias": ("hgs.1.0.up1.bn1.bias", "hg.1.hg.3.0.0.bn1.bias"),
        "stacks.0.hourglass.low2.low3.0.conv1.bias": ("hgs.0.0.low2.low3.conv1.conv.bias", "hg.0.hg.2.2.0.conv1.bias"),
        "stacks.0.hourglass.low2.low2.low2.low2.0.bn2.weight": (
            "hgs.0.0.low2.low2.low2.low2.bn2.weight",
            "hg.0.hg.0.3.0.bn2.weight",
        ),
        "stacks.1.features.0.0.conv3.bias": ("features.1.0.conv3.conv.bias", "res.1.0.conv3.bias"),
        "stacks.1.features.1.weight": ("features.1.1.conv.weight", "fc.1.0.weight"),
        "stacks.1.features.2.weight": ("features.1.1.bn.weight", "fc.1.1.weight"),
        "stacks.0.head.weight": ("outs.0.conv.weight", "score.0.weight"),
        "stacks.0.link_features.weight": ("merge_features.0.conv.conv.weight", "fc_.0.weight"),
        "stacks.0.link_maps.weight": ("merge_preds.0.conv.conv.weight", "score_.0.weight"),
    }
    assert {name: (first[name], second[name]) for name in pairs} == pairs
    assert len(set(first.values())) == len(first) and len(set(second.values())) == len(second)


def test_published_projections_that_nothing_reads_are_let_by_and_others_are_not():
    state = published_state(small(stacks=1))
    idle = {"hgs.0.0.up1.skip_layer.conv.weight": torch.zeros(256, 256, 1, 1)}
    load_published("hourglass1", state | idle)
    with pytest.raises(DataError, match="left over: hgs.0.0.up1.conv4.conv.weight"):
        load_published("hourglass1", state | {"hgs.0.0.up1.conv4.conv.weight": torch.zeros(1)})
