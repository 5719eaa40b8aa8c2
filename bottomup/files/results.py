"""The files of a folder run: settings.json, journal.jsonl, records.jsonl, results.json, drawn/."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from bottomup.errors import SettingsError
from bottomup.files.atomic import replacing
from bottomup.files.images import ImageFile
from bottomup.files.journal import Journal, Record, Signature, signature
from bottomup.files.rows import write_rows

SETTINGS, JOURNAL, RECORDS, RESULTS, DRAWN = "settings.json", "journal.jsonl", "records.jsonl", "results.json", "drawn"
ROWS = ("rows.jsonl", "rows.parquet")


def image_ids(names: Sequence[str]) -> dict[str, int]:
    """A unique COCO image id for every name.

    1. A file whose whole stem is a number of at most 18 digits has that number; the first of the
       names, if several folders hold the same. 2. Any other has its index among the names, if no
       file has that number. 3. The rest count on from the largest id given so far.
    """
    owners: dict[int, str] = {}
    for name in names:
        stem = PurePosixPath(name).stem
        if stem.isascii() and stem.isdigit() and len(stem) <= 18:
            owners.setdefault(int(stem), name)
    numbered = set(owners.values())
    for index, name in enumerate(names):
        if name not in numbered:
            owners.setdefault(index, name)
    given = set(owners.values())
    following = max(owners, default=-1) + 1
    owners.update(enumerate((name for name in names if name not in given), following))
    return {name: number for number, name in owners.items()}


class Outputs:
    """The folder that a run writes. Opened again with the same settings, it goes on where it ended.

    settings: {"decides": what the results depend on, ...}; only `decides` must agree with an earlier
    run's. overwrite: forget an earlier run. Raises SettingsError if an earlier run had other settings.
    """

    def __init__(self, folder: str | Path, settings: dict[str, Any], *, overwrite: bool = False) -> None:
        self.folder = Path(folder)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SettingsError(f"{folder}: cannot be made a folder ({error.strerror}); name another --out") from error
        if overwrite:
            self._forget()
        self._check(settings["decides"])
        with replacing(self.folder / SETTINGS) as file:
            file.write(json.dumps(settings, indent=2).encode())
        self._journal = Journal(self.folder / JOURNAL)

    def _forget(self) -> None:
        if (self.folder / SETTINGS).exists():  # else this is no folder of a run, and drawn/ not its own
            shutil.rmtree(self.folder / DRAWN, ignore_errors=True)
        for name in (SETTINGS, JOURNAL, RECORDS, RESULTS, *ROWS):
            (self.folder / name).unlink(missing_ok=True)

    def _check(self, decides: dict[str, Any]) -> None:
        earlier, remedy = self.folder / SETTINGS, "name another --out, or use --overwrite"
        if not earlier.exists():
            if foreign := [name for name in (JOURNAL, RECORDS, RESULTS) if (self.folder / name).exists()]:
                raise SettingsError(f"{self.folder / foreign[0]}: not of a run that can go on; {remedy}")
            return
        try:
            before = json.loads(earlier.read_bytes())["decides"]
        except (ValueError, KeyError, TypeError) as error:
            raise SettingsError(f"{earlier}: not the settings of a run; {remedy}") from error
        now = json.loads(json.dumps(decides))
        if before != now:
            changed = sorted(key for key in before.keys() | now.keys() if before.get(key) != now.get(key))
            what = ", ".join(f"{key} was {before.get(key)!r}, is {now.get(key)!r}" for key in changed)
            raise SettingsError(f"{self.folder}: holds a run with other settings ({what}); {remedy}")

    def begin(self, images: Sequence[ImageFile]) -> list[tuple[ImageFile, Signature]]:
        """The pictures that are not done as they are now; records.jsonl then holds those that are."""
        states = [(image, signature(image.path)) for image in images]
        done = [image.name for image, state in states if self._journal.holds(image.name, state)]
        self._write_records(done)
        finished = set(done)
        return [(image, state) for image, state in states if image.name not in finished]

    def holds(self, name: str, state: Signature) -> bool:
        """Whether the picture of this name is finished, in this state."""
        return self._journal.holds(name, state)

    def signatures(self) -> dict[str, Signature]:
        """Of every picture that is finished, by name."""
        return self._journal.signatures()

    def rows(self, names: Sequence[str]) -> Iterator[Record]:
        """One row a picture, in this order: its record without seconds, image_id, and its entries as instances."""
        ids = image_ids(names)
        for name in names:
            record, entries = self._journal.read(name)
            kept = {key: value for key, value in record.items() if key != "seconds"}
            yield {"image_id": ids[name], **kept, "instances": entries}

    def add(self, image: ImageFile, state: Signature, record: Record, entries: list[Record]) -> None:
        """Notes a finished picture."""
        self._journal.append(image.name, state, record, entries)
        with open(self.folder / RECORDS, "ab") as file:
            file.write(json.dumps(record).encode() + b"\n")

    def finish(self, images: Sequence[ImageFile], rows: str | None = None) -> Counter[str]:
        """Writes records.jsonl and results.json in the pictures' order; counts of each status and people.

        rows: "jsonl" or "parquet" to write rows.jsonl or rows.parquet too.
        """
        names = [image.name for image in images]
        ids = image_ids(names)
        counts = self._write_records(names)
        with replacing(self.folder / RESULTS) as file:
            separator = b"["
            for name in names:
                for entry in self._journal.read(name)[1]:
                    entry = {"image_id": ids[name], "file_name": name} | entry
                    file.write(separator + b"\n" + json.dumps(entry).encode())
                    separator = b","
            file.write(b"\n]\n" if separator == b"," else b"[]\n")
        if rows:
            write_rows(self.rows(names), self.folder, rows)
        return counts

    def _write_records(self, names: Sequence[str]) -> Counter[str]:
        counts: Counter[str] = Counter()
        with replacing(self.folder / RECORDS) as file:
            for name in names:
                record, _ = self._journal.read(name)
                counts.update({record["status"]: 1, "people": record["people"]})
                file.write(json.dumps(record).encode() + b"\n")
        return counts

    def drawn(self, name: str) -> Path:
        """Where the drawing of a picture goes: the same place below drawn/, its whole name and .jpg."""
        path = PurePosixPath(name)
        file = os.fsencode(path.name)
        if len(file) > 240:  # file systems take names of 255 bytes
            file = file[:200] + b"~" + hashlib.sha1(file).hexdigest()[:16].encode()
        return self.folder / DRAWN / path.parent / (os.fsdecode(file) + ".jpg")

    def close(self) -> None:
        """Closes the journal."""
        self._journal.close()
