"""A run small enough to be repeated: a few drawn pictures and a network of five convolutions, known as "tiny"."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import nn

from bottomup.core import Maps
from bottomup.nets import NETWORKS
from bottomup.nets.blocks import conv_bn
from bottomup.nets.network import PoseNetwork
from bottomup.training.config import DataSet, Dev, Optimiser, Phase, TrainSettings

ROOT = Path(__file__).parents[2]
STEPS, PICTURES = 16, 4


class Tiny(PoseNetwork):
    """Heatmaps, PAFs and tags of COCO-17 at stride 4. dropout: share of channels that are dropped in training."""

    def __init__(self, dropout: float = 0.0) -> None:
        super().__init__()
        layers = [conv_bn(3, 8, 3, stride=2), conv_bn(8, 16, 3, stride=2), conv_bn(16, 16, 3), conv_bn(16, 16, 3)]
        self.layers = nn.Sequential(*layers, nn.Dropout2d(dropout))
        self.answers = nn.ModuleList([nn.Conv2d(16, 17 + 38 + 17, 1)])

    def forward(self, images):
        heat, pafs, tags = self.answers[0](self.layers(images)).split((17, 38, 17), 1)
        return [Maps(heat, pafs.unflatten(1, (19, 2)), tags.unflatten(1, (1, 17)), stride=4, sigma=1.5)]


sys.modules["bottomup.nets._tiny"] = sys.modules[__name__]  # found by name, like all networks
NETWORKS["tiny"] = "_tiny:Tiny"


def write_set(folder: Path) -> Path:
    """Small pictures in COCO's layout; the n-th shows n people, the first nobody."""
    rng = np.random.default_rng(0)
    images, annotations = [], []
    for number in range(PICTURES):
        cv2.imwrite(str(folder / f"{number}.png"), rng.integers(0, 255, (80, 70, 3)).astype(np.uint8))
        images.append({"id": number, "file_name": f"{number}.png", "width": 70, "height": 80})
        for _ in range(number):
            joints = np.column_stack((rng.uniform(10, 60, 17), rng.uniform(10, 70, 17), np.full(17, 2)))
            person = {"id": len(annotations), "image_id": number, "iscrowd": 0, "num_keypoints": 17, "area": 3000}
            annotations.append(person | {"keypoints": joints.reshape(-1).tolist(), "bbox": [8, 8, 54, 64]})
    path = folder / "people.json"
    path.write_text(json.dumps({"images": images, "annotations": annotations, "categories": []}))
    return path


def settings(folder: Path | str, labels: Path | str, **changes) -> TrainSettings:
    """A run of 16 steps, two pictures each: an epoch of the four pictures ends after every second step."""
    given = dict(
        out=str(folder),
        steps=STEPS,
        sets=(DataSet(str(labels), 1.0),),
        network={"name": "tiny"},
        start="random",
        freeze=0,
        phases=(Phase(64, 2, 0.5), Phase(96, 2, 0.5)),
        optimiser=Optimiser(warmup=2, kernels=2e-3),
        dev=Dev(every=1000),
        road={"mean": [127.0] * 3, "std": [128.0] * 3},
        device="cpu",
        threads=1,
        workers=0,
        save_every=1,
    )
    return TrainSettings(**(given | changes))


class Losses:
    """Keeps all losses of every step; raises at the step it is told to die at.

    file: where they go too, a line a step. pause: seconds that it takes over it.
    """

    def __init__(self, die_before: int | None = None, file: Path | None = None, pause: float = 0.0) -> None:
        self.found: dict[int, dict[str, float]] = {}
        self.judgements: list = []
        self.die_before, self.file, self.pause = die_before, file, pause

    def step(self, step, losses, rate, seconds):
        if step == self.die_before:
            raise KeyboardInterrupt
        self.found[step] = {name: float(loss) for name, loss in losses.items()}
        time.sleep(self.pause)
        if self.file:
            with open(self.file, "a") as file:
                file.write(json.dumps([step, self.found[step]]) + "\n")

    def judged(self, step, numbers, kept):
        self.judgements.append((step, numbers["AP"], kept))


def written_losses(file: Path) -> list[tuple[int, dict[str, float]]]:
    """(step, losses) of every line that a `Losses` wrote."""
    return [tuple(json.loads(line)) for line in file.read_text().splitlines()]


def weights_of(network: nn.Module) -> bytes:
    """All that a network holds, as bytes."""
    return b"".join(t.numpy().tobytes() for t in network.state_dict().values())


def farthest(one: nn.Module | dict, other: nn.Module | dict) -> float:
    """The largest difference between two networks' parameters and statistics."""
    one, other = (x.state_dict() if isinstance(x, nn.Module) else x for x in (one, other))
    return max(float((a.double() - b.double()).abs().max()) for a, b in zip(one.values(), other.values(), strict=True))


def start(script: str, folder: Path, processes: int = 0, *options: str) -> subprocess.Popen[str]:
    """A Python program in a process group of its own, plain or by torchrun; it knows this file's names and `folder`."""
    path = folder / "script.py"
    head = "from pathlib import Path\nfrom tests.training.small import *\nfrom bottomup.training.loop import train\n"
    path.write_text(f"{head}folder = Path({str(folder)!r})\n{textwrap.dedent(script)}")
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes), *options]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, *(launch if processes else []), str(path)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, env=environment, start_new_session=True, **pipes)


def finished(process: subprocess.Popen[str], code: int = 0) -> str:
    """Waits for a program to end with this code; what it wrote to stderr."""
    _, errors = process.communicate(timeout=200)
    assert process.returncode == code, errors
    return errors


torch.set_num_threads(1)
