"""Every published system has the size and the cost that its source reports, or a note that says why not."""

from __future__ import annotations

from pathlib import Path

import pytest

import bottomup.nets
from bottomup.nets import NETWORKS, build, description, network_class
from bottomup.nets.catalogue import ROWS, Row, find, measure, met, report, table
from bottomup.nets.count import CONVENTIONS
from bottomup.nets.published import FAMILIES

QUICK = (
    "paf",
    "lightweight_openpose",
    "simplebaseline_r50",
    "ae_",
    "keypointrcnn_k",
    "hg_s2",
    "cpn_r50_global",
    "mspn1_l",
)
NOT_MET = {
    "mspaf 224x224": 23.682,
    "simplebaseline_r50 256x192": 8.991,
    "simplebaseline_r50 384x288": 20.230,
    "cpn_r50_global 256x192": 4.415,
    "mspn2_res18 256x192": 4.351,
    "hourglass1 256x192": 3.598,
    "hourglass2 256x192": 5.824,
    "hourglass4 256x192": 10.275,
    "hourglass8 256x192": 19.178,
    "hourglass8_compared 256x192": 19.178,
}  # what is measured instead, in the source's convention


def label(row: Row) -> str:
    return f"{row.name} {row.size[0]}x{row.size[1]}"


@pytest.mark.parametrize(
    "row",
    [pytest.param(row, id=label(row), marks=() if row.name.startswith(QUICK) else pytest.mark.slow) for row in ROWS],
)
def test_a_row_has_the_published_figures_or_a_note(row):
    measured = measure(row)
    assert measured.parameters_met or row.note
    if label(row) in NOT_MET:
        assert measured.gmacs == pytest.approx(NOT_MET[label(row)], abs=5e-4) and not measured.gmacs_met and row.note
    else:
        assert measured.gmacs_met


def test_each_further_stack_of_the_hourglass_costs_what_is_published():
    one, two = (measure(row) for row in ROWS if row.name in ("hourglass1", "hourglass2"))
    assert two.gmacs - one.gmacs == pytest.approx((19.5 - 3.9) / 7, abs=0.005)


def test_every_network_is_there_and_rows_are_told_apart():
    folder = Path(bottomup.nets.__file__).parent  # other tests may have named networks of their own
    assert {row.network for row in ROWS} == {
        name for name, where in NETWORKS.items() if (folder / f"{where.partition(':')[0]}.py").exists()
    }
    assert len({label(row) for row in ROWS}) == len(ROWS)
    assert {row.convention for row in ROWS} <= set(CONVENTIONS)


@pytest.mark.parametrize(
    ("figure", "value", "is_met"),
    [
        (None, 5, True),
        (100, 100, True),
        (100_000, 100_001, False),
        ("6.20", 6.204, True),
        ("6.20", 6.24, False),
        ("0.05e3", 50.36, True),
        ("0.05e3", 56.0, False),
        ("4.4", 4.449, True),
        ("35.6", 35.47, True),
    ],
)
def test_figures_are_met_as_exactly_as_they_are_written(figure, value, is_met):
    assert met(figure, value) is is_met


def test_rows_are_found_by_name_or_network():
    assert {row.name for row in find("lightweight")} >= {"lightweight_openpose", "lightweight_openpose3"}
    assert find("HRNET_W48") and find("nothing") == [] and find() == list(ROWS)


def test_reports_hold_what_is_measured_beside_what_is_published():
    (row,) = (row for row in ROWS if row.name == "ae_hourglass4")
    (entry,) = report([measure(row)])
    assert entry["params"] == 138_893_840 and entry["published_params"] == 277.8e6
    assert entry["gmacs"] == pytest.approx(222.21, abs=0.01) and entry["published_gmacs"] == 206.9
    assert entry["input"] == [512, 512] and entry["convention"] == "gib_parameters_twice"
    line = table([measure(row)]).splitlines()[1]
    assert "138.894 M" in line and "222.21" in line and "206.949" in line


def test_networks_are_built_from_their_description():
    for name, options in (("higherhrnet", {"width": 8}), ("cpn", {"depth": 18}), ("keypoint_rcnn", {"depth": 18})):
        import torch

        with torch.device("meta"):
            network = build(name, **options)
            said = description(network)
            again = build(**said)
        assert said["name"] == name and options.items() <= said.items() and description(again) == said
        assert [p.shape for p in again.parameters()] == [p.shape for p in network.parameters()]


def test_what_cannot_be_built_is_named():
    with pytest.raises(ValueError, match="no network is called 'alexnet'; there are: ae_hourglass, "):
        build("alexnet")
    with pytest.raises(ValueError, match="network paf: .*colour"):
        build("paf", colour=3)
    with pytest.raises(ValueError, match="Linear is not a network that can be built by name"):
        from torch import nn

        description(nn.Linear(1, 1))


def test_every_published_family_is_a_network_with_a_name():
    modules = {network_class(name).__module__.rpartition(".")[2] for name in NETWORKS}
    assert {family.module for family in FAMILIES} <= modules
