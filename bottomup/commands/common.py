"""What every command shares: exit codes and how it speaks."""

from __future__ import annotations

import sys
from typing import Any

FINE, NOTHING_DONE, SOME_FAILED, INTERRUPTED, TERMINATED = 0, 2, 3, 130, 143

Commands = Any  # argparse keeps the type of its subparsers to itself


def say(text: str) -> None:
    """A line for the user, beside what the command prints as its answer."""
    print(text, file=sys.stderr, flush=True)
