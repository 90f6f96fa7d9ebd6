"""Every pragma of the HLS C++ against a table of documented ones: its options, versions and place."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

pytest.importorskip("clang.cindex")

from codegen.test_hls import generate, needs_csim, small_case, write  # noqa: E402
from hotnas_hls.codegen.hls_lint.unit import parse  # noqa: E402

pytestmark = needs_csim

TABLE = Path(__file__).with_name("hls_pragmas.txt")
PRAGMA = re.compile(r"HLS_VITIS\((\w(?:[^()]|\([^()]*\))*)\)")
# First and last version that a macro of pragmas.h writes a pragma for; others are for all.
ALL, OLD, NEW, BURSTS = ("2019.2", ""), ("2019.2", "2020.1"), ("2020.1", ""), ("2021.2", "")
MACROS = {
    **{"data_pack": OLD, "resource": OLD, "stream type=": BURSTS},
    **{"aggregate": NEW, "bind_op": NEW, "bind_storage": NEW},
}


@dataclass(frozen=True)
class Documented:
    """A row of the table."""

    kind: str
    first: str
    last: str  # empty: the newest
    place: str  # function, loop or both
    options: frozenset[str]

    def covers(self, since: str, until: str) -> bool:
        """All versions from ``since`` to ``until``, empty for the newest."""
        return self.first <= since and (not self.last or bool(until) and until <= self.last)


def table() -> list[Documented]:
    rows = (line.split() for line in TABLE.read_text().splitlines() if not line.startswith("#"))
    return [
        Documented(kind, *versions.split("-"), place, frozenset(options))
        for kind, versions, place, *options in rows
    ]


def undocumented(text: str) -> list[str]:
    """The pragmas of a source that no row of the table has, for the versions they are for."""
    found = []
    for pragma in PRAGMA.findall(text):
        words = re.sub(r"\s*([-+*/=])\s*", r"\1", pragma).split()
        options = {re.sub("=.*", "=", word) for word in words[1:]}
        keys = [words[0], *(f"{words[0]} {option}" for option in options)]
        versions = next((MACROS[key] for key in keys if key in MACROS), ALL)
        if not any(
            row.kind == words[0] and options <= row.options and row.covers(*versions) for row in table()
        ):
            found.append(" ".join(words))
    return found


def test_every_pragma_is_documented_in_the_versions_it_is_for() -> None:
    files = generate(small_case(), images=1)
    texts = [str(text) for name, text in files.items() if name.endswith((".h", ".cpp"))]
    assert [found for text in texts for found in undocumented(text)] == []
    used = {pragma.split()[0] for text in texts for pragma in PRAGMA.findall(text)}
    assert used == {row.kind for row in table()}


@pytest.mark.parametrize(
    "pragma", ["pipeline II=1 flush", "stream variable=x type=fifo depth=2", "unroll by=2", "allocation"]
)
def test_what_is_not_documented_is_found(pragma: str) -> None:
    assert undocumented(f"HLS_VITIS({pragma})") == [pragma]


def test_pragmas_stand_where_they_may(tmp_path: Path) -> None:
    places = {row.kind: row.place for row in table()}
    unit = parse(write(generate(small_case(), images=1), tmp_path), dataflow=True)
    for function in unit.functions.values():
        assert {pragma.kind for pragma in function.pragmas if places.get(pragma.kind) == "loop"} == set()
        for loop in function.loops:
            assert {pragma.kind for pragma in loop.pragmas if places.get(pragma.kind) == "function"} == set()
