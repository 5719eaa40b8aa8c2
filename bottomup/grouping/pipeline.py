"""The public face of grouping: checks what comes in, runs the kernels, gives `People`."""

from __future__ import annotations

from functools import cache
from types import ModuleType
from typing import Any

import numpy as np

from bottomup.core import Maps, People, Skeleton
from bottomup.grouping.tables import tables_of
from bottomup.grouping.threads import of_each


def group(
    heatmaps: Any,
    *,
    pafs: Any = None,
    tags: Any = None,
    skeleton: Skeleton,
    sigma: float | None = None,
    fill: bool = False,
) -> People:
    """The people in one image's maps, best first, in map pixels (cell i is centred at i).

    heatmaps: (K, h, w). pafs: (E, 2, h, w), x then y, pointing from a limb's first joint to its second.
    tags: (L, K, h, w). All numpy or torch, any number type and strides. Fields, tags or both; both
    count in one score. sigma: a peak's spread in cells; measured on the peaks where it is None.
    fill: joints without a peak are taken from a weak signal where the skeleton's prior expects them, with a low score:
    more are found, more are wrong (`docs/grouping.md`). A person has at least three joints; there is no limit to peaks
    or people. The result does not depend on threads or devices, and mirrored maps give exactly the mirrored people.
    Of tensors on a GPU only the cells that count travel (`grouping/on_device.py`).
    Raises ValueError where shapes do not fit, both evidences are missing, or values that count (all
    heatmaps; fields and tags where they are looked at) are NaN or infinite.
    """
    _check_request(pafs, tags, sigma)
    if is_distant(heatmaps):
        _check_shapes(heatmaps, pafs, tags, skeleton, "")
        batch = Maps(heatmaps, pafs, tags, sigma=sigma).each(lambda maps: maps[None])
        return _group_distant(batch, skeleton, [""], fill)[0]
    arrays = (_float_array("heatmaps", heatmaps), _float_array("pafs", pafs), _array("tags", tags))
    return _group_one(*arrays, sigma, skeleton, "", fill)


def group_batch(maps: Maps, skeleton: Skeleton, *, fill: bool = False) -> list[People]:
    """The people of every image of a batch of maps (numpy or torch), each as `group` gives them.

    Images are grouped in parallel. Raises ValueError as `group` does, naming the image.
    """
    if not maps.batched:
        raise ValueError(f"heatmaps {tuple(maps.heatmaps.shape)} are of one image, not (B, K, h, w): use group")
    _check_request(maps.pafs, maps.tags, maps.sigma)
    wheres = [f"image {i} of the batch: " for i in range(len(maps.heatmaps))]
    if is_distant(maps.heatmaps):
        for i, where in enumerate(wheres[:1]):  # all have the same shapes
            _check_shapes(maps[i].heatmaps, maps[i].pafs, maps[i].tags, skeleton, where)
        return _group_distant(maps, skeleton, wheres, fill)
    heat = _float_array("heatmaps", maps.heatmaps)
    pafs, tags = _float_array("pafs", maps.pafs), _array("tags", maps.tags)

    def people_of(i: int) -> People:
        one = (heat[i], None if pafs is None else pafs[i], None if tags is None else tags[i])
        return _group_one(*one, maps.sigma, skeleton, wheres[i], fill)

    return of_each(people_of, len(heat))


def is_distant(maps: Any) -> bool:
    """Whether maps lie on another device, so that reading them takes a copy."""
    return hasattr(maps, "detach") and maps.device.type != "cpu"


def _check_request(pafs: Any, tags: Any, sigma: float | None) -> None:
    if pafs is None and tags is None:
        raise ValueError("neither pafs nor tags are given: grouping needs at least one of them")
    if sigma is not None and not (sigma > 0 and sigma < np.inf):
        raise ValueError(f"sigma is a peak's spread in cells, more than 0, or None; got {sigma}")


def _array(name: str, maps: Any) -> Any:
    """As real numbers in numpy, without a copy where it is such; None stays None."""
    if maps is None:
        return None
    if hasattr(maps, "detach"):  # torch, which need not be imported for this
        maps = maps.detach().float().cpu().numpy()
    array = np.asarray(maps)
    if array.dtype.kind not in "fiub":
        raise ValueError(f"{name} must be real numbers, got {array.dtype}")
    return array


def _float_array(name: str, maps: Any) -> Any:
    """As C-contiguous, writeable float32 numpy (kernels are compiled for no other), without a copy where it is such."""
    array = _array(name, maps)
    if array is None or (array.dtype == np.float32 and array.flags.carray):
        return array
    with np.errstate(over="ignore"):  # what overflows becomes infinite and is refused later
        return np.require(array, np.float32, ["C", "A", "W"])


@cache
def _chain() -> ModuleType:
    """The chain of kernels, once it is known whether the user must wait for them. Numba takes long to import."""
    from bottomup.grouping import chain
    from bottomup.grouping.compile import tell_if_cold

    tell_if_cold()
    return chain


def _group_one(
    heatmaps: np.ndarray,
    pafs: np.ndarray | None,
    tags: np.ndarray | None,
    sigma: float | None,
    skeleton: Skeleton,
    where: str,
    fill: bool,
) -> People:
    _check_shapes(heatmaps, pafs, tags, skeleton, where)
    if heatmaps.size == 0:
        return People.nobody(skeleton)
    kernels = _chain()
    try:
        joints, scores = kernels.group_maps(heatmaps, pafs, tags, sigma, tables_of(skeleton), fill=fill)
    except kernels.NotFinite:
        raise _not_finite(heatmaps, pafs, tags, where) from None
    return People(joints, scores, skeleton)


def _group_distant(maps: Maps, skeleton: Skeleton, wheres: list[str], fill: bool) -> list[People]:
    """As `_group_one` for a batch of tensors on any device."""
    if maps.heatmaps.numel() == 0:
        return [People.nobody(skeleton) for _ in wheres]
    kernels = _chain()
    from bottomup.grouping.on_device import people_on_device

    try:
        found = people_on_device(maps, tables_of(skeleton), fill=fill)
    except kernels.NotFinite as error:
        (i,) = error.args
        one = maps[i].numpy()
        raise _not_finite(one.heatmaps, one.pafs, one.tags, wheres[i]) from None
    return [People(joints, scores, skeleton) for joints, scores in found]


def _check_shapes(heatmaps: Any, pafs: Any, tags: Any, skeleton: Skeleton, where: str) -> None:
    K, E, heat = len(skeleton), len(skeleton.limbs), tuple(heatmaps.shape)
    if len(heat) == 4:
        raise ValueError(f"{where}heatmaps {heat} are a batch, not one image (K, h, w): use group_batch")
    if len(heat) != 3 or heat[0] != K:
        raise ValueError(
            f"{where}heatmaps {heat} do not fit skeleton {skeleton.name}, which needs ({K}, h, w): "
            "a background map must be left out"
        )
    if pafs is not None and tuple(pafs.shape) != (E, 2, *heat[1:]):
        raise ValueError(
            f"{where}pafs {tuple(pafs.shape)} do not fit heatmaps {heat} and the limbs of skeleton {skeleton.name}: "
            f"they need {(E, 2, *heat[1:])}"
        )
    if tags is not None and (tags.ndim != 4 or len(tags) == 0 or tuple(tags.shape[1:]) != heat):
        raise ValueError(
            f"{where}tags {tuple(tags.shape)} do not fit heatmaps {heat}: they need (L, {K}, h, w), L >= 1"
        )


def _not_finite(*maps_and_where: Any) -> ValueError:
    """The error that says which maps hold NaN or infinite values, and where the first is."""
    *maps, where = maps_and_where
    for name, array in zip(("heatmaps", "pafs", "tags"), maps, strict=True):
        bad = np.argwhere(~np.isfinite(array)) if array is not None else np.empty((0, 1))
        if len(bad):
            at = tuple(int(i) for i in bad[0])
            return ValueError(f"{where}{name} hold {len(bad)} NaN or infinite values, the first at {at}")
    return ValueError(f"{where}maps hold values too large to add up")
