"""PoseTrack numbers: hand-worked, equal to the definition in plain loops, and perfect for the truth itself."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from bottomup.errors import DataError
from bottomup.files.posetrack import TrackedFrame, TrackedPerson, TrackedVideo, read_posetrack
from bottomup.metrics.judged_frames import judged_frames
from bottomup.metrics.posetrack import JOINTS, evaluate_posetrack

HEAD = (0.0, 0.0, 30.0, 40.0)  # diagonal 50: head size 30, so that 15 pixels are the reach


def person(x: float, track: int | None = 1, *, score: float | None = None, joints: int = 15) -> TrackedPerson:
    """Joints 100 pixels apart on a line at height x, the first `joints` of the 15."""
    points = np.zeros((15, 3))
    points[:joints] = [(100.0 * (j + 1), x + 1000, 1) for j in range(joints)]
    scores = None if score is None else np.full(15, score)
    return TrackedPerson(points, track, scores, head=HEAD)


def moved(someone: TrackedPerson, dy: float, joint: int | None = None, **changes) -> TrackedPerson:
    points = someone.joints.copy()
    points[slice(None) if joint is None else joint, 1] += dy
    return replace(someone, joints=points, **changes)


def video(*frames: list[TrackedPerson], name: str = "v", regions: tuple = ()) -> TrackedVideo:
    return TrackedVideo(name, tuple(TrackedFrame(n, f"v/{n:06d}.jpg", tuple(f), regions) for n, f in enumerate(frames)))


def test_truth_as_prediction_is_perfect_in_every_joint():
    truth = video([person(0, 1), person(500, 2)], [person(10, 1), person(510, 2)])
    numbers = evaluate_posetrack([truth], [truth])
    for joint in JOINTS:
        assert {name: numbers.joints[joint][name] for name in ("AP", "MOTA", "MOTP", "precision")} == {
            "AP": 100, "MOTA": 100, "MOTP": 100, "precision": 100,
        }  # fmt: skip
    assert numbers.total["AP"] == numbers.total["MOTA"] == 100 and numbers.total["switches"] == 0
    assert numbers.parts["Head"] == {"AP": 100, "MOTA": 100} and numbers.frames == 2


@pytest.mark.parametrize(("off", "reached"), [(14.9, True), (15.0, True), (15.1, False)])
def test_a_joint_may_be_half_a_head_off(off, reached):
    truth = video([person(0)])
    numbers = evaluate_posetrack([truth], [video([moved(person(0, score=1), off, joint=5)])])
    assert numbers.joints[JOINTS[5]]["AP"] == (100 if reached else 0)
    assert numbers.joints[JOINTS[6]]["AP"] == 100
    assert numbers.total["AP"] == pytest.approx(100 if reached else 100 * 14 / 15)
    assert numbers.joints[JOINTS[5]]["MOTP"] == pytest.approx(100 * (1 - off / 30)) if reached else True


def test_ap_of_three_answers_for_two_people():
    # sure ghost, found, found: precisions 0, 1/2, 2/3 at recalls 0, 1/2, 1: area = 2/3 + 0
    truth = video([person(0, 1), person(500, 2)])
    results = video([person(3000, 3, score=0.9), person(0, 1, score=0.8), person(500, 2, score=0.7)])
    numbers = evaluate_posetrack([truth], [results])
    assert numbers.total["AP"] == pytest.approx(100 * 2 / 3)
    assert numbers.total["precision"] == pytest.approx(100 * 2 / 3) and numbers.total["recall"] == 100
    assert numbers.total["MOTA"] == pytest.approx(50)  # of 2 people a joint, 1 false positive
    assert numbers.total["MOTprecision"] == pytest.approx(100 * 2 / 3) and numbers.total["MOTrecall"] == 100


def test_a_double_is_a_false_positive_and_the_better_one_stands():
    truth = video([person(0, 1)])
    worse = moved(person(0, 2, score=0.9), 100, joint=3)
    numbers = evaluate_posetrack([truth], [video([worse, person(0, 1, score=0.5)])])
    # the surer one shares 14 of 15 joints and stands for nobody: all its joints are false
    assert numbers.joints[JOINTS[0]]["AP"] == pytest.approx(50)
    assert numbers.joints[JOINTS[3]]["AP"] == pytest.approx(50)


def test_a_found_joint_that_the_truth_lacks_is_false():
    numbers = evaluate_posetrack([video([person(0, joints=14), person(500, 2)])], [video([person(0), person(500, 2)])])
    last = numbers.joints[JOINTS[14]]
    assert last["recall"] == 100 and last["precision"] == pytest.approx(50)
    assert last["MOTA"] == pytest.approx(0) and last["false_positives"] == 1


def test_id_switches_cost_mota_not_ap():
    truth = video(*([person(0, 1)] for _ in range(5)))
    results = video(*([person(0, track)] for track in (1, 1, 8, 8, 8)))
    numbers = evaluate_posetrack([truth], [results])
    assert numbers.total["AP"] == 100 and numbers.total["MOTA"] == pytest.approx(80)
    assert numbers.total["switches"] == 15
    assert numbers.official["MOTA"] == pytest.approx(75)  # four of the five frames are tracked


def test_an_empty_frame_costs_everybody_in_it_but_one_miss_and_one_ghost_officially():
    truth = video([person(0, 1), person(500, 2)], [person(0, 1), person(500, 2)], [person(0, 1)])
    results = video([], [person(0, 1), person(500, 2)], [person(0, 1)])
    numbers = evaluate_posetrack([truth], [results])
    assert numbers.total["MOTA"] == pytest.approx(100 * (1 - 2 / 5))
    assert numbers.official["MOTA"] == pytest.approx(100 * (1 - 2 / 3))  # one object there, two in the next frame
    assert numbers.total["recall"] == pytest.approx(100 * 3 / 5)


def test_frames_without_annotations_are_not_judged():
    truth = video([person(0)], [])
    numbers = evaluate_posetrack([truth], [video([person(0)], [person(900, 4)])])
    assert numbers.frames == 1 and numbers.total["AP"] == 100


def test_points_in_ignore_regions_do_not_count_on_either_side():
    region = np.array([(0.0, 1500.0), (2000, 1500), (2000, 2500), (0, 2500)])
    there = person(1000, 2)  # at height 2000
    truth = video([person(0), there], regions=(region,))
    assert evaluate_posetrack([truth], [video([person(0)])]).total["MOTA"] == 100
    assert evaluate_posetrack([truth], [video([person(0), moved(there, 200, track_id=9)])]).total["AP"] == 100
    on_the_border = person(500, 3)  # at height 1500: not inside
    numbers = evaluate_posetrack([truth], [video([person(0), on_the_border])])
    assert numbers.total["precision"] == pytest.approx(50)


def test_a_frame_whose_people_are_all_ignored_makes_every_answer_false():
    region = np.array([(0.0, 900.0), (2000, 900), (2000, 1100), (0, 1100)])
    truth = TrackedVideo("v", (TrackedFrame(0, "", (person(0),), (region,)), TrackedFrame(1, "", (person(0),))))
    results = video([person(600, 3)], [person(0)])
    numbers = evaluate_posetrack([truth], [results])
    assert numbers.frames == 2 and numbers.total["precision"] == pytest.approx(50)
    assert numbers.total["AP"] in (pytest.approx(50), pytest.approx(100))  # both have no score: either may be first


def test_joints_that_nobody_has():
    truth = video([person(0, joints=14)])
    numbers = evaluate_posetrack([truth], [truth])
    assert math.isnan(numbers.joints[JOINTS[14]]["AP"]) and math.isnan(numbers.joints[JOINTS[14]]["MOTA"])
    assert numbers.total["AP"] == 100
    assert numbers.official["AP"] == pytest.approx(100 * 14 / 15)  # the public tool counts 0 for it


def test_without_track_ids_there_is_ap_alone():
    numbers = evaluate_posetrack([video([person(0, None)])], [video([person(0, None)])])
    assert numbers.total == {"AP": 100, "precision": 100, "recall": 100}
    assert "MOTA" not in numbers.official


def test_several_videos_are_told_apart_by_name_and_tracks_do_not_run_on():
    truth = [video([person(0, 1)], name=name) for name in "ab"]
    results = [video([person(0, 5)], name="b"), video([person(0, 4)], name="a")]
    assert evaluate_posetrack(truth, results).total["switches"] == 0
    with pytest.raises(DataError, match="no video b"):
        evaluate_posetrack(truth, [results[1], replace(results[1], name="c")])
    with pytest.raises(DataError, match="no video c"):
        evaluate_posetrack(truth, [*results, replace(results[1], name="c")])


def test_frames_meet_by_id_or_name_or_place():
    truth = video([person(0)], [person(50)], [person(90)])
    backwards = replace(truth, frames=truth.frames[::-1])
    renumbered = [replace(f, image_id=100 + n, name=f"w/{f.name}") for n, f in enumerate(truth.frames)]
    elsewhere = [replace(f, name=f"else/{f.image_id}.png") for f in renumbered]
    for frames in (backwards.frames, truth.frames, renumbered[::-1], elsewhere):
        assert evaluate_posetrack([truth], [replace(truth, frames=tuple(frames))]).total["AP"] == 100
    with pytest.raises(DataError, match="2 frames are not among the truth's 3"):
        evaluate_posetrack([truth], [replace(truth, frames=tuple(elsewhere[:2]))])


def test_wrong_people_are_named():
    with pytest.raises(DataError, match="frame v/000000.jpg of the results: track_id 1 is given to two"):
        evaluate_posetrack([video([person(0)])], [video([person(0), person(500)])])
    with pytest.raises(DataError, match="person 1 of the truth has no head box"):
        evaluate_posetrack([video([replace(person(0), head=None)])], [video([])])


def plain_ap(truth: TrackedVideo, results: TrackedVideo, joint: int) -> float:
    """AP of one joint as the definition says it, person by person."""
    answers, labelled = [], 0
    for true, found in zip(truth.frames, results.frames, strict=True):
        if not true.people:
            continue
        labelled += sum(bool(p.joints[joint].any()) for p in true.people)

        def near(f, t, j):
            distance = math.dist(f.joints[j, :2], t.joints[j, :2]) / (0.6 * math.hypot(*t.head[2:]))
            return bool(f.joints[j].any() and t.joints[j].any() and distance <= 0.5)

        def share(f, t):
            return sum(near(f, t, j) for j in range(15)) / sum(bool(t.joints[j].any()) for j in range(15))

        favourite = [max(range(len(true.people)), key=lambda t: share(f, true.people[t])) for f in found.people]
        for number, f in enumerate(found.people):
            whom = true.people[favourite[number]]
            rivals = [n for n in range(len(found.people)) if favourite[n] == favourite[number]]
            best = max(rivals, key=lambda n: share(found.people[n], whom))
            right = best == number and share(f, whom) > 0 and near(f, whom, joint)
            if f.joints[joint].any():
                answers.append((f.scores[joint], right))
    answers.sort(key=lambda answer: -answer[0])
    points, hits = [], 0
    for rank, (_, right) in enumerate(answers, start=1):
        hits += right
        points.append((hits / labelled, hits / rank))
    area, before = 0.0, 0.0
    for number, (recall, _) in enumerate(points):
        area += (recall - before) * max(precision for _, precision in points[number:])
        before = recall
    return 100 * area


@pytest.mark.parametrize("seed", range(4))
def test_ap_equals_the_definition_in_plain_loops(seed):
    random = np.random.default_rng(seed)
    true_frames, found_frames = [], []
    for _ in range(6):
        people = [person(60.0 * n, n) for n in range(random.integers(0, 5))]
        answers = []
        for someone in people * 2:
            joints = someone.joints.copy()
            joints[:, :2] += random.normal(0, 14, (15, 2))
            joints[random.random(15) < 0.2] = 0
            if random.random() < 0.7:
                answers.append(TrackedPerson(joints, len(answers), random.random(15)))
        for someone in people:
            someone.joints[random.random(15) < 0.2] = 0
            someone.joints[0] = 100, 1000, 1
        true_frames.append(people)
        found_frames.append(answers)
    truth, results = video(*true_frames), video(*found_frames)
    numbers = evaluate_posetrack([truth], [results])
    for number, joint in enumerate(JOINTS):
        assert numbers.joints[joint]["AP"] == pytest.approx(plain_ap(truth, results, number), abs=1e-9)


def test_judged_frames_measure_in_head_sizes():
    (frame,) = judged_frames(video([person(0)]), video([moved(person(0), 6.0)]))
    assert frame.distances.shape == (1, 1, 15) and frame.distances == pytest.approx(np.full((1, 1, 15), 0.2))


@pytest.mark.parametrize("where", ["video/posetrack_bonn/annotations/val", "native/posetrack18/annotations/val"])
def test_real_truth_as_prediction_is_perfect(shared_data, where):
    folder = shared_data / where
    numbers = evaluate_posetrack(folder, folder)
    there = {joint: row for joint, row in numbers.joints.items() if row["objects"]}
    assert len(there) >= 14 and numbers.frames == sum(bool(f.people) for v in read_posetrack(folder) for f in v.frames)
    for row in there.values():
        assert row["AP"] == row["MOTA"] == row["MOTP"] == 100


def test_real_tracks_with_known_damage(shared_data):
    path = shared_data / "video" / "posetrack_bonn" / "annotations" / "val" / "470979_bonn_val.json"
    (truth,) = read_posetrack(path)
    # from frame 20 on, the first track has another id, and the last frame lost a person
    frames = [
        replace(
            f, people=tuple(replace(p, track_id=50 if p.track_id == 0 and n >= 20 else p.track_id) for p in f.people)
        )
        for n, f in enumerate(truth.frames)
    ]
    frames[-1] = replace(frames[-1], people=frames[-1].people[1:])
    numbers = evaluate_posetrack([truth], [replace(truth, frames=tuple(frames))])
    row = numbers.joints["left_wrist"]
    assert (row["objects"], row["switches"], row["misses"], row["false_positives"]) == (164, 1, 1, 0)
    assert row["MOTA"] == pytest.approx(100 * (1 - 2 / 164))
    assert numbers.official["MOTA"] == pytest.approx(100 * (1 - 1 / 160))  # without the last frame
