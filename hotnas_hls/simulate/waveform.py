"""A waveform of one layer: the run that is certified, recorded while the layer is in work.

Two nanoseconds are a cycle; beside the file lies a view for GTKWave with the signals of each stage in a
group. Hierarchy and names are those of the RTL, records field by field.
"""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hotnas_hls.accel.accelerator import Accelerator
from hotnas_hls.accel.design_point import DesignPoint
from hotnas_hls.accel.timing.latency import network_latency
from hotnas_hls.base import tools
from hotnas_hls.base.atomic import replace_files
from hotnas_hls.codegen.ports import masters
from hotnas_hls.errors import OutputRefused
from hotnas_hls.simulate.behind_dram import forecast
from hotnas_hls.simulate.certify import Rtl, loading_cycles, loading_runs, simulate_runs
from hotnas_hls.simulate.rtl_simulation import WAVES, Run

RECORDED = "wave"  # what the bench calls it, whatever its format
VIEW_SUFFIX = ".gtkw"
TOP = "tb_top.u_dut"
AFTERWARDS = 32  # cycles that are recorded behind the layer's end
# Signals of the engine by stage, each beneath u_engine.
STAGES: Mapping[str, Sequence[str]] = {
    "layers": (
        *("u_sequencer.layer_q", "u_sequencer.state_q", "running", "layer_start_o", "layer_done", "ask"),
        *("fetching", "fetched", "weights_begin", "weights_in", "writes_answered_i"),
    ),
    "load_ifm": (
        *("load_ifm_busy", "ifm_run_valid", "ifm_run_ready", "ifm_run_addr_o", "ifm_run_words"),
        *("ifm_word_valid", "ifm_word_ready", "ifm_we", "ifm_waddr", "slice_done", "ifm_release"),
    ),
    "load_wgt": (
        *("load_wgt_busy", "planes_run_valid", "planes_run_ready", "planes_run_addr", "run_planes"),
        *("plane_valid", "plane_ready", "wgt_slot", "job_done", "slot_release"),
    ),
    "compute": (
        *("compute_busy", "compute_stall", "entry", "load", "load_entry", "load_slot", "ifm_raddr"),
        *("acc_valid", "acc_first", "acc_last", "acc_half", "acc_addr", "output_done"),
    ),
    "store_ofm": (
        *("store_ofm_busy", "stored", "drain_half", "drain_addr", "res_run_valid", "res_run_ready"),
        *("res_word_valid", "res_word_ready", "ofm_run_valid", "ofm_run_ready", "ofm_run_addr_o"),
        *("ofm_run_words", "ofm_word_valid", "ofm_word_ready", "ofm_word", "store_ofm_done"),
    ),
}
CHIP_MAPS = ("u_maps.chip_we", "u_maps.chip_addr", "ifm_readable", "ifm_waits")  # of designs that keep maps


@dataclass(frozen=True)
class Waveform:
    """A layer that was recorded."""

    path: Path
    view: Path
    layer: str
    cycles: int  # predicted of the layer, behind the memory that it ran behind
    memory: str

    def line(self) -> str:
        """What lies where, in words."""
        return (
            f"{self.path}: {self.layer}, {self.cycles:,} cycles {self.memory}, from when its descriptor is "
            f"asked for; gtkwave {self.view}"
        )


def violations(point: DesignPoint, layer: str, path: Path) -> list[str]:
    """Why this waveform cannot be recorded, before anything runs."""
    found = []
    names = [entry.layer.name for entry in point.layers]
    if layer not in names:
        found.append(f"--layer {layer}: the design has no such layer, but {', '.join(names)}")
    if path.suffix.removeprefix(".") not in WAVES:
        found.append(f"--wave {path}: give a file that ends in {' or '.join(f'.{form}' for form in WAVES)}")
    if not path.absolute().parent.is_dir():
        found.append(f"--wave {path}: no such folder")
    return found


def record(point: DesignPoint, layer: str, path: Path, rtl: Rtl, folder: Path) -> Waveform:
    """Simulate the first golden image up to the end of ``layer`` and keep its waveform at ``path``.

    folder: for the build and the job. Raises OutputRefused for a package whose bench records nothing,
    SimulationFailed as :func:`simulate_runs`.
    """
    for tool in ("pyvcd", "pywellen"):
        tools.require(tool)
    form = path.suffix.removeprefix(".")
    if form == "fst":
        tools.require("lz4")
    net = point.integer_network()
    image = point.golden_images(1)[0]
    names = [each.name for each in net.layers]
    if point.dram is not None:
        expected = forecast(point, net, point.dram)
        by_layer, total, numbers = dict(expected.worst.layers), expected.worst.cycles, expected.numbers
        memory = f"behind {point.dram.name}"
    else:
        ideal = network_latency(net.layers, point.accelerator, point.tiles, point.memory)
        by_layer = {name: ideal.layers[name].cycles for name in names}
        total, numbers, memory = ideal.cycles, None, "with an ideal memory"
    later = names[names.index(layer) + 1 :]
    end = total - sum(by_layer[name] for name in later)
    loads = loading_cycles(point, net)
    runs = loading_runs(point, net, image)
    runs.append(
        Run(
            image,
            memory=point.memory,
            dram=numbers,
            wave_layer=names.index(layer),
            reset_after=end + AFTERWARDS,
        )
    )
    recorded = folder / "job" / RECORDED
    recorded.unlink(missing_ok=True)
    simulate_runs(point, net, runs, folder, max(loads, total), rtl, waves=form)
    if not recorded.is_file():
        raise OutputRefused("its bench records no waveforms; make the package again: hotnas hls")
    view = path.with_suffix(VIEW_SUFFIX)
    shutil.move(recorded, path)
    replace_files(view.parent, {view.name: view_of(point.accelerator, path).encode()})
    return Waveform(path, view, layer, by_layer[layer], memory)


def view_of(accel: Accelerator, recorded: Path) -> str:
    """The view of a recorded waveform for GTKWave: a group for each stage, closed ones for the ports."""
    from pywellen import Waveform as Recording
    from vcd.gtkw import GTKWSave

    bits = {signal.full_name: signal.bitwidth for signal in Recording(str(recorded)).all_vars()}
    text = io.StringIO()
    save = GTKWSave(text)
    save.dumpfile(recorded.name, abspath=False)
    save.treeopen(TOP)
    save.sst_expanded(True)
    for name, signals, closed in signal_groups(accel):
        with save.group(name, closed=closed):
            for signal in signals:
                places = "" if bits[signal] == 1 else f"[{bits[signal] - 1}:0]"
                save.trace(f"{signal}{places}")
    return text.getvalue()


def signal_groups(accel: Accelerator) -> Iterator[tuple[str, list[str], bool]]:
    """Groups of signals by their whole names; True: drawn closed."""
    yield "clock", [f"{TOP}.ap_clk", f"{TOP}.ap_rst_n", f"{TOP}.interrupt"], False
    for stage, signals in STAGES.items():
        yield stage, [f"{TOP}.u_engine.{signal}" for signal in signals], False
    if accel.map_words:
        yield "maps on chip", [f"{TOP}.u_engine.{signal}" for signal in CHIP_MAPS], False
    for bus in masters(accel):
        yield bus.name, [f"{TOP}.{port.name}" for port in bus.live(bus.uses)], True
