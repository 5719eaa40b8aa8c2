import gc
import logging
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numba.core.compiler import Flags
from numba.core.errors import TypingError
from numba.core.types.functions import BaseFunction

from bottomup.grouping import compile as kernels
from bottomup.grouping import parts
from bottomup.grouping.doubles import without_doubles


def test_the_key_changes_with_any_source(tmp_path):
    (tmp_path / "one.py").write_text("A = 1\n")
    (tmp_path / "two.py").write_text("B = 1\n")
    before = kernels.source_key(tmp_path)
    assert before == kernels.source_key(tmp_path)
    (tmp_path / "two.py").write_text("B = 2\n")
    changed = kernels.source_key(tmp_path)
    (tmp_path / "two.py").rename(tmp_path / "three.py")
    assert len({before, changed, kernels.source_key(tmp_path)}) == 3


def test_a_folder_that_cannot_be_written_is_passed_over(tmp_path):
    (tmp_path / "file").write_text("")
    bad, good = tmp_path / "file" / "below", tmp_path / "good"
    assert kernels.writable_folder([bad, good]) == good and good.is_dir()
    assert kernels.writable_folder([bad]) is None


def test_kernels_are_kept_under_the_key_and_the_setting_is_put_back():
    before = kernels.config.CACHE_DIR

    def twice(x: float) -> float:
        return x + x

    assert kernels.jit(twice)(1.5) == 3.0
    assert before == kernels.config.CACHE_DIR
    folder = kernels.cache_folder()
    assert folder is None or kernels.source_key() in folder.name


def test_without_any_folder_kernels_still_run(monkeypatch):
    monkeypatch.setattr(kernels, "cache_folder", lambda: None)

    def total(values: np.ndarray) -> float:
        return values.sum()

    assert kernels.jit(total)(np.arange(4.0)) == 6
    assert kernels.callable_part(kernels.jit_reordering(total))(np.arange(4.0)) == 6


def twice(x: float) -> float:
    return x + x


def with_a_part(part):
    """A kernel that calls it."""
    return kernels.jit(lambda x: part(part(x)))


def test_a_part_runs_in_kernels_alone():
    part = kernels.jit_part(twice)
    for _ in range(2):  # before and after it is compiled
        with pytest.raises(TypeError, match="twice is a part of kernels.*callable_part"):
            part(1.5)
        assert with_a_part(part)(1.5) == 6.0
    assert kernels.callable_part(part)(1.5) == 3.0


@pytest.mark.parametrize("unknown", [{"SERIES": ("0.1",)}, {"USED": ("_no_such_name",)}, None])
def test_with_another_numba_parts_are_functions_like_all_others(unknown, monkeypatch):
    if unknown is None:  # names that this package imports are missing
        monkeypatch.setattr(kernels, "parts", None)
    for name, value in (unknown or {}).items():
        monkeypatch.setattr(parts, name, value)
    assert not kernels.known_inside()
    for decorate in (kernels.jit_part, kernels.jit_inside, kernels.jit_reordering):
        part = decorate(twice)
        assert part(1.5) == kernels.callable_part(part)(1.5) == 3.0 and with_a_part(part)(1.5) == 6.0


def test_the_version_of_numba_is_told_by_its_series():
    series = parts.SERIES[0]
    assert parts.is_known(f"{series}.0") and parts.is_known(f"{series}.1rc1")
    assert not any(map(parts.is_known, (f"{series}9.0", f"1{series}.0", "0.1.0", "")))
    assert not parts.is_known(f"{series}.0", object)


def some_options():
    for names in ((), ("nrt",), ("nrt", "debuginfo"), ("debuginfo", "nrt"), ("no_cpython_wrapper",)):
        options = Flags()
        for name in names:
            setattr(options, name, True)
        yield options
    usual = Flags()
    usual.nrt = Flags.options["nrt"].default  # set, but to what it is unset
    yield usual


def test_quick_answers_about_compiler_options_are_those_of_numba():
    made = list(some_options())

    def answers():
        return [one == other for one in made for other in made] + [hash(one) for one in made] + [made[0] == "nrt"]

    usual = answers()
    with parts.quick_answers():
        assert answers() == usual
        assert type(made[0]).__eq__ is parts.same_options
    assert type(made[0]).__eq__ is parts.SAME and type(made[0]).__hash__ is parts.HASH
    assert BaseFunction.get_call_type is parts.CALL
    assert len(set(usual[: len(made) ** 2])) == 2


def test_signatures_are_remembered_for_each_kind_of_arguments():
    """Sums of whole numbers, of fractions, of both, and out of an array; what cannot be is still refused."""

    def sums(i, x, v):
        return i + i, x + x, i + x, x + i, i + i + i, (x + i) + (x + x), v[0] + i

    assert kernels._compiled(sums)(2, 0.5, np.ones(1)) == sums(2, 0.5, np.ones(1))
    with parts.quick_answers():
        found = kernels._compiled(sums)(2, 0.5, np.ones(1))
        for _ in range(2):
            with pytest.raises(TypingError):
                kernels._compiled(lambda x, v: x + v)(1.0, ())
    assert found == sums(2, 0.5, np.ones(1)) and [type(one) for one in found[:4]] == [int, float, float, float]


@pytest.mark.parametrize("collects", [True, False])
def test_compiling_leaves_the_collector_as_it_was_even_where_it_fails(collects):
    kernel, before = kernels.jit(lambda x: x + no_such_name), gc.isenabled()  # noqa: F821
    try:
        (gc.enable if collects else gc.disable)()
        with pytest.raises(TypingError):
            kernel(1.0)
        assert kernels.jit(twice)(1.0) == 2.0
        assert gc.isenabled() == collects
    finally:
        (gc.enable if before else gc.disable)()


def test_with_another_numba_kernels_give_the_same(root, tmp_path):
    rng = np.random.default_rng(0)
    spot, start, tag = rng.uniform(0, 20, (3, 60)), np.array([0, 30, 60]), rng.normal(0, 1, (60, 2))
    np.savez(tmp_path / "peaks.npz", spot=spot, start=start, tag=tag)
    code = (
        "import numpy as np, sys\n"
        "from bottomup.grouping import parts\n"
        "parts.SERIES = ()\n"
        "from bottomup.grouping.doubles import without_doubles\n"
        f"known = np.load({str(tmp_path / 'peaks.npz')!r})\n"
        f"np.savez({str(tmp_path / 'kept.npz')!r}, *without_doubles(**known, reach=9.0, limit=0.5))\n"
    )
    environment = dict(os.environ) | {"NUMBA_CACHE_DIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", code], cwd=root, env=environment, check=True)
    other, ours = np.load(tmp_path / "kept.npz"), without_doubles(spot, start, tag, 9.0, 0.5)
    assert 0 < ours[0].shape[1] < 60
    for name, own in zip(other.files, ours, strict=True):
        np.testing.assert_array_equal(other[name], own)


def test_importing_the_package_does_not_import_numba(root):
    code = "import sys, bottomup.grouping; sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=root, env=dict(os.environ)).returncode == 0


def test_folders_of_older_sources_go_after_a_day(tmp_path):
    now, old, recent, other = (tmp_path / name for name in ("bottomup-a", "bottomup-b", "bottomup-c", "else"))
    for folder in (now, old, recent, other):
        folder.mkdir()
        (folder / "kernel.nbi").write_bytes(b"")
    yesterday = time.time() - 1.1 * kernels.STALE
    for folder in (now, old, other):
        os.utime(folder, (yesterday, yesterday))
    kernels.remove_stale(now)
    assert now.is_dir() and recent.is_dir() and other.is_dir() and not old.exists()


def test_a_user_is_told_once_that_kernels_are_compiled(tmp_path, monkeypatch, caplog):
    kernels._told.cache_clear()
    monkeypatch.setattr(kernels, "cache_folder", lambda: tmp_path)
    monkeypatch.setattr(kernels.LOG, "disabled", False)  # as import-linter leaves all loggers, if it ran before
    with caplog.at_level(logging.WARNING, "bottomup"), ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: kernels.tell_if_cold(), range(8)))
    assert [record.message for record in caplog.records if "compiling" in record.message] == caplog.messages
    assert len(caplog.messages) == 1
    (tmp_path / "deeper").mkdir()
    (tmp_path / "deeper" / "kernel.nbi").write_bytes(b"")
    kernels._told.cache_clear()
    caplog.clear()
    kernels.tell_if_cold()
    assert not caplog.messages


def test_warming_up_leaves_nothing_to_compile(root, tmp_path):
    """A second process that groups in all ways compiles no kernel of ours."""
    code = (
        "import numba.core.event as event\n"
        "with event.install_recorder('numba:compile') as seen:\n"
        "    from bottomup.grouping.warmup import warm_up\n"
        "    print(warm_up())\n"
        "print(sum('bottomup' in n.py_func.__module__ for n in [e.data['dispatcher'] for _, e in seen.buffer "
        "if e.is_start]))\n"
    )
    run = [subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True) for _ in range(2)]
    folder, compiled = run[1].stdout.split()
    assert compiled == "0" and kernels.source_key() in folder, run[1].stderr
