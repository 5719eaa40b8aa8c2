"""Videos: frames in, upright and with their times; frames out, as an MP4 that plays even when cut short."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np

from bottomup.errors import InputError, SettingsError
from bottomup.files.images import Limits

if TYPE_CHECKING:
    import av

SUFFIXES = frozenset(
    (".mp4", ".m4v", ".mov", ".3gp", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".m2ts", ".mts", ".ogv")
    + (".flv", ".wmv")
)
# Of all that the library reads: no playlists, which would make it open other files and addresses.
_READ = {"format_whitelist": "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpeg,mpegts,ogg,flv,asf"}
# Until it is closed the file consists of fragments, of which all but the last can be read; then it is an ordinary one.
_WRITE = {"movflags": "hybrid_fragmented+default_base_moof", "flush_packets": "1"}
_CODECS = ("libx264", "libopenh264", "mpeg4")  # the first that the installed library has
_TIMES = 60_000  # a second has so many ticks; MPEG-4 allows 65,535, and 1001/30000 is a whole number of them
_KEY_SECONDS = 2.0  # between frames from which a file can be read on: what a killed run loses at most


def is_video(path: str | Path) -> bool:
    """Whether the name is that of a video."""
    return Path(path).suffix.lower() in SUFFIXES


@dataclass(frozen=True, eq=False)
class Frame:
    """A frame of a video. number: from 0, in the order of showing. time: seconds since the first.

    image: RGB uint8 (H, W, 3), upright; None for a broken frame. error: why it is broken.
    """

    number: int
    time: float
    image: np.ndarray | None
    error: str | None = None


class VideoReader:
    """The frames of a video, one at a time: `with VideoReader(path) as video: for frame in video: ...`.

    Rotation and mirroring that the file asks for are applied; times are those of the file, so they may be
    uneven, and always grow. A frame that cannot be decoded is a Frame with an error, and so is an early end.
    rate: frames a second, on average. count: frames that the file says it has, or None.
    Raises InputError with file, reason and remedy, SettingsError where the extra `video` is not installed.
    """

    def __init__(self, path: str | Path, limits: Limits | None = None) -> None:
        self.path = Path(path)
        self._container = _opened(self.path)
        try:
            self._stream = _checked_stream(self._container, self.path, limits or Limits())
        except InputError:
            self._container.close()
            raise
        self.rate = float(self._stream.average_rate or self._stream.guessed_rate or 25)
        self.count: int | None = self._stream.frames or None

    def __enter__(self) -> VideoReader:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._container.close()

    def __iter__(self) -> Iterator[Frame]:
        number, start, last = 0, None, -np.inf
        for seconds, image, error in self._decoded():
            start = seconds if start is None and seconds is not None else start
            time = last + 1 / self.rate if seconds is None else seconds - (start or 0.0)
            if not time > last:  # also where no frame before had a time
                time = last + 1 / self.rate if number else 0.0
            yield Frame(number, time, image, error)
            number, last = number + 1, time

    def _decoded(self) -> Iterator[tuple[float | None, np.ndarray | None, str | None]]:
        """Time, image and error of every frame, in the order of showing."""
        due, packets, end = _Due("mp4" in self._container.format.name), 0, None
        for packet, problem in self._packets():
            packets, end = packets + (packet.size > 0), problem
            for frame in self._frames(packet, due):
                yield from self._broken(due.before(frame))
                if frame.is_corrupt:
                    yield frame.time, None, f"{self.path}: broken frame"
                else:
                    yield frame.time, upright(frame.to_ndarray(format="rgb24"), _matrix(frame)), None
        yield from self._broken(due.rest())
        if end is None and self.count is not None and packets < self.count:
            end = f"ends early, {packets} of {self.count} frames are there"
        if end is not None:
            yield None, None, f"{self.path}: {end}; fetch it again"

    def _packets(self) -> Iterator[tuple[Any, str | None]]:
        """Packets; the last, an empty one, with the reason why there are no more, if that is an error."""
        import av

        try:
            yield from ((packet, None) for packet in self._container.demux(self._stream))
        except av.error.FFmpegError as error:
            yield av.Packet(), f"cannot be read on ({error.strerror})"

    def _frames(self, packet: Any, due: _Due) -> list[Any]:
        """The frames that come out of the decoder as a packet goes in."""
        import av

        due.expect(packet)
        try:
            return list(self._stream.codec_context.decode(packet))
        except av.error.FFmpegError as error:
            due.fail(packet.pts, error.strerror or str(error))
            return []

    def _broken(self, times: list[tuple[int, str]]) -> Iterator[tuple[float | None, None, str]]:
        for pts, why in times:
            yield float(pts * self._stream.time_base), None, f"{self.path}: broken frame ({why})"


class _Due:
    """Which frames are still to come out of a decoder, by time stamp: it gives them in the order of showing.

    A frame that never comes counts as broken. one_each: whether every packet holds a frame, as in MP4; else
    it counts only if a packet failed since the last frame that needs no other.
    """

    def __init__(self, one_each: bool) -> None:
        self._why: dict[int, str] = {}
        self._one_each, self._failed = one_each, False

    def expect(self, packet: Any) -> None:
        """A packet goes in."""
        if packet.pts is not None and packet.size and not packet.is_discard:
            self._why[packet.pts] = "nothing to show"

    def fail(self, pts: int | None, why: str) -> None:
        """Its decoding failed."""
        self._failed = True
        if pts is not None:
            self._why[pts] = why

    def before(self, frame: Any) -> list[tuple[int, str]]:
        """A frame comes out: the broken ones that are shown before it."""
        if frame.pts is None:
            return []
        self._why.pop(frame.pts, None)
        late = sorted((pts, why) for pts, why in self._why.items() if pts < frame.pts)
        for pts, _ in late:
            del self._why[pts]
        broken = late if self._failed or self._one_each else []
        self._failed = self._failed and not frame.key_frame
        return broken

    def rest(self) -> list[tuple[int, str]]:
        """No more frames come: the broken ones at the end."""
        return sorted(self._why.items()) if self._failed or self._one_each else []


def _opened(path: Path) -> Any:
    av = _library()
    if not path.is_file():  # a pipe would be waited for
        raise InputError(f"{path}: no such file, or not a regular one; check the name")
    try:
        return av.open(str(path.resolve()), options=_READ, metadata_errors="replace")
    except (av.error.FFmpegError, OSError, ValueError) as error:
        what = getattr(error, "strerror", None) or error
        raise InputError(f"{path}: not a video, or its header is broken ({what}); fetch it again") from error


def _library() -> Any:
    try:
        import av
    except ImportError as error:
        raise SettingsError("videos need the extra `video`: pip install 'bottomup[video]'") from error
    return av


def _checked_stream(container: Any, path: Path, limits: Limits) -> Any:
    if not container.streams.video:
        raise InputError(f"{path}: holds no pictures, only {len(container.streams)} other streams; name a video")
    stream = container.streams.video[0]
    if stream.codec_context is None:
        raise InputError(f"{path}: its codec is unknown here; convert it to H.264")
    width, height = stream.codec_context.width, stream.codec_context.height
    if not 0 < width * height <= limits.pixels:
        what = f"{width} x {height} pixels a frame, the limit is {limits.pixels:,} pixels"
        raise InputError(f"{path}: {what}; scale it down")
    return stream


def _matrix(frame: av.VideoFrame) -> tuple[int, ...] | None:
    """The 3x3 display matrix that comes with a frame, row by row, or None."""
    data: Any = frame.side_data.get("DISPLAYMATRIX")
    return None if data is None else struct.unpack("=9i", bytes(data))


def upright(image: np.ndarray, matrix: tuple[int, ...] | None) -> np.ndarray:
    """The image (H, W, 3) as a display matrix (a b u c d v x y w) asks to show it, to the quarter turn.

    The matrix takes a stored pixel (p, q) to (a p + c q, b p + d q), up to a shift.
    """
    if matrix is None:
        return image
    a, b, c, d = matrix[0], matrix[1], matrix[3], matrix[4]
    if abs(b) + abs(c) > abs(a) + abs(d):
        image, a, d = image.swapaxes(0, 1), c, b  # then x' = c q, y' = b p
    return np.ascontiguousarray(image[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1])


class VideoWriter:
    """An MP4 out of RGB uint8 frames with times: `with VideoWriter(path, rate) as video: video.add(image, time)`.

    The first frame decides the size; others are resized to it; an odd side gets one row or column more.
    What a killed process leaves can be played up to about its last two seconds.
    Raises OSError if `path` cannot be written, SettingsError where the extra `video` is not installed.
    """

    def __init__(self, path: str | Path, rate: float = 25.0) -> None:
        self._av = _library()
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        self._container = self._av.open(str(Path(path).resolve()), "w", format="mp4", options=_WRITE)
        self.rate = rate
        self._stream: Any = None
        self._last = -1

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._stream is not None:
            self._container.mux(self._stream.encode(None))
        self._container.close()

    def add(self, image: np.ndarray, time: float) -> None:
        """Appends a frame that is shown from `time`, in seconds, on."""
        if self._stream is None:
            self._stream = self._begin(image.shape[1] + image.shape[1] % 2, image.shape[0] + image.shape[0] % 2)
        frame = self._av.VideoFrame.from_ndarray(self._fitting(image), format="rgb24")
        self._last = max(round(time * _TIMES), self._last + 1)
        frame.pts, frame.time_base = self._last, Fraction(1, _TIMES)
        self._container.mux(self._stream.encode(frame))

    def _begin(self, width: int, height: int) -> Any:
        codec = next(name for name in _CODECS if name in self._av.codecs_available)
        stream = self._container.add_stream(codec, rate=Fraction(self.rate).limit_denominator(1001))
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, _TIMES)
        stream.codec_context.gop_size = max(1, round(_KEY_SECONDS * self.rate))
        if codec == "libx264":
            stream.options = {
                "preset": "veryfast",
                "crf": "20",
                "tune": "zerolatency",
            }  # else it holds many frames back
        else:
            stream.bit_rate = 4 * width * height
        return stream

    def _fitting(self, image: np.ndarray) -> np.ndarray:
        """The image in the video's size."""
        width, height = self._stream.width, self._stream.height
        below, right = height - image.shape[0], width - image.shape[1]
        if below in (0, 1) and right in (0, 1):
            return np.pad(image, ((0, below), (0, right), (0, 0)), mode="edge") if below or right else image
        import cv2

        return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA))
