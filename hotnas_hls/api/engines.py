"""Several designs at the same time on one board: whether they fit, their ports, what they cost each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hotnas_hls.accel.engine_set import EngineSet
from hotnas_hls.accel.engine_set import share_board as shared
from hotnas_hls.accel.memory.dram_timing import PHASES, DramTiming, load_dram
from hotnas_hls.accel.memory.joint_latency import SharedLatency, shared_latencies
from hotnas_hls.accel.port_plan import STREAMS
from hotnas_hls.accel.resources import Resources
from hotnas_hls.api.design import Design
from hotnas_hls.base.arguments import checked
from hotnas_hls.base.names import file_name_violation
from hotnas_hls.base.notebook import Shown
from hotnas_hls.boards.board import Board, load_board
from hotnas_hls.errors import ConfigError
from hotnas_hls.simulate.engine_check import EngineCheck

if TYPE_CHECKING:
    from rich.table import Table

TAKEN = ("dsp", "bram18", "uram", "lut", "ff")  # of the resources, what is shown


@dataclass(frozen=True, eq=False, repr=False)
class SharedBoard(Shown):
    """Engines on one board: what each takes of it, its ports, its time alone and while the others run."""

    engines: EngineSet
    dram: DramTiming  # behind all ports
    latencies: Mapping[str, SharedLatency]  # by engine
    folder: Path | None = None  # its package, where it was loaded from one

    @checked
    def ms(self, cycles: float) -> float:
        """Cycles at the clock of all engines, in milliseconds."""
        return cycles / (self.engines.clock_mhz * 1000)

    def tables(self) -> Sequence[Table]:
        """A line an engine: its share of the board, then its time."""
        from rich.table import Table

        board = self.engines.board
        parts = self.engines.resources()
        fit = Table(title=f"engines on {board.name} at {self.engines.clock_mhz:g} MHz", title_justify="left")
        for head in ("engine", "network", "array"):
            fit.add_column(head)
        for key in TAKEN:
            fit.add_column(key.upper(), justify="right")
        for stream in STREAMS:
            fit.add_column(f"port of {stream}")
        for name, point in self.engines.engines.items():
            accel = point.accelerator
            taken = [f"{getattr(parts[name], key):,}" for key in TAKEN]
            plan = point.port_plan
            ports = ["" if plan is None else ", ".join(plan.of(stream)) or "-" for stream in STREAMS]
            fit.add_row(name, point.network, f"{accel.tm} x {accel.tn}", *taken, *ports)
        whole = sum(parts.values(), Resources())
        fit.add_row("all", "", "", *(f"{getattr(whole, key):,}" for key in TAKEN))
        fit.add_row(board.name, "", "", *(f"{getattr(board, key):,}" for key in TAKEN))
        time = Table(title=f"an image behind {self.dram.name}, worst phase", title_justify="left")
        time.add_column("engine")
        for head in ("cycles alone", "while the others run", "slower", "ms", "images/s"):
            time.add_column(head, justify="right")
        for name, found in self.latencies.items():
            time.add_row(
                name,
                f"{found.alone_cycles:,}",
                f"{found.cycles:,}",
                f"{found.cycles / found.alone_cycles - 1:.1%}",
                f"{self.ms(found.cycles):.4g}",
                f"{1000 / self.ms(found.mean_cycles):,.0f}",
            )
        return fit, time

    def notes(self) -> list[str]:
        """What the figures are of."""
        runs = ", ".join(f"{name} {found.images}" for name, found in self.latencies.items())
        asked, given = self.engines.demanded_mb_per_s(), self.engines.board.dram_mb_per_s
        more = "less than" if asked <= given else "MORE THAN"
        return [
            f"all engines start in the same cycle and run images one after another ({runs}), at each of "
            f"{PHASES} phases of the refresh; the image that takes longest is told",
            f"while all are busy their masters ask for {asked:,.0f} MB/s, {more} the {given:,.0f} of the "
            "board's pins",
        ]

    @checked
    def generate(self, folder: str | Path) -> SharedBoard:
        """Write the package of all engines: RTL, bench, weights, scripts with one block design, PYNQ driver.

        The last part of ``folder`` names it; the same engines give the same bytes. Returns this, as loaded
        from there. Raises OutputRefused where something else lies there, ConfigError for a board whose ports
        cannot be wired.
        """
        from hotnas_hls.simulate.engines_flow import generate

        place = Path(folder)
        if problem := file_name_violation(place.name):
            raise ConfigError(f"package name {problem}")
        if self.dram != self.engines.dram:
            raise ConfigError(f"{self.dram.name}: a package is of its designs' own DRAM; leave --dram out")
        generate(self.engines, self.dram, self.latencies, place)
        return replace(self, folder=place)

    @checked
    def simulate(self, build: str | Path | None = None) -> SharedSimulation:
        """Run the RTL of all engines together in Verilator behind the one DRAM: that of the package, if any.

        build: folder for what is built (a package's: beside it). All start in the same cycle, at every phase
        of the refresh at which one of them is predicted to take longest. Every layer of every image must be
        as the integer reference has it, every engine's cycles as predicted, within 2 %; a package keeps what
        was found in reports/engines.json. Raises SimulationFailed where the RTL does not build, hangs, or
        breaks a rule of AXI; ToolNotFound without Verilator.
        """
        from hotnas_hls.simulate import engines_flow
        from hotnas_hls.simulate.shared_board import simulate_together

        place = Path(build) if build is not None else None
        if self.folder is not None:
            found = engines_flow.simulate(self.folder, self.engines, self.latencies, self.dram, place)
            return SharedSimulation(*found)
        if place is None:
            raise ConfigError("build: name a folder; without a package there is none to build beside")
        checks = simulate_together(self.engines, self.latencies, self.dram, place)
        return SharedSimulation(checks, tuple(reason for check in checks for reason in check.reasons()))

    def record(self) -> dict[str, Any]:
        """Everything as plain values, for JSON."""
        parts = self.engines.resources()
        return {
            "board": self.engines.board.name,
            "clock_mhz": self.engines.clock_mhz,
            "dram": self.dram.name,
            "engines": {
                name: {
                    "network": point.network,
                    "accelerator": point.accelerator.summary,
                    "resources": asdict(parts[name]),
                    "ports": None if point.port_plan is None else asdict(point.port_plan),
                    "alone_cycles": self.latencies[name].alone_cycles,
                    "cycles": self.latencies[name].cycles,
                    "ms": self.ms(self.latencies[name].cycles),
                    "images": self.latencies[name].images,
                    "phases": self.latencies[name].phases,
                }
                for name, point in self.engines.engines.items()
            },
        }


@dataclass(frozen=True, eq=False, repr=False)
class SharedSimulation(Shown):
    """Engines that were simulated at the same time on one board: predicted and counted."""

    checks: tuple[EngineCheck, ...]  # of every engine at every phase that was run
    reasons: tuple[str, ...] = ()  # what is not as predicted, as the reference has it, or as it was generated

    @property
    def holds(self) -> bool:
        """Every engine's outputs and cycles are as they should be."""
        return not self.reasons

    def tables(self) -> Sequence[Table]:
        """A line an engine and phase."""
        from rich.table import Table

        table = Table(title="all engines at the same time, on the RTL", title_justify="left")
        table.add_column("engine")
        for head in ("phase", "images", "predicted", "simulated", "difference", "output"):
            table.add_column(head, justify="right")
        for check in self.checks:
            table.add_row(
                *(check.engine, f"{check.phase}", f"{check.images}", f"{check.predicted:,}"),
                *(f"{check.simulated:,}", f"{check.difference:+.2%}"),
                "equal" if check.outputs_match else "DIFFERS",
            )
        return (table,)

    def notes(self) -> list[str]:
        """The verdict."""
        return [*self.reasons, "holds" if self.holds else "DOES NOT HOLD"]

    def record(self) -> dict[str, Any]:
        """Everything as plain values, for JSON."""
        checks = [asdict(check) for check in self.checks]
        return {"holds": self.holds, "reasons": list(self.reasons), "checks": checks}


@checked
def share_board(
    designs: Mapping[str, Design],
    *,
    board: str | Path | Board | None = None,
    dram: str | DramTiming | None = None,
) -> SharedBoard:
    """Put several designs on one board, each as an engine of its own that runs at the same time.

    designs: by the names of their engines, which get ports in this order. board: that they are put on, for
    designs that were each made for a part of it; None: the one they were all made for. dram: another than the
    board's by name, by its board, or the path of a YAML file. Each engine's latency is predicted alone and
    while the others run, behind the one DRAM. Raises ConfigError, with every reason, for designs of different
    boards or clocks, and for such as do not fit their board together.
    """
    points = {name: design.point for name, design in designs.items()}
    if board is not None:
        on = load_board(board)
        points = {name: replace(point, board=on, dram=None) for name, point in points.items()}
    engines = shared(points)
    return _priced(engines, load_dram(dram) if isinstance(dram, str) else dram or engines.dram)


def is_shared_board(folder: Path) -> bool:
    """Whether a folder says that it is the package of several engines."""
    from hotnas_hls.simulate.flow import holds_engines

    return holds_engines(folder)


@checked
def load_shared_board(folder: str | Path) -> SharedBoard:
    """The engines of a package that :meth:`SharedBoard.generate` wrote, priced behind their board's DRAM.

    Raises OutputRefused for a folder that is none.
    """
    from hotnas_hls.simulate.engines_flow import load

    engines = load(Path(folder))
    return replace(_priced(engines, engines.dram), folder=Path(folder))


def _priced(engines: EngineSet, behind: DramTiming | None) -> SharedBoard:
    if behind is None:
        raise ConfigError(f"{engines.board.name}: no DRAM is known behind its ports; name one (--dram)")
    found = shared_latencies(engines.works(), behind, engines.clock_mhz)
    return SharedBoard(engines, behind, dict(zip(engines.engines, found, strict=True)))
