"""HRNet: published sizes and costs, what branches exchange, the fusion ablation."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from bottomup.nets.hrnet import ExchangeModule, HRNet, HRNetPose, exchanges, path

PUBLISHED = {(32, 256, 192): (28_536_113, 7.65), (48, 384, 288): (63_595_745, 35.31)}


@pytest.mark.parametrize(("kind", "numbers"), PUBLISHED.items())
def test_it_has_the_published_parameters_and_operations(parameters, operations, kind, numbers):
    width, *size = kind
    assert parameters(HRNetPose, width=width) == numbers[0]
    assert operations(HRNetPose, *size, width=width) / 1e9 == pytest.approx(numbers[1], abs=0.006)


def test_sixteen_joints_differ_in_the_last_layer_alone(parameters):
    assert parameters(HRNetPose) - parameters(HRNetPose, joints=16) == 32 + 1


@pytest.fixture(scope="module")
def small() -> HRNetPose:
    torch.manual_seed(0)
    return HRNetPose(joints=16, width=8)


def test_every_branch_is_given_on_request(images):
    network = HRNet(8, every_branch=True).eval()
    with torch.no_grad():
        features = network(images(1, 64, 32))
    assert network.channels == (8, 16, 32, 64)
    assert [tuple(f.shape) for f in features] == [(1, 8, 16, 8), (1, 16, 8, 4), (1, 32, 4, 2), (1, 64, 2, 1)]
    assert HRNet(8).channels == (8,)


@pytest.mark.parametrize(("fusion", "count"), [("final", 1), ("stages", 3), ("within", 8)])
def test_the_ablation_counts_its_exchanges(fusion, count):
    with torch.device("meta"):
        network = HRNet(8, fusion=fusion)
    modules = [module for module in network.modules() if isinstance(module, ExchangeModule)]
    assert len(modules) == 8 and sum(module.exchange for module in modules) == count
    assert modules[-1].exchange and len(modules[-1].fuse_layers) == 1
    assert sum(exchanges(fusion, s, m) for s, n in enumerate((1, 4, 3)) for m in range(n)) == count


def test_fewer_exchanges_are_fewer_parameters_and_the_same_shape(parameters, images):
    assert [parameters(HRNetPose, fusion=fusion) for fusion in ("final", "stages")] == [26_332_273, 26_506_481]
    with torch.no_grad():
        shapes = [HRNetPose(width=8, fusion=f).eval()(images(1, 32, 64))[0].heatmaps.shape for f in ("final", "stages")]
    assert shapes == [(1, 17, 8, 16)] * 2


def test_another_fusion_is_refused():
    with pytest.raises(ValueError, match="final, stages, within, not 'early'"):
        HRNet(fusion="early")


def test_without_exchange_branches_know_nothing_of_each_other():
    module = ExchangeModule((4, 8), 2, exchange=False).eval()
    fine, coarse = torch.randn(1, 4, 8, 8), torch.randn(1, 8, 4, 4)
    with torch.no_grad():
        before, after = module([fine, coarse]), module([fine, coarse + 1])
    assert torch.equal(before[0], after[0]) and not torch.equal(before[1], after[1])


def test_an_exchange_sums_what_the_paths_bring():
    module = ExchangeModule((4, 8, 16), 3).eval()
    branches = [torch.randn(1, 4 * 2**i, 16 // 2**i, 8 // 2**i) for i in range(3)]
    with torch.no_grad():
        blocks = [branch(x) for branch, x in zip(module.branches, branches, strict=True)]
        for goal, output in enumerate(module(branches)):
            brought = [module.fuse_layers[goal][source](blocks[source]) for source in range(3)]
            torch.testing.assert_close(output, sum(brought).relu())


def test_paths_have_the_published_layers():
    widths = (4, 8, 16, 32)
    assert isinstance(path(widths, 1, 1), nn.Identity)
    up = path(widths, 3, 1)
    assert (up[0].kernel_size, up[2].mode, up[2].scale_factor) == ((1, 1), "nearest", 4)
    down = path(widths, 0, 3)
    assert [len(step) for step in down] == [3, 3, 2]  # ReLU but after the last
    assert [step[0].out_channels for step in down] == [4, 4, 32]
