"""What this machine has and how fast it is: external tools, and figures that are measured here."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hotnas_hls.base import tools
from hotnas_hls.base.arguments import checked
from hotnas_hls.base.notebook import Shown
from hotnas_hls.errors import ConfigError
from hotnas_hls.version import __version__

if TYPE_CHECKING:
    from rich.table import Table


@dataclass(frozen=True)
class FoundTool:
    """An external tool that the flow can use; what is unknown is None."""

    tool: str
    found: bool
    version: str | None
    path: str | None
    source: str | None  # where it comes from, in words
    purpose: str
    works_without: str
    cure: str  # how to get it


@dataclass(frozen=True, eq=False, repr=False)
class Tools(Shown):
    """Every tool the flow can use, found or not."""

    all: tuple[FoundTool, ...]

    def tables(self) -> Sequence[Table]:
        """A line a tool."""
        from rich.table import Table

        table = Table(title="tools of this machine")
        for head in ("tool", "version", "for", "works without it", "to get it"):
            table.add_column(head)
        for one in self.all:
            version = (one.version or "unknown") if one.found else "not found"
            table.add_row(one.tool, version, one.purpose, one.works_without, "" if one.found else one.cure)
        return (table,)

    def record(self) -> list[dict[str, Any]]:
        """Everything as plain values, for JSON."""
        return [asdict(one) for one in self.all]


def find_tools() -> Tools:
    """The external tools of this machine: where, which version, what works without them."""
    return Tools(tuple(map(_find, tools.TOOLS.values())))


def _find(wanted: tools.Wanted) -> FoundTool:
    tool = wanted.locate()
    return FoundTool(
        wanted.name,
        tool is not None,
        tools.version(tool) if tool else None,
        str(tool.path) if tool else None,
        tool.source if tool else None,
        wanted.purpose,
        wanted.without,
        wanted.cure,
    )


def benchmark_cases() -> dict[str, str]:
    """The cases of :func:`benchmark` by name, each with what it measures."""
    from hotnas_hls.bench.cases import CASES

    return {case.name: case.what for case in CASES}


@checked
def benchmark(
    cases: Sequence[str] = (),
    *,
    networks: Sequence[str] = (),
    results: str | Path | None = None,
    report: Callable[[str, dict[str, Any]], None] = lambda name, figures: None,
) -> dict[str, Any]:
    """Measure this machine; figures by case, with version and machine, as plain values.

    cases: by name, see :func:`benchmark_cases`; none named: all, which takes hours. networks: the case
    "networks" alone, and of it these; results: the file in which their figures are kept (default
    runs/whole_networks.json). report: hears of every case, and of every network, when it is measured.
    Raises ConfigError for a name that is none.
    """
    from hotnas_hls.bench.cases import NETWORK_RESULTS, run_cases
    from hotnas_hls.bench.whole_networks import measure

    known = benchmark_cases()
    if unknown := [name for name in cases if name not in known]:
        raise ConfigError(f"no case is called {', '.join(unknown)}; there are: {', '.join(known)}")
    if networks and cases:
        raise ConfigError('networks are of the case "networks"; leave the other cases out')
    if networks:
        measured: dict[str, Any] = {"networks": measure(networks, Path(results or NETWORK_RESULTS), report)}
    else:
        measured = run_cases(cases or list(known), lambda case, figures: report(case.name, figures))
    machine = {
        "cpus": os.cpu_count(),
        "architecture": platform.machine(),
        "python": platform.python_version(),
    }
    return {"tool_version": __version__, "machine": machine, "cases": measured}
