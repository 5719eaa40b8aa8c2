"""The settings of a training run, as `configs/*.yaml` hold them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from bottomup.data.augment import Augmentation
from bottomup.data.crops import CropAugmentation


@dataclass(frozen=True)
class DataSet:
    """One data set of a mixture.

    labels: COCO-format file. images: folder of pictures or shards (default: beside the labels).
    source: of a merged file only the pictures of this set.
    weight: how often it is drawn. unlabelled: what v = 0 means, "absent" or "unknown".
    least_joints: people with fewer labelled joints are masked. confidence: factor on all joints' weights.
    boxes: COCO detections or proposals of its pictures; top-down training sees people in those that fit
    (IoU .5), each time another one, instead of in the labelled boxes; whom none fits is left out.
    """

    labels: str
    weight: float
    images: str | None = None
    source: str | None = None
    unlabelled: str = "absent"
    least_joints: int = 1
    confidence: float = 1.0
    boxes: str | None = None


@dataclass(frozen=True)
class Phase:
    """A stretch of training at one resolution: crops `size` pixels high for a share of all steps.

    They are square; those of single people 3/4 as wide. batch: crops a step, all processes together.
    accumulate: pieces in which each process takes its share of a batch, one after the other, to save memory.
    augmentation: in place of the run's; of scenes alone.
    """

    size: int
    batch: int
    share: float
    accumulate: int = 1
    augmentation: Augmentation | None = None


@dataclass(frozen=True)
class Optimiser:
    """Linear warm-up, cosine decay to `last` x rate, and an exponential mean of the weights.

    rate: of AdamW. kernels: rate of Muon, which then moves the kernels of all convolutions but
    depthwise ones and heads; 0: AdamW moves all. backbone: factor on the backbone's rates. batch: the
    batch that rates are meant for, they grow in proportion to a phase's own; 0: they stay as they are.
    """

    rate: float = 1e-3
    kernels: float = 0.0
    backbone: float = 0.3
    decay: float = 1e-4
    warmup: int = 300
    last: float = 0.01
    clip: float = 5.0
    average: float = 0.998
    batch: int = 0


@dataclass(frozen=True)
class Loss:
    """Weight of the tag loss beside the mean square errors, and emphasis on cells that hold something."""

    tags: float = 1e-3
    emphasis: float = 3.0


@dataclass(frozen=True)
class TopDown:
    """Training of networks that see one person a crop.

    crops: how crops vary. hard: the answer is taught by its so many worst joints of every crop (OHKM); 0: by all.
    widen: targets of each coarser head are so many times as wide as the next finer one's (1: no coarse-to-fine).
    coarse: weight of all coarser heads together. judge: weights of a top-down network; then only people whom it
    finds with an OKS `below` are trained on (staged training on hard samples).
    """

    crops: CropAugmentation = field(default_factory=CropAugmentation)
    hard: int = 0
    widen: float = 1.35
    coarse: float = 0.5
    judge: str | None = None
    below: float = 0.8


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
    method: what is learned: "bottomup", "topdown" (one person a crop), "detector" or "keypoint_rcnn".
    start: "imagenet", "random" or a weights file; adopt: the parts of the network that are taken from that
    file, which may be another network's (none named: all of it). freeze: first blocks of the backbone that
    stay as they are (their gradients are the dearest and change least); fixed: other parts that do. bf16:
    autocast, worth it on GPUs and on CPUs with AMX or AVX-512 bf16. road: settings stored with the weights,
    which inference follows.
    batch_norm: "synced": over the whole batch, however many processes share it; "per_process": over each
    one's share, which spares them an exchange a layer; "frozen": statistics, scales and shifts stay as they
    start. compile: torch.compile the network, which takes minutes at first.
    """

    out: str
    steps: int
    sets: tuple[DataSet, ...]
    network: dict[str, Any]
    skeleton: str = "coco17"
    method: str = "bottomup"
    start: str = "imagenet"
    adopt: tuple[str, ...] = ()
    phases: tuple[Phase, ...] = (Phase(256, 8, 1.0),)
    augmentation: Augmentation = field(default_factory=Augmentation)
    optimiser: Optimiser = field(default_factory=Optimiser)
    loss: Loss = field(default_factory=Loss)
    topdown: TopDown = field(default_factory=TopDown)
    dev: Dev = field(default_factory=Dev)
    road: dict[str, Any] = field(default_factory=dict)
    freeze: int = 3
    fixed: tuple[str, ...] = ()
    batch_norm: Literal["synced", "per_process", "frozen"] = "synced"
    compile: bool = False
    bf16: bool = False
    device: str = "auto"
    threads: int = 0
    workers: int = 1
    remember: bool = True
    seed: int = 0
    save_every: int = 250
