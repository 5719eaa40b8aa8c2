"""Typed settings: YAML plus `key=value` overrides into frozen dataclasses, checked whole."""

from __future__ import annotations

import dataclasses
import difflib
import re
import types
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar, Union

import yaml

from bottomup.errors import SettingsError

T = TypeVar("T")
_WRONG = object()  # stands for a value whose problem has been noted


class _Loader(yaml.SafeLoader):
    """YAML whose numbers may be written 1e-3, and where a key given twice is an error."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"key {key.value!r} is given twice", key.start_mark)
            seen.add(str(key.value))
        return super().construct_mapping(node, deep)


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+$"), list("-+0123456789")
)


def load_settings(cls: type[T], path: str | Path | None = None, overrides: Sequence[str] = ()) -> T:
    """Settings of dataclass `cls` out of a YAML file (or its defaults alone) and `dotted.key=value` overrides.

    Raises SettingsError that lists every problem: unknown keys with the nearest known one, missing
    keys, wrong types with value and expected type; each with its file or override.
    """
    raw = {} if path is None else _read_yaml(Path(path))
    origins = {}
    for override in overrides:
        origins[_apply_override(raw, override)] = f"override {override!r}"
    builder = _Builder(str(path) if path is not None else "settings", origins)
    settings = builder.build(cls, raw, "")
    if builder.problems:
        raise SettingsError("; ".join(builder.problems))
    return settings


def to_dict(settings: Any) -> dict[str, Any]:
    """The settings as plain dicts, lists, numbers and strings, ready for YAML or JSON."""
    return {field.name: _plain(getattr(settings, field.name)) for field in dataclasses.fields(settings)}


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return to_dict(value)
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        raw = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)  # a SafeLoader: builds plain values only
    except FileNotFoundError as error:
        raise SettingsError(f"settings file {path} does not exist") from error
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"settings file {path} cannot be read: {error}") from error
    except yaml.YAMLError as error:
        raise SettingsError(f"settings file {path} is not valid YAML: {' '.join(str(error).split())}") from error
    if raw is not None and not isinstance(raw, dict):
        raise SettingsError(f"settings file {path} must hold `key: value` lines, not a {type(raw).__name__}")
    return raw or {}


def _apply_override(raw: dict[str, Any], override: str) -> str:
    """Puts one `dotted.key=value` into the raw settings and returns its key; a number steps into a list."""
    key, equals, text = override.partition("=")
    steps = key.strip().split(".")
    if not equals or not all(steps):
        raise SettingsError(f"override {override!r} is not of the form key=value")
    try:
        value = yaml.load(text, Loader=_Loader)
    except yaml.YAMLError as error:
        raise SettingsError(f"override {override!r}: the value is not valid YAML") from error
    place: Any = raw
    for number, step in enumerate(steps):
        index = _index(place, step, override)
        if number == len(steps) - 1:
            place[index] = value
        else:
            if isinstance(place, dict) and place.get(index) is None:
                place[index] = {}
            place = place[index]
    return key.strip()


def _index(place: Any, step: str, override: str) -> str | int:
    if isinstance(place, dict):
        return step
    if isinstance(place, list) and step.isdigit() and int(step) < len(place):
        return int(step)
    holds = f"a list of {len(place)}" if isinstance(place, list) else f"the value {place!r}"
    raise SettingsError(f"override {override!r}: there is no {step!r} in {holds}")


class _Builder:
    """Builds typed values out of raw ones and notes every problem with its origin."""

    def __init__(self, source: str, origins: Mapping[str, str]) -> None:
        self.source, self.origins = source, origins
        self.problems: list[str] = []

    def note(self, path: str, problem: str) -> Any:
        """Notes a problem of the setting at this dotted path."""
        set_by = [where for key, where in self.origins.items() if _inside(path, key)]
        touched_by = [where for key, where in self.origins.items() if _inside(key, path)]
        where = set_by[-1] if set_by else ", ".join([self.source, *touched_by])
        self.problems.append(f"{where}: {problem}")
        return _WRONG

    def build(self, kind: Any, value: Any, path: str) -> Any:
        """The raw value as this type; checks go on after a problem."""
        if dataclasses.is_dataclass(kind):
            return self._dataclass(kind, value, path)
        origin, arguments = typing.get_origin(kind), typing.get_args(kind)
        if origin in (Union, types.UnionType):
            return self._union(arguments, value, path)
        if origin is Literal:
            return value if value in arguments else self._mistyped(value, kind, path)
        if origin in (list, tuple, Sequence):
            return self._sequence(kind, value, path)
        if origin in (dict, Mapping):
            return self._mapping(kind, value, path)
        return self._scalar(kind, value, path)

    def _dataclass(self, cls: Any, raw: Any, path: str) -> Any:
        if not isinstance(raw, dict):
            return self._mistyped(raw, cls, path)
        hints = typing.get_type_hints(cls)
        fields = {field.name: field for field in dataclasses.fields(cls) if field.init}
        values = {}
        for key, value in raw.items():
            if key in fields:
                values[key] = self.build(hints[key], value, _join(path, key))
            else:
                self._unknown(key, list(fields), path)
        missing = [name for name, field in fields.items() if name not in raw and _required(field)]
        for name in missing:
            self.note(_join(path, name), f"{_join(path, name)} is missing")
        if missing or any(value is _WRONG for value in values.values()):
            return _WRONG
        try:
            return cls(**values)
        except ValueError as error:
            return self.note(path, f"{path}: {error}" if path else str(error))

    def _unknown(self, key: Any, known: list[str], path: str) -> None:
        nearest = difflib.get_close_matches(str(key), known, n=1, cutoff=0)
        hint = f"did you mean {_join(path, nearest[0])}?" if nearest else "it takes no keys"
        self.note(_join(path, key), f"unknown key {_join(path, key)}; {hint}")

    def _union(self, kinds: tuple[Any, ...], value: Any, path: str) -> Any:
        if value is None and type(None) in kinds:
            return None
        given = [kind for kind in kinds if kind is not type(None)]
        if len(given) == 1:
            return self.build(given[0], value, path)
        for kind in given:
            trial = _Builder(self.source, self.origins)
            built = trial.build(kind, value, path)
            if not trial.problems:
                return built
        return self._mistyped(value, Union[kinds], path)  # noqa: UP007 - the types are known at run time only

    def _sequence(self, kind: Any, value: Any, path: str) -> Any:
        if not isinstance(value, (list, tuple)):
            return self._mistyped(value, kind, path)
        origin, arguments = typing.get_origin(kind), typing.get_args(kind)
        fixed = origin is tuple and Ellipsis not in arguments
        if fixed and len(value) != len(arguments):
            return self._mistyped(value, kind, path)
        kinds = arguments if fixed else arguments[:1] * len(value)
        items = [self.build(kinds[i], item, f"{path}.{i}") for i, item in enumerate(value)]
        if any(item is _WRONG for item in items):
            return _WRONG
        return items if origin is list else tuple(items)

    def _mapping(self, kind: Any, value: Any, path: str) -> Any:
        if not isinstance(value, dict):
            return self._mistyped(value, kind, path)
        key_kind, item_kind = typing.get_args(kind)
        keys = [self.build(key_kind, key, path) for key in value]
        items = [self.build(item_kind, item, _join(path, key)) for key, item in value.items()]
        return _WRONG if any(v is _WRONG for v in keys + items) else dict(zip(keys, items, strict=True))

    def _scalar(self, kind: Any, value: Any, path: str) -> Any:
        if kind is Any:
            return value
        if kind is float and type(value) in (int, float):
            return float(value)
        if kind is Path and isinstance(value, str):
            return Path(value)
        return value if type(value) is kind else self._mistyped(value, kind, path)

    def _mistyped(self, value: Any, kind: Any, path: str) -> Any:
        what = f"{path} is" if path else "settings are"
        return self.note(path, f"{what} {value!r} ({type(value).__name__}), expected {_type_name(kind)}")


def _required(field: dataclasses.Field[Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _inside(path: str, outer: str) -> bool:
    return f"{path}.".startswith(f"{outer}.")


def _join(path: str, key: Any) -> str:
    return f"{path}.{key}" if path else str(key)


def _type_name(kind: Any) -> str:
    if typing.get_origin(kind) is Literal:
        return "one of " + ", ".join(repr(choice) for choice in typing.get_args(kind))
    if typing.get_origin(kind) in (Union, types.UnionType):
        return " or ".join("nothing" if part is type(None) else _type_name(part) for part in typing.get_args(kind))
    if dataclasses.is_dataclass(kind):
        return "keys " + ", ".join(field.name for field in dataclasses.fields(kind))
    if typing.get_origin(kind) is not None:
        return str(kind).replace("typing.", "")
    return {"Path": "a path", "int": "a whole number", "float": "a number", "str": "text", "bool": "true or false"}.get(
        kind.__name__, kind.__name__
    )
