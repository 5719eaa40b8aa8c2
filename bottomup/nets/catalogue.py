"""The published systems and ablations that can be built here, with the size and cost that their sources report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from bottomup.nets import network_class
from bottomup.nets.count import CONVENTIONS, Cost, count

Figure = int | str | None  # an int is exact, a text as exact as it is written ("6.20", "0.05e3"), None is not reported

CLOSE = 0.005  # what a rounded figure may be missed by, if its last digit does not allow more


@dataclass(frozen=True)
class Row:
    """One system at one input. network, options: what `build` takes. size: height and width of the input.

    parameters: of the source. gmacs: its 10^9 multiply-adds, counted by `convention` (see `CONVENTIONS`).
    note: why a figure is not met. part: the module of the network that the figures are about, if not all of it.
    Figures are the paper's, or were counted on the published code.
    """

    name: str
    network: str
    options: Mapping[str, Any]
    size: tuple[int, int]
    parameters: Figure = None
    gmacs: Figure = None
    convention: str = "true"
    note: str = ""
    part: str = ""


@dataclass(frozen=True)
class Measured:
    """A row with what its network costs here: as it is, and as its source counts."""

    row: Row
    cost: Cost
    parameters: int
    gmacs: float

    @property
    def parameters_met(self) -> bool:
        """Whether the parameters are those of the source, where it reports them."""
        return met(self.row.parameters, self.parameters)

    @property
    def gmacs_met(self) -> bool:
        """Whether the operations are those of the source, where it reports them."""
        return met(self.row.gmacs, self.gmacs)


def met(figure: Figure, value: float) -> bool:
    """Whether a value is the reported one: to half of the last digit that is written, or half a percent."""
    if figure is None or isinstance(figure, int):
        return figure is None or figure == value
    reported = Decimal(figure)
    last = 10.0 ** int(reported.as_tuple().exponent)
    return abs(value - float(reported)) <= max(last / 2, CLOSE * float(reported))


def number(figure: Figure) -> float | int | None:
    """The figure as a number."""
    return figure if figure is None or isinstance(figure, int) else float(figure)


def measure(row: Row) -> Measured:
    """Builds the row's network without weights and counts it."""
    convention = CONVENTIONS[row.convention]
    cost = counted = _cost(row, {})
    if convention.options:
        counted = _cost(row, convention.options)
    return Measured(row, cost, convention.parameters(counted), convention.giga(counted))


def _cost(row: Row, more: Mapping[str, Any]) -> Cost:
    return count(
        lambda **options: network_class(row.network)(**options).get_submodule(row.part),
        row.size,
        **{**row.options, **more},
    )


def find(text: str = "") -> list[Row]:
    """The rows whose name or network contains the text, in the catalogue's order."""
    return [row for row in ROWS if text.lower() in row.name or text.lower() in row.network]


def report(measured: Sequence[Measured]) -> list[dict[str, Any]]:
    """The rows as numbers and text: params and gmacs as they are, and as their source counts and reports them."""
    return [
        {
            "name": m.row.name,
            "input": list(m.row.size),
            "params": m.cost.parameters,
            "gmacs": round(m.cost.operations / 1e9, 4),
            "published_params": number(m.row.parameters),
            "published_gmacs": number(m.row.gmacs),
            "convention": m.row.convention,
            "params_in_convention": m.parameters,
            "gmacs_in_convention": round(m.gmacs, 4),
            "note": m.row.note,
        }
        for m in measured
    ]


HEADINGS = ("name", "input", "params", "GMACs", "published", "GMACs", "here", "convention", "note")


def table(measured: Sequence[Measured]) -> str:
    """The rows as lines of text; "here" is what the source would have counted."""
    lines = [HEADINGS, *(_cells(m) for m in measured)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADINGS) - 1)]
    texts = ("  ".join((*map(str.ljust, line, widths), line[-1])).rstrip() for line in lines)
    return "\n".join(
        (*texts, "", "GMACs: 10^9 multiply-adds of one input. Conventions are explained in nets/count.py.")
    )


def _cells(measured: Measured) -> tuple[str, ...]:
    row, cost = measured.row, measured.cost
    published, giga = number(row.parameters), number(row.gmacs)
    return (
        row.name,
        "x".join(map(str, row.size)),
        f"{cost.parameters / 1e6:.3f} M",
        f"{cost.operations / 1e9:.2f}",
        "" if published is None else f"{published / 1e6:.3f} M",
        "" if giga is None else f"{giga:g}",
        "" if giga is None else f"{measured.gmacs:.3f}",
        "" if giga is None else row.convention,
        row.note,
    )


SMALL, LARGE = (256, 192), (384, 288)  # inputs of top-down systems
OUTPUT = "gib_deconv_on_output"
CAFFE = "gib_stride_in_first"
BELOW = "the paper's figure is 1 % below what its own way of counting gives"
TWO_FORMS = "27.0 M has identity shortcuts (cpn_r50_identity), 6.20 G has projections: two forms of one system"
STEM = "each stack costs as published; the published stem costs 0.3 G more, and its layers are not reported"
UNKNOWN_STACK = (
    "14.3 G is what four stacks of another port take at 256x256 (hg_s4_b1); 25.1 M is of none that was found"
)
NO_INPUT = "no input is published: 0.03e12, and 0.05e12 of PAF-6, hold together at 232x232; more would cost speed"

ROWS: tuple[Row, ...] = (
    # bottom-up
    Row("mspaf_mobile", "mspaf_mobile", {}, (512, 512)),
    Row("mspaf", "mspaf", {"joints": 18}, (232, 232), "9.66e6", "0.03e3"),
    Row("mspaf", "mspaf", {"joints": 18}, (224, 224), "9.66e6", "0.03e3", note=NO_INPUT),
    Row("mspaf_coco17", "mspaf", {}, (368, 368)),
    Row("mspaf_posetrack15", "mspaf", {"joints": 15, "limbs": 15}, (368, 368)),
    Row("mspaf_no_attention", "mspaf", {"joints": 18, "attention": False}, (224, 224)),
    Row("mspaf_no_fusion", "mspaf", {"joints": 18, "fusion": False}, (224, 224)),
    Row("paf1", "paf", {"stages": 1}, (368, 368), 8_387_321),
    Row("paf2", "paf", {"stages": 2}, (368, 368), 17_172_146),
    Row("paf3", "paf", {"stages": 3}, (368, 368), 25_956_971),
    Row("paf4", "paf", {"stages": 4}, (368, 368), 34_741_796),
    Row("paf5", "paf", {"stages": 5}, (368, 368), 43_526_621),
    Row("paf6", "paf", {}, (224, 224), 52_311_446, "0.05e3"),
    Row("paf6", "paf", {}, (232, 232), 52_311_446, "0.05e3"),
    Row("paf6", "paf", {}, (368, 368), 52_311_446, "135.9"),
    Row("paf6_mpii15", "paf", {"joints": 15, "limbs": 14}, (368, 368), 51_481_032),
    Row("lightweight_openpose", "lightweight_openpose", {}, (368, 368), 4_091_698, "8.88"),
    Row("lightweight_openpose2", "lightweight_openpose", {"refinements": 2}, (368, 368), "5.70e6", "12.28"),
    Row("lightweight_openpose3", "lightweight_openpose", {"refinements": 3}, (368, 368), "7.31e6", "15.67"),
    Row("ae_hourglass4", "ae_hourglass", {"channels": 68}, (512, 512), "277.8e6", "206.9", "gib_parameters_twice"),
    Row("ae_hourglass4_34maps", "ae_hourglass", {}, (512, 512), 138_832_776, "221.2"),
    Row("higherhrnet_w32", "higherhrnet", {"width": 32}, (512, 512), 28_645_331, "47.864", "deconv_on_output"),
    Row("higherhrnet_w32", "higherhrnet", {"width": 32}, (640, 640), 28_645_331, "74.788", "deconv_on_output"),
    Row("higherhrnet_w48", "higherhrnet", {"width": 48}, (640, 640), 63_827_139, "154.305", "deconv_on_output"),
    # top-down
    Row("cpn_mobile", "cpn_mobile", {}, (256, 192)),
    Row("detector_mobile", "detector_mobile", {}, (416, 416)),
    Row("simplebaseline_r50", "simplebaseline", {"depth": 50}, SMALL, 33_999_697, "8.9", OUTPUT, BELOW),
    Row("simplebaseline_r50", "simplebaseline", {"depth": 50}, LARGE, 33_999_697, "20.0", OUTPUT, BELOW),
    Row("simplebaseline_r101", "simplebaseline", {"depth": 101}, SMALL, 52_991_825, "12.4", OUTPUT),
    Row("simplebaseline_r101", "simplebaseline", {"depth": 101}, LARGE, 52_991_825, "27.9", OUTPUT),
    Row("simplebaseline_r152", "simplebaseline", {"depth": 152}, SMALL, 68_635_473, "15.7", OUTPUT),
    Row("simplebaseline_r152", "simplebaseline", {"depth": 152}, LARGE, 68_635_473, "35.6", OUTPUT,
        "within half a percent only: the paper has 35.6, its code's table 35.3, this count gives 35.47"),
    Row("hrnet_w32", "hrnet", {"width": 32}, SMALL, 28_536_113, "7.12", OUTPUT),
    Row("hrnet_w32", "hrnet", {"width": 32}, LARGE, 28_536_113, "16.02", OUTPUT),
    Row("hrnet_w48", "hrnet", {"width": 48}, SMALL, 63_595_745, "14.61", OUTPUT),
    Row("hrnet_w48", "hrnet", {"width": 48}, LARGE, 63_595_745, "32.88", OUTPUT),
    Row("hrnet_w32_fusion_final", "hrnet", {"fusion": "final"}, SMALL),
    Row("hrnet_w32_fusion_stages", "hrnet", {"fusion": "stages"}, SMALL),
    Row("cpn_r50", "cpn", {}, SMALL, "27.0e6", "6.20", CAFFE, TWO_FORMS),
    Row("cpn_r50", "cpn", {}, LARGE, 27_406_826),
    Row("cpn_r50_identity", "cpn", {"project": False}, SMALL, 27_010_538),
    Row("cpn_r101", "cpn", {"depth": 101}, SMALL),
    Row("cpn_r101_identity", "cpn", {"depth": 101, "project": False}, LARGE, "46.0e6"),
    Row("cpn_r50_c2", "cpn", {"connections": 1}, SMALL, None, "5.02", CAFFE),
    Row("cpn_r50_c2_c3", "cpn", {"connections": 2}, SMALL, None, "5.50", CAFFE),
    Row("cpn_r50_c2_c4", "cpn", {"connections": 3}, SMALL, None, "5.88", CAFFE),
    Row("cpn_r50_concat", "cpn", {"refine": "concat"}, SMALL, None, "5.87", CAFFE),
    Row("cpn_r50_bottleneck", "cpn", {"refine": "bottleneck"}, SMALL, None, "6.92", CAFFE),
    Row("cpn_r50_global", "cpn", {"refine": "none"}, SMALL, None, "3.90", CAFFE,
        "no part of the network costs 3.90: backbone and laterals 3.87, with the merges 4.12, with a head 4.42"),
    Row("mspn1", "mspn", {"stages": 1}, SMALL, 25_141_708, "4.4", CAFFE),
    Row("mspn2", "mspn", {"stages": 2}, SMALL, 56_867_032, "9.6", CAFFE),
    Row("mspn3", "mspn", {"stages": 3}, SMALL, 88_592_356, "14.7", CAFFE),
    Row("mspn4", "mspn", {"stages": 4}, SMALL, 120_317_680, "19.9", CAFFE),
    Row("mspn4", "mspn", {"stages": 4}, LARGE, 120_317_680),
    Row("mspn2_res18", "mspn", {"stages": 2, "module": "res18"}, SMALL, None, "4.0", "gib",
        "the published network takes 4.0 G; two ResNet-18 stages of the described layers take 4.35"),
    Row("mspn1_l_xcp", "mspn", {"stages": 1, "module": "l_xcp"}, SMALL, None, "6.1", "gib"),
    Row("mspn4_s_xcp", "mspn", {"stages": 4, "module": "s_xcp"}, SMALL, None, "5.7", "gib"),
    Row("mspn1_res101", "mspn", {"stages": 1, "module": "res101"}, SMALL),
    Row("mspn1_res101_4_8_16_3", "mspn", {"stages": 1, "module": "res101", "blocks": (4, 8, 16, 3)}, SMALL),
    Row("hourglass1", "hourglass", {"joints": 17, "stacks": 1}, SMALL, None, "3.9", "gib", STEM),
    Row("hourglass2", "hourglass", {"joints": 17, "stacks": 2}, SMALL, None, "6.2", "gib", STEM),
    Row("hourglass4", "hourglass", {"joints": 17, "stacks": 4}, SMALL, None, "10.6", "gib", STEM),
    Row("hourglass8", "hourglass", {"joints": 17, "stacks": 8}, SMALL, None, "19.5", "gib", STEM),
    Row("hourglass8", "hourglass", {}, (256, 256), 25_434_112),
    Row("hourglass8_compared", "hourglass", {"joints": 17}, SMALL, "25.1e6", "14.3", "gib", UNKNOWN_STACK),
    Row("hg_s2_b1", "hourglass", {"stacks": 2, "widen_early": True}, (256, 256), 6_730_912),
    Row("hg_s4_b1", "hourglass", {"joints": 17, "stacks": 4, "widen_early": True}, (256, 256), None, "14.3", "gib"),
    # detectors; images without what each box adds
    Row("keypointrcnn_r50_fpn", "keypoint_rcnn", {}, (800, 1344), 59_137_258),
    Row("keypointrcnn_r50_fpn_caffe", "keypoint_rcnn",
        {"per_class": False, "stride_in_first": True, "aligned": True}, (800, 1344), 59_133_158),
    Row("keypointrcnn_r101_fpn_caffe", "keypoint_rcnn",
        {"depth": 101, "per_class": False, "stride_in_first": True, "aligned": True}, (800, 1344), "78.1e6"),
    Row("keypointrcnn_keypoint_head", "keypoint_rcnn", {}, (14, 14), 17_838_097, "3.50", part="keypoint_head"),
)  # fmt: skip
