"""What holds of every network: where maps lie, which heads are supervised, how it starts, that it learns, its names."""

from __future__ import annotations

import importlib
from dataclasses import dataclass

import pytest
import torch

from bottomup.core import Maps
from bottomup.nets import build
from bottomup.nets.network import PoseNetwork
from bottomup.nets.published import family_of, from_published, load_published
from tests.nets.noise import noise

torch.set_num_threads(1)

NARROW = (16, 16, 16)
TINY = {"depth": 18, "blocks": (1, 1, 1, 1)}


@dataclass
class Case:
    """A light network of a family: what it is built with, its number of heads, stride and spread of its answer.

    empty: what heatmaps and PAFs stay below before it has learnt anything, None where heads are normalised.
    """

    name: str
    options: dict
    heads: int
    stride: int
    sigma: float | None
    empty: float | None = 0.3


CASES = [
    Case("paf", {"joints": 4, "limbs": 3, "stages": 2}, 2, 8, 0.875, 0.5),
    *(
        Case("lightweight_openpose", {"joints": 4, "limbs": 3, "refinements": n}, 1 + n, 8, 0.875, 0.1)
        for n in (0, 1, 3)
    ),
    Case("hourglass", {"joints": 5, "stacks": 2}, 2, 4, 1, 0.2),
    Case("hourglass", {"joints": 5, "stacks": 2, "widen_early": True}, 2, 4, 1, 0.2),
    Case("ae_hourglass", {"joints": 3, "stacks": 2, "channels": 12}, 2, 4, 2, None),
    Case("mspaf", {"joints": 4, "limbs": 3, "tags": 2, "stages": 3}, 3, 4, 1.75),
    Case("mspaf", {"joints": 3, "limbs": 2, "tags": 1, "stages": 2, "attention": False}, 2, 4, 1.75),
    Case("mspaf", {"joints": 3, "limbs": 2, "tags": 1, "stages": 2, "fusion": False}, 2, 4, 1.75),
    Case("mspaf_mobile", {"joints": 14, "limbs": 15, "tags": 1, "widths": NARROW}, 2, 4, 1.75, 0.1),
    Case("cpn_mobile", {"joints": 5, "widths": NARROW}, 4, 4, 1.75, 0.2),
    Case("cpn", {"joints": 5, **TINY}, 5, 4, 1.4, None),
    Case("mspn", {"joints": 5, "stages": 2, "module": "res18", "blocks": (1, 1, 1, 1)}, 8, 4, 1.1, None),
    Case("mspn", {"joints": 5, "stages": 2, "module": "s_xcp"}, 8, 4, 1.1, None),
    Case("simplebaseline", {"joints": 16, "depth": 18, "width": 32}, 1, 4, 2.0),
    Case("hrnet", {"joints": 16, "width": 8}, 1, 4, 2.0),
    Case("higherhrnet", {"joints": 14, "width": 8, "tags": 1}, 2, 2, 2.0),
]


@pytest.fixture(scope="module", params=CASES, ids=lambda case: f"{case.name} {case.options}")
def case(request) -> Case:
    return request.param


@pytest.fixture
def network(case) -> PoseNetwork:
    torch.manual_seed(0)
    return build(case.name, **case.options)


@pytest.mark.parametrize(("batch", "high", "wide"), [(2, 1, 1), (1, 1, 2), (1, 3, 1)])
def test_maps_lie_where_stride_says_and_hold_what_was_asked_for(case, network, batch, high, wide):
    side = network.multiple
    with torch.no_grad():
        (maps,) = network.eval()(noise(batch, 3, high * side, wide * side))
    joints, limbs, tags = (case.options.get(key, 0) for key in ("joints", "limbs", "tags"))
    cells = (high * side // case.stride, wide * side // case.stride)
    assert (maps.stride, maps.sigma) == (case.stride, case.sigma) and maps.heatmaps.shape == (batch, joints, *cells)
    assert (maps.pafs.shape == (batch, limbs, 2, *cells)) if limbs else maps.pafs is None
    if case.name != "ae_hourglass":  # it has tags where none are asked for
        assert (maps.tags.shape == (batch, tags, joints, *cells)) if tags else maps.tags is None


def test_every_head_is_supervised_and_the_last_answers(case, network):
    images = noise(2, 3, 64, 64)
    with torch.no_grad():
        assert len(network.train()(images)) == case.heads
        (answer,) = network.eval()(images)
        network.every_head = True
        heads = network(images)
    if case.name == "higherhrnet":  # its answer is the mean of its heads
        return
    assert len(heads) == case.heads and len({maps.heatmaps.sum().item() for maps in heads}) == case.heads
    for one, other in zip(values(heads[-1]), values(answer), strict=True):
        assert torch.equal(one, other)


def values(maps: Maps) -> list[torch.Tensor]:
    return [tensor for tensor in (maps.heatmaps, maps.pafs, maps.tags) if tensor is not None]


def test_maps_start_nearly_empty_and_tags_apart(case, network):
    with torch.no_grad():
        for maps in network.train()(noise(2, 3, 64, 64)) if case.empty else ():
            drawn = [tensor for tensor in (maps.heatmaps, maps.pafs) if tensor is not None]
            assert max(tensor.abs().max() for tensor in drawn) < case.empty
            assert maps.tags is None or maps.tags.std() > 5 * maps.heatmaps.std()


def test_it_learns(network, learns):
    assert learns(network)


NAMES = {
    "simplebaseline_r18": {"conv1.weight", "deconv_layers.6.weight", "final_layer.bias"},
    "hrnet_w8": {"conv1.weight", "stage4.2.fuse_layers.0.3.1.bias", "final_layer.bias"},
    "higherhrnet_w8": {"conv1.weight", "deconv_layers.0.4.0.bn2.weight", "final_layers.1.bias"},
    "cpn_r18": {"resnet.conv1.weight", "global_net.upsamples.2.2.bias", "global_net.predict.3.5.weight"},
}


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("simplebaseline_r18", {"joints": 16, "depth": 18}),
        ("hrnet_w8", {"joints": 16, "width": 8}),
        ("higherhrnet_w8", {"joints": 14, "width": 8, "tags": 1}),
        ("higherhrnet_w8", {"joints": 5, "width": 8, "tags": 2}),
        ("cpn_r18", {"joints": 14, "depth": 18}),
        ("lightweight_openpose", {"joints": 18, "limbs": 19, "refinements": 3}),
        ("lightweight_openpose", {"joints": 14, "limbs": 15, "refinements": 1}),
        ("lightweight_openpose", {"joints": 5, "limbs": 4, "refinements": 2}),
        ("paf1", {"joints": 15, "limbs": 14, "stages": 1, "relu_last": True}),
        ("paf2", {"joints": 15, "limbs": 14, "stages": 2, "relu_last": True}),
        ("paf3_rtpose", {"joints": 15, "limbs": 14, "stages": 3, "relu_last": False}),
        ("hourglass1", {"joints": 14, "stacks": 1}),
        ("hourglass3", {"joints": 16, "stacks": 3}),
        ("hg_s1_b1", {"joints": 16, "stacks": 1, "widen_early": True}),
        ("hg_s2_b3", {"joints": 14, "stacks": 2, "blocks": 3, "widen_early": True}),
        ("ae_hourglass2", {"joints": 3, "stacks": 2, "channels": 12}),
    ],
)
def test_counts_come_from_published_names_and_shapes(name, options):
    module = importlib.import_module(f"bottomup.nets.{family_of(name)[0].module}")
    torch.manual_seed(0)
    network = build(family_of(name)[0].module.replace("lightweight", "lightweight_openpose"), **options)
    for parameter in network.parameters():  # strong enough to reach the heads
        torch.nn.init.normal_(parameter, std=parameter[0].numel() ** -0.5)
    own, images = module.own_names(network), noise(2, 3, 64, 128)
    assert NAMES.get(name, set()) <= set(own.values()) and len(set(own.values())) == len(own)
    state = {"state_dict": {f"model.module.{own[key]}": value for key, value in network.state_dict().items()}}
    restored = load_published(name, state)
    assert {key: restored.options[key] for key in options} == options
    network.eval().every_head = True
    with torch.no_grad():
        heads = network.heads(images)
        assert all(map(torch.equal, heads, from_published(name, state)(images)))
    assert all(head.std() > 0 for head in heads)
