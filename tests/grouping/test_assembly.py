import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bottomup.grouping.assembly import absorb, connect, have_common_joint, single_pieces
from bottomup.grouping.compile import callable_part

absorb, connect = callable_part(absorb), callable_part(connect)
have_common_joint, single_pieces = callable_part(have_common_joint), callable_part(single_pieces)


def pieces_of(member):
    return sorted(sorted(int(i) for i in row if i >= 0) for row in member if (row >= 0).any())


def singles(start):
    n, K = start[-1], len(start) - 1
    member, owner = np.empty((n, K), np.int64), np.empty(n, np.int64)
    single_pieces(np.asarray(start), member, owner)
    return member, owner


def joined(start, pairs, scores, rank=None):
    start = np.array(start)
    member, owner = singles(start)
    n = start[-1]
    pair = np.array(pairs, np.int64).reshape(-1, 2)
    rank, room = np.arange(n) if rank is None else rank, np.empty((4, len(pair) + 1), np.int64)
    connect(pair, np.array(scores, np.float64), len(pair), rank, room, member, owner)
    return member, owner


def plain_pieces(start, pairs, scores):
    """Reference: sets of peaks, joined best first where no joint is doubled."""
    kind = [k for k in range(len(start) - 1) for _ in range(start[k], start[k + 1])]
    pieces = {i: {i} for i in range(start[-1])}
    for z in sorted(range(len(pairs)), key=lambda z: (-scores[z], sorted(pairs[z]))):
        a, b = (next(p for p in pieces if i in pieces[p]) for i in pairs[z])
        if a != b and not {kind[i] for i in pieces[a]} & {kind[i] for i in pieces[b]}:
            pieces[a] |= pieces.pop(b)
    return sorted(sorted(p) for p in pieces.values())


def test_every_peak_starts_as_a_piece_of_its_own():
    member, owner = singles(np.array([0, 2, 2, 3]))
    assert member.tolist() == [[0, -1, -1], [1, -1, -1], [-1, -1, 2]]
    assert owner.tolist() == [0, 1, 2]
    assert singles(np.zeros(4, np.int64))[0].shape == (0, 3)


def test_a_piece_takes_over_another():
    member, owner = singles(np.array([0, 1, 2, 3]))
    assert not have_common_joint(member, 0, 2)
    absorb(member, owner, 0, 2)
    assert member.tolist() == [[0, -1, 2], [-1, 1, -1], [-1, -1, -1]]
    assert owner.tolist() == [0, 1, 0]
    assert have_common_joint(member, 0, 0) and not have_common_joint(member, 0, 1)


def test_a_conflict_goes_to_the_better_limb_wherever_it_stands():
    for order in ([0, 1], [1, 0]):
        pairs, scores = np.array([[0, 2], [1, 2]])[order], np.array([0.4, 0.8])[order]
        member, _ = joined([0, 2, 3], pairs, scores)
        assert pieces_of(member) == [[0], [1, 2]]


def test_a_redundant_limb_bridges_a_missing_joint():
    # joints 0-1-2 in a row and a limb 0-2 besides: joint 1 is missing
    member, _ = joined([0, 1, 1, 2], [(0, 1)], [0.5])
    assert pieces_of(member) == [[0, 1]]


def test_two_people_are_not_joined_by_a_weak_limb_between_them():
    # two people of joints 0, 1, 2; a wrong limb from the first's joint 1 to the second's joint 2
    pairs, scores = [(0, 2), (2, 4), (1, 3), (3, 5), (2, 5)], [0.9, 0.8, 0.9, 0.8, 0.3]
    member, _ = joined([0, 2, 4, 6], pairs, scores)
    assert pieces_of(member) == [[0, 2, 4], [1, 3, 5]]


def test_two_part_people_merge_when_no_joint_is_doubled():
    member, owner = joined([0, 1, 2, 3, 4], [(0, 1), (2, 3), (1, 2)], [0.9, 0.9, 0.2])
    assert pieces_of(member) == [[0, 1, 2, 3]] and len(set(owner.tolist())) == 1


@st.composite
def problems(draw):
    sizes = draw(st.lists(st.integers(0, 3), min_size=2, max_size=5))
    start = [0, *np.cumsum(sizes).tolist()]
    kind = [k for k, size in enumerate(sizes) for _ in range(size)]
    every = [(i, j) for i in range(len(kind)) for j in range(i) if kind[i] != kind[j]]
    pairs = draw(st.lists(st.sampled_from(every), max_size=20, unique=True)) if every else []
    scores = draw(st.lists(st.sampled_from([0.2, 0.4, 0.6]), min_size=len(pairs), max_size=len(pairs)))
    return start, pairs, scores


@given(problems())
def test_pieces_are_those_of_the_plain_reference(problem):
    start, pairs, scores = problem
    member, owner = joined(start, pairs, scores)
    assert pieces_of(member) == plain_pieces(start, pairs, scores)
    for i, a in enumerate(owner):
        assert i in member[a]


@given(problems(), st.randoms())
def test_the_order_of_the_candidates_does_not_matter(problem, random):
    start, pairs, scores = problem
    order = list(range(len(pairs)))
    random.shuffle(order)
    one, _ = joined(start, pairs, scores)
    other, _ = joined(start, [pairs[z][::-1] for z in order], [scores[z] for z in order])
    assert pieces_of(one) == pieces_of(other)


def test_a_hundred_joints_are_no_limit():
    start = np.arange(101)
    member, _ = joined(start, [(k, k + 1) for k in range(99)], [0.5] * 99)
    assert pieces_of(member) == [list(range(100))]
