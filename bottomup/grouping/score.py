"""People out of pieces: which pieces count, how sure each is, in which order they come.

A person's score is 1.5 S / (n + K / 2) times (1 + F) / 2 times (r + s) / (r + 6 s): S sums the scores
of the n joints found, of K that there are; F is the mean field along the limbs with both ends found (1
where there are no fields); r is the root mean square distance of the joints from their centre, s the
spread of a peak. Many joints count for more than few, as they make a high OKS likely, but a person who
is cut off by the border is not put behind everybody whole. Joints are as inexact in small people as in
large ones, and OKS takes errors as shares of a person's size, so large people are surer. The 6 was
chosen for AP on labelled pictures of COCO's training set and of MPII's validation set.
"""

from __future__ import annotations

import math

import numpy as np

from bottomup.grouping.assembly import joints_of
from bottomup.grouping.bodies import COLUMNS, COUNT, RANK, SEEN, measure_body
from bottomup.grouping.compile import jit, jit_part
from bottomup.grouping.matching import sort_best_first
from bottomup.grouping.shadows import drop_shadows

SHRINK = 0.5  # of all joints: how many joints of score 0 are added before the mean is taken
SURE = 0.9  # mean score from which fewer joints than people have otherwise are somebody
SMALL = 6.0  # times the spread of a peak: a person much smaller than this is not placed well


@jit_part
def limb_agreement(
    person: np.ndarray, limbs: np.ndarray, begin: np.ndarray, other: np.ndarray, field: np.ndarray
) -> float:
    """Mean field of the limbs of a person (K,) with both ends found, at most 1; a limb without a candidate counts 0.

    begin (n + 1,), other, field: the candidate limbs by peak, as `fields_of_peaks` gives them."""
    due, total = 0, 0.0
    for e in range(len(limbs)):
        i, j = person[limbs[e, 0]], person[limbs[e, 1]]
        if i < 0 or j < 0:
            continue
        due += 1
        for at in range(begin[i], begin[i + 1]):
            total += field[at] if other[at] == j else 0.0
    return min(total / max(due, 1), 1.0)


@jit_part
def sum_of_best(scores: np.ndarray, count: int) -> float:
    """Sum of the `count` highest scores; changes the array."""
    total = 0.0
    for _ in range(count):
        best = 0
        for k in range(len(scores)):
            if scores[k] > scores[best]:
                best = k
        total += scores[best]
        scores[best] = 0.0
    return total


@jit_part
def piece_score(person: np.ndarray, spot: np.ndarray, fewest: int, best: int, least: float, each: np.ndarray) -> float:
    """Score of a piece (K,) but for the fields, 0 if it is no person.

    A person has `fewest` joints or more, and the scores of the best `best` of them add up to `least` or more; fewer
    than `best` do if all are `SURE`. each: (K,) room to work in."""
    K, count, total = len(person), 0, 0.0
    for k in range(K):
        i = person[k]
        each[k] = min(spot[2, i], 1.0) if i >= 0 else 0.0
        count += i >= 0
        total += each[k]
    few_and_sure = count < best and total >= SURE * count
    if count < fewest or not (few_and_sure or (total >= least and sum_of_best(each, best) >= least)):
        return 0.0
    return (1 + SHRINK) * total / (count + SHRINK * K)


@jit_part
def size_factor(body: np.ndarray, sigma: float) -> float:
    """How exactly joints can be placed for the size of a body (see `measure_body`), in (0, 1).

    sigma: spread of a peak in cells."""
    reach = math.sqrt(body[SEEN]) / body[COUNT]
    return (reach + sigma) / (reach + SMALL * sigma)


@jit
def people_of_pieces(
    spot: np.ndarray,
    rank: np.ndarray,
    sigma: float,
    middle: float,
    member: np.ndarray,
    fewest: int,
    best: int,
    least: float,
    limbs: np.ndarray,
    begin: np.ndarray,
    other: np.ndarray,
    field: np.ndarray,
    mirror: np.ndarray,
    shadow_share: float,
    shadow_reach: float,
    room: np.ndarray,
    value: np.ndarray,
    whole: np.ndarray,
    boxes: np.ndarray,
    joints: np.ndarray,
    scores: np.ndarray,
) -> int:
    """Writes joints (P, K, 3) and scores (P,), float32, of the pieces that are people, best first, but for shadows of
    better ones; gives how many.

    sigma: spread of a peak, middle: the map's middle column, both in cells. fewest, best, least: see `piece_score`.
    limbs: (E, 2), none without fields. begin, other, field: see `limb_agreement`. mirror, shadow_share,
    shadow_reach: see `is_shadow`. room (K + COLUMNS,), value (n,), whole (4, n + 1), boxes (n, 4): to work in."""
    P = rate_pieces(
        spot, rank, sigma, middle, member, fewest, best, least, limbs, begin, other, field, room, value, whole[0],
        whole[1],
    )  # fmt: skip
    sort_best_first(whole[0, :P], value, whole[1], whole[2:])
    for p in range(P):
        write_person(member[whole[0, p]], spot, joints[p])
        scores[p] = value[whole[0, p]]
    return drop_shadows(joints, scores, P, mirror, shadow_share, shadow_reach, boxes)


@jit_part
def rate_pieces(
    spot: np.ndarray,
    rank: np.ndarray,
    sigma: float,
    middle: float,
    member: np.ndarray,
    fewest: int,
    best: int,
    least: float,
    limbs: np.ndarray,
    begin: np.ndarray,
    other: np.ndarray,
    field: np.ndarray,
    room: np.ndarray,
    value: np.ndarray,
    able: np.ndarray,
    first: np.ndarray,
) -> int:
    """Writes the scores (n,) of the pieces to `value`, the numbers of those that are people to `able` (n,) and the
    ranks of their best peaks to `first` (n,); gives how many there are. The others are those of `people_of_pieces`."""
    P, body, each, no_squares = 0, room[:COLUMNS], room[COLUMNS:], spot[:0]
    for a in range(len(member)):
        if joints_of(member[a]) < fewest:  # as most rows are, of pieces that others took over
            continue
        score = piece_score(member[a], spot, fewest, best, least, each)
        if score > 0:
            if len(limbs) > 0:
                score *= (1 + limb_agreement(member[a], limbs, begin, other, field)) / 2
            measure_body(member[a], spot, middle, rank, no_squares, body)
            value[a] = score * size_factor(body, sigma)
            able[P], first[a] = a, np.int64(body[RANK])
            P += 1
    return P


@jit_part
def write_person(person: np.ndarray, spot: np.ndarray, joints: np.ndarray) -> None:
    """Writes the joints (K, 3) of a person (K,)."""
    for k in range(len(person)):
        i = person[k]
        joints[k, 0], joints[k, 1], joints[k, 2] = 0.0, 0.0, 0.0
        if i >= 0:
            joints[k, 0], joints[k, 1], joints[k, 2] = spot[0, i], spot[1, i], min(spot[2, i], 1.0)


def room_for_people(n: int, K: int) -> tuple[np.ndarray, ...]:
    """For n pieces of K joints: what `people_of_pieces` works in, joints and scores."""
    work = np.empty(COLUMNS + K), np.empty(n), np.empty((4, n + 1), np.int64), np.empty((n, 4))
    return *work, np.empty((n, K, 3), np.float32), np.empty(n, np.float32)
