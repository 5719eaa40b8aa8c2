"""Weights trained for one skeleton as a start for another: what the two share is kept, by the joints' meaning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from bottomup.core import Skeleton
from bottomup.core.layouts import correspondence
from bottomup.errors import SettingsError
from bottomup.nets.network import Network

# The order of a network's maps along channels; "rest" is whatever else is concatenated with them.
ORDERS = {
    "MSPAF": ("pafs", "heat", "background", "tags"),
    "PAF": ("pafs", "heat", "background", "rest"),
    "LightweightOpenPose": ("rest", "heat", "background", "pafs"),
}
ORDER = ("rest", "heat", "background", "pafs", "tags")


@dataclass(frozen=True)
class Transfer:
    """The network's tensors, and the target's joints and limbs that came along (the others start fresh)."""

    tensors: dict[str, Tensor]
    joints: tuple[str, ...]
    limbs: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Channels:
    """Of each channel of the target the source's that means the same, -1 for none, and the factor on it.

    The factor is -1 where a limb's field points the other way.
    """

    where: Tensor
    factor: Tensor


def transfer(tensors: Mapping[str, Tensor], source: Skeleton, target: Skeleton, network: Network) -> Transfer:
    """Tensors for `network`, built for the target's joints and limbs, out of those of one like it for the source's.

    Channels of heatmaps and tags go by joint, of PAFs by the limb's pair of joints, wherever a layer gives or takes
    maps. What the source does not have stays as the network has it. Raises SettingsError for tensors of another
    network.
    """
    parts = _parts(network, source), _parts(network, target)
    if not any(joints for part in parts[0].values() for _, joints, _ in part.dims):
        raise SettingsError(
            f"start: no layer of {type(network).__name__} tells its joints apart; start it from scratch"
        )
    found: dict[str, Tensor] = {}
    for name, own in network.state_dict().items():
        old = tensors.get(name)
        if old is None or old.shape != parts[0][name].shape or own.shape != parts[1][name].shape:
            what = "is missing" if old is None else f"is {tuple(old.shape)}, not {tuple(parts[0][name].shape)}"
            raise SettingsError(f"start: {name} {what} in weights for {source.name}; start from the same network")
        found[name] = _moved(old, own, [_channels(c, source, target, network) for c in parts[0][name].dims])
    where = correspondence(source, target)
    limbs = limb_correspondence(source, target)
    return Transfer(
        found,
        tuple(joint for joint, k in zip(target.joints, where, strict=True) if k >= 0),
        tuple(
            (target.joints[a], target.joints[b]) for (a, b), (e, _) in zip(target.limbs, limbs, strict=True) if e >= 0
        ),
    )


def limb_correspondence(source: Skeleton, target: Skeleton) -> list[tuple[int, int]]:
    """For every limb of the target the source's of the same joints and 1, or -1 if it points back; else (-1, 1)."""
    where = correspondence(source, target)
    numbers = {limb: (number, 1) for number, limb in enumerate(source.limbs)}
    numbers |= {(b, a): (number, -1) for number, (a, b) in enumerate(source.limbs)}
    return [numbers.get((where[a], where[b]), (-1, 1)) for a, b in target.limbs]


def _moved(old: Tensor, own: Tensor, dims: Sequence[Channels | None]) -> Tensor:
    """`own` with the channels of `old` that it shares, dimension by dimension."""
    kept = torch.ones((), dtype=torch.bool)
    for dim, channels in enumerate(dims):
        if channels is not None:
            shape = [-1 if d == dim else 1 for d in range(old.ndim)]
            taken = old.index_select(dim, channels.where.clamp(min=0))
            old = taken * channels.factor.to(taken.dtype).view(shape)
            kept = kept & (channels.where >= 0).view(shape)
    return torch.where(kept, old, own.to(old)).to(own.dtype)


# ---------------------------------------------------------------- which channels are maps


@dataclass(frozen=True)
class Part:
    """A tensor's shape, and of each dimension how it grows with the number of joints and of limbs."""

    shape: torch.Size
    dims: tuple[tuple[int, int, int], ...]  # length, per joint, per limb


def _parts(network: Network, skeleton: Skeleton) -> dict[str, Part]:
    """The tensors of a network like this for the skeleton. Found by building it with one joint and one limb more."""
    joints, limbs = len(skeleton), len(skeleton.limbs)
    base, more_joints = _shapes(network, joints, limbs), _shapes(network, joints + 1, limbs)
    more_limbs = _shapes(network, joints, limbs + 1)
    return {
        name: Part(
            shape, tuple((n, j - n, e - n) for n, j, e in zip(shape, more_joints[name], more_limbs[name], strict=True))
        )
        for name, shape in base.items()
    }


def _shapes(network: Network, joints: int, limbs: int) -> dict[str, torch.Size]:
    counts = {"joints": joints, "limbs": limbs}
    options: dict[str, Any] = network.options | {k: v for k, v in counts.items() if k in network.options}
    with torch.device("meta"):
        return {name: tensor.shape for name, tensor in type(network)(**options).state_dict().items()}


def _channels(dim: tuple[int, int, int], source: Skeleton, target: Skeleton, network: Network) -> Channels | None:
    """The target's channels along one dimension; None where it has nothing to do with joints."""
    length, per_joint, per_limb = dim
    if not per_joint and not per_limb:
        return None
    background = int(bool(network.options.get("background")) and per_joint > 0)
    rest = length - per_joint * len(source) - per_limb * len(source.limbs) - background
    joints = [(k, 1) for k in correspondence(source, target)]
    limbs = [(2 * e + axis if e >= 0 else -1, f) for e, f in limb_correspondence(source, target) for axis in (0, 1)]
    blocks = {
        "rest": (rest, [(k, 1) for k in range(rest)]),
        "heat": (len(source), joints) if per_joint else (0, []),
        "background": (background, [(0, 1)] * background),
        "pafs": (2 * len(source.limbs), limbs) if per_limb else (0, []),
        "tags": ((per_joint - 1) * len(source), _repeated(joints, len(source), per_joint - 1)),
    }
    start, channels = 0, []
    for name in ORDERS.get(type(network).__name__, ORDER):
        size, rows = blocks[name]
        channels += [(start + k if k >= 0 else -1, factor) for k, factor in rows]
        start += size
    where, factors = zip(*channels, strict=True)
    return Channels(torch.tensor(where), torch.tensor(factors))


def _repeated(rows: list[tuple[int, int]], size: int, times: int) -> list[tuple[int, int]]:
    return [(k + size * i if k >= 0 else -1, factor) for i in range(times) for k, factor in rows]
