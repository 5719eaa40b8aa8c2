"""Folding batch norms changes the speed, not the answer."""

import pytest
import torch
from torch import nn

from bottomup.core import Maps
from bottomup.nets import build
from bottomup.roads.fusion import fused


def norms(network):
    return sum(isinstance(module, nn.BatchNorm2d) for module in network.modules())


def with_statistics(network):
    torch.manual_seed(0)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -0.2, 0.2)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.2, 0.2)
    return network


class Net(nn.Module):
    def __init__(self, branch=False, reuse=False):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.branch, self.reuse = branch, reuse

    def forward(self, images):
        x = self.conv(images)
        y = self.norm(x)
        if self.reuse:
            y = self.norm(self.conv(images * 2))
        return [Maps(y + x if self.branch else y)]


@torch.no_grad()
def test_the_default_network_answers_the_same_without_batch_norms():
    network = with_statistics(build("mspaf_mobile", widths=(16, 16, 16))).eval()
    nn.init.normal_(network.answers[1].weight)
    images = torch.rand(1, 3, 64, 64)
    folded = fused(network, torch.rand(1, 3, 32, 32))
    assert norms(folded) == 0 and norms(network) > 50
    plain, answer = network(images)[-1], folded(images)[-1]
    scale = plain.heatmaps.abs().max()
    assert (answer.heatmaps - plain.heatmaps).abs().max() < 1e-4 * scale
    assert (answer.pafs - plain.pafs).abs().max() < 1e-4 * scale


@torch.no_grad()
@pytest.mark.parametrize("options", [{}, {"branch": True}, {"reuse": True}])
def test_wherever_folding_would_change_the_answer_nothing_is_folded(options):
    network = with_statistics(Net(**options)).eval()
    images = torch.rand(2, 3, 8, 8)
    folded = fused(network, images)
    torch.testing.assert_close(folded(images)[-1].heatmaps, network(images)[-1].heatmaps, atol=1e-5, rtol=1e-4)
    assert norms(folded) == (1 if options else 0)


def test_the_network_given_stays_as_it_is():
    network = Net().train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    folded = fused(network, torch.rand(1, 3, 8, 8))
    assert network.training and not folded.training
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
