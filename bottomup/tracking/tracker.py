"""Ids through frames, as the frames come."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from bottomup.core import People, Skeleton
from bottomup.core.boxes import corners, overlaps
from bottomup.tracking.motion import Body
from bottomup.tracking.similarity import boxes_of, similarities, sizes

JUMP = 0.5  # body sizes by which somebody may miss the place expected, where nobody else fits: the camera jerked
PIECE = 0.5  # share of the joints below which a find of low score may be a piece of another body
INTERVAL = 1 / 25  # seconds between frames that come without a time


@dataclass(frozen=True)
class Rules:
    """When people appear and disappear, and who can be whom.

    sure: score from which somebody new has an id at once. least: score from which somebody new has one
    after `frames` frames in a row; a lower score only continues a track.
    patience: seconds for which somebody unseen may come back with the same id. alike: similarity below which
    two are never the same. double: similarity to somebody in the frame from which a newcomer is a second
    answer for the same body; over: IoU with somebody from which a newcomer below `sure` is.
    Raises ValueError that names the value.
    """

    sure: float = 0.3
    least: float = 0.1
    frames: int = 3
    patience: float = 1.5
    alike: float = 0.2
    double: float = 0.6
    over: float = 0.4

    def __post_init__(self) -> None:
        if self.frames < 1:
            raise ValueError(f"frames is {self.frames}, it must be at least 1")
        if not self.patience >= 0:
            raise ValueError(f"patience is {self.patience}, it must be 0 seconds or more")
        for name in ("alike", "double", "over"):
            if not 0 < getattr(self, name) <= 1:
                raise ValueError(f"{name} is {getattr(self, name)}, it must be above 0 and at most 1")


@dataclass(eq=False)
class _Track:
    """Somebody followed. id: None until sure. frames: in which seen. unseen: seconds since. fresh: it was 0."""

    body: Body
    id: int | None = None
    frames: int = 1
    unseen: float = 0.0
    fresh: bool = True


class Tracker:
    """tracker(people of a frame, its time) -> those who have an id, in the same order: with ids, without faint joints.

    Who is whom maximises similarity (OKS and IoU with the place to which constant velocity leads), by
    linear assignment. An id is never given twice; memory does not grow with time; the order of the
    people in a frame does not matter. given: how many ids have been given.
    Raises ValueError for another skeleton or a time that does not grow.
    """

    def __init__(self, skeleton: Skeleton, rules: Rules | None = None) -> None:
        self.skeleton, self.rules = skeleton, rules or Rules()
        self.time = -math.inf
        self._sigmas = np.array(skeleton.sigmas)
        self._tracks: list[_Track] = []
        self.given = 0

    def __call__(self, people: People, time: float | None = None) -> People:
        """time: seconds; without it, `INTERVAL` after the frame before."""
        if people.skeleton.joints != self.skeleton.joints:
            raise ValueError(f"people of skeleton {people.skeleton.name}, the tracker's is {self.skeleton.name}")
        self._pass(time)
        people = people.without_faint()  # guesses tell nobody apart
        order = _canonical(people)
        ids = np.zeros(len(people), np.int64)
        ids[order] = self._ids(people[order])
        return replace(people, ids=ids)[ids > 0]

    def _pass(self, time: float | None) -> None:
        """Time passes: bodies drift, who was unseen for too long is forgotten."""
        if time is None:
            time = self.time + INTERVAL if self._started else 0.0
        if not self.time < time < math.inf:
            raise ValueError(f"time is {time}, it must be greater than {self.time}, that of the frame before")
        seconds = time - self.time if self._started else 0.0
        self.time = time
        for track in self._tracks:
            track.fresh = track.unseen == 0
            track.unseen += seconds
            track.body.drift(seconds)
        longest = max(self.rules.patience, seconds) + 1e-6  # whoever was there in the frame before may always go on
        self._tracks = [track for track in self._tracks if track.unseen <= longest]

    @property
    def _started(self) -> bool:
        return self.time > -math.inf

    def _ids(self, people: People) -> np.ndarray:
        """Ids (N,) of people in canonical order, 0 for those who have none."""
        boxes = boxes_of(people)
        size = sizes(boxes)
        owner: dict[int, _Track] = {}
        for track, person in self._matches(people, boxes):
            track.body.meet(people.joints[person], boxes[person], size[person])
            track.frames, track.unseen = track.frames + 1, 0.0
            owner[person] = track
        self._tracks = [t for t in self._tracks if t.id is not None or t.unseen == 0]
        for person in self._newcomers(people, boxes, owner):
            owner[person] = _Track(Body.seen(people.joints[person], boxes[person], size[person]))
            self._tracks.append(owner[person])
        for person, track in sorted(owner.items()):
            self._baptise(track, float(people.scores[person]))
        return np.array([owner[i].id or 0 if i in owner else 0 for i in range(len(people))], np.int64)

    def _matches(self, people: People, boxes: np.ndarray) -> list[tuple[_Track, int]]:
        """Tracks and the people who go on with them; then those of the frame before who jumped, and who is left."""
        pairs = self._assigned(self._tracks, list(range(len(people))), people, boxes, 0.0)
        met, taken = {id(track) for track, _ in pairs}, {person for _, person in pairs}
        jumped = [t for t in self._tracks if id(t) not in met and t.fresh]
        left = [person for person in range(len(people)) if person not in taken]
        return pairs + self._assigned(jumped, left, people, boxes, JUMP)

    def _assigned(
        self, tracks: list[_Track], there: list[int], people: People, boxes: np.ndarray, jump: float
    ) -> list[tuple[_Track, int]]:
        """Pairs of tracks and people (of those with these numbers) with the greatest sum of similarities."""
        if not tracks or not there:
            return []
        from scipy.optimize import linear_sum_assignment

        alike = self._alike([track.body for track in tracks], people.joints[there], boxes[there], jump)
        sure = np.array([track.body.certainty(self._sigmas) for track in tracks])[:, None]
        # Whoever was away may be nearly anywhere: a doubtful find of few joints, often of another body, proves nothing.
        few = (people.joints[there, :, 2] > 0).mean(1) < PIECE
        piece = few & (people.scores[there] < self.rules.least)
        value = np.where(np.where(piece, alike * sure, alike) >= self.rules.alike, alike * sure, 0.0)
        pairs = zip(*linear_sum_assignment(value, maximize=True), strict=True)
        return [(tracks[t], there[i]) for t, i in pairs if value[t, i] > 0]

    def _alike(self, bodies: list[Body], joints: np.ndarray, boxes: np.ndarray, jump: float = 0.0) -> np.ndarray:
        """Similarity (T, N) of bodies and people."""
        if not bodies:
            return np.zeros((0, len(joints)))
        where = np.array([body.joints for body in bodies])
        room = np.array([body.room(self._sigmas, jump) for body in bodies])
        return similarities(where, room, np.array([body.box for body in bodies]), joints, boxes)

    def _newcomers(self, people: People, boxes: np.ndarray, owner: dict[int, _Track]) -> list[int]:
        """People who are nobody followed so far, nor a second answer for a body that is there already."""
        new: list[int] = []
        for person in range(len(people)):
            if person in owner or people.scores[person] < self.rules.least:
                continue
            if not self._double(person, [*owner, *new], people, boxes):
                new.append(person)
        return new

    def _double(self, person: int, there: list[int], people: People, boxes: np.ndarray) -> bool:
        """Whether a person is likely a second answer for the body of one of those there."""
        bodies = [Body.seen(people.joints[i], boxes[i], float(sizes(boxes[[i]])[0])) for i in there]
        if (self._alike(bodies, people.joints[[person]], boxes[[person]]) >= self.rules.double).any():
            return True
        unsure = people.scores[person] < self.rules.sure
        return bool(unsure and (overlaps(corners(boxes[there]), corners(boxes[[person]])) >= self.rules.over).any())

    def _baptise(self, track: _Track, score: float) -> None:
        """Gives an id to somebody who has none and is sure enough."""
        if track.id is None and (score >= self.rules.sure or track.frames >= self.rules.frames):
            self.given += 1
            track.id = self.given


def _canonical(people: People) -> np.ndarray:
    """An order (N,) of the people, best score first, that does not depend on the order given."""
    rows = people.joints.reshape(len(people), 3 * len(people.skeleton))
    return np.lexsort((*rows.T[::-1], -people.scores))
