"""CPN: published sizes and costs, every ablation, what heads see."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from bottomup.nets.cpn import CPN, Head, RefineNet, cascade, enlarge

TINY: dict[str, Any] = {"depth": 18, "blocks": (1, 1, 1, 1)}


@pytest.mark.parametrize(
    ("options", "count"),
    [
        ({"depth": 50}, 27_406_826),
        ({"depth": 50, "project": False}, 27_010_538),
        ({"depth": 101, "project": False}, 46_002_666),
        ({"depth": 101}, 46_398_954),
    ],
)
def test_it_has_the_published_parameters(parameters, options, count):
    assert parameters(CPN, **options) == count


@pytest.mark.parametrize(
    ("depth", "size", "giga"), [(50, (256, 192), 7.32), (50, (384, 288), 16.46), (101, (256, 192), 10.95)]
)
def test_it_has_the_operations_of_the_port(operations, depth, size, giga):
    assert operations(CPN, *size, every_head=True, depth=depth) / 1e9 == pytest.approx(giga, abs=0.006)


ABLATIONS = [
    ({"connections": 1}, 5.02),
    ({"connections": 2}, 5.50),
    ({"connections": 3}, 5.88),
    ({"connections": 4}, 6.20),
    ({"refine": "concat"}, 5.87),
    ({"refine": "bottleneck"}, 6.92),
]


@pytest.mark.parametrize(("options", "published"), ABLATIONS)
def test_ablations_cost_what_the_paper_reports(operations, options, published):
    giga = operations(CPN, 256, 192, stride_in_first=True, **options) / 2**30
    assert giga == pytest.approx(published, abs=0.01)


def test_global_net_alone_is_the_backbone_with_the_pyramid(operations):
    assert operations(CPN, 256, 192, stride_in_first=True, refine="none") / 2**30 == pytest.approx(4.42, abs=0.005)


def test_bottlenecks_of_the_ablations():
    assert [cascade("cascade", n) for n in (1, 2, 3, 4)] == [(0,), (1, 0), (2, 1, 0), (3, 2, 1, 0)]
    assert cascade("concat", 4) == (0, 0, 0, 0) and cascade("bottleneck", 4) == (1, 1, 1, 1)


@pytest.fixture(scope="module")
def small() -> CPN:
    torch.manual_seed(0)
    return CPN(joints=5, **TINY)


def test_training_gives_global_heads_from_coarse_to_fine_then_the_refined(small, images):
    outputs = small.train()(images(2, 64, 96))
    assert [tuple(maps.heatmaps.shape) for maps in outputs] == [(2, 5, 16, 24)] * 5
    assert [maps.sigma for maps in outputs] == [None] * 4 + [1.4]
    # A coarse map is smooth: neighbours differ less.
    rough = [maps.heatmaps.diff(dim=-1).abs().mean() / maps.heatmaps.std() for maps in outputs[:4]]
    assert rough == sorted(rough)


def test_global_net_alone_answers_with_its_finest_head(images):
    network = CPN(joints=5, refine="none", **TINY)
    assert len(network(images(2, 32, 32))) == 4
    network.eval()
    with torch.no_grad():
        (answer,) = network(images(1, 32, 32))
        network.every_head = True
        assert torch.equal(answer.heatmaps, network.heads(images(1, 32, 32))[3])


@pytest.mark.parametrize("connections", [1, 2, 3])
def test_levels_that_are_not_joined_do_not_matter_to_refinement(connections):
    refine = RefineNet(3, cascade("cascade", connections), True).eval()
    pyramid = [torch.randn(1, 256, 2**level, 2**level) for level in range(4)]
    changed = [level + 1 if i < 4 - connections else level for i, level in enumerate(pyramid)]
    with torch.no_grad():
        assert torch.equal(refine(pyramid), refine(changed))
        assert not torch.equal(refine(pyramid), refine([p + 1 for p in pyramid]))


def test_a_head_enlarges_before_it_normalises():
    head = Head(2)
    maps = head(torch.randn(2, 256, 4, 3), (16, 12))
    assert maps.shape == (2, 2, 16, 12) and head.conv.bias is None
    torch.testing.assert_close(maps.mean((0, 2, 3)), torch.zeros(2), atol=1e-5, rtol=0)


def test_enlarging_keeps_corners_where_they_are():
    x = torch.tensor([[[[0.0, 1.0], [2.0, 3.0]]]])
    expected = torch.tensor([[0.0, 0.5, 1.0], [1.0, 1.5, 2.0], [2.0, 2.5, 3.0]])
    torch.testing.assert_close(enlarge(x, (3, 3))[0, 0], expected)


@pytest.mark.parametrize("options", [{"refine": "more"}, {"connections": 0}, {"connections": 5}])
def test_what_no_ablation_has_is_refused(options):
    with pytest.raises(ValueError, match="none, concat, bottleneck, cascade.*1 to 4"):
        CPN(**options)
