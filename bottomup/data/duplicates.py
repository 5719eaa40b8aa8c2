"""Pictures that are in two sets: the same file, or the same picture resized or compressed again."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import cv2
import numpy as np

from bottomup.data.shards import StoredImage

SIDE = 16  # of the difference hash: SIDE x SIDE bits
# Bits of 256 in which copies may differ: 99 % of those at .25 to 1.6 of the size and JPEG quality 30 to 90 differ in
# fewer; of strangers 99.99 % in more than 57.
CLOSE = 40
CHUNK = 2048


@dataclass(frozen=True)
class Copy:
    """Two pictures by their numbers; distance: bits in which their hashes differ, None for files of the same bytes."""

    first: int
    second: int
    distance: int | None = None


def exact_copies(pictures: Sequence[StoredImage], sets: Sequence[str]) -> list[Copy]:
    """Pairs of pictures of different sets whose files hold the same bytes. sets: of each picture."""
    by_size = _groups([_length(picture) for picture in pictures])
    shared = [group for group in by_size if len({sets[i] for i in group}) > 1]
    copies: list[Copy] = []
    for group in shared:
        digests = [hashlib.blake2b(pictures[i].data(), digest_size=16).digest() for i in group]
        for same in _groups(digests):
            copies += _pairs([group[i] for i in same], sets)
    return sorted(copies, key=lambda copy: (copy.first, copy.second))


def _length(picture: StoredImage) -> int:
    return picture.length if picture.length >= 0 else picture.path.stat().st_size


def _groups(keys: Sequence[object]) -> list[list[int]]:
    """Numbers of equal keys, of those that occur more than once."""
    groups: dict[object, list[int]] = defaultdict(list)
    for number, key in enumerate(keys):
        groups[key].append(number)
    return [group for group in groups.values() if len(group) > 1]


def _pairs(group: Sequence[int], sets: Sequence[str]) -> Iterator[Copy]:
    for place, i in enumerate(group):
        yield from (Copy(i, j) for j in group[place + 1 :] if sets[i] != sets[j])


def resized_copies(pictures: Sequence[StoredImage], sets: Sequence[str], *, close: int = CLOSE) -> list[Copy]:
    """Pairs of pictures of different sets that look alike whatever their size; decodes every picture once.

    Pictures without any structure (one colour) are left out: they look like each other.
    """
    with ThreadPoolExecutor() as pool:
        bits = np.array(list(pool.map(difference_hash, pictures))).reshape(-1, SIDE * SIDE)
    signs = np.where(bits, 1, -1).astype(np.float32)
    plain = np.abs(signs.sum(1)) > 0.9 * SIDE * SIDE
    number = np.unique(sets, return_inverse=True)[1]
    copies: list[Copy] = []
    for start in range(0, len(signs), CHUNK):
        apart = (SIDE * SIDE - signs[start : start + CHUNK] @ signs[start:].T) / 2
        near = (apart <= close) & (number[start : start + CHUNK, None] != number[None, start:])
        near &= ~plain[start : start + CHUNK, None] & ~plain[None, start:]
        copies += [Copy(start + i, start + j, int(apart[i, j])) for i, j in np.argwhere(np.triu(near, 1))]
    return copies


def difference_hash(picture: StoredImage) -> np.ndarray:
    """bool (256,): whether each of 16 x 16 cells is brighter than its right neighbour."""
    grey = cv2.imdecode(np.frombuffer(picture.data(), np.uint8), cv2.IMREAD_REDUCED_GRAYSCALE_2)
    if grey is None:
        grey = picture().mean(2)  # raises with the file's name if it cannot be decoded at all
    small = cv2.resize(grey.astype(np.float32), (SIDE + 1, SIDE), interpolation=cv2.INTER_AREA)
    return (small[:, :-1] > small[:, 1:]).reshape(-1)
