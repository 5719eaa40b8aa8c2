"""`bottomup warmup`: the grouping kernels compiled ahead."""

from __future__ import annotations

import argparse

from bottomup.commands.common import FINE, Commands, say


def add(commands: Commands) -> None:
    """Adds the command to the command line."""
    parser = commands.add_parser(
        "warmup",
        help="compile the grouping kernels ahead",
        description="Compiles the grouping kernels now and keeps them, so that the first picture does not wait.",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Runs it; the exit code."""
    from bottomup.grouping.warmup import warm_up

    folder = warm_up()
    say("compiled; no folder can keep the kernels, set NUMBA_CACHE_DIR" if folder is None else f"kernels in {folder}")
    return FINE
