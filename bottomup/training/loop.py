"""The training loop, to be read from top to bottom."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from bottomup.core import SKELETONS
from bottomup.data.loader import batches
from bottomup.errors import SettingsError
from bottomup.nets import build
from bottomup.nets.device import available_device
from bottomup.training.average import WeightAverage
from bottomup.training.checkpoint import load_snapshot, save_snapshot
from bottomup.training.config import TrainSettings
from bottomup.training.parallel import Group, average_gradients, join_group, share_start, wait_for_all
from bottomup.training.prepare import optimisers, start_weights
from bottomup.training.schedule import phase_bounds, rate_factor
from bottomup.training.tasks import Task, task_of

ALONE = Group()
Judge = Callable[[nn.Module], dict[str, float]]


class Log(Protocol):
    """What the loop reports to: training/report.py has the one that writes files."""

    def step(self, step: int, losses: dict[str, Tensor], rate: float, seconds: float) -> None:
        """Takes note of one step."""

    def judged(self, step: int, numbers: dict[str, float]) -> None:
        """Takes note of an evaluation."""


def train(settings: TrainSettings, log: Log | None = None, judge: Judge | None = None) -> nn.Module:
    """Trains, or goes on where a killed run stopped; returns the network with averaged weights.

    judge: gives the numbers of a network on the dev set, called every `settings.dev.every` steps.
    Raises SettingsError or DataError before the first step if anything is wrong.
    """
    skeleton = SKELETONS[settings.skeleton]
    device = available_device(settings.device)
    if settings.threads:
        torch.set_num_threads(settings.threads)
    group = join_group(device)
    torch.manual_seed(settings.seed)
    torch.set_flush_denormal(True)  # gradients fade into numbers that a CPU computes with ten times as slowly
    network = build(**settings.network).to(device)
    task = task_of(settings, skeleton, network)
    network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    network.train()
    movers = optimisers(network, settings, group)
    average = WeightAverage(network, settings.optimiser.average)
    folder = Path(settings.out)
    step = resume(folder, settings, network, movers, average)
    share_start(network, group)
    for number, batch in steps_from(step, settings, task, group):
        began = time.perf_counter()
        rate = set_rate(movers, number, settings)
        losses = train_step(network, movers, batch.to(device), settings, task, group)
        average.update(network, number)
        done = number + 1
        if group.leads:
            if log:
                log.step(number, losses, rate, time.perf_counter() - began)
            if done % settings.save_every == 0 or done == settings.steps:
                save_snapshot(folder, snapshot(done, settings, network, movers, average))
            if judge and (done % settings.dev.every == 0 or done == settings.steps):
                numbers = judge(average.network)
                if log:
                    log.judged(done, numbers)
    wait_for_all(group)
    return average.network


def steps_from(first: int, settings: TrainSettings, task: Task, group: Group) -> Iterator[tuple[int, Any]]:
    """(step, this process's share of the batch) of every step still to do, phase after phase."""
    for (begin, end), phase in zip(phase_bounds(settings.phases, settings.steps), settings.phases, strict=True):
        begin = max(begin, first)
        if begin < end:
            share = group.share(phase.batch)
            numbers = [n * phase.batch + group.rank * share + i for n in range(begin, end) for i in range(share)]
            shares = batches(task.pictures(phase), share, numbers, settings.workers, task.collate)
            yield from zip(range(begin, end), shares, strict=True)


def set_rate(movers: Sequence[torch.optim.Optimizer], step: int, settings: TrainSettings) -> float:
    """Sets every group's learning rate for this step; returns the main one."""
    factor = rate_factor(step, settings.steps, settings.optimiser)
    for group in (group for mover in movers for group in mover.param_groups):
        group["lr"] = group["base"] * factor
    return settings.optimiser.rate * factor


def train_step(
    network: nn.Module,
    movers: Sequence[torch.optim.Optimizer],
    batch: Any,
    settings: TrainSettings,
    task: Task,
    group: Group = ALONE,
) -> dict[str, Tensor]:
    """One optimiser step on one batch (this process's share of it); returns the losses, detached."""
    losses = task.losses(network, batch)
    if not torch.isfinite(losses["total"]):
        raise FloatingPointError(f"the loss is {losses['total'].item()}; lower optimiser.rate or check the data")
    network.zero_grad(set_to_none=True)
    (task.lift * losses["total"]).backward()
    parameters = [p for mover in movers for options in mover.param_groups for p in options["params"]]
    average_gradients(parameters, group)
    nn.utils.clip_grad_norm_(parameters, settings.optimiser.clip)
    for mover in movers:
        mover.step()
    return {name: loss.detach() for name, loss in losses.items()}


def snapshot(
    step: int,
    settings: TrainSettings,
    network: nn.Module,
    movers: Sequence[torch.optim.Optimizer],
    average: WeightAverage,
) -> dict[str, Any]:
    """All that a resumed run needs; data order and augmentation follow from seed and step alone."""
    return {
        "step": step,
        "settings": json.dumps(asdict(settings)),
        "network": network.state_dict(),
        "optimisers": [mover.state_dict() for mover in movers],
        "average": average.state(),
    }


def resume(
    folder: Path,
    settings: TrainSettings,
    network: nn.Module,
    movers: Sequence[torch.optim.Optimizer],
    average: WeightAverage,
) -> int:
    """Puts the last snapshot back and returns its step; without one loads the start weights and returns 0."""
    state = load_snapshot(folder)
    if state is None:
        start_weights(network, settings)
        average.restart(network)
        return 0
    refuse_other_settings(folder, json.loads(state["settings"]), json.loads(json.dumps(asdict(settings))))
    network.load_state_dict(state["network"])
    for mover, kept in zip(movers, state["optimisers"], strict=True):
        mover.load_state_dict(kept)
    average.load(state["average"])
    return int(state["step"])


FREE = {"out", "threads", "workers", "remember", "save_every", "dev", "device", "road"}


def refuse_other_settings(folder: Path, before: dict[str, Any], now: dict[str, Any]) -> None:
    """Raises SettingsError if a run is resumed with settings that would change what it computes."""
    changed = [key for key in now if key not in FREE and before.get(key) != now[key]]
    if changed:
        raise SettingsError(
            f"{folder} holds a run with other settings ({', '.join(changed)}); take another `out` or start from its "
            "weights"
        )
