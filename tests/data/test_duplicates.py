"""Copies of a picture are found whatever their size; strangers and plain pictures are not."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from bottomup.data.duplicates import difference_hash, exact_copies, resized_copies
from bottomup.data.shards import StoredImage
from tests.data import sets


def stored(path):
    return StoredImage(path, path.name)


@pytest.fixture
def photographs(tmp_path):
    return [stored(sets.picture(tmp_path / f"{k}.png", 320, 240, seed=k)) for k in range(6)]


def test_a_hash_hardly_depends_on_size_and_compression(photographs, tmp_path):
    for picture in photographs:
        image = cv2.imread(str(picture.path))
        for scale, quality in ((0.3, 70), (1.5, 50)):
            path = tmp_path / "copy.jpg"
            cv2.imwrite(str(path), cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA),
                        [cv2.IMWRITE_JPEG_QUALITY, quality])  # fmt: skip
            assert (difference_hash(picture) != difference_hash(stored(path))).sum() <= 24


def test_only_pairs_of_different_sets_are_told(photographs, tmp_path):
    copy = tmp_path / "copy.png"
    copy.write_bytes(photographs[2].path.read_bytes())
    pictures = [*photographs, stored(copy)]
    for find in (exact_copies, resized_copies):
        assert [(c.first, c.second) for c in find(pictures, ["a"] * 6 + ["b"])] == [(2, 6)]
        assert find(pictures, ["a"] * 7) == []
    assert exact_copies(pictures, ["a"] * 6 + ["b"])[0].distance is None


def test_three_sets_with_one_picture_are_three_pairs(photographs, tmp_path):
    same = [photographs[0]] * 3
    assert len(exact_copies(same, ["a", "b", "c"])) == 3


def test_plain_pictures_are_not_copies_of_each_other(tmp_path):
    pictures = []
    for value in (10, 200):
        path = tmp_path / f"{value}.png"
        cv2.imwrite(str(path), np.full((40, 60, 3), value, np.uint8))
        pictures.append(stored(path))
    assert resized_copies(pictures, ["a", "b"]) == []


def test_real_photographs_are_strangers_and_find_their_copies(shared_data, tmp_path):
    frames = sorted((shared_data / "native").glob("*/*.jpg"))[:20]
    copies = []
    for k, path in enumerate(frames):
        image = cv2.imread(str(path))
        copies.append(tmp_path / f"{k}.jpg")
        cv2.imwrite(str(copies[-1]), cv2.resize(image, (416, 416), interpolation=cv2.INTER_AREA))
    pictures = [stored(path) for path in (*frames, *copies)]
    found = resized_copies(pictures, ["a"] * len(frames) + ["b"] * len(copies))
    assert [(c.first, c.second) for c in found] == [(k, k + len(frames)) for k in range(len(frames))]
