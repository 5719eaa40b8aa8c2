"""Snapshots: what was saved comes back; a kill or a broken file costs at most the newest one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from bottomup.errors import DataError
from bottomup.training.checkpoint import BEFORE, LAST, load_snapshot, save_snapshot


def state(step: int) -> dict:
    """A snapshot as training writes it: numbers, text, a network's tensors and an optimiser's state."""
    torch.manual_seed(step)
    network = torch.nn.Linear(3, 2)
    optimiser = torch.optim.AdamW(network.parameters(), lr=0.1)
    network(torch.randn(4, 3)).sum().backward()
    optimiser.step()
    return {"step": step, "settings": "{}", "network": network.state_dict(), "optimiser": optimiser.state_dict()}


def test_what_was_saved_comes_back_to_the_bit(tmp_path):
    saved = state(1)
    save_snapshot(tmp_path / "new" / "folder", saved)
    loaded = load_snapshot(tmp_path / "new" / "folder")
    assert loaded["step"] == 1 and loaded["settings"] == "{}"
    assert all(torch.equal(loaded["network"][name], tensor) for name, tensor in saved["network"].items())
    moments, again = saved["optimiser"]["state"][0], loaded["optimiser"]["state"][0]
    assert all(torch.equal(moments[name], again[name]) for name in moments)


def test_the_newest_counts_and_the_one_before_is_kept(tmp_path):
    for step in range(3):
        save_snapshot(tmp_path, state(step))
    assert load_snapshot(tmp_path)["step"] == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted((LAST, BEFORE))
    (tmp_path / LAST).unlink()
    assert load_snapshot(tmp_path)["step"] == 1


def test_a_new_folder_holds_no_snapshot(tmp_path):
    assert load_snapshot(tmp_path) is None and load_snapshot(tmp_path / "nowhere") is None


class Killed(Exception):
    """The moment at which a run is killed."""


@pytest.mark.parametrize("place", ["torch.save", "os.fsync", "first os.replace", "second os.replace"])
def test_a_kill_while_saving_leaves_a_complete_snapshot(tmp_path, monkeypatch, place):
    for step in (1, 2):
        save_snapshot(tmp_path, state(step))
    calls = []

    def replace_or_die(source: Path, target: Path, replace=os.replace) -> None:
        calls.append(target)
        if len(calls) == ("first os.replace", "second os.replace").index(place) + 1:
            raise Killed
        replace(source, target)

    def die(*_: object) -> None:
        raise Killed

    def half(_: dict, file) -> None:
        file.write(b"PK half a snapshot")
        raise Killed

    if place == "torch.save":
        monkeypatch.setattr(torch, "save", half)
    elif place == "os.fsync":
        monkeypatch.setattr(os, "fsync", die)
    else:
        monkeypatch.setattr(os, "replace", replace_or_die)
    with pytest.raises(Killed):
        save_snapshot(tmp_path, state(3))
    monkeypatch.undo()
    assert load_snapshot(tmp_path)["step"] == 2
    save_snapshot(tmp_path, state(4))
    assert load_snapshot(tmp_path)["step"] == 4


def damaged(path: Path, kind: str) -> None:
    whole = path.read_bytes()
    kinds = {"empty": b"", "text": b"no snapshot", "zeros": bytes(len(whole)), "cut": whole[: len(whole) // 2]}
    if kind == "foreign":
        torch.save({"step": 1, "network": Killed}, path)
    else:
        path.write_bytes(kinds[kind])


@pytest.mark.parametrize("kind", ["empty", "text", "zeros", "cut", "foreign"])
def test_a_broken_snapshot_gives_way_to_the_one_before(tmp_path, kind):
    for step in (1, 2):
        save_snapshot(tmp_path, state(step))
    damaged(tmp_path / LAST, kind)
    assert load_snapshot(tmp_path)["step"] == 1
    damaged(tmp_path / BEFORE, kind)
    with pytest.raises(DataError) as error:
        load_snapshot(tmp_path)
    assert str(tmp_path / LAST) in str(error.value) and str(tmp_path / BEFORE) in str(error.value)
