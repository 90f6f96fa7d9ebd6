"""The public surface: listed, documented, lazy, and the same as in the docs."""

import ast
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import hotnas_hls as hn

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "reference" / "api.md"
HEAVY = {"torch", "numba", "matplotlib", "optuna", "rich", "numpy"}
OBJECTS = [name for name in hn.__all__ if name not in ("errors", "__version__")]


def test_the_list_is_what_can_be_imported():
    assert sorted(hn.__all__) == hn.__all__ == dir(hn)
    assert set(OBJECTS) == set(hn._MODULE_OF)
    for name in hn.__all__:
        assert getattr(hn, name) is not None
    with pytest.raises(AttributeError, match="module 'hotnas_hls' has no attribute 'nothing'"):
        _ = hn.nothing


def test_importing_it_imports_nothing_heavy():
    code = f"import sys, hotnas_hls; dir(hotnas_hls); sys.exit(bool({HEAVY} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_the_reference_page_has_every_name_and_no_other():
    documented = re.findall(r"^::: hotnas_hls\.([\w.]+)$", PAGE.read_text(), re.MULTILINE)
    public = {f"{hn._MODULE_OF[name]}.{name}" for name in OBJECTS} | {"errors"}
    assert len(documented) == len(set(documented)) and set(documented) == public
    assert set(re.findall(r"^## `(\w+)`$", PAGE.read_text(), re.MULTILINE)) == {*OBJECTS, "errors"}


@pytest.mark.parametrize("name", OBJECTS)
def test_everything_public_is_documented_and_typed(name: str):
    thing = getattr(hn, name)
    assert inspect.getdoc(thing)
    members = [] if not inspect.isclass(thing) else vars(thing).items()
    for member, value in [(name, thing), *members]:
        value = value.fget if isinstance(value, property) else value
        if inspect.isfunction(value) and not member.startswith("_"):
            assert value.__doc__, f"{name}.{member}"
            assert "return" in value.__annotations__, f"{name}.{member}"


def test_every_error_is_one_of_the_documented_kinds():
    kinds = [kind for _, kind in inspect.getmembers(hn.errors, inspect.isclass)]
    kinds = [kind for kind in kinds if kind.__module__ == "hotnas_hls.errors"]
    assert len(kinds) > 5 and all(issubclass(kind, hn.errors.HotnasError) and kind.__doc__ for kind in kinds)


@pytest.mark.parametrize("kind", ["README.md", "docs/**/*.md", "docs/**/*.ipynb", "hotnas_hls/__init__.py"])
def test_what_is_written_uses_public_names(kind: str):
    pages = [page.read_text(encoding="utf-8") for page in ROOT.glob(kind)]
    used = {name for text in pages for name in re.findall(r"\bhn\.(\w+)", text)}
    assert used and used <= set(hn.__all__)


def test_the_ten_lines_of_the_readme_are_calls_that_can_be_made():
    """Every argument of every call is one that the function has."""
    fence = re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)[1]
    owners = {"hn": hn, "network": hn.Network, "run.design": hn.Design, "package": hn.Package}
    calls = [node for node in ast.walk(ast.parse(fence)) if isinstance(node, ast.Call)]
    assert len(calls) == 7
    for call in calls:
        owner = owners[ast.unparse(call.func.value)]
        signature = inspect.signature(getattr(owner, call.func.attr))
        given = [None] * (len(call.args) + inspect.isclass(owner))
        signature.bind(*given, **{keyword.arg: None for keyword in call.keywords})
