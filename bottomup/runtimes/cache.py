"""Converted models, kept: converting takes seconds, reading one does not."""

from __future__ import annotations

import hashlib
import os
import tempfile
from importlib.metadata import version
from pathlib import Path

import torch
from torch import nn

from bottomup.errors import SettingsError

FOLDER = "BOTTOMUP_CACHE"


def cache_folder() -> Path:
    """Where converted models are kept: what BOTTOMUP_CACHE names, else the user's cache; made if need be.

    Raises SettingsError if it cannot be written to.
    """
    user = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA") or Path.home() / ".cache"
    folder = Path(os.environ.get(FOLDER) or Path(user) / "bottomup" / "models")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise SettingsError(
            f"{folder}: converted models cannot be kept there ({error.strerror}); name a folder in {FOLDER}, "
            "or use --runtime torch"
        ) from error
    return folder


def key_of(network: nn.Module, packages: tuple[str, ...]) -> str:
    """A hash of a network's wiring and tensors and of the versions that convert and run it."""
    digest = hashlib.sha256(str(network).encode())
    digest.update(" ".join((torch.__version__, *map(version, packages))).encode())
    for name, tensor in network.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:32]
