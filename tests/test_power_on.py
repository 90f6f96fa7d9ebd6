"""The faults of docs/power_on.md, each put back into a copy of the tool: the test named there fails.

A fault is a few lines as they should not be. Where the lines it replaces are no longer there, it has to be
written again.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[1]
COPIED = ("hotnas_hls", "templates", "sim", "tests", "pyproject.toml")


class Fault(NamedTuple):
    file: str
    right: str
    wrong: str
    test: str


DRIVERS, PACKAGE = "tests/simulate/test_drivers.py", "tests/codegen/test_package.py"
BLOCK_DESIGN = "templates/package/scripts/block_design.tcl.j2"
FAULTS = {
    "a port of the processor is set to another width": Fault(
        "hotnas_hls/codegen/processors.py",
        '("PSU__SAXIGP{}__DATA_WIDTH", 128)',
        '("PSU__SAXIGP{}__DATA_WIDTH", 64)',
        f"{PACKAGE}::test_ports_of_the_processor_keep_their_native_width",
    ),
    "the C driver takes buffers without a way to keep them in step": Fault(
        "templates/driver/hotnas_accel.c.j2",
        "  if (io->sync == NULL) return HOTNAS_NO_SYNC;\n",
        "",
        f"{DRIVERS}::test_c_driver_keeps_caches_and_memory_in_step",
    ),
    "the C driver has no barrier before a start": Fault(
        "templates/driver/hotnas_accel.c.j2",
        "  HOTNAS_BARRIER();\n",
        "",
        f"{DRIVERS}::test_c_driver_keeps_caches_and_memory_in_step",
    ),
    "the Python driver writes an image and leaves it in the cache": Fault(
        "templates/driver/hotnas_pynq.py.j2",
        "        region.flush()\n",
        "",
        f"{DRIVERS}::test_python_driver_gives_the_references_answer_twice",
    ),
    "an .xsa of the bitstream's name lies beside it": Fault(
        BLOCK_DESIGN,
        "-force {{ top }}_system.xsa",
        "-force pynq/design.xsa",
        f"{PACKAGE}::test_the_block_design_connects_every_interface",
    ),
    "data waits until its address was taken": Fault(
        "templates/rtl/axi_write_master.sv",
        ".valid_i (awvalid_o && !offered_q),",
        ".valid_i (awvalid_o && awready_i),",
        "tests/simulate/test_faults.py::test_a_batch_takes_its_images_one_after_another_each_as_if_alone",
    ),
    "an argument is read while the run is under way": Fault(
        "templates/rtl/layer_sequencer.sv",
        "    if (state_q == Idle) begin\n      ifm_base_o     <= ifm_base_i;\n"
        "      ofm_base_o     <= ofm_base_i;\n      wgt_base_o     <= wgt_base_i;\n",
        "    wgt_base_o <= wgt_base_i;\n"
        "    if (state_q == Idle) begin\n      ifm_base_o     <= ifm_base_i;\n"
        "      ofm_base_o     <= ofm_base_i;\n",
        f"{DRIVERS}::test_arguments_are_those_of_the_start",
    ),
    "an acknowledgement in the cycle of done takes the interrupt": Fault(
        "templates/rtl/control_regs.sv",
        "      if (done_i && ier_q[0]) isr_q[0] <= 1'b1;\n",
        "      if (done_i && ier_q[0] && !(write && 32'(waddr_q) == hotnas_pkg::RegIsr)) isr_q[0] <= 1'b1;\n",
        f"{DRIVERS}::test_an_interrupt_outlives_an_acknowledgement_in_its_very_cycle",
    ),
    "the C driver waits for the bit that clears on read": Fault(
        "templates/driver/hotnas_accel.c.j2",
        "  const hotnas_status status = wait_for(accel, HOTNAS_REG_CTRL, CTRL_DONE | CTRL_IDLE, 1, timeout);",
        "  const hotnas_status status = wait_for(accel, HOTNAS_REG_CTRL, CTRL_DONE, 1, timeout);",
        f"{DRIVERS}::test_c_driver_ends_though_another_reads_the_done_bit",
    ),
    "the Python driver waits for the bit that clears on read": Fault(
        "templates/driver/hotnas_pynq.py.j2",
        '        return bool(self._read(self.registers["ctrl"]) & (DONE | IDLE))',
        '        return bool(self._read(self.registers["ctrl"]) & DONE)',
        f"{DRIVERS}::test_python_driver_ends_though_another_reads_the_done_bit",
    ),
    "the clock that the processor gives is not read back": Fault(
        BLOCK_DESIGN,
        "set actual_mhz [expr {[get_property CONFIG.FREQ_HZ [get_bd_pins ps/{{ processor.clock }}]] / 1e6}]",
        "set actual_mhz $clock_mhz",
        f"{PACKAGE}::test_another_clock_than_the_designs_stops_the_build",
    ),
    "timing is met when setup is": Fault(
        BLOCK_DESIGN,
        '{"worst setup slack" WNS "worst hold slack" WHS "total pulse width slack" TPWS}',
        '{"worst setup slack" WNS}',
        f"{PACKAGE}::test_a_bitstream_that_misses_its_timing_is_no_success",
    ),
    "an export has a version of two parts": Fault(
        "templates/hls/scripts/run_hls.tcl.j2",
        "-version 1.0.0}",
        "-version 1.0}",
        f"{PACKAGE}::test_hls_runs_the_steps_that_the_options_switch_on",
    ),
    "an interconnect is not told what the masters never do": Fault(
        "templates/package/scripts/package_rtl.tcl.j2",
        "    describe $interface SUPPORTS_NARROW_BURST 0\n",
        "",
        f"{PACKAGE}::test_the_rtl_is_packed_as_an_ip",
    ),
    "both flows of HLS share a folder": Fault(
        "templates/hls/scripts/hls_config.cfg.j2",
        "# v++ -c --mode hls --config scripts/hls_config.cfg --work_dir {{ top }}_unified",
        "# v++ -c --mode hls --config scripts/hls_config.cfg --work_dir {{ top }}_hls",
        f"{PACKAGE}::test_each_flow_of_hls_has_a_folder_which_the_readme_names",
    ),
    "a folder with a space breaks a script": Fault(
        "templates/package/scripts/package_rtl.tcl.j2",
        "lappend sources [file join $rtl {{ file }}]\n",
        "append sources [file join $rtl {{ file }}] { }\n",
        f"{PACKAGE}::test_scripts_run_in_a_folder_with_spaces",
    ),
    "a changed bench certifies": Fault(
        "hotnas_hls/simulate/flow.py",
        '    reasons = (f"{path} since it was generated; it certifies nothing" for path in spoilt)\n',
        "    reasons = ()\n",
        "tests/commands/test_commands_flow.py::test_a_bench_or_weights_that_were_changed_certify_nothing",
    ),
}


@pytest.mark.long("seven minutes")
@pytest.mark.parametrize("fault", FAULTS)
def test_the_test_of_a_fault_fails_when_it_is_back(fault: str, tmp_path: Path) -> None:
    file, right, wrong, test = FAULTS[fault]
    for name in COPIED:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, tmp_path / name)
    text = (tmp_path / file).read_text(encoding="utf-8")
    assert right in text, f"{file} has changed: write this fault again"
    (tmp_path / file).write_text(text.replace(right, wrong, 1), encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-n", "0", "-p", "no:cacheprovider", test]
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    ran = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert ran.returncode == pytest.ExitCode.TESTS_FAILED, ran.stdout[-2000:]
    assert f"FAILED {test}" in ran.stdout, ran.stdout[-2000:]


@pytest.mark.parametrize("fault", FAULTS)
def test_the_lines_of_a_fault_are_there(fault: str) -> None:
    assert FAULTS[fault].right in (ROOT / FAULTS[fault].file).read_text(encoding="utf-8")
