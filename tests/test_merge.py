"""`bottomup merge`: several native sets in one layout, audited, and trained on without punishing what a set lacks."""

from __future__ import annotations

import json
import re

import cv2
import numpy as np
import pytest
import torch
from pycocotools.coco import COCO

from bottomup.cli import main
from bottomup.core import COCO17, LABELLED, POSETRACK15, UNION21, UNKNOWN
from bottomup.core.layouts import missing_joints
from bottomup.data.augment import Augmentation
from bottomup.data.catalogue import data_set
from bottomup.data.coco import read_coco
from bottomup.data.loader import Mixture, collate
from bottomup.errors import DataError
from bottomup.targets.encode import Labels, encode
from tests.data import sets

SKELETONS = {"coco17": COCO17, "posetrack15": POSETRACK15, "union": UNION21}


@pytest.fixture
def folders(tmp_path):
    """COCO, MPII and PoseTrack 2018 and 2017 as released."""
    makers = {"coco": sets.coco_set, "mpii": sets.mpii_list, "posetrack18": sets.posetrack18,
              "posetrack17": sets.posetrack17}  # fmt: skip
    for name, make in makers.items():
        (tmp_path / name).mkdir()
        make(tmp_path / name)
    return {name: tmp_path / name for name in makers}


def run(folders, out, *more, layout="coco17"):
    """Exit code of the command, and what it wrote."""
    named = [part for name, folder in folders.items() for part in ("--set", f"{name}={folder}")]
    code = main(["merge", *named, "--layout", layout, "--out", str(out), *more])
    return code, json.loads((out / "merged.json").read_text()), (out / "report.md").read_text()


def of(content, source, kind="annotations"):
    return [record for record in content[kind] if record["source"] == source]


def humans(content, source):
    return [a for a in of(content, source) if not a["ignore"]]


@pytest.mark.parametrize("layout", SKELETONS)
def test_every_person_is_there_in_the_layout_and_says_where_it_comes_from(folders, tmp_path, layout):
    code, content, _ = run(folders, tmp_path / "out", layout=layout)
    skeleton = SKELETONS[layout]
    assert code == 0 and content["categories"][0]["keypoints"] == list(skeleton.joints)
    assert {a["source"] for a in content["annotations"]} == set(folders) == set(content["info"]["sets"])
    assert [len(humans(content, name)) for name in folders] == [1, 2, 1, 1]
    assert humans(content, "coco")[0]["original_id"] == 7 and of(content, "coco", "images")[0]["original_id"] == 9
    for annotation in content["annotations"]:
        assert len(annotation["keypoints"]) == 3 * len(skeleton)
        missing = missing_joints(data_set(annotation["source"]).skeleton, skeleton)
        flags = dict(zip(skeleton.joints, annotation["keypoints"][2::3], strict=True))
        assert not any(flags[joint] for joint in missing)
    ids = [record["id"] for kind in ("images", "annotations") for record in content[kind]]
    assert len(set(ids[: len(content["images"])])) == len(content["images"])


def test_joints_keep_their_place_and_flag(folders, tmp_path):
    _, content, _ = run(folders, tmp_path / "out", layout="union")
    joints = {name: np.reshape(humans(content, name)[0]["keypoints"], (-1, 3)).tolist() for name in folders}
    place = UNION21.joints.index
    assert joints["coco"][place("left_wrist")] == [19, 29, 1]
    assert joints["mpii"][place("pelvis")] == [16, 26, 2] and joints["mpii"][place("nose")] == [0, 0, 0]
    assert joints["posetrack18"][place("upper_neck")] == [11.5, 6, 2]
    assert joints["posetrack17"][place("right_elbow")] == [17.5, 12.25, 1]


def test_regions_tracks_heads_and_frames_without_labels_are_kept(folders, tmp_path):
    _, content, _ = run(folders, tmp_path / "out")
    kinds = {name: sorted(bool(a["ignore"]) for a in of(content, name)) for name in folders}
    assert kinds == {"coco": [False, True], "mpii": [False] * 2, "posetrack18": [False, True],
                     "posetrack17": [False, True, True]}  # fmt: skip
    person = humans(content, "posetrack18")[0]
    assert person["track_id"] == 3 and person["bbox_head"] == [10, 2, 8, 9]
    assert [image["is_labeled"] for image in of(content, "posetrack17", "images")] == [True, False]
    samples = read_coco(tmp_path / "out/merged.json")
    assert len(samples) == 5, "frames without labels are not pictures of nobody"


def test_the_reader_of_training_finds_the_pictures_and_pycocotools_the_people(folders, tmp_path):
    run(folders, tmp_path / "deep" / "out")
    path = tmp_path / "deep/out/merged.json"
    for sample in read_coco(path):
        assert sample.load().shape == (48, 64, 3)
    assert len(COCO(str(path)).getAnnIds()) == 9


def test_what_a_set_does_not_label_is_unknown_and_what_it_leaves_out_is_as_it_means_it(folders, tmp_path):
    run(folders, tmp_path / "out")
    mpii, second = [s for s in read_coco(tmp_path / "out/merged.json", source="mpii")][0], "right_ankle"
    face = [0, 1, 2, 3, 4]
    assert not mpii.labelled_joints[face].any() and mpii.labelled_joints[5:].all() and not mpii.everybody
    assert (mpii.known[:, face] == UNKNOWN).all()
    assert mpii.known[1, COCO17.joints.index(second)] == 0, "MPII labels all joints that are in the picture"
    (pose,) = read_coco(tmp_path / "out/merged.json", source="posetrack18")
    assert pose.labelled_joints[0] and (pose.known[0, 1:5] == UNKNOWN).all()
    assert pose.known[0, -1] == UNKNOWN, "PoseTrack leaves hidden joints out"
    (clip,) = read_coco(tmp_path / "out/merged.json", source="posetrack17")
    assert clip.people.ids.tolist() == [4] and clip.heads.tolist() == [[20, 2, 8, 10]]
    assert clip.visibility[0, COCO17.joints.index("right_elbow")] == 1


def test_no_cell_of_a_map_that_a_set_does_not_label_counts_in_the_loss(folders, tmp_path):
    run(folders, tmp_path / "out")
    samples = read_coco(tmp_path / "out/merged.json", source="mpii")
    mixture = Mixture([samples], [1], size=64, stride=4, skeleton=COCO17, augmentation=Augmentation(), seed=3)
    batch = collate([mixture[i] for i in range(6)])
    labels = Labels(batch.joints, batch.known, batch.confidence, batch.boxes, batch.picture)
    targets = encode(labels, batch.taught, batch.taught_joints, skeleton=COCO17, stride=4, sigma=1.75)
    assert not targets.heat_weights[:, :5].any() and targets.heat_weights[:, 5:].any()
    face = [e for e, limb in enumerate(COCO17.limbs) if min(limb) < 5]
    assert not targets.paf_weights[:, face].any()
    assert not torch.isin(targets.tag_cells[:, 1], torch.arange(5)).any()


def test_sources_are_drawn_one_by_one_and_a_wrong_one_is_named(folders, tmp_path):
    run(folders, tmp_path / "out")
    path = tmp_path / "out/merged.json"
    assert [len(read_coco(path, source=name)) for name in folders] == [2, 1, 1, 1]
    with pytest.raises(DataError, match="source 'lsp'.*coco, mpii"):
        read_coco(path, source="lsp")


def test_the_report_counts_maps_and_shows(folders, tmp_path):
    _, content, text = run(folders, tmp_path / "out", layout="posetrack15")
    assert "| left_wrist | 0 + 1 | 2 + 0 | 1 | 1 + 0 |" in text, "visible + hidden; PoseTrack 2018 does not tell"
    assert "| nose | 1 + 0 | – | 1 | 1 + 0 |" in text
    assert "| head_bottom | – | upper_neck | head_bottom | head_bottom |" in text
    assert "- coco: left_eye, right_eye, left_ear, right_ear have no place in posetrack15" in text
    assert (
        "| mpii | joint pelvis: not in the layout | 2 |" in text
        and "| coco | joint left_ear: not in the layout | 1 |" in text
    )
    pictures = re.findall(r"!\[.*?\]\((.*?)\)", text)
    assert len(pictures) == 4
    for path in pictures:
        assert cv2.imread(str(tmp_path / "out" / path)) is not None
    assert all(f"source: {name}" in text for name in folders)


def test_a_person_of_whom_nothing_is_left_becomes_a_region(tmp_path):
    sets.coco_set(tmp_path / "coco")
    path = tmp_path / "coco/annotations/person_keypoints_train2017.json"
    content = json.loads(path.read_text())
    ears = [[10, 10, 2] if k in (3, 4) else [0, 0, 0] for k in range(17)]
    content["annotations"].append(sets.coco_person(8, 25, ears))
    sets.write_json(path, content)
    code, merged, text = run({"coco": tmp_path / "coco"}, tmp_path / "out", layout="posetrack15")
    assert code == 0 and "people without a joint of the layout: kept as ignore regions | 1" in text
    assert [a["ignore"] for a in of(merged, "coco") if a["original_id"] == 8] == [True]


def test_pictures_in_two_sets_are_found(folders, tmp_path):
    source = folders["coco"] / "train2017/000000000009.jpg"
    (folders["posetrack18"] / "images/train/000001_mpii_train/000001.jpg").write_bytes(source.read_bytes())
    small = cv2.resize(cv2.imread(str(folders["coco"] / "train2017/000000000025.jpg")), (40, 30))
    cv2.imwrite(str(folders["mpii"] / "images/a.jpg"), small, [cv2.IMWRITE_JPEG_QUALITY, 60])
    _, content, text = run(folders, tmp_path / "out", "--near-duplicates")
    first, second = (i for i in content["images"] if "duplicate_of" in i)
    names = {image["id"]: image["file_name"] for image in content["images"]}
    pairs = {i["file_name"].split("/")[-1]: names[i["duplicate_of"]].split("/")[-1] for i in (first, second)}
    assert pairs == {"a.jpg": "000000000025.jpg", "000001.jpg": "000000000009.jpg"}
    assert "The same file in two sets: 1." in text and "most likely copies: 1." in text


def test_broken_items_stop_it_unless_they_are_to_be_left_out(folders, tmp_path, capsys):
    (folders["mpii"] / "images/a.jpg").unlink()
    arguments = ["merge", "--set", f"mpii={folders['mpii']}", "--layout", "coco17", "--out", str(tmp_path / "out")]
    assert main(arguments) == 2 and "picture a.jpg" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    code, content, text = run(folders, tmp_path / "out", "--skip-bad")
    assert code == 3 and not of(content, "mpii") and "a.jpg" in text
    noted = json.loads((tmp_path / "out/skipped.json").read_text())
    assert [(n["set"], n["item"]) for n in noted] == [("mpii", "picture a.jpg")]


@pytest.mark.parametrize("text", ["mpii", "mpii=", "=x", "mpi=x"])
def test_a_set_that_is_not_well_named_is_an_error(tmp_path, capsys, text):
    assert main(["merge", "--set", text, "--layout", "coco17", "--out", str(tmp_path)]) == 2
    assert "NAME=FOLDER" in capsys.readouterr().err or text == "mpi=x"


def test_the_same_set_from_two_folders_is_one_set(tmp_path):
    sets.coco_set(tmp_path / "a")
    sets.coco_set(tmp_path / "b", split="val")
    out = tmp_path / "out"
    assert main(["merge", "--set", f"coco={tmp_path / 'a'}", "--set", f"coco={tmp_path / 'b'}", "--layout", "coco17",
                 "--out", str(out)]) == 0  # fmt: skip
    content = json.loads((out / "merged.json").read_text())
    assert len(content["images"]) == 4 and list(content["info"]["sets"]) == ["coco"]


def test_the_real_samples_merge_with_all_their_people(shared_data, tmp_path):
    native = {name: shared_data / "native" / name for name in ("mpii", "crowdpose", "posetrack18", "jhmdb")}
    code, content, text = run(native, tmp_path / "out", layout="union")
    assert code == 0 and [len(humans(content, name)) for name in native] == [5, 4, 14, 3]
    outside = []
    for sample in read_coco(tmp_path / "out/merged.json", skeleton=UNION21):
        xy = sample.people.joints[sample.known == LABELLED][:, :2]
        outside += xy[((xy < -1) | (xy > sample.size)).any(1)].tolist()
        assert sample.load().shape[:2] == sample.size[::-1]
    assert len(outside) == 1, "a head top above the frame, in PoseTrack"
    assert "| posetrack18 | joints labelled outside their picture: kept as they are | 1 |" in text
