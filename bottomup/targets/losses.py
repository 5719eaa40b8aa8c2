"""Losses of bottom-up networks: masked L2 on heatmaps and PAFs, pull and push on tags."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from bottomup.core import Maps
from bottomup.targets.encode import Targets


def masked_l2(predicted: Tensor, target: Tensor, weights: Tensor, emphasis: float = 0.0) -> Tensor:
    """Mean over all cells of weight * (1 + emphasis |target|) * (predicted - target)^2.

    emphasis: how much more a cell that holds something counts than an empty one; maps are nearly empty.
    """
    error = (predicted - target).square() * weights
    return (error * (1 + emphasis * target.abs())).mean() if emphasis else error.mean()


def tag_loss(tags: Tensor, cells: Tensor, people: Tensor, pictures: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """(pull, push), averaged over the batch's images with people; tags (B, L, K, h, w).

    Pull: within a person the squared distance to their mean tag, mean over joints and tag dimensions.
    Push: over pairs of different people in an image, half the mean of exp(-(distance of means)^2).
    An image with one person pushes nothing; a batch without people gives zeros. pictures: what to divide by
    in place of the number of images with people, for a piece of a batch.
    Source: Newell et al., "Associative Embedding" (NIPS 2017) and its released code.
    """
    if len(cells) == 0:
        return tags.sum() * 0, tags.sum() * 0
    image, joint, y, x = cells.unbind(1)
    values = tags[image, :, joint, y, x].float()
    ids, owner = torch.unique(people, return_inverse=True)
    count = torch.bincount(owner, minlength=len(ids))
    means = values.new_zeros((len(ids), values.shape[1])).index_add(0, owner, values) / count[:, None]
    spread = (values - means[owner]).square().mean(1)
    pulls = values.new_zeros(len(ids)).index_add(0, owner, spread) / count
    picture = torch.zeros_like(ids).index_reduce(0, owner, image, "amax", include_self=False)
    crowd = torch.bincount(picture, minlength=len(tags))[picture].to(values.dtype)
    pictures = cells.new_tensor(len(torch.unique(picture))) if pictures is None else pictures
    pull = (pulls / crowd).sum() / pictures
    together = (picture[:, None] == picture[None]) & ~torch.eye(len(ids), dtype=torch.bool, device=ids.device)
    closeness = torch.exp(-(means[:, None] - means[None]).square().sum(-1)) * together
    push = 0.5 * (closeness.sum(1) / (crowd * (crowd - 1)).clamp(min=1)).sum() / pictures
    return pull, push


def bottomup_loss(
    outputs: Sequence[Maps],
    targets: Sequence[Targets],
    *,
    tags: float = 1e-3,
    emphasis: float = 0.0,
    pictures: Tensor | None = None,
) -> dict[str, Tensor]:
    """Summed over supervised stages: total, heat, paf, pull, push (each a scalar, unweighted but total).

    targets: of every output, at its stride. tags: weight of pull and push beside the mean square errors of heatmaps
    and PAFs. pictures: see `tag_loss`.
    """
    parts = {name: outputs[0].heatmaps.new_zeros(()) for name in ("heat", "paf", "pull", "push")}
    for maps, goal in zip(outputs, targets, strict=True):
        parts["heat"] += masked_l2(maps.heatmaps, goal.maps.heatmaps, goal.heat_weights, emphasis)
        if maps.pafs is not None:
            parts["paf"] += masked_l2(maps.pafs, goal.maps.pafs, goal.paf_weights[:, :, None], emphasis)
        if maps.tags is not None:
            pull, push = tag_loss(maps.tags, goal.tag_cells, goal.tag_people, pictures)
            parts["pull"] += pull
            parts["push"] += push
    total = parts["heat"] + parts["paf"] + tags * (parts["pull"] + parts["push"])
    return {"total": total} | parts
