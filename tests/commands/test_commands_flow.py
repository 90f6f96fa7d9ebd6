"""hotnas hls and hotnas sim on a package, with simulation replaced; the real one is in test_certificate."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from simulate.test_certificate import faked  # noqa: F401 (a fixture)
from small_designs import small_design

from hotnas_hls.boards.board import load_board
from hotnas_hls.cli import main
from hotnas_hls.codegen.bundle import verify
from hotnas_hls.errors import OutputRefused
from hotnas_hls.simulate.dram_check import DramCheck
from hotnas_hls.simulate.flow import generate, read_rtl


@pytest.fixture
def package(tmp_path: Path) -> Path:
    generate(small_design(), tmp_path / "out" / "small", images=2)
    return tmp_path / "out" / "small"


def test_hls_writes_a_package_and_says_what_it_is(tmp_path: Path, capsys):
    small_design().save(tmp_path / "run")
    assert main(["hls", str(tmp_path / "run"), "--output", str(tmp_path / "out"), "--images", "2"]) == 0
    path, figures, following = capsys.readouterr().out.splitlines()
    package = tmp_path / "out" / "small"
    assert following == f"next: hotnas sim {package}"
    assert Path(path) == package and verify(package) == []
    assert all(word in figures for word in ("files", "lines", "bytes", "s"))
    latency = json.loads((package / "reports" / "latency.json").read_text())
    assert latency["total_cycles"] == small_design().predicted_cycles
    assert {"name", "cycles", "bottleneck", "macs", "dsp_efficiency", "terms"} == set(latency["layers"][0])
    for folder in ("src", "include", "tb", "tb_data", "weights", "rtl", "sim", "scripts"):
        assert (package / folder).is_dir(), folder


def test_hls_is_deterministic_and_named_on_request(tmp_path: Path):
    first = generate(small_design(), tmp_path / "a" / "name", images=1)
    second = generate(small_design(), tmp_path / "b" / "name", images=1)
    assert first.digest() == second.digest()
    small_design().save(tmp_path)
    arguments = ["hls", str(tmp_path / "design_point.json"), "--output", str(tmp_path / "out")]
    assert main([*arguments, "--name", "mine", "--images", "1"]) == 0
    assert (tmp_path / "out" / "mine" / "manifest.json").is_file()


def test_hls_works_without_compiled_code(tmp_path: Path):
    unknown = dataclasses.replace(load_board("ZCU102"), dram=None)  # what steps through a DRAM takes its time
    small_design(board=unknown).save(tmp_path)
    program = f"""
import sys
from hotnas_hls.cli import main
sys.exit(main(["hls", {str(tmp_path)!r}, "--output", {str(tmp_path / "out")!r}, "--images", "1"]))
"""
    environment = os.environ | {"NUMBA_DISABLE_JIT": "1"}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, env=environment)
    assert done.returncode == 0, done.stderr
    readme = (tmp_path / "out" / "small" / "README.md").read_text()
    assert " ms an image, with an ideal memory: the board's DRAM is not known |" in readme


def test_hls_needs_no_torch(tmp_path: Path):
    small_design().save(tmp_path)
    program = (
        "import sys; from hotnas_hls.cli import main; "
        f"status = main(['hls', {str(tmp_path)!r}, '--output', {str(tmp_path / 'out')!r}]); "
        "sys.exit(status or ('torch' in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True).returncode == 0


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["hls", "nowhere"], "no such file"),
        (["hls", "{run}", "--images", "0"], "at least one"),
        (["hls", "{run}", "--name", "a b"], "letters, digits"),
        (["hls", "{run}", "--output", "{foreign}", "--name", "mine"], "not ours to overwrite"),
        (["sim", "{run}"], "not a package"),
        (["sim", "nowhere"], "no such folder"),
        (["sim", "{run}", "--sweep", "4,x"], "at least 2 each"),
    ],
)
def test_bad_input_is_one_message(tmp_path: Path, capsys, arguments, words):
    small_design().save(tmp_path / "run")
    (tmp_path / "foreign" / "mine").mkdir(parents=True)
    (tmp_path / "foreign" / "mine" / "file").write_text("a user's")
    places = {"run": tmp_path / "run", "foreign": tmp_path / "foreign"}
    assert main([argument.format(**places) for argument in arguments]) == 1
    assert words in capsys.readouterr().err


def test_sim_certifies_and_the_package_stays_verified(faked, package: Path, capsys):  # noqa: F811
    assert main(["sim", str(package), "--no-csim"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("small: NOT CHECKED: the HLS C++ (--no-csim); the RTL is as predicted\n")
    assert "holds" not in shown and "residual" in shown and "margin" in shown
    assert shown.splitlines()[-1] == f"next: hotnas report {package}"
    assert json.loads((package / "reports" / "certificate.json").read_text())["holds"] is True
    assert verify(package) == []


@pytest.mark.parametrize("path", ["sim/axi_memory.sv", "weights/weights.bin"])
def test_a_bench_or_weights_that_were_changed_certify_nothing(faked, package: Path, path: str, capsys):  # noqa: F811
    data = bytearray((package / path).read_bytes())
    data[len(data) // 2] ^= 1
    (package / path).write_bytes(data)
    assert main(["sim", str(package), "--no-csim"]) == 1
    shown = capsys.readouterr().out
    assert shown.startswith("small: DOES NOT HOLD\n") and " holds" not in shown
    assert f"  - {path}: changed since it was generated; it certifies nothing\n" in shown
    assert json.loads((package / "reports" / "certificate.json").read_text())["holds"] is False


def test_the_bench_and_the_weights_of_the_package_are_those_that_run(package: Path):
    memory = package / "sim" / "axi_memory.sv"
    memory.write_text(memory.read_text() + "// mine\n")
    (package / "weights" / "weights.bin").write_bytes(b"mine")
    rtl = read_rtl(package)
    assert rtl.bench["axi_memory.sv"].endswith("// mine\n") and rtl.weights == b"mine"
    tb = package / "sim" / "tb_network.py"
    tb.write_text(tb.read_text().replace("JOB = 3", "JOB = 1"))
    with pytest.raises(OutputRefused) as refused:
        read_rtl(package)
    assert str(refused.value) == (
        f"{package}: its bench cannot be run; make the package again (hotnas hls):\n"
        "  - sim/tb_network.py: does not read the jobs of this hotnas"
    )


def test_sim_fails_when_a_layer_is_slower_or_an_output_wrong(faked, package: Path, capsys):  # noqa: F811
    def slower(results):
        for result in results:
            result.layers[1]["cycles"] += 5

    faked.append(slower)
    assert main(["sim", str(package), "--no-csim"]) == 1
    assert "residual: simulated cycles differ from the prediction (cycles +5)" in capsys.readouterr().out
    assert json.loads((package / "reports" / "certificate.json").read_text())["holds"] is False


def test_sim_json_is_the_certificate(faked, package: Path, capsys):  # noqa: F811
    assert main(["sim", str(package), "--no-csim", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["format"] == "hotnas-certificate" and record["exact"] is True


def test_sim_tells_of_a_changed_package_and_leaves_its_manifest(faked, package: Path, capsys):  # noqa: F811
    source = package / "rtl" / "mac_row.sv"
    source.write_text(source.read_text() + "// mine\n")
    main(["sim", str(package), "--no-csim"])
    assert "rtl/mac_row.sv: changed" in capsys.readouterr().out
    assert "rtl/mac_row.sv: changed" in verify(package)


def test_sweep_draws_and_records(faked, package: Path, capsys):  # noqa: F811
    assert main(["sim", str(package), "--no-csim", "--sweep", "10,40"]) == 0
    record = json.loads((package / "reports" / "sweep.json").read_text())
    assert [point["read_latency"] for point in record["points"]] == [10, 40]
    assert (package / "reports" / "sweep.svg").stat().st_size > 1000
    assert (package / "reports" / "sweep.png").read_bytes()[:4] == b"\x89PNG"
    assert verify(package) == []


def test_dram_is_reported_and_is_no_guarantee(faked, package: Path, capsys):  # noqa: F811
    assert main(["sim", str(package), "--no-csim", "--dram", "zcu102", "--sweep", "20,80", "--json"]) == 0
    said = capsys.readouterr()
    shown = " ".join(said.err.split())
    assert "Assumed, not guaranteed: one DRAM behind all ports: DDR4-2133-64" in shown
    check = DramCheck.from_json(package / "reports" / "dram.json")
    assert check.holds and check.behind.difference == 0
    told = json.loads(said.out)
    assert told["behind_another_dram"]["behind"]["simulated_cycles"] == check.behind.simulated_cycles
    assert [point["read_latency"] for point in told["sweep"]["latency"]] == [20, 80]
    certificate = json.loads((package / "reports" / "certificate.json").read_text())
    assert certificate["behind"]["simulated_cycles"] == check.behind.simulated_cycles  # the same DRAM
    assert certificate["simulated_cycles"] == small_design().predicted_cycles < check.behind.simulated_cycles
    record = json.loads((package / "reports" / "dram_sweep.json").read_text())
    assert [point["read_latency"] for point in record["latency"]] == [20, 80]
    cycles = [point["simulated_cycles"] for point in record["bandwidth"]]
    assert len(cycles) == 6 and cycles == sorted(cycles, reverse=True) and cycles[0] > cycles[-1]
    assert (package / "reports" / "dram_sweep.png").read_bytes()[:4] == b"\x89PNG"
    assert (package / "reports" / "dram_sweep.svg").is_file() and verify(package) == []
    assert main(["report", str(package)]) == 0
    assert check.line() in (package / "reports" / "report.md").read_text()
    assert "behind another DRAM: predicted" in (package / "reports" / "report.html").read_text()


def test_an_ideal_memory_alone_on_request(faked, package: Path, capsys):  # noqa: F811
    assert main(["sim", str(package), "--no-csim", "--no-dram"]) == 0
    assert "no board has it" in " ".join(capsys.readouterr().out.split())
    certificate = json.loads((package / "reports" / "certificate.json").read_text())
    assert certificate["behind"] is None and certificate["certified_ms"] == certificate["simulated_ms"]


def test_dram_far_from_the_prediction_fails(faked, package: Path, capsys):  # noqa: F811
    def slower(results):
        if len(results) == 1:
            results[0] = dataclasses.replace(results[0], cycles=results[0].cycles * 103 // 100)

    faked.append(slower)
    assert main(["sim", str(package), "--no-csim", "--dram", "PYNQ-Z2"]) == 1
    assert "difference -2.90%" in " ".join(capsys.readouterr().out.split())
    assert main(["sim", str(package), "--no-csim", "--dram", "PYNQ"]) == 1
    assert "unknown DRAM 'PYNQ'" in capsys.readouterr().err


def test_other_rtl_runs_with_the_packages_constants(package: Path, tmp_path: Path):
    given = tmp_path / "verilog"
    given.mkdir()
    (given / "hotnas_accel.v").write_text("module hotnas_accel; endmodule")
    (given / "rom.dat").write_text("00")
    rtl = read_rtl(package, given)
    assert list(rtl.files) == ["hotnas_pkg.sv", "hotnas_accel.v"] and set(rtl.data) == {"rom.dat"}
    assert not rtl.is_twin and read_rtl(package).is_twin
    assert main(["sim", str(package), "--rtl", str(tmp_path / "none")]) == 1
    (tmp_path / "empty").mkdir()
    assert main(["sim", str(package), "--rtl", str(tmp_path / "empty"), "--no-csim"]) == 1


def test_hand_written_design_without_weights(tmp_path: Path):
    point = dataclasses.replace(small_design(), numbers=None, golden=None, weights=None)
    bundle = generate(point, tmp_path / "hand", images=1)
    assert "weights.safetensors" not in bundle and "design_point.json" in bundle
