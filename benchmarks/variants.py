"""What ablations share: the weights of one variant, trained from a settings file with a few settings changed."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

SHORT = ("workers=0", "dev={}", "optimiser.warmup=20", "optimiser.average=0.98")  # runs of a few hundred steps


def trained(name: str, out: Path, config: str, changes: Iterable[str]) -> Path:
    """The weights of the variant of this name in a folder below `out`; trained where they are not there yet.

    changes: settings in place of those of the file `config`, as `train.py` takes them; those of `SHORT` always hold.
    """
    from bottomup.settings import load_settings
    from bottomup.training.config import TrainSettings
    from bottomup.training.loop import train
    from bottomup.training.weights import save_trained

    folder = out / folder_name(name)
    path: Path = folder / "weights.safetensors"
    if not path.exists():
        settings = load_settings(TrainSettings, config, [*SHORT, f"out={folder}", *changes])
        save_trained(train(settings), settings, settings.steps, path)
    return path


def folder_name(name: str) -> str:
    """A variant's name as a folder's: words joined by dashes, without signs."""
    return "-".join(re.findall(r"\w+", name.replace("<", "below").replace("'", "")))
