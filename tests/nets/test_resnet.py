"""ResNet: published sizes, strides where they belong, and blocks that do what the paper's figures show."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from bottomup.nets.resnet import BasicBlock, Bottleneck, ResNet, initialise, near_empty, residual_layer

SIZES = {18: 11_176_512, 34: 21_284_672, 50: 23_508_032, 101: 42_500_160, 152: 58_143_808}


@pytest.mark.parametrize(("depth", "count"), SIZES.items())
def test_it_has_the_published_parameters_without_the_classifier(parameters, depth, count):
    assert parameters(ResNet, depth=depth) == count


def test_its_tensors_have_the_names_that_published_weights_have():
    with torch.device("meta"):
        names = set(ResNet(50).state_dict())
    parts = ["conv1.weight", "bn1.running_var", "layer1.0.conv3.weight", "layer4.2.bn3.num_batches_tracked"]
    assert names >= {*parts, "layer2.0.downsample.0.weight", "layer2.0.downsample.1.bias"}
    assert len(names) == 318 and not any(name.startswith("layer2.1.downsample") for name in names)


@pytest.mark.parametrize(("height", "width"), [(64, 96), (70, 33), (32, 32)])
def test_features_are_at_four_strides_rounded_up(images, height, width):
    network = ResNet(18, blocks=(1, 1, 1, 1)).eval()
    with torch.no_grad():
        features = network(images(1, height, width))
    sizes = [(-(-height // stride), -(-width // stride)) for stride in (4, 8, 16, 32)]
    expected = [(1, channels, *size) for channels, size in zip(network.channels, sizes, strict=True)]
    assert network.channels == (64, 128, 256, 512) and [tuple(f.shape) for f in features] == expected


def test_numbers_of_blocks_can_be_chosen():
    with torch.device("meta"):
        network = ResNet(101, blocks=[4, 8, 16, 3])
    layers = (network.layer1, network.layer2, network.layer3, network.layer4)
    assert [len(layer) for layer in layers] == [4, 8, 16, 3] and network.channels == (256, 512, 1024, 2048)


@pytest.mark.parametrize(("first", "strides"), [(True, (2, 1)), (False, (1, 2))])
def test_the_stride_is_in_the_first_or_in_the_wide_convolution(first, strides):
    with torch.device("meta"):
        block = ResNet(50, stride_in_first=first).layer3[0]
    assert (block.conv1.stride[0], block.conv2.stride[0]) == strides
    assert block.downsample[0].stride == (2, 2)


def test_stride_in_the_first_is_another_function_of_the_same_tensors(images):
    twins = [ResNet(50, blocks=(1, 1, 1, 1), stride_in_first=first).eval() for first in (False, True)]
    for twin in twins:
        torch.manual_seed(0)
        for parameter in twin.parameters():
            nn.init.uniform_(parameter, 0.01, 0.03)
    with torch.no_grad():
        usual, caffe = (twin(images(1, 32, 32)) for twin in twins)
    assert torch.equal(usual[0], caffe[0]) and not torch.allclose(usual[1], caffe[1])


def test_any_norm_can_be_used():
    class Frozen(nn.Module):
        weight: torch.Tensor

        def __init__(self, channels: int) -> None:
            super().__init__()
            self.register_buffer("weight", torch.ones(channels))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x * self.weight[:, None, None]

    network = ResNet(18, blocks=(1, 1, 1, 1), norm=Frozen)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in network.modules())
    assert sum(isinstance(module, Frozen) for module in network.modules()) == 1 + 4 * 2 + 3
    assert network(torch.zeros(1, 3, 32, 32))[3].shape == (1, 512, 1, 1)


@pytest.mark.parametrize(
    ("options", "words"), [({"depth": 77}, "no ResNet has 77.*18, 34"), ({"blocks": (3, 4, 6)}, "four")]
)
def test_what_is_no_resnet_is_refused(options, words):
    with pytest.raises(ValueError, match=words):
        ResNet(**options)


@pytest.mark.parametrize("block", [BasicBlock, Bottleneck])
def test_a_block_that_adds_nothing_passes_positive_numbers_on(block, images):
    layer = block(3, 3) if block is BasicBlock else block(3, 1, expansion=3)
    last = layer.bn2 if block is BasicBlock else layer.bn3
    nn.init.zeros_(last.weight)
    x = images(2, 5, 4)
    assert torch.equal(layer(x), x.clamp(min=0))


def test_a_block_is_its_formula_written_out(images):
    block = Bottleneck(3, 2, 2, expansion=2).eval()
    x = images(1, 8, 6)
    with torch.no_grad():
        y = block.bn1(block.conv1(x)).relu()
        y = block.bn3(block.conv3(block.bn2(block.conv2(y)).relu()))
        expected = (y + block.downsample[1](block.downsample[0](x))).relu()
        assert block(x).shape == (1, 4, 4, 3) and torch.equal(block(x), expected)


def test_the_shortcut_is_projected_where_shapes_differ_or_on_request():
    projected = [
        isinstance(block.downsample, nn.Sequential)
        for block in (Bottleneck(8, 2), Bottleneck(8, 2, 2), Bottleneck(4, 2), Bottleneck(8, 2, project=True))
    ]
    assert projected == [False, True, True, True]


def test_only_the_first_block_of_a_layer_changes_anything():
    layer = residual_layer(Bottleneck, 6, 2, 3, 2, bias=True)
    assert [block.conv2.stride[0] for block in layer] == [2, 1, 1]
    assert all(block.conv1.bias is not None for block in layer)
    assert layer(torch.zeros(1, 6, 8, 8)).shape == (1, 8, 4, 4)


def test_it_starts_with_features_and_gradients_of_ordinary_size(images):
    torch.manual_seed(0)
    network = ResNet(50)
    features = network(images(2, 64, 64))
    assert all(0.1 < feature.std() < 10 for feature in features)
    torch.stack([feature.square().mean() for feature in features]).sum().backward()
    assert network.conv1.weight.grad.norm() < 100


def test_branches_start_from_nothing_and_kernels_by_what_they_reach():
    block, depthwise, head = Bottleneck(8, 2), nn.Conv2d(512, 512, 3, groups=512), nn.Conv2d(8, 2, 1)
    initialise(nn.ModuleList([block, depthwise]))
    assert not block.bn3.weight.any() and block.bn1.weight.all()
    assert depthwise.weight.std().item() == pytest.approx((2 / 9) ** 0.5, rel=0.05)
    assert near_empty(head).weight.abs().max() < 0.01 and not head.bias.any()
