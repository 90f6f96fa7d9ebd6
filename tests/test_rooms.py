"""The rooms of docs/architecture.md: every module lies in one, and imports only rooms above its own."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import networkx
import pytest

import hotnas_hls

PACKAGE = Path(hotnas_hls.__file__).parent
PAGE = PACKAGE.parent / "docs" / "architecture.md"
FACES = {"__init__", "__main__"}  # of the package itself


def table() -> list[str]:
    """The rooms of the page, the lowest first."""
    text = PAGE.read_text()
    section = text[text.index("## Rooms") : text.index("## Where would I add")]
    return re.findall(r"^\| `(\w+)/?` \|", section, re.MULTILINE)


MODULES = {path: path.relative_to(PACKAGE).with_suffix("").parts for path in PACKAGE.rglob("*.py")}


def imports(path: Path) -> set[str]:
    """Every module a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found


def imported_modules(path: Path) -> set[tuple[str, ...]]:
    """The modules of this project that a file imports."""
    known = set(MODULES.values())
    return {parts for name in imports(path) if (parts := tuple(name.split(".")[1:])) in known}


def test_every_module_lies_in_a_room() -> None:
    assert {parts[0] for parts in MODULES.values()} - FACES == set(table())


def test_every_folder_says_what_happens_there() -> None:
    for folder in {path.parent for path in MODULES}:
        assert ast.get_docstring(ast.parse((folder / "__init__.py").read_text())), folder


@pytest.mark.parametrize("room", table())
def test_a_room_imports_only_rooms_above_it(room: str) -> None:
    below = set(table()[table().index(room) + 1 :])
    for path, parts in MODULES.items():
        if parts[0] == room:
            assert not {".".join(name) for name in imported_modules(path) if name[0] in below}, path


def test_no_modules_import_each_other() -> None:
    arrows = networkx.DiGraph()
    for path, parts in MODULES.items():
        arrows.add_edges_from((parts, name) for name in imported_modules(path))
    assert list(networkx.simple_cycles(arrows, length_bound=4)) == []
    assert networkx.is_directed_acyclic_graph(arrows)


@pytest.mark.parametrize("room", table()[: table().index("fuzzing")])
def test_nothing_below_the_design_point_needs_torch(room: str) -> None:
    for path, parts in MODULES.items():
        if parts[0] == room:
            assert not {name for name in imports(path) if name.split(".")[0] in ("torch", "optuna")}, path
