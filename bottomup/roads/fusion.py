"""Batch norms folded into the convolutions before them."""

from __future__ import annotations

import copy
import logging

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from bottomup.runtimes.flat import agree


def fused(network: nn.Module, example: Tensor) -> nn.Module:
    """A copy in eval mode, where `example` is, whose batch norms are folded into the convolutions that feed them.

    Which convolution feeds which batch norm is seen on `example`, a batch of images that the network
    takes, so the network may be wired in any way. Should the folded copy answer differently (a
    convolution's output used elsewhere too), the plain copy is returned and a warning logged.
    """
    plain = copy.deepcopy(network).to(example.device).eval()
    folded = copy.deepcopy(plain)
    names = {module: name for name, module in folded.named_modules()}
    with torch.inference_mode(False), torch.no_grad():
        for conv, norm in _pairs(folded, example):
            _put(folded, names[conv], fuse_conv_bn_eval(conv, norm))
            _put(folded, names[norm], nn.Identity())
        same = agree(plain(example)[-1], folded(example)[-1])
    if not same:
        logging.getLogger(__name__).warning("batch norms cannot be folded into this network; it runs slower")
    return folded if same else plain


def _pairs(network: nn.Module, example: Tensor) -> list[tuple[nn.Conv2d, nn.BatchNorm2d]]:
    """Convolutions and the batch norms that took their outputs; both called once only."""
    made: dict[int, tuple[nn.Conv2d, Tensor]] = {}  # the tensor is kept, so that its id stays its own
    calls: dict[nn.Module, int] = {}
    pairs = []

    def after_conv(conv: nn.Conv2d, _: tuple[Tensor], output: Tensor) -> None:
        made[id(output)] = (conv, output)
        calls[conv] = calls.get(conv, 0) + 1

    def before_norm(norm: nn.BatchNorm2d, inputs: tuple[Tensor]) -> None:
        calls[norm] = calls.get(norm, 0) + 1
        if id(inputs[0]) in made:
            pairs.append((made[id(inputs[0])][0], norm))

    hooks = [m.register_forward_hook(after_conv) for m in network.modules() if isinstance(m, nn.Conv2d)]
    hooks += [m.register_forward_pre_hook(before_norm) for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    network(example)
    for hook in hooks:
        hook.remove()
    return [(conv, norm) for conv, norm in pairs if calls[conv] == calls[norm] == 1]


def _put(network: nn.Module, name: str, module: nn.Module) -> None:
    parent, _, child = name.rpartition(".")
    setattr(network.get_submodule(parent), child, module)
