"""When a Verilator build is used again, goes on, or begins anew; the builds themselves are replaced."""

from __future__ import annotations

from pathlib import Path

import pytest

from hotnas_hls.codegen.testbench import TOP
from hotnas_hls.errors import SimulationFailed
from hotnas_hls.simulate import verilated
from hotnas_hls.simulate.rtl_simulation import SimulationModel

RTL = {"hotnas_pkg.sv": "package hotnas_pkg; endpackage\n"}


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What lay in the folder of the objects when each build began; one of an ``error`` stops halfway."""
    seen: list[list[str]] = []

    def build(rtl: dict[str, str], folder: Path, **given: object) -> SimulationModel:
        (folder / "obj").mkdir(parents=True, exist_ok=True)
        seen.append(sorted(path.name for path in (folder / "obj").iterdir()))
        (folder / "obj" / "Vtop__pch.h.gch").write_text("half")
        if "error" in rtl[next(iter(rtl))]:
            raise SimulationFailed("stopped")
        (folder / "obj" / TOP).write_text("whole")
        return SimulationModel(folder, 1.0)

    monkeypatch.setattr(verilated, "build", build)
    return seen


def test_a_build_that_did_not_end_begins_anew(found: list[list[str]], tmp_path: Path):
    """make takes a half-written object for a finished one: every later build would fail."""
    with pytest.raises(SimulationFailed):
        verilated.build_once({"hotnas_pkg.sv": "error"}, tmp_path)
    assert verilated.build_once(RTL, tmp_path).build_seconds == 1.0
    assert found == [[], []]


def test_a_build_that_ended_is_used_again_or_goes_on(found: list[list[str]], tmp_path: Path):
    verilated.build_once(RTL, tmp_path)
    assert verilated.build_once(RTL, tmp_path).build_seconds == 0
    verilated.build_once({"hotnas_pkg.sv": "package other; endpackage\n"}, tmp_path)
    assert found == [[], ["Vtop__pch.h.gch", TOP]]
