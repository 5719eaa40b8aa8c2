"""Maps on a GPU: of them only those cells travel that grouping looks at, each with its number.

Which cells are crests is found on the device, for a whole batch at once. They and the cells around them come over,
so that peaks can be placed; then the tags at the peaks, the field half-way between them, and the field along
the limbs that may be. The kernels are those of maps on the CPU and read the same numbers: the people are the same to
the bit. All works on tensors of any device.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from bottomup.core import Maps
from bottomup.grouping.chain import Found, NotFinite, limb_reach, people_of_peaks
from bottomup.grouping.fill import FAR, LEAST, fill_joints, lacking_places
from bottomup.grouping.looks import cells_of_fields, cells_of_tags
from bottomup.grouping.peaks import find_peaks_among, widest_top
from bottomup.grouping.rules import RULES, Rules
from bottomup.grouping.subpixel import SHARP
from bottomup.grouping.tables import Tables
from bottomup.grouping.threads import of_each

BEFORE = ((-1, -1), (-1, 0), (-1, 1), (0, -1))  # neighbours (y, x) read before a cell; those after lie opposite
SPREAD_LEVEL = 0.3  # of the highest peak; the spread is measured above exp(-1/2) of at least half its height


class Distant:
    """Maps on a device, (outer, group, inner), and those cells of them that were fetched: `here`, else 0."""

    def __init__(self, maps: Tensor, outer: int, group: int) -> None:
        self.there = maps.reshape(outer, group, -1)
        self.here = np.zeros(self.there.shape, np.float32)
        self.inner = self.there.shape[2]
        self.numbers = torch.int32 if outer * self.inner < 2**31 else torch.int64

    def fetch(self, cells: Tensor) -> None:
        """Gets the group of values of each of the cells (n,), numbers outer * inner, which either side may have."""
        cells = cells.to(self.numbers)
        here, there = cells.cpu().numpy(), cells.to(self.there.device).long()
        values = self.there[there // self.inner, :, there % self.inner].float().cpu().numpy()
        self.here[here // self.inner, :, here % self.inner] = values

    def fetch_for_each(self, cells: Sequence[np.ndarray]) -> None:
        """The same, for cells as each image of the batch counts them."""
        size = len(self.there) * self.inner // max(len(cells), 1)
        self.fetch(torch.from_numpy(np.concatenate([own + i * size for i, own in enumerate(cells)])))


@torch.inference_mode()
def people_on_device(
    maps: Maps, tables: Tables, rules: Rules = RULES, fill: bool = False
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Joints (P, K, 3) and scores (P,) of the people in each image of a batch of tensors, as `group_maps` gives them.

    Maps are not empty. Raises NotFinite with the number of the image."""
    heat = maps.heatmaps.float()
    finite = heat.isfinite().flatten(1).all(1).tolist()
    if not all(finite):
        raise NotFinite(finite.index(False))
    near, w = Distant(heat, heat.shape[0] * heat.shape[1], 1), heat.shape[3]
    peaks = _peaks_of(heat, near, maps.sigma, rules)
    tags = None if maps.tags is None else _tags_at(peaks, maps.tags)
    pafs = None if maps.pafs is None else _fields_between(peaks, maps.pafs, tables.limbs, rules)

    def people_of(i: int) -> tuple[np.ndarray, np.ndarray]:
        evidence = None if pafs is None else pafs[i], None if tags is None else tags[i]
        try:
            return people_of_peaks(peaks[i], w, *evidence, tables, rules)
        except NotFinite:
            raise NotFinite(i) from None

    found = of_each(people_of, len(heat))
    if fill and len(tables.prior) > 0:
        joints = [joints for joints, _ in found]
        _fetch_for_filling(joints, heat, near, tables)
        for own, plane in zip(joints, near.here.reshape(heat.shape), strict=True):
            fill_joints(own, plane, tables.square, tables.expect)
    return found


def shoulders_of(heat: Tensor, low: float) -> Tensor:
    """Which cells of heatmaps (B, K, h, w) are shoulders above `low`: as `sweep_plane` finds them, to the bit."""
    found = torch.zeros_like(heat, dtype=torch.bool)
    if min(heat.shape[2:]) < 5:
        return found
    own, left, right = heat[..., 1:-1, 1:-1], heat[..., 1:-1, :-2], heat[..., 1:-1, 2:]
    above, below = heat[..., :-2, 1:-1], heat[..., 2:, 1:-1]
    bent, (h, w) = 5 * own - ((left + right) + (above + below)), own.shape[2:]
    mask = (own > float(np.float32(low))) & (own + own > left + right) & (own + own > above + below)
    mask = mask[..., 1:-1, 1:-1]
    for y, x in (*BEFORE, *((-y, -x) for y, x in BEFORE)):
        mask = mask & (bent[..., 1:-1, 1:-1] > bent[..., 1 + y : h - 1 + y, 1 + x : w - 1 + x])
    found[..., 2:-2, 2:-2] = mask
    return found


def crests_of(heat: Tensor, low: float) -> tuple[Tensor, Tensor]:
    """Which cells of heatmaps (B, K, h, w) are above `low`, higher than the neighbours read before them and not lower
    than those read after, and to which of these a neighbour is equal."""
    (h, w), around = heat.shape[2:], F.pad(heat, (1, 1, 1, 1), value=-torch.inf)

    def highest(sign: int) -> Tensor:
        top = torch.full_like(heat, -torch.inf)
        for y, x in BEFORE:
            top = torch.maximum(top, around[..., 1 + sign * y :, 1 + sign * x :][..., :h, :w])
        return top

    after = highest(-1)
    crests = (heat > float(np.float32(low))) & (heat > highest(1)) & (heat >= after)
    return crests, crests & (heat == after)


def grown(mask: Tensor, reach: int) -> Tensor:
    """The mask (B, K, h, w) and all cells of it within `reach` rows and columns."""
    side, wide = 2 * reach + 1, mask.float()
    return F.max_pool2d(F.max_pool2d(wide, (1, side), 1, (0, reach)), (side, 1), 1, (reach, 0)) > 0


def numbers_of(mask: Tensor) -> Tensor:
    """The numbers of the cells that a mask holds, in reading order."""
    return mask.flatten().nonzero().flatten()


def _peaks_of(heat: Tensor, near: Distant, sigma: float | None, rules: Rules) -> list[Found]:
    """The peaks of every image as `find_peaks` has them; fetches what is around them."""
    crests, flat = crests_of(heat, rules.peak_least)
    given = [0.0 if sigma is None else float(sigma)] * len(heat)

    def around(reach: int) -> Tensor:
        wide = reach + max(widest_top(own, rules.plateau_widest) for own in given)
        return grown(crests, reach) | grown(flat, wide) if bool(flat.any()) else grown(crests, reach)

    spread = given[0]
    if sigma is None:
        top = torch.where(crests & ~flat, heat, rules.peak_least).amax((1, 2, 3), keepdim=True)
        near.fetch(numbers_of(grown(heat > SPREAD_LEVEL * top, 1) | around(1)))
        spreads = [own for _, _, own in _found_among(crests, near, given, rules)]  # all that is right by now
        given, spread = [own if own < SHARP else 0.0 for own in spreads], max(spreads)
    sharp = torch.tensor([0 < own < SHARP for own in given], device=heat.device)
    if bool(sharp.any()):
        crests = crests | (shoulders_of(heat, rules.peak_least) & sharp[:, None, None, None])
    near.fetch(numbers_of(around(max(1, int(spread + 0.5)))))  # as far as `place_along` looks
    return _found_among(crests, near, given, rules)


def _found_among(crests: Tensor, near: Distant, given: Sequence[float], rules: Rules) -> list[Found]:
    """The peaks of every image, by what was fetched. given: spreads in cells, 0 where they are not known."""
    B, K, h, w = crests.shape
    numbers = numbers_of(crests).to(near.numbers).cpu().numpy().astype(np.int64)
    begin, planes = np.searchsorted(numbers, h * w * np.arange(B * K + 1)), near.here.reshape(crests.shape)

    def found(i: int) -> Found:
        own = begin[i * K : (i + 1) * K + 1]
        cells = numbers[own[0] : own[-1]] % (h * w)
        return find_peaks_among(planes[i], cells, own - own[0], given[i], rules.peak_apart, rules.plateau_widest)

    return of_each(found, B)


def _tags_at(peaks: Sequence[Found], tags: Tensor) -> np.ndarray:
    """Tags (B, L, K, h, w) where they count."""
    near = Distant(tags, len(tags), tags.shape[1])
    near.fetch_for_each([cells_of_tags(spot, start, *tags.shape[3:]) for spot, start, _ in peaks])
    return near.here.reshape(tags.shape)


def _fields_between(peaks: Sequence[Found], pafs: Tensor, limbs: np.ndarray, rules: Rules) -> np.ndarray:
    """Fields (B, E, 2, h, w) where they count."""
    B, E, _, h, w = pafs.shape
    near, seen = Distant(pafs, B * E, 2), np.zeros((B, E * h * w), np.bool_)
    here = near.here.reshape(pafs.shape)
    for along in (False, True):

        def cells_of(i: int, along: bool = along) -> np.ndarray:
            spot, start, spread = peaks[i]
            return cells_of_fields(spot, start, here[i], limbs, limb_reach(spread, rules), along, seen[i])

        near.fetch_for_each(of_each(cells_of, B))
    return here


def _fetch_for_filling(joints: Sequence[np.ndarray], heat: Tensor, near: Distant, tables: Tables) -> None:
    """Fetches the signal where people (P, K, 3) of each image lack joints: a weak one does, and what is beside it."""
    (B, K, h, w), boxes = heat.shape, []
    for i, own in enumerate(joints):
        places = lacking_places(own, w, tables.square, tables.expect)
        boxes.append(_boxes_of(places, h, w))
        boxes[-1][0] += i * K
    wanted = covered(np.concatenate(boxes, 1), B * K, h, w, heat.device).view(heat.shape)
    near.fetch(numbers_of(wanted & grown(heat > LEAST, 1)))


def _boxes_of(places: np.ndarray, h: int, w: int) -> np.ndarray:
    """Joint, first column, first row and the ones after the last (5, m) of the boxes in which `best_cell` looks around
    places (P, K, 6), with two cells to spare."""
    joint = np.broadcast_to(np.arange(places.shape[1]), places.shape[:2])
    x, y, _, xx, yy, xy = np.moveaxis(places, -1, 0)
    spare = 4 * xx * yy - xy * xy
    good = spare > 0
    reach_x, reach_y = np.sqrt(4 * FAR * yy[good] / spare[good]), np.sqrt(4 * FAR * xx[good] / spare[good])
    x, y = x[good] + (w - 1) / 2, y[good]
    sides = (x - reach_x - 2).clip(0, w), (y - reach_y - 2).clip(0, h)
    ends = (x + reach_x + 3).clip(0, w), (y + reach_y + 3).clip(0, h)
    return np.stack((joint[good], *sides, *ends)).astype(np.int64)


def covered(boxes: np.ndarray, planes: int, h: int, w: int, device: torch.device) -> Tensor:
    """Which cells (planes, h, w) lie in boxes (5, m): plane, first column, first row, and the ones after the last."""
    plane, x0, y0, x1, y1 = torch.from_numpy(boxes).to(device)
    count = torch.zeros(planes, h + 1, w + 1, dtype=torch.int32, device=device)
    one = torch.ones_like(plane, dtype=torch.int32)
    for y, x, sign in ((y0, x0, one), (y0, x1, -one), (y1, x0, -one), (y1, x1, one)):
        count.index_put_((plane, y, x), sign, accumulate=True)
    return count.cumsum(1).cumsum(2)[:, :h, :w] > 0
