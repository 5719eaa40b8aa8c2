"""The training loop, to be read from top to bottom."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from bottomup.core import SKELETONS
from bottomup.data.loader import batches
from bottomup.nets import build
from bottomup.nets.device import available_device
from bottomup.training.average import WeightAverage
from bottomup.training.broken import keep_broken_batch
from bottomup.training.checkpoint import save_best, save_snapshot
from bottomup.training.config import Phase, TrainSettings
from bottomup.training.norms import set_batch_norms
from bottomup.training.parallel import (
    Group,
    average_gradients,
    join_group,
    mean_over_processes,
    share_start,
    told_in_any,
    wait_for_all,
)
from bottomup.training.prepare import optimisers
from bottomup.training.schedule import batch_factor, phase_bounds, rate_factor
from bottomup.training.state import Run, resume, snapshot
from bottomup.training.tasks import Task, task_of
from bottomup.training.termination import Terminated, noticed_termination
from bottomup.training.weights import save_trained

ALONE = Group()
BEST_WEIGHTS = "best.safetensors"
Judge = Callable[[nn.Module], dict[str, float]]


class Log(Protocol):
    """What the loop reports to: training/report.py has the one that writes files."""

    def step(self, step: int, losses: dict[str, Tensor], rate: float, seconds: float) -> None:
        """Takes note of one step."""

    def judged(self, step: int, numbers: dict[str, float], kept: Path | None) -> None:
        """Takes note of an evaluation; kept: where the weights are, if these are the best so far."""


def train(settings: TrainSettings, log: Log | None = None, judge: Judge | None = None) -> nn.Module:
    """Trains, or goes on where a killed run stopped; returns the network with averaged weights.

    judge: gives the numbers of a network on the dev set, called every `settings.dev.every` steps.
    Raises SettingsError or DataError before the first step if anything is wrong, DataError at a loss that is no
    number, Terminated once SIGTERM came and the run is saved.
    """
    device = available_device(settings.device)
    if settings.threads:
        torch.set_num_threads(settings.threads)
    group = join_group(device)
    torch.set_flush_denormal(True)  # gradients fade into numbers that a CPU computes with ten times as slowly
    run, task = prepared(settings, device, group)
    with noticed_termination() as told_to_stop:
        for step in steps_from(run.step, settings, task, group, pin=device.type == "cuda"):
            began = time.perf_counter()
            rate = set_rate(run.movers, step, settings)
            seed_step(settings.seed, step.number, group)
            pieces = [piece.to(device) for piece in step.pieces]
            try:
                losses = train_step(run.network, run.movers, pieces, settings, task, group)
            except FloatingPointError as error:
                raise keep_broken_batch(error, Path(settings.out), run, step.pictures, pieces, group) from error
            run.average.update(run.network, step.number)
            run.step = step.number + 1
            stop = told_in_any(told_to_stop(), device, group)
            if group.leads:
                if log:
                    log.step(step.number, losses, rate, time.perf_counter() - began)
                try:
                    if judge and is_due(run.step, settings.dev.every, settings):
                        judge_and_keep(run, settings, judge, log)
                finally:  # an evaluation that fails must not cost the steps before it
                    if stop or is_due(run.step, settings.save_every, settings):
                        save_snapshot(Path(settings.out), snapshot(run, settings))
            if stop:
                wait_for_all(group)
                raise Terminated(
                    f"stopped after step {run.step} of {settings.steps}; the same command goes on from there"
                )
    wait_for_all(group)
    return run.average.network


def prepared(settings: TrainSettings, device: torch.device, group: Group) -> tuple[Run, Task]:
    """The run, as its last snapshot or its start weights have it, and its task."""
    torch.manual_seed(settings.seed)
    network = build(**settings.network).to(device)
    task = task_of(settings, SKELETONS[settings.skeleton], network)
    network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    average = WeightAverage(network, settings.optimiser.average)
    network.train()
    set_batch_norms(network, settings.batch_norm, group)
    run = Run(network, optimisers(network, settings, group), average)
    resume(run, settings)
    share_start(network, group)
    if settings.compile:
        network.compile(dynamic=False)  # once for each phase's size
    return run, task


@dataclass(frozen=True)
class Step:
    """One step's work for this process: numbers of its pictures, and the batches that they are taken in."""

    number: int
    phase: Phase
    pictures: Sequence[int]
    pieces: Sequence[Any]


def steps_from(first: int, settings: TrainSettings, task: Task, group: Group, pin: bool = False) -> Iterator[Step]:
    """Every step still to do, phase after phase. Step n takes pictures n x batch to (n + 1) x batch.

    pin: whether pictures lie in pinned memory, for a GPU.
    """
    for (begin, end), phase in zip(phase_bounds(settings.phases, settings.steps), settings.phases, strict=True):
        begin = max(begin, first)
        if begin < end:
            share = group.share(phase.batch, phase.accumulate)
            numbers = [n * phase.batch + group.rank * share + i for n in range(begin, end) for i in range(share)]
            pieces = batches(
                task.pictures(phase), share // phase.accumulate, numbers, settings.workers, task.collate, pin
            )
            for n in range(begin, end):
                own = numbers[(n - begin) * share : (n - begin + 1) * share]
                yield Step(n, phase, own, list(islice(pieces, phase.accumulate)))


def set_rate(movers: Sequence[torch.optim.Optimizer], step: Step, settings: TrainSettings) -> float:
    """Sets every group's learning rate for this step; returns the main one."""
    factor = rate_factor(step.number, settings.steps, settings.optimiser) * batch_factor(step.phase, settings.optimiser)
    for group in (group for mover in movers for group in mover.param_groups):
        group["lr"] = group["base"] * factor
    return settings.optimiser.rate * factor


def seed_step(seed: int, step: int, group: Group) -> None:
    """Random numbers within a step (dropout) follow from seed, step and process: a resumed run draws the same."""
    torch.manual_seed(int(np.random.SeedSequence((seed, step, group.rank)).generate_state(1)[0]))


def train_step(
    network: nn.Module,
    movers: Sequence[torch.optim.Optimizer],
    pieces: Sequence[Any],
    settings: TrainSettings,
    task: Task,
    group: Group = ALONE,
) -> dict[str, Tensor]:
    """One optimiser step on a batch, of which this process has these pieces; the whole batch's losses, detached.

    Raises FloatingPointError, in every process, for a loss or a gradient that is no number; nothing has moved then.
    """
    counts = mean_over_processes(torch.stack([task.counts(piece) for piece in pieces]).mean(0), group)
    network.zero_grad(set_to_none=True)
    found = []
    for piece in pieces:
        losses = task.losses(network, piece, counts)
        (losses["total"] * (task.lift / len(pieces))).backward()
        found.append(torch.stack([loss.detach().float() for loss in losses.values()]))
    means = mean_over_processes(torch.stack(found).mean(0), group)
    if not torch.isfinite(means).all():
        raise FloatingPointError(f"the loss is {means.tolist()[0]}")
    parameters = [p for mover in movers for options in mover.param_groups for p in options["params"]]
    average_gradients(parameters, group)
    if not torch.isfinite(nn.utils.clip_grad_norm_(parameters, settings.optimiser.clip)):
        raise FloatingPointError("a gradient is not finite")
    for mover in movers:
        mover.step()
    return dict(zip(losses, means, strict=True))


def is_due(done: int, every: int, settings: TrainSettings) -> bool:
    """Whether what is done every so many steps is to be done after `done` of them; it always is at the end."""
    return done % every == 0 or done == settings.steps


def judge_and_keep(run: Run, settings: TrainSettings, judge: Judge, log: Log | None) -> None:
    """Judges the averaged network on the dev set; keeps snapshot and weights if its AP is the highest so far."""
    numbers, kept = judge(run.average.network), None
    if numbers["AP"] > run.best:
        run.best, kept = numbers["AP"], Path(settings.out) / BEST_WEIGHTS
        save_best(Path(settings.out), snapshot(run, settings))
        save_trained(run.average.network, settings, run.step, kept)
    if log:
        log.judged(run.step, numbers, kept)
