"""What a training run needs before its first step: data, start weights, parameter groups."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import nn

from bottomup.core import People, Sample, Skeleton
from bottomup.data.coco import read_coco
from bottomup.data.loader import Mixture
from bottomup.errors import SettingsError
from bottomup.nets.mspaf_mobile import STRIDE
from bottomup.training.config import DataSet, TrainSettings


def mixtures(settings: TrainSettings, skeleton: Skeleton) -> list[Mixture]:
    """One mixture a phase, over the same samples."""
    sets = [read_set(chosen, skeleton) for chosen in settings.sets]
    weights = [chosen.weight for chosen in settings.sets]
    return [
        Mixture(
            sets,
            weights,
            size=phase.size,
            stride=STRIDE,
            skeleton=skeleton,
            augmentation=settings.augmentation,
            seed=settings.seed,
            remember=settings.remember,
        )
        for phase in settings.phases
    ]


def read_set(chosen: DataSet, skeleton: Skeleton) -> list[Sample]:
    """The samples of one set, its joints' confidence scaled."""
    samples = read_coco(
        Path(chosen.labels),
        chosen.images,
        skeleton=skeleton,
        unlabelled=chosen.unlabelled,
        least_joints=chosen.least_joints,
    )
    if chosen.confidence == 1:
        return samples
    return [replace(sample, people=_scaled(sample.people, chosen.confidence)) for sample in samples]


def _scaled(people: People, factor: float) -> People:
    joints = people.joints.copy()
    joints[..., 2] *= factor
    return replace(people, joints=joints)


def start_weights(network: nn.Module, settings: TrainSettings) -> None:
    """Loads what `settings.start` names: "random" keeps the network as it was built."""
    if settings.start == "imagenet":
        from bottomup.nets.mobile import load_imagenet

        load_imagenet(network.backbone)  # type: ignore[arg-type]
    elif settings.start != "random":
        from bottomup.files.weights import read_weights

        tensors, _ = read_weights(settings.start)
        try:
            network.load_state_dict(tensors)
        except RuntimeError as error:
            raise SettingsError(f"start: {settings.start} holds another network ({error})") from error


def parameter_groups(network: nn.Module, settings: TrainSettings) -> list[dict[str, Any]]:
    """Optimiser groups with their own base rates; the backbone's first blocks are frozen here.

    Batch norms and biases take no weight decay.
    """
    freeze(network, settings.freeze)
    groups = []
    rates = settings.optimiser.rate, settings.optimiser.rate * settings.optimiser.backbone
    for inside, rate in zip((False, True), rates, strict=True):
        named = [(n, p) for n, p in network.named_parameters() if n.startswith("backbone.") == inside]
        for decays in (True, False):
            chosen = [p for _, p in named if p.requires_grad and (p.ndim > 1) == decays]
            extra = {} if decays else {"weight_decay": 0.0}
            groups.append({"params": chosen, "base": rate, "lr": rate} | extra)
    return groups


def freeze(network: nn.Module, blocks: int) -> None:
    """Fixes the backbone's stem and first blocks, batch norm statistics included."""
    if blocks:
        network.backbone.freeze(blocks)  # type: ignore[union-attr, operator]
