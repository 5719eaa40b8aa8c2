import os
import subprocess
import sys

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
