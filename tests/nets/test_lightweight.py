"""Lightweight OpenPose: published sizes, refinement stages, order of the heads, counts out of published files."""

from __future__ import annotations

import pytest
import torch

from bottomup.nets.lightweight import LightweightOpenPose
from tests.nets.noise import noise

torch.set_num_threads(1)


def network(**options) -> LightweightOpenPose:
    """With statistics as after some training, so that what reaches the heads is neither nothing nor everything."""
    torch.manual_seed(0)
    built = LightweightOpenPose(**{"joints": 4, "limbs": 3, **options})
    with torch.no_grad():
        for _ in range(3):
            built.train()(noise(2, 3, 32, 32))
    return built.eval()


@pytest.mark.parametrize(
    ("refinements", "count", "giga"), [(1, 4_091_698, 8.88), (2, 5_700_331, 12.28), (3, 7_308_964, 15.67)]
)
def test_it_has_the_published_size_and_operations(parameters, operations, refinements, count, giga):
    assert parameters(LightweightOpenPose, refinements=refinements) == count
    measured = operations(LightweightOpenPose, 368, 368, refinements=refinements)
    assert measured / 1e9 == pytest.approx(giga, abs=0.01)


def test_heads_are_heatmaps_then_pafs_and_the_background_is_shown_to_nobody():
    net, images = network(), noise(1, 3, 16, 16)
    with torch.no_grad():
        heat, pafs = net.heads(images)
        maps = net(images)[-1]
    assert heat.shape[1] == 5 and pafs.shape[1] == 6
    assert torch.equal(maps.heatmaps, heat[:, :4])
    assert torch.equal(maps.pafs[:, 2, 0], pafs[:, 4]) and torch.equal(maps.pafs[:, 2, 1], pafs[:, 5])


def test_without_background_there_is_a_heatmap_a_joint():
    assert [head.shape[1] for head in network(background=False).heads(noise(1, 3, 8, 8))] == [4, 6]


def test_refinement_reads_features_then_heatmaps_then_pafs():
    net, seen = network(), []
    net.refinement_stages[0].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    net.every_head = True
    with torch.no_grad():
        heat, pafs, *_ = net.heads(noise(1, 3, 16, 16))
    assert torch.equal(seen[0][:, 128:133], heat) and torch.equal(seen[0][:, 133:], pafs)


def test_one_block_is_dilated_in_place_of_a_stride():
    convolutions = [m for m in network().model.modules() if isinstance(m, torch.nn.Conv2d)]
    assert [m.dilation for m in convolutions].count((2, 2)) == 1 and convolutions[13].dilation == (2, 2)
    assert [m.stride for m in convolutions].count((2, 2)) == 3
