"""Nothing is in a command that the API cannot do: what of the API does every option of every command."""

from __future__ import annotations

import argparse
import ast
import importlib
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import hotnas_hls as hn
from hotnas_hls.cli import CommandParser, command_names

COMMANDS = Path(hn.__file__).parent / "commands"
HOW_IT_PRINTS = {"--help", "--quiet", "--verbose"}
OF_SHELLS = {"completion"}  # there is nothing to complete in Python
# What a command may know beside the API: values and records, nothing that computes.
VALUES = {"accel", "api", "base", "boards", "commands", "errors", "version"}
SETTINGS = {"search.config"}

LOADED = {"model": "load_network.model", "--model": "load_network.model", "--input": "load_network.input"}
MEMORY = {name: f"Network.latency.{name[2:].replace('-', '_')}" for name in ("--dram", "--read-latency")}
MEMORY |= {"--no-dram": "Network.latency.dram"}
TOOLS = {"design": "synthesise.design", "--log": "synthesise.log", "--timeout": "synthesise.timeout"}
DONE_BY = {
    "search": {
        "config": "run_search.config",
        "--show-config": "load_config",  # the same keys, without their comments
        "--output": "run_search.output",
        "--bound-ms": "RunConfig.bound.latency_ms",
        "--board": "RunConfig.board",
        "--seed": "RunConfig.seed",
        **{
            f"--{name}": f"RunConfig.search.{name}"
            for name in ("trials", "strategy", "storage", "workers", "ray", "cold")
        },
        "--resume": "run_search.more",
        "--fresh": "run_search.fresh",
        "--json": "Run.summary",
    },
    "hls": {
        "design": "load_design.path",
        "--output": "Design.generate.folder",
        "--name": "Design.generate.folder",
        "--images": "Design.generate.images",
    },
    "export": {
        "design": "load_design.path",
        "--output": "Design.export_onnx.path",
        "--images": "Design.export_onnx.images",
    },
    "sim": {
        "--wave": "Package.waveform.path",
        "--layer": "Package.waveform.layer",
        "package": "load_package.folder",
        "--images": "Package.simulate.images",
        "--no-csim": "Package.simulate.csim",
        "--bambu": "Package.simulate.bambu",
        "--rtl": "Package.simulate.rtl",
        "--build": "Package.simulate.build",
        "--dram": "Package.simulate_dram.dram",
        "--no-dram": "Package.simulate.behind_dram",
        "--sweep": "Package.sweep.latencies",
        "--json": "Simulation.certificate",
    },
    "report": {
        "folder": "write_report.folder",
        "--run": "write_report.run",
        "--output": "write_report.output",
        "--json": "Report.data",
    },
    "graph": {
        **LOADED,
        "--weights": "load_network.weights",
        "--json": "Network.record",
        "--draw": "Network.draw.path",
    },
    "zoo": {
        "action": "zoo",
        "networks": "Network.proof",
        "network": "train_network.name",
        "--seed": "train_network.seed",
        "--output": "train_network.output",
        "--json": "Zoo.record",
    },
    "compare-platforms": {
        **LOADED,
        "--board": "compare_platforms.board",
        "--platforms": "compare_platforms.platforms",
        "--run": "compare_platforms.runs",
        "--package": "compare_platforms.packages",
        "--data": "compare_platforms.data",
        "--draw": "PlatformComparison.figure",
        "--json": "PlatformComparison.record",
    },
    "engines": {
        "designs": "share_board.designs",
        "--board": "share_board.board",
        "--dram": "share_board.dram",
        "--output": "SharedBoard.generate.folder",
        "--json": "SharedBoard.record",
    },
    "platforms": {"--json": "Platforms.record"},
    "boards": {"board": "load_board", "--json": "Board.record"},
    "detect": {
        **LOADED,
        "--config": "Network.bottlenecks.settings",
        "--board": "Network.bottlenecks.board",
        "--bars": "Bottlenecks.figure",
        "--roofline": "Bottlenecks.roofline",
        "--reductions": "Network.bottlenecks.reductions",
        "--json": "Bottlenecks.record",
    },
    "latency": {
        **LOADED,
        **MEMORY,
        "--rule": "published_latency",
        "--design": "PublishedHardware.parse.cconv",
        "--dconv": "PublishedHardware.parse.dconv",
        "--genes": "Network.latency.genes",
        "--formula": "published_latency.formula",
        "--design-file": "Network.latency.on",
        "--accel": "Network.latency.on",
        "--board": "Network.latency.board",
        "--clock": "Network.latency.clock_mhz",
        "--stem": "Network.latency.stem",
        "--packed-resolutions": "Network.latency.packed_resolutions",
        "--json": "Latency.record",
    },
    "dse": {
        **LOADED,
        "--board": "Network.explore.board",
        "--clock": "ExploreOptions.clock_mhz",
        "--dram": "Network.explore.dram",
        "--no-dram": "Network.explore.dram",
        **{
            f"--{name.replace('_', '-')}": f"ExploreOptions.{name}"
            for name in ("top", "read_latency", "act_bits", "weight_bits", "array", "dsp_packing")
        },
        **{
            f"--{name.replace('_', '-')}": f"ExploreOptions.{name}"
            for name in ("pattern_ones", "stem", "packed_resolutions", "on_chip")
        },
        "--plot": "Exploration.figure",
        "--save": "Design.save.folder",
        "--overwrite": "Design.save.overwrite",
        "--json": "Exploration.record",
    },
    "compare": {
        "config": "compare_samplers.config",
        **{
            f"--{name.replace('_', '-')}": f"compare_samplers.{name}"
            for name in ("output", "seeds", "trials", "strategies", "cold", "early_stopping", "fresh")
        },
        "--json": "Comparison.summary",
    },
    "published": {"--no-true": "published_tables.true", "--json": "PublishedTables.record"},
    "synth": {**TOOLS, "--place": "synthesise.on_ecp5", "--json": "Measured.record"},
    "timing": {**TOOLS, "--json": "Measured.record"},
    "import-reports": {
        "directory": "import_reports.reports",
        "--into": "import_reports.package",
        "--output": "VendorReports.to_json",
        "--json": "VendorReports.to_json",
    },
    "package": {
        "folder": "load_package.folder",
        "--output": "Package.archive.target",
        "--sign": "Package.archive.sign",
    },
    "verify": {
        "folder": "load_package.folder",
        "--signers": "Package.verify.signers",
        "--again": "Package.verify.again",
        "--json": "Verdict.differences",
    },
    "doctor": {"--json": "Tools.record"},
    "bench": {
        "cases": "benchmark.cases",
        "--list": "benchmark_cases",
        "--network": "benchmark.networks",
        "--results": "benchmark.results",
        "--output": "benchmark",
        "--json": "benchmark",
    },
    "fuzz": {
        f"{'' if name == '' else '--'}{name}": f"fuzz_networks.{parameter}"
        for name, parameter in (
            *(("seed", "seed"), ("count", "count"), ("case", "cases"), ("csim", "csim")),
            *(("jobs", "jobs"), ("output", "output")),
        )
    },
}


def options(command: str) -> Iterator[str]:
    """What a user may say to a command: options by their long names, arguments by their own."""
    subparsers = argparse.ArgumentParser().add_subparsers(parser_class=CommandParser)
    importlib.import_module(f"hotnas_hls.commands.{command.replace('-', '_')}").add_parser(subparsers)
    parsers = [subparsers.choices[command]]
    while parsers:
        for action in parsers.pop()._actions:
            long = [option for option in action.option_strings if option.startswith("--")]
            yield from (long[:1] or [action.dest])
            if isinstance(action, argparse._SubParsersAction):
                parsers += action.choices.values()


def led_to(place: str) -> object:
    """What a place of the API is, such as ``Design.save.folder``; an AssertionError where it is nothing."""
    thing: object = hn
    for name in place.split("."):
        fields = inspect.get_annotations(thing) if inspect.isclass(thing) else {}
        if name in fields:
            thing = getattr(sys.modules[thing.__module__], str(fields[name]), None)
        elif inspect.isfunction(thing) or inspect.ismethod(thing):
            assert name in inspect.signature(thing).parameters, place
            thing = None
        else:
            assert hasattr(thing, name), place
            thing = getattr(thing, name)
    return thing


@pytest.mark.parametrize("command", [name for name in command_names() if name not in OF_SHELLS])
def test_every_option_of_a_command_is_one_of_the_api(command: str) -> None:
    asked = set(options(command)) - HOW_IT_PRINTS
    assert set(DONE_BY[command]) == asked, "say here what of the API does it"
    for place in DONE_BY[command].values():
        led_to(place)


def test_a_place_that_is_none_is_found() -> None:
    for place in ("Design.save.force", "Network.sing", "RunConfig.search.trial", "nothing"):
        with pytest.raises((AssertionError, AttributeError)):
            led_to(place)


@pytest.mark.parametrize("path", sorted(COMMANDS.glob("[!_]*.py")), ids=lambda path: path.stem)
def test_a_command_computes_nothing_of_its_own(path: Path) -> None:
    """It imports public names, values and settings; whatever works lies behind the API."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("hotnas_hls."):
            module = str(node.module).removeprefix("hotnas_hls.")
            assert module.split(".")[0] in VALUES or module in SETTINGS, f"{path.name}: {node.module}"
