"""What a training run needs before its first step: data, start weights, parameter groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from bottomup.core import SKELETONS, Sample, Skeleton
from bottomup.data.coco import read_coco
from bottomup.data.loader import decode_all, remembered
from bottomup.errors import SettingsError
from bottomup.training.config import DataSet, TrainSettings
from bottomup.training.muon import Muon
from bottomup.training.parallel import Group
from bottomup.training.transfer import transfer


def read_sets(settings: TrainSettings, skeleton: Skeleton) -> list[Sequence[Sample]]:
    """The samples of every data set of the run; decoded pictures are kept where the settings say so."""
    sets = [read_set(chosen, skeleton) for chosen in settings.sets]
    if not settings.remember:
        return sets
    kept: list[Sequence[Sample]] = [[remembered(sample) for sample in samples] for samples in sets]
    if settings.workers > 1:
        decode_all(sample for samples in kept for sample in samples)
    return kept


def read_set(chosen: DataSet, skeleton: Skeleton) -> Sequence[Sample]:
    """The samples of one set, its joints' confidence scaled."""
    return read_coco(
        Path(chosen.labels),
        chosen.images,
        skeleton=skeleton,
        unlabelled=chosen.unlabelled,
        least_joints=chosen.least_joints,
        source=chosen.source,
        confidence=chosen.confidence,
    )


def start_weights(network: nn.Module, settings: TrainSettings) -> None:
    """Loads what `settings.start` names: "random" keeps the network as it was built."""
    if settings.start == "imagenet":
        from bottomup.nets.mobile import load_imagenet

        load_imagenet(network.backbone)  # type: ignore[arg-type]
    elif settings.start != "random":
        from bottomup.files.weights import read_weights

        tensors, header = read_weights(settings.start)
        try:
            network.load_state_dict(fitted(network, tensors, header, settings))
        except RuntimeError as error:
            raise SettingsError(f"start: {settings.start} holds another network ({error})") from error


def fitted(
    network: nn.Module, tensors: Mapping[str, Tensor], header: Mapping[str, Any], settings: TrainSettings
) -> Mapping[str, Tensor]:
    """Tensors of a weights file for this network: parts of them, or for another skeleton what the two share."""
    if settings.adopt:
        return adopted(network, tensors, settings)
    source, target = Skeleton(**header["skeleton"]), SKELETONS[settings.skeleton]
    if (source.joints, source.limbs) == (target.joints, target.limbs):
        return tensors
    # Weights files do without batch norms' counters, which are neither any joint's.
    counters = {name: t for name, t in network.state_dict().items() if name.endswith("num_batches_tracked")}
    return transfer(counters | dict(tensors), source, target, network).tensors  # type: ignore[arg-type]


def adopted(network: nn.Module, tensors: Mapping[str, Tensor], settings: TrainSettings) -> dict[str, Tensor]:
    """The network's tensors, those of the parts that `settings.adopt` names taken from another's."""
    own = dict(network.state_dict())
    for part in settings.adopt:
        names = [name for name in own if name.startswith(f"{part}.") and not name.endswith("num_batches_tracked")]
        missing = [name for name in names if name not in tensors]
        if missing or not names:
            what = f"{settings.start} has no {missing[0]}" if missing else f"the network has no part {part!r}"
            raise SettingsError(f"adopt: {what}; adopt other parts")
        own |= {name: tensors[name] for name in names}
    return own


def optimisers(network: nn.Module, settings: TrainSettings, group: Group) -> list[torch.optim.Optimizer]:
    """What moves the network's parameters; the backbone's first blocks are frozen here.

    Every parameter group holds its own full rate as "base". Batch norms and biases take no weight decay.
    """
    freeze(network, settings.freeze)
    fix(network, settings.fixed)
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
    if not kernels:
        return [adam]
    arithmetic = torch.bfloat16 if settings.bf16 else torch.float32
    return [adam, Muon(kernels, decay=chosen.decay, group=group, arithmetic=arithmetic)]


def is_kernel(name: str, p: nn.Parameter) -> bool:
    """Whether a parameter is a matrix between layers: no norm, bias, depthwise kernel or head."""
    return p.ndim == 4 and p.shape[1] > 1 and not name.startswith("answers.")


def freeze(network: nn.Module, blocks: int) -> None:
    """Fixes the backbone's stem and first blocks, batch norm statistics included."""
    if blocks:
        network.backbone.freeze(blocks)  # type: ignore[union-attr, operator]


def fix(network: nn.Module, parts: Sequence[str]) -> None:
    """Fixes parts by name, batch norm statistics included; raises SettingsError for a part that is not there."""
    for part in parts:
        try:
            module = network.get_submodule(part)
        except AttributeError as error:
            raise SettingsError(f"fixed: the network has no part {part!r} ({error})") from error
        module.requires_grad_(False).eval()
