"""The site builds without a warning, and the notebooks run."""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import sys
from html import unescape
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))


@pytest.mark.whole
def test_the_site_builds_strictly_and_without_network(tmp_path: Path) -> None:
    for needed in ("mkdocs", "material", "mkdocstrings"):
        pytest.importorskip(needed)
    proxy = {f"{name}_proxy": "http://127.0.0.1:9" for name in ("http", "https")}  # nobody listens there
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--site-dir", tmp_path / "site"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, **proxy, "NO_MKDOCS_2_WARNING": "1"},
    )
    assert done.returncode == 0, done.stderr
    api = (tmp_path / "site" / "reference" / "api.html").read_text()
    assert "Decide every design of the uncompressed network on a board" in api
    signatures = unescape(re.sub(r"<[^>]+>", "", api))  # set in one line or in many
    assert re.search(r"quiet: bool = False,?\s*\) -> Run", signatures)
    assert "usage: hotnas search" in (tmp_path / "site" / "reference" / "cli.html").read_text()
    page = (tmp_path / "site" / "notebooks" / "first_design.html").read_text()
    assert "<caption>digits_resnet: " in page and "ModuleNotFoundError" not in page


@pytest.mark.long("three minutes; make pages")
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_run_and_are_kept_with_what_came_out(path: Path, tmp_path: Path) -> None:
    for needed in ("nbclient", "ipykernel", "torch", "optuna", "cocotb"):
        pytest.importorskip(needed)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "docs")
        notebooks = importlib.import_module("notebooks")
    kept = notebooks.nbformat.read(path, as_version=4)
    ran = notebooks.run(path, tmp_path)
    for before, after in zip(kept.cells, ran.cells, strict=True):
        assert before.source == after.source
        if after.cell_type == "code":
            kinds = [sorted(output.get("data", {"text": 0})) for output in after.outputs]
            assert [sorted(output.get("data", {"text": 0})) for output in before.outputs] == kinds, (
                after.source
            )
