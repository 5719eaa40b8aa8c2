"""The journal survives a kill at any byte."""

import os

import pytest

from bottomup.errors import DataError
from bottomup.files.journal import Journal, signature


def filled(path):
    journal = Journal(path)
    journal.append("a.jpg", [1, 2, True], {"people": 1}, [{"score": 0.5}])
    journal.append("b\n\udcff.jpg", None, {"people": 0}, [])
    return journal


def test_what_is_noted_is_held_and_read(tmp_path):
    filled(tmp_path / "j").close()
    journal = Journal(tmp_path / "j")
    assert journal.holds("a.jpg", [1, 2, True])
    assert journal.holds("b\n\udcff.jpg", None)
    assert not journal.holds("a.jpg", [1, 3, True])
    assert not journal.holds("c.jpg", None)
    assert journal.read("a.jpg") == ({"people": 1}, [{"score": 0.5}])


def test_a_journal_cut_at_any_byte_keeps_its_whole_lines(tmp_path):
    filled(tmp_path / "j").close()
    content = (tmp_path / "j").read_bytes()
    first = content.index(b"\n") + 1
    for length in range(len(content)):
        (tmp_path / "cut").write_bytes(content[:length])
        journal = Journal(tmp_path / "cut")
        assert journal.holds("a.jpg", [1, 2, True]) == (length >= first)
        journal.append("c.jpg", None, {"people": 2}, [])
        journal.close()
        again = Journal(tmp_path / "cut")
        assert again.read("c.jpg") == ({"people": 2}, [])
        again.close()


def test_the_last_line_of_a_name_counts(tmp_path):
    journal = filled(tmp_path / "j")
    journal.append("a.jpg", [9, 9, True], {"people": 5}, [])
    assert not journal.holds("a.jpg", [1, 2, True])
    assert journal.read("a.jpg")[0] == {"people": 5}


def test_damage_inside_names_the_line(tmp_path):
    filled(tmp_path / "j").close()
    with open(tmp_path / "j", "ab") as file:
        file.write(b"{}\n")
    with pytest.raises(DataError, match="j: line 3 is damaged.*--overwrite"):
        Journal(tmp_path / "j")


def test_the_signature_follows_the_file(tmp_path):
    path = tmp_path / "a"
    assert signature(path) is None
    path.write_bytes(b"12")
    os.utime(path, ns=(0, 5))
    assert signature(path) == [2, 5, True]
    path.write_bytes(b"123")
    assert signature(path) != [2, 5, True]
    assert signature(path / "below a file") is None
