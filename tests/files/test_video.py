"""Videos in: upright, with their times, broken frames named. Videos out: they play, even when cut short."""

import os
import signal
import struct
import subprocess
import sys

import numpy as np
import pytest

from bottomup.errors import InputError, SettingsError
from bottomup.files import video as module
from bottomup.files.images import Limits
from bottomup.files.video import VideoReader, VideoWriter, is_video, upright

av = pytest.importorskip("av", reason="the extra `video` is not installed")

WIDTH, HEIGHT = 96, 64


def picture(number=0, width=WIDTH, height=HEIGHT):
    """Grey that grows with the number, with a bright top-left quarter."""
    image = np.full((height, width, 3), 20 + 4 * (number % 40), np.uint8)
    image[: height // 2, : width // 2] = 230
    return image


def written(path, times=None, count=30, **size):
    with VideoWriter(path, 10) as video:
        for number in range(count):
            video.add(picture(number, **size), number / 10 if times is None else times[number])
    return path


def frames(path):
    with VideoReader(path) as video:
        return list(video)


def packets(path):
    with av.open(str(path)) as container:
        return [
            (packet.pos, packet.size, float(packet.pts * packet.time_base))
            for packet in container.demux()
            if packet.size
        ]


def damaged(path, number):
    """Overwrites the packet of this number with zeros."""
    content = bytearray(path.read_bytes())
    position, size, _ = packets(path)[number]
    content[position : position + size] = bytes(size)
    path.write_bytes(content)
    return path


def encoded(path, codec, options, **container_options):
    """30 frames by this codec."""
    with av.open(str(path), "w", options=container_options) as container:
        stream = container.add_stream(codec, rate=10, options=options)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for number in range(30):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture(number), format="rgb24")))
        container.mux(stream.encode(None))
    return path


# --------------------------------------------------------------------------------------- round trip


def test_what_is_written_is_read(tmp_path):
    path = written(tmp_path / "a.mp4")
    with VideoReader(path) as video:
        assert video.count == 30
        assert video.rate == pytest.approx(10, rel=0.05)
        read = list(video)
    assert [frame.number for frame in read] == list(range(30))
    np.testing.assert_allclose([frame.time for frame in read], np.arange(30) / 10, atol=1e-4)
    for frame in read:
        assert frame.image.shape == (HEIGHT, WIDTH, 3) and frame.image.dtype == np.uint8
        assert np.abs(frame.image.astype(int) - picture(frame.number)).mean() < 6


def test_uneven_times_are_kept(tmp_path):
    times = np.cumsum([0.0, 0.04, 0.5, 0.04, 0.033, 1.2, 0.04])
    read = frames(written(tmp_path / "a.mp4", times, len(times)))
    np.testing.assert_allclose([frame.time for frame in read], times, atol=1e-4)


def test_times_count_from_the_first_frame_and_always_grow(tmp_path):
    read = frames(written(tmp_path / "a.mp4", [5.0, 5.1, 5.1, 5.0, 5.2], 5))
    found = [frame.time for frame in read]
    assert found[0] == 0 and (np.diff(found) > 0).all()
    assert found[-1] == pytest.approx(0.2, abs=1e-3)


@pytest.mark.parametrize("size", [(95, 63), (96, 63), (1, 1)])
def test_odd_sides_get_one_pixel_more(tmp_path, size):
    width, height = size
    (frame,) = frames(written(tmp_path / "a.mp4", count=1, width=width, height=height))
    assert frame.image.shape == (height + height % 2, width + width % 2, 3)


def test_frames_of_another_size_are_resized_to_the_first(tmp_path):
    with VideoWriter(tmp_path / "a.mp4", 10) as video:
        video.add(picture(), 0.0)
        video.add(picture(0, 2 * WIDTH, 2 * HEIGHT), 0.1)
    first, second = frames(tmp_path / "a.mp4")
    assert first.image.shape == second.image.shape
    assert np.abs(first.image.astype(int) - second.image).mean() < 6


def test_a_video_without_frames_is_no_error(tmp_path):
    with VideoWriter(tmp_path / "new" / "a.mp4"):
        pass
    assert list((tmp_path / "new").iterdir()) == []


# ---------------------------------------------------------------------------------------- rotation


MATRICES = {  # as a, b, c, d of the display matrix: what it does to a picture
    (1, 0, 0, 1): lambda image: image,
    (-1, 0, 0, -1): lambda image: np.rot90(image, 2),
    (0, 1, -1, 0): lambda image: np.rot90(image, -1),
    (0, -1, 1, 0): lambda image: np.rot90(image),
    (-1, 0, 0, 1): np.fliplr,
    (1, 0, 0, -1): np.flipud,
    (0, 1, 1, 0): lambda image: image.swapaxes(0, 1),
    (0, -1, -1, 0): lambda image: np.rot90(image, 2).swapaxes(0, 1),
}


@pytest.mark.parametrize("turn", MATRICES)
def test_frames_are_shown_as_the_display_matrix_asks(turn):
    image = np.arange(5 * 7 * 3, dtype=np.uint8).reshape(5, 7, 3)
    a, b, c, d = (value << 16 for value in turn)
    np.testing.assert_array_equal(upright(image, (a, b, 0, c, d, 0, 0, 0, 1 << 30)), MATRICES[turn](image))


def test_without_a_matrix_a_frame_is_as_it_is():
    image = picture()
    assert upright(image, None) is image


@pytest.mark.parametrize("turn", [(0, 1, -1, 0), (-1, 0, 0, 1)])
def test_the_matrix_in_a_file_is_applied(tmp_path, turn):
    path = written(tmp_path / "a.mp4", count=3)
    content = bytearray(path.read_bytes())
    at = content.rindex(b"tkhd") + 4 + 40  # the matrix in a version 0 track header
    a, b, c, d = (value << 16 for value in turn)
    content[at : at + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(content)
    expected = MATRICES[turn](picture())
    for frame in frames(path):
        assert frame.image.shape == expected.shape
    assert np.abs(frames(path)[0].image.astype(int) - expected).mean() < 6


# ------------------------------------------------------------------------------------------ damage


@pytest.mark.parametrize("number", [3, 12, 27])
def test_a_broken_frame_is_named_and_the_others_come(tmp_path, number):
    path = damaged(written(tmp_path / "a.mp4"), number)
    read = frames(path)
    assert len(read) == 30
    (broken,) = [frame for frame in read if frame.image is None]
    assert broken.number == number and broken.time == pytest.approx(number / 10, abs=1e-3)
    assert str(path) in broken.error and "broken frame" in broken.error
    assert all(frame.error is None for frame in read if frame.image is not None)


@pytest.mark.parametrize("number", [9, 10, 11, 29])
@pytest.mark.parametrize("codec", ["mpeg4", "libx264"])
def test_every_frame_that_a_broken_packet_takes_along_has_its_place(tmp_path, codec, number):
    """With frames that need later ones, packets do not come in the order of showing."""
    path = encoded(tmp_path / "b.mp4", codec, {"bf": "2"})
    when = packets(path)[number][2]
    read = frames(damaged(path, number))
    np.testing.assert_allclose([frame.time for frame in read], np.arange(30) / 10, atol=1e-3)
    assert when in [pytest.approx(frame.time) for frame in read if frame.image is None]
    assert sum(frame.image is None for frame in read) <= 3


def test_a_file_that_ends_early_gives_what_is_there_and_says_so(tmp_path):
    path = encoded(tmp_path / "a.mp4", "mpeg4", {}, movflags="faststart")
    position = packets(path)[20][0]
    os.truncate(path, position)
    *read, last = frames(path)
    assert [frame.image is not None for frame in read] == [True] * 20
    assert last.image is None and "20 of 30 frames" in last.error


@pytest.mark.parametrize(
    "content",
    [b"", b"no video at all " * 99, b"#EXTM3U\n#EXTINF:1,\nother.mp4\n", b"ffconcat version 1.0\nfile other.mp4\n"],
    ids=["empty", "text", "playlist", "list of files"],
)
def test_what_is_no_video_is_an_error_with_its_name(tmp_path, content):
    written(tmp_path / "other.mp4", count=2)
    path = tmp_path / "a.mp4"
    path.write_bytes(content)
    with pytest.raises(InputError, match="a.mp4: not a video"):
        VideoReader(path)


def test_a_missing_file_a_folder_and_a_pipe_are_errors(tmp_path):
    os.mkfifo(tmp_path / "pipe.mp4")
    for name in ("missing.mp4", ".", "pipe.mp4"):
        with pytest.raises(InputError, match="no such file"):
            VideoReader(tmp_path / name)


def test_sound_alone_is_an_error(tmp_path):
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=8000)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        sound.sample_rate = 8000
        container.mux(stream.encode(sound))
        container.mux(stream.encode(None))
    with pytest.raises(InputError, match="holds no pictures"):
        VideoReader(tmp_path / "a.mp4")


def test_more_pixels_than_allowed_are_an_error_before_decoding(tmp_path):
    path = written(tmp_path / "a.mp4", count=1)
    with pytest.raises(InputError, match="96 x 64 pixels a frame, the limit is 1,000 pixels"):
        VideoReader(path, Limits(pixels=1000))


def test_without_the_extra_one_line_says_what_installs_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    for use in (VideoReader, VideoWriter):
        path = tmp_path / "a.mp4"
        path.write_bytes(b"x")
        with pytest.raises(SettingsError, match=r"pip install 'bottomup\[video\]'"):
            use(path)


WRITE_FOR_EVER = """
import itertools, sys
import numpy as np
from bottomup.files.video import VideoWriter
video = VideoWriter(sys.argv[1], 10)
for number in itertools.count():
    video.add(np.full((64, 96, 3), number % 250, np.uint8), number / 10)
    print(number, flush=True)
"""


def test_a_killed_process_leaves_a_video_that_plays(tmp_path, root):
    path = tmp_path / "a.mp4"
    with subprocess.Popen([sys.executable, "-c", WRITE_FOR_EVER, path], stdout=subprocess.PIPE, cwd=root) as process:
        for line in process.stdout:
            if int(line) >= 100:
                break
        process.send_signal(signal.SIGKILL)
    good = [frame for frame in frames(path) if frame.image is not None]
    assert len(good) >= 100 - 1
    assert [round(frame.image.mean()) for frame in good[:50]] == pytest.approx(list(range(50)), abs=3)


@pytest.mark.parametrize(
    "name, expected", [("a.mp4", True), ("A.MOV", True), ("x/b.webm", True), ("a.gif", False), ("mp4", False)]
)
def test_videos_are_told_by_their_suffix(name, expected):
    assert is_video(name) is expected


def test_a_codec_that_is_not_installed_is_passed_over(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_CODECS", ("no such codec", "mpeg4"))
    assert len(frames(written(tmp_path / "a.mp4", count=5))) == 5
