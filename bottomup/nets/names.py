"""Tensor names of one network written as another's."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from torch import nn

Rule = tuple[str, str | Callable[[re.Match[str]], str]]  # pattern and what stands for it, as `re.sub` takes them


def renamed(network: nn.Module, rules: Sequence[Rule]) -> dict[str, str]:
    """Every tensor name of the network to what the rules, applied in order, make of it."""
    names = {name: name for name in network.state_dict()}
    for pattern, replacement in rules:
        names = {name: re.sub(pattern, replacement, known) for name, known in names.items()}
    return names
