"""Every constant of the grouping stage, in one place."""

from __future__ import annotations

from typing import NamedTuple


class Rules(NamedTuple):
    """What counts as a peak, a limb, a pair of like tags, a person.

    Scores are in units of the maps (a perfect peak or field is 1), lengths in units of a peak's
    spread, tag distances in units in which different people are about 1 apart.
    """

    peak_least: float = 0.1  # lowest peak
    peak_apart: float = 1.5  # of two peaks nearer than this the higher stays
    plateau_widest: float = 4.0  # wider flat tops are no peaks
    field_least: float = 0.1  # lowest mean of a field along a limb
    field_agrees: float = 0.08  # what a sample of the field must reach to agree with the limb
    field_share: float = 0.7  # share of samples that must agree
    short_limb: float = 1.0  # limbs no longer than this have no field
    short_score: float = 0.3  # what they count instead
    tag_weight: float = 0.08  # of agreement of tags beside the field
    double_reach: float = 6.0  # of peaks of a joint nearer than this, with tags alone, ...
    double_tag: float = 0.5  # ... and with tags nearer than this, the lesser is no joint
    tag_limit: float = 1.0  # tags further apart are of different people
    tag_reach: float = 2.0  # pieces joined by tags lie within this many times the larger one's extent
    tag_seed: float = 0.25  # of two peaks joined by tags one is as high, as some peak of every person is
    near_weight: float = 0.15  # of the logarithm of the distance beside the tag distance
    score_weight: float = 0.5  # of the peaks' mean score beside the tag distance
    prior_least: float = -2.3  # mean log density from which two pieces are one person
    prior_single: float = 0.45  # lone peaks from this score on may join by the prior
    sweeps: int = 3  # how often all joints are given anew
    person_joints: int = 3  # so many joints (or all, where a skeleton has fewer) make pieces people, who bid
    person_least: float = 1.2  # lowest sum of the scores of a person's best joints, as many as that or fewer
    alone_least: float = 1.35  # the same without a prior, where people have as many joints as that
    shadow_share: float = 0.75  # share of a person's joints that lie on a better person's: then it is a shadow
    shadow_reach: float = 0.07  # how near they lie, as a share of the better person's diagonal


RULES = Rules()
