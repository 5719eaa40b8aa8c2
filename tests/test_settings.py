"""Settings: what is written is what is loaded, and what is wrong is named."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from bottomup.errors import SettingsError
from bottomup.settings import load_settings, to_dict


@dataclass(frozen=True)
class Source:
    path: Path
    weight: float = 1.0


@dataclass(frozen=True)
class Network:
    name: str = "small"
    channels: tuple[int, ...] = (8, 16)
    size: tuple[int, int] = (64, 64)

    def __post_init__(self) -> None:
        if min(self.channels, default=1) <= 0:
            raise ValueError(f"channels must be positive, got {self.channels}")


@dataclass(frozen=True)
class Run:
    steps: int
    rate: float = 1e-3
    flip: bool = True
    device: Literal["auto", "cpu", "cuda"] = "auto"
    network: Network = Network()
    sources: list[Source] = field(default_factory=list)
    resume: Path | None = None
    seed: int | str = 0
    names: dict[str, float] = field(default_factory=dict)
    teacher: Network | None = None
    more: Any = None


def written(folder: Path, text: str) -> Path:
    path = folder / "run.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def problem(folder: Path, text: str, *overrides: str) -> str:
    with pytest.raises(SettingsError) as error:
        load_settings(Run, written(folder, text), overrides)
    return str(error.value)


def test_defaults_fill_what_the_file_leaves_out(tmp_path):
    assert load_settings(Run, written(tmp_path, "steps: 3")) == Run(steps=3)


def test_no_file_at_all():
    assert load_settings(Network) == Network()
    assert load_settings(Run, None, ["steps=4"]) == Run(steps=4)


def test_every_kind_of_value(tmp_path):
    text = """
    steps: 3
    rate: 1e-4
    flip: false
    device: cuda
    network: {name: large, channels: [4, 5, 6], size: [32, 48]}
    sources: [{path: a.json, weight: 2}, {path: b.json}]
    resume: runs/last
    seed: today
    names: {left: 1, right: .5}
    teacher: {name: huge}
    more: [1, two]
    """
    assert load_settings(Run, written(tmp_path, text)) == Run(
        steps=3,
        rate=1e-4,
        flip=False,
        device="cuda",
        network=Network("large", (4, 5, 6), (32, 48)),
        sources=[Source(Path("a.json"), 2.0), Source(Path("b.json"))],
        resume=Path("runs/last"),
        seed="today",
        names={"left": 1.0, "right": 0.5},
        teacher=Network("huge"),
        more=[1, "two"],
    )


@pytest.mark.parametrize(
    ("override", "change"),
    [
        ("rate=2", {"rate": 2.0}),
        ("rate=3e-4", {"rate": 3e-4}),
        ("device=cpu", {"device": "cpu"}),
        ("flip=false", {"flip": False}),
        ("resume=null", {"resume": None}),
        ("resume=a=b", {"resume": Path("a=b")}),
        ("network.size=[1, 2]", {"network": Network("large", size=(1, 2))}),
        ("teacher.name=other", {"teacher": Network("other")}),
        ("names.left=3", {"names": {"left": 3.0}}),
        ("sources.1.weight=7", {"sources": [Source(Path("a")), Source(Path("b"), 7.0)]}),
        ("sources=[]", {"sources": []}),
    ],
)
def test_overrides_win_over_the_file(tmp_path, override, change):
    path = written(tmp_path, "steps: 3\nnetwork: {name: large}\nsources: [{path: a}, {path: b}]\nresume: here")
    plain = load_settings(Run, path)
    expected = {key: getattr(plain, key) for key in Run.__dataclass_fields__} | change
    assert load_settings(Run, path, [override]) == Run(**expected)


def test_the_last_override_wins(tmp_path):
    assert load_settings(Run, written(tmp_path, "steps: 3"), ["steps=4", "steps=5"]).steps == 5


networks = st.builds(
    Network, st.text(), st.lists(st.integers(1, 9), max_size=4).map(tuple), st.tuples(st.integers(), st.integers())
)
runs = st.builds(
    Run,
    st.integers(),
    st.floats(allow_nan=False),
    st.booleans(),
    st.sampled_from(["auto", "cpu", "cuda"]),
    networks,
    st.lists(st.builds(Source, st.just(Path("a/b.json")), st.floats(0, 9)), max_size=3),
    st.none() | st.just(Path("last")),
    st.integers() | st.text(),
    st.dictionaries(st.text(), st.floats(allow_nan=False), max_size=3),
    st.none() | networks,
)


@given(runs)
@settings(max_examples=25, deadline=None)
def test_written_settings_load_as_the_same_settings(tmp_path_factory, run):
    path = written(tmp_path_factory.getbasetemp(), yaml.safe_dump(to_dict(run), allow_unicode=False))
    assert load_settings(Run, path) == run


def test_plain_settings_hold_only_plain_values():
    run = Run(steps=1, sources=[Source(Path("a"))], names={"b": 1.0})
    plain = to_dict(run)
    assert plain["sources"] == [{"path": "a", "weight": 1.0}]
    assert plain["network"] == {"name": "small", "channels": [8, 16], "size": [64, 64]}
    assert plain["names"] == {"b": 1.0} and plain["teacher"] is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("steps: 1\nstepps: 2", ["unknown key stepps", "did you mean steps?"]),
        ("steps: 1\nnetwork: {chanels: [1]}", ["unknown key network.chanels", "did you mean network.channels?"]),
        ("steps: 1\nsources: [{path: a, wait: 2}]", ["unknown key sources.0.wait", "did you mean sources.0.weight?"]),
        ("rate: 1", ["steps is missing"]),
        ("steps: 1\nsources: [{weight: 2}]", ["sources.0.path is missing"]),
        ("steps: many", ["steps is 'many' (str), expected a whole number"]),
        ("steps: 1.5", ["steps is 1.5 (float), expected a whole number"]),
        ("steps: true", ["steps is True (bool), expected a whole number"]),
        ("steps: 1\nrate: fast", ["rate is 'fast'", "expected a number"]),
        ("steps: 1\nrate: true", ["rate is True", "expected a number"]),
        ("steps: 1\nflip: 1", ["flip is 1 (int), expected true or false"]),
        ("steps: 1\ndevice: tpu", ["device is 'tpu'", "'auto', 'cpu', 'cuda'"]),
        ("steps: 1\nresume: 3", ["resume is 3", "expected a path"]),
        ("steps: 1\nseed: 1.5", ["seed is 1.5", "a whole number or text"]),
        ("steps: 1\nnames: {a: b}", ["names.a is 'b'"]),
        ("steps: 1\nnames: [1]", ["names is [1]"]),
        ("steps: 1\nnetwork: large", ["network is 'large'", "keys name, channels, size"]),
        ("steps: 1\nnetwork: {channels: 8}", ["network.channels is 8"]),
        ("steps: 1\nnetwork: {channels: [8, x]}", ["network.channels.1 is 'x'"]),
        ("steps: 1\nnetwork: {size: [1, 2, 3]}", ["network.size is [1, 2, 3]", "tuple[int, int]"]),
        ("steps: 1\nnetwork: {channels: [0]}", ["network: channels must be positive, got (0,)"]),
        ("steps: null", ["steps is None"]),
    ],
)
def test_each_mistake_is_named_with_its_file(tmp_path, text, words):
    message = problem(tmp_path, text)
    assert "run.yaml: " in message
    assert all(word in message for word in words), message


def test_all_mistakes_are_told_at_once(tmp_path):
    message = problem(tmp_path, "stepps: 1\nrate: fast", "flip=maybe")
    assert all(word in message for word in ("stepps", "steps is missing", "rate is 'fast'", "flip is 'maybe'"))
    assert "\n" not in message


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("stepps=2", ["override 'stepps=2'", "did you mean steps?"]),
        ("network.size=3", ["override 'network.size=3'", "network.size is 3"]),
        ("network={nam: a}", ["override 'network={nam: a}'", "network.name"]),
        ("sources.1.weight=2", ["override 'sources.1.weight=2'", "a list of 1"]),
        ("steps.more=2", ["override 'steps.more=2'", "the value 3"]),
        ("steps", ["override 'steps'", "key=value"]),
        ("=3", ["key=value"]),
        ("network..size=3", ["key=value"]),
        ("rate=[1", ["override 'rate=[1'", "YAML"]),
    ],
)
def test_each_wrong_override_is_named(tmp_path, override, words):
    message = problem(tmp_path, "steps: 3\nsources: [{path: a}]", override)
    assert all(word in message for word in words), message
    assert "run.yaml" not in message


def test_a_mistake_within_what_an_override_touches_names_file_and_override(tmp_path):
    message = problem(tmp_path, "steps: 3", "netwrok.size=[1, 2]")
    assert "run.yaml, override 'netwrok.size=[1, 2]': unknown key netwrok; did you mean network?" in message
    message = problem(tmp_path, "steps: 3\nrate: fast", "network.channels=[0]", "seed=1")
    assert "run.yaml, override 'network.channels=[0]': network: channels must be positive" in message
    assert "run.yaml: rate is 'fast'" in message


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("steps: [", "not valid YAML"),
        ("steps: 1\nsteps: 2", "'steps' is given twice"),
        ("- steps", "a list"),
        ("just text", "a str"),
        ("steps: !!python/object/apply:os.getcwd []", "not valid YAML"),
    ],
)
def test_a_file_that_is_no_settings_file(tmp_path, text, word):
    message = problem(tmp_path, text)
    assert "run.yaml" in message and word in message


def test_a_file_that_cannot_be_read(tmp_path):
    with pytest.raises(SettingsError, match=r"absent\.yaml does not exist"):
        load_settings(Network, tmp_path / "absent.yaml")
    with pytest.raises(SettingsError, match="cannot be read"):
        load_settings(Network, tmp_path)
    binary = tmp_path / "binary.yaml"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SettingsError, match="cannot be read"):
        load_settings(Network, binary)


def test_an_empty_file_is_all_defaults(tmp_path):
    assert load_settings(Network, written(tmp_path, "# nothing\n")) == Network()
