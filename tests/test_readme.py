"""The README tells the truth: its Python runs, its commands and options exist, so do the files that it names."""

from __future__ import annotations

import ast
import re
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

import bottomup

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def commands() -> list[str]:
    """The lines of the shell blocks, and the commands in running text and tables."""
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    prose = re.sub(r"^```.*?^```$", "", README, flags=re.MULTILINE | re.DOTALL)
    lines += re.findall(r"`((?:make|python) [^`]+)`", prose)
    return sorted(set(lines))


def program(words: list[str]) -> list[str]:
    """The part of a command that names what runs: script or module, and its subcommand."""
    if words[1] == "-m":
        return words[1:4] if len(words) > 3 and words[2] == "bottomup" else words[1:3]
    return words[1:2]


@cache
def help_of(*arguments: str) -> str:
    run = [sys.executable, *arguments, "--help"]
    done = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_there_is_something_to_check():
    assert len(blocks("python")) >= 3 and len(commands()) >= 8


@pytest.mark.parametrize("command", [c for c in commands() if c.startswith("make ")])
def test_make_targets_exist(command):
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    variables = re.findall(r"^([A-Z]+) \?=", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    for word in command.split()[1:]:
        assert word in targets or word.partition("=")[0] in variables


@pytest.mark.parametrize("command", [c for c in commands() if "python" in c.split()[0]])
def test_programs_and_their_options_exist(command):
    words = shlex.split(command)
    what = program(words)
    if what == ["-m", "pip"]:
        assert "constraints.txt" in words and (ROOT / "constraints.txt").exists()
        return
    text = help_of(*what)
    for option in (word for word in words if word.startswith("--")):
        assert re.search(rf"{re.escape(option)}\b", text), f"{' '.join(what)} has no option {option}"


@pytest.mark.parametrize("code", blocks("python"), ids=lambda code: code.split("\n")[0])
def test_python_compiles_and_names_exist(code):
    tree = ast.parse(code)
    used = {n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute) and ast.unparse(n.value) == "bottomup"}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "bottomup":
            used |= {alias.name for alias in node.names}
    modules = {path.stem for path in (ROOT / "bottomup").iterdir()}
    assert used <= set(bottomup.__all__) | modules


def test_grouping_as_shown_runs():
    (code,) = (code for code in blocks("python") if "group(" in code)
    exec(compile(code, "README.md", "exec"), {})  # asserts by itself


def test_evaluation_as_shown_runs():
    (code,) = (code for code in blocks("python") if "bootstrap_interval(" in code)
    names: dict = {}
    exec(compile(code, "README.md", "exec"), names)
    points = [float(v) for j in range(17) for v in (10 * j, 7 * j % 50, 2)]
    person = {"id": 1, "image_id": 1, "keypoints": points, "bbox": [0, 0, 160, 50], "area": 8000}
    truth = {"images": [{"id": 1}], "annotations": [person]}
    results = [{"image_id": 1, "keypoints": points, "score": 1.0}]
    assert names["report"](truth, results) == pytest.approx((1, 1, 1))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_named_files_exist(page):
    text = re.sub(r"<!--.*?-->", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    text = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    named = re.findall(r"`((?:\w+/)*\w[\w.-]*\.(?:py|md|txt|toml|yaml|cfg))`", text)
    linked = re.findall(r"\]\((?!https?:)([^)#]+)\)", text)
    places = (ROOT, ROOT / "bottomup", page.parent)
    missing = [name for name in named + linked if not any((place / name).exists() for place in places)]
    assert missing == []


def test_every_example_picture_has_a_licence():
    table = (ROOT / "examples" / "LICENCES.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| (\S+\.\w+) \|", table, re.MULTILINE)
    pictures = [p.name for p in (ROOT / "examples").iterdir() if p.suffix in (".jpg", ".png")]
    assert sorted(listed) == sorted(pictures) and pictures


def test_the_licence_is_the_apache_licence():
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "Apache License" in text and "Version 2.0" in text and "9. Accepting Warranty" in text
    assert "license = Apache-2.0" in (ROOT / "setup.cfg").read_text(encoding="utf-8")


def test_the_command_line_starts_without_slow_imports():
    code = "import sys, bottomup.cli; print(*sorted({'torch', 'numba', 'scipy', 'cv2', 'networkx'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
