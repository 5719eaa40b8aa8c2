"""How large networks are: parameters and multiply-adds, as they are and as papers count them.

Papers write "FLOPs" and mean multiply-adds (MACs); beyond that they differ, see `CONVENTIONS`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from bottomup.nets.network import Network


@dataclass(frozen=True)
class Cost:
    """Of one input. parameters: trainable ones. operations: MACs of convolutions and linear layers.

    on_output: the same with transposed convolutions counted as if they visited every output, which is
    stride^2 times what they do.
    """

    parameters: int
    operations: int
    on_output: int


@dataclass(frozen=True)
class Convention:
    """How a paper counts. unit: MACs that it calls 10^9. on_output: see `Cost`. times: how often it counts a
    parameter. options: what the network that it counts was built with, beyond the row's own."""

    unit: float
    on_output: bool = False
    times: int = 1
    options: Mapping[str, Any] = field(default_factory=dict)

    def giga(self, cost: Cost) -> float:
        """The MACs as the paper has them."""
        return (cost.on_output if self.on_output else cost.operations) / self.unit

    def parameters(self, cost: Cost) -> int:
        """The parameters as the paper has them."""
        return self.times * cost.parameters


CONVENTIONS: dict[str, Convention] = {
    "true": Convention(1e9),
    "gib": Convention(2**30),
    "deconv_on_output": Convention(1e9, on_output=True),
    "gib_deconv_on_output": Convention(2**30, on_output=True),
    "gib_stride_in_first": Convention(2**30, options={"stride_in_first": True}),  # ResNets as Caffe's models have them
    "gib_parameters_twice": Convention(2**30, times=2),
}


def count(
    make: Callable[..., nn.Module], size: tuple[int, int], /, *, every_head: bool = False, **options: Any
) -> Cost:
    """What `make(**options)` costs for one input of this height and width, in eval; no weights are drawn.

    every_head: with the heads too that only training needs. A network is given an image, another module
    as many channels as its first convolution takes.
    """
    with _Shapes(), torch.no_grad():
        with torch.device("meta"):
            network = make(**options)
        return count_built(network, size, every_head=every_head)


class _Shapes(TorchFunctionMode):
    """Leaves out what changes no shape and takes most of the time: drawing weights, and ReLU."""

    def __torch_function__(
        self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        named = kwargs or {}
        if getattr(function, "__module__", "") == nn.init.__name__:
            return named["tensor"] if "tensor" in named else args[0]
        return args[0] if function is F.relu else function(*args, **named)


def count_built(network: nn.Module, size: tuple[int, int], *, every_head: bool = False) -> Cost:
    """As `count`, of a module on the meta device, whose batch norms are taken out."""
    parameters = sum(p.numel() for p in network.parameters() if p.requires_grad)
    found: list[tuple[int, int]] = []
    for layer in list(network.modules()):
        if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
            layer.register_forward_hook(lambda *call: found.append(operations_of(*call)))
        for name, norm in layer.named_children():
            if isinstance(norm, nn.BatchNorm2d):  # slow without weights, and free of what is counted
                setattr(layer, name, nn.Identity())
    channels = next(layer.in_channels for layer in network.modules() if isinstance(layer, nn.Conv2d))
    _run(network.eval(), torch.empty(1, channels, *size, device="meta"), every_head)
    return Cost(parameters, sum(true for true, _ in found), sum(on_output for _, on_output in found))


def _run(network: nn.Module, inputs: Tensor, every_head: bool) -> None:
    if isinstance(network, Network):
        network.every_head = every_head
        network.heads(inputs)  # without what is made of the heads, which may depend on their values
    else:
        network(inputs)


def operations_of(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> tuple[int, int]:
    """MACs of one call of a convolution, transposed convolution or linear layer: true, and counted on the output.

    Every number that comes out of a convolution was met by so many weights as make one output channel; so was
    every number that goes into a transposed convolution, by those that belong to its input channel.
    """
    weight: Tensor = layer.weight  # type: ignore[assignment]
    if not isinstance(layer, nn.ConvTranspose2d):
        operations = output.numel() * weight[0].numel()
        return operations, operations
    places = math.prod(output.shape[2:]) / math.prod(inputs[0].shape[2:])
    operations = inputs[0].numel() * weight[0].numel()
    return operations, round(operations * places)
