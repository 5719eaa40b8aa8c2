"""Pictures: finding them, and reading them upright as RGB. A picture is checked before it is decoded."""

from __future__ import annotations

import glob
import os
import stat
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bottomup.errors import InputError

if TYPE_CHECKING:
    from PIL import Image

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF")
SUFFIXES = frozenset((".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".dib", ".tif", ".tiff", ".gif"))
SPARE = 1.5  # how much larger than needed a picture is decoded at least: what is needed is averaged from it
_ORIENTATION = 0x0112  # the EXIF tag


@dataclass(frozen=True)
class Limits:
    """What a picture may hold before it is decoded: bytes of its file, pixels, frames."""

    bytes: int = 256 * 2**20
    pixels: int = 100_000_000
    frames: int = 10_000


@dataclass(frozen=True)
class ImageFile:
    """A picture's path, and its name: relative to the common folder of all inputs, with forward slashes.

    content: the bytes of its file where they are in memory; the path then says where they came from.
    """

    path: Path
    name: str
    content: bytes | None = None


# ---------------------------------------------------------------------------------------- finding


def find_images(inputs: Iterable[str | Path], *, skip: str | Path | None = None) -> list[ImageFile]:
    """The pictures that files, folders (recursive, by suffix) and globs stand for, sorted by name.

    Each is listed once, however often and by whatever path it is named; a folder that links lead to
    twice is entered once. Files named outright are taken whatever their suffix. What does not exist
    or cannot be listed is an entry too: reading it gives the error. skip: a folder to leave out.
    """
    inputs = list(inputs)
    root = common_folder(inputs)
    folders = set() if skip is None else {os.path.realpath(skip)}
    found: dict[tuple[str, str], ImageFile] = {}
    for path in (path for text in inputs for path in _expanded(str(text), folders)):
        entry = (os.path.realpath(path.parent), path.name)
        found.setdefault(entry, ImageFile(path, Path(os.path.relpath(path, root)).as_posix()))
    return sorted(found.values(), key=lambda image: image.name)


def common_folder(inputs: Iterable[str | Path]) -> Path:
    """The deepest folder that holds all inputs: itself for one folder, the parent for one file."""
    tops = [_top(str(text)) for text in inputs]
    return Path(os.path.commonpath(tops)) if tops else Path.cwd()


def _top(text: str) -> str:
    path = os.path.abspath(text)
    if os.path.lexists(path):
        return path if os.path.isdir(path) else os.path.dirname(path)
    while glob.has_magic(path):  # a glob: up to the last folder without wildcards
        path = os.path.dirname(path)
    return path if glob.has_magic(text) else os.path.dirname(path)


def _expanded(text: str, entered: set[str]) -> Iterator[Path]:
    path = Path(os.path.abspath(text))
    if path.is_dir():
        yield from _in_folder(path, entered)
    elif os.path.lexists(path) or not glob.has_magic(text):
        yield path
    else:
        yield from _in_glob(path, entered)


def _in_glob(pattern: Path, entered: set[str]) -> Iterator[Path]:
    matches = [Path(match) for match in sorted(glob.glob(str(pattern), recursive=True))]
    if not matches:
        yield pattern
    for match in matches:
        if match.is_dir():
            yield from _in_folder(match, entered)
        elif match.suffix.lower() in SUFFIXES:
            yield match


def _in_folder(top: Path, entered: set[str]) -> Iterator[Path]:
    unlisted: list[OSError] = []
    for folder, below, files in os.walk(top, onerror=unlisted.append, followlinks=True):
        real = os.path.realpath(folder)
        if real in entered:  # a link that leads back, or the folder named twice
            below.clear()
            continue
        entered.add(real)
        yield from (Path(folder, name) for name in files if Path(name).suffix.lower() in SUFFIXES)
    yield from (Path(os.fsdecode(error.filename)) for error in unlisted)


# ---------------------------------------------------------------------------------------- reading


def read_image(path: str | Path, limits: Limits | None = None) -> np.ndarray:
    """The upright picture, RGB uint8 (H, W, 3): EXIF orientation applied, first frame of several.

    JPEG, PNG, WebP, BMP, TIFF, GIF. 16 bits are scaled to 8, transparent pixels shown on white, grey
    and palette and CMYK turned to RGB. An EXIF block that cannot be parsed counts as upright.
    Raises InputError with file, reason and remedy; a picture that is not complete is an error.
    """
    return read_reduced(path, _whole, limits)[0]


def _whole(width: int, height: int) -> float:
    """All pixels of a picture are needed."""
    return 1.0


def read_reduced(
    path: str | Path, share: Callable[[int, int], float], limits: Limits | None = None, content: bytes | None = None
) -> tuple[np.ndarray, tuple[int, int]]:
    """The upright picture, reduced by 2, 4 or 8 where that spares decoding, and its own (width, height).

    share: of a width and height, what the picture will be resized by. Only JPEGs that are far larger are reduced;
    pixel x of the picture is then (x + 1/2) / reduction - 1/2 (the last column and row may stand for less).
    content: the bytes of the file, which is then not opened. Otherwise as `read_image`.
    """
    path, limits = Path(path), limits or Limits()
    _check_file(path, limits, content)
    try:
        with _stream(path, content) as file, _opened(path, file, limits) as image:
            width, height = image.size
            _reduce(image, share)
            image.load()
            # asked after loading: some formats hold it behind the pixels, TIFF is turned already
            orientation = _orientation(image)
            if image.format == "TIFF":
                width, height = image.size
            pixels = np.array(_turned(_rgb(image, path), orientation))
            return pixels, (height, width) if orientation >= 5 else (width, height)
    except InputError:
        raise
    except PermissionError as error:
        raise _problem(path, "may not be read", "change its permissions") from error
    except FileNotFoundError as error:
        raise _problem(path, "no such file", "check the name") from error
    except Exception as error:  # out of a hostile file a decoder can raise nearly anything
        text = " ".join(str(error).split()) or type(error).__name__
        raise _problem(path, f"broken or incomplete picture ({text})", "replace the file") from error


def _problem(path: Path, what: str, remedy: str) -> InputError:
    return InputError(f"{path}: {what}; {remedy}")


def _stream(path: Path, content: bytes | None) -> Any:
    return open(path, "rb") if content is None else BytesIO(content)


def _reduce(image: Image.Image, share: Callable[[int, int], float]) -> None:
    """Has a JPEG decoded smaller, `SPARE` times as large as needed at least."""
    if image.format not in ("JPEG", "MPO"):
        return
    (width, height), orientation = image.size, _orientation(image)
    needed = share(height, width) if orientation >= 5 else share(width, height)
    for by in (8, 4, 2):
        # Turned, a column that stands for less than the others would come first and move all others.
        exact = orientation == 1 or width % by == height % by == 0
        if exact and by * SPARE * needed <= 1:
            image.draft(None, (width // by, height // by))  # type: ignore[arg-type]  # None: keeps the mode
            return


def _check_file(path: Path, limits: Limits, content: bytes | None) -> None:
    if content is not None:
        _check_size(path, len(content), limits)
        return
    try:
        status = os.stat(path)
    except FileNotFoundError as error:
        raise _problem(path, "no such file", "check the name") from error
    except (OSError, ValueError) as error:
        raise _problem(path, f"cannot be reached ({error})", "check path, links and permissions") from error
    if stat.S_ISDIR(status.st_mode):
        raise _problem(path, "a folder, or one whose content may not be listed", "name pictures, check permissions")
    if not stat.S_ISREG(status.st_mode):  # reading a pipe would wait for ever
        raise _problem(path, "not a regular file", "copy the picture into one")
    _check_size(path, status.st_size, limits)


def _check_size(path: Path, size: int, limits: Limits) -> None:
    if size == 0:
        raise _problem(path, "empty file", "fetch it again")
    if size > limits.bytes:
        raise _problem(path, f"{size:,} bytes, the limit is {limits.bytes:,} bytes", "save it smaller")


def _opened(path: Path, file: Any, limits: Limits) -> Image.Image:
    """The picture with its header parsed and checked, nothing decoded yet."""
    from PIL import Image, UnidentifiedImageError

    warnings.filterwarnings("ignore", module="PIL")  # what matters of Pillow's warnings is an error here
    try:
        image = Image.open(file, formats=FORMATS)
    except UnidentifiedImageError as error:
        raise _problem(
            path, "not a picture, or its header is broken", f"known formats: {', '.join(FORMATS)}"
        ) from error
    except Image.DecompressionBombError as error:
        what = f"too many pixels, the limit is {limits.pixels:,} pixels"
        raise _problem(path, what, "scale it down") from error
    width, height = image.size
    if width < 1 or height < 1:
        raise _problem(path, f"{width} x {height} pixels", "replace the file")
    if width * height > limits.pixels:
        what = f"{width} x {height} = {width * height:,} pixels, the limit is {limits.pixels:,} pixels"
        raise _problem(path, what, "scale it down")
    frames = getattr(image, "n_frames", 1)
    if frames > limits.frames:
        raise _problem(path, f"{frames:,} frames, the limit is {limits.frames:,} frames", "take single frames out")
    return image


def _rgb(image: Image.Image, path: Path) -> Image.Image:
    from PIL import Image

    if image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PNG"):
        return Image.fromarray((np.asarray(image) // 257).astype(np.uint8)).convert("RGB")
    if image.mode in ("I", "F"):
        raise _problem(path, "32 bits a pixel, without a known range", "save it with 8 or 16 bits")
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        page = Image.new("RGBA", image.size, "white")
        page.alpha_composite(image.convert("RGBA"))
        return page.convert("RGB")
    return image.convert("RGB")


def _orientation(image: Image.Image) -> int:
    try:
        value = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # parsing a damaged EXIF block can raise nearly anything; viewers show such pictures
        return 1
    return value if value in range(1, 9) else 1


def _turned(image: Image.Image, orientation: int) -> Image.Image:
    from PIL.Image import Transpose

    turns = {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }
    return image.transpose(turns[orientation]) if orientation in turns else image
