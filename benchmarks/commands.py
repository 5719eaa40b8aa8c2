"""What benchmarks share: running commands of the package."""

from __future__ import annotations

from pathlib import Path


def run(*arguments: str) -> None:
    """Runs a command of the package in this process; ends the process with its exit code if it fails."""
    from bottomup.cli import main

    code = main(list(arguments))
    if code:
        raise SystemExit(code)


def merge(out: Path, sets: dict[str, Path], *options: str) -> Path:
    """The sets, by name, merged into COCO-17 in the folder `out`, where they are not yet: path of the labels."""
    path = out / "merged.json"
    if not path.exists():
        named = [text for name, labels in sets.items() for text in ("--set", f"{name}={labels}")]
        run("merge", "--layout", "coco17", "--out", str(out), *named, *options)
    return path
