"""Every reader on its set's native form: what it says, where, and that nothing of it is lost."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.io import savemat

from bottomup.core import MPII16, POSETRACK15
from bottomup.data.catalogue import DATA_SETS, data_set
from bottomup.data.reading import read_set
from bottomup.errors import DataError, SettingsError
from tests.data import sets


def only(name, folder, **options):
    """The one part of a set's labels."""
    (part,) = read_set(data_set(name), folder, **options).parts
    return part


def people(part):
    return [a for a in part.annotations if not a.get("ignore")]


def regions(part):
    return [a for a in part.annotations if a.get("ignore")]


def rows(annotation):
    return np.reshape(annotation["keypoints"], (-1, 3))


# ---------------------------------------------------------------- COCO form


@pytest.mark.parametrize("year", ["2014", "2017"])
def test_coco_in_the_folders_of_either_year(tmp_path, year):
    part = only("coco", sets.coco_set(tmp_path, year))
    (person,), (crowd,) = people(part), regions(part)
    assert person["original_id"] == 7 and person["area"] == 800 and rows(person)[9].tolist() == [19, 29, 1]
    assert crowd["segmentation"]["size"] == [48, 64] and crowd["bbox"] == [40, 0, 20, 20]
    assert all(picture().shape == (48, 64, 3) for picture in part.pictures.values()) and len(part.pictures) == 2


def test_only_the_training_split_is_read_unless_asked(tmp_path):
    sets.coco_set(tmp_path, split="train")
    sets.coco_set(tmp_path, split="val")
    train = read_set(data_set("coco"), tmp_path)
    assert [part.file.name for part in train.parts] == ["person_keypoints_train2017.json"]
    assert "person_keypoints_val2017.json" in str(train.left_out) and "split" in str(train.left_out.values())
    assert len(read_set(data_set("coco"), tmp_path, split="all").parts) == 2
    assert only("coco", tmp_path, split="val").file.name == "person_keypoints_val2017.json"
    named = tmp_path / "annotations" / "person_keypoints_val2017.json"
    assert only("coco", named).file == named and len(only("coco", named).pictures) == 2


def test_a_set_that_has_no_training_split_is_read_whole(tmp_path):
    assert only("coco", sets.coco_set(tmp_path, split="val")).file.name == "person_keypoints_val2017.json"


def test_the_real_crowdpose_sample(shared_data):
    part = only("crowdpose", shared_data / "native/crowdpose")
    assert sorted(image["crowdIndex"] for image in part.images) == [0.33, 0.39]
    assert len(people(part)) == 4 and len(regions(part)) == 1, "a person without joints is a region"
    flags = np.concatenate([rows(a)[:, 2] for a in people(part)])
    assert ((flags > 0).sum(), (flags == 1).sum()) == (47, 17)
    assert all(a["area_is_estimate"] and a["area"] == pytest.approx(0.53 * a["bbox"][2] * a["bbox"][3], abs=0.01)
               for a in people(part))  # fmt: skip


# ---------------------------------------------------------------- MPII


def test_mpii_lists_count_from_one_and_group_by_picture(tmp_path):
    part = only("mpii", sets.mpii_list(tmp_path))
    first, second = people(part)
    assert len(part.images) == 1 and part.images[0]["width"] == 64, "the size is the picture's own"
    assert rows(first)[0].tolist() == [10, 20, 2] and first["center"] == [19, 29] and first["scale"] == 0.2
    assert rows(second)[[0, 5]].tolist() == [[0, 0, 0]] * 2 and second["num_keypoints"] == 14
    assert second["bbox_from"] == "joints"
    x, y, w, h = first["bbox"]
    assert x < 10 and y < 20 and x + w > 25 and y + h > 35 and x >= 0 and y + h <= 48


def mpii_matlab(folder):
    def points(ids, **more):
        return sets.structs(
            *({"x": 11.0 + i, "y": 21.0 + i, "id": i, **{k: v(i) for k, v in more.items()}} for i in ids)
        )

    head = {"x1": 3.0, "y1": 5.0, "x2": 13.0, "y2": 17.0}
    place = {"scale": 0.2, "objpos": {"x": 33.0, "y": 25.0}}
    full = (
        head
        | place
        | {"annopoints": {"point": points(range(16), is_visible=lambda i: ["1", "0", np.zeros((0, 0))][i % 3])}}
    )
    silent = head | place | {"annopoints": np.zeros((0, 0))}
    one_point = place | {"annopoints": {"point": points([9])}}
    entries = sets.structs(
        {"image": {"name": "a.jpg"}, "annorect": sets.structs(full, silent)},
        {"image": {"name": "b.jpg"}, "annorect": one_point},
        {"image": {"name": "c.jpg"}, "annorect": head},
        {"image": {"name": "d.jpg"}, "annorect": np.zeros((0, 0))},
        {"image": {"name": "e.jpg"}, "annorect": np.zeros((0, 0))},
    )
    for seed, name in enumerate("abcde"):
        sets.picture(folder / "images" / f"{name}.jpg", seed=seed)
    savemat(folder / "mpii_human_pose_v1_u12_1.mat", {"RELEASE": {"annolist": entries, "img_train": [1, 1, 1, 1, 0]}})
    return folder


def test_mpii_as_released_with_fields_that_lack_in_every_way(tmp_path):
    part = only("mpii", mpii_matlab(tmp_path))
    assert [image["file_name"] for image in part.images] == ["a.jpg", "b.jpg", "c.jpg", "d.jpg"], "no test pictures"
    full, one_point = people(part)
    assert rows(full)[:3].tolist() == [[10, 20, 2], [11, 21, 1], [12, 22, 2]], "visible, hidden, not told"
    assert full["bbox_head"] == [2, 4, 10, 12] and full["center"] == [32, 24] and full["original_id"] == "0/0"
    assert np.flatnonzero(rows(one_point)[:, 2]).tolist() == [9]
    silent, head_only = regions(part)
    assert silent["bbox"] == [12, 4, 40, 40] and head_only["bbox"] == [2, 4, 10, 12]
    assert [image["is_labeled"] for image in part.images] == [True, True, False, False]
    assert len(only("mpii", tmp_path, split="all").images) == 5
    (test,) = read_set(data_set("mpii"), tmp_path, split="test").parts
    assert [image["file_name"] for image in test.images] == ["e.jpg"]


def test_the_real_mpii_groups_are_read_as_people_of_the_released_form(shared_data):
    from bottomup.data.matlab import field, items, read_matlab
    from bottomup.data.mpii import matlab_people

    groups = read_matlab(shared_data / "native/mpii_multi_groups/mpi_val_groundtruth.mat")["annolist_test_multi"]
    found = [list(matlab_people(i, items(field(group, "annorect")))) for i, group in enumerate(groups)]
    assert len(found) == 350 and sum(map(len, found)) == 902
    joints = np.array([rows(p) for group in found for p in group if "keypoints" in p])
    assert joints.shape[1:] == (16, 3) and set(np.unique(joints[..., 2])) == {0, 1, 2}
    # heads are above hips in nearly all, so that ids are not mixed up
    known = (joints[:, [9, 6], 2] > 0).all(1)
    assert (joints[known, 9, 1] < joints[known, 6, 1]).mean() > 0.9


def test_the_real_mpii_list_and_its_neighbours(shared_data):
    read = read_set(data_set("mpii"), shared_data / "native/mpii")
    assert len(people(read.parts[0])) == 5 and "test_mpii_trb.json" in str(read.left_out)
    person = next(a for a in people(read.parts[0]) if a["image_id"] == "005808361.jpg")
    assert rows(person)[0].tolist() == [803, 710, 2]


# ---------------------------------------------------------------- PoseTrack


def test_posetrack_2017(tmp_path):
    part = only("posetrack17", sets.posetrack17(tmp_path))
    (person,), (head, region) = people(part), regions(part)
    joints = dict(zip(POSETRACK15.joints, rows(person).tolist(), strict=True))
    assert joints["right_ankle"] == [10.5, 5.25, 2] and joints["head_bottom"] == [22.5, 17.25, 2]
    assert joints["right_elbow"] == [17.5, 12.25, 1], "hidden"
    assert joints["head_top"] == [0, 0, 0], "not labelled"
    assert joints["nose"] == [23.5, 18.25, 2]
    assert person["track_id"] == 4 and person["bbox_head"] == [20, 2, 8, 10] and head["bbox"] == [20, 2, 8, 10]
    assert region["segmentation"] == [[40, 0, 60, 0, 60, 20, 40, 20]] and region["bbox"] == [40, 0, 20, 20]
    assert [image["is_labeled"] for image in part.images] == [True, False]


@pytest.mark.parametrize(("name", "year"), [("posetrack18", 2018), ("posetrack21", 2021)])
def test_posetrack_2018_and_2021(tmp_path, name, year):
    part = only(name, sets.posetrack18(tmp_path, year))
    (person,), (region,) = people(part), regions(part)
    assert rows(person)[3].tolist() == [15.5, 10, 2], "left shoulder follows head_top, ears have no slot; 1 is labelled"
    assert rows(person)[14].tolist() == [0, 0, 0] and person["num_keypoints"] == 14
    assert (person["track_id"], person["bbox_head"], person["original_id"]) == (3, [10, 2, 8, 9], 100)
    assert region["segmentation"] == [[40, 0, 60, 0, 60, 20, 40, 20]]
    assert [image["is_labeled"] for image in part.images] == [True, False] and part.images[0]["width"] == 64


def test_an_empty_head_box_of_posetrack_is_none(tmp_path):
    sets.posetrack18(tmp_path)
    path = tmp_path / "annotations/train/000001_mpii_train.json"
    content = json.loads(path.read_text())
    content["annotations"][0]["bbox_head"] = []
    path.write_text(json.dumps(content))
    (person,) = people(only("posetrack18", tmp_path))
    assert "bbox_head" not in person and person["num_keypoints"] == 14


def test_hidden_joints_of_posetrack_are_told_where_a_file_does(tmp_path):
    sets.posetrack18(tmp_path)
    path = tmp_path / "annotations/train/000001_mpii_train.json"
    content = json.loads(path.read_text())
    content["annotations"][0]["occluded"] = [1 if k == 5 else 0 for k in range(17)]
    sets.write_json(path, content)
    (person,) = people(only("posetrack18", tmp_path))
    assert rows(person)[:, 2].tolist() == [2, 2, 2, 1, *[2] * 10, 0]


def test_the_same_clip_in_both_forms_says_the_same(shared_data):
    top = shared_data / "video/posetrack_bonn"
    old = only("posetrack17", top / "annotations_2017/val/470979_bonn_val.json")
    new = only("posetrack18", top / "annotations/val/470979_bonn_val.json")
    assert len(people(old)) == len(people(new)) == 164
    key = {image["id"]: image["file_name"] for part in (old, new) for image in part.images}
    first = {(key[a["image_id"]], a["track_id"]): rows(a) for a in people(old)}
    second = {(key[a["image_id"]], a["track_id"]): rows(a) for a in people(new)}
    assert first.keys() == second.keys()
    for name, joints in first.items():
        np.testing.assert_array_equal(joints[:, 2], second[name][:, 2])
        np.testing.assert_allclose(joints, second[name], atol=0.002)


def test_the_real_posetrack_18_sample(shared_data):
    parts = read_set(data_set("posetrack18"), shared_data / "native/posetrack18").parts
    assert sum(len(people(part)) for part in parts) == 14
    assert sum(a["num_keypoints"] for part in parts for a in people(part)) == 182
    assert sum(len(regions(part)) for part in parts) == 15


def test_a_form_of_another_year_is_told(tmp_path):
    sets.posetrack17(tmp_path)
    with pytest.raises(DataError, match="bonn.json: the 2017 form .* posetrack17"):
        read_set(data_set("posetrack18"), tmp_path)
    sets.posetrack18(tmp_path / "new")
    with pytest.raises(DataError, match="000001_mpii_train.json: the form of PoseTrack 2018 .* posetrack18"):
        read_set(data_set("posetrack17"), tmp_path / "new")


# ---------------------------------------------------------------- JHMDB and LSP


def jhmdb(folder):
    positions = np.stack([np.stack([np.arange(15) + 2.0 + t, np.arange(15) + 12.0]) for t in range(3)], -1)
    for clip in ("run_1", "run_2"):
        path = folder / "joint_positions" / "run" / clip / "joint_positions.mat"
        path.parent.mkdir(parents=True)
        savemat(path, {"pos_img": positions})
        for frame in range(3):
            sets.picture(folder / "Rename_Images" / "run" / clip / f"{frame + 1:05d}.png", seed=frame)
    (folder / "splits").mkdir()
    (folder / "splits" / "run_test_split1.txt").write_text("run_1.avi 1\nrun_2.avi 2\n")
    return folder


def test_jhmdb_as_released(tmp_path):
    parts = read_set(data_set("jhmdb"), jhmdb(tmp_path)).parts
    images = [image for part in parts for image in part.images]
    assert [image["file_name"] for image in images] == [f"run/run_1/0000{t}.png" for t in (1, 2, 3)]
    person = people(parts[0])[1]
    assert rows(person)[4].tolist() == [6, 15, 2], "Matlab counts from 1"
    assert person["track_id"] == 0 and images[1]["vid_id"] == "run_1"
    every = read_set(data_set("jhmdb"), tmp_path, split="all").parts
    assert sum(len(part.images) for part in every) == 6


def test_the_real_jhmdb_sample(shared_data):
    part = only("jhmdb", shared_data / "native/jhmdb")
    assert len(people(part)) == 3 and all(a["num_keypoints"] == 15 for a in people(part))


def lsp(folder, shape):
    joints = np.zeros((14, 3, 2))
    joints[..., 0] = np.stack([np.arange(14) + 1.5, np.arange(14) + 2.5, np.arange(14) % 2], 1)
    joints[..., 1] = joints[..., 0] + (20, 20, 0)
    savemat(folder / "joints.mat", {"joints": joints if shape == "extended" else joints.transpose(1, 0, 2)})
    digits = 5 if shape == "extended" else 4
    for k in (1, 2):
        sets.picture(folder / "images" / f"im{k:0{digits}d}.jpg", seed=k)
    return folder


def test_the_third_number_of_lsp_means_the_opposite_in_each_set(tmp_path):
    (tmp_path / "old").mkdir()
    (tmp_path / "new").mkdir()
    extended, older = only("lsp_extended", lsp(tmp_path / "new", "extended")), only("lsp", lsp(tmp_path / "old", "old"))
    assert rows(people(extended)[1])[:2].tolist() == [[0, 0, 0], [22.5, 23.5, 2]], "labelled or not"
    assert rows(people(older)[1])[:2].tolist() == [[21.5, 22.5, 2], [22.5, 23.5, 1]], "hidden or not"


def test_the_real_extended_lsp(shared_data):
    read = read_set(data_set("lsp_extended"), shared_data / "native/lsp_extended", skip_bad=True)
    assert len(read.parts[0].images) == 5 and len(read.problems.noted) == 9995
    assert read.problems.noted[0]["item"] == "picture im00006.jpg"


# ---------------------------------------------------------------- what is wrong


def broken_coco(folder, change):
    sets.coco_set(folder)
    path = folder / "annotations/person_keypoints_train2017.json"
    content = json.loads(path.read_text())
    change(content)
    sets.write_json(path, content)
    return folder


WRONG = {
    "picture missing": (lambda c: c["images"][1].update(file_name="gone.jpg"), "picture gone.jpg.*not found in"),
    "short keypoints": (
        lambda c: c["annotations"].append(sets.coco_person(8, 9, [[1, 2, 2]])),
        "annotation 8 .*51.* 3",
    ),
    "strange flag": (
        lambda c: c["annotations"].append(sets.coco_person(8, 9, [[1, 2, 7]] * 17)),
        "annotation 8 .*flag",
    ),
    "not finite": (
        lambda c: c["annotations"][0].update(bbox=[0, 0, float("nan"), 5]),
        "annotation 7 .*bbox.*not finite",
    ),
    "no such picture": (lambda c: c["annotations"][0].update(image_id=5), "annotation 7 .*image_id 5"),
    "no picture named": (lambda c: c["annotations"][0].pop("image_id"), "annotation 7 has no image_id"),
    "one id twice": (lambda c: c["images"][1].update(id=9), "id 9 of another picture"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_broken_is_named_with_its_file_and_can_be_left_out(tmp_path, case):
    change, words = WRONG[case]
    broken_coco(tmp_path, change)
    with pytest.raises(DataError, match=words) as error:
        read_set(data_set("coco"), tmp_path)
    assert "person_keypoints_train2017.json" in str(error.value) and "--skip-bad" in str(error.value)
    read = read_set(data_set("coco"), tmp_path, skip_bad=True)
    assert len(read.problems.noted) == 1 and read.parts[0].images


def test_a_broken_person_of_every_other_form_is_named(tmp_path):
    sets.posetrack17(tmp_path / "17")
    path = tmp_path / "17/annotations/train/bonn.json"
    path.write_text(path.read_text().replace('"id": [3]', '"id": [77]'))
    with pytest.raises(DataError, match="bonn.json: annotation images/bonn/00000001.jpg#0 .*id 77"):
        read_set(data_set("posetrack17"), tmp_path / "17")
    sets.mpii_list(tmp_path / "mpii")
    path = tmp_path / "mpii/annot/train.json"
    people = json.loads(path.read_text())
    people[1]["joints"] = people[1]["joints"][:-1]
    sets.write_json(path, people)
    with pytest.raises(DataError, match="train.json: annotation 1 "):
        read_set(data_set("mpii"), tmp_path / "mpii")
    assert len(read_set(data_set("mpii"), tmp_path / "mpii", skip_bad=True).parts[0].annotations) == 1


def test_a_file_of_another_set_is_not_taken_for_this_one(shared_data):
    with pytest.raises(DataError, match="another order"):
        read_set(data_set("crowdpose"), shared_data / "native/aic/test_aic.json")
    with pytest.raises(DataError, match="408 numbers"):
        read_set(data_set("coco"), shared_data / "native/halpe")


def test_a_folder_without_labels_says_what_was_looked_for(tmp_path):
    with pytest.raises(DataError, match="no labels of mpii here .*annot/train.json"):
        read_set(data_set("mpii"), tmp_path)
    with pytest.raises(DataError, match="no such folder"):
        read_set(data_set("mpii"), tmp_path / "none")


def test_sets_go_by_several_names_and_a_wrong_one_lists_them():
    assert data_set("PoseTrack-2018").name == "posetrack18" and data_set("COCO2017").name == "coco"
    assert data_set("LSPE").name == data_set("lsp-extended").name == "lsp_extended"
    with pytest.raises(SettingsError, match="did you mean mpii.*crowdpose"):
        data_set("mpi")


def test_every_row_of_the_catalogue_is_whole():
    for name, kind in DATA_SETS.items():
        assert kind.name == name and kind.layouts and kind.terms and kind.home
        assert kind.unlabelled in ("absent", "unknown")
    assert DATA_SETS["mpii"].skeleton is MPII16
