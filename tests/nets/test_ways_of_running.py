"""However a network is run, its heads are the same: folded, channels last, compiled, nearly so in bfloat16."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn

from bottomup.core import Maps
from bottomup.nets import NETWORKS, build
from bottomup.nets.network import Network
from bottomup.roads.fusion import fused
from tests.nets.noise import noise

torch.set_num_threads(1)

NARROW = (16, 16, 16)
TINY = {"depth": 18, "blocks": (1, 1, 1, 1)}
OPTIONS = {
    "mspaf_mobile": {"joints": 4, "limbs": 3, "widths": NARROW},
    "cpn_mobile": {"joints": 4, "widths": NARROW},
    "detector_mobile": {"width": 16},
    "mspaf": {"joints": 4, "limbs": 3, "tags": 1, "stages": 2},
    "paf": {"joints": 4, "limbs": 3, "stages": 2},
    "lightweight_openpose": {"joints": 4, "limbs": 3},
    "ae_hourglass": {"joints": 4, "stacks": 1},
    "higherhrnet": {"joints": 4, "width": 8, "blocks": 1},
    "hrnet": {"joints": 4, "width": 8},
    "simplebaseline": {"joints": 4, "depth": 18, "width": 32},
    "cpn": {"joints": 4, **TINY},
    "mspn": {"joints": 4, "stages": 2, "module": "res18", "blocks": (1, 1, 1, 1)},
    "hourglass": {"joints": 4, "stacks": 1},
    "keypoint_rcnn": {"joints": 4, "depth": 18, "width": 32},
}
WITHOUT_NORMS = {"paf", "ae_hourglass", "keypoint_rcnn"}  # the last one's are frozen


class AllHeads(nn.Module):
    """images -> one Maps that holds all heads of a network, each divided by what it has at most on some images."""

    def __init__(self, network: Network, images: Tensor) -> None:
        super().__init__()
        network.every_head = True
        self.network = network
        with torch.no_grad():
            self.most = [float(head.abs().max()) for head in network.heads(images)]

    def forward(self, images: Tensor) -> list[Maps]:
        heads = zip(self.network.heads(images), self.most, strict=True)
        return [Maps(torch.cat([(head / most).flatten(1) for head, most in heads], 1)[:, None, None])]


@dataclass(frozen=True)
class Case:
    """A network as after some training, and what it answers to images of odd numbers of its smallest squares."""

    name: str
    network: AllHeads
    images: Tensor
    answer: Tensor


@pytest.fixture(scope="module", params=OPTIONS)
def case(request) -> Case:
    torch.manual_seed(0)
    network = build(request.param, **OPTIONS[request.param]).eval()
    for part in network.modules():
        if isinstance(part, nn.BatchNorm2d):
            for tensor, low, high in (
                (part.running_mean, -0.2, 0.2),
                (part.running_var, 0.5, 1.5),
                (part.weight, 0.5, 1.0),
                (part.bias, -0.2, 0.2),
            ):
                nn.init.uniform_(tensor, low, high)
    images = noise(2, 3, network.multiple, 3 * network.multiple)
    heads = AllHeads(network, images)
    return Case(request.param, heads, images, answer(heads, images))


def answer(network: nn.Module, images: Tensor) -> Tensor:
    with torch.no_grad():
        return network(images)[-1].heatmaps.float()


def norms(network: nn.Module) -> int:
    return sum(isinstance(part, nn.BatchNorm2d) for part in network.modules())


def test_no_network_is_left_out() -> None:
    assert set(OPTIONS) == set(NETWORKS) - {"tiny"}  # a test's own


def test_answers_are_finite_and_no_constant(case: Case) -> None:
    assert case.answer.isfinite().all() and case.answer.std() > 1e-3


def test_folding_batch_norms_leaves_the_answer(case: Case) -> None:
    folded = fused(case.network, case.images[:1])
    assert (norms(folded) < 0.5 * norms(case.network)) != (case.name in WITHOUT_NORMS)
    torch.testing.assert_close(answer(folded, case.images), case.answer, rtol=0, atol=1e-4)


def test_channels_last_leaves_the_answer(case: Case) -> None:
    network = copy.deepcopy(case.network).to(memory_format=torch.channels_last)
    images = case.images.contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(answer(network, images), case.answer, rtol=0, atol=1e-4)


def test_bfloat16_is_close(case: Case) -> None:
    with torch.autocast("cpu", torch.bfloat16):
        short = answer(case.network, case.images)
    apart = (short - case.answer).std() / case.answer.std()
    assert 0 < apart < 0.06, apart


@pytest.mark.slow
def test_compiling_leaves_the_answer() -> None:
    torch.manual_seed(0)
    network = build("paf", **{**OPTIONS["paf"], "stages": 1}).eval()
    images = noise(1, 3, 64, 96)
    heads = AllHeads(network, images)
    plain = answer(heads, images)
    heads.compile(dynamic=False)
    torch.testing.assert_close(answer(heads, images), plain, rtol=0, atol=1e-4)
