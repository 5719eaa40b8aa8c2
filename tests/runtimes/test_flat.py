"""A network without its last layer, and that layer after it, are the network."""

import pytest
import torch

from bottomup.core import Maps
from bottomup.nets import build
from bottomup.runtimes.flat import AllButLast, FlatMaps, Form, LastInTorch, agree

DIVIDED = {
    "mspaf_mobile": {"joints": 4, "limbs": 3, "tags": 1, "widths": (8, 12, 16)},
    "cpn_mobile": {"joints": 4, "widths": (8, 12, 16)},
}


@pytest.fixture(params=DIVIDED)
def network(request):
    torch.manual_seed(0)
    return build(request.param, **DIVIDED[request.param]).eval()


@torch.no_grad()
@pytest.mark.parametrize("size", [(1, 64, 32), (2, 32, 96)])
def test_the_rest_and_the_last_layer_give_the_maps_of_the_whole(network, size):
    images = torch.randn(size[0], 3, *size[1:])
    whole = network(images)[-1]
    found = LastInTorch(network).maps(AllButLast(network)(images))
    assert (found.stride, found.sigma) == (whole.stride, whole.sigma)
    assert torch.equal(found.heatmaps, whole.heatmaps)
    assert all((a is None) == (b is None) for a, b in ((found.pafs, whole.pafs), (found.tags, whole.tags)))
    assert agree(found, whole, 1e-6)


def test_dividing_a_network_leaves_it_whole(network):
    before = str(network)
    AllButLast(network)
    assert str(network) == before


@torch.no_grad()
def test_with_features_in_bfloat16_the_answer_still_has_digits_that_bfloat16_lacks(network):
    """What is rounded before the last layer is averaged by it; an answer that is rounded stays so."""
    images = torch.randn(1, 3, 64, 64)
    whole = network(images)[-1].heatmaps
    (features,) = AllButLast(network)(images)
    early = LastInTorch(network).maps([features.bfloat16().float()]).heatmaps
    late = whole.bfloat16().float()
    assert (early.bfloat16().float() != early).any()  # digits that bfloat16 does not have
    assert torch.equal(late.bfloat16().float(), late)


def test_flat_arrays_are_the_maps_again():
    maps = Maps(torch.rand(2, 3, 4, 5), torch.rand(2, 2, 2, 4, 5), None, stride=4, sigma=1.5)
    form = Form.of(maps)
    arrays = FlatMaps(lambda images: [maps], form)(torch.zeros(1))
    again = form.maps(arrays)
    assert form.names == ("heatmaps", "pafs") and again.tags is None
    assert torch.equal(again.pafs, maps.pafs) and (again.stride, again.sigma) == (4, 1.5)
