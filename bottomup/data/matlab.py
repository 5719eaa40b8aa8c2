"""Matlab files as plain values: a struct is read by `field`, what may be one thing or many by `items`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from bottomup.errors import DataError


def read_matlab(path: Path) -> dict[str, Any]:
    """The variables of a Matlab file (up to version 7.2); raises DataError that names it."""
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    try:
        return loadmat(path, squeeze_me=True, struct_as_record=False)
    except NotImplementedError as error:
        raise DataError(f"{path}: a Matlab file of version 7.3; save it again with -v7") from error
    except (OSError, ValueError, TypeError, MatReadError) as error:
        raise DataError(f"{path}: not a readable Matlab file ({error}); fetch it again") from error


def field(struct: Any, name: str) -> Any:
    """A field of a struct as a plain value; None where it is absent or empty."""
    value = getattr(struct, name, None)
    if isinstance(value, np.ndarray) and value.size == 0:
        return None
    return value.item() if isinstance(value, np.generic) else value


def items(value: Any) -> list[Any]:
    """The elements of an array, one thing as a list of itself, nothing as an empty list."""
    if value is None:
        return []
    return list(value.reshape(-1)) if isinstance(value, np.ndarray) else [value]
