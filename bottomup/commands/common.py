"""What every command shares: exit codes and how it speaks."""

from __future__ import annotations

import sys
from collections import Counter
from typing import Any

FINE, NOTHING_DONE, SOME_FAILED, INTERRUPTED, TERMINATED = 0, 2, 3, 130, 143

Commands = Any  # argparse keeps the type of its subparsers to itself


def say(text: str) -> None:
    """A line for the user, beside what the command prints as its answer."""
    print(text, file=sys.stderr, flush=True)


def sum_up(counts: Counter[str], what: str, found: str, out: str) -> int:
    """Says how a run ended, from its counts of ok, empty and error; the exit code. what: was run. found: in them."""
    done = counts["ok"] + counts["empty"]
    say(f"{done} {what} done: {found}, nobody in {counts['empty']}; {counts['error']} failed; results in {out}")
    if not counts["error"]:
        return FINE
    return SOME_FAILED if done else NOTHING_DONE
