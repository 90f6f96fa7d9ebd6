"""The documentation against the code: tables, links, commands, names of files.

Commands in ``sh`` fences must exist, with the options they are given, and are run here, each page in a
folder of its own. The slowest have a smaller budget (``SHORTER``) or wait for HOTNAS_DOCS=all (``LATER``,
``# long``), which runs every one as it is written. ``make`` would install an environment: its recipes are
compared.
"""

from __future__ import annotations

import importlib
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import hotnas_hls
from hotnas_hls.accel.accelerator import Accelerator
from hotnas_hls.accel.timing import pipeline
from hotnas_hls.base.shipped import shipped_folder
from hotnas_hls.cli import command_names

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
TOP = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md")
PAGES = [*(ROOT / name for name in TOP), *sorted(DOCS.rglob("*.md"))]


def page_name(page: Path) -> str:
    """A page as tests call it."""
    return str(page.relative_to(ROOT))


# By docs/site.py, which mkdocs runs; its strict build follows the links to them.
MADE_BY_THE_SITE = {
    DOCS / "reference" / "cli.md",
    *(notebook.with_suffix(".md") for notebook in (DOCS / "notebooks").glob("*.ipynb")),
}
FENCE = re.compile(r"^```(\w*)(?: (\S+))?\n(.*?)^```$", re.DOTALL | re.MULTILINE)
EVERYTHING = os.environ.get("HOTNAS_DOCS") == "all"
SHORTER = {  # what is added to a command, so that it does less
    "hotnas search digits --output runs/digits": "--trials 2 --bound-ms 1",
}
LATER = {  # and what is run instead
    "hotnas compare digits --seeds 3 --cold --early-stopping --output runs/compare": "search/test_compare.py",
    "hotnas sim hls_out/digits": "the tutorial's 'hotnas sim'",
    "hotnas synth runs/mine": "implementation/test_synth.py",
}
PACKAGE = Path(hotnas_hls.__file__).parent
SIM = shipped_folder("sim")


def script(name: str) -> ModuleType:
    """A script of docs/ as a module."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(DOCS)
        return importlib.import_module(name)


def fences(page: Path, language: str) -> Iterator[tuple[str, str]]:
    """File name (or nothing) and text of every fence of a language."""
    for found in FENCE.finditer(page.read_text()):
        if found[1] == language:
            yield found[2] or "", found[3]


def commands(page: Path, long: bool = True) -> list[list[str]]:
    """The shell commands of a page, in order; those marked ``# long`` (hours) only if ``long``."""
    lines = [line for _, text in fences(page, "sh") for line in text.splitlines()]
    kept = [line for line in lines if line.strip() and (long or not line.endswith("# long"))]
    return [shlex.split(line, comments=True) for line in kept]


ALL_COMMANDS = sorted({tuple(command) for page in PAGES for command in commands(page)})


# ---------------------------------------------------------------- tables and picture
def all_pages() -> list[Any]:
    """Every page; the published tables take long."""
    slow = {"published.md"}
    return [pytest.param(page, marks=pytest.mark.whole if page.name in slow else ()) for page in PAGES]


@pytest.mark.parametrize("page", all_pages(), ids=page_name)
def test_tables_are_those_of_the_code(page: Path) -> None:
    if "<!-- table:" in page.read_text() and "published" in page.name:
        pytest.importorskip("torch")
    assert script("tables").with_tables(page.read_text()) == page.read_text(), "run: python docs/tables.py"


def test_picture_is_the_one_its_script_draws() -> None:
    assert (DOCS / "flow.svg").read_text() == script("flow").svg(), "run: python docs/flow.py"


def test_latency_constants_are_those_the_rtl_states() -> None:
    compute = (shipped_folder("templates") / "rtl" / "compute_ctrl.sv").read_text()
    to_acc = int(re.search(r"ToAcc\s*=\s*(\d+) \+ hotnas_pkg::TreeLevels", compute)[1])
    assert to_acc + int(re.search(r"ToStore\s*=\s*ToAcc \+ (\d+);", compute)[1]) == pipeline.ARRAY_STAGES


def test_parameter_table_names_every_parameter() -> None:
    text = (DOCS / "accelerator.md").read_text()
    section = text[text.index("## Parameters") : text.index("## Layers")]
    for name in Accelerator.__dataclass_fields__:
        assert f"`{name}`" in section, name


# ---------------------------------------------------------------- links and names
@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text()):
        if not target.startswith("http"):
            place = (page.parent / target).resolve()
            assert place.exists() or place in MADE_BY_THE_SITE, target


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_named_files_exist(page: Path) -> None:
    places = (ROOT, PACKAGE, ROOT / "templates/rtl", ROOT / "sim", DOCS)
    for name in re.findall(r"`([\w/]+\.(?:py|sv|yaml))`", page.read_text()):
        if name.startswith("my_"):
            continue
        assert any((place / name).exists() for place in places), name


# ---------------------------------------------------------------- commands
@cache
def hotnas(*arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run ``hotnas`` in a process of its own."""
    command = [sys.executable, "-m", "hotnas_hls", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd)


@pytest.mark.parametrize("command", ALL_COMMANDS, ids=" ".join)
def test_commands_exist_with_their_options(command: tuple[str, ...]) -> None:
    program, *arguments = command
    if program == "hotnas":
        name, *rest = arguments
        assert name in command_names()
        help_text = hotnas(name, "--help").stdout
        for option in (word for word in rest if word.startswith("--")):
            assert option in help_text, option
    elif program == "make":
        targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
        assert set(arguments) <= set(targets)
    elif program == "python" and arguments[0] == "-m":
        assert importlib.util.find_spec(arguments[1]) is not None
    else:
        assert program == "python" and arguments[0] == "my_net.py"


def test_commands_with_a_smaller_budget_are_still_documented() -> None:
    assert {*SHORTER, *LATER} <= set(map(" ".join, ALL_COMMANDS))


def write_files(page: Path, folder: Path) -> None:
    """Write every fence that has a file name."""
    for language in ("python", "yaml"):
        for name, text in fences(page, language):
            if name:
                (folder / name).write_text(text)


def test_files_of_the_tutorial_are_accepted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from hotnas_hls.boards.board import read_board
    from hotnas_hls.search.config import load_config

    write_files(DOCS / "tutorial.md", tmp_path)
    assert read_board(tmp_path / "my_board.yaml").port_bits == 512
    monkeypatch.chdir(tmp_path)
    config = load_config("my_run.yaml")
    assert (config.violations(), config.load_board().name) == ([], "my board")
    compile((tmp_path / "my_net.py").read_text(), "my_net.py", "exec")


def test_make_runs_the_commands_that_do_without_it() -> None:
    dry = ["make", "--dry-run", "search", "hls", "sim"]
    recipes = subprocess.run(dry, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for default in (" --output hls_out/", " && exit $status"):
        recipes = recipes.replace(default, "")
    made = re.findall(r"/hotnas ((?:search|hls|sim|report)\b[^;\n]*)", recipes)
    listed = [" ".join(rest) for program, *rest in commands(ROOT / "README.md") if program == "hotnas"]
    assert ["doctor", *made] == listed


def to_run(page: Path) -> list[list[str]]:
    """The commands of a page that are run here, as they are written."""
    kept = [command for command in commands(page, long=EVERYTHING) if command[0] != "make"]
    return kept if EVERYTHING else [command for command in kept if " ".join(command) not in LATER]


def walked() -> list[Any]:
    """Pages with commands: README, and the others, which are left to ``make pages``."""
    readme, *others = (page for page in PAGES if to_run(page))
    later = (pytest.param(page, marks=pytest.mark.long("minutes; make pages")) for page in others)
    return [pytest.param(readme, marks=pytest.mark.whole), *later]


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("page", walked(), ids=page_name)
def test_every_command_of_a_page_succeeds_in_order(page: Path, tmp_path: Path) -> None:
    for extra in ("torch", "optuna", "cocotb"):
        pytest.importorskip(extra)
    write_files(page, tmp_path)
    for program, *arguments in to_run(page):
        written = " ".join((program, *arguments))
        if not EVERYTHING:
            arguments += SHORTER.get(written, "").split()
        launcher = [] if program == "python" else ["-m", "hotnas_hls"]
        finished = subprocess.run(
            [sys.executable, *launcher, *arguments], capture_output=True, text=True, cwd=tmp_path
        )
        assert finished.returncode == 0, f"{written}\n{finished.stderr}"
        assert finished.stdout or program == "python", written
