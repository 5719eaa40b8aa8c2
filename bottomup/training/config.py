"""The settings of a training run, as `configs/*.yaml` hold them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from bottomup.data.augment import Augmentation


@dataclass(frozen=True)
class DataSet:
    """One data set of a mixture.

    labels: COCO-format file. images: folder of pictures or shards (default: beside the labels).
    weight: how often it is drawn. unlabelled: what v = 0 means, "absent" or "unknown".
    least_joints: people with fewer labelled joints are masked. confidence: factor on all joints' weights.
    """

    labels: str
    weight: float
    images: str | None = None
    unlabelled: str = "absent"
    least_joints: int = 1
    confidence: float = 1.0


@dataclass(frozen=True)
class Phase:
    """A stretch of training at one resolution: square crops of `size` pixels for a share of all steps."""

    size: int
    batch: int
    share: float


@dataclass(frozen=True)
class Optimiser:
    """Linear warm-up, cosine decay to `last` x rate, and an exponential mean of the weights.

    rate: of AdamW. kernels: rate of Muon, which then moves the kernels of all convolutions but
    depthwise ones and heads; 0: AdamW moves all. backbone: factor on the backbone's rates.
    """

    rate: float = 1e-3
    kernels: float = 0.0
    backbone: float = 0.3
    decay: float = 1e-4
    warmup: int = 300
    last: float = 0.01
    clip: float = 5.0
    average: float = 0.998


@dataclass(frozen=True)
class Loss:
    """Weight of the tag loss beside the mean square errors, and emphasis on cells that hold something."""

    tags: float = 1e-3
    emphasis: float = 3.0


@dataclass(frozen=True)
class Dev:
    """Evaluation during training: COCO-format labels, judged every `every` steps."""

    labels: str | None = None
    images: str | None = None
    every: int = 1000


@dataclass(frozen=True)
class TrainSettings:
    """One training run.

    out: folder of checkpoints, metrics.jsonl and TensorBoard files. steps: optimiser steps in all.
    start: "imagenet", "random" or a weights file. freeze: first blocks of the backbone that stay as
    they are (their gradients are the dearest and change least). bf16: autocast, worth it on GPUs and
    on CPUs with AMX or AVX-512 bf16. road: settings stored with the weights, which inference follows.
    """

    out: str
    steps: int
    sets: tuple[DataSet, ...]
    network: dict[str, Any]
    skeleton: str = "coco17"
    start: str = "imagenet"
    phases: tuple[Phase, ...] = (Phase(256, 8, 1.0),)
    augmentation: Augmentation = field(default_factory=Augmentation)
    optimiser: Optimiser = field(default_factory=Optimiser)
    loss: Loss = field(default_factory=Loss)
    dev: Dev = field(default_factory=Dev)
    road: dict[str, Any] = field(default_factory=dict)
    freeze: int = 3
    bf16: bool = False
    device: str = "auto"
    threads: int = 0
    workers: int = 1
    remember: bool = True
    seed: int = 0
    save_every: int = 250
