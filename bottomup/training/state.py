"""What changes while a network is trained, and how a run goes on from a snapshot of it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from bottomup.errors import SettingsError
from bottomup.training.average import WeightAverage
from bottomup.training.checkpoint import load_snapshot
from bottomup.training.config import TrainSettings
from bottomup.training.prepare import start_weights


@dataclass
class Run:
    """The network, the optimisers that move it, its average; step: steps done; best: highest AP on the dev set."""

    network: nn.Module
    movers: list[torch.optim.Optimizer]
    average: WeightAverage
    step: int = 0
    best: float = -1.0


def snapshot(run: Run, settings: TrainSettings) -> dict[str, Any]:
    """All that a resumed run needs; data order, augmentation and random numbers follow from seed and step alone."""
    return {
        "step": run.step,
        "best": run.best,
        "settings": json.dumps(asdict(settings)),
        "network": run.network.state_dict(),
        "optimisers": [mover.state_dict() for mover in run.movers],
        "average": run.average.state(),
    }


def resume(run: Run, settings: TrainSettings) -> None:
    """Puts the last snapshot back; without one loads the start weights."""
    folder = Path(settings.out)
    state = load_snapshot(folder)
    if state is None:
        start_weights(run.network, settings)
        run.average.restart(run.network)
        return
    refuse_other_settings(folder, json.loads(state["settings"]), json.loads(json.dumps(asdict(settings))))
    run.network.load_state_dict(state["network"])
    for mover, kept in zip(run.movers, state["optimisers"], strict=True):
        mover.load_state_dict(kept)
    run.average.load(state["average"])
    run.step, run.best = int(state["step"]), float(state["best"])


FREE = {"out", "threads", "workers", "remember", "save_every", "dev", "device", "road", "compile"}


def refuse_other_settings(folder: Path, before: dict[str, Any], now: dict[str, Any]) -> None:
    """Raises SettingsError if a run is resumed with settings that would change what it computes."""
    changed = [key for key in now if key not in FREE and before.get(key) != now[key]]
    if changed:
        raise SettingsError(
            f"{folder} holds a run with other settings ({', '.join(changed)}); take another `out` or start from its "
            "weights"
        )
