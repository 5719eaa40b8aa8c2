"""The chain of kernels for one image: maps in, joints and scores out.

Each step is one compiled call and the steps meet in Python: compiling the chain as a whole takes
several times as long, and a call costs about a microsecond, less where the results' arrays are made in Python.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from bottomup.grouping.assembly import connect, single_pieces
from bottomup.grouping.bids import LIMB_DUE, fields_of_peaks
from bottomup.grouping.bodies import COLUMNS
from bottomup.grouping.doubles import without_doubles
from bottomup.grouping.exchange import exchange_joints
from bottomup.grouping.fill import fill_joints
from bottomup.grouping.limbs import find_limbs
from bottomup.grouping.matching import rank_peaks
from bottomup.grouping.peaks import find_peaks
from bottomup.grouping.prior import find_fits, join_by_prior
from bottomup.grouping.rules import RULES, Rules
from bottomup.grouping.score import people_of_pieces
from bottomup.grouping.shadows import without_shadows
from bottomup.grouping.subpixel import SHARP
from bottomup.grouping.tables import Tables
from bottomup.grouping.tags import find_like_tags, join_by_tags, read_any_tags, weigh_limbs


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


class Pairs(NamedTuple):
    """Pairs of peaks or pieces (m, 2) and their values (m,), of which the first `used` are in use."""

    pair: np.ndarray
    value: np.ndarray
    used: int


Found = tuple[np.ndarray, np.ndarray, float]  # what `find_peaks` gives: spot, start, sigma
NO_PAIRS = Pairs(np.empty((0, 2), np.int64), np.empty(0), 0)
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
    peaks = _ranked(found, width, tags, pafs is None, tables, rules)
    n, K = peaks.spot.shape[1], len(peaks.start) - 1
    member, owner = np.empty((n, K), np.int64), np.empty(n, np.int64)
    single_pieces(peaks.start, member, owner)
    candidates = NO_PAIRS if pafs is None else _limbs_of(pafs, peaks, tables.limbs, rules)
    if pafs is not None:
        _join_by_limbs(candidates, peaks, member, owner, rules)
    with_prior = len(tables.prior) > 0
    if tags is not None and (pafs is None or not with_prior):  # limbs and prior leave tags but errors
        _join_by_tags(peaks, member, owner, rules)
    if with_prior:
        _join_by_prior(peaks, member, owner, tables, rules)
    fields = np.empty(n + 2, np.int64), np.empty(2 * candidates.used, np.int64), np.empty(2 * candidates.used)
    fields_of_peaks(n, *candidates, *fields)
    fewest = min(rules.person_joints, K)
    if with_prior or (pafs is not None and tags is not None):  # one evidence alone would only repeat itself
        body = (peaks.middle, tables.expect, tables.square, tables.beside)
        due = LIMB_DUE if pafs is not None else 0.0  # no fields, so none are due
        exchange_joints(*peaks[:4], *body, *fields, due, rules.sweeps, fewest, with_prior, member)
    lone = 1 if with_prior else fewest  # without a prior, single sure joints are parts of somebody
    least = rules.person_least if with_prior else rules.alone_least
    levels = (lone, fewest, least * fewest / rules.person_joints)
    limbs = NO_LIMBS if pafs is None else tables.limbs
    placed = peaks.spot, peaks.rank, peaks.sigma, peaks.middle
    joints, scores = people_of_pieces(*placed, member, *levels, limbs, *fields)
    if len(joints) > 1:
        kept = without_shadows(joints, tables.mirror, rules.shadow_share, rules.shadow_reach)
        joints, scores = (joints, scores) if len(kept) == len(joints) else (joints[kept], scores[kept])
    return joints, scores


def _ranked(found: Found, width: int, tags: np.ndarray | None, only_tags: bool, tables: Tables, rules: Rules) -> Peaks:
    spot, start, spread = found
    if spread != spread:
        raise NotFinite
    tag = np.empty((spot.shape[1], 0)) if tags is None else read_any_tags(tags, spot, start)
    if tags is not None and not np.isfinite(tag).all():
        raise NotFinite
    if only_tags:  # fields would tell doubles by themselves
        spot, start, tag = without_doubles(spot, start, tag, rules.double_reach * spread, rules.double_tag)
    rank = np.empty(spot.shape[1], np.int64)
    rank_peaks(spot, start, tables.side, width, rank)
    return Peaks(spot, start, rank, tag, spread, (width - 1) / 2)


def limb_reach(spread: float, rules: Rules) -> float:
    """Cells within which limbs have no field, for peaks of this spread in cells."""
    return max(1.0, rules.short_limb * spread)


def found_pairs(fill: Callable[[np.ndarray, np.ndarray], int], room: int) -> Pairs:
    """What a kernel finds that writes pairs and values as far as there is room and gives how many there are; it is
    asked again with more room where they did not fit."""
    pair, value = np.empty((room, 2), np.int64), np.empty(room, np.float64)
    count = fill(pair, value)
    if count < 0:
        raise NotFinite
    return Pairs(pair, value, count) if count <= room else found_pairs(fill, count)


def _limbs_of(pafs: np.ndarray, peaks: Peaks, limbs: np.ndarray, rules: Rules) -> Pairs:
    known = (peaks.spot, peaks.start, pafs, limbs, limb_reach(peaks.sigma, rules))
    levels = (rules.short_score, rules.field_least, rules.field_agrees, rules.field_share)
    return found_pairs(lambda pair, value: find_limbs(*known, *levels, pair, value), 4 * peaks.spot.shape[1] + 64)


def _join_by_limbs(limb_pairs: Pairs, peaks: Peaks, member: np.ndarray, owner: np.ndarray, rules: Rules) -> None:
    pair, evidence, count = limb_pairs
    if peaks.tag.shape[1] > 0:
        evidence = evidence.copy()
        weigh_limbs(pair, evidence, count, peaks.tag, rules.tag_weight)
    connect(pair, evidence, count, peaks.rank, member, owner)


def _join_by_tags(peaks: Peaks, member: np.ndarray, owner: np.ndarray, rules: Rules) -> None:
    known = (peaks.spot, peaks.start, peaks.tag, owner, member, peaks.rank, peaks.sigma)
    weights = (rules.tag_limit, rules.near_weight, rules.score_weight, rules.tag_seed)
    pairs = Pairs(*find_like_tags(*known, *weights))
    join_by_tags(*pairs, peaks.spot, peaks.tag, peaks.rank, rules.tag_limit, rules.tag_reach, member, owner)


def _join_by_prior(peaks: Peaks, member: np.ndarray, owner: np.ndarray, tables: Tables, rules: Rules) -> None:
    spot, _, rank, tag, _, middle = peaks
    body = (tables.prior, tables.surest, tables.square, rank)
    bodies, mean = np.empty((len(member), COLUMNS)), np.empty(tag.shape)
    known = (member, spot, middle, tag, *body, rules.prior_single, rules.prior_least, bodies, mean)
    pairs = found_pairs(lambda pair, value: find_fits(*known, pair, value), spot.shape[1] + 64)
    if pairs.used:
        join_by_prior(*pairs, spot, middle, tag, *body, rules.prior_least, bodies, mean, member, owner)
