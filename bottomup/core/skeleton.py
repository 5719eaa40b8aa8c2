"""Skeletons: which joints a person has, how they are linked, mirrored and judged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import networkx as nx
import numpy as np

from bottomup.core.prior import estimate_prior, shipped_prior

Pair = tuple[int, int]


@dataclass(frozen=True, eq=False)
class Skeleton:
    """A person's joints as a graph.

    name: what files call it. joints: K names. limbs: index pairs; a limb's field points from the
    first joint to the second. mirror: for every joint its left/right partner (or itself).
    sigmas: K OKS constants (COCO's sigma, so that OKS uses k = 2 sigma).
    prior: where each joint lies relative to each other joint, in body heights, or None.
    Raises ValueError that names the wrong field and value.
    """

    name: str
    joints: tuple[str, ...]
    limbs: tuple[Pair, ...]
    mirror: tuple[int, ...]
    sigmas: tuple[float, ...]
    prior: np.ndarray | None = None

    def __init__(
        self,
        name: str,
        joints: Sequence[str],
        limbs: Sequence[Sequence[int]],
        mirror: Sequence[int],
        sigmas: Sequence[float],
        prior: np.ndarray | None = None,
    ) -> None:
        put = object.__setattr__
        put(self, "name", name)
        put(self, "joints", tuple(joints))
        put(self, "limbs", tuple((int(a), int(b)) for a, b in limbs))
        put(self, "mirror", tuple(int(j) for j in mirror))
        put(self, "sigmas", tuple(float(s) for s in sigmas))
        put(self, "prior", prior)
        self._check()

    def _check(self) -> None:
        count = len(self.joints)
        if count == 0 or len(set(self.joints)) != count:
            raise ValueError(f"skeleton {self.name}: joints must be unique and at least one, got {self.joints}")
        if sorted(self.mirror) != list(range(count)) or any(self.mirror[self.mirror[j]] != j for j in range(count)):
            raise ValueError(
                f"skeleton {self.name}: mirror must be a permutation of 0..{count - 1} that undoes itself, "
                f"got {self.mirror}"
            )
        if len(self.sigmas) != count or min(self.sigmas) <= 0:
            raise ValueError(f"skeleton {self.name}: sigmas must be {count} positive numbers, got {self.sigmas}")
        for limb in self.limbs:
            if limb[0] == limb[1] or not all(0 <= j < count for j in limb):
                raise ValueError(f"skeleton {self.name}: limb {limb} does not join two joints of 0..{count - 1}")
        if len({frozenset(limb) for limb in self.limbs}) != len(self.limbs):
            raise ValueError(f"skeleton {self.name}: a limb is listed twice in {self.limbs}")
        if not nx.is_connected(self.graph):
            apart = min(nx.connected_components(self.graph), key=len)
            names = ", ".join(self.joints[j] for j in sorted(apart))
            raise ValueError(f"skeleton {self.name}: limbs do not connect {names} to the rest")

    @cached_property
    def graph(self) -> nx.Graph:
        """The limbs as an undirected graph over joint indices."""
        graph = nx.Graph()
        graph.add_nodes_from(range(len(self.joints)))
        graph.add_edges_from(self.limbs)
        return graph

    @cached_property
    def spanning_tree(self) -> tuple[int, ...]:
        """Numbers of limbs that suffice to connect every joint; earlier limbs are preferred."""
        for number, (a, b) in enumerate(self.limbs):
            self.graph.edges[a, b]["weight"] = number
        tree = nx.minimum_spanning_tree(self.graph)
        return tuple(number for number, limb in enumerate(self.limbs) if tree.has_edge(*limb))

    @cached_property
    def redundant_limbs(self) -> tuple[int, ...]:
        """Numbers of limbs that close a circle: evidence beyond the spanning tree."""
        return tuple(number for number in range(len(self.limbs)) if number not in self.spanning_tree)

    @cached_property
    def limb_mirror(self) -> tuple[tuple[int, bool], ...]:
        """For every limb the number of its mirror image, and whether the image points the other way.

        Raises ValueError when the limbs are not symmetric under `mirror`.
        """
        where = {limb: (number, False) for number, limb in enumerate(self.limbs)}
        where |= {(b, a): (number, True) for number, (a, b) in enumerate(self.limbs)}
        mirrored = [(self.mirror[a], self.mirror[b]) for a, b in self.limbs]
        missing = [limb for limb, image in zip(self.limbs, mirrored, strict=True) if image not in where]
        if missing:
            raise ValueError(f"skeleton {self.name}: limbs {missing} have no mirror image among the limbs")
        return tuple(where[image] for image in mirrored)

    def with_prior(self, joints: np.ndarray) -> Skeleton:
        """The same skeleton with a body prior out of poses (N, K, 3) of x, y, visibility or score (0: missing)."""
        return self._with(estimate_prior(joints, self.mirror))

    def with_shipped_prior(self) -> Skeleton:
        """The same skeleton with the prior that comes with the package, if there is one for its name."""
        prior = shipped_prior(self.name)
        return self if prior is None or len(prior) != len(self) else self._with(prior)

    def _with(self, prior: np.ndarray) -> Skeleton:
        return Skeleton(self.name, self.joints, self.limbs, self.mirror, self.sigmas, prior)

    def to_dict(self) -> dict[str, Any]:
        """What makes it again, without the prior: `Skeleton(**skeleton.to_dict())`."""
        return {name: getattr(self, name) for name in ("name", "joints", "limbs", "mirror", "sigmas")}

    def __len__(self) -> int:
        return len(self.joints)

    def __repr__(self) -> str:
        return f"Skeleton({self.name!r}, {len(self.joints)} joints, {len(self.limbs)} limbs)"


def _pairs(count: int, *pairs: Pair) -> tuple[int, ...]:
    mirror = list(range(count))
    for a, b in pairs:
        mirror[a], mirror[b] = b, a
    return tuple(mirror)


# Joint orders, limbs and sigmas: COCO, OpenPose, poseval / PoseTrack 2018, MPII and CrowdPose as released.
COCO17 = Skeleton(
    "coco17",
    (
        "nose left_eye right_eye left_ear right_ear left_shoulder right_shoulder left_elbow right_elbow "
        "left_wrist right_wrist left_hip right_hip left_knee right_knee left_ankle right_ankle"
    ).split(),
    (
        (15, 13), (13, 11), (16, 14), (14, 12), (11, 12), (5, 11), (6, 12), (5, 6), (5, 7), (6, 8), (7, 9),
        (8, 10), (1, 2), (0, 1), (0, 2), (1, 3), (2, 4), (3, 5), (4, 6),
    ),
    _pairs(17, *((j, j + 1) for j in range(1, 17, 2))),
    (
        0.026, 0.025, 0.025, 0.035, 0.035, 0.079, 0.079, 0.072, 0.072, 0.062, 0.062, 0.107, 0.107, 0.087, 0.087,
        0.089, 0.089,
    ),
)  # fmt: skip

OPENPOSE18 = Skeleton(
    "openpose18",
    (
        "nose neck right_shoulder right_elbow right_wrist left_shoulder left_elbow left_wrist right_hip right_knee "
        "right_ankle left_hip left_knee left_ankle right_eye left_eye right_ear left_ear"
    ).split(),
    (
        (1, 8), (8, 9), (9, 10), (1, 11), (11, 12), (12, 13), (1, 2), (2, 3), (3, 4), (2, 16), (1, 5), (5, 6),
        (6, 7), (5, 17), (1, 0), (0, 14), (0, 15), (14, 16), (15, 17),
    ),
    _pairs(18, (2, 5), (3, 6), (4, 7), (8, 11), (9, 12), (10, 13), (14, 15), (16, 17)),
    (
        0.026, 0.079, 0.079, 0.072, 0.062, 0.079, 0.072, 0.062, 0.107, 0.087, 0.089, 0.107, 0.087, 0.089, 0.025,
        0.025, 0.035, 0.035,
    ),
)  # fmt: skip

POSETRACK15 = Skeleton(
    "posetrack15",
    (
        "nose head_bottom head_top left_shoulder right_shoulder left_elbow right_elbow left_wrist right_wrist "
        "left_hip right_hip left_knee right_knee left_ankle right_ankle"
    ).split(),
    (
        (13, 11), (11, 9), (14, 12), (12, 10), (9, 10), (3, 9), (4, 10), (3, 4), (3, 5), (4, 6), (5, 7), (6, 8),
        (0, 1), (0, 2), (1, 3), (1, 4),
    ),
    _pairs(15, *((j, j + 1) for j in range(3, 15, 2))),
    (0.026, 0.025, 0.025, 0.079, 0.079, 0.072, 0.072, 0.062, 0.062, 0.107, 0.107, 0.087, 0.087, 0.089, 0.089),
)  # fmt: skip

MPII16 = Skeleton(
    "mpii16",
    (
        "right_ankle right_knee right_hip left_hip left_knee left_ankle pelvis thorax upper_neck head_top "
        "right_wrist right_elbow right_shoulder left_shoulder left_elbow left_wrist"
    ).split(),
    (
        (0, 1), (1, 2), (2, 6), (6, 3), (3, 4), (4, 5), (6, 7), (7, 8), (8, 9), (8, 12), (12, 11), (11, 10),
        (8, 13), (13, 14), (14, 15),
    ),
    _pairs(16, (0, 5), (1, 4), (2, 3), (10, 15), (11, 14), (12, 13)),
    (
        0.089, 0.083, 0.107, 0.107, 0.083, 0.089, 0.026, 0.026, 0.026, 0.026, 0.062, 0.072, 0.179, 0.179, 0.072,
        0.062,
    ),
)  # fmt: skip

CROWDPOSE14 = Skeleton(
    "crowdpose14",
    (
        "left_shoulder right_shoulder left_elbow right_elbow left_wrist right_wrist left_hip right_hip left_knee "
        "right_knee left_ankle right_ankle head_top neck"
    ).split(),
    (
        (10, 8), (8, 6), (11, 9), (9, 7), (6, 7), (0, 6), (1, 7), (0, 1), (0, 2), (1, 3), (2, 4), (3, 5), (12, 13),
        (1, 13), (0, 13),
    ),
    _pairs(14, *((j, j + 1) for j in range(0, 12, 2))),
    (0.079, 0.079, 0.072, 0.072, 0.062, 0.062, 0.107, 0.107, 0.087, 0.087, 0.089, 0.089, 0.079, 0.079),
)  # fmt: skip

LSP14 = Skeleton(
    "lsp14",
    (
        "right_ankle right_knee right_hip left_hip left_knee left_ankle right_wrist right_elbow right_shoulder "
        "left_shoulder left_elbow left_wrist neck head_top"
    ).split(),
    (
        (0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (2, 8), (3, 9), (8, 12), (9, 12), (8, 7), (7, 6), (9, 10), (10, 11),
        (12, 13),
    ),
    _pairs(14, (0, 5), (1, 4), (2, 3), (6, 11), (7, 10), (8, 9)),
    (0.089, 0.087, 0.107, 0.107, 0.087, 0.089, 0.062, 0.072, 0.079, 0.079, 0.072, 0.062, 0.079, 0.079),
)  # fmt: skip

JHMDB15 = Skeleton(
    "jhmdb15",
    (
        "neck belly head right_shoulder left_shoulder right_hip left_hip right_elbow left_elbow right_knee left_knee "
        "right_wrist left_wrist right_ankle left_ankle"
    ).split(),
    (
        (0, 2), (0, 3), (0, 4), (0, 1), (3, 7), (7, 11), (4, 8), (8, 12), (1, 5), (1, 6), (5, 9), (9, 13), (6, 10),
        (10, 14),
    ),
    _pairs(15, *((j, j + 1) for j in range(3, 15, 2))),
    (0.025, 0.107, 0.025, 0.079, 0.079, 0.107, 0.107, 0.072, 0.072, 0.087, 0.087, 0.062, 0.062, 0.089, 0.089),
)  # fmt: skip

# Every joint that COCO, MPII, PoseTrack, CrowdPose and LSP label. Limbs: each set's own joints are connected.
UNION21 = Skeleton(
    "union21",
    (*COCO17.joints, "head_top", "upper_neck", "thorax", "pelvis"),
    (
        *COCO17.limbs,
        (17, 18), (18, 19), (19, 20), (20, 11), (20, 12), (18, 5), (18, 6), (0, 18), (0, 17),
    ),
    (*COCO17.mirror, 17, 18, 19, 20),
    (*COCO17.sigmas, 0.026, 0.026, 0.026, 0.026),
)  # fmt: skip

SKELETONS = {s.name: s for s in (COCO17, OPENPOSE18, POSETRACK15, MPII16, CROWDPOSE14, LSP14, JHMDB15, UNION21)}
