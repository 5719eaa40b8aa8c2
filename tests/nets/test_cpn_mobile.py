"""The light cascaded pyramid network: heads from coarse to fine, one answer, parts of the bottom-up network."""

from __future__ import annotations

import pytest
import torch

from bottomup.nets import build, description
from bottomup.nets.cpn_mobile import CpnMobile
from bottomup.nets.mspaf_mobile import MspafMobile

NARROW = (16, 24, 32)


@pytest.fixture
def small() -> CpnMobile:
    torch.manual_seed(0)
    return CpnMobile(joints=5, sigma=1.5, widths=NARROW)


def test_training_has_three_global_heads_and_the_refined_one_all_at_stride_4(small, images):
    outputs = small.train()(images(2, 64, 32))
    assert [tuple(maps.heatmaps.shape) for maps in outputs] == [(2, 5, 16, 8)] * 4
    assert {(maps.stride, maps.sigma) for maps in outputs} == {(4, 1.5)}


def test_every_head_teaches_the_backbone(small, images):
    for number in range(4):
        small.zero_grad()
        small.train()(images(2, 64, 64))[number].heatmaps.square().mean().backward()
        assert small.backbone._conv_stem.weight.grad.abs().sum() > 0


def test_backbone_neck_and_hourglass_are_those_of_the_bottom_up_network():
    ours, theirs = CpnMobile().state_dict(), MspafMobile().state_dict()
    shared = [name for name in ours if name.startswith(("backbone.", "neck.", "refine."))]
    different = [name for name in shared if ours[name].shape != theirs[name].shape]
    assert different == ["refine.link.weight"], "only what takes the maps in differs"


def test_it_is_small_enough_and_can_be_built_again():
    network = CpnMobile()
    sizes = {name: sum(p.numel() for p in part.parameters()) for name, part in network.named_children()}
    assert sum(sizes.values()) - sizes["backbone"] < 4e6 and 2 * sum(sizes.values()) < 10e6
    again = build(**description(network))
    assert {k: v.shape for k, v in again.state_dict().items()} == {k: v.shape for k, v in network.state_dict().items()}
