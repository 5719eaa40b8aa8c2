"""The first ten convolutions of VGG-19 and the two that part affinity field networks put behind them.

Source: Simonyan and Zisserman, "Very Deep Convolutional Networks" (ICLR 2015), column E; Cao et al., "Realtime
Multi-Person 2D Pose Estimation using Part Affinity Fields" (CVPR 2017). Layers are numbered as in torchvision's
`vgg19().features`, so that ImageNet weights of the first ten load as they are.
"""

from __future__ import annotations

from torch import nn

# outputs of the 3x3 convolutions at strides 1, 2, 4 and 8
WIDTHS = ((64, 64), (128, 128), (256, 256, 256, 256), (512, 512))
CONVOLUTIONS = (0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25)  # places of the convolutions among all layers


def conv_relu(inputs: int, outputs: int, kernel: int = 3) -> list[nn.Module]:
    """A convolution with bias, "same" padding, and a ReLU."""
    return [nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2), nn.ReLU(inplace=True)]


def vgg19_cpm(features: int = 128) -> nn.Sequential:
    """images (B, 3, H, W) -> features (B, `features`, H / 8, W / 8), none negative."""
    layers: list[nn.Module] = []
    inputs = 3
    for group, widths in enumerate(WIDTHS):
        if group:
            layers.append(nn.MaxPool2d(2))
        for outputs in widths:
            layers += conv_relu(inputs, outputs)
            inputs = outputs
    return nn.Sequential(*layers, *conv_relu(inputs, 2 * features), *conv_relu(2 * features, features))
