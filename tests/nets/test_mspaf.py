"""MSPAF: the size and operations it must have, its blocks and what they are compared with, what its maps hold."""

from __future__ import annotations

import pytest
import torch

from bottomup.nets.mspaf import INNER, MSPAF, NestedInception, PlainFusion, Stage
from bottomup.nets.paf import PAF
from tests.nets.noise import noise

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def network() -> MSPAF:
    """All three stages with statistics as after a first batch, in eval mode."""
    torch.manual_seed(0)
    network = MSPAF(joints=4, limbs=3)
    with torch.no_grad():
        network.train()(noise(2, 3, 64, 64))
    return network.eval()


@pytest.mark.parametrize(("joints", "limbs", "count"), [(18, 19, 9_619_174), (17, 19, 9_618_211), (15, 15, 9_608_581)])
def test_it_has_the_designed_size(parameters, joints, limbs, count):
    assert parameters(MSPAF, joints=joints, limbs=limbs) == count


@pytest.mark.parametrize(("side", "giga"), [(224, 23.682), (256, 30.932), (512, 123.73)])
def test_it_takes_the_designed_operations(operations, side, giga):
    assert operations(MSPAF, side, side, joints=18) / 1e9 == pytest.approx(giga, rel=5e-4)


def test_its_operations_beside_those_of_six_paf_stages_are_the_published_ones(operations):
    # 0.03e12 and 0.05e12, at an input that is not published
    assert 25e9 <= operations(MSPAF, 232, 232, joints=18) < 35e9 and 45e9 <= operations(PAF, 232, 232) < 55e9


@pytest.mark.parametrize(
    ("make", "parameters"),
    [
        (lambda: NestedInception(128, 128, 96), 496_485),
        (lambda: NestedInception(128, 192, 96), 527_717),
        (lambda: NestedInception(192, 192, INNER[4]), 936_453),
        (lambda: NestedInception(192, 192, INNER[8]), 237_661),
        (lambda: NestedInception(192, 192, INNER[16]), 128_269),
        (lambda: NestedInception(192, 192, INNER[32]), 52_157),
        (lambda: Stage(attention=True, fusion=True).fuse8, 12_641),
        (lambda: Stage(attention=True, fusion=True).features, 37_248),
    ],
)
def test_every_block_has_the_designed_size(make, parameters):
    with torch.device("meta"):
        assert sum(p.numel() for p in make().parameters()) == parameters


def test_ablations_take_their_attention_away_and_nothing_else(parameters):
    whole = parameters(MSPAF)
    levels = [96, 96, *3 * [128, 56, 40, 24, 24, 40, 56, 128]]  # channels that attention to levels reads
    assert whole - parameters(MSPAF, attention=False) == sum(5 * (c + 1) for c in levels)
    assert whole - parameters(MSPAF, fusion=False) == 9 * 12_641


def test_heads_are_pafs_heatmaps_background_tags():
    torch.manual_seed(0)
    network, images = MSPAF(joints=4, limbs=3, tags=2, stages=1).eval(), noise(1, 3, 32, 32)
    with torch.no_grad():
        (head,), (maps,) = network.heads(images), network(images)
    assert head.shape[1] == 6 + 5 + 8
    assert torch.equal(maps.pafs[:, 2, 1], head[:, 5]) and torch.equal(maps.heatmaps, head[:, 6:10])
    assert torch.equal(maps.tags[:, 1, 0], head[:, 15]) and maps.tags.shape[1:3] == (2, 4)
    assert maps.tags.std() > 5 * maps.heatmaps.std(), "tags start apart"


@pytest.mark.parametrize(("limbs", "tags", "background"), [(0, 1, False), (2, 0, False), (0, 0, True)])
def test_kinds_of_maps_may_be_left_out(limbs, tags, background):
    network = MSPAF(3, limbs, tags, stages=1, background=background).eval()
    maps = network(noise(1, 3, 32, 32))[-1]
    assert maps.heatmaps.shape[1] == 3 and (maps.pafs is None) == (limbs == 0) and (maps.tags is None) == (tags == 0)


def test_levels_see_1_3_5_5_and_9_cells():
    torch.manual_seed(0)
    block = NestedInception(8, 8, 4).eval()
    seen: dict[str, torch.Tensor] = {}
    for name in ("a", "b1", "b2", "c1", "c2"):
        block.get_submodule(name).register_forward_hook(lambda _, __, out, name=name: seen.update({name: out}))
    image = noise(1, 8, 17, 17)
    with torch.no_grad():
        block(image)
        before = dict(seen)
        block(image + 10 * torch.nn.functional.pad(torch.ones(1, 8, 1, 1), (8, 8, 8, 8)))
    reach = {name: int((seen[name] != before[name]).any(1)[0].any(0).sum()) for name in seen}
    assert reach == {"a": 1, "b1": 3, "b2": 5, "c1": 5, "c2": 9}


def test_attention_weighs_the_levels_at_every_position():
    torch.manual_seed(0)
    block, plain = NestedInception(8, 8, 4).eval(), NestedInception(8, 8, 4, attention=False).eval()
    image = noise(1, 8, 9, 9)
    plain.load_state_dict({k: v for k, v in block.state_dict().items() if not k.startswith("attend.")})
    with torch.no_grad():
        assert not torch.allclose(block(image), plain(image))
        torch.nn.init.zeros_(block.attend.weight)
        torch.nn.init.zeros_(block.attend.bias)
        torch.testing.assert_close(block(image), plain(image))


def test_plain_fusion_is_a_sum():
    fine, coarse = noise(1, 3, 6, 8), torch.full((1, 3, 3, 4), 2.0)
    torch.testing.assert_close(PlainFusion()(fine, coarse), fine + 2)


def test_every_parameter_learns():
    torch.manual_seed(0)
    network = MSPAF(joints=3, limbs=2, tags=1, stages=2).train()
    stages = network(noise(2, 3, 64, 64))
    sum((t - 1).square().mean() for m in stages for t in (m.heatmaps, m.pafs, m.tags)).backward()
    idle = [name for name, p in network.named_parameters() if p.grad is None or not p.grad.isfinite().all()]
    assert not idle
