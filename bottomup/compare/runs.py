"""Systems run on the same pictures, each in a process of its own, in turns: times can be set side by side."""

from __future__ import annotations

import multiprocessing
import resource
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from bottomup.compare.settings import CompareSettings, System
from bottomup.core import Sample
from bottomup.core.layouts import as_written, written_skeleton
from bottomup.errors import InputError, SettingsError

Load = Callable[[], np.ndarray]
TURN = 8  # pictures that a system runs before it is the next one's turn

_predictor: Any = None  # of the process that runs one system


@dataclass(frozen=True)
class Description:
    """What runs: method and boxes in words, the weights file, the device, the skeleton that results hold."""

    method: str
    boxes: str
    weights: str
    device: str
    skeleton: str
    load_seconds: float


@dataclass
class Run:
    """What a system found and took. seconds: for each picture those of each stage. memory: peak bytes."""

    about: Description
    entries: list[dict[str, Any]] = field(default_factory=list)
    seconds: list[dict[str, float]] = field(default_factory=list)
    memory: int = 0
    gpu_memory: int | None = None


class Runner:
    """One system in a process of its own."""

    def __init__(self, system: System, device: str, threads: int) -> None:
        self.system = system
        self._pool = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))
        self.about: Description = self._ask(_start, system, device, threads)

    def expect(self, image_ids: Sequence[int]) -> None:
        """Raises InputError if the system has boxes, but of none of these pictures."""
        self._ask(_expect, list(image_ids))

    def turn(self, pictures: Sequence[tuple[int, Load]]) -> list[tuple[list[dict[str, Any]], dict[str, float]]]:
        """COCO results entries and seconds by stage of each picture (image id, what loads it)."""
        return self._ask(_turn, list(pictures))

    def overlays(self, load: Load) -> dict[str, bytes]:
        """PNGs of the maps of a picture, for systems that have maps of whole pictures; else none."""
        return self._ask(_overlays, load)

    def memory(self) -> tuple[int, int | None]:
        """Peak bytes of the process, and of the GPU if it is used."""
        return self._ask(_peak_memory)

    def _ask(self, function: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return self._pool.submit(function, *arguments).result()
        except BrokenProcessPool as error:
            remedy = "free some memory, or leave the system out"
            raise InputError(f"{self.system.name}: its process was ended from outside; {remedy}") from error

    def close(self) -> None:
        """Ends the process."""
        self._pool.shutdown(cancel_futures=True)


@contextmanager
def started(settings: CompareSettings, skeleton: str) -> Iterator[dict[str, Runner]]:
    """Runners of the systems that have weights, by name. Raises SettingsError where one has other joints."""
    with ExitStack() as stack:
        runners = {}
        for system in settings.systems:
            if system.weights is None:
                continue
            runner = Runner(system, settings.device, settings.threads)
            stack.callback(runner.close)
            if runner.about.skeleton != skeleton:
                raise SettingsError(
                    f"{system.name}: finds joints of {runner.about.skeleton}, metric {settings.metric} judges "
                    f"{skeleton}; leave the system out or name another metric"
                )
            runners[system.name] = runner
        yield runners


def measure(
    runners: dict[str, Runner], samples: Sequence[Sample], settings: CompareSettings, progress: bool
) -> dict[str, Run]:
    """Runs all pictures through all systems, a few at a time in turns, after a warm-up."""
    pictures = [(sample.image_id, sample.load) for sample in samples]
    for runner in runners.values():
        runner.expect([number for number, _ in pictures])
    runs = {name: Run(runner.about) for name, runner in runners.items()}
    for runner in runners.values():
        runner.turn(_crowded_first(samples)[: settings.warm_up])
    rounds: dict[str, list[list[dict[str, float]]]] = {name: [] for name in runners}
    bar = tqdm(total=len(pictures) * settings.rounds, unit="picture", disable=None if progress and runners else True)
    for _ in range(settings.rounds):
        found: dict[str, list[Any]] = {name: [] for name in runners}
        for start in range(0, len(pictures), TURN):
            turn = pictures[start : start + TURN]
            for name, runner in runners.items():
                found[name] += runner.turn(turn)
            bar.update(len(turn))
        for name, answers in found.items():
            runs[name].entries = [entry for entries, _ in answers for entry in entries]
            rounds[name].append([seconds for _, seconds in answers])
    bar.close()
    for name, run in runs.items():
        run.seconds = [_median(each) for each in zip(*rounds[name], strict=True)]
        run.memory, run.gpu_memory = runners[name].memory()
    return runs


def _crowded_first(samples: Sequence[Sample]) -> list[tuple[int, Load]]:
    """Pictures that make every stage work: compiled kernels are compiled before the clock starts."""
    ranked = sorted(samples, key=lambda sample: -len(sample.people))
    return [(sample.image_id, sample.load) for sample in ranked]


def _median(rounds: Sequence[dict[str, float]]) -> dict[str, float]:
    stages = list(dict.fromkeys(stage for seconds in rounds for stage in seconds))
    return {stage: float(np.median([seconds.get(stage, 0.0) for seconds in rounds])) for stage in stages}


# ------------------------------------------------------------------------------------ in the process


def _start(system: System, device: str, threads: int) -> Description:
    global _predictor
    import cv2
    import torch

    from bottomup.compare.loading import described, load_system

    torch.set_num_threads(threads)
    cv2.setNumThreads(threads)
    start = time.perf_counter()
    _predictor = load_system(system, device)
    spent = time.perf_counter() - start
    method, boxes = described(_predictor)
    skeleton = written_skeleton(_predictor.road.skeleton).name
    return Description(method, boxes, str(_predictor.weights), str(_predictor.device), skeleton, spent)


def _expect(image_ids: list[int]) -> None:
    _predictor.road.expect(image_ids)


def _turn(pictures: list[tuple[int, Load]]) -> list[tuple[list[dict[str, Any]], dict[str, float]]]:
    return [_run(image_id, load) for image_id, load in pictures]


def _run(image_id: int, load: Load) -> tuple[list[dict[str, Any]], dict[str, float]]:
    seconds = _predictor.clock.seconds
    seconds.clear()
    start = time.perf_counter()
    with _predictor.clock("read"):
        image = load()
    people = _predictor.road([image], [image_id])[0]
    spent = time.perf_counter() - start
    stages = seconds | {"other": max(spent - sum(seconds.values()), 0.0)}
    return as_written(people).to_coco(image_id), stages


def _overlays(load: Load) -> dict[str, bytes]:
    from bottomup.compare.overlays import overlays
    from bottomup.roads.bottomup import BottomUp

    return overlays(_predictor.road, load()) if isinstance(_predictor.road, BottomUp) else {}


def _peak_memory() -> tuple[int, int | None]:
    import torch

    gpu = torch.cuda.max_memory_allocated() if _predictor.device.type == "cuda" else None
    status = Path("/proc/self/status")
    if status.exists():  # getrusage would count the parent's memory too, which Linux keeps over exec
        peak = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return 1024 * int(peak.split()[1]), gpu
    unit = 1 if sys.platform == "darwin" else 1024
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, gpu
