"""A file is wholly there or not at all."""

import os

import pytest

from bottomup.files.atomic import replacing


def test_the_content_appears_only_when_it_is_complete(tmp_path):
    path = tmp_path / "deep" / "file.bin"
    with replacing(path) as file:
        file.write(b"half")
        assert not path.exists()
        file.write(b" and half")
    assert path.read_bytes() == b"half and half"
    assert os.listdir(path.parent) == ["file.bin"]


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "file.bin"
    path.write_bytes(b"old")
    with pytest.raises(RuntimeError, match="stop"), replacing(path) as file:
        file.write(b"new")
        raise RuntimeError("stop")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file.bin"]


def test_what_a_killed_process_left_is_overwritten(tmp_path):
    path = tmp_path / "file.bin"
    writer = replacing(path)
    writer.__enter__().write(b"never finished")
    leftover = set(os.listdir(tmp_path))
    assert len(leftover) == 1 and "file.bin" not in leftover
    with replacing(path) as file:
        file.write(b"new")
    assert os.listdir(tmp_path) == ["file.bin"] and path.read_bytes() == b"new"


def test_names_of_the_longest_length_can_be_replaced(tmp_path):
    path = tmp_path / ("n" * 255)
    with replacing(path, sync=False) as file:
        file.write(b"x")
    assert path.read_bytes() == b"x"
