"""The chain of kernels for one image: maps in, joints and scores out.

Each step is one compiled call and the steps meet in Python: compiling the chain as a whole takes
several times as long, and a call costs about a microsecond. All arrays are made here, see `jit`, or kept, see `room`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from bottomup.grouping.assembly import begin_pieces, room_for_pieces
from bottomup.grouping.bids import LIMB_DUE, LIMB_DUE_ALONE
from bottomup.grouping.doubles import without_doubles
from bottomup.grouping.exchange import exchange_joints, room_for_bids
from bottomup.grouping.fill import fill_joints
from bottomup.grouping.limbs import join_by_limbs, room_for_limbs
from bottomup.grouping.peaks import find_peaks
from bottomup.grouping.prior import join_by_prior, room_for_fits
from bottomup.grouping.room import room
from bottomup.grouping.rules import RULES, Rules
from bottomup.grouping.score import people_of_pieces, room_for_people
from bottomup.grouping.subpixel import SHARP
from bottomup.grouping.tables import Tables
from bottomup.grouping.tags import join_by_tags, read_any_tags, room_for_tags


class NotFinite(ValueError):
    """A value that grouping looked at is NaN or infinite."""


class Peaks(NamedTuple):
    """All peaks: x, y, score (3, n) sorted by joint, where each joint's begin (K + 1,), ranks (n,), tags (n, L)
    where L is 0 without tags, their spread in cells, and the map's middle column."""

    spot: np.ndarray
    start: np.ndarray
    rank: np.ndarray
    tag: np.ndarray
    sigma: float
    middle: float


class Pieces(NamedTuple):
    """Pieces of people: a peak of each joint or -1, member (n, K), and each peak's piece, owner (n,)."""

    member: np.ndarray
    owner: np.ndarray


class Fields(NamedTuple):
    """The candidate limbs by peak, see `fields_of_peaks`: where each peak's begin (n + 2,), other ends and fields."""

    begin: np.ndarray
    other: np.ndarray
    field: np.ndarray


class Work(NamedTuple):
    """Room for the steps after the peaks, see the `room_for_...` of each."""

    pieces: tuple[np.ndarray, ...]
    limbs: tuple[Any, ...]
    tags: tuple[np.ndarray, ...]
    fits: tuple[np.ndarray, ...]
    bids: tuple[np.ndarray, ...]
    people: tuple[np.ndarray, ...]


Found = tuple[np.ndarray, np.ndarray, float]  # what `find_peaks` gives: spot, start, sigma
NO_LIMBS = np.empty((0, 2), np.int64)


def group_maps(
    heat: np.ndarray,
    pafs: np.ndarray | None,
    tags: np.ndarray | None,
    sigma: float | None,
    tables: Tables,
    rules: Rules = RULES,
    fill: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """Joints (P, K, 3) and scores (P,) of the people in one image's maps, in cells.

    heat (K, h, w), pafs (E, 2, h, w): C-contiguous float32, not empty. tags: (L, K, h, w). sigma: spread
    of a peak in cells, measured where it is None. fill: also joints of which there is but a weak signal
    where a prior expects them. Raises NotFinite."""
    K, h, w = heat.shape
    levels = (rules.peak_least, rules.peak_apart, rules.plateau_widest)
    bits = heat.view(np.int32).reshape(K, h * w)
    found = find_peaks(heat, bits, 0.0 if sigma is None else float(sigma), *levels)
    if sigma is None and found[2] < SHARP:  # then there may be shoulders
        found = find_peaks(heat, bits, found[2], *levels)
    joints, scores = people_of_peaks(found, w, pafs, tags, tables, rules)
    if fill and len(tables.prior) > 0:
        fill_joints(joints, heat, tables.square, tables.expect)
    return joints, scores


def people_of_peaks(
    found: Found, width: int, pafs: np.ndarray | None, tags: np.ndarray | None, tables: Tables, rules: Rules = RULES
) -> tuple[np.ndarray, np.ndarray]:
    """As `group_maps`, from the peaks on, as `find_peaks` gives them. width: of the map in cells."""
    spot, start, spread, tag = _tagged(found, tags, pafs is None, rules)
    (n, L), K = tag.shape, len(start) - 1
    fewest = min(rules.person_joints, K)
    rooms = room(room_for_image, n, K, L, tables.expect.shape[1], fewest)
    place, rank, member, owner = rooms.pieces
    peaks = Peaks(spot, start, rank[:n], tag, spread, (width - 1) / 2)
    pieces = Pieces(member[:n], owner[:n])
    begin_pieces(spot, start, tables.side, width, peaks.rank, place, *pieces)
    fields = _no_fields(n) if pafs is None else _join_by_limbs(pafs, peaks, pieces, tables.limbs, rules, rooms)
    with_prior = len(tables.prior) > 0
    if tags is not None and (pafs is None or not with_prior):  # limbs and prior leave tags but errors
        weights = (rules.tag_limit, rules.near_weight, rules.score_weight, rules.tag_seed, rules.tag_reach)
        join_by_tags(*peaks[:5], *weights, *rooms.tags, *pieces)
    if with_prior:
        _join_by_prior(peaks, pieces, tables, rules, rooms)
    if with_prior or (pafs is not None and tags is not None):  # one evidence alone would only repeat itself
        body = (peaks.middle, tables.expect, tables.square, tables.beside)
        due = 0.0 if pafs is None else LIMB_DUE_ALONE if tags is None else LIMB_DUE
        levels = (due, rules.sweeps, fewest, with_prior)
        exchange_joints(*peaks[:4], *body, *fields, *levels, *rooms.bids, pieces.member)
    return _people_of(peaks, pieces, fields, tables, rules, fewest, pafs is not None, rooms)


def room_for_image(n: int, K: int, L: int, sums: int, fewest: int) -> Work:
    """For n peaks of K joints with tags of L numbers; sums, fewest: see `room_for_bids`."""
    bids, people = room_for_bids(n, K, L, sums, fewest), room_for_people(n, K)
    return Work(
        room_for_pieces(n, K), room_for_limbs(n, 4), room_for_tags(n, K, L), room_for_fits(n, L, 1), bids, people
    )


def _tagged(
    found: Found, tags: np.ndarray | None, only_tags: bool, rules: Rules
) -> tuple[np.ndarray, np.ndarray, float, np.ndarray]:
    """The peaks that are looked at further, as `find_peaks` gives them, and their tags (n, L)."""
    spot, start, spread = found
    if spread != spread:
        raise NotFinite
    if tags is None:
        return spot, start, spread, np.empty((spot.shape[1], 0))
    tag, finite = read_any_tags(tags, spot, start)
    if not finite:
        raise NotFinite
    if only_tags:  # fields would tell doubles by themselves
        spot, start, tag = without_doubles(spot, start, tag, rules.double_reach * spread, rules.double_tag)
    return spot, start, spread, tag


def limb_reach(spread: float, rules: Rules) -> float:
    """Cells within which limbs have no field, for peaks of this spread in cells."""
    return max(1.0, rules.short_limb * spread)


def _no_fields(n: int) -> Fields:
    return Fields(np.zeros(n + 2, np.int64), np.empty(0, np.int64), np.empty(0))


def _join_by_limbs(
    pafs: np.ndarray, peaks: Peaks, pieces: Pieces, limbs: np.ndarray, rules: Rules, rooms: Work
) -> Fields:
    n, reach = len(peaks.rank), limb_reach(peaks.sigma, rules)
    levels = (rules.short_score, rules.field_least, rules.field_agrees, rules.field_share, rules.tag_weight)
    fields, *work = rooms.limbs
    count = join_by_limbs(*peaks[:4], pafs, limbs, reach, *levels, *work, *fields, *pieces)
    if count > len(work[-1]):  # once more with enough room
        fields, *work = room_for_limbs(n, count // n + 1)
        join_by_limbs(*peaks[:4], pafs, limbs, reach, *levels, *work, *fields, *pieces)
    if count < 0:
        raise NotFinite
    return Fields(*fields)


def _join_by_prior(peaks: Peaks, pieces: Pieces, tables: Tables, rules: Rules, rooms: Work) -> None:
    n = len(peaks.rank)
    known = (peaks.spot, peaks.middle, peaks.tag, tables.prior, tables.surest, tables.square, peaks.rank)
    levels, L = (rules.prior_single, rules.prior_least), peaks.tag.shape[1]
    count = join_by_prior(*known, *levels, *rooms.fits, *pieces)
    if count > len(rooms.fits[-1]):
        join_by_prior(*known, *levels, *room_for_fits(n, L, count // n + 1), *pieces)


def _people_of(
    peaks: Peaks,
    pieces: Pieces,
    fields: Fields,
    tables: Tables,
    rules: Rules,
    fewest: int,
    with_limbs: bool,
    rooms: Work,
) -> tuple[np.ndarray, np.ndarray]:
    with_prior = len(tables.prior) > 0
    lone = 1 if with_prior else fewest  # without a prior, single sure joints are parts of somebody
    least = rules.person_least if with_prior else rules.alone_least
    levels = (lone, fewest, least * fewest / rules.person_joints, tables.limbs if with_limbs else NO_LIMBS)
    shadows = (tables.mirror, rules.shadow_share, rules.shadow_reach)
    *work, joints, scores = rooms.people
    placed = (peaks.spot, peaks.rank, peaks.sigma, peaks.middle, pieces.member)
    P = people_of_pieces(*placed, *levels, *fields, *shadows, *work, joints, scores)
    return joints[:P].copy(), scores[:P].copy()
