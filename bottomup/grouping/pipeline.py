"""The public face of grouping: checks what comes in, runs the kernels, gives `People`."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from bottomup.core import Maps, People, Skeleton


class Tables(NamedTuple):
    """A skeleton as kernels want it: limbs (E, 2), the smaller of each joint and its mirror image (K,), the prior."""

    limbs: np.ndarray
    side: np.ndarray
    prior: np.ndarray | None


def group(
    heatmaps: Any, *, pafs: Any = None, tags: Any = None, skeleton: Skeleton, sigma: float | None = None
) -> People:
    """The people in one image's maps, best first, in map pixels (cell i is centred at i).

    heatmaps: (K, h, w). pafs: (E, 2, h, w), x then y, pointing from a limb's first joint to its second.
    tags: (L, K, h, w). All numpy or torch, any number type and strides. Fields, tags or both; both
    count in one score. sigma: a peak's spread in cells; measured on the peaks where it is None.
    A person has at least three joints; there is no limit to peaks or people. The result does not
    depend on threads, and mirrored maps give exactly the mirrored people.
    Raises ValueError where shapes do not fit, values are NaN or infinite, or both evidences are missing.
    """
    maps = _as_numpy(heatmaps, pafs, tags, sigma)
    if maps.batched:
        raise ValueError(f"heatmaps {maps.heatmaps.shape} are a batch, not one image (K, h, w): use group_batch")
    return _group_one(maps, skeleton, "")


def group_batch(maps: Maps, skeleton: Skeleton) -> list[People]:
    """The people of every image of a batch of maps (numpy or torch), each as `group` gives them.

    Images are grouped in parallel. Raises ValueError as `group` does, naming the image.
    """
    if not maps.batched:
        raise ValueError(f"heatmaps {tuple(maps.heatmaps.shape)} are of one image, not (B, K, h, w): use group")
    batch = _as_numpy(maps.heatmaps, maps.pafs, maps.tags, maps.sigma)

    def people_of(i: int) -> People:
        return _group_one(batch[i], skeleton, f"image {i} of the batch: ")

    count = len(batch.heatmaps)
    workers = min(count, os.cpu_count() or 1)
    if workers <= 1:
        return [people_of(i) for i in range(count)]
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(people_of, range(count)))


def _as_numpy(heatmaps: Any, pafs: Any, tags: Any, sigma: float | None) -> Maps:
    """The maps in float32 numpy arrays; without a copy where they are such."""
    if pafs is None and tags is None:
        raise ValueError("neither pafs nor tags are given: grouping needs at least one of them")
    if sigma is not None and not (np.isfinite(sigma) and sigma > 0):
        raise ValueError(f"sigma is a peak's spread in cells, more than 0, or None; got {sigma}")
    heat = _float_array("heatmaps", heatmaps)
    fields = None if pafs is None else _float_array("pafs", pafs)
    return Maps(heat, fields, None if tags is None else _float_array("tags", tags), sigma=sigma)


def _float_array(name: str, maps: Any) -> np.ndarray:
    if hasattr(maps, "detach"):  # torch, which need not be imported for this
        maps = maps.detach().float().cpu().numpy()
    array = np.asarray(maps)
    if array.dtype.kind not in "fiub":
        raise ValueError(f"{name} must be real numbers, got {array.dtype}")
    with np.errstate(over="ignore"):  # what overflows becomes infinite and is refused later
        return array.astype(np.float32, copy=False)


def _group_one(maps: Maps, skeleton: Skeleton, where: str) -> People:
    _check_shapes(maps, skeleton, where)
    for name, array in (("heatmaps", maps.heatmaps), ("pafs", maps.pafs), ("tags", maps.tags)):
        if array is not None:
            _check_finite(name, array, where)
    if maps.heatmaps.size == 0:
        return People.nobody(skeleton)
    from bottomup.grouping.chain import group_maps  # numba takes long to import

    maps = maps.each(lambda array: np.require(array, np.float32, ["C", "A", "W"]))
    tables = tables_of(skeleton)
    joints, scores = group_maps(maps, tables.limbs, tables.side, tables.prior)
    return People(joints, scores, skeleton)


def _check_shapes(maps: Maps, skeleton: Skeleton, where: str) -> None:
    """Counts of joints and limbs; `Maps` has seen to the rest."""
    K, E, heat = len(skeleton), len(skeleton.limbs), maps.heatmaps.shape
    if heat[0] != K:
        raise ValueError(
            f"{where}heatmaps {heat} do not fit skeleton {skeleton.name}, which needs ({K}, h, w): "
            "a background map must be left out"
        )
    if maps.pafs is not None and maps.pafs.shape[:2] != (E, 2):
        raise ValueError(
            f"{where}pafs {maps.pafs.shape} do not fit heatmaps {heat} and the limbs of skeleton {skeleton.name}: "
            f"they need {(E, 2, *heat[1:])}"
        )
    if maps.tags is not None and (len(maps.tags) == 0 or maps.tags.shape[1] != K):
        raise ValueError(f"{where}tags {maps.tags.shape} do not fit heatmaps {heat}: they need (L, {K}, h, w), L >= 1")


def _check_finite(name: str, array: np.ndarray, where: str) -> None:
    with np.errstate(over="ignore", invalid="ignore"):
        if np.isfinite(array.sum()):  # quick, and no NaN or infinity passes
            return
    bad = np.argwhere(~np.isfinite(array))
    if len(bad):
        at = tuple(int(i) for i in bad[0])
        raise ValueError(f"{where}{name} hold {len(bad)} NaN or infinite values, the first at {at}")


@lru_cache(maxsize=32)
def tables_of(skeleton: Skeleton) -> Tables:
    """The skeleton's tables. Raises ValueError where its prior has the wrong shape or values."""
    mirror = np.array(skeleton.mirror, np.int64)
    limbs = np.array(skeleton.limbs, np.int64).reshape(-1, 2)
    return Tables(limbs, np.minimum(mirror, np.arange(len(mirror))), _symmetric_prior(skeleton, mirror))


def _symmetric_prior(skeleton: Skeleton, mirror: np.ndarray) -> np.ndarray | None:
    """The skeleton's prior, averaged with its mirror image, so that mirrored maps give mirrored people."""
    if skeleton.prior is None:
        return None
    prior, K = np.asarray(skeleton.prior, np.float32), len(mirror)
    if prior.shape != (K, K, 7) or not np.isfinite(prior).all():
        raise ValueError(f"skeleton {skeleton.name}: prior must be finite and ({K}, {K}, 7), got {prior.shape}")
    image = prior[mirror][:, mirror] * np.array([-1, 1, 1, -1, 1, 1, 1], np.float32)
    return np.ascontiguousarray((prior + image) / 2)
