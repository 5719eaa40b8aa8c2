"""A weights file is enough to run a system."""

import numpy as np
import pytest
import torch
from PIL import Image

from bottomup.core import COCO17, People, Warp
from bottomup.errors import InputError, SettingsError
from bottomup.files.weights import save_weights
from bottomup.nets import build
from bottomup.nets.device import available_device
from bottomup.roads.predictor import load

NETWORK = {"name": "mspaf_mobile", "joints": 17, "limbs": 19, "tags": 1, "widths": [16, 16, 16]}
SKELETON = {name: getattr(COCO17, name) for name in ("name", "joints", "limbs", "mirror", "sigmas")}
HEADER = {
    "format": 1,
    "method": "bottomup",
    "network": NETWORK,
    "skeleton": SKELETON,
    "road": {"long_side": 96, "multiple": 32, "sigma": 1.5},
    "training": {"steps": 0},
}


@pytest.fixture(scope="module")
def tensors():
    torch.manual_seed(0)
    return build(**NETWORK).state_dict()


@pytest.fixture
def weights(tmp_path, tensors):
    save_weights(tmp_path / "w.safetensors", tensors, HEADER, half=True)
    return tmp_path / "w.safetensors"


def test_the_system_is_built_from_the_file_alone(weights, tensors):
    predictor = load(weights, "cpu")
    assert predictor.road.skeleton.limbs == COCO17.limbs
    assert predictor.road.settings.long_side == 96 and predictor.road.settings.sigma == 1.5
    assert str(weights) in repr(predictor) and "cpu" in repr(predictor)
    image = np.random.default_rng(0).integers(0, 256, (80, 96, 3), dtype=np.uint8)
    maps = predictor.road.maps([predictor.road.prepare(image)])
    assert maps.heatmaps.shape == (1, 17, 24, 24) and maps.sigma == 1.5
    network = build(**NETWORK).eval()
    network.load_state_dict({n: t.half().float() if t.is_floating_point() else t for n, t in tensors.items()})
    settings = predictor.road.settings
    pixels = (predictor.road.prepare(image).inputs[0] - np.array(settings.mean)) / np.array(settings.std)
    with torch.no_grad():
        answer = network(torch.from_numpy(pixels).float().permute(2, 0, 1)[None])[-1]
    np.testing.assert_allclose(maps.pafs, answer.pafs.numpy(), atol=1e-4 * float(answer.pafs.abs().max()))


def test_matrix_tiles_of_a_cpu_are_used_and_change_little(weights, monkeypatch):
    image = np.random.default_rng(0).integers(0, 256, (96, 96, 3), dtype=np.uint8)
    maps = []
    for tiles in (False, True):
        monkeypatch.setattr("torch.cpu._is_amx_tile_supported", lambda tiles=tiles: tiles, raising=False)
        road = load(weights, "cpu").road
        maps.append(road.maps([road.prepare(image)]).heatmaps)
    assert maps[1].dtype == np.float32 and (maps[0] != maps[1]).any()
    np.testing.assert_allclose(maps[1], maps[0], atol=0.05 * np.abs(maps[0]).max())


def test_counters_of_training_may_be_left_out(tmp_path, tensors):
    needed = {name: tensor for name, tensor in tensors.items() if not name.endswith("num_batches_tracked")}
    assert len(needed) < len(tensors)
    save_weights(tmp_path / "w", needed, HEADER)
    assert len(load(tmp_path / "w", "cpu")(np.zeros((40, 40, 3), np.uint8))) == 0
    del needed["answers.1.weight"]
    save_weights(tmp_path / "w", needed, HEADER)
    with pytest.raises(InputError, match="w: .*answers.1.weight"):
        load(tmp_path / "w", "cpu")


def test_settings_can_be_replaced(weights):
    predictor = load(weights, long_side=64, flip=True, scales=[1, 0.5], evidence="tags")
    settings = predictor.road.settings
    assert (settings.long_side, settings.flip, settings.scales, settings.evidence) == (64, True, (1.0, 0.5), "tags")
    with pytest.raises(SettingsError, match="unknown key 'longside'; did you mean 'long_side'"):
        load(weights, longside=64)
    with pytest.raises(SettingsError, match="settings: long_side is 5"):
        load(weights, long_side=5)


def test_images_paths_and_lists(predictor, picture, figures, tmp_path):
    image = picture((256, 192), figures)
    Image.fromarray(image).save(tmp_path / "a.png")
    for one in (image, tmp_path / "a.png", str(tmp_path / "a.png")):
        people = predictor(one)
        assert isinstance(people, People) and len(people) == 2
    several = predictor([image, tmp_path / "a.png", np.zeros((20, 30, 3), np.uint8)] * 3)
    assert [len(people) for people in several] == [2, 2, 0] * 3
    np.testing.assert_array_equal(several[0].joints, several[1].joints)
    assert predictor([]) == []
    assert predictor.clock.seconds.keys() == {"read", "network", "grouping"}


def test_bad_input_raises_and_names_the_file(predictor, tmp_path):
    (tmp_path / "a.jpg").write_text("no picture")
    with pytest.raises(InputError, match=r"a\.jpg: not a picture"):
        predictor([np.zeros((8, 8, 3), np.uint8), tmp_path / "a.jpg"])


@pytest.mark.parametrize(
    "change, named",
    [
        ({"network": {"name": "alexnet"}}, "alexnet"),
        ({"network": NETWORK | {"joints": 5}}, "do not make a system"),
        ({"network": NETWORK | {"colour": 5}}, "colour"),
        ({"skeleton": SKELETON | {"limbs": [[0, 99]]}}, "limb"),
        ({"skeleton": None}, "do not make a system"),
    ],
)
def test_a_file_that_makes_no_system_is_named(tmp_path, tensors, change, named):
    save_weights(tmp_path / "w", tensors, HEADER | change)
    with pytest.raises(InputError, match=f"(?s)w: .*{named}"):
        load(tmp_path / "w", "cpu")


@pytest.mark.parametrize("method", ["detector", "sideways", None])
def test_weights_of_other_methods_are_refused(tmp_path, tensors, method):
    save_weights(tmp_path / "w", tensors, HEADER | {"method": method})
    with pytest.raises(SettingsError, match=f"w: .*{method}.*, this version runs bottomup, topdown, keypoint_rcnn"):
        load(tmp_path / "w", "cpu")


def test_what_bottom_up_weights_cannot_be_asked_for_is_named(weights, tmp_path):
    (tmp_path / "det.json").write_text("[]")
    for asked, message in [
        ({"method": "topdown"}, "w.safetensors: weights of method 'bottomup', not 'topdown'"),
        ({"boxes": tmp_path / "det.json"}, "w.safetensors: weights of method 'bottomup' take no boxes"),
    ]:
        with pytest.raises(SettingsError, match=message):
            load(weights, "cpu", **asked)
    with pytest.raises(SettingsError, match="only top-down weights can be averaged"):
        load([weights, weights], "cpu")
    assert load(weights, "cpu", method="bottomup").files == (weights,)


def test_a_side_takes_the_place_of_the_stored_one(tmp_path, tensors):
    save_weights(tmp_path / "w", tensors, HEADER | {"road": {"height": 96}})
    assert load(tmp_path / "w", "cpu").road.settings.height == 96
    settings = load(tmp_path / "w", "cpu", short_side=64).road.settings
    assert (settings.long_side, settings.short_side, settings.height) == (None, 64, None)
    with pytest.raises(SettingsError, match="settings: long_side and height are both given"):
        load(tmp_path / "w", "cpu", height=64, long_side=64)


def test_wrong_road_settings_name_the_file(tmp_path, tensors):
    save_weights(tmp_path / "w", tensors, HEADER | {"road": {"long_sid": 3}})
    with pytest.raises(SettingsError, match="w: unknown key 'long_sid'"):
        load(tmp_path / "w", "cpu")


def test_a_device_that_is_absent_is_an_error_never_another(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert available_device("auto").type == available_device("cpu").type == "cpu"
    with pytest.raises(SettingsError, match="no CUDA device; take 'cpu'"):
        available_device("cuda")
    with pytest.raises(SettingsError, match="device is 'gpu', it must be one of auto, cpu, cuda"):
        available_device("gpu")
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    assert available_device("auto").type == available_device("cuda").type == "cuda"


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_people_agree_over_all_exif_orientations(predictor, picture, figures, tmp_path, suffix):
    image = picture((256, 192), figures)
    upright = predictor(image)
    for orientation in range(1, 9):
        stored = (256, 192) if orientation < 5 else (192, 256)
        warp, _ = Warp.exif(orientation, *stored)
        exif = Image.Exif()
        exif[0x0112] = orientation
        turned = warp.inverse().image(image, stored, nearest=True)
        Image.fromarray(turned).save(tmp_path / f"{orientation}.{suffix}", exif=exif, quality=95)
        people = predictor(tmp_path / f"{orientation}.{suffix}")
        assert len(people) == 2
        order, expected = (np.argsort(p.joints[:, 0, 0]) for p in (people, upright))
        np.testing.assert_allclose(people.joints[order], upright.joints[expected], atol=0.5)
