"""People into target maps, for a whole batch at once, on the device that trains.

Sources: heatmaps by maximum and unit-vector PAFs averaged where they overlap (Cao et al., CVPR 2017);
places where nothing may be taught are masked by weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from bottomup.core import ABSENT, LABELLED, UNKNOWN, Maps, People, Skeleton

SMALLEST = 0.01  # a gaussian is cut where it falls below
HALF_WIDTH = 1.0  # of a limb's field, in cells
SHORTEST = 0.5  # cells: a shorter limb has no direction worth teaching


@dataclass(frozen=True)
class Labels:
    """People of a batch in pixels: joints (M, K, 2), known (M, K), confidence (M, K), boxes (M, 4),
    picture (M,): the image each is in."""

    joints: Tensor
    known: Tensor
    confidence: Tensor
    boxes: Tensor
    picture: Tensor


@dataclass(frozen=True)
class Targets:
    """Target maps of a batch and how much each cell counts.

    heatmaps (B, K, h, w), pafs (B, E, 2, h, w); heat_weights (B, K, h, w), paf_weights (B, E, h, w).
    Tags are taught at the cells of labelled joints: tag_cells (T, 4) of image, joint, y, x and
    tag_people (T,), numbering the people of the batch.
    """

    maps: Maps
    heat_weights: Tensor
    paf_weights: Tensor
    tag_cells: Tensor
    tag_people: Tensor


def encode(
    labels: Labels, taught: Tensor, taught_joints: Tensor, *, skeleton: Skeleton, stride: int, sigma: float
) -> Targets:
    """Targets for a batch. taught (B, h, w): where background counts; taught_joints (B, K): whose maps count."""
    labels = _in_cells(labels, stride)
    base = taught.to(labels.joints.dtype)
    heat, heat_weights = _heatmaps(labels, base, sigma)
    pafs, paf_weights = _pafs(labels, base, skeleton)
    ends = _limbs(skeleton, base.device)
    tag_cells, tag_people = _tag_places(labels, *base.shape[-2:])
    return Targets(
        Maps(heat, pafs, None, stride=stride, sigma=sigma),
        heat_weights * taught_joints[:, :, None, None],
        paf_weights * taught_joints[:, ends].all(-1)[:, :, None, None],
        tag_cells,
        tag_people,
    )


def encode_outputs(
    outputs: Sequence[Maps], labels: Labels, taught: Tensor, taught_joints: Tensor, *, skeleton: Skeleton
) -> list[Targets]:
    """Targets for every output of a network, at its stride, with its last one's sigma (in cells of either stride).

    taught (B, h, w): at the finest stride; a coarser cell's background counts if that of all finer cells in it does.
    Outputs of one stride share theirs.
    """
    sigma = outputs[-1].sigma or 1.0
    sizes = {int(maps.stride): maps.heatmaps.shape[-2:] for maps in outputs}
    by_stride = {
        stride: encode(labels, _shrunk(taught, size), taught_joints, skeleton=skeleton, stride=stride, sigma=sigma)
        for stride, size in sizes.items()
    }
    return [by_stride[int(maps.stride)] for maps in outputs]


def _shrunk(taught: Tensor, size: torch.Size) -> Tensor:
    if taught.shape[-2:] == size:
        return taught
    return (F.adaptive_max_pool2d(1 - taught[:, None].float(), tuple(size))[:, 0] == 0).to(taught.dtype)


def _limbs(skeleton: Skeleton, device: torch.device) -> Tensor:
    """Joint numbers (E, 2) of the limbs' ends; a skeleton of one joint has no limbs."""
    return torch.tensor(skeleton.limbs, dtype=torch.long, device=device).reshape(-1, 2)


def _in_cells(labels: Labels, stride: int) -> Labels:
    joints = (labels.joints + 0.5) / stride - 0.5
    corner = (labels.boxes[:, :2] + 0.5) / stride - 0.5
    return replace(labels, joints=joints, boxes=torch.cat((corner, labels.boxes[:, 2:] / stride), 1))


def _axis(cells: Tensor, length: int) -> Tensor:
    """Distances (n, length) of every cell of an axis to n positions on it."""
    return torch.arange(length, device=cells.device, dtype=cells.dtype) - cells[:, None]


def _heatmaps(labels: Labels, base: Tensor, sigma: float) -> tuple[Tensor, Tensor]:
    """Gaussians joined by maximum, and weights: the confidence at a joint, the base mask elsewhere."""
    (batch, h, w), joints = base.shape, labels.known.shape[1]
    person, joint = torch.nonzero(labels.known == LABELLED, as_tuple=True)
    plane = labels.picture[person] * joints + joint
    xy = labels.joints[person, joint]
    across = torch.exp(_axis(xy[:, 0], w).square() / (-2 * sigma**2))
    down = torch.exp(_axis(xy[:, 1], h).square() / (-2 * sigma**2))
    peaks = down[:, :, None] * across[:, None, :]
    peaks = torch.where(peaks >= SMALLEST, peaks, 0)
    heat = _largest(peaks, plane, batch * joints)
    confidence = labels.confidence[person, joint]
    near = (peaks > 0).to(base.dtype) * confidence[:, None, None]
    trust = _largest(near, plane, batch * joints).view(batch, joints, h, w)
    unknown = _unknown_boxes(labels, labels.known == UNKNOWN, base)
    weights = torch.where(trust > 0, trust, base[:, None] * unknown)
    return heat.view(batch, joints, h, w), weights


def _largest(planes: Tensor, index: Tensor, count: int) -> Tensor:
    """(count, h, w): the maximum of the planes with the same index, 0 where there is none."""
    empty = planes.new_zeros((count, *planes.shape[1:]))
    return empty.index_reduce_(0, index, planes, "amax") if len(planes) else empty


def _unknown_boxes(labels: Labels, unknown: Tensor, base: Tensor) -> Tensor:
    """(B, C, h, w): 0 inside the boxes (in cells) of people whose channel c is unknown (M, C), 1 elsewhere."""
    (batch, h, w), channels = base.shape, unknown.shape[1]
    person, channel = torch.nonzero(unknown, as_tuple=True)
    x, y, width, height = labels.boxes[person].unbind(1)
    inside = _within(y, height, h)[:, :, None] * _within(x, width, w)[:, None, :]
    hidden = _largest(inside.to(base.dtype), labels.picture[person] * channels + channel, batch * channels)
    return 1 - hidden.view(batch, channels, h, w)


def _within(start: Tensor, extent: Tensor, length: int) -> Tensor:
    """bool (n, length): the cells of an axis that n intervals cover."""
    place = torch.arange(length, device=start.device, dtype=start.dtype)
    return (place >= start[:, None] - 0.5) & (place <= (start + extent)[:, None] + 0.5)


def _pafs(labels: Labels, base: Tensor, skeleton: Skeleton) -> tuple[Tensor, Tensor]:
    """Unit vectors along labelled limbs, averaged where limbs of a kind overlap, and their weights."""
    (batch, h, w), limbs = base.shape, len(skeleton.limbs)
    first, second = _limbs(skeleton, base.device).unbind(1)
    known = torch.minimum(labels.known[:, first], labels.known[:, second])
    # One end labelled, the other unknown: the limb is there, nobody knows where.
    unknown = (known == UNKNOWN) & (torch.maximum(labels.known[:, first], labels.known[:, second]) > ABSENT)
    person, limb = torch.nonzero(known == LABELLED, as_tuple=True)
    start, end = labels.joints[person, first[limb]], labels.joints[person, second[limb]]
    length = (end - start).norm(dim=1)
    long = length > SHORTEST
    person, limb, start, end, length = person[long], limb[long], start[long], end[long], length[long]
    unit = (end - start) / length[:, None]
    on = _beside(start, unit, length, h, w).to(base.dtype)
    plane = labels.picture[person] * limbs + limb
    field = base.new_zeros((batch * limbs, 2, h, w))
    field.index_add_(0, plane, on[:, None] * unit[:, :, None, None])
    count = base.new_zeros((batch * limbs, h, w)).index_add_(0, plane, on)
    field = (field / count.clamp(min=1)[:, None]).view(batch, limbs, 2, h, w)
    sure = torch.minimum(labels.confidence[person, first[limb]], labels.confidence[person, second[limb]])
    trust = _largest(on * sure[:, None, None], plane, batch * limbs).view(batch, limbs, h, w)
    weights = torch.where(trust > 0, trust, base[:, None] * _unknown_boxes(labels, unknown, base))
    return field, weights


def _beside(start: Tensor, unit: Tensor, length: Tensor, h: int, w: int) -> Tensor:
    """bool (n, h, w): cells within HALF_WIDTH of n line segments."""
    dx, dy = _axis(start[:, 0], w)[:, None, :], _axis(start[:, 1], h)[:, :, None]
    ux, uy = unit[:, 0, None, None], unit[:, 1, None, None]
    along = ux * dx + uy * dy
    beyond = (along - length[:, None, None]).clamp(min=0) - along.clamp(max=0)
    return (ux * dy - uy * dx).abs().square() + beyond.square() <= HALF_WIDTH**2 + 1e-4  # both ends alike


def _tag_places(labels: Labels, h: int, w: int) -> tuple[Tensor, Tensor]:
    """Cells (T, 4) of image, joint, y, x of labelled joints within the map, and their people (T,)."""
    person, joint = torch.nonzero(labels.known == LABELLED, as_tuple=True)
    x, y = labels.joints[person, joint].round().long().unbind(1)
    inside = (x >= 0) & (y >= 0) & (x < w) & (y < h)
    cells = torch.stack((labels.picture[person], joint, y, x), 1)
    return cells[inside], person[inside]


def encode_people(people: Sequence[People], size: tuple[int, int], *, sigma: float) -> Maps:
    """Exact maps (B, ...) of people whose joints are in map cells; size: (height, width) of the maps.

    A joint is there if its score is above 0. Tags: one number for each person, a whole number apart, at
    their joints and around. This is what grouping undoes.
    """
    skeleton = people[0].skeleton
    joints = torch.from_numpy(_stack([p.joints for p in people], (len(skeleton), 3)))
    owner = torch.repeat_interleave(torch.arange(len(people)), torch.tensor([len(p) for p in people]))
    known = torch.where(joints[..., 2] > 0, LABELLED, ABSENT).to(torch.uint8)
    labels = Labels(joints[..., :2], known, torch.ones(known.shape), torch.zeros(len(joints), 4), owner)
    taught = torch.ones((len(people), *size))
    everything = torch.ones((len(people), len(skeleton)), dtype=torch.bool)
    targets = encode(labels, taught, everything, skeleton=skeleton, stride=1, sigma=sigma)
    tags = _constant_tags(labels, targets.maps.heatmaps, sigma)
    return Maps(targets.maps.heatmaps, targets.maps.pafs, tags[:, None], stride=1, sigma=sigma)


def _stack(arrays: list[np.ndarray], shape: tuple[int, ...]) -> np.ndarray:
    return np.concatenate([a.reshape(-1, *shape) for a in arrays]).astype(np.float32)


def _constant_tags(labels: Labels, heat: Tensor, sigma: float) -> Tensor:
    """(B, K, h, w): at every cell the tag of the person whose joint is nearest."""
    tags, nearest = torch.zeros_like(heat), torch.full_like(heat, torch.inf)
    h, w = heat.shape[-2:]
    number = torch.arange(len(labels.joints)) - torch.searchsorted(labels.picture, labels.picture)
    for person, joint in torch.nonzero(labels.known == LABELLED).tolist():
        image, (x, y) = int(labels.picture[person]), labels.joints[person, joint]
        distance = _axis(x[None], w).square() + _axis(y[None], h).square().T
        closer = distance < nearest[image, joint]
        nearest[image, joint][closer] = distance[closer]
        tags[image, joint][closer] = float(number[person])
    return tags
