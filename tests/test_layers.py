"""The house rules: layers, sizes, and that everything public says what it is."""

from __future__ import annotations

import ast
import statistics
from pathlib import Path

import pytest
from importlinter.cli import EXIT_STATUS_SUCCESS, lint_imports

ROOT = Path(__file__).resolve().parent.parent
MODULES = sorted((ROOT / "bottomup").rglob("*.py"))
SCRIPTS = sorted(p for folder in ("tests", "benchmarks", "examples") for p in (ROOT / folder).rglob("*.py"))
every_module = pytest.mark.parametrize("path", MODULES, ids=[str(p.relative_to(ROOT)) for p in MODULES])

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def lines_of(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def definitions(path: Path) -> list[tuple[Definition, bool]]:
    """Every function and class of a module, and whether it is public: reachable without an underscore."""
    found = []

    def walk(node: ast.AST, public: bool) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, Definition):
                open_to_all = public and not child.name.startswith("_")
                found.append((child, open_to_all))
                walk(child, open_to_all and isinstance(child, ast.ClassDef))
            else:
                walk(child, public)

    walk(ast.parse(path.read_text(encoding="utf-8")), True)
    return found


def functions(path: Path) -> list[tuple[ast.FunctionDef, bool]]:
    return [(node, public) for node, public in definitions(path) if not isinstance(node, ast.ClassDef)]


def is_kernel(node: ast.FunctionDef) -> bool:
    """Whether numba compiles the function: its arguments are typed by use and described in its docstring."""
    return any(isinstance(d, ast.Name) and d.id.startswith("jit") for d in node.decorator_list)


def length(node: ast.AST) -> int:
    return node.end_lineno - node.lineno + 1


def test_layers_import_only_downwards(monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    status = lint_imports(config_filename="pyproject.toml", no_cache=True)
    assert status == EXIT_STATUS_SUCCESS, capsys.readouterr().out


def test_every_folder_of_modules_is_a_package():
    assert [str(path.parent) for path in MODULES if not (path.parent / "__init__.py").exists()] == []


@every_module
def test_no_module_is_over_400_lines(path):
    assert lines_of(path) <= 400


@every_module
def test_no_function_is_over_60_lines(path):
    assert [f"{node.name}: {length(node)}" for node, _ in functions(path) if length(node) > 60] == []


def test_modules_and_functions_are_short_on_the_whole():
    assert statistics.median(lines_of(path) for path in MODULES) <= 150
    assert statistics.median(length(node) for path in MODULES for node, _ in functions(path)) <= 12


@every_module
def test_the_module_says_what_it_is_for(path):
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))), "needs a docstring"


@every_module
def test_everything_public_has_a_docstring(path):
    # `forward` is documented by its network class, `heads` and `read` by the class that they come from
    silent = [node.name for node, public in definitions(path) if public and not ast.get_docstring(node)]
    assert [name for name in silent if name not in ("forward", "heads", "read")] == []


@every_module
def test_everything_is_annotated(path):
    bare = []
    for node, _ in functions(path):
        arguments = node.args.posonlyargs + node.args.args + node.args.kwonlyargs
        arguments += [a for a in (node.args.vararg, node.args.kwarg) if a]
        named = [a for a in arguments if a.arg not in ("self", "cls")]
        if is_kernel(node):
            continue
        if node.returns is None or any(a.annotation is None for a in named):
            bare.append(node.name)
    assert bare == []


@every_module
def test_no_error_is_swallowed(path):
    handlers = [n for n in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(n, ast.ExceptHandler)]
    assert all(handler.type is not None for handler in handlers), "bare except"
    silent = [h.lineno for h in handlers if len(h.body) == 1 and isinstance(h.body[0], ast.Pass)]
    assert silent == [], "an error is passed over; use contextlib.suppress for what is expected, and say why"


def test_there_are_enough_tests():
    tests = sum(lines_of(path) for path in SCRIPTS if path.is_relative_to(ROOT / "tests"))
    assert tests >= 0.6 * sum(lines_of(path) for path in MODULES)


@pytest.mark.parametrize("path", MODULES + SCRIPTS, ids=lambda p: str(p.relative_to(ROOT)))
def test_no_path_of_one_machine(path):
    text = path.read_text(encoding="utf-8")
    assert not [word for word in ("/work" + "/", "/home" + "/", "/root" + "/") if word in text]
