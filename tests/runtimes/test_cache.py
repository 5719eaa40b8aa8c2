"""Where converted models are kept, and under which names."""

import pytest

from bottomup.errors import SettingsError
from bottomup.runtimes.cache import cache_folder, key_of
from bottomup.runtimes.cores import cores


def test_the_folder_is_the_users_unless_one_is_named(tmp_path, monkeypatch):
    monkeypatch.delenv("BOTTOMUP_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user"))
    assert cache_folder() == tmp_path / "user" / "bottomup" / "models"
    monkeypatch.setenv("BOTTOMUP_CACHE", str(tmp_path / "own"))
    assert cache_folder() == tmp_path / "own" and (tmp_path / "own").is_dir()


def test_a_folder_that_cannot_be_made_is_an_error_with_its_remedy(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("BOTTOMUP_CACHE", str(tmp_path / "file" / "below"))
    with pytest.raises(SettingsError, match="--runtime torch"):
        cache_folder()


def test_the_key_follows_weights_and_wiring(make_small):
    one = key_of(make_small(0), ())
    assert one == key_of(make_small(0), ())
    other = make_small(0)
    other.head.bias[0] += 1e-3
    assert key_of(other, ()) != one
    wider = make_small(0)
    wider.coarse.stride = (4, 4)
    assert key_of(wider, ()) != one


def test_cores_are_those_of_the_process_unless_told(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert cores() == 3
    monkeypatch.setenv("OMP_NUM_THREADS", "")
    assert cores() >= 1
