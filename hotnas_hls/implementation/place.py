"""Place and route by open tools: Yosys and nextpnr put a small design on a Lattice ECP5.

What it tells is that the RTL can be placed and routed as it is, and how fast it then is on *that* device
(40 nm, speed grade 6). It is not the board's part and says nothing of Vivado. The accelerator stands between
two shift registers (``templates/place``), so the figure is of its own register-to-register paths; pads are
not in it. The device is the smallest that holds the design with room to route.
"""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hotnas_hls.accel.resources import accelerator_resources
from hotnas_hls.base import processes, tools
from hotnas_hls.codegen.ports import top_ports
from hotnas_hls.codegen.render import Banner, environment
from hotnas_hls.codegen.rtl import PACKAGE, TOP
from hotnas_hls.errors import HotnasError
from hotnas_hls.implementation.delays import family_of
from hotnas_hls.implementation.netlist import Netlist
from hotnas_hls.implementation.synth import Source, constants_of
from hotnas_hls.implementation.timing import estimate

PLACE_FILE = "place.json"
PLACE_TOP = "place_top"
TIMEOUT_SECONDS = 3600.0
SPEED_GRADE = 6  # the slowest
TARGET_MHZ = 50.0  # what the placer aims at
SEED = 1
ROOM = 0.8  # share of the LUTs that placing in minutes allows
KINDS = {"lut": "TRELLIS_COMB", "ff": "TRELLIS_FF", "multiplier": "MULT18X18D", "ram18": "DP16KD"}
NAMES = {"lut": "LUT4", "ff": "FF", "multiplier": "18x18 multipliers", "ram18": "18 Kb RAM"}
# LUT4s a cell takes (ECP5 family data sheet, FPGA-DS-02012): a carry cell two, 16 x 4 bits of RAM six.
_LUTS = {"LUT4": 1, "CCU2C": 2, "TRELLIS_DPR16X4": 6}
CURE = (
    "place a smaller one, e.g. hotnas dse --model NETWORK --array 4x4 --act-bits 8 --weight-bits 8 "
    "--no-on-chip --save runs/small, then hotnas synth --place runs/small"
)


class PlaceFailed(HotnasError):
    """The design does not fit, or a tool refused it or did not end in time."""


@dataclass(frozen=True)
class Device:
    """An ECP5 and what is on it."""

    name: str
    option: str  # of nextpnr
    package: str
    lut: int
    multiplier: int
    ram18: int


# The family's data sheet, table 1.1; the smallest first.
DEVICES = (
    Device("LFE5U-25F", "--25k", "CABGA381", 24_288, 28, 56),
    Device("LFE5U-45F", "--45k", "CABGA381", 43_848, 72, 108),
    Device("LFE5U-85F", "--85k", "CABGA381", 83_640, 156, 208),
)


@dataclass(frozen=True)
class Amount:
    """Cells of a kind, used and on the device."""

    used: int
    available: int


@dataclass(frozen=True)
class Routed:
    """What nextpnr reports of a routed design."""

    fmax_mhz: float
    used: Mapping[str, Amount]  # by the names of KINDS
    path_from: str  # the slowest path
    path_to: str
    logic_ns: float
    routing_ns: float


@dataclass(frozen=True)
class Placed:
    """A design placed and routed."""

    design: str
    design_digest: str | None
    device: str
    tools: Mapping[str, str]  # name -> version
    routed: Routed
    seconds: Mapping[str, float]  # tool -> time
    predicted_mhz: float  # by the static timing of 'hotnas timing', before placement

    @property
    def prediction_error(self) -> float:
        """Of the static timing, as a share of the routed Fmax."""
        return self.predicted_mhz / self.routed.fmax_mhz - 1

    def record(self) -> dict[str, Any]:
        """Plain values for JSON."""
        routed = self.routed
        return {
            "design": self.design,
            "design_digest": self.design_digest,
            "device": self.device,
            "speaks_of": "a Lattice ECP5 by Yosys and nextpnr; not the board's part, not Vivado",
            "tools": dict(self.tools),
            "seed": SEED,
            "fmax_mhz": round(routed.fmax_mhz, 2),
            "predicted_mhz": round(self.predicted_mhz, 2),
            "prediction_error_percent": round(100 * self.prediction_error, 1),
            "used": {
                kind: {"used": amount.used, "available": amount.available}
                for kind, amount in routed.used.items()
            },
            "slowest_path": {
                "from": routed.path_from,
                "to": routed.path_to,
                "logic_ns": round(routed.logic_ns, 2),
                "routing_ns": round(routed.routing_ns, 2),
            },
            "seconds": {tool: round(seconds, 1) for tool, seconds in self.seconds.items()},
        }


def place(source: Source, log: Path | None = None, timeout: float = TIMEOUT_SECONDS) -> Placed:
    """Synthesise ``source`` for the ECP5, place and route it; all that the tools printed goes to ``log``.

    timeout: of each of the two tools, in seconds.
    """
    yosys, nextpnr = tools.require("yosys-ecp5"), tools.require("nextpnr-ecp5")
    _refuse_by_model(source)
    with tempfile.TemporaryDirectory(prefix="hotnas_place.") as name:
        folder = Path(name)
        for file, text in (dict(source.files) | {f"{PLACE_TOP}.v": wrapper(source)}).items():
            (folder / file).write_text(text, encoding="utf-8")
        files = " ".join([*source.files, f"{PLACE_TOP}.v"])
        script = f"read_verilog -sv {files}; synth_ecp5 -top {PLACE_TOP} -json netlist.json; stat -json"
        try:
            synthesis = _run(yosys, ["-p", script], folder / "yosys.log", timeout)
            module = json.loads((folder / "netlist.json").read_text(encoding="utf-8"))["modules"][PLACE_TOP]
            device = fitting(source.name, cells_of(module))
            arguments = [
                device.option,
                *("--package", device.package),
                *("--speed", f"{SPEED_GRADE}"),
                *("--freq", f"{TARGET_MHZ:g}"),
                *("--seed", f"{SEED}"),
                *("--json", "netlist.json"),
                *("--report", "report.json"),
                *("--lpf-allow-unconstrained", "--timing-allow-fail"),
            ]
            routing = _run(nextpnr, arguments, folder / "nextpnr.log", timeout)
        finally:
            _keep(folder, log)
        predicted = estimate(Netlist(module), *family_of(f"{device.name}-{SPEED_GRADE}"), paths=1)
        routed = parse_report((folder / "report.json").read_text(encoding="utf-8"))
    versions = {tool.name: tools.version(tool) or "version unknown" for tool in (yosys, nextpnr)}
    seconds = {yosys.name: synthesis.seconds, nextpnr.name: routing.seconds}
    part = f"{device.name}-{SPEED_GRADE} {device.package}"
    return Placed(source.name, source.design_digest, part, versions, routed, seconds, predicted.fmax_mhz)


def wrapper(source: Source) -> str:
    """Verilog that puts the accelerator between two shift registers."""
    numbers = constants_of(source.files[PACKAGE])
    bits = {"input": 0, "output": 0}
    connections = []
    for port in top_ports(source.accelerator):
        if port.name in ("ap_clk", "ap_rst_n"):
            continue
        wires = {"input": "driven", "output": "seen"}[port.direction]
        width = port.width(numbers)
        connections.append((port.name, f"{wires}[{bits[port.direction]}+:{width}]"))
        bits[port.direction] += width
    return (
        environment("place")
        .get_template(f"{PLACE_TOP}.v.j2")
        .render(
            banner=Banner(source.name, source.design_digest or "unknown"),
            place_top=PLACE_TOP,
            top=TOP,
            driven_bits=bits["input"],
            seen_bits=bits["output"],
            connections=connections,
        )
    )


def cells_of(module: Mapping[str, Any]) -> dict[str, int]:
    """Cells of the flat module of a Yosys netlist, counted by type."""
    counted: dict[str, int] = {}
    for cell in module["cells"].values():
        counted[cell["type"]] = counted.get(cell["type"], 0) + 1
    return counted


def fitting(design: str, cells: Mapping[str, int]) -> Device:
    """The smallest device that holds so many cells and can be routed; PlaceFailed when none does."""
    needed = {
        "lut": sum(luts * cells.get(cell, 0) for cell, luts in _LUTS.items()),
        "multiplier": cells.get("MULT18X18D", 0),
        "ram18": cells.get("DP16KD", 0),
    }
    for device in DEVICES:
        if not _missing(needed, device):
            return device
    largest = DEVICES[-1]
    raise PlaceFailed(_refusal(design, _missing(needed, largest), "after synthesis"))


def parse_report(text: str) -> Routed:
    """The file that ``nextpnr-ecp5 --report`` writes."""
    record = json.loads(text)
    if not record.get("fmax"):
        raise PlaceFailed("nextpnr reports no clock; is there a register in the design?")
    clock, figures = min(record["fmax"].items(), key=lambda item: item[1]["achieved"])
    used = {
        kind: Amount(record["utilization"][cell]["used"], record["utilization"][cell]["available"])
        for kind, cell in KINDS.items()
    }
    paths = record["critical_paths"]
    path: list[Any] = next((p["path"] for p in paths if clock in p["from"] and clock in p["to"]), [])
    delays = {"logic": 0.0, "routing": 0.0}
    for step in path:
        delays["routing" if step["type"] == "routing" else "logic"] += step["delay"]
    return Routed(
        fmax_mhz=figures["achieved"],
        used=used,
        path_from=_plain(path[0]["from"]["cell"]) if path else "unknown",
        path_to=_plain(path[-1]["to"]["cell"]) if path else "unknown",
        logic_ns=delays["logic"],
        routing_ns=delays["routing"],
    )


def table(placed: Placed) -> list[str]:
    """Lines of text, the Fmax first."""
    routed = placed.routed
    lines = [
        f"{placed.design} placed and routed on a {placed.device}: {routed.fmax_mhz:.1f} MHz; static timing "
        f"before placement says {placed.predicted_mhz:.1f} MHz ({100 * placed.prediction_error:+.1f} %)",
        "(a Lattice ECP5 by open tools; not the board's part, not what Vivado reaches)",
        "",
        f"{'':20}{'used':>10}{'of':>10}",
    ]
    for kind, amount in routed.used.items():
        lines.append(f"{NAMES[kind]:20}{amount.used:10,}{amount.available:10,}")
    spent = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in placed.seconds.items())
    return [
        *lines,
        "",
        f"slowest path: {routed.path_from} -> {routed.path_to}, "
        f"{routed.logic_ns:.1f} ns logic, {routed.routing_ns:.1f} ns routing",
        f"{spent}; " + ", ".join(f"{name} {version}" for name, version in placed.tools.items()),
    ]


def _refuse_by_model(source: Source) -> None:
    """Spare a synthesis of hours whose result cannot fit: the model's LUTs have six inputs, ECP5's four."""
    model = accelerator_resources(source.accelerator, source.layer_count)
    needed = {"lut": model.lut, "multiplier": model.dsp, "ram18": model.bram18}
    if missing := _missing(needed, DEVICES[-1]):
        raise PlaceFailed(_refusal(source.name, missing, "by the model"))


def _missing(needed: Mapping[str, int], device: Device) -> list[str]:
    limits = {"lut": int(ROOM * device.lut), "multiplier": device.multiplier, "ram18": device.ram18}
    return [
        f"{needed[kind]:,} {NAMES[kind]} (it has room for {limit:,})"
        for kind, limit in limits.items()
        if needed[kind] > limit
    ]


def _refusal(design: str, missing: list[str], how: str) -> str:
    takes = " and ".join(missing)
    return f"{design}: does not fit the largest ECP5 ({DEVICES[-1].name}): {how} it takes {takes}; {CURE}"


def _run(tool: tools.Tool, arguments: list[str], log: Path, timeout: float) -> processes.Finished:
    finished = processes.run(
        [tool.path, *arguments], log, cwd=log.parent, environment=tool.full_environment(), timeout=timeout
    )
    if finished.returncode == 0:
        return finished
    if finished.seconds >= timeout:
        raise PlaceFailed(
            f"{tool.name} did not end within {timeout:g} s; give it more with --timeout, or {CURE}"
        )
    raise PlaceFailed(f"{tool.name} ended with status {finished.returncode}:\n{finished.tail()}")


def _keep(folder: Path, log: Path | None) -> None:
    """Both tools' output in one file."""
    if log is None:
        return
    log.parent.mkdir(parents=True, exist_ok=True)
    with open(log, "wb") as kept:
        for name in ("yosys.log", "nextpnr.log"):
            if (folder / name).is_file():
                with open(folder / name, "rb") as part:
                    shutil.copyfileobj(part, kept)


def _plain(cell: str) -> str:
    """``dut.u_compute.row_q_TRELLIS_FF_Q_3`` without what Yosys and nextpnr put behind the signal's name."""
    name = re.sub(r"(_TRELLIS_FF_|_LUT4_|_PFUMX_|_L6MUX21_|_CCU2C_|_TRELLIS_DPR16X4_|\$).*$", "", cell)
    return name.removeprefix("dut.")
