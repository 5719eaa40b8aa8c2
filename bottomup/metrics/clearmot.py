"""CLEAR MOT: misses, switches and false positives of tracks, frame by frame.

Source: Bernardin and Stiefelhagen, "Evaluating multiple object tracking performance" (2008).
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

import numpy as np

Track = Hashable
_FAR = 1e6  # dearer than all allowed pairs together, so that as many as possible are made


@dataclass
class ClearMot:
    """Counts over the frames of one video; matches hold the switches, distance is summed over matches."""

    objects: int = 0
    matches: int = 0
    misses: int = 0
    false_positives: int = 0
    switches: int = 0
    distance: float = 0.0
    _partner: dict[Track, Track] = field(default_factory=dict)  # the track that last found each true one

    def add(self, true: Sequence[Track], found: Sequence[Track], distances: np.ndarray) -> None:
        """One more frame: ids (unique in it) and distances (true, found), NaN where a pair is not allowed.

        A true track stays with its last partner where that is allowed; the rest pair at the least cost.
        """
        pairs = self._kept(true, found, distances)
        pairs += self._new(true, found, distances, pairs)
        for t, f in pairs:
            self.switches += self._partner.get(true[t], found[f]) != found[f]
            self._partner[true[t]] = found[f]
            self.distance += float(distances[t, f])
        self.objects += len(true)
        self.matches += len(pairs)
        self.misses += len(true) - len(pairs)
        self.false_positives += len(found) - len(pairs)

    def _kept(self, true: Sequence[Track], found: Sequence[Track], distances: np.ndarray) -> list[tuple[int, int]]:
        place = {track: number for number, track in enumerate(found)}
        kept: dict[int, int] = {}  # two true tracks may have had one partner: the first keeps it
        for t, track in enumerate(true):
            f = place.get(self._partner[track]) if track in self._partner else None
            if f is not None and f not in kept and np.isfinite(distances[t, f]):
                kept[f] = t
        return [(t, f) for f, t in kept.items()]

    def _new(
        self, true: Sequence[Track], found: Sequence[Track], distances: np.ndarray, kept: list[tuple[int, int]]
    ) -> list[tuple[int, int]]:
        rest_true = sorted(set(range(len(true))) - {t for t, _ in kept})
        rest_found = sorted(set(range(len(found))) - {f for _, f in kept})
        costs = distances[np.ix_(rest_true, rest_found)]
        if not np.isfinite(costs).any():
            return []
        from scipy.optimize import linear_sum_assignment  # slow to import

        rows, columns = linear_sum_assignment(np.where(np.isfinite(costs), costs, _FAR))
        return [(rest_true[r], rest_found[c]) for r, c in zip(rows, columns, strict=True) if np.isfinite(costs[r, c])]
