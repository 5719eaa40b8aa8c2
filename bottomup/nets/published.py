"""Networks out of published checkpoints: names, what a name leaves open, and what does not fit."""

from __future__ import annotations

import importlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from bottomup.errors import DataError
from bottomup.nets.network import Network

WRAPPERS = ("state_dict", "model")  # what files keep their tensors under
PREFIXES = ("", "module.", "model.module.", "model.")  # what training code puts before every name


@dataclass(frozen=True)
class Family:
    """Published networks of one kind.

    pattern: of their names. module: the file in bottomup/nets that has two functions,
    `of_published(match, tensors) -> Network`: an untrained network of the size that name and shapes say, and
    `own_names(network) -> dict[str, str]`: for every tensor of the network its published name.
    first: a name that every checkpoint of the family has, without prefix. unused: pattern of names that
    are in published files and have no influence on any output.
    """

    pattern: str
    module: str
    first: str
    unused: str | None = None


FAMILIES: tuple[Family, ...] = (
    Family(r"simplebaseline_r(\d+)", "simplebaseline", "conv1.weight"),
    Family(r"hrnet_w(\d+)", "hrnet", "conv1.weight"),
    Family(r"higherhrnet_w(\d+)", "higherhrnet", "conv1.weight"),
    Family(r"cpn_r(\d+)", "cpn", "resnet.conv1.weight"),
    Family(r"mspn(\d+)", "mspn", "top.conv.conv.weight"),
    Family(r"paf(\d+)_rtpose", "paf", "model0.0.weight"),
    Family(r"paf(\d+)", "paf", "conv1_1.weight"),
    Family(r"lightweight_openpose", "lightweight", "model.0.0.weight"),
    Family(r"hourglass(\d+)", "hourglass", "pre.0.conv.weight", r".+\.skip_layer\.conv\.(weight|bias)"),
    Family(r"hg_s(\d+)_b(\d+)", "hourglass", "conv1.weight"),
    Family(r"ae_hourglass(\d+)", "ae_hourglass", "pre.0.conv.weight"),
    Family(r"keypointrcnn_r(\d+)_fpn", "keypoint_rcnn", "backbone.body.conv1.weight"),
)


class Published(nn.Module):
    """A network that gives every head, flat and in published order. images (B, 3, H, W) -> tuple of (B, C, h, w)."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        network.every_head = True
        self.network = network

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        return tuple(self.network.heads(images))


def from_published(name: str, state_dict: Mapping[str, Any]) -> Published:
    """The network of a published checkpoint, in eval mode, loaded strictly.

    name: such as "hrnet_w32". state_dict: as the published file holds it; wrappers and prefixes are
    removed. Raises DataError that lists names missing, left over or misshapen.
    """
    return Published(load_published(name, state_dict)).eval()


def load_published(name: str, state_dict: Mapping[str, Any]) -> Network:
    """As `from_published`, without the wrapper: the project's own network."""
    family, match = family_of(name)
    tensors = unwrapped(state_dict, family.first, name)
    module = importlib.import_module(f"bottomup.nets.{family.module}")
    try:
        network = module.of_published(match, tensors)
    except KeyError as error:
        raise DataError(
            f"checkpoint for {name}: it has no tensor {error.args[0]}; is it of another network?"
        ) from error
    except (ValueError, IndexError) as error:
        raise DataError(f"no network is called {name!r} and has such tensors: {error}") from error
    _load(network, module.own_names(network), tensors, family, name)
    return network.eval()


def family_of(name: str) -> tuple[Family, re.Match[str]]:
    """The family whose pattern fits the whole name; DataError that lists the patterns where there is none."""
    for family in FAMILIES:
        match = re.fullmatch(family.pattern, name)
        if match:
            return family, match
    known = ", ".join(family.pattern for family in FAMILIES)
    raise DataError(f"no published network is called {name!r}; names look like {known}")


def unwrapped(state_dict: Mapping[str, Any], first: str, name: str) -> dict[str, Tensor]:
    """The tensors by their published names: out of wrapping dictionaries and without a common prefix."""
    for wrapper in WRAPPERS:
        if isinstance(state_dict.get(wrapper), Mapping):
            return unwrapped(state_dict[wrapper], first, name)
    for prefix in PREFIXES:
        if prefix + first in state_dict:
            return {key.removeprefix(prefix): value for key, value in state_dict.items() if isinstance(value, Tensor)}
    raise DataError(f"checkpoint for {name}: it has no tensor {first}; is it of another network?")


def _load(
    network: nn.Module, names: Mapping[str, str], tensors: Mapping[str, Tensor], family: Family, what: str
) -> None:
    own = network.state_dict()
    wanted = {names[key]: value for key, value in own.items()}
    counters = "num_batches_tracked"  # files of old PyTorch versions have none
    missing = [key for key in wanted if key not in tensors and not key.endswith(counters)]
    unused = re.compile(family.unused) if family.unused else None
    extra = [
        key
        for key in tensors
        if key not in wanted and not key.endswith(counters) and not (unused and unused.fullmatch(key))
    ]
    misshapen = [
        f"{key} {tuple(tensors[key].shape)} instead of {tuple(value.shape)}"
        for key, value in wanted.items()
        if key in tensors and tensors[key].shape != value.shape
    ]
    problems = {"missing": missing, "left over": extra, "misshapen": misshapen}
    found = "; ".join(f"{len(keys)} {kind}: {', '.join(keys[:5])}" for kind, keys in problems.items() if keys)
    if found:
        raise DataError(f"checkpoint for {what} does not fit: {found}")
    network.load_state_dict({key: tensors.get(names[key], value) for key, value in own.items()})
