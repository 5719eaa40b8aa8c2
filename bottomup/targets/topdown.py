"""Targets and losses of top-down training, one person a crop, for a whole batch on the device that trains.

Two kinds of targets: exact gaussians (SimpleBaseline, HRNet), and a single cell blurred by an OpenCV kernel (CPN,
MSPN), which differs from a gaussian at the map's border and for kernels up to 7.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from bottomup.core import Maps

UNLABELLED, HIDDEN, VISIBLE = 0, 1, 2  # COCO's flags of a joint
PEAK = 255.0  # of CPN's and MSPN's targets
CPN_KERNELS = (15, 11, 9, 7)  # of the global heads from coarse to fine; the last is the refined head's too
MSPN_KERNELS = (15, 11, 9, 7, 5)
REACH = 3.0  # sigmas: where an exact gaussian is cut
LOSSES = (None, "l2", "ohkm")


@dataclass(frozen=True)
class Crops:
    """Labels of a batch of crops: joints (B, K, 2) as x, y in map cells, visibility (B, K) in COCO's flags."""

    joints: Tensor
    visibility: Tensor

    def at_least(self, flag: int) -> Tensor:
        """float (B, K): 1 where visibility is at least this."""
        return (self.visibility >= flag).to(self.joints.dtype)


def in_cells(joints: Tensor, stride: int, rule: str = "exact") -> Tensor:
    """Joints (..., 2) from pixels of the crop to cells of its maps.

    rule: "exact" centres, "round" to a cell as SimpleBaseline and HRNet do (in pixels whose first is 0..1), or
    "floor" as CPN and MSPN do.
    """
    if rule == "exact":
        return (joints + 0.5) / stride - 0.5
    return torch.floor(joints / stride + {"round": 0.5, "floor": 0.0}[rule])


# ---------------------------------------------------------------- targets


def gaussians(crops: Crops, size: tuple[int, int], sigma: float) -> tuple[Tensor, Tensor]:
    """Heatmaps (B, K, h, w) with peak 1, cut to a box of 3 sigma, and weights (B, K).

    A joint counts if it is labelled and its box reaches into the map, which has `size` (h, w).
    """
    x, y = crops.joints[..., 0], crops.joints[..., 1]
    across, down = _gaussian(x, size[1], sigma), _gaussian(y, size[0], sigma)
    reaches = (across > 0).any(-1) & (down > 0).any(-1)
    weights = crops.at_least(HIDDEN) * reaches
    return _outer(down, across) * weights[..., None, None], weights


def _gaussian(centres: Tensor, length: int, sigma: float) -> Tensor:
    distance = torch.arange(length, device=centres.device, dtype=centres.dtype) - centres[..., None]
    return torch.exp(-distance.square() / (2 * sigma**2)) * (distance.abs() <= REACH * sigma)


def blurred_cells(crops: Crops, size: tuple[int, int], kernel: int, peak: float = PEAK) -> Tensor:
    """Heatmaps (B, K, h, w): the joint's cell blurred by OpenCV's kernel x kernel gaussian, divided by its maximum.

    Joints outside the map have empty ones. Sizes (h, w) above the kernel's. Source: the released code of CPN and MSPN.
    """
    x, y = crops.joints.floor().long().unbind(-1)
    inside = (x >= 0) & (y >= 0) & (x < size[1]) & (y < size[0])
    maps = _outer(_blurred(y, size[0], kernel), _blurred(x, size[1], kernel)).to(crops.joints.dtype)
    return peak * maps * inside[..., None, None]


def _outer(down: Tensor, across: Tensor) -> Tensor:
    return down[..., :, None] * across[..., None, :]


def _blurred(cells: Tensor, length: int, kernel: int) -> Tensor:
    """One axis (..., length): OpenCV mirrors a map at its border cells, so near them the blur is the sum of three."""
    place = torch.arange(length, device=cells.device)
    cell = cells[..., None]
    weights = _kernel(kernel, cells.device)
    end = length - 1
    line = _at(weights, place - cell)
    line = line + _at(weights, place + cell) * (cell != 0)
    line = line + _at(weights, 2 * end - place - cell) * (cell != end)
    return line / line.amax(-1, keepdim=True).clamp(min=1e-12)  # empty where the cell is far outside


def _at(weights: Tensor, distance: Tensor) -> Tensor:
    """Weights of a centred kernel at whole distances, 0 beyond its ends."""
    reach = len(weights) // 2
    return weights[distance.clamp(-reach, reach) + reach] * (distance.abs() <= reach)


def _kernel(kernel: int, device: torch.device) -> Tensor:
    import cv2  # its tables for small kernels are no exact gaussians

    return torch.from_numpy(cv2.getGaussianKernel(kernel, 0)[:, 0]).to(device)


# ---------------------------------------------------------------- losses


def joint_errors(predicted: Tensor, target: Tensor) -> Tensor:
    """(B, K): the mean square of every joint's map."""
    return (predicted.float() - target).square().mean((-2, -1))


def hardest(errors: Tensor, count: int = 8) -> Tensor:
    """Online hard keypoint mining: mean of the `count` largest errors (B, K) of every crop, mean over crops.

    Source: Chen et al., "Cascaded Pyramid Network" (CVPR 2018), section 3.2.2.
    """
    return errors.topk(min(count, errors.shape[1]), 1).values.mean()


def half_l2_loss(outputs: Sequence[Maps], crops: Crops, *, sigma: float, hard: int | None = None) -> dict[str, Tensor]:
    """SimpleBaseline's and HRNet's loss: half the mean square over joints that count, summed over outputs.

    hard: over so many hardest joints alone. Sources: Xiao et al. (ECCV 2018), Sun et al. (CVPR 2019), released code.
    """
    total = outputs[0].heatmaps.new_zeros((), dtype=torch.float32)
    for maps in outputs:
        target, weights = gaussians(crops, _size(maps), sigma)
        errors = joint_errors(maps.heatmaps, target) * weights
        total = total + 0.5 * (errors.mean() if hard is None else hardest(errors, hard))
    return {"total": total}


def coarse_to_fine_loss(
    outputs: Sequence[Maps],
    crops: Crops,
    confidence: Tensor,
    *,
    sigma: float,
    widen: float = 1.0,
    coarse: float = 0.5,
    hard: int | None = None,
) -> dict[str, Tensor]:
    """Exact gaussians for all outputs, each coarser one's `widen` times as wide: total, coarse, answer.

    confidence (B, K): weights of the labelled joints. coarse: weight of all outputs but the last two's targets, which
    are equally fine, and of the last but one. hard: the last is taught by so many worst joints of every crop.
    """
    *others, answer = outputs
    size = _size(answer)

    def errors(maps: Maps, spread: float) -> Tensor:
        target, weights = gaussians(crops, size, spread)
        return joint_errors(maps.heatmaps, target) * weights * confidence

    last = errors(answer, sigma)
    fine = last.mean() if hard is None else hardest(last, hard)
    steps = reversed(range(len(others)))
    first = sum((errors(maps, sigma * widen**step).mean() for maps, step in zip(others, steps, strict=True)), fine * 0)
    first = first / max(1, len(others))
    return {"total": fine + coarse * first, "coarse": first, "answer": fine}


def cpn_loss(
    coarse: Sequence[Maps],
    refined: Maps | None,
    crops: Crops,
    *,
    kernels: Sequence[int] = CPN_KERNELS,
    global_loss: str | None = "l2",
    refine_loss: str = "ohkm",
    hard: int = 8,
    peak: float = PEAK,
) -> dict[str, Tensor]:
    """GlobalNet's and RefineNet's losses: total, global, refine.

    coarse: the global heads from coarse to fine; refined: RefineNet's, None where there is none. kernels: of the
    global heads; the released code pairs them the other way round (pass them reversed), the paper as here. The
    refined head has the smallest. global_loss, refine_loss: None, "l2" or "ohkm", the paper's ablation.
    Global "l2" teaches that joints that are not visible are nowhere, as the released code does; all others mask
    joints without label. Source: Chen et al. (CVPR 2018), section 3.2.
    """
    if global_loss not in LOSSES or refine_loss not in LOSSES[1:]:
        raise ValueError(f"a loss is one of {LOSSES} (refined: not None), not {global_loss!r} and {refine_loss!r}")
    zero = crops.joints.new_zeros(())
    size = _size(coarse[0])
    targets = {kernel: blurred_cells(crops, size, kernel, peak) for kernel in set(kernels)}
    first = sum(
        (_loss(global_loss, maps, targets[kernel], crops, hard) for maps, kernel in zip(coarse, kernels, strict=True)),
        zero,
    ) / (2 * len(coarse))
    last = zero
    if refined is not None:
        count = {"l2": crops.joints.shape[1], "ohkm": hard}[refine_loss]
        last = hardest(joint_errors(refined.heatmaps, targets[min(kernels)]) * crops.at_least(HIDDEN), count)
    return {"total": first + last, "global": first, "refine": last}


def _loss(kind: str | None, maps: Maps, target: Tensor, crops: Crops, hard: int) -> Tensor:
    """One supervised head's loss."""
    if kind == "l2":
        return joint_errors(maps.heatmaps, target * crops.at_least(VISIBLE)[..., None, None]).mean()
    if kind == "ohkm":
        return hardest(joint_errors(maps.heatmaps, target) * crops.at_least(HIDDEN), hard)
    return target.new_zeros(())


def kernel_plan(stages: int, kernels: Sequence[int] = MSPN_KERNELS, *, coarse_to_fine: bool = True) -> list[list[int]]:
    """Kernels of every level (coarse to fine) of every stage: the last stage is taught one step finer.

    Not coarse_to_fine: all stages as the last. Source: Li et al., "Rethinking on Multi-Stage Networks"
    (arXiv 1901.00148), section 3.3 and its released code.
    """
    first, last = list(kernels[:-1]), list(kernels[1:])
    return [first if coarse_to_fine and stage < stages - 1 else last for stage in range(stages)]


def mspn_loss(
    outputs: Sequence[Maps], crops: Crops, *, plan: Sequence[Sequence[int]], hard: int = 8, peak: float = PEAK
) -> dict[str, Tensor]:
    """MSPN's loss, summed over stages: plain L2 on the coarser levels, hard keypoints on the finest.

    outputs: stage by stage from coarse to fine, as many as the plan (see `kernel_plan`) has. Each coarser level
    counts 1/4 (one by the number of levels), the finest whole. Source: as `kernel_plan`.
    """
    flat = [(kernel, level == len(stage) - 1, len(stage)) for stage in plan for level, kernel in enumerate(stage)]
    if len(flat) != len(outputs):
        raise ValueError(f"the plan has {len(flat)} levels, the network gave {len(outputs)}")
    size = _size(outputs[0])
    targets = {kernel: blurred_cells(crops, size, kernel, peak) for kernel in {kernel for kernel, _, _ in flat}}
    coarse = fine = crops.joints.new_zeros(())
    for maps, (kernel, finest, levels) in zip(outputs, flat, strict=True):
        loss = _loss("ohkm" if finest else "l2", maps, targets[kernel], crops, hard)
        fine, coarse = (fine + loss, coarse) if finest else (fine, coarse + loss / levels)
    return {"total": coarse + fine, "coarse": coarse, "fine": fine}


def _size(maps: Maps) -> tuple[int, int]:
    height, width = maps.heatmaps.shape[-2:]
    return int(height), int(width)
