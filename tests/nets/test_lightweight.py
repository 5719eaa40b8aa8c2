"""Lightweight OpenPose: published sizes, refinement stages, order of the heads, counts out of published files."""

from __future__ import annotations

import pytest
import torch

from bottomup.nets.lightweight import LightweightOpenPose, own_names
from bottomup.nets.published import from_published, load_published

torch.set_num_threads(1)


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


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


@pytest.mark.parametrize(("height", "width"), [(8, 8), (24, 40), (64, 8)])
def test_maps_have_an_eighth_of_the_size(height, width):
    maps = network()(noise(2, 3, height, width))[-1]
    assert maps.stride == 8 and maps.sigma == 0.875
    assert maps.heatmaps.shape == (2, 4, height // 8, width // 8)
    assert maps.pafs.shape == (2, 3, 2, height // 8, width // 8)


@pytest.mark.parametrize("refinements", [0, 1, 3])
def test_every_stage_is_supervised_and_the_last_answers(refinements):
    net, images = network(refinements=refinements), noise(1, 3, 16, 24)
    with torch.no_grad():
        (answer,) = net(images)
        net.every_head = True
        stages = net(images)
    assert len(stages) == 1 + refinements
    assert torch.equal(answer.heatmaps, stages[-1].heatmaps) and torch.equal(answer.pafs, stages[-1].pafs)
    assert len({maps.heatmaps.sum().item() for maps in stages}) == len(stages), "stages differ"


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


@pytest.mark.parametrize(("joints", "limbs", "refinements"), [(18, 19, 3), (14, 15, 1), (5, 4, 2)])
def test_counts_come_from_the_shapes_of_published_files(joints, limbs, refinements):
    net = network(joints=joints, limbs=limbs, refinements=refinements)
    state = {"state_dict": {own_names(net)[name]: value for name, value in net.state_dict().items()}}
    restored = load_published("lightweight_openpose", state)
    assert (restored.joints, restored.limbs, len(restored.refinement_stages)) == (joints, limbs, refinements)
    net.every_head, images = True, noise(2, 3, 24, 8)
    with torch.no_grad():
        assert all(map(torch.equal, net.heads(images), from_published("lightweight_openpose", state)(images)))


def test_it_learns(learns):
    assert learns(network())


def test_untrained_maps_are_nearly_empty():
    torch.manual_seed(0)
    maps = LightweightOpenPose().eval()(noise(1, 3, 32, 32))[-1]
    assert maps.heatmaps.abs().max() < 0.1 and maps.pafs.abs().max() < 0.1
