"""Snapshots of a training run: written whole or not at all, the one before and the best kept."""

from __future__ import annotations

import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import torch

from bottomup.errors import DataError
from bottomup.files.atomic import replacing

LAST, BEFORE, BEST = "last.pt", "before.pt", "best.pt"


def save_snapshot(folder: Path, state: dict[str, Any]) -> None:
    """Writes, syncs and renames; a kill at any moment leaves a complete snapshot to go on from."""
    with replacing(folder / LAST) as file:
        torch.save(state, file)
        if (folder / LAST).exists():
            os.replace(folder / LAST, folder / BEFORE)


def save_best(folder: Path, state: dict[str, Any]) -> None:
    """Keeps a snapshot as the best one so far."""
    with replacing(folder / BEST) as file:
        torch.save(state, file)


def load_snapshot(folder: Path) -> dict[str, Any] | None:
    """The newest complete snapshot, or None where there is none. Raises DataError if all are broken."""
    broken = []
    for path in (folder / LAST, folder / BEFORE):
        if not path.exists():
            continue
        try:
            if not zipfile.is_zipfile(path):  # cut short: torch.load would take it for the older pickle format
                raise EOFError("cut short")
            return torch.load(path, map_location="cpu", weights_only=True)
        except (RuntimeError, EOFError, OSError, pickle.UnpicklingError) as error:
            broken.append(f"{path}: {error}")
    if broken:
        raise DataError(f"no snapshot can be read; remove the folder to start afresh: {'; '.join(broken)}")
    return None
