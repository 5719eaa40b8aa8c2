"""MSPN: published sizes and costs, what stages pass on, modules rebuilt to their reported cost."""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch
from torch.nn import functional as F

from bottomup.nets.mspn import MSPN, of_published, own_names
from bottomup.nets.xception import SeparableBlock, separable

TINY: dict[str, Any] = {"module": "res18", "blocks": (1, 1, 1, 1)}
PUBLISHED = {  # stages: parameters, GMAC of all heads and of the answer, published G
    1: (25_141_708, 5.07, 4.97, 4.415),
    2: (56_867_032, 11.26, 10.73, 9.571),
}


@pytest.mark.parametrize(("stages", "numbers"), PUBLISHED.items())
def test_it_has_the_published_parameters_and_operations(parameters, operations, stages, numbers):
    count, full, answer, published = numbers
    assert parameters(MSPN, stages=stages) == count
    assert operations(MSPN, 256, 192, every_head=True, stages=stages) / 1e9 == pytest.approx(full, abs=0.006)
    assert operations(MSPN, 256, 192, stages=stages) / 1e9 == pytest.approx(answer, abs=0.006)
    caffe = operations(MSPN, 256, 192, stages=stages, stride_in_first=True) / 2**30
    assert caffe == pytest.approx(published, abs=0.001)


def test_four_stages_have_the_published_parameters_and_operations(parameters, operations):
    assert parameters(MSPN) == 120_317_680 == PUBLISHED[1][0] + 3 * (PUBLISHED[2][0] - PUBLISHED[1][0])
    assert operations(MSPN, 256, 192, stride_in_first=True) / 2**30 == pytest.approx(19.884, abs=0.001)


@pytest.mark.parametrize(
    ("options", "published"),
    [
        ({"stages": 2, "module": "res18"}, 4.35),
        ({"stages": 1, "module": "l_xcp"}, 6.1),
        ({"stages": 4, "module": "s_xcp"}, 5.7),
    ],
)
def test_other_modules_cost_what_is_reported(operations, options, published):
    assert operations(MSPN, 256, 192, **options) / 2**30 == pytest.approx(published, abs=0.05)


def test_the_deep_variant_costs_no_more_than_the_deep_network(operations):
    deep, variant = (
        operations(MSPN, 256, 192, stages=1, module="res101", blocks=blocks) / 1e9 for blocks in (None, (4, 8, 16, 3))
    )
    assert deep - variant == pytest.approx(7.64 - 7.21, abs=0.005)


@pytest.fixture(scope="module")
def small() -> MSPN:
    torch.manual_seed(0)
    return MSPN(joints=5, stages=2, **TINY)


def test_training_gives_four_levels_a_stage_from_coarse_to_fine(small, images):
    outputs = small.train()(images(2, 64, 96))
    assert [tuple(maps.heatmaps.shape) for maps in outputs] == [(2, 5, 16, 24)] * 8
    assert [maps.sigma for maps in outputs] == [None] * 7 + [1.1]
    for stage in (outputs[:4], outputs[4:]):
        rough = [maps.heatmaps.diff(dim=-1).abs().mean() / maps.heatmaps.std() for maps in stage]
        assert rough[0] < rough[-1]


def test_without_aggregation_the_input_alone_is_passed_on(parameters, images):
    counts = [parameters(MSPN, stages=2, aggregation=aggregation) for aggregation in (True, False)]
    channels = (256, 512, 1024, 2048)
    skips = sum(c * c + c + 2 * c + 256 * c + c + 2 * c for c in channels)
    assert counts[0] - counts[1] == skips
    network = MSPN(joints=5, stages=2, aggregation=False, **TINY)
    assert len(network(images(2, 32, 32))) == 8
    network.eval()
    features, ups = network.stages[0](torch.zeros(1, 64, 8, 8), None)
    x, passed = network.stages[0].following(features, ups)
    assert x.shape == (1, 64, 8, 8) and passed is None


def test_what_is_passed_on_is_added_at_every_level(small):
    down = small.eval().stages[1].down
    x, nothing = torch.randn(1, 64, 8, 8), [torch.zeros(1, 64 * 2**i, 8 // 2**i, 8 // 2**i) for i in range(4)]
    with torch.no_grad():
        plain, same = down(x, None), down(x, nothing)
        for level in range(4):
            passed = [t + 1 if i == level else t for i, t in enumerate(nothing)]
            changed = down(x, passed)
            torch.testing.assert_close(changed[level], plain[level] + 1)
            assert all(torch.equal(a, b) for a, b in zip(changed[:level], plain[:level], strict=True))
    assert all(map(torch.equal, plain, same))


def test_a_level_is_the_sum_of_its_skip_and_the_coarser_one(small):
    unit = small.eval().stages[0].up[2]
    feature, coarser = torch.randn(1, 128, 8, 8), torch.randn(1, 256, 4, 4)
    with torch.no_grad():
        enlarged = F.interpolate(coarser, (8, 8), mode="bilinear", align_corners=True)
        expected = (unit.u_skip(feature) + unit.up_conv(enlarged)).relu()
        torch.testing.assert_close(unit(feature, coarser), expected)


def test_the_last_stage_passes_nothing_on(small):
    assert all(unit.skip1 is None and unit.cross_conv is None for unit in small.stages[1].up)
    assert [unit.cross_conv is None for unit in small.stages[0].up] == [True, True, True, False]


def test_every_own_name_has_one_published_name():
    with torch.device("meta"):
        names = own_names(MSPN(stages=3))
    assert len(set(names.values())) == len(names)
    assert names["stages.2.up.0.u_skip.conv.bias"] == "stage2.upsample.up1.u_skip.conv.bias"
    assert names["stages.0.down.layer1.0.bn2.weight"] == "stage0.downsample.layer1.0.conv_bn_relu2.bn.weight"


@pytest.mark.parametrize("options", [{"module": "res77"}, {"module": "vgg"}, {"stages": 0}])
def test_unknown_modules_are_refused(options):
    with pytest.raises(ValueError, match="res18, .*l_xcp, s_xcp and stages at least 1"):
        MSPN(**options)


def test_separable_convolutions_mix_channels_after_space(images):
    layers = separable(3, 4, 2).eval()
    assert layers[0].groups == 3 and layers[2].kernel_size == (1, 1)
    assert layers(images(1, 8, 6)).shape == (1, 4, 4, 3)
    block = SeparableBlock(3, 3).eval()
    torch.nn.init.zeros_(block.second[3].weight)
    with torch.no_grad():
        assert torch.equal(block(images(1, 8, 8)), images(1, 8, 8).clamp(min=0))


def test_other_members_of_the_family_are_told_by_name_and_shapes():
    match = re.fullmatch(r"mspn(\d+)", "mspn3")
    assert match is not None
    with torch.device("meta"):
        network = of_published(match, {"stage0.upsample.up4.res_conv2.conv.weight": torch.empty(16, 256, 3, 3)})
    assert len(network.stages) == 3 and network.joints == 16
