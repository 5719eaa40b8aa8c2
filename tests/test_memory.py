"""Freed memory is kept for the next allocation: no page is faulted in twice, and the process does not grow."""

import subprocess
import sys

import pytest

from bottomup.commands import memory

SCRIPT = """
import resource, sys
from bottomup.commands.memory import keep_freed_memory
import torch
if sys.argv[1] == "keep":
    assert keep_freed_memory()
def use():
    return torch.ones(10_000_000).add(1).sum().item()  # two blocks of 40 MB: more than glibc keeps by itself
for _ in range(10):  # the heap finds its shape
    use()
before = resource.getrusage(resource.RUSAGE_SELF)
for _ in range(20):
    use()
after = resource.getrusage(resource.RUSAGE_SELF)
print(after.ru_minflt - before.ru_minflt, after.ru_maxrss - before.ru_maxrss)
"""


def measured(how):
    command = [sys.executable, "-c", SCRIPT, how]
    faults, growth = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return int(faults), int(growth)


@pytest.mark.skipif(memory.platform.libc_ver()[0] != "glibc", reason="mallopt is glibc's")
def test_pages_of_freed_memory_are_used_again_and_memory_stays_flat():
    faults, growth = measured("keep")
    assert faults * 10 < measured("plain")[0] and growth < 64 * 1024  # kB


def test_elsewhere_nothing_is_done(monkeypatch):
    monkeypatch.setattr(memory.platform, "libc_ver", lambda: ("", ""))
    monkeypatch.setattr(memory.ctypes, "CDLL", None)  # it is not called
    assert memory.keep_freed_memory() is False
