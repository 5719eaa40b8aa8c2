"""Pictures of every kind are read upright as RGB; what is no picture gives an error that says so."""

import io
import os
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from bottomup.core import Warp
from bottomup.errors import InputError
from bottomup.files.images import Limits, common_folder, find_images, read_image

WHITE, BLACK = (255, 255, 255), (0, 0, 0)


@pytest.fixture
def noise():
    return np.random.default_rng(0).integers(0, 256, (40, 56, 3), dtype=np.uint8)


@pytest.fixture
def smooth():
    y, x = np.mgrid[:48, :64]
    return np.stack((4 * x, 5 * y, 2 * (x + y)), -1).astype(np.uint8)


def saved(path, image, **options):
    Image.fromarray(image).save(path, **options)
    return path


def names(found):
    return [image.name for image in found]


# ---------------------------------------------------------------------------------------- reading


@pytest.mark.parametrize("suffix, options", [("png", {}), ("bmp", {}), ("tif", {}), ("webp", {"lossless": True})])
def test_lossless_formats_come_back_exactly(tmp_path, noise, suffix, options):
    image = read_image(saved(tmp_path / f"a.{suffix}", noise, **options))
    assert image.dtype == np.uint8 and image.flags.c_contiguous and image.flags.writeable
    np.testing.assert_array_equal(image, noise)


@pytest.mark.parametrize("suffix", ["jpg", "webp"])
def test_lossy_formats_come_back_nearly(tmp_path, smooth, suffix):
    image = read_image(saved(tmp_path / f"a.{suffix}", smooth, quality=95))
    assert np.abs(image.astype(int) - smooth).mean() < 4


@pytest.mark.parametrize("suffix", ["png", "tif", "webp", "jpg"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_all_exif_orientations_give_the_upright_picture(tmp_path, smooth, suffix, orientation):
    height, width = smooth.shape[:2]
    stored_size = (width, height) if orientation < 5 else (height, width)
    warp, upright_size = Warp.exif(orientation, *stored_size)
    assert upright_size == (width, height)
    y, x = np.mgrid[: stored_size[1], : stored_size[0]]
    there = np.rint(warp.points(np.stack((x, y), -1).astype(float))).astype(int)
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if suffix == "webp" else {"quality": 95} if suffix == "jpg" else {}
    path = saved(tmp_path / f"a.{suffix}", smooth[there[..., 1], there[..., 0]], exif=exif, **options)
    image = read_image(path)
    assert image.shape == smooth.shape
    assert np.abs(image.astype(int) - smooth).mean() < (4 if suffix == "jpg" else 1e-9)


@pytest.mark.parametrize("orientation", [0, 9, 77])
def test_an_orientation_that_does_not_exist_counts_as_upright(tmp_path, noise, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    np.testing.assert_array_equal(read_image(saved(tmp_path / "a.png", noise, exif=exif)), noise)


def test_a_damaged_exif_block_counts_as_upright(tmp_path, smooth):
    path = saved(tmp_path / "a.jpg", smooth, exif=b"Exif\0\0II*\0\xff\xff\xff\xffgarbage")
    assert read_image(path).shape == smooth.shape


def test_grey_pictures_become_rgb(tmp_path, noise):
    image = read_image(saved(tmp_path / "a.png", noise[..., 0]))
    np.testing.assert_array_equal(image, np.repeat(noise[..., :1], 3, 2))


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_16_bits_are_scaled_to_8(tmp_path, suffix):
    deep = np.array([[0, 257, 128 * 257, 65535]], np.uint16)
    image = read_image(saved(tmp_path / f"a.{suffix}", deep))
    np.testing.assert_array_equal(image[0, :, 0], [0, 1, 128, 255])


def test_16_bit_colour_is_scaled_to_8(tmp_path):
    rows = b"\0" + struct.pack(">6H", 65535, 0, 0, 0, 128 * 257, 65535)
    image = read_image(_write_png(tmp_path / "a.png", 2, 1, rows, depth=16, colour=2))
    np.testing.assert_array_equal(image, [[[255, 0, 0], [0, 128, 255]]])


def test_32_bits_without_a_range_are_an_error(tmp_path):
    Image.fromarray(np.ones((4, 4), np.float32)).save(tmp_path / "a.tif")
    with pytest.raises(InputError, match=r"a\.tif: 32 bits a pixel.*save it with 8 or 16 bits"):
        read_image(tmp_path / "a.tif")


def test_transparency_shows_white_paper(tmp_path):
    rgba = np.array([[[200, 0, 0, 255], [200, 0, 0, 0], [0, 0, 0, 128]]], np.uint8)
    image = read_image(saved(tmp_path / "a.png", rgba))
    np.testing.assert_array_equal(image[0, :2], [(200, 0, 0), WHITE])
    np.testing.assert_allclose(image[0, 2], 127, atol=1)


def test_a_palette_with_a_transparent_colour(tmp_path):
    picture = Image.new("P", (2, 1))
    picture.putpalette([10, 20, 30, 40, 50, 60])
    picture.putdata([0, 1])
    picture.save(tmp_path / "a.png", transparency=1)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), [[(10, 20, 30), WHITE]])


def test_one_bit_pictures_are_black_and_white(tmp_path):
    Image.fromarray(np.array([[True, False]])).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), [[WHITE, BLACK]])


def test_cmyk_jpeg(tmp_path):
    Image.new("CMYK", (8, 8), (0, 255, 255, 0)).save(tmp_path / "a.jpg", quality=95)
    np.testing.assert_allclose(read_image(tmp_path / "a.jpg")[4, 4], (255, 0, 0), atol=6)


def test_an_animation_gives_its_first_frame(tmp_path):
    frames = [Image.new("RGB", (9, 7), colour) for colour in ("red", "lime", "blue")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    image = read_image(tmp_path / "a.gif")
    assert image.shape == (7, 9, 3) and (image == (255, 0, 0)).all()


@pytest.mark.parametrize("size", [(1, 1), (3, 5000), (5000, 3)])
def test_extreme_shapes(tmp_path, size):
    Image.new("RGB", size, "red").save(tmp_path / "a.png")
    assert read_image(tmp_path / "a.png").shape == (size[1], size[0], 3)


@pytest.mark.parametrize("name", ["ünïcödé 写真.png", "with space.png", "new\nline.png", "-dash.png", "a[1]*?.png"])
def test_strange_names(tmp_path, noise, name):
    saved(tmp_path / name, noise)
    (found,) = find_images([tmp_path])
    assert found.name == name
    np.testing.assert_array_equal(read_image(found.path), noise)


# ----------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "bmp", "tif", "gif"])
@pytest.mark.parametrize("share", [0.0, 0.05, 0.3, 0.6, 0.9])
def test_a_truncated_picture_is_an_error_not_a_half_grey_picture(tmp_path, noise, suffix, share):
    whole = saved(tmp_path / f"whole.{suffix}", noise).read_bytes()
    path = tmp_path / f"cut.{suffix}"
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(InputError, match=rf"cut\.{suffix}: (empty|not a picture|broken)"):
        read_image(path)


def test_a_truncated_progressive_jpeg_is_an_error(tmp_path, noise):
    path = saved(tmp_path / "a.jpg", noise, progressive=True)
    path.write_bytes(path.read_bytes()[:-400])
    with pytest.raises(InputError, match="broken or incomplete"):
        read_image(path)


@pytest.mark.parametrize(
    "content", [b"", b"\0", b"\xff\xd8\xff", b"just some text\n" * 99, b"<html>404</html>", b"GIF89a"]
)
def test_what_is_no_picture(tmp_path, content):
    path = tmp_path / "a.jpg"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"a\.jpg: .*; "):
        read_image(path)


def test_damaged_bytes_never_raise_anything_but_input_errors(tmp_path, noise):
    random = np.random.default_rng(1)
    for suffix in ("jpg", "png", "webp", "bmp", "tif", "gif"):
        whole = np.frombuffer(saved(tmp_path / f"a.{suffix}", noise).read_bytes(), np.uint8)
        for _ in range(25):
            damaged = whole.copy()
            damaged[random.integers(0, min(len(whole), 400), 6)] = random.integers(0, 256, 6)
            (tmp_path / "b").write_bytes(damaged.tobytes())
            try:
                assert read_image(tmp_path / "b").ndim == 3
            except InputError as error:
                assert str(tmp_path / "b") in str(error)


def _write_png(path, width, height, rows=b"", depth=8, colour=2):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    )
    return path


@pytest.mark.parametrize("side", [10_001, 12_000, 60_000])
def test_a_bomb_is_refused_by_its_header(tmp_path, side, recwarn):
    path = _write_png(tmp_path / "bomb.png", side, side)
    with pytest.raises(InputError, match=r"bomb\.png: .*the limit is 100,000,000 pixels; scale it down"):
        read_image(path)
    assert not recwarn


def test_zero_size_is_an_error(tmp_path):
    with pytest.raises(InputError, match=r"a\.png"):
        read_image(_write_png(tmp_path / "a.png", 0, 5))


@pytest.mark.parametrize(
    "limits, named",
    [(Limits(bytes=100), "100 bytes"), (Limits(pixels=62), "62 pixels"), (Limits(frames=2), "2 frames")],
)
def test_the_limit_is_named(tmp_path, limits, named):
    frames = [Image.fromarray(np.full((7, 9), value, np.uint8)) for value in range(0, 250, 50)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert read_image(tmp_path / "a.gif").shape == (7, 9, 3)
    with pytest.raises(InputError, match=f"the limit is {named}"):
        read_image(tmp_path / "a.gif", limits)


def test_paths_that_lead_to_no_picture(tmp_path):
    (tmp_path / "dir.jpg").mkdir()
    os.symlink(tmp_path / "nowhere", tmp_path / "dead.jpg")
    os.symlink(tmp_path / "loop.jpg", tmp_path / "loop.jpg")
    os.mkfifo(tmp_path / "pipe.jpg")
    for name, what in [
        ("missing.jpg", "no such file"),
        ("dir.jpg", "a folder"),
        ("dead.jpg", "no such file"),
        ("loop.jpg", "cannot be reached"),
        ("pipe.jpg", "not a regular file"),
    ]:
        with pytest.raises(InputError, match=f"{name}: {what}"):
            read_image(tmp_path / name)


def test_a_file_that_may_not_be_read(tmp_path, noise, monkeypatch):
    path = saved(tmp_path / "a.png", noise)
    path.chmod(0)
    if os.access(path, os.R_OK):  # permissions do not bind this user

        def refuse(*_):
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr("builtins.open", refuse)
    with pytest.raises(InputError, match=r"a\.png: may not be read; change its permissions"):
        read_image(path)


def test_a_file_that_vanishes_after_it_was_found(tmp_path, noise):
    (found,) = find_images([saved(tmp_path / "a.png", noise)])
    found.path.unlink()
    with pytest.raises(InputError, match="no such file"):
        read_image(found.path)


# ---------------------------------------------------------------------------------------- finding


@pytest.fixture
def tree(tmp_path):
    for name in ("b.JPG", "a.png", "notes.txt", "sub/c.jpeg", "sub/deep/d.WebP", "x.jpg/e.tiff", "sub2/f.gif"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    return tmp_path


ALL = ["a.png", "b.JPG", "sub/c.jpeg", "sub/deep/d.WebP", "sub2/f.gif", "x.jpg/e.tiff"]


def test_a_folder_is_searched_to_its_depths_and_sorted(tree):
    assert names(find_images([tree])) == ALL
    assert [image.path for image in find_images([tree])] == [tree / name for name in ALL]


def test_a_file_named_outright_is_taken_whatever_its_suffix(tree):
    assert names(find_images([tree / "notes.txt"])) == ["notes.txt"]


def test_globs(tree):
    assert names(find_images([f"{tree}/*.png"])) == ["a.png"]
    assert names(find_images([f"{tree}/**/*.[jJW]*"])) == ["b.JPG", "sub/c.jpeg", "sub/deep/d.WebP", "x.jpg/e.tiff"]
    assert names(find_images([f"{tree}/*"])) == ALL  # folders that match are searched, notes.txt is left


def test_what_does_not_exist_is_an_entry_whose_reading_fails(tree):
    for missing in (tree / "gone.jpg", f"{tree}/*.gone"):
        found = find_images([tree / "a.png", missing])
        assert len(found) == 2
        bad = next(image for image in found if image.name != "a.png")
        with pytest.raises(InputError, match="no such file"):
            read_image(bad.path)


def test_a_file_named_twice_is_listed_once(tree):
    os.symlink(tree / "sub", tree / "link")
    inputs = [tree, tree / "a.png", f"{tree}/sub/../a.png", f"{tree}/a.*", tree / "sub", tree / "link"]
    found = names(find_images(inputs))
    assert sorted(found) == found and len(found) == len(ALL)
    assert {name.rsplit("/", 1)[-1] for name in found} == {name.rsplit("/", 1)[-1] for name in ALL}


def test_links_that_lead_in_circles_end(tree):
    os.symlink(tree, tree / "sub" / "back")
    os.symlink(tree / "sub", tree / "sub" / "deep" / "self")
    assert names(find_images([tree])) == ALL


def test_names_tell_equal_files_of_two_folders_apart(tree):
    (tree / "sub2" / "c.jpeg").write_bytes(b"")
    assert names(find_images([tree / "sub", tree / "sub2"])) == [
        "sub/c.jpeg",
        "sub/deep/d.WebP",
        "sub2/c.jpeg",
        "sub2/f.gif",
    ]


def test_names_are_relative_to_the_folder_given(tree, monkeypatch):
    monkeypatch.chdir(tree)
    assert names(find_images(["sub"])) == names(find_images([tree / "sub"])) == ["c.jpeg", "deep/d.WebP"]
    assert common_folder(["sub"]) == tree / "sub"
    assert common_folder(["sub/c.jpeg"]) == tree / "sub"
    assert common_folder(["sub/*.jpeg"]) == tree / "sub"
    assert common_folder(["sub/*.jpeg", "a.png"]) == tree


def test_a_folder_can_be_left_out(tree):
    assert names(find_images([tree], skip=tree / "sub")) == ["a.png", "b.JPG", "sub2/f.gif", "x.jpg/e.tiff"]


def test_no_inputs_are_no_pictures(tmp_path):
    assert find_images([]) == []
    assert find_images([tmp_path]) == []


def test_a_folder_that_cannot_be_listed_is_an_entry(tree, monkeypatch):
    listing = os.scandir

    def scandir(path):
        if os.fspath(path).endswith("sub"):
            raise PermissionError(13, "Permission denied", os.fspath(path))
        return listing(path)

    monkeypatch.setattr(os, "scandir", scandir)
    found = {image.name: image for image in find_images([tree])}
    assert "sub" in found and "a.png" in found
    with pytest.raises(InputError, match="may not be listed"):
        read_image(found["sub"].path)


def test_reading_does_not_hold_files_open(tmp_path, noise):
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, "PNG")
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    for number in range(5):
        (tmp_path / f"{number}.png").write_bytes(buffer.getvalue()[: 400 if number % 2 else None])
        try:
            read_image(tmp_path / f"{number}.png")
        except InputError:
            continue
    after = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    assert after == before
