"""Waveforms of a layer: what is recorded, for how long, and the view that lies beside."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pywellen import Waveform
from small_designs import small_design

from hotnas_hls import load_package
from hotnas_hls.base import tools
from hotnas_hls.cli import main
from hotnas_hls.errors import ConfigError, OutputRefused, ToolNotFound
from hotnas_hls.simulate.behind_dram import forecast
from hotnas_hls.simulate.flow import generate
from hotnas_hls.simulate.waveform import signal_groups

CYCLE_PS = 2000


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("waves") / "small"
    generate(small_design(), folder, images=1)
    return folder


@pytest.mark.parametrize(
    "form",
    [
        pytest.param("vcd", marks=pytest.mark.whole),
        pytest.param("fst", marks=[
            pytest.mark.long("half a minute: a second build"),
            pytest.mark.skipif(tools.find("lz4") is None, reason="g++ finds no lz4.h"),
        ]),
    ],
)
def test_a_layer_is_recorded_from_its_descriptor_to_its_end(
    form: str, package: Path, tmp_path: Path
) -> None:
    """It works for the cycles predicted behind the DRAM; every signal of the view is there."""
    point = small_design()
    found = load_package(package).waveform("residual", tmp_path / f"residual.{form}")
    signals = {each.full_name: each for each in Waveform(str(found.path)).all_vars()}
    expected = forecast(point, point.integer_network(), point.dram)
    edges = range(0, 2 * expected.worst.cycles * CYCLE_PS, CYCLE_PS)

    def over_time(name: str) -> list[int | None]:
        """The value in each cycle; None before anything was recorded."""
        signal = signals[f"tb_top.u_dut.u_engine.{name}"].signal
        return [signal.value_at(time) for time in edges]

    layers = over_time("u_sequencer.layer_q")
    works = [at for at, layer in enumerate(layers) if layer == 1]
    assert works == list(range(works[0], works[0] + found.cycles))
    before = [layer for layer in layers[: works[0]] if layer is not None]
    assert set(before) == {0} and 10 < len(before) < expected.worst.layers["stem"]
    assert 1 in over_time("fetching")[works[0] - len(before) : works[0]]

    view = found.view.read_text()
    assert view.startswith(f'[dumpfile] "residual.{form}"\n')
    shown = re.findall(r"^(tb_top\S+?)(?:\[(\d+):0\])?$", view, re.MULTILINE)
    assert [name for name, _ in shown] == [s for _, each, _ in signal_groups(point.accelerator) for s in each]
    assert all(signals[name].bitwidth == int(high or 0) + 1 for name, high in shown)


def test_what_cannot_be_recorded_is_told_at_once(
    package: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigError) as raised:
        load_package(package).waveform("conv9", tmp_path / "none" / "x.txt")
    assert str(raised.value) == (
        "No waveform:\n"
        "  - --layer conv9: the design has no such layer, but stem, residual, pool, mean, fc\n"
        f"  - --wave {tmp_path}/none/x.txt: give a file that ends in .fst or .vcd\n"
        f"  - --wave {tmp_path}/none/x.txt: no such folder"
    )
    assert main(["sim", str(package), "--wave", "x.fst", "--images", "3", "--json"]) == 1
    assert capsys.readouterr().err == (
        "hotnas: No waveform:\n"
        "  - --images: a waveform is of the package's own RTL, and certifies nothing; leave it out\n"
        "  - --json: a waveform is of the package's own RTL, and certifies nothing; leave it out\n"
        "  - --wave FILE.fst and --layer NAME: give both\n"
    )
    monkeypatch.setattr(tools, "_compiler", lambda: None)
    with pytest.raises(ToolNotFound) as missing:
        load_package(package).waveform("fc", tmp_path / "x.fst")
    assert str(missing.value) == (
        "lz4 not found: it is needed for waveforms in FST; on Debian or Ubuntu: apt install liblz4-dev "
        "zlib1g-dev; or give a FILE.vcd"
    )


def test_a_bench_that_records_nothing_is_refused(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As that of a package of an older hotnas."""
    monkeypatch.setattr("hotnas_hls.simulate.waveform.simulate_runs", lambda *given, **more: [])
    with pytest.raises(OutputRefused) as raised:
        load_package(package).waveform("fc", tmp_path / "x.vcd")
    assert str(raised.value) == "its bench records no waveforms; make the package again: hotnas hls"
    assert not list(tmp_path.glob("x.*"))
