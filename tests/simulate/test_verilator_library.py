"""Verilator's library is kept once for each compiler setting, whole, and taken by later builds."""

from __future__ import annotations

from pathlib import Path

import pytest

from hotnas_hls.simulate.verilator_library import keep, kept_library, take


def test_what_a_build_leaves_is_taken_by_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    library = kept_library("verilator 5", ["-O0"])
    assert library.parent == tmp_path / "cache" / "hotnas-hls"
    assert library not in (kept_library("verilator 5", ["-O2"]), kept_library("verilator 6", ["-O0"]))
    first, second = tmp_path / "first", tmp_path / "second"
    take(library, first)  # nothing is kept yet
    assert list(first.iterdir()) == []
    for name in ("verilated.o", "verilated_vpi.o", "Vtop.o"):
        (first / name).write_text(name)
    keep(library, first)
    (first / "verilated.o").write_text("of a later build")
    keep(library, first)  # one is enough
    take(library, second)
    found = {path.name: path.read_text() for path in second.iterdir()}
    assert found == {"verilated.o": "verilated.o", "verilated_vpi.o": "verilated_vpi.o"}
    assert [path.name for path in library.parent.iterdir()] == [library.name]


def test_a_cache_that_cannot_be_written_does_not_matter(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    keep(tmp_path / "file" / "library", tmp_path)
    assert (tmp_path / "file").read_text() == ""
