"""Trained weights as a file that is enough to run the system."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from torch import nn

from bottomup.core import SKELETONS
from bottomup.files.weights import FORMAT, save_weights, tensors_to_keep
from bottomup.training.config import TrainSettings


def weights_header(settings: TrainSettings, steps: int, sources: Sequence[str] = ()) -> dict[str, Any]:
    """How to build and run the network, and how it came about: `steps` of this run, after `sources`."""
    return {
        "format": FORMAT,
        "method": settings.method,
        "network": dict(settings.network),
        "skeleton": SKELETONS[settings.skeleton].to_dict(),
        "road": dict(settings.road),
        "training": {"steps": steps, "sources": list(sources), "settings": asdict(settings)},
    }


def save_trained(network: nn.Module, settings: TrainSettings, steps: int, path: Path) -> None:
    """Writes a network (the averaged one) in half precision, complete or not at all."""
    save_weights(path, tensors_to_keep(network), weights_header(settings, steps), half=True)
