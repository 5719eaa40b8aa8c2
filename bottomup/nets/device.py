"""Where networks run."""

from __future__ import annotations

import torch

from bottomup.errors import SettingsError

DEVICES = ("auto", "cpu", "cuda")


def available_device(name: str) -> torch.device:
    """The device of this name; raises SettingsError for one that is unknown or absent, never takes another."""
    if name not in DEVICES:
        raise SettingsError(f"device is {name!r}, it must be one of {', '.join(DEVICES)}")
    if name == "cuda" and not torch.cuda.is_available():
        raise SettingsError("device is 'cuda', but torch finds no CUDA device; take 'cpu', or install torch for CUDA")
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)
