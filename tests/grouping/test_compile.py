import logging
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from bottomup.grouping import compile as kernels


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

    assert kernels.jit_reordering(total)(np.arange(4.0)) == 6


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
