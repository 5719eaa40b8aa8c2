"""`bottomup infer clip.mp4`: a video in, tracked people out."""

import gc
import json
import weakref
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from bottomup.cli import main
from bottomup.commands import video as module
from bottomup.commands.common import NOTHING_DONE, SOME_FAILED
from bottomup.commands.video import run_videos
from bottomup.core import People, Skeleton
from bottomup.errors import SettingsError
from bottomup.files.video import VideoReader, VideoWriter

pytest.importorskip("av", reason="the extra `video` is not installed")

WIDTH, HEIGHT = 160, 96
BOX = Skeleton("box", ["top", "bottom_left", "bottom_right"], [(0, 1), (0, 2)], [0, 2, 1], [0.1] * 3)
LEVELS = (120, 200, 250)  # greys by which the stand-in knows figures; the higher, the earlier found


class Predictor:
    """Finds grey rectangles. wrong: frames whose people it cannot tell."""

    device = torch.device("cpu")
    road = SimpleNamespace(skeleton=BOX)

    def __init__(self, wrong=()):
        self.wrong, self.calls, self.alive, self.most = wrong, 0, [], 0

    def __call__(self, image):
        self.calls += 1
        self.alive = [ref for ref in self.alive if ref() is not None] + [weakref.ref(image)]
        self.most = max(self.most, len(self.alive))
        if self.calls - 1 in self.wrong:
            raise ValueError("maps are not finite")
        joints = [_corners(np.abs(image[..., 1].astype(int) - level) < 12) for level in LEVELS]
        joints = [corners for corners in joints if corners is not None]
        return People(np.array(joints).reshape(-1, 3, 3), np.ones(len(joints)), BOX)


def _corners(inside):
    if inside.sum() < 20:
        return None
    y, x = np.nonzero(inside)
    left, right, top, bottom = np.percentile(x, 2), np.percentile(x, 98), y.min(), y.max()
    return [((left + right) / 2, top, 1), (left, bottom, 1), (right, bottom, 1)]


def clip(path, count=30, figures=2):
    """Rectangles that walk past each other; every tenth frame shows nobody."""
    with VideoWriter(path, 10) as video:
        for number in range(count):
            image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
            for figure in range(figures if number % 10 != 9 else 0):
                x = 10 + 4 * number if figure == 0 else WIDTH - 30 - 4 * number
                image[8 + 44 * figure : 44 + 44 * figure, max(x, 0) : max(x + 20, 0)] = LEVELS[figure]
            video.add(image, number / 10)
    return path


def records(out):
    return [json.loads(line) for line in (out / "records.jsonl").read_text().splitlines()]


def ids(out, name="clip"):
    content = json.loads((out / f"{name}.json").read_text())
    found = {image["id"]: [] for image in content["images"]}
    for entry in content["annotations"]:
        found[entry["image_id"]].append(entry["track_id"])
    return list(found.values())


EXPECTED = [[] if number % 10 == 9 else [1, 2] for number in range(30)]


def damage(path, number):
    import av

    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux() if packet.size]
        position, size = packets[number].pos, packets[number].size
    content = bytearray(path.read_bytes())
    content[position : position + size] = bytes(size)
    path.write_bytes(content)


def test_people_keep_their_ids_and_every_frame_has_a_record(tmp_path):
    counts = run_videos(Predictor(), [str(clip(tmp_path / "clip.mp4"))], tmp_path / "out")
    assert counts == {"ok": 27, "empty": 3, "people": 54, "tracks": 2}
    assert ids(tmp_path / "out") == EXPECTED
    found = records(tmp_path / "out")
    assert [record["frame"] for record in found] == list(range(30))
    assert [record["status"] for record in found] == ["empty" if n % 10 == 9 else "ok" for n in range(30)]
    assert [record["tracked"] for record in found] == [len(some) for some in EXPECTED]
    np.testing.assert_allclose([record["time"] for record in found], np.arange(30) / 10, atol=1e-3)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["clip.json", "records.jsonl"]


def test_the_json_describes_the_predictors_skeleton(tmp_path):
    run_videos(Predictor(), [str(clip(tmp_path / "clip.mp4", 2))], tmp_path / "out")
    content = json.loads((tmp_path / "out" / "clip.json").read_text())
    assert content["categories"][0]["keypoints"] == list(BOX.joints)
    assert len(content["annotations"][0]["keypoints"]) == 9


@pytest.mark.parametrize("links", [False, True])
def test_the_drawn_video_plays_and_shows_each_id_in_its_own_colour(tmp_path, links):
    run_videos(Predictor(), [str(clip(tmp_path / "clip.mp4"))], tmp_path / "out", draw=True, links=links)
    with VideoReader(tmp_path / "out" / "drawn" / "clip.mp4") as video:
        frames = list(video)
    assert len(frames) == 30 and all(frame.error is None for frame in frames)
    np.testing.assert_allclose([frame.time for frame in frames], np.arange(30) / 10, atol=1e-3)
    colours = []
    for frame in (frames[2], frames[20]):
        image = frame.image.astype(int)
        saturated = np.ptp(image, axis=-1) > 60
        assert saturated[:48].any() and saturated[48:].any()
        colours.append([np.median(half[np.ptp(half, axis=-1) > 60], axis=0) for half in (image[:48], image[48:])])
    assert not saturated_anywhere(frames[9].image)
    (first, second), (first_later, second_later) = colours
    assert np.abs(first - first_later).max() < 60 and np.abs(second - second_later).max() < 60
    assert np.abs(first - second).max() > 60


def saturated_anywhere(image):
    return (np.ptp(image.astype(int), axis=-1) > 60).any()


def test_linked_ids_are_those_of_the_whole_video(tmp_path):
    run_videos(Predictor(), [str(clip(tmp_path / "clip.mp4"))], tmp_path / "out", links=True)
    assert ids(tmp_path / "out") == EXPECTED


def test_a_broken_frame_is_a_record_and_ids_go_on(tmp_path):
    path = clip(tmp_path / "clip.mp4")
    damage(path, 12)
    counts = run_videos(Predictor(), [str(path)], tmp_path / "out", draw=True)
    assert counts["error"] == 1 and counts["tracks"] == 2
    (broken,) = [record for record in records(tmp_path / "out") if record["status"] == "error"]
    assert broken["frame"] == 12 and "broken frame" in broken["error"]
    assert ids(tmp_path / "out") == [[] if number == 12 else some for number, some in enumerate(EXPECTED)]


def test_a_frame_that_the_road_cannot_tell_is_a_record(tmp_path):
    path = clip(tmp_path / "clip.mp4")
    torch.set_num_threads(1)
    counts = run_videos(Predictor(wrong=(5,)), [str(path)], tmp_path / "out")
    assert counts["error"] == 1
    (broken,) = [record for record in records(tmp_path / "out") if record["status"] == "error"]
    assert broken["frame"] == 5 and "maps are not finite" in broken["error"]


def test_a_file_that_is_no_video_does_not_end_the_run(tmp_path):
    (tmp_path / "no.mp4").write_bytes(b"nothing")
    path = clip(tmp_path / "clip.mp4")
    counts = run_videos(Predictor(), [str(tmp_path / "no.mp4"), str(path)], tmp_path / "out")
    assert counts["error"] == 1 and counts["ok"] == 27
    assert records(tmp_path / "out")[0]["file_name"] == "no.mp4"
    assert not (tmp_path / "out" / "no.json").exists()


def test_an_interrupted_run_leaves_readable_files(tmp_path, monkeypatch):
    class Interrupted(Predictor):
        def __call__(self, image):
            if self.calls == 14:
                raise KeyboardInterrupt
            return super().__call__(image)

    path = clip(tmp_path / "clip.mp4")
    with pytest.raises(KeyboardInterrupt):
        run_videos(Interrupted(), [str(path)], tmp_path / "out", draw=True)
    done = len(records(tmp_path / "out"))
    assert 8 <= done <= 14
    assert ids(tmp_path / "out") == EXPECTED[:done]
    with VideoReader(tmp_path / "out" / "drawn" / "clip.mp4") as video:
        assert len(list(video)) == done


def test_few_frames_are_in_memory_however_long_the_video(tmp_path):
    predictor = Predictor()
    gc.collect()
    run_videos(predictor, [str(clip(tmp_path / "clip.mp4", 120))], tmp_path / "out", draw=True)
    assert predictor.calls == 120
    assert predictor.most <= 2 * torch.get_num_threads() + 4


def test_two_videos_of_one_run_have_a_file_each_and_ids_of_their_own(tmp_path):
    first, second = clip(tmp_path / "a.mp4", 5), clip(tmp_path / "b.mp4", 5)
    run_videos(Predictor(), [str(first), str(second)], tmp_path / "out")
    assert ids(tmp_path / "out", "a") == ids(tmp_path / "out", "b") == [[1, 2]] * 5
    assert {record["file_name"] for record in records(tmp_path / "out")} == {"a.mp4", "b.mp4"}


def test_videos_of_one_name_are_told_apart_or_refused(tmp_path):
    assert module._names(["a.mp4", "b/a.mov", "c.mp4"]) == ["a.mp4", "a.mov", "c"]
    with pytest.raises(SettingsError, match="two videos are called a.mp4"):
        module._names(["a.mp4", "b/a.mp4"])


def test_results_are_not_overwritten_unasked(tmp_path):
    path, out = str(clip(tmp_path / "clip.mp4", 3)), tmp_path / "out"
    run_videos(Predictor(), [path], out)
    before = (out / "clip.json").read_bytes()
    with pytest.raises(SettingsError, match="clip.json: is there already.*--overwrite"):
        run_videos(Predictor(), [path], out)
    assert (out / "clip.json").read_bytes() == before
    run_videos(Predictor(), [path], out, overwrite=True)
    (out / "settings.json").write_text("{}")
    with pytest.raises(SettingsError, match="of a run over pictures"):
        run_videos(Predictor(), [path], out, overwrite=True)


def test_the_command_refuses_pictures_beside_videos(tmp_path, capsys):
    assert main(["infer", "clip.mp4", "photo.jpg", "--out", str(tmp_path / "out")]) == NOTHING_DONE
    assert "photo.jpg is no video" in capsys.readouterr().err


def test_the_command_refuses_what_is_for_pictures(tmp_path, capsys):
    assert main(["infer", "clip.mp4", "--rows", "jsonl", "--out", str(tmp_path / "out")]) == NOTHING_DONE
    assert "leave out --engine and --rows" in capsys.readouterr().err


def test_the_command_says_what_was_done(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(module, "chosen_predictor", lambda options: Predictor())
    path = clip(tmp_path / "clip.mp4")
    arguments = ["infer", str(path), "--out", str(tmp_path / "out"), "--draw", "--global-links"]
    assert main(arguments) == 0
    assert "30 frames done: 2 tracks, somebody in 27, nobody in 3; 0 failed" in capsys.readouterr().err
    damage(path, 3)
    assert main([*arguments, "--overwrite"]) == SOME_FAILED
    path.write_bytes(b"")
    assert main([*arguments, "--overwrite"]) == NOTHING_DONE
