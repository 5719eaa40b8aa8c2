"""Associative embedding: published sizes, where heatmaps and tags lie, counts out of published files."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from bottomup.nets.ae_hourglass import AEHourglass, conv, initialise, own_names
from bottomup.nets.hourglass import Level
from bottomup.nets.published import load_published
from tests.nets.noise import noise

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def network() -> AEHourglass:
    """Two stacks as the authors' code makes them: four maps a joint, of which two are used. Drawn once."""
    torch.manual_seed(0)
    return AEHourglass(joints=3, stacks=2, channels=12).eval()


@pytest.mark.parametrize(
    ("channels", "count", "giga"), [(None, 138_832_776, 221.2), (34, 138_832_776, 221.2), (68, 138_893_840, 222.2)]
)
def test_it_has_the_published_size_and_operations(parameters, operations, channels, count, giga):
    assert parameters(AEHourglass, channels=channels) == count
    assert operations(AEHourglass, 512, 512, channels=channels) / 1e9 == pytest.approx(giga, abs=0.05)


def test_heatmaps_come_first_then_tags_then_what_nobody_uses(network):
    images = noise(1, 3, 64, 64)
    with torch.no_grad():
        (head,), (maps,) = network.heads(images), network(images)
    assert head.shape[1] == 12
    assert torch.equal(maps.heatmaps, head[:, :3]) and torch.equal(maps.tags[:, 0], head[:, 3:6])


@pytest.mark.parametrize(("tags", "channels"), [(0, None), (2, None), (2, 11)])
def test_tags_may_be_none_or_have_several_dimensions(tags, channels):
    with torch.device("meta"):
        network = AEHourglass(joints=3, tags=tags, stacks=1, channels=channels).eval()
        (head,), (maps,) = network.heads(torch.empty(1, 3, 64, 64)), network(torch.empty(1, 3, 64, 64))
    assert head.shape[1] == (channels or 3 + 3 * tags) and maps.heatmaps.shape[1] == 3
    assert (maps.tags.shape[1:3] == (tags, 3)) if tags else maps.tags is None


def test_tags_of_two_dimensions_keep_a_dimension_together():
    with torch.device("meta"):
        network = AEHourglass(joints=2, tags=2, stacks=1)
    head = torch.arange(6.0).reshape(1, 6, 1, 1)
    assert network.read([head])[0].tags.flatten().tolist() == [2, 3, 4, 5]
    assert network.read([head])[0].tags[0, 1].flatten().tolist() == [4, 5]


def test_too_few_channels_are_refused():
    with pytest.raises(ValueError, match="17 heatmaps and 1 x 17 tags do not fit in channels = 33"):
        AEHourglass(channels=33)


def test_maps_that_are_no_four_a_joint_are_two_a_joint():
    with torch.device("meta"):
        plain = AEHourglass(joints=17, stacks=1)
        names = own_names(plain)
        state = {names[name]: value for name, value in plain.state_dict().items()}
        restored = load_published("ae_hourglass1", state)
    assert (restored.joints, restored.tags) == (17, 1)


def test_published_names_are_as_their_files_have_them(network):
    names = own_names(network)
    pairs = {
        "stem.0.0.weight": "pre.0.conv.weight",
        "stem.4.0.bias": "pre.4.conv.bias",
        "stacks.1.hourglass.low2.low2.low2.low2.0.weight": "features.1.0.low2.low2.low2.low2.conv.weight",
        "stacks.0.hourglass.low3.0.bias": "features.0.0.low3.conv.bias",
        "stacks.0.features.1.0.bias": "features.0.2.conv.bias",
        "stacks.1.head.bias": "outs.1.conv.bias",
        "stacks.0.link_features.weight": "merge_features.0.conv.conv.weight",
        "stacks.0.link_maps.weight": "merge_preds.0.conv.conv.weight",
    }
    assert {name: names[name] for name in pairs} == pairs
    assert len(set(names.values())) == len(names)


def test_weights_start_with_variance_one_over_fan_in(network):
    wide = network.stacks[0].hourglass.low2.low1[0]
    assert wide.weight.std().item() == pytest.approx((9 * 384) ** -0.5, rel=1e-2)
    assert not wide.bias.any()


def test_every_place_of_a_narrow_hourglass_learns():
    torch.manual_seed(0)
    level = Level((4, 6, 8), conv)
    initialise(level)
    level(noise(1, 4, 8, 8)).square().mean().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in level.parameters())
    assert sum(isinstance(m, nn.Conv2d) for m in level.modules()) == 7
