"""The chain of kernels for one image: maps in, joints and scores out.

Each step is one compiled call and the steps meet in Python: compiling the chain as a whole takes
several times as long, and the calls cost microseconds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from bottomup.grouping.assembly import connect, single_pieces
from bottomup.grouping.bids import Bids, Evidence, fields_of_peaks
from bottomup.grouping.exchange import exchange_joints, share_peaks
from bottomup.grouping.limbs import find_limbs
from bottomup.grouping.matching import rank_peaks
from bottomup.grouping.peaks import find_peaks
from bottomup.grouping.prior import find_fits, join_by_prior
from bottomup.grouping.rules import RULES, Rules
from bottomup.grouping.score import limb_agreement, people_of_pieces
from bottomup.grouping.shadows import without_shadows
from bottomup.grouping.tables import Tables
from bottomup.grouping.tags import find_like_tags, join_by_tags, read_any_tags, weigh_limbs


class NotFinite(ValueError):
    """A value that grouping looked at is NaN or infinite."""


class Peaks(NamedTuple):
    """All peaks: x, y, score (3, n) sorted by joint, where each joint's begin (K + 1,), ranks (n,), tags (n, L)
    where L is 0 without tags, and their spread in cells."""

    spot: np.ndarray
    start: np.ndarray
    rank: np.ndarray
    tag: np.ndarray
    sigma: float


class Pieces(NamedTuple):
    """What `assembly` works on, in place: peak numbers (n, K) or -1, and each peak's piece (n,)."""

    member: np.ndarray
    owner: np.ndarray


class Pairs(NamedTuple):
    """Pairs of peaks or pieces (m, 2) and their values (m,), of which the first `used` are in use."""

    pair: np.ndarray
    value: np.ndarray
    used: int


BIDS = Bids()
NO_PAIRS = Pairs(np.empty((0, 2), np.int64), np.empty(0), 0)


def group_maps(
    heat: np.ndarray,
    pafs: np.ndarray | None,
    tags: np.ndarray | None,
    sigma: float | None,
    tables: Tables,
    rules: Rules = RULES,
    bids: Bids = BIDS,
) -> tuple[np.ndarray, np.ndarray]:
    """Joints (P, K, 3) and scores (P,) of the people in one image's maps, in cells.

    heat (K, h, w), pafs (E, 2, h, w): C-contiguous float32, not empty. tags: (L, K, h, w). sigma: spread
    of a peak in cells, measured where it is None. Raises NotFinite."""
    limbs, side, prior = tables.limbs, tables.side, tables.prior
    peaks = _peaks_of(heat, tags, sigma, side, rules)
    pieces = Pieces(*single_pieces(peaks.start))
    candidates = NO_PAIRS if pafs is None else _limbs_of(pafs, peaks, limbs, rules)
    if pafs is not None:
        _join_by_limbs(candidates, peaks, pieces, rules)
    if tags is not None and (pafs is None or len(prior) == 0):  # limbs and prior leave tags but errors
        _join_by_tags(peaks, pieces, rules)
    if len(prior):
        _join_by_prior(peaks, pieces, prior, rules)
    fields = fields_of_peaks(peaks.spot.shape[1], candidates.pair, candidates.value, candidates.used)
    known = Evidence(
        peaks.spot, peaks.start, peaks.rank, peaks.tag, tables.expect, tables.square, tables.beside, *fields
    )
    bids = bids if pafs is not None else bids._replace(limb_due=0.0)  # no fields, so none are due
    fewest = min(rules.person_joints, len(side))
    if len(prior) or (pafs is not None and tags is not None):  # one evidence alone would only repeat itself
        exchange_joints(known, side, bids, rules.sweeps, fewest, pieces.member)
    if len(prior):
        share_peaks(known, bids, pieces.member)
    trust = np.ones(peaks.spot.shape[1])
    if pafs is not None:
        trust = (1 + limb_agreement(pieces.member, limbs, *fields)) / 2
    least = rules.person_least * fewest / rules.person_joints
    lone = 1 if len(prior) else fewest  # without a prior, single sure joints are parts of somebody
    joints, scores = people_of_pieces(peaks.spot, peaks.rank, pieces.member, trust, lone, fewest, least)
    kept = without_shadows(joints, side, rules.shadow_share, rules.shadow_reach)
    return joints[kept], scores[kept]


def _peaks_of(heat: np.ndarray, tags: np.ndarray | None, sigma: float | None, side: np.ndarray, rules: Rules) -> Peaks:
    spot, start, spread = find_peaks(heat, sigma, rules.peak_least, rules.peak_apart, rules.plateau_widest)
    if spread != spread:
        raise NotFinite
    tag = np.empty((spot.shape[1], 0)) if tags is None else read_any_tags(tags, spot, start)
    if tags is not None and not np.isfinite(tag).all():
        raise NotFinite
    return Peaks(spot, start, rank_peaks(spot, start, side, heat.shape[2]), tag, spread)


def found_pairs(fill: Callable[[np.ndarray, np.ndarray], int], room: int) -> Pairs:
    """What a kernel finds that writes pairs and values as far as there is room and gives how many there are; it is
    asked again with more room where they did not fit."""
    pair, value = np.empty((room, 2), np.int64), np.empty(room, np.float64)
    count = fill(pair, value)
    if count < 0:
        raise NotFinite
    return Pairs(pair, value, count) if count <= room else found_pairs(fill, count)


def _limbs_of(pafs: np.ndarray, peaks: Peaks, limbs: np.ndarray, rules: Rules) -> Pairs:
    known = (peaks.spot, peaks.start, pafs, limbs, max(1.0, rules.short_limb * peaks.sigma))
    levels = (rules.short_score, rules.field_least, rules.field_agrees, rules.field_share)
    return found_pairs(lambda pair, value: find_limbs(*known, *levels, pair, value), 4 * peaks.spot.shape[1] + 64)


def _join_by_limbs(limb_pairs: Pairs, peaks: Peaks, pieces: Pieces, rules: Rules) -> None:
    pair, evidence, count = limb_pairs.pair, limb_pairs.value.copy(), limb_pairs.used
    if peaks.tag.shape[1] > 0:
        weigh_limbs(pair, evidence, count, peaks.tag, rules.tag_weight)
    connect(pair, evidence, count, peaks.rank, *pieces)


def _join_by_tags(peaks: Peaks, pieces: Pieces, rules: Rules) -> None:
    known = (peaks.spot, peaks.start, peaks.tag, pieces.owner, pieces.member, peaks.rank, peaks.sigma)
    weights = (rules.tag_limit, rules.near_weight, rules.score_weight, rules.tag_seed)
    pairs = Pairs(*find_like_tags(*known, *weights))
    join_by_tags(*pairs, peaks.spot, peaks.tag, peaks.rank, rules.tag_limit, rules.tag_reach, *pieces)


def _join_by_prior(peaks: Peaks, pieces: Pieces, prior: np.ndarray, rules: Rules) -> None:
    known = (pieces.member, peaks.spot, peaks.tag, prior, peaks.rank, rules.prior_single, rules.prior_least)
    pairs = found_pairs(lambda pair, value: find_fits(*known, pair, value), peaks.spot.shape[1] + 64)
    join_by_prior(*pairs, peaks.spot, peaks.tag, peaks.rank, prior, rules.prior_least, *pieces)
