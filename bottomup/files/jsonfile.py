"""JSON files, gzipped or not, read with errors that name them."""

from __future__ import annotations

import gzip
import json
import zlib
from pathlib import Path
from typing import Any

from bottomup.errors import DataError


def load_json(path: str | Path) -> Any:
    """The content of a JSON file, gzipped or not; raises DataError that names the file."""
    path = Path(path)
    try:
        with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else open(path, encoding="utf-8") as file:
            return json.load(file)
    except (EOFError, zlib.error) as error:
        raise DataError(f"{path}: damaged gzip file ({error}); fetch it again") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error}); check the path") from error
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise DataError(f"{path}: not valid JSON ({error}); fetch it again") from error
