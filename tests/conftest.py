"""What all tests share: the same run every time, and optional data that is skipped where it is missing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

# Set before torch is imported: the tests' networks are tiny, so that threads cost more than they bring.
os.environ.setdefault("OMP_NUM_THREADS", "1")

settings.register_profile("same-every-time", derandomize=True, deadline=None, database=None)
settings.load_profile("same-every-time")

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository's top folder."""
    return ROOT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data sets; a test that needs it is skipped where there is none."""
    folder = Path(os.environ.get("BOTTOMUP_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no data at {folder}; set BOTTOMUP_DATA to the folder that holds the data sets")
    return folder
