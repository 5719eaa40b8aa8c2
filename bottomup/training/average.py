"""An exponential moving average of a network's weights, which is what is evaluated and shipped."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn


class WeightAverage:
    """Moving average of parameters; running statistics of batch norms are averaged alike.

    network: a copy in eval mode that holds the average. decay: share that stays in a step; early on it
    is smaller, so that the start is soon forgotten.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.decay = decay
        self.network = copy.deepcopy(network).eval().requires_grad_(False)

    def restart(self, network: nn.Module) -> None:
        """Begins anew at the network's present weights."""
        self.network.load_state_dict(network.state_dict())

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        """Moves towards the network after step `step` (counted from 0)."""
        keep = min(self.decay, (1 + step) / (10 + step))
        pairs = list(zip(self.network.state_dict().values(), network.state_dict().values(), strict=True))
        moving = [pair for pair in pairs if pair[0].dtype.is_floating_point]
        torch._foreach_lerp_([mean for mean, _ in moving], [now for _, now in moving], 1 - keep)
        for mean, now in pairs:
            if not mean.dtype.is_floating_point:
                mean.copy_(now)

    def state(self) -> dict[str, Tensor]:
        """What a snapshot keeps."""
        return self.network.state_dict()

    def load(self, state: dict[str, Tensor]) -> None:
        """Puts a snapshot's state back."""
        self.network.load_state_dict(state)
