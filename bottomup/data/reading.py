"""A data set out of its folder: which label files are read, and what of the folder is left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bottomup.data.catalogue import DataSetKind
from bottomup.data.labels import Labels, Problems, Raw, WrongFormat, check
from bottomup.data.shards import Finder
from bottomup.errors import DataError

WORDS = {"train": ("train",), "val": ("val", "dev"), "test": ("test",)}  # in names of loose label files


@dataclass
class ReadSet:
    """A data set as it was read: labels of every file, and which files of the folder were left out, and why."""

    kind: DataSetKind
    folder: Path
    parts: list[Labels]
    left_out: dict[str, str] = field(default_factory=dict)
    problems: Problems = field(default_factory=Problems)


def read_set(kind: DataSetKind, folder: str | Path, *, split: str = "train", skip_bad: bool = False) -> ReadSet:
    """The labels of a data set in its folder; a label file may be named in place of the folder.

    split: "train", "val", "test" or "all"; where nothing is of that split, everything is read (it says so in
    `left_out`). A file named outright is read whole. skip_bad: leave broken items out and note them in `problems`.
    Raises DataError that names file, item and remedy.
    """
    folder, problems = Path(folder), Problems(skip_bad)
    if not folder.exists():
        raise DataError(f"{folder}: no such folder or file; name the folder of {kind.name}")
    if folder.is_file():
        raws = {folder: kind.read(folder, kind.skeleton, None)}
        found = ReadSet(kind, folder.parent, [], {}, problems)
    else:
        found = ReadSet(kind, folder, [], {}, problems)
        raws = _released(found, split) or _loose(found, split)
    for path, raw in raws.items():
        finder = Finder(_picture_folders(kind, folder, path))
        found.parts.append(check(path, raw, kind.skeleton, finder, problems))
    return found


def _picture_folders(kind: DataSetKind, folder: Path, labels: Path) -> list[Path]:
    """The set's folder and those between it and the label file; of a file named outright the three above it."""
    above = list(labels.parents)
    tops = [folder, *above[: above.index(folder)][::-1]] if folder in above else above[:3]
    return [top / below for top in tops for below in ("", *kind.pictures)]


# ---------------------------------------------------------------- folders as they are released


def _released(found: ReadSet, split: str) -> dict[Path, Raw]:
    """Label files that lie where the set's are released; nothing if there are none."""
    for layout in found.kind.layouts:
        files = {name: _matches(found.folder, patterns) for name, patterns in layout.items()}
        every = sorted({path for paths in files.values() for path in paths})
        raws = _read_all(found, files.get(split, []), split) or _read_all(found, every, None)
        if not raws and every:
            raise WrongFormat(f"{every[0]}: {found.left_out[str(every[0])]}")
        if raws:
            for path in set(every) - set(raws):
                found.left_out.setdefault(str(path), f"not of the split {split}")
            return raws
    return {}


def _matches(folder: Path, patterns: Sequence[str]) -> list[Path]:
    return sorted({path for pattern in patterns for path in folder.glob(pattern) if path.is_file()})


def _read_all(found: ReadSet, paths: Sequence[Path], split: str | None) -> dict[Path, Raw]:
    """The files that are of the set's formats. Some hold several splits; of those the one asked for is read."""
    raws: dict[Path, Raw] = {}
    for path in paths:
        try:
            raws[path] = found.kind.read(path, found.kind.skeleton, split)
        except WrongFormat as error:
            found.left_out[str(path)] = str(error).removeprefix(f"{path}: ")
        except DataError as error:
            found.problems.add(path, "the file", str(error).removeprefix(f"{path}: "), "fetch it again")
    return raws


# ---------------------------------------------------------------- label files that lie anywhere


def _loose(found: ReadSet, split: str) -> dict[Path, Raw]:
    """Files of the set's formats, wherever in the folder: of the split, and of the fullest format that is there."""
    raws = _read_all(found, _matches(found.folder, found.kind.loose), None)
    if not raws:
        reasons = "".join(f"; {Path(path).name}: {reason}" for path, reason in found.left_out.items())
        patterns = [p for layout in found.kind.layouts for named in layout.values() for p in named]
        looked = ", ".join(dict.fromkeys((*patterns, *found.kind.loose)))
        raise DataError(
            f"{found.folder}: no labels of {found.kind.name} here (looked for {looked}){reasons}; name the set's top "
            "folder or one of its label files"
        )
    of_split = [path for path in raws if split == "all" or _split_of(path) in (split, None)] or list(raws)
    form = min((raws[path].form for path in of_split), key=list(found.kind.forms).index)
    for path, raw in raws.items():
        if path not in of_split:
            found.left_out[str(path)] = f"not of the split {split}"
        elif raw.form != form:
            found.left_out[str(path)] = f"another form ({raw.form}) of the set; the {form} form is read"
    return {path: raw for path, raw in raws.items() if str(path) not in found.left_out}


def _split_of(path: Path) -> str | None:
    """Which split a file's name speaks of, if any."""
    name = path.name.lower()
    return next((split for split, words in WORDS.items() if any(word in name for word in words)), None)
