"""Joints given anew: bids follow their definition, the best win, and nobody's side goes first."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bottomup.core import Skeleton
from bottomup.grouping import bids, group
from bottomup.grouping.bids import (
    LANES,
    add_fields,
    expected_place,
    fields_of_peaks,
    forget_fields,
    keep_bid,
    sum_expectations,
    write_evidence,
)
from bottomup.grouping.bodies import COLUMNS, RANK, measure_body
from bottomup.grouping.compile import callable_part
from bottomup.grouping.exchange import (
    FREE,
    HELD,
    award,
    bid_of_person,
    exchange_joints,
    people_with,
    room_for_bids,
)
from bottomup.grouping.tables import tables_of

add_fields, expected_place, fields_of_peaks = map(callable_part, (add_fields, expected_place, fields_of_peaks))
forget_fields, keep_bid, sum_expectations = map(callable_part, (forget_fields, keep_bid, sum_expectations))
write_evidence, measure_body, award = map(callable_part, (write_evidence, measure_body, award))
bid_of_person, people_with = callable_part(bid_of_person), callable_part(people_with)
BODY = np.array([(0.5, 0.05), (0.5, 0.2), (0.3, 0.3), (0.7, 0.3), (0.5, 0.55), (0.5, 0.95)])
TALL = 40.0  # cells
MIDDLE = 31.5  # column


@pytest.fixture(scope="module")
def lizard(drawn):
    """A skeleton with a prior of upright bodies that vary a little."""
    bodies = BODY + np.random.default_rng(0).normal(0, 0.04, (200, 6, 2))
    plain = drawn.LIZARD
    return Skeleton(plain.name, plain.joints, plain.limbs, plain.mirror, plain.sigmas, drawn.prior_of(bodies))


def two_bodies(gap=60.0, noise=0.0):
    """Peaks (12, 3) of two bodies side by side, sorted by joint: person p's joint k is peak 2 k + p."""
    places = np.stack([BODY * TALL + (10, 10), BODY * TALL + (10 + gap, 12)], 1).reshape(12, 2)
    places += np.random.default_rng(1).normal(0, noise, places.shape) if noise else 0
    return np.column_stack((places, np.linspace(0.9, 0.7, 12))).astype(np.float32)


def evidence(skeleton, peaks, start, *, limbs=(), tag=None):
    """All that `exchange_joints` goes by, by name; limbs: (one peak, the other, field)."""
    tables, n = tables_of(skeleton), len(peaks)
    pair = np.array([limb[:2] for limb in limbs], np.int64).reshape(-1, 2)
    begin, other, value = np.empty(n + 2, np.int64), np.empty(2 * len(limbs), np.int64), np.empty(2 * len(limbs))
    fields_of_peaks(n, pair, np.array([limb[2] for limb in limbs], np.float64), len(limbs), begin, other, value)
    tag = np.zeros((n, 0)) if tag is None else np.asarray(tag, np.float64).reshape(n, -1)
    rank = np.argsort(np.argsort(-peaks[:, 2], kind="stable"))
    columns = np.ascontiguousarray(peaks.T, np.float64)
    return {
        "spot": columns, "start": np.asarray(start), "rank": rank, "tag": tag, "middle": MIDDLE,
        "expect": tables.expect, "square": tables.square, "beside": tables.beside,
        "begin": begin, "other": other, "field": value,
    }  # fmt: skip


def exchanged(known, member, *, limb_due=0.0, share=False):
    """The members after two sweeps, in place."""
    exchange_joints(*known.values(), limb_due, 2, 3, share, *room_of(known), member)


def room_of(known):
    """What bids are made in."""
    K, L, sums = len(known["start"]) - 1, known["tag"].shape[1], known["expect"].shape[1]
    return room_for_bids(len(known["rank"]), K, L, sums, 3)


def bids_of(person, known, limb_due=bids.LIMB_DUE):
    """What a person bids: for every joint a dictionary from peaks to bids."""
    K = len(person)
    made, bid, room, first, whole, body, peak, worth, count = room_of(known)
    body, peak, worth, count, slot = body[0], peak[0], worth[0], count[0], whole[4]
    write_evidence(known["spot"], known["start"], known["tag"], MIDDLE, made, first, slot)
    bid_of_person(person, limb_due, made, first, slot, bid, *known.values(), room, body, peak, worth, count)
    assert not made[bids.FIELDS, : first[K]].any()
    return [dict(zip(peak[k, : count[k]].tolist(), worth[k, : count[k]].tolist(), strict=True)) for k in range(K)]


def members(*rows):
    """Pieces (n, 6), padded with empty ones to one a peak."""
    table = np.full((12, 6), -1, np.int64)
    table[: len(rows)] = rows
    return table


STARTS = np.arange(0, 13, 2)
RIGHT = members([0, 2, 4, 6, 8, 10], [1, 3, 5, 7, 9, 11])


def bid_of(skeleton, known, person, k, i):
    """Reference: what a person bids for peak i as joint k, term by term as the definition has it."""
    tables = tables_of(skeleton)
    worth = 0.3 * float(known["spot"][2, i])
    for j in [j for j in tables.beside[k] if j >= 0 and person[j] >= 0]:
        own = range(known["begin"][i], known["begin"][i + 1])
        fields = [known["field"][at] for at in own if known["other"][at] == person[j]]
        worth += sum(fields) - bids.LIMB_DUE
    if known["tag"].shape[1]:
        mean = np.mean([known["tag"][p] for p in person if p >= 0], 0)
        worth += 0.25 * max(1 - 2 * np.mean((known["tag"][i] - mean) ** 2), -3)
    if len(tables.prior):
        worth += 0.2 * (max(place_of(tables, known, person, k, i), -6) + 1.5)
    return worth


def place_of(tables, known, person, k, i):
    """Reference: the mean log density over the person's joints, weighted by how sure they are."""
    here = [j for j in range(6) if person[j] >= 0]
    spot = known["spot"][:2].T
    seen = sum(np.sum((spot[person[j]] - spot[person[m]]) ** 2.0) for j in here for m in here)
    height = np.sqrt(seen / sum(tables.prior[j, m, 6] for j in here for m in here if j != m))
    others = [j for j in here if j != k]
    say = np.exp([-0.7 * float(tables.prior[j, k, 5]) for j in others])
    total = 0.0
    for weight, j in zip(say, others, strict=True):
        mean_x, mean_y, xx, xy, yy, logdet, _ = tables.prior[j, k].astype(float)
        dx, dy = (spot[i] - spot[person[j]]) / height - (mean_x, mean_y)
        total -= 0.5 * weight * (xx * dx * dx + 2 * xy * dx * dy + yy * dy * dy + logdet)
    return total / say.sum()


def test_limbs_are_found_by_either_end():
    begin, other, field = np.empty(6, np.int64), np.empty(4, np.int64), np.empty(4)
    fields_of_peaks(4, np.array([[0, 2], [0, 3], [9, 9]]), np.array([0.5, 0.25, 9.0]), 2, begin, other, field)
    assert begin[:5].tolist() == [0, 2, 2, 3, 4]
    assert other.tolist() == [2, 3, 0, 0] and field.tolist() == [0.5, 0.25, 0.5, 0.25]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("with_prior", [True, False])
def test_bids_follow_their_definition(lizard, drawn, seed, with_prior):
    rng = np.random.default_rng(seed)
    skeleton = lizard if with_prior else drawn.LIZARD
    limbs = [
        (a, b, v) for a, b, v in ((0, 2, 0.75), (2, 4, 0.625), (6, 3, 0.375), (2, 8, 0.875), (3, 8, 0.25), (8, 11, 0.5))
    ]
    known = evidence(skeleton, two_bodies(25, 1.5), STARTS, limbs=limbs, tag=rng.normal(0, 1, (12, 2)))
    member = RIGHT.copy()
    member[rng.integers(2), rng.integers(6)] = -1
    for person in member[:2]:
        found = bids_of(person, known)
        for k in range(6):
            expected = {i: bid_of(skeleton, known, person, k, i) for i in (2 * k, 2 * k + 1)}
            assert found[k] == pytest.approx({i: v for i, v in expected.items() if v > bids.LEAST}, abs=1e-4)


def test_a_joint_is_expected_where_the_body_has_it(lizard):
    known, body, place = evidence(lizard, two_bodies(), STARTS), np.empty(6), np.empty(6)
    sums = np.empty(known["expect"].shape[1])
    measure_body(RIGHT[0], known["spot"], MIDDLE, known["rank"], known["square"], body)
    sum_expectations(RIGHT[0], body, known["spot"], MIDDLE, known["expect"], sums)
    assert expected_place(body, sums, 4, place)
    np.testing.assert_allclose(place[:2] + (MIDDLE, 0), known["spot"][:2, 8], atol=0.6)
    sum_expectations(np.full(6, -1), np.zeros(6), known["spot"], MIDDLE, known["expect"], sums)
    assert not expected_place(np.zeros(6), sums, 4, place)


def test_people_are_pieces_with_enough_joints():
    member = members([0, 2, 4, -1, 8, -1], [1, 3, -1, -1, -1, -1])
    able = np.empty(12, np.int64)
    assert people_with(member, 3, able) == 1 and able[0] == 0
    assert people_with(member, 2, able) == 2 and able[:2].tolist() == [0, 1]


@given(st.lists(st.integers(-2, 2), max_size=20), st.permutations(range(20)))
def test_the_best_bids_are_kept_best_first(values, rank):
    bid, rank = np.array([9, *values, 9], np.float32), np.array([99, *rank, 99])
    peak, worth, count = np.zeros(bids.MOST_BIDS, np.int64), np.zeros(bids.MOST_BIDS, np.float32), 0
    for i in range(1, len(values) + 1):
        count = keep_bid(i, bid[i], count, rank, peak, worth)
    best = sorted(range(1, len(values) + 1), key=lambda i: (-bid[i], rank[i]))[: bids.MOST_BIDS]
    assert peak[:count].tolist() == best and worth[:count].tolist() == bid[best].tolist()


def test_more_peaks_than_bids_are_made_at_a_time_are_all_bid_for(drawn):
    n, worm = 2 * LANES + 5, Skeleton("worm", ("head", "tail"), ((0, 1),), (0, 1), (0.1, 0.1))
    peaks = np.column_stack((np.zeros((n + 1, 2)), np.linspace(0.1, 0.9, n + 1)))
    known = evidence(worm, peaks, [0, n, n + 1])
    found = bids_of(np.array([0, n]), known)[0]
    assert list(found) == list(range(n - 1, n - 1 - bids.MOST_BIDS, -1))


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 5), st.integers(0, 3)), max_size=25))
def test_awards_are_those_of_going_through_all_bids_from_the_best_down(rows):
    rank, first = np.array([3, 0, 5, 1, 4, 2]), [4, 0, 3, 1, 2]
    given_bids = sorted(
        {(u, i): v for u, i, v in rows}.items(), key=lambda bid: (-bid[1], first[bid[0][0]], rank[bid[0][1]])
    )
    peak, worth, count = np.zeros((5, 1, 6), np.int64), np.zeros((5, 1, 6), np.float32), np.zeros((5, 1), np.int64)
    plain: dict[int, int] = {}
    for (u, i), value in given_bids:
        peak[u, 0, count[u, 0]], worth[u, 0, count[u, 0]] = i, value
        count[u, 0] += 1
        if u not in plain and i not in plain.values() and i != 5:
            plain[u] = i
    bodies, holder, won = np.zeros((5, COLUMNS)), np.array([FREE] * 5 + [HELD]), np.empty(5, np.int64)
    bodies[:, RANK] = first
    award(0, 5, peak, worth, count, bodies, holder, won)
    assert {u: int(peak[u, 0, won[u]]) for u in range(5) if won[u] < count[u, 0]} == plain
    assert {int(holder[i]): i for i in range(5) if holder[i] >= 0} == plain


@pytest.mark.parametrize("by", ["place", "fields", "tags"])
def test_joints_that_two_people_exchanged_go_back(lizard, drawn, by):
    bones = [(0, 2), (2, 4), (6, 2), (2, 8), (8, 10)]  # of the first; the second's peaks are one further
    limbs = [(a + p, b + p, 0.75) for p in (0, 1) for a, b in bones]
    tag = np.tile([0.0, 2.0], 6) if by == "tags" else None
    known = evidence(
        lizard if by == "place" else drawn.LIZARD,
        two_bodies(25.0),
        STARTS,
        limbs=limbs if by == "fields" else (),
        tag=tag,
    )
    member = members([0, 2, 5, 6, 8, 10], [1, 3, 4, 7, 9, 11])  # the left feet are the other's
    exchanged(known, member, limb_due=bids.LIMB_DUE if by == "fields" else 0.0)
    assert np.array_equal(member[:2], RIGHT[:2])


def test_a_joint_far_from_its_place_is_given_up(lizard):
    peaks = two_bodies()
    peaks[8, 0] -= 0.6 * TALL
    member = RIGHT.copy()
    exchanged(evidence(lizard, peaks, STARTS), member)
    assert member[0].tolist() == [0, 2, 4, 6, -1, 10] and member[1].tolist() == RIGHT[1].tolist()


def test_equal_bids_go_by_rank_and_nothing_depends_on_the_order_of_people(lizard):
    peaks = two_bodies(0.0)
    peaks[1::2, :2] = peaks[::2, :2]  # two people in one place
    known = evidence(lizard, peaks, STARTS)
    one, other = RIGHT.copy(), RIGHT[[1, 0, *range(2, 12)]].copy()
    for member in (one, other):
        exchanged(known, member)
    assert {tuple(row) for row in one[:2]} == {tuple(row) for row in other[:2]}


def test_a_peak_is_shared_if_enough_is_bid(lizard):
    peaks = two_bodies(8.0)
    for gap, shared in ((0, True), (0.4 * TALL, False)):
        member = renumbered(members([0, 2, 4, 6, -1, 10], [1, 3, 5, 7, 9, 11]))
        moved = np.delete(peaks, 8, 0)
        moved[8, 1] += gap / 4
        moved[[1, 3, 5, 7, 10], 0] += gap  # the other's body stands further away
        moved[8, 0] += gap
        exchanged(evidence(lizard, moved, [0, 2, 4, 6, 8, 9, 11]), member, share=True)
        assert (member[0, 4] == 8) == shared and member[1, 4] == 8


def renumbered(member):
    """The members after peak 8 is gone."""
    return np.where(member > 8, member - 1, member)[:11].copy()


def test_people_of_few_joints_share_nothing(lizard):
    member = members([0, 2, 4, -1, -1, -1], [1, 3, 5, 7, 9, 11])
    peaks = two_bodies(8.0)
    known = evidence(lizard, np.delete(peaks, [6, 8, 10], 0), [0, 2, 4, 6, 7, 8, 9])
    member = np.full((9, 6), -1)
    member[:2] = [0, 2, 4, -1, -1, -1], [1, 3, 5, 6, 7, 8]
    exchanged(known, member, share=True)
    assert (member[0] >= 0).sum() == 3


def test_fields_are_added_and_taken_away_again(lizard):
    known = evidence(lizard, two_bodies(), STARTS, limbs=[(2, 8, 0.5), (8, 10, 0.25), (9, 10, 0.125)])
    made, links, slot = np.zeros((bids.TAGS, 12), np.float32), (known["begin"], known["other"]), np.arange(12)
    add_fields(RIGHT[0], *links, known["field"], slot, made)
    assert made[bids.FIELDS, [2, 8, 9, 10]].tolist() == [0.5, 0.75, 0.125, 0.25]
    forget_fields(RIGHT[0], *links, slot, made)
    assert not made.any()


def test_a_wrong_join_is_mended(lizard, drawn):
    """A strong false field leads one person's neck to the other's hip; the exchange gives the hips back."""
    crowd = np.array([np.column_stack((BODY * TALL + (8 + 34 * p, 8), np.full(6, 0.9))) for p in (0, 1)])
    maps = drawn.draw(lizard, crowd, (60, 90))
    wrong = drawn.draw(lizard, crowd[[0, 1]][:, [0, 1, 2, 3, 4, 5]], (60, 90)).pafs
    swapped = crowd.copy()
    swapped[0, 4], swapped[1, 4] = crowd[1, 4], crowd[0, 4]
    wrong[3] = drawn.draw(lizard, swapped, (60, 90)).pafs[3]
    people = group(maps.heatmaps, pafs=0.7 * maps.pafs + 0.3 * wrong, skeleton=lizard, sigma=2)
    assert len(people) == 2
    for person in people.joints:
        own = crowd[np.argmin(np.abs(crowd[:, 0, 0] - person[0, 0]))]
        np.testing.assert_allclose(person[:, :2], own[:, :2], atol=0.1)
