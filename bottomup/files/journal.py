"""What a folder run has done: one line a finished input, so that a killed run can go on."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bottomup.errors import DataError

Record = dict[str, Any]
Signature = list[Any] | None


def signature(path: Path) -> Signature:
    """What tells that an input changed: bytes, time of change, whether it may be read; None if absent."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    return [status.st_size, status.st_mtime_ns, os.access(path, os.R_OK)]


@dataclass(frozen=True)
class _Line:
    offset: int
    signature: Signature


class Journal:
    """An append-only file of JSON lines {name, signature, record, entries}; the last line of a name counts.

    A half-written last line, which a killed run leaves, is cut off on opening. Only the places of the
    lines are held in memory. Raises DataError that names file and line of any other damage.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._file = open(self.path, "a+b")  # noqa: SIM115 - open as long as the journal is
        self._lines: dict[str, _Line] = {}
        self._index()

    def _index(self) -> None:
        self._file.seek(0)
        offset = 0
        for number, raw in enumerate(self._file, 1):
            if not raw.endswith(b"\n"):
                self._file.truncate(offset)
                break
            try:
                line = json.loads(raw)
                self._lines[line["name"]] = _Line(offset, line["signature"])
            except (ValueError, KeyError, TypeError) as error:
                self._file.close()
                raise DataError(f"{self.path}: line {number} is damaged ({error}); use --overwrite") from error
            offset += len(raw)

    def holds(self, name: str, signature: Signature) -> bool:
        """Whether the input of this name is done, in the state that the signature describes."""
        return name in self._lines and self._lines[name].signature == signature

    def signatures(self) -> dict[str, Signature]:
        """Of every input that is done, by name."""
        return {name: line.signature for name, line in self._lines.items()}

    def append(self, name: str, signature: Signature, record: Record, entries: list[Record]) -> None:
        """Notes a finished input: its record and its results entries."""
        line = {"name": name, "signature": signature, "record": record, "entries": entries}
        offset = self._file.seek(0, os.SEEK_END)
        self._file.write(json.dumps(line).encode() + b"\n")
        self._file.flush()
        self._lines[name] = _Line(offset, signature)

    def read(self, name: str) -> tuple[Record, list[Record]]:
        """Record and results entries of a finished input."""
        self._file.seek(self._lines[name].offset)
        line = json.loads(self._file.readline())
        return line["record"], line["entries"]

    def close(self) -> None:
        """Closes the file."""
        self._file.close()
