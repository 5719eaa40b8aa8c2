"""The command line. Nothing slow is imported before a command runs."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from importlib import import_module

from bottomup import __version__
from bottomup.commands.common import INTERRUPTED, NOTHING_DONE, say
from bottomup.errors import DataError, InputError, SettingsError

COMMANDS = (
    "infer",
    "evaluate",
    "train",
    "convert",
    "export",
    "merge",
    "annotate",
    "compare",
    "models",
    "warmup",
)  # each a file of bottomup/commands


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; the exit code. Errors of the library become one line on stderr and code 2."""
    options = _parser().parse_args(arguments)
    run: Callable[[argparse.Namespace], int] = options.run
    try:
        return run(options)
    except (SettingsError, DataError, InputError, OSError) as error:
        say(f"error: {' '.join(str(error).splitlines())}")
        return NOTHING_DONE
    except KeyboardInterrupt:
        say("interrupted")
        return INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bottomup", description="Bottom-up multi-person pose estimation.")
    parser.add_argument("--version", action="version", version=f"bottomup {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name in COMMANDS:
        import_module(f"bottomup.commands.{name}").add(commands)
    return parser
