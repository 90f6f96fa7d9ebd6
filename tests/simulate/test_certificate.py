"""The certificate: what holds, what does not, and the file it is kept in."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from small_designs import small_design

from hotnas_hls.accel.encoding.images import map_memory
from hotnas_hls.accel.integers.reference import run_network as reference
from hotnas_hls.accel.memory.dram_latency import dram_latency
from hotnas_hls.accel.memory.dram_timing import PHASES
from hotnas_hls.accel.timing.latency import network_latency
from hotnas_hls.bench import kept_results
from hotnas_hls.errors import ConfigError, SimulationFailed
from hotnas_hls.simulate import certify as module
from hotnas_hls.simulate.certificate import Certificate, recheck
from hotnas_hls.simulate.certify import certify, twin
from hotnas_hls.simulate.flow import generate
from hotnas_hls.simulate.rtl_simulation import RunResult, SimulationModel
from hotnas_hls.simulate.verilated import sources_digest


@pytest.fixture
def faked(monkeypatch):
    """Simulation replaced by prediction and reference; ``spoil`` may change the results."""
    spoilers = []

    def run_network(model, net, accel, tiles, runs, job, timeout_cycles):
        predicted = network_latency(net.layers, accel, tiles, runs[0].memory)
        results = [
            RunResult(
                status=0,
                cycles=predicted.cycles * (2 if run.stall else 1),
                layers=[layer.terms() for layer in predicted.layers.values()],
                ports={},
                feature_maps={name: np.array(fm) for name, fm in reference(net, run.image).items()},
            )
            for run in runs
        ]
        for at, (run, result) in enumerate(zip(runs, list(results), strict=True)):
            if run.dram is not None:
                behind = dram_latency(net, accel, tiles, run.dram)
                result.layers[:] = [
                    terms | {"cycles": behind.layers[name], "stall": behind.stalls[name]}
                    for name, terms in zip(behind.layers, result.layers, strict=True)
                ]
                results[at] = dataclasses.replace(result, cycles=behind.cycles)
        for spoil in spoilers:
            spoil(results)
        return results

    monkeypatch.setattr(module, "run_network", run_network)
    for builder in (module, kept_results):
        monkeypatch.setattr(builder, "build_once", lambda files, folder, **how: SimulationModel(folder, 0.0))
    return spoilers


def test_all_as_predicted_holds(faked, tmp_path: Path):
    point = small_design()
    certificate = certify(point, tmp_path, images=3)
    assert certificate.holds and certificate.exact and certificate.outputs_match and not certificate.reasons
    assert certificate.predicted_cycles == certificate.simulated_cycles == point.predicted_cycles
    assert certificate.images == 3 and certificate.stalled_runs == 1
    behind = certificate.behind
    assert behind is not None and behind.dram == point.dram and behind.as_predicted
    assert certificate.certified_cycles == behind.simulated_cycles == behind.predicted_cycles
    assert certificate.margin == point.latency_bound_cycles - behind.simulated_cycles > 0
    shares = certificate.layer_bounds()
    assert sum(shares) <= certificate.bound_cycles < sum(shares) + len(shares)
    assert "holds" in certificate.line() and "SystemVerilog twin" in certificate.line()


def test_what_is_certified_is_the_worst_phase_behind_the_boards_dram(faked, tmp_path: Path):
    point = small_design()
    behind = certify(point, tmp_path).behind
    net = point.integer_network()
    phases = tuple(
        dram_latency(net, point.accelerator, point.tiles, point.dram.numbers(200, phase)).cycles
        for phase in range(PHASES)
    )
    assert PHASES == 16 and behind.phases == phases
    assert behind.predicted_cycles == max(phases) > min(phases)
    assert behind.fast_cycles < behind.predicted_cycles < behind.slow_cycles


def test_the_bound_must_hold_behind_the_dram(faked, tmp_path: Path):
    """A bound between the ideal memory and the DRAM."""
    point = small_design()
    behind = certify(point, tmp_path).behind.predicted_cycles
    assert point.predicted_cycles < behind
    between = dataclasses.replace(point, latency_bound_ms=(behind - 1) / 200_000)
    certificate = certify(between, tmp_path)
    assert certificate.exact and not certificate.holds
    assert certificate.reasons == (f"total: {behind} cycles exceed the bound of {behind - 1}",)
    ideal = certify(between, tmp_path, behind=False)
    assert ideal.holds and ideal.behind is None and ideal.certified_cycles == point.predicted_cycles
    assert "alone: no board has it" in ideal.line()


def test_a_board_whose_dram_is_not_known_needs_one_or_none(faked, tmp_path: Path):
    board = dataclasses.replace(small_design().board, name="mine", dram=None)
    point = dataclasses.replace(small_design(), board=board, dram=None)
    with pytest.raises(ConfigError) as caught:
        certify(point, tmp_path)
    assert str(caught.value) == (
        "mine: no DRAM is known behind its ports; name one in the board's record (dram), or leave it out "
        "(--no-dram)"
    )
    assert certify(point, tmp_path, behind=False).holds


def test_far_from_the_prediction_behind_the_dram_does_not_hold(faked, tmp_path: Path):
    def slower(results):
        results[-1] = dataclasses.replace(results[-1], cycles=results[-1].cycles * 103 // 100)

    faked.append(slower)
    certificate = certify(dataclasses.replace(small_design(), latency_bound_ms=None), tmp_path)
    behind = certificate.behind
    assert certificate.reasons == (
        f"behind {behind.dram.name}: {behind.simulated_cycles} cycles simulated, "
        f"{behind.predicted_cycles} predicted",
    )


def test_file_round_trip_and_derived_figures(faked, tmp_path: Path):
    certificate = certify(small_design(), tmp_path)
    path = tmp_path / "certificate.json"
    path.write_text(certificate.to_json())
    assert Certificate.from_json(path) == certificate
    record = json.loads(path.read_text())
    assert record["simulated_ms"] == pytest.approx(record["simulated_cycles"] / 200_000)
    assert record["layers"][0]["bottleneck"] in "IWCO"
    assert certify(small_design(), tmp_path).to_json() == certificate.to_json()


def test_one_cycle_more_is_told_with_its_term(faked, tmp_path: Path):
    def slower(results):
        results[1].layers[1]["load_wgt"] += 3

    faked.append(slower)
    certificate = certify(small_design(), tmp_path)
    assert not certificate.holds
    assert certificate.reasons == ("residual: simulated cycles differ from the prediction (in a run)",)

    def later(results):
        for result in results:
            result.layers[2]["cycles"] += 1

    faked[:] = [later]
    assert certify(small_design(), tmp_path).reasons == (
        "pool: simulated cycles differ from the prediction (cycles +1)",
    )


def test_wrong_output_under_stalls_alone_is_found(faked, tmp_path: Path):
    def spoil(results):
        results[-2].feature_maps["mean.out"][0, 0, 0] += 1

    faked.append(spoil)
    certificate = certify(small_design(), tmp_path)
    assert certificate.reasons == ("mean: the output differs from the integer reference",)
    assert [layer.outputs_match for layer in certificate.layers] == [True, True, True, False, True]

    def behind(results):
        results[-1].feature_maps["mean.out"][0, 0, 0] += 1

    faked[:] = [behind]
    certificate = certify(small_design(), tmp_path)
    assert certificate.reasons == ("behind DDR4-2133-64: an output differs from the integer reference",)
    assert not certificate.outputs_match


def test_bound_missed(faked, tmp_path: Path):
    certificate = certify(small_design(latency_bound_ms=0.001), tmp_path)
    assert not certificate.holds and certificate.margin < 0
    assert certificate.reasons[-1].endswith("cycles exceed the bound of 200")
    unbound = certify(dataclasses.replace(small_design(), latency_bound_ms=None), tmp_path)
    assert unbound.holds and unbound.margin is None and unbound.layer_bounds()[0] is None


def test_vitis_rtl_is_not_held_to_the_twins_cycles(faked, tmp_path: Path):
    def slower(results):
        for result in results:
            result.layers[0]["cycles"] += 7

    faked.append(slower)
    rtl = module.Rtl({"top.v": "module hotnas_accel; endmodule"}, "RTL of elsewhere")
    certificate = certify(small_design(), tmp_path, rtl=rtl)
    assert certificate.holds and not certificate.exact and certificate.simulated_rtl == "RTL of elsewhere"


def test_hang_is_one_clear_message(faked, tmp_path: Path, monkeypatch):
    def hangs(*_, **__):
        raise SimulationFailed("bench.Timeout: the accelerator did not finish within 1 cycles\nmany lines")

    monkeypatch.setattr(module, "run_network", hangs)
    with pytest.raises(SimulationFailed, match=r"^small: run 1 of 4 hung: .* predicted.*simulation.log$"):
        certify(small_design(), tmp_path)


def test_foreign_files_are_refused(tmp_path: Path):
    path = tmp_path / "c.json"
    path.write_text("{}")
    with pytest.raises(ConfigError, match="not a certificate"):
        Certificate.from_json(path)
    path.write_text('{"format": "hotnas-certificate", "format_version": 2, "layers": 3}')
    with pytest.raises(ConfigError, match="missing key"):
        Certificate.from_json(path)
    path.write_text('{"format": "hotnas-certificate", "format_version": 1}')
    with pytest.raises(ConfigError) as caught:
        Certificate.from_json(path)
    assert str(caught.value) == f"{path}: format_version must be 2; run hotnas sim again"


def test_banner_does_not_make_another_design():
    assert sources_digest({"a": "// one\nmodule a;"}) == sources_digest({"a": "// two\nmodule a;"})
    assert sources_digest({"a": "module a;"}) != sources_digest({"a": "module b;"})


@pytest.mark.timeout(600)
def test_simulated_small_design_holds(tmp_path_factory):
    """The real thing: Verilator, cocotb, two images, one stalled, one behind the DRAM; no second build."""
    folder = tmp_path_factory.mktemp("certify") / "it's (old) #1 R&D; touch $HOME:x"  # no name for make
    certificate = certify(small_design(), folder)
    assert certificate.holds, certificate.reasons
    assert certificate.behind.simulated_cycles == certificate.behind.predicted_cycles
    assert certificate.exact and certificate.outputs_compared == 20
    built = (folder / "rtl" / "obj" / "tb_top").stat().st_mtime_ns
    again = certify(small_design(seed=2), folder, stalls=(120,))
    assert again.holds, again.reasons
    assert (folder / "rtl" / "obj" / "tb_top").stat().st_mtime_ns == built


    package = tmp_path_factory.mktemp("alone") / "small"
    generate(small_design(), package, images=2)
    assert rtlsim(package, folder / "rtl" / "obj" / "tb_top") == "PASS: 3 runs, 5 layers, 0 differ\n"
    golden = package / "tb_data" / "golden_1.bin"
    wrong = bytearray(golden.read_bytes())
    wrong[map_memory(*design_of(small_design())).feature_maps["pool.out"]] ^= 1
    golden.write_bytes(wrong)
    assert rtlsim(package, folder / "rtl" / "obj" / "tb_top") == (
        "image 1, layer pool: the output differs\nFAIL: 3 runs, 5 layers, 1 differ\n"
    )


def design_of(point):
    return point.integer_network(), point.accelerator, point.tiles


def rtlsim(package: Path, program: Path) -> str:
    """What ``make rtlsim`` prints with a bench that is built already."""
    command = ["make", "-C", package, "-s", "rtlsim", f"PYTHON={sys.executable}", "BUILD=built"]
    bench = package / "built" / "rtlsim" / "tb_top"
    bench.parent.mkdir(parents=True, exist_ok=True)
    bench.unlink(missing_ok=True)
    shutil.copy(program, bench)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(command, env=environment, capture_output=True, text=True).stdout


@pytest.mark.long("two minutes")
def test_a_package_simulates_its_rtl_without_hotnas(tmp_path: Path):
    generate(small_design(), tmp_path / "small", images=2)
    command = ["make", "-C", tmp_path / "small", "rtlsim", f"PYTHON={sys.executable}"]
    ran = subprocess.run(command, capture_output=True, text=True)
    assert ran.stdout.splitlines()[-2].startswith("PASS: 3 runs, 5 layers, 0 differ"), ran.stderr


def test_recheck_finds_what_no_longer_agrees(faked, tmp_path: Path):
    point = small_design()
    certificate = certify(point, tmp_path)
    files = twin(point).files
    assert recheck(certificate, point, files) == []
    assert recheck(certificate, point, files | {"mac_row.sv": "module mac_row; endmodule"}) == [
        "certificate: the RTL has changed since it was simulated; run hotnas sim again"
    ]
    flattered = dataclasses.replace(certificate, simulated_cycles=certificate.simulated_cycles - 1)
    assert recheck(flattered, point, files) == [
        "certificate: says that it holds, but its own counts say that it does not"
    ]
    found = certificate.behind
    flattered = dataclasses.replace(found, predicted_cycles=found.predicted_cycles - 9)
    assert recheck(dataclasses.replace(certificate, behind=flattered), point, files) == [
        "certificate: the model no longer predicts what it says behind the DRAM"
    ]
    other = dataclasses.replace(point, seed=point.seed + 1)
    assert recheck(certificate, other, files) == ["certificate: is of another design; run hotnas sim again"]
