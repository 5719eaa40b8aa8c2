"""Batches for training: several sets mixed by weight, every random choice made by (seed, sample number)."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from bottomup.core import Sample, Skeleton
from bottomup.data.augment import Augmentation, Example, make_example


@dataclass
class Batch:
    """B training pictures and the M people in all of them.

    images uint8 (B, 3, S, S). joints (M, K, 2) in pixels; known uint8 (M, K); confidence (M, K);
    boxes (M, 4); picture (M,): which image a person is in. taught uint8 (B, h, w) in map cells;
    taught_joints bool (B, K).
    """

    images: Tensor
    joints: Tensor
    known: Tensor
    confidence: Tensor
    boxes: Tensor
    picture: Tensor
    taught: Tensor
    taught_joints: Tensor

    def to(self, device: torch.device | str) -> Batch:
        """The same batch on a device."""
        return Batch(**{name: tensor.to(device, non_blocking=True) for name, tensor in vars(self).items()})

    def pin_memory(self) -> Batch:
        """The same batch in memory from which a GPU copies while its processor goes on."""
        return Batch(**{name: tensor.pin_memory() for name, tensor in vars(self).items()})


def collate(examples: Sequence[Example]) -> Batch:
    """Examples of one size as a batch."""

    def joined(name: str) -> Tensor:
        return torch.from_numpy(np.concatenate([getattr(e, name) for e in examples]))

    def stacked(name: str) -> Tensor:
        return torch.from_numpy(np.stack([getattr(e, name) for e in examples]))

    owners = np.repeat(np.arange(len(examples)), [len(e.joints) for e in examples])
    return Batch(
        images=stacked("image").permute(0, 3, 1, 2),
        joints=joined("joints"),
        known=joined("known"),
        confidence=joined("confidence"),
        boxes=joined("boxes"),
        picture=torch.from_numpy(owners),
        taught=stacked("taught"),
        taught_joints=stacked("taught_joints"),
    )


class _Remembered:
    """A sample's picture, decoded once and kept."""

    def __init__(self, sample: Sample) -> None:
        self.read = sample.load
        self.image: np.ndarray | None = None

    def __call__(self) -> np.ndarray:
        if self.image is None:
            self.image = self.read()
        return self.image


def remembered(sample: Sample) -> Sample:
    """The same sample, whose picture is decoded once and kept (about 1 MB for one of 640 x 512)."""
    return replace(sample, load=_Remembered(sample))


def decode_all(samples: Iterable[Sample]) -> None:
    """Decodes all pictures that are to be remembered at once, before workers start: they share what is there then."""
    import cv2

    cv2.setNumThreads(0)  # a pool of OpenCV's own would not survive the forks to come
    with ThreadPoolExecutor() as pool:
        for _ in pool.map(lambda sample: sample.load(), samples):
            pass


class Mixture(Dataset[Example]):
    """Training pictures by number; the number and the seed alone decide what a picture is.

    sets: samples of each data set; weights: how often each is drawn.
    """

    def __init__(
        self,
        sets: Sequence[Sequence[Sample]],
        weights: Sequence[float],
        *,
        size: int,
        stride: int,
        skeleton: Skeleton,
        augmentation: Augmentation,
        seed: int,
    ) -> None:
        if len(sets) != len(weights) or not sets or min(map(len, sets)) == 0 or min(weights) <= 0:
            raise ValueError("every data set of a mixture needs samples and a positive weight")
        self.sets = list(sets)
        self.shares = np.array(weights, float) / sum(weights)
        self.size, self.stride, self.skeleton = size, stride, skeleton
        self.augmentation, self.seed = augmentation, seed

    def pick(self, rng: np.random.Generator) -> Sample:
        """One sample of one set."""
        samples = self.sets[int(rng.choice(len(self.sets), p=self.shares))]
        return samples[int(rng.integers(len(samples)))]

    def __getitem__(self, number: int) -> Example:
        rng = np.random.default_rng((self.seed, number))
        return make_example(self.pick, self.size, self.stride, self.augmentation, self.skeleton, rng)


def batches(
    examples: Dataset[Any],
    batch: int,
    numbers: Sequence[int],
    workers: int,
    collate: Callable[[Sequence[Any]], Any] = collate,
    pin: bool = False,
) -> Iterator[Any]:
    """The training examples of these numbers in order, `batch` at a time, the same for any number of workers.

    pin: whether they lie in pinned memory, for a GPU.
    """
    loader = DataLoader(
        examples,
        batch_size=batch,
        sampler=numbers,  # type: ignore[arg-type]  # any sized iterable will do
        num_workers=workers,
        collate_fn=collate,
        worker_init_fn=_prepare_worker,
        prefetch_factor=4 if workers else None,
        pin_memory=pin,
    )
    return iter(loader)


def _prepare_worker(_: int) -> None:
    """One thread; and a group of its own, so that a signal to the training process's is that one's to handle."""
    import cv2

    cv2.setNumThreads(0)
    torch.set_num_threads(1)
    if hasattr(os, "setpgrp"):
        os.setpgrp()
