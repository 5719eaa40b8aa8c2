"""One row a picture, the same in JSON lines and in Parquet."""

import json

import pytest

from bottomup.errors import SettingsError
from bottomup.files import rows
from bottomup.files.rows import write_rows

PERSON = {"category_id": 1, "keypoints": [1.5, 2.0, 0.5], "score": 0.25}
ROWS = [
    {"image_id": 3, "file_name": "a.jpg", "status": "ok", "error": None, "width": 4, "height": 5, "people": 1,
     "instances": [PERSON]},
    {"image_id": 4, "file_name": "b.jpg", "status": "error", "error": "b.jpg: broken", "width": None, "height": None,
     "people": 0, "instances": []},
]  # fmt: skip


def test_lines_hold_the_rows(tmp_path):
    path = write_rows(iter(ROWS), tmp_path, "jsonl")
    assert [json.loads(line) for line in path.read_text().splitlines()] == ROWS


def test_parquet_holds_the_rows_in_groups(tmp_path, monkeypatch):
    parquet = pytest.importorskip("pyarrow.parquet")
    monkeypatch.setattr(rows, "GROUP", 2)
    path = write_rows(iter(ROWS + ROWS[:1]), tmp_path, "parquet")
    assert parquet.ParquetFile(path).num_row_groups == 2
    found = parquet.read_table(path).to_pylist()
    assert [row["image_id"] for row in found] == [3, 4, 3]
    assert found[0]["instances"] == [PERSON | {"bbox": None}] and found[1]["instances"] == []
    assert found[1]["error"] == "b.jpg: broken" and found[1]["width"] is None


def test_no_rows_are_a_file_too(tmp_path):
    assert write_rows(iter([]), tmp_path, "jsonl").read_bytes() == b""
    parquet = pytest.importorskip("pyarrow.parquet")
    assert parquet.read_table(write_rows(iter([]), tmp_path, "parquet")).num_rows == 0


def test_another_kind_is_an_error(tmp_path):
    with pytest.raises(SettingsError, match="csv"):
        write_rows(iter([]), tmp_path, "csv")
