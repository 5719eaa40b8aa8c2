"""Images that tests of networks share."""

from __future__ import annotations

import torch


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    """Normal noise of this shape, the same at every call."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))
