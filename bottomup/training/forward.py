"""Pictures on their way into a network that is being trained."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor


def normalise(images: Tensor, road: dict[str, Any]) -> Tensor:
    """uint8 (B, 3, H, W) as the network wants it: float, minus mean, by standard deviation, channels last."""
    mean = torch.tensor(road["mean"], device=images.device, dtype=torch.float32)[:, None, None]
    std = torch.tensor(road["std"], device=images.device, dtype=torch.float32)[:, None, None]
    return ((images.float() - mean) / std).contiguous(memory_format=torch.channels_last)


def autocast(device: torch.device, wanted: bool) -> AbstractContextManager:
    """bfloat16 arithmetic where it was asked for."""
    return torch.autocast(device.type, torch.bfloat16) if wanted else nullcontext()
