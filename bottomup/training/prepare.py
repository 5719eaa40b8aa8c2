"""What a training run needs before its first step: data, start weights, parameter groups."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from bottomup.core import People, Sample, Skeleton
from bottomup.data.coco import read_coco
from bottomup.data.loader import remembered
from bottomup.errors import SettingsError
from bottomup.training.config import DataSet, TrainSettings
from bottomup.training.muon import Muon
from bottomup.training.parallel import Group


def read_sets(settings: TrainSettings, skeleton: Skeleton) -> list[list[Sample]]:
    """The samples of every data set of the run; decoded pictures are kept where the settings say so."""
    sets = [read_set(chosen, skeleton) for chosen in settings.sets]
    return [[remembered(sample) for sample in samples] for samples in sets] if settings.remember else sets


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


def optimisers(network: nn.Module, settings: TrainSettings, group: Group) -> list[torch.optim.Optimizer]:
    """What moves the network's parameters; the backbone's first blocks are frozen here.

    Every parameter group holds its own full rate as "base". Batch norms and biases take no weight decay.
    """
    freeze(network, settings.freeze)
    chosen, kernels, others = settings.optimiser, [], []
    for name, p in network.named_parameters():
        if not p.requires_grad:
            continue
        factor = chosen.backbone if name.startswith("backbone.") else 1.0
        if chosen.kernels and is_kernel(name, p):
            kernels.append({"params": [p], "base": chosen.kernels * factor})
        else:
            decay = chosen.decay if p.ndim > 1 else 0.0
            others.append({"params": [p], "base": chosen.rate * factor, "weight_decay": decay})
    adam = torch.optim.AdamW(others)
    return [adam, Muon(kernels, decay=chosen.decay, group=group)] if kernels else [adam]


def is_kernel(name: str, p: nn.Parameter) -> bool:
    """Whether a parameter is a matrix between layers: no norm, bias, depthwise kernel or head."""
    return p.ndim == 4 and p.shape[1] > 1 and not name.startswith("answers.")


def freeze(network: nn.Module, blocks: int) -> None:
    """Fixes the backbone's stem and first blocks, batch norm statistics included."""
    if blocks:
        network.backbone.freeze(blocks)  # type: ignore[union-attr, operator]
