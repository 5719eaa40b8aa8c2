"""Lists, tar shards and Parquet files: every picture in them has a name and its bytes."""

import io
import tarfile

import pytest

from bottomup.errors import DataError
from bottomup.files.bundles import bundled_pictures, bundles, content_signature, listed, parquet_columns, tar_members


def write_tar(path, members):
    with tarfile.open(path, "w") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def test_a_list_stands_for_its_lines_beside_it(tmp_path):
    (tmp_path / "list.txt").write_text("a.jpg\n\n  sub/b.png \n", encoding="utf-8")
    found = listed(["c.jpg", tmp_path / "list.txt"])
    assert found == ["c.jpg", tmp_path / "a.jpg", tmp_path / "sub" / "b.png"]
    (tmp_path / "list.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="list.txt: not a list"):
        listed([tmp_path / "list.txt"])


def test_shards_are_found_in_folders_and_by_name(tmp_path):
    (tmp_path / "sub").mkdir()
    for name in ("b.tar", "sub/a.tar", "sub/t.parquet", "p.jpg"):
        (tmp_path / name).write_bytes(b"")
    assert [file.name for file in bundles([tmp_path])] == ["b.tar", "sub/a.tar", "sub/t.parquet"]
    assert [file.name for file in bundles([tmp_path / "b.tar"])] == ["b.tar"]
    assert bundles([tmp_path / "p.jpg"]) == bundles([]) == []


def test_pictures_come_out_of_a_tar_under_its_name(tmp_path):
    path = write_tar(tmp_path / "s.tar", {"d/1.jpg": b"one", "d/1.json": b"{}", "d/2.webp": b"two"})
    assert list(tar_members(path, "x/s.tar")) == [("x/s.tar/d/1.jpg", b"one"), ("x/s.tar/d/2.webp", b"two")]


def test_a_broken_tar_is_named(tmp_path):
    path = write_tar(tmp_path / "s.tar", {"1.jpg": b"x" * 5000, "2.jpg": b"y" * 5000})
    path.write_bytes(path.read_bytes()[:7000])
    with pytest.raises(DataError, match=r"s\.tar: broken or incomplete"):
        list(tar_members(path, "s.tar"))


def test_parquet_columns_are_known_by_name(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    parquet.write_table(pyarrow.table({"id": [1], "jpg": [b"x"], "text": ["t"]}), tmp_path / "a.parquet")
    assert parquet_columns(tmp_path / "a.parquet") == ("id", "jpg")
    parquet.write_table(pyarrow.table({"text": ["t"]}), tmp_path / "b.parquet")
    with pytest.raises(DataError, match=r"b\.parquet: has columns text; name them"):
        parquet_columns(tmp_path / "b.parquet")
    (tmp_path / "c.parquet").write_bytes(b"PAR1 not")
    with pytest.raises(DataError, match=r"c\.parquet: not a Parquet file"):
        parquet_columns(tmp_path / "c.parquet")


@pytest.mark.parametrize("values", [[b"x", None], [{"bytes": b"x", "path": "p"}, {"bytes": None, "path": "q"}]])
def test_rows_of_a_table_give_names_and_bytes(tmp_path, values):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    path = tmp_path / "a.parquet"
    parquet.write_table(pyarrow.table({"id": [7, 8], "image": values}), path)
    assert list(bundled_pictures(path, "a.parquet")) == [("7", b"x"), ("8", b"")]


def test_signatures_tell_contents_apart():
    assert content_signature(b"one") == content_signature(b"one") != content_signature(b"two")
