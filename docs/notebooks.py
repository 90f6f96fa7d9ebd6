"""Run the notebooks of docs/notebooks, each in a folder of its own, and keep what came out.

``python docs/notebooks.py [NAME ...]``; the tests run them too, and keep nothing.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

NOTEBOOKS = Path(__file__).parent / "notebooks"
SECONDS = 900  # that a cell may take


def run(path: Path, folder: Path) -> nbformat.NotebookNode:
    """The notebook with what its cells gave, run in ``folder``; a cell that fails is an error."""
    notebook = nbformat.read(path, as_version=4)
    os.environ["PYTHONPATH"] = os.pathsep.join([str(NOTEBOOKS.parents[1]), os.environ.get("PYTHONPATH", "")])
    NotebookClient(notebook, timeout=SECONDS, resources={"metadata": {"path": str(folder)}}).execute()
    for cell in notebook.cells:  # times of this machine would make every run another file
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":  # warnings name folders of this machine
            cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
    return notebook


if __name__ == "__main__":
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        if not sys.argv[1:] or path.stem in sys.argv[1:]:
            with tempfile.TemporaryDirectory() as name:
                nbformat.write(run(path, Path(name)), path)
