"""Large JPEGs are decoded smaller; every pixel then stands where its part of the picture is."""

import io

import numpy as np
import pytest
from PIL import Image

from bottomup.core import Warp
from bottomup.errors import InputError
from bottomup.files.images import read_image, read_reduced


def waves(width, height):
    """A smooth picture that differs everywhere."""
    y, x = np.mgrid[:height, :width]
    parts = (np.sin(x / 37) + np.cos(y / 29), np.cos(x / 53 + y / 41), np.sin(y / 61 - x / 47))
    return np.stack([(60 * part + 120).astype(np.uint8) for part in parts], -1)


def saved(path, image, orientation=1, **options):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(image).save(path, quality=98, subsampling=0, exif=exif, **options)
    return path


@pytest.mark.parametrize(
    ("share", "by"), [(1.0, 1), (0.5, 1), (1 / 3, 2), (0.25, 2), (1 / 6, 4), (1 / 12, 8), (0.01, 8)]
)
def test_a_jpeg_is_decoded_half_as_large_again_as_needed_at_least(tmp_path, share, by):
    image, size = read_reduced(saved(tmp_path / "a.jpg", waves(640, 480)), lambda width, height: share)
    assert size == (640, 480) and image.shape == (480 // by, 640 // by, 3)


@pytest.mark.parametrize("size", [(640, 480), (643, 485)])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_reduced_pixels_lie_where_those_of_the_picture_do(tmp_path, size, orientation):
    path = saved(tmp_path / "a.jpg", waves(*size), orientation)
    whole = read_image(path)
    reduced, full = read_reduced(path, lambda width, height: 0.1)
    assert full == (whole.shape[1], whole.shape[0])
    by = round(full[0] / reduced.shape[1])
    if size == (640, 480) or orientation == 1:
        assert by == 4
    wanted = Warp.resize(1 / by).image(whole, (reduced.shape[1], reduced.shape[0]))
    inner = (slice(2, -2), slice(2, -2))
    difference = reduced[inner].astype(float) - wanted[inner]
    assert np.abs(difference).mean() < 1  # a shift by half a pixel of the picture would make it 2


def test_the_share_is_asked_of_the_upright_size(tmp_path):
    asked = []
    read_reduced(saved(tmp_path / "a.jpg", waves(640, 480), 6), lambda *size: asked.append(size) or 1.0)
    assert asked == [(480, 640)]


def test_other_formats_are_read_whole(tmp_path):
    Image.fromarray(waves(640, 480)).save(tmp_path / "a.png")
    image, size = read_reduced(tmp_path / "a.png", lambda width, height: 0.1)
    assert size == (640, 480) and image.shape == (480, 640, 3)


def test_bytes_in_memory_are_read_like_files(tmp_path):
    path = saved(tmp_path / "a.jpg", waves(64, 48))
    image, _ = read_reduced("shard.tar/a.jpg", lambda *_: 1.0, content=path.read_bytes())
    np.testing.assert_array_equal(image, read_image(path))
    for content, said in ((b"", "empty file"), (b"no picture", "not a picture")):
        with pytest.raises(InputError, match=f"shard.tar/a.jpg: {said}"):
            read_reduced("shard.tar/a.jpg", lambda *_: 1.0, content=content)


def test_a_truncated_jpeg_is_an_error_reduced_too(tmp_path):
    file = io.BytesIO()
    Image.fromarray(waves(640, 480)).save(file, "JPEG")
    (tmp_path / "a.jpg").write_bytes(file.getvalue()[: file.tell() // 2])
    with pytest.raises(InputError, match="incomplete"):
        read_reduced(tmp_path / "a.jpg", lambda *_: 0.1)
