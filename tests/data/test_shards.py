"""Shards: any picture of a tar, in any order, as if it were a file of its own."""

from __future__ import annotations

import io
import pickle
import tarfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from bottomup.data.shards import locate
from bottomup.errors import DataError

COUNT = 6


def picture(number: int) -> np.ndarray:
    """A picture of its own size and colours for every number, RGB."""
    return np.random.default_rng(number).integers(0, 256, (9 + number, 14 - number, 3), np.uint8)


def png(image: np.ndarray) -> bytes:
    return cv2.imencode(".png", image if image.ndim == 2 else image[..., ::-1])[1].tobytes()


def write_tar(path: Path, members: dict[str, bytes], mode: str = "w:") -> Path:
    with tarfile.open(path, mode) as shard:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            shard.addfile(member, io.BytesIO(content))
    return path


@pytest.fixture
def members() -> dict[str, bytes]:
    return {f"{number}.png": png(picture(number)) for number in range(COUNT)}


def test_members_of_a_shard_equal_the_files_put_in_whatever_the_order(tmp_path, members):
    write_tar(tmp_path / "s.tar", members)
    stored = {number: locate(f"{number}.png", "s.tar", [tmp_path]) for number in range(COUNT)}
    for number in (3, 0, 5, 3, 1, 4, 2):
        np.testing.assert_array_equal(stored[number](), picture(number))


def test_a_picture_reads_alike_from_a_folder_and_from_a_shard(tmp_path, members):
    write_tar(tmp_path / "s.tar", members)
    (tmp_path / "2.png").write_bytes(members["2.png"])
    np.testing.assert_array_equal(locate("2.png", None, [tmp_path])(), locate("2.png", "s.tar", [tmp_path])())


@pytest.mark.parametrize("prefix", ["", "./", "train-000/", "./train-000/"])
def test_members_may_lie_in_a_folder_called_as_the_shard(tmp_path, members, prefix):
    write_tar(tmp_path / "train-000.tar", {prefix + name: content for name, content in members.items()})
    np.testing.assert_array_equal(locate("4.png", "train-000.tar", [tmp_path])(), picture(4))


def test_names_with_folders_and_long_names_are_found(tmp_path, members):
    name = "deep/" + "x" * 150 + ".png"
    write_tar(tmp_path / "s.tar", {name: members["1.png"]})
    np.testing.assert_array_equal(locate(name, "s.tar", [tmp_path])(), picture(1))


def test_the_first_folder_that_has_it_wins(tmp_path, members):
    for number, folder in enumerate(("a", "b")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "p.png").write_bytes(members[f"{number}.png"])
    (tmp_path / "b" / "only.png").write_bytes(members["5.png"])
    folders = [tmp_path / "a", tmp_path / "b"]
    np.testing.assert_array_equal(locate("p.png", None, folders)(), picture(0))
    np.testing.assert_array_equal(locate("p.png", None, folders[::-1])(), picture(1))
    np.testing.assert_array_equal(locate("only.png", None, folders)(), picture(5))


def test_grey_deep_and_transparent_pictures_come_as_rgb_bytes(tmp_path):
    grey = picture(0)[..., 0]
    clear = np.dstack((picture(0)[..., ::-1], np.full(grey.shape, 90, np.uint8)))
    kinds = {"grey.png": grey, "deep.png": grey.astype(np.uint16) * 257, "clear.png": clear}
    for name, image in kinds.items():
        assert cv2.imwrite(str(tmp_path / name), image)
        loaded = locate(name, None, [tmp_path])()
        assert loaded.dtype == np.uint8 and loaded.shape == (*grey.shape, 3)
        np.testing.assert_array_equal(loaded, picture(0) if name == "clear.png" else np.dstack([grey] * 3))


def test_a_stored_picture_travels_to_worker_processes(tmp_path, members):
    write_tar(tmp_path / "s.tar", members)
    stored = pickle.loads(pickle.dumps(locate("3.png", "s.tar", [tmp_path])))
    np.testing.assert_array_equal(stored(), picture(3))


def test_a_missing_member_is_named_with_its_shard(tmp_path, members):
    path = write_tar(tmp_path / "s.tar", members)
    with pytest.raises(DataError, match="77.png") as error:
        locate("77.png", "s.tar", [tmp_path])
    assert str(path) in str(error.value)


@pytest.mark.parametrize("shard", ["gone.tar", None])
def test_what_is_missing_is_named_with_every_folder_searched(tmp_path, shard):
    folders = [tmp_path / "one", tmp_path / "two"]
    with pytest.raises(DataError, match="gone.tar" if shard else "p.png") as error:
        locate("p.png", shard, folders)
    assert all(str(folder) in str(error.value) for folder in folders)


def test_a_tar_that_is_none_is_named(tmp_path, members):
    whole = write_tar(tmp_path / "whole.tar", members).read_bytes()
    broken = {"text.tar": b"no tar at all" * 99, "empty.tar": b"", "cut.tar": whole[:700]}
    for name, content in broken.items():
        (tmp_path / name).write_bytes(content)
    write_tar(tmp_path / "packed.tar", members, "w:gz")
    for name in (*broken, "packed.tar"):
        with pytest.raises(DataError, match=f"{name}.*plain tar"):
            locate("0.png", name, [tmp_path])


@pytest.mark.parametrize("content", [b"", b"not a picture", b"\x89PNG\r\n\x1a\n" + b"\0" * 40])
def test_a_broken_picture_is_named_when_it_is_read(tmp_path, content, members):
    write_tar(tmp_path / "s.tar", {"good.png": members["0.png"], "bad.png": content})
    (tmp_path / "bad.png").write_bytes(content)
    for shard in ("s.tar", None):
        with pytest.raises(DataError, match="bad.png"):
            locate("bad.png", shard, [tmp_path])()
    np.testing.assert_array_equal(locate("good.png", "s.tar", [tmp_path])(), picture(0))


def test_a_file_that_vanished_is_named(tmp_path, members):
    (tmp_path / "p.png").write_bytes(members["0.png"])
    stored = locate("p.png", None, [tmp_path])
    (tmp_path / "p.png").unlink()
    with pytest.raises(DataError, match="p.png.*cannot be read"):
        stored()
