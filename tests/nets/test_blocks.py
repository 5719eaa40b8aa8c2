"""Building blocks: sizes that stay, and a fusion that is always between its two inputs."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from bottomup.nets.blocks import AttentionFusion, LinkConv, PairConv, conv_bn
from tests.nets.noise import noise

torch.set_num_threads(1)


@pytest.mark.parametrize(("kernel", "dilation"), [(1, 1), (3, 1), (5, 1), (7, 1), (3, 2), (5, 3)])
def test_padding_keeps_the_size_and_strides_halve_it(kernel, dilation):
    image = noise(2, 4, 11, 18)
    assert conv_bn(4, 6, kernel, dilation=dilation)(image).shape == (2, 6, 11, 18)
    assert conv_bn(4, 6, kernel, dilation=dilation, stride=2)(image).shape == (2, 6, 6, 9)


def test_the_activation_may_be_left_out_or_chosen():
    image = noise(2, 4, 9, 9)
    assert conv_bn(4, 8)(image).min() == 0
    assert conv_bn(4, 8, act=None)(image).min() < 0
    assert 0 < conv_bn(4, 8, act=nn.ReLU6)(100 * image).max() <= 6


def test_the_bias_is_left_to_the_batch_norm_and_groups_divide_the_weights():
    plain, grouped = conv_bn(8, 8, 3), conv_bn(8, 8, 3, groups=4)
    assert plain[0].bias is None and plain[1].bias is not None
    assert plain[0].weight.numel() == 4 * grouped[0].weight.numel()


def fusion(channels: int = 6) -> AttentionFusion:
    torch.manual_seed(0)
    return AttentionFusion(channels, middle=4).eval()


def test_fusion_lies_between_its_inputs_at_every_position():
    fine, coarse = noise(2, 6, 8, 10), noise(2, 6, 8, 10, seed=1)
    fused = fusion()(fine, coarse)
    low, high = torch.minimum(fine, coarse) - 1e-6, torch.maximum(fine, coarse) + 1e-6
    assert ((fused >= low) & (fused <= high)).all()
    share = (fused - coarse) / (fine - coarse)
    assert share.std(1).max() < 1e-2 < share.mean(1).std(), "one share for all channels, another at every position"


@pytest.mark.parametrize(("bias", "wins"), [(50.0, "fine"), (-50.0, "coarse")])
def test_full_attention_chooses_one_input(bias, wins):
    block = fusion()
    nn.init.constant_(block.attend.bias, bias)
    inputs = {"fine": noise(1, 6, 8, 10), "coarse": noise(1, 6, 8, 10, seed=1)}
    torch.testing.assert_close(block(**inputs), inputs[wins])


@pytest.mark.parametrize("size", [(8, 10), (7, 9), (16, 20)])
def test_coarse_maps_grow_to_the_size_of_the_fine_ones(size):
    fused = fusion()(torch.full((1, 6, *size), 3.0), torch.full((1, 6, 4, 5), 3.0))
    torch.testing.assert_close(fused, torch.full((1, 6, *size), 3.0))


def test_a_pair_is_convolved_as_if_it_were_joined():
    conv, fine, coarse = PairConv(6, 4), noise(2, 6, 8, 10), noise(2, 6, 4, 5, seed=1)
    large = nn.functional.interpolate(coarse, size=(8, 10), mode="bilinear", align_corners=False)
    joined = nn.functional.conv2d(torch.cat((fine, large), 1), conv.weight)
    torch.testing.assert_close(conv(fine, coarse), joined, atol=1e-5, rtol=1e-4)


def test_a_link_adds_what_it_makes_of_the_heads_maps():
    link, head, x = LinkConv(5, 8), nn.Conv2d(8, 5, 1), noise(2, 8, 6, 7)
    maps = nn.functional.conv2d(head(x), link.weight, link.bias)
    torch.testing.assert_close(link(x, head), x + maps, atol=1e-5, rtol=1e-4)
