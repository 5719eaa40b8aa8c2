"""Settings of a road as the header of a weights file holds them."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, TypeVar

from bottomup.errors import SettingsError

Settings = TypeVar("Settings")


def of_known_keys(kind: type[Settings], values: Mapping[str, Any], source: str) -> Settings:
    """Settings (a dataclass) out of a dictionary; raises SettingsError that names source, key and the nearest key."""
    known = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    for key in values:
        if key not in known:
            near = difflib.get_close_matches(key, known, 1, 0)
            raise SettingsError(f"{source}: unknown key {key!r}; did you mean {near[0]!r}?")
    try:
        return kind(**values)
    except (TypeError, ValueError) as error:
        raise SettingsError(f"{source}: {error}") from error
