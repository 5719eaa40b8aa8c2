"""`bottomup compare` on results made elsewhere: the files it writes, and its errors."""

import json
import re

import numpy as np
import pytest

from bottomup import cli

JOINTS = np.stack([np.linspace(20, 80, 17), np.linspace(15, 90, 17), np.full(17, 2)], axis=1)


def people_of(image, shift=0.0, score=0.9):
    joints = JOINTS + [shift, 0, 0]
    return {"image_id": image, "category_id": 1, "keypoints": joints.reshape(-1).tolist(), "score": score}


def written(tmp_path):
    """gt.json of three pictures with a person each; exact.json; off.json, which misses one and is off on another."""
    images = [{"id": i, "file_name": f"{i}.png", "width": 100, "height": 100} for i in (1, 2, 3)]
    shape = {"bbox": [20, 15, 60, 75], "area": 3000, "iscrowd": 0, "num_keypoints": 17}
    people = [{"id": i} | people_of(i) | shape for i in (1, 2, 3)]
    contents = {
        "gt": {"images": images, "annotations": people},
        "exact": [people_of(i) for i in (1, 2, 3)],
        "off": [people_of(1), people_of(2, shift=6)],
    }
    for name, content in contents.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    return tmp_path


@pytest.fixture
def folder(tmp_path):
    return written(tmp_path)


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """The folder of a comparison of both."""
    folder = written(tmp_path_factory.mktemp("done"))
    assert compare(folder) == 0
    return folder / "out"


def compare(folder, *more, results=("exact", "off")):
    files = [str(folder / f"{name}.json") for name in results]
    arguments = ["compare", "--gt", str(folder / "gt.json"), "--results", *files, "--out", str(folder / "out")]
    return cli.main([*arguments, *map(str, more)])


def test_two_results_files_give_a_page_and_the_same_numbers_as_json_and_markdown(folder, capsys):
    assert compare(folder) == 0
    report = json.loads((folder / "out" / "report.json").read_text())
    exact, off = report["systems"]
    assert (exact["name"], off["name"]) == ("exact", "off")
    assert exact["numbers"]["AP"] == pytest.approx(1) and exact["interval"] == pytest.approx([1, 1])
    assert 0 < off["numbers"]["AP"] < 0.67 and exact["boxes"] == off["boxes"] == "not said"
    assert report["pairs"][0]["difference"] == pytest.approx(off["numbers"]["AP"] - 1)
    assert report["pictures"][0] == {"id": 3, "people": 1, "disagreement": 1.0, "F1": {"exact": 1.0, "off": 0.0}}
    markdown = (folder / "out" / "report.md").read_text()
    told = capsys.readouterr()
    assert markdown in told.out and "index.html" in told.err
    page = (folder / "out" / "index.html").read_text()
    for number in (f"{off['numbers']['AP']:.3f}", f"{off['interval'][0]:.3f}"):
        assert number in markdown and number in page


def test_the_lost_ap_is_shared_out_whole(done):
    exact, off = json.loads((done / "report.json").read_text())["systems"]
    shares = {step["name"]: step["share"] for step in off["errors"]["steps"]}
    assert sum(shares.values()) == pytest.approx(1) and shares["missed person"] > 0.3
    assert not any(step["share"] for step in exact["errors"]["steps"])


def test_the_page_needs_no_network(done):
    page = (done / "index.html").read_text()
    assert not re.findall(r"""(?:src|href)=["'](?!data:)[^"']+""", page)
    assert "default-src 'none'" in page and "url(" not in page and "import " not in page
    assert set(re.findall(r"https?://[^\s\"']+", page)) <= {"http://www.w3.org/2000/svg"}


def test_names_may_hold_anything(folder):
    names = "</script><b>", 'a "quoted" | name'
    assert compare(folder, "--names", *names) == 0
    page = (folder / "out" / "index.html").read_text()
    assert page.count("</script>") == 2 and "<b>" not in page
    data = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)[1]
    assert tuple(system["name"] for system in json.loads(data)["systems"]) == names
    assert "&#124; name" in (folder / "out" / "report.md").read_text()


def test_the_same_comparison_gives_the_same_page(done, folder):
    compare(folder)
    before, now = ((place / "index.html").read_text() for place in (done, folder / "out"))
    assert now.replace(str(folder), "") == before.replace(str(done.parent), "")


def test_a_settings_file_does_what_the_options_do(folder, monkeypatch):
    compare(folder, "--names", "A", "B")
    report = (folder / "out" / "report.json").read_text()
    monkeypatch.chdir(folder)
    systems = "[{name: A, results: exact.json}, {name: B, results: off.json, boxes: a detector's}]"
    (folder / "c.yaml").write_text(f"gt: wrong.json\nout: out2\nsystems: {systems}\n")
    assert cli.main(["compare", "c.yaml", f"gt={folder / 'gt.json'}"]) == 0
    other = json.loads((folder / "out2" / "report.json").read_text())
    assert other["systems"][1].pop("boxes") == "a detector's"
    expected = json.loads(report)
    del expected["systems"][1]["boxes"]
    for system in (*expected["systems"], *other["systems"]):
        del system["source"]
    assert other == expected


def test_crowdpose_has_its_own_nine_numbers_and_joints(folder):
    truth = json.loads((folder / "gt.json").read_text())
    for number, image in enumerate(truth["images"]):
        image["crowdIndex"] = 0.45 * number  # easy, medium, hard
    exact, off = (json.loads((folder / f"{name}.json").read_text()) for name in ("exact", "off"))
    for entry in (*truth["annotations"], *exact, *off):
        entry["keypoints"] = entry["keypoints"][: 3 * 14]
    for name, content in (("gt", truth), ("exact", exact), ("off", off)):
        (folder / f"{name}.json").write_text(json.dumps(content))
    assert compare(folder, "--metric", "crowdpose") == 0
    exact, off = json.loads((folder / "out" / "report.json").read_text())["systems"]
    assert {"APeasy", "APmedium", "APhard"} < set(exact["numbers"]) and exact["errors"] is None
    assert off["numbers"]["APeasy"] == pytest.approx(1) and off["numbers"]["APhard"] == 0


def test_files_of_one_name_are_told_apart_by_their_folders(folder):
    (folder / "other").mkdir()
    (folder / "other" / "exact.json").write_text("[]")
    assert compare(folder, results=("exact", "other/exact")) == 0
    names = [system["name"] for system in json.loads((folder / "out" / "report.json").read_text())["systems"]]
    assert names == [str(folder / "exact.json"), str(folder / "other" / "exact.json")]


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        (["--names", "A"], "1 --names for 2 systems"),
        (["--names", "A", "A"], "two systems are called 'A'"),
        (["--levels", "official"], "official"),
        (["--images", "nowhere"], "not found in nowhere"),
        (["--pictures", "-3"], "pictures is -3"),
    ],
)
def test_what_cannot_be_compared_is_one_line_and_nothing_is_written(folder, capsys, more, problem):
    assert compare(folder, *more) == 2
    assert problem in capsys.readouterr().err and not (folder / "out").exists()


@pytest.mark.parametrize(
    ("content", "problem"),
    [("{}", "holds"), ("[", "JSON"), ('[{"image_id": 7, "keypoints": [], "score": 1}]', "picture 7")],
)
def test_results_that_cannot_be_used_are_named_by_their_file(folder, capsys, content, problem):
    (folder / "bad.json").write_text(content)
    assert compare(folder, results=("exact", "bad")) == 2
    told = capsys.readouterr().err
    assert "bad.json" in told and problem in told


def test_missing_settings_are_named(capsys):
    assert cli.main(["compare", "--results", "a.json", "b.json"]) == 2
    told = capsys.readouterr().err
    assert "gt is missing" in told and "out is missing" in told
