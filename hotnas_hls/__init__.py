"""HotNAS-HLS: hot-start hardware/network co-search, down to verified accelerator sources.

What a notebook needs is here, imported when it is first asked for::

    import hotnas_hls as hn

    network = hn.load_network("digits_resnet")
    run = network.search("digits", "ZCU102", "runs/digits", bound={"reduction": 0.3, "of": "int16"})
    run.design.generate("hls_out/digits").simulate()
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from hotnas_hls.version import __version__

if TYPE_CHECKING:
    from hotnas_hls import errors
    from hotnas_hls.accel.accelerator import Accelerator
    from hotnas_hls.api.bottlenecks import Bottlenecks
    from hotnas_hls.api.comparison import Comparison, compare_samplers
    from hotnas_hls.api.design import Design, load_design
    from hotnas_hls.api.engines import SharedBoard, SharedSimulation, load_shared_board, share_board
    from hotnas_hls.api.exploration import Exploration, ExploreOptions
    from hotnas_hls.api.fuzzing import Fuzzed, fuzz_networks
    from hotnas_hls.api.implementation import Measured, estimate_clock, import_reports, synthesise
    from hotnas_hls.api.latency import Latency
    from hotnas_hls.api.machine import Tools, benchmark, benchmark_cases, find_tools
    from hotnas_hls.api.network import Network, load_network
    from hotnas_hls.api.package import Package, Verdict, load_package
    from hotnas_hls.api.platform_comparison import PlatformComparison, compare_platforms
    from hotnas_hls.api.platforms import Platforms, list_platforms
    from hotnas_hls.api.published import (
        PublishedEstimate,
        PublishedTables,
        published_latency,
        published_tables,
    )
    from hotnas_hls.api.report import Report, write_report
    from hotnas_hls.api.run import Run, load_run, run_search
    from hotnas_hls.api.simulation import DramSimulation, Simulation, Sweep
    from hotnas_hls.api.zoo import Zoo, train_network, zoo
    from hotnas_hls.boards.board import Board, board_names, load_board
    from hotnas_hls.implementation.vendor_reports import VendorReports
    from hotnas_hls.models.data import Dataset, Split
    from hotnas_hls.models.own_data import make_dataset
    from hotnas_hls.published.design import PublishedHardware
    from hotnas_hls.search.config import RunConfig, load_config
    from hotnas_hls.search.problem import load_dataset
    from hotnas_hls.simulate.certificate import Certificate

_PLACES = {
    "accel.accelerator": ("Accelerator",),
    "api.bottlenecks": ("Bottlenecks",),
    "api.comparison": ("Comparison", "compare_samplers"),
    "api.design": ("Design", "load_design"),
    "api.engines": ("SharedBoard", "SharedSimulation", "load_shared_board", "share_board"),
    "api.exploration": ("Exploration", "ExploreOptions"),
    "api.fuzzing": ("Fuzzed", "fuzz_networks"),
    "api.implementation": ("Measured", "estimate_clock", "import_reports", "synthesise"),
    "api.latency": ("Latency",),
    "api.machine": ("Tools", "benchmark", "benchmark_cases", "find_tools"),
    "api.network": ("Network", "load_network"),
    "api.package": ("Package", "Verdict", "load_package"),
    "api.platform_comparison": ("PlatformComparison", "compare_platforms"),
    "api.platforms": ("Platforms", "list_platforms"),
    "api.published": ("PublishedEstimate", "PublishedTables", "published_latency", "published_tables"),
    "api.report": ("Report", "write_report"),
    "api.run": ("Run", "load_run", "run_search"),
    "api.simulation": ("DramSimulation", "Simulation", "Sweep"),
    "api.zoo": ("Zoo", "train_network", "zoo"),
    "boards.board": ("Board", "board_names", "load_board"),
    "implementation.vendor_reports": ("VendorReports",),
    "models.data": ("Dataset", "Split"),
    "models.own_data": ("make_dataset",),
    "published.design": ("PublishedHardware",),
    "search.config": ("RunConfig", "load_config"),
    "search.problem": ("load_dataset",),
    "simulate.certificate": ("Certificate",),
}
_MODULE_OF = {name: module for module, names in _PLACES.items() for name in names}

__all__ = [
    "Accelerator",
    "Board",
    "Bottlenecks",
    "Certificate",
    "Comparison",
    "Dataset",
    "Design",
    "DramSimulation",
    "Exploration",
    "ExploreOptions",
    "Fuzzed",
    "Latency",
    "Measured",
    "Network",
    "Package",
    "PlatformComparison",
    "Platforms",
    "PublishedEstimate",
    "PublishedHardware",
    "PublishedTables",
    "Report",
    "Run",
    "RunConfig",
    "SharedBoard",
    "SharedSimulation",
    "Simulation",
    "Split",
    "Sweep",
    "Tools",
    "VendorReports",
    "Verdict",
    "Zoo",
    "__version__",
    "benchmark",
    "benchmark_cases",
    "board_names",
    "compare_platforms",
    "compare_samplers",
    "errors",
    "estimate_clock",
    "find_tools",
    "fuzz_networks",
    "import_reports",
    "list_platforms",
    "load_board",
    "load_config",
    "load_dataset",
    "load_design",
    "load_network",
    "load_package",
    "load_run",
    "load_shared_board",
    "make_dataset",
    "published_latency",
    "published_tables",
    "run_search",
    "share_board",
    "synthesise",
    "train_network",
    "write_report",
    "zoo",
]


def __getattr__(name: str) -> object:
    """A public name, imported now."""
    if name == "errors":
        return importlib.import_module("hotnas_hls.errors")
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'hotnas_hls' has no attribute {name!r}")
    return getattr(importlib.import_module(f"hotnas_hls.{_MODULE_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
