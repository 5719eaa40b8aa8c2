"""Joints given anew: bids follow their definition, the best win, and nobody's side goes first."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bottomup.core import Skeleton
from bottomup.grouping import group
from bottomup.grouping.bids import (
    CENTRE_X,
    CENTRE_Y,
    COUNT,
    HEIGHT,
    SIZE,
    Bids,
    Evidence,
    add_fields,
    expected_place,
    fields_of_peaks,
    measure_person,
    write_bids,
)
from bottomup.grouping.exchange import award, exchange_joints, next_bid, people_with, settle, share_peaks
from bottomup.grouping.tables import tables_of

BODY = np.array([(0.5, 0.05), (0.5, 0.2), (0.3, 0.3), (0.7, 0.3), (0.5, 0.55), (0.5, 0.95)])
BIDS = Bids()
WITHOUT_FIELDS = BIDS._replace(limb_due=0.0)
TALL = 40.0  # cells


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
    """All that bids go by; limbs: (one peak, the other, field)."""
    tables, n = tables_of(skeleton), len(peaks)
    pair = np.array([limb[:2] for limb in limbs], np.int64).reshape(-1, 2)
    field = np.array([limb[2] for limb in limbs], np.float64)
    tag = np.zeros((n, 0)) if tag is None else np.asarray(tag, np.float64).reshape(n, -1)
    rank = np.argsort(np.argsort(-peaks[:, 2], kind="stable"))
    columns = np.ascontiguousarray(peaks.T, np.float64)
    body = (tables.expect, tables.square, tables.beside)
    return Evidence(columns, np.asarray(start), rank, tag, *body, *fields_of_peaks(n, pair, field, len(limbs)))


def measured(person, known):
    """Size, mean tag (1, L) and rank of the best peak of a person (K,)."""
    size, mean = np.empty(SIZE), np.empty((1, known.tag.shape[1]))
    return size, mean, measure_person(person, known, size, mean[0])


def members(*rows):
    """Pieces (n, 6), padded with empty ones to one a peak."""
    table = np.full((12, 6), -1, np.int64)
    table[: len(rows)] = rows
    return table


STARTS = np.arange(0, 13, 2)
RIGHT = members([0, 2, 4, 6, 8, 10], [1, 3, 5, 7, 9, 11])


def bid_of(skeleton, known, member, a, k, i, bids=BIDS):
    """Reference: what person a bids for peak i as joint k, term by term as the definition has it."""
    tables, person = tables_of(skeleton), member[a]
    worth = bids.height * float(known.spot[2, i])
    for j in [j for j in tables.beside[k] if j >= 0 and person[j] >= 0]:
        own = range(known.begin[i], known.begin[i + 1])
        fields = [known.field[at] for at in own if known.other[at] == person[j]]
        worth += sum(fields) - bids.limb_due
    if known.tag.shape[1]:
        mean = np.mean([known.tag[p] for p in person if p >= 0], 0)
        worth += bids.tag * max(1 - 2 * np.mean((known.tag[i] - mean) ** 2), -3)
    if len(tables.prior):
        worth += bids.place * (max(place_of(tables, known, person, k, i), bids.place_worst) + bids.place_usual)
    return worth


def place_of(tables, known, person, k, i):
    """Reference: the mean log density over the person's joints, weighted by how sure they are."""
    here = [j for j in range(6) if person[j] >= 0]
    spot = known.spot[:2].T
    seen = sum(np.sum((spot[person[j]] - spot[person[m]]) ** 2.0) for j in here for m in here)
    height = np.sqrt(seen / sum(tables.prior[j, m, 6] for j in here for m in here if j != m))
    others = [j for j in here if j != k]
    say = np.exp([-0.7 * float(tables.prior[j, k, 5]) for j in others])
    say[say <= 0.05 * say.max()] = 0
    total = 0.0
    for weight, j in zip(say, others, strict=True):
        mean_x, mean_y, xx, xy, yy, logdet, _ = tables.prior[j, k].astype(float)
        dx, dy = (spot[i] - spot[person[j]]) / height - (mean_x, mean_y)
        total -= 0.5 * weight * (xx * dx * dx + 2 * xy * dx * dy + yy * dy * dy + logdet)
    return total / say.sum()


def test_limbs_are_found_by_either_end():
    begin, other, field = fields_of_peaks(4, np.array([[0, 2], [0, 3], [9, 9]]), np.array([0.5, 0.25, 9.0]), 2)
    assert begin.tolist() == [0, 2, 2, 3, 4]
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
    fields, bid, peak, worth = np.zeros(12), np.empty(12), np.empty(12, np.int64), np.empty(12)
    for a in (0, 1):
        size, mean, _ = measured(member[a], known)
        for k in range(6):
            expected = [bid_of(skeleton, known, member, a, k, i) for i in (2 * k, 2 * k + 1)]
            for least in (-99.0, BIDS.least):
                end = write_bids(member[a], k, size, mean, 0, known, BIDS, least, fields, bid, peak, worth, 1)
                good = [z for z in (0, 1) if expected[z] > least]
                assert peak[1:end].tolist() == [2 * k + z for z in good]
                np.testing.assert_allclose(worth[1:end], [expected[z] for z in good], atol=1e-4)
    assert not fields.any()


def test_a_joint_is_expected_where_the_body_has_it(lizard):
    known = evidence(lizard, two_bodies(), STARTS)
    size, _, _ = measured(RIGHT[0], known)
    size[HEIGHT] = TALL
    p0, xx, yy, xy, x, y = expected_place(RIGHT[0], known.expect[4], size, known.spot)
    top = np.linalg.solve([[2 * xx, xy], [xy, 2 * yy]], [-x, -y]) + size[[CENTRE_X, CENTRE_Y]]
    np.testing.assert_allclose(top, known.spot[:2, 8], atol=0.6)
    assert expected_place(members([-1] * 6)[0], known.expect[4], size, known.spot)[1] == 0


def test_people_are_pieces_with_enough_joints_and_are_measured(lizard):
    known = evidence(lizard, two_bodies(), STARTS, tag=np.tile([1.0, 5.0], 6))
    member = members([0, 2, 4, -1, 8, -1], [1, 3, -1, -1, -1, -1])
    assert people_with(member, 3).tolist() == [0] and people_with(member, 2).tolist() == [0, 1]
    size, mean, best = measured(member[0], known)
    assert size[HEIGHT] == pytest.approx(TALL, rel=0.1) and size[COUNT] == 4 and best == 0 and mean.tolist() == [[1]]
    np.testing.assert_allclose(size[[CENTRE_X, CENTRE_Y]], known.spot[:2, [0, 2, 4, 8]].mean(1))
    assert measured(members([-1] * 6)[0], known)[2] == 12


def test_the_best_bid_wins_and_a_peak_goes_to_one_person():
    member, taken = members([0, 2, 4, -1, -1, -1], [1, 3, 5, -1, -1, -1]), np.zeros(12, bool)
    taken[[0, 1, 2, 3, 4, 5]] = True
    able, moved, rank, winner = np.array([0, 1]), np.zeros(2, bool), np.arange(12), np.full(12, -1)
    span, peak, worth = np.array([[1, 3], [0, 1]]), np.array([4, 4, 5]), np.array([0.9, 0.8, 0.7])
    bidding, first = np.ones(2, bool), np.array([0, 1])
    settle(2, able, bidding, span, peak, worth, rank, first, taken, winner, member, moved)
    assert member[1, 2] == 4 and member[0, 2] == 5 and moved.all() and (winner == -1).all()
    span[0, 1] = 2  # only the first peak is bid for
    settle(2, able, bidding, span, peak, worth, rank, first, taken, winner, member, moved)
    assert member[1, 2] == 4 and member[0, 2] == -1 and not taken[5]
    bidding[:] = False
    settle(2, able, bidding, span[:, [0, 0]], peak, worth, rank, first, taken, winner, member, moved)
    assert member[1, 2] == 4  # who does not bid keeps what there is


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 5), st.integers(0, 3)), max_size=25))
def test_awards_are_those_of_going_through_all_bids_from_the_best_down(rows):
    bids = sorted({(u, i): value for u, i, value in rows}.items())
    span = np.array([[sum(u < p for (u, _), _ in bids), sum(u <= p for (u, _), _ in bids)] for p in range(5)])
    peak, worth = np.array([i for (_, i), _ in bids], np.int64), np.array([v for _, v in bids], np.float64)
    rank, first, taken = np.array([3, 0, 5, 1, 4, 2]), np.array([4, 0, 3, 1, 2]), np.arange(6) == 5
    won, winner = np.empty(5, np.int64), np.full(6, -1)
    award(span, peak, worth, rank, first, taken, winner, won)
    plain: dict[int, int] = {}
    for (u, i), _ in sorted(bids, key=lambda bid: (-bid[1], first[bid[0][0]], rank[bid[0][1]])):
        if u not in plain and i not in plain.values() and not taken[i]:
            plain[u] = i
    assert {u: int(peak[won[u]]) for u in range(5) if won[u] >= 0} == plain
    assert {int(i) for i in np.flatnonzero(winner >= 0)} == set(plain.values())


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
    exchange_joints(known, tables_of(lizard).side, BIDS if by == "fields" else WITHOUT_FIELDS, 2, 3, member)
    assert np.array_equal(member[:2], RIGHT[:2])


def test_a_joint_far_from_its_place_is_given_up(lizard):
    peaks = two_bodies()
    peaks[8, 0] -= 0.6 * TALL
    member = RIGHT.copy()
    exchange_joints(evidence(lizard, peaks, STARTS), tables_of(lizard).side, WITHOUT_FIELDS, 2, 3, member)
    assert member[0].tolist() == [0, 2, 4, 6, -1, 10] and member[1].tolist() == RIGHT[1].tolist()


def test_equal_bids_go_by_rank_and_nothing_depends_on_the_order_of_people(lizard):
    peaks = two_bodies(0.0)
    peaks[1::2, :2] = peaks[::2, :2]  # two people in one place
    known = evidence(lizard, peaks, STARTS)
    side = tables_of(lizard).side
    one, other = RIGHT.copy(), RIGHT[[1, 0, *range(2, 12)]].copy()
    for member in (one, other):
        exchange_joints(known, side, WITHOUT_FIELDS, 2, 3, member)
    assert {tuple(row) for row in one[:2]} == {tuple(row) for row in other[:2]}
    known.spot[2] = 0.8
    size, mean, _ = measured(one[0], known)
    room = np.zeros(12), np.empty(12), np.empty(12, np.int64), np.empty(12)
    assert write_bids(one[0], 4, size, mean, 0, known, WITHOUT_FIELDS, BIDS.least, *room, 0) == 2
    assert next_bid(0, 2, *room[2:], known.rank, -1) == 0 and room[2].tolist()[:2] == [8, 9]
    assert room[3][0] == room[3][1]  # equal bids go to the better peak


def test_a_peak_is_shared_if_enough_is_bid(lizard):
    peaks = two_bodies(8.0)
    for share, shared in ((0.6, True), (5.0, False)):
        member = renumbered(members([0, 2, 4, 6, -1, 10], [1, 3, 5, 7, 9, 11]))
        known = evidence(lizard, np.delete(peaks, 8, 0), [0, 2, 4, 6, 8, 9, 11])
        share_peaks(known, WITHOUT_FIELDS._replace(share=share), member)
        assert (member[0, 4] == 8) == shared and member[1, 4] == 8


def renumbered(member):
    """The members after peak 8 is gone."""
    return np.where(member > 8, member - 1, member)[:11].copy()


def test_people_of_few_joints_share_nothing(lizard):
    member = members([0, 2, 4, -1, -1, -1], [1, 3, 5, 7, 9, 11])
    share_peaks(evidence(lizard, two_bodies(8.0), STARTS), BIDS, member)
    assert (member[0] >= 0).sum() == 3


def test_fields_are_added_and_taken_away_again(lizard):
    known = evidence(lizard, two_bodies(), STARTS, limbs=[(2, 8, 0.5), (8, 10, 0.25), (9, 10, 0.125)])
    fields = np.zeros(12)
    links = (known.beside[4], known.begin, known.other, known.field)
    assert add_fields(RIGHT[0], *links, 1.0, fields) == 2  # neck and tail
    assert fields[8] == 0.75 and fields[9] == 0.125
    add_fields(RIGHT[0], *links, -1.0, fields)
    assert not fields.any()


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
