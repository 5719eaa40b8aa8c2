"""What a training run is fed, and what it eats: crops a second of the loader and of the default network.

python benchmarks/training.py                        CPU: one core each, side by side, in turns
python benchmarks/training.py --device cuda --bf16   GPU: steps fed by the loader against ready-made batches

Pictures are 640 x 480 JPEGs made of the labelled pictures of --labels (drawn ones without it). Times are
CPU seconds, medians over rounds in which all take turns, so that other work on the machine counts little.
"""

from __future__ import annotations

import argparse
import itertools
import os
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from bottomup.core import COCO17, LABELLED, People, Sample
from bottomup.data.augment import Augmentation, make_example
from bottomup.data.coco import read_coco
from bottomup.data.loader import Batch, Mixture, batches, collate
from bottomup.data.shards import StoredImage
from bottomup.nets import build
from bottomup.settings import load_settings
from bottomup.training.bottomup import BottomUpTask
from bottomup.training.config import TrainSettings
from bottomup.training.loop import train_step
from bottomup.training.parallel import Group
from bottomup.training.prepare import optimisers

PICTURES, SIZE = 60, (640, 480)
ALONE = Augmentation(mosaic=(1, 0, 0), paste=0)  # one picture a crop


def main() -> None:
    """Measures and prints."""
    options = _parser().parse_args()
    warnings.filterwarnings("ignore", message=r"index_reduce\(\) is in beta")
    torch.set_num_threads(options.threads)
    settings = load_settings(TrainSettings, options.config, [f"bf16={str(options.bf16).lower()}", "remember=false"])
    print(
        f"{options.config}, {options.device}, {options.threads} threads, bf16 {options.bf16}, torch {torch.__version__}"
    )
    with tempfile.TemporaryDirectory() as folder:
        samples = jpegs(options.labels, Path(folder))
        if options.device == "cpu":
            crops(samples, settings, options)
            memory(samples, settings, options)
        else:
            fed(samples, settings, options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", default="configs/default.yaml")
    parser.add_argument("--labels", default="../shared/data/coco/train.json", help="COCO file with people")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--bf16", action="store_true", help="bfloat16 arithmetic in the network")
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="of the network")
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)), metavar="N", help="of the loader")
    parser.add_argument("--batch", type=int, default=64, metavar="N", help="crops a step on a GPU")
    parser.add_argument("--rounds", type=int, default=9, metavar="N")
    return parser


def jpegs(labels: str, folder: Path) -> list[Sample]:
    """Samples whose pictures are 640 x 480 JPEG files of usual quality, with all their people."""
    found = [s for s in read_coco(labels) if len(s.people)][:PICTURES] if Path(labels).is_file() else []
    samples = [resized(sample, folder / f"{i}.jpg") for i, sample in enumerate(found)]
    print(f"{len(samples) or PICTURES} pictures of {labels if samples else 'noise'}, {SIZE[0]} x {SIZE[1]} JPEG")
    return samples or [drawn(folder / f"{i}.jpg", np.random.default_rng(i)) for i in range(PICTURES)]


def resized(sample: Sample, path: Path) -> Sample:
    """The sample with its picture as a JPEG file of 640 x 480."""
    image = cv2.resize(sample.load(), SIZE, interpolation=cv2.INTER_AREA)
    cv2.imwrite(str(path), image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])
    ratio = np.array(SIZE, np.float32) / sample.size
    people = sample.people
    joints, boxes = people.joints.copy(), np.asarray(people.boxes) * np.tile(ratio, 2)
    joints[..., :2] *= ratio
    return replace(
        sample,
        load=StoredImage(path, path.name),
        size=SIZE,
        people=replace(people, joints=joints, boxes=boxes.astype(np.float32)),
        ignore=None,
    )


def drawn(path: Path, rng: np.random.Generator) -> Sample:
    """A picture of soft noise with two people somewhere."""
    cv2.imwrite(str(path), cv2.GaussianBlur(rng.integers(0, 256, (*SIZE[::-1], 3)).astype(np.uint8), (0, 0), 2))
    joints = np.dstack((rng.uniform(100, 400, (2, 17, 2)), np.ones((2, 17)))).astype(np.float32)
    boxes = np.array([[90, 90, 320, 320]] * 2, np.float32)
    people = People(joints, np.ones(2, np.float32), COCO17, boxes)
    known = np.full((2, 17), LABELLED, np.uint8)
    return Sample(StoredImage(path, path.name), SIZE, people, known, np.ones(17, bool), path.name, 0)


def crops(samples: list[Sample], settings: TrainSettings, options: argparse.Namespace) -> None:
    """CPU milliseconds of a crop for a loader worker, and of training on one, a core each."""
    task, learn = default_task(samples, settings, options)
    phase, ready, number = settings.phases[-1], ready_batch(task, settings, options), itertools.count()
    mixture = task.pictures(phase)
    step = lambda: learn(ready)  # noqa: E731
    plain = lambda rng: samples[int(rng.integers(len(samples)))]  # noqa: E731
    runs: dict[str, Callable[[], Any]] = {
        "a 512 crop of one 640 x 480 JPEG": lambda: make_example(plain, 512, 4, ALONE, COCO17, rng_of(number)),
        f"a {phase.size} crop as configured": lambda: mixture[next(number)],
        f"training on a {phase.size} crop": step,
    }
    repeats = {name: 1 if run is step else 30 for name, run in runs.items()}
    times: dict[str, list[float]] = {name: [] for name in runs}
    for turn in range(options.rounds + 1):
        for name, run in runs.items():
            spent = cpu_seconds(run, repeats[name]) / (phase.batch if run is step else 1)
            if turn:
                times[name] += [spent]
    medians = {name: statistics.median(spent) for name, spent in times.items()}
    for name, seconds in medians.items():
        print(f"{name:36s} {1e3 * seconds:8.2f} ms of one core: {1 / seconds:7.1f} a second")
    one, configured, learned = medians.values()
    print(f"one worker's 512 crop: {1e3 * one:.2f} ms (asked for: at most 6)")
    print(f"loader / network, a core each: {learned / configured:.1f} (asked for: at least 4)")


def rng_of(number: Iterator[int]) -> np.random.Generator:
    """The generator of the next number."""
    return np.random.default_rng((0, next(number)))


def cpu_seconds(run: Callable[[], Any], repeats: int) -> float:
    """CPU seconds of this process, the mean over repeats."""
    begin = time.process_time()
    for _ in range(repeats):
        run()
    return (time.process_time() - begin) / repeats


def default_task(
    samples: list[Sample], settings: TrainSettings, options: argparse.Namespace
) -> tuple[BottomUpTask, Callable[[Any], Any]]:
    """The configuration's task on these samples, and one optimiser step on a batch."""
    task = BottomUpTask(replace(settings, sets=()), COCO17, 4)
    task.sets, task.weights = [samples], [1.0]
    network = build(**settings.network).to(options.device).to(memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    movers = optimisers(network, settings, Group())
    return task, lambda batch: train_step(network, movers, [batch.to(options.device)], settings, task)


def ready_batch(task: BottomUpTask, settings: TrainSettings, options: argparse.Namespace) -> Batch:
    """A batch of the last phase, where the network is."""
    phase = settings.phases[-1]
    mixture = task.pictures(phase)
    return collate([mixture[i] for i in range(phase.batch)]).to(options.device)


def memory(samples: list[Sample], settings: TrainSettings, options: argparse.Namespace) -> None:
    """Memory that is a loader worker's own, not shared with the training process; kept pictures would add theirs."""
    phase = settings.phases[-1]
    mixture = Mixture(
        [samples], [1.0], size=phase.size, stride=4, skeleton=COCO17, augmentation=settings.augmentation, seed=0
    )
    before = set(children())
    fed = batches(mixture, phase.batch, range(40 * phase.batch), options.workers)
    for _ in range(20):
        next(fed)
    own = [own_megabytes(child) for child in children() if child not in before]
    print(f"memory of a worker alone: {max(own):.0f} MB ({options.workers} workers, batches of {phase.batch})")


def children() -> list[int]:
    """Process numbers of this process's children."""
    return [int(n) for n in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()]


def own_megabytes(process: int) -> float:
    """Memory that nobody shares with a process."""
    lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_")) / 1024


def fed(samples: list[Sample], settings: TrainSettings, options: argparse.Namespace) -> None:
    """Crops a second on a GPU: batches of the loader against one batch that lies there, in turns."""
    phase = replace(settings.phases[-1], batch=options.batch, accumulate=1)
    settings = replace(settings, phases=(phase,))
    task, learn = default_task(samples, settings, options)
    batch = ready_batch(task, settings, options)
    numbers = range((options.rounds + 1) * 40 * phase.batch)
    loader = batches(task.pictures(phase), phase.batch, numbers, options.workers)
    made, loaded = [], []
    for turn in range(options.rounds + 1):
        both = wall_seconds(lambda: learn(batch), 20), wall_seconds(lambda: learn(next(loader)), 20)
        if turn:
            made.append(both[0])
            loaded.append(both[1])
    speeds = [phase.batch / statistics.median(times) for times in (made, loaded)]
    print(f"batches of {phase.batch} crops of {phase.size}, {options.workers} workers: ", end="")
    print(f"{speeds[0]:.0f} crops/s ready-made, {speeds[1]:.0f} crops/s from the loader")
    print(f"loader / ready-made: {100 * speeds[1] / speeds[0]:.0f} % (asked for: at least 90)")


def wall_seconds(run: Callable[[], Any], repeats: int) -> float:
    """Seconds until the GPU is done, the mean over repeats."""
    torch.cuda.synchronize()
    begin = time.perf_counter()
    for _ in range(repeats):
        run()
    torch.cuda.synchronize()
    return (time.perf_counter() - begin) / repeats


if __name__ == "__main__":
    main()
