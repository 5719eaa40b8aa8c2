"""Ids when all frames are there: pieces of tracks linked by min-cost flow."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import networkx as nx
import numpy as np

from bottomup.core import People
from bottomup.tracking.motion import Body
from bottomup.tracking.similarity import boxes_of, similarities, sizes
from bottomup.tracking.tracker import Rules, Tracker

# Pieces of tracks: everybody, for as long as the frames around leave no doubt.
PIECES = Rules(sure=-math.inf, least=-math.inf, frames=1, patience=0.3, double=1.0)
PATIENCE = 4.0  # seconds that a link may bridge
PERSON = 0.9  # cost of another person: the scores of a track must sum to more, a link must save it
_UNIT = 10_000  # costs are whole numbers to networkx: parts of 1 / _UNIT


@dataclass(frozen=True, eq=False)
class _Piece:
    """Somebody through frames without a long gap. begin, end: times; head, tail: motion there, back and forth."""

    begin: float
    end: float
    score: float
    head: Body
    tail: Body


def linked(frames: Sequence[People], times: Sequence[float]) -> list[People]:
    """The people of all frames who belong to a track, with ids, the best that can be said of the whole video.

    Pieces of tracks without long gaps are the nodes of a flow network; a path through them is a person. It costs
    `PERSON`, and -log of the similarity of motion and pose across each gap, and brings the scores of its people.
    Source: Zhang, Li, Nevatia, Global data association using network flows (CVPR 2008), with pieces for boxes.
    """
    if len(frames) != len(times):
        raise ValueError(f"{len(frames)} frames and {len(times)} times")
    if not frames:
        return []
    tracker = Tracker(frames[0].skeleton, PIECES)
    tracked = [tracker(people, time) for people, time in zip(frames, times, strict=True)]
    pieces = _pieces(tracked, times)
    sigmas = np.array(frames[0].skeleton.sigmas)
    owner = _numbered(_followers(pieces, sigmas), pieces)
    return [_with_ids(people, owner) for people in tracked]


def _pieces(tracked: Sequence[People], times: Sequence[float]) -> dict[int, _Piece]:
    """Pieces by the ids that the tracker gave."""
    seen: dict[int, list[tuple[float, People]]] = {}
    for people, time in zip(tracked, times, strict=True):
        for i, number in enumerate(_ids(people)):
            seen.setdefault(int(number), []).append((time, people[i]))
    return {number: _piece(where) for number, where in seen.items()}


def _ids(people: People) -> np.ndarray:
    assert people.ids is not None  # the tracker gave them
    return people.ids


def _piece(where: list[tuple[float, People]]) -> _Piece:
    score = sum(float(person.scores[0]) for _, person in where)
    return _Piece(where[0][0], where[-1][0], score, _followed(where[::-1]), _followed(where))


def _followed(where: list[tuple[float, People]]) -> Body:
    """A body at the last of these places, having passed them all; times may run backwards."""
    body, last = None, 0.0
    for time, person in where:
        boxes = boxes_of(person)
        seen = person.joints[0], boxes[0], float(sizes(boxes)[0])
        if body is None:
            body = Body.seen(*seen)
        else:
            body.drift(abs(time - last))
            body.meet(*seen)
        last = time
    assert body is not None  # a piece has a frame
    return body


def _link_cost(first: _Piece, second: _Piece, sigmas: np.ndarray) -> float:
    """-log of how well the second goes on where the first ends, seen from both sides; inf where it cannot."""
    gap = second.begin - first.end
    if not 0 < gap <= PATIENCE:
        return math.inf
    ahead, back = copy.deepcopy(first.tail), copy.deepcopy(second.head)
    ahead.drift(gap)
    back.drift(gap)
    alike = _alike(ahead, second.head, sigmas) * _alike(back, first.tail, sigmas)
    return -0.5 * math.log(alike) if alike > 0 else math.inf


def _alike(expected: Body, found: Body, sigmas: np.ndarray) -> float:
    room = expected.room(sigmas)[None]
    alike = similarities(expected.joints[None], room, expected.box[None], found.joints[None], found.box[None])
    return float(alike[0, 0])


def _followers(pieces: dict[int, _Piece], sigmas: np.ndarray) -> dict[int, int | None]:
    """For every piece that is part of a person the piece that follows, or None."""
    network = _network(pieces, sigmas)
    flow = nx.min_cost_flow(network)
    kept = [number for number in pieces if flow["in", number]["out", number]]
    return {
        number: next((node[1] for node, amount in flow["out", number].items() if amount and node != "end"), None)
        for number in kept
    }


def _network(pieces: dict[int, _Piece], sigmas: np.ndarray) -> nx.DiGraph:
    """start -> in -> out -> (in of another) -> end -> start, of capacity 1 each."""
    network = nx.DiGraph()
    network.add_edge("end", "start", capacity=max(len(pieces), 1), weight=0)
    for number, piece in pieces.items():
        network.add_edge("start", ("in", number), capacity=1, weight=round(PERSON * _UNIT))
        network.add_edge(("in", number), ("out", number), capacity=1, weight=-round(piece.score * _UNIT))
        network.add_edge(("out", number), "end", capacity=1, weight=0)
    for a, first in pieces.items():
        for b, second in pieces.items():
            cost = _link_cost(first, second, sigmas)
            if cost < PERSON:  # a dearer link never beats a new person
                network.add_edge(("out", a), ("in", b), capacity=1, weight=round(cost * _UNIT))
    return network


def _numbered(follower: dict[int, int | None], pieces: dict[int, _Piece]) -> dict[int, int]:
    """The final id of every piece that is part of a person, counted from 1 in the order of appearance."""
    owner: dict[int, int] = {}
    heads = set(follower) - {piece for piece in follower.values() if piece is not None}
    for number, head in enumerate(sorted(heads, key=lambda piece: (pieces[piece].begin, piece)), 1):
        piece: int | None = head
        while piece is not None:
            owner[piece] = number
            piece = follower[piece]
    return owner


def _with_ids(people: People, owner: dict[int, int]) -> People:
    ids = np.array([owner.get(int(i), 0) for i in _ids(people)], np.int64)
    return replace(people, ids=ids)[ids > 0]
