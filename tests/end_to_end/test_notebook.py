"""The notebook of `examples/` runs from top to bottom in its own folder, as Jupyter runs it."""

import json
from pathlib import Path

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_every_cell_runs_where_the_notebook_lies(monkeypatch):
    monkeypatch.chdir(EXAMPLES)
    cells = json.loads((EXAMPLES / "people.ipynb").read_text())["cells"]
    names: dict = {}
    for cell in (cell for cell in cells if cell["cell_type"] == "code"):
        exec(compile(cell["source"], "people.ipynb", "exec"), names)
    assert len(names["people"]) >= 1
    assert names["people"].joints.shape[1:] == (17, 3)
