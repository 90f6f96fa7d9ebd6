"""iDetect: what bounds each layer on a board, by the true model, and what would help.

The design is the best uncompressed one of the board. Labels: I loading feature maps, W loading weights,
C computing, O storing feature maps. Every remedy is priced by the model, not guessed. --reductions prices the
strongest edits the search may choose, kind by kind, on the hardware that suits them best: the time a search
could save, whatever it costs in accuracy.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path

from hotnas_hls.base.pictures import picture_violations
from hotnas_hls.base.terminal import progress, text_console
from hotnas_hls.commands import Subparsers
from hotnas_hls.commands.graph import add_network_arguments, parse_shape
from hotnas_hls.errors import ConfigError, raise_all
from hotnas_hls.search.config import DEFAULT_CONFIG, load_config

GROUP = "explore"
PIPED_WIDTH = 160  # columns of the table when nobody looks at a terminal


def add_parser(subparsers: Subparsers) -> None:
    """Options of ``hotnas detect``."""
    parser = subparsers.add_parser("detect", description=__doc__)
    add_network_arguments(parser)
    parser.add_argument("--config", default=DEFAULT_CONFIG, help="a shipped configuration, or a YAML file")
    parser.add_argument("--board", help="board, instead of the configuration's")
    parser.add_argument("--bars", type=Path, metavar="FILE", help="draw the terms of each layer (.svg, .png)")
    parser.add_argument("--roofline", type=Path, metavar="FILE", help="draw the roofline (.svg, .png)")
    parser.add_argument("--reductions", action="store_true", help="what the strongest edits save, by kind")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> None:
    """Print the table or JSON, and draw what was asked for."""
    config = load_config(args.config)
    if args.board:
        config = dataclasses.replace(config, board=args.board, clock_mhz=None)
    shape = parse_shape(args.input) if args.input else config.network.input if not args.model else None
    pictures = [path for path in (args.bars, args.roofline) if path]
    problems = [problem for path in pictures for problem in picture_violations(path)]
    raise_all(ConfigError, "these pictures cannot be drawn:", problems)

    from hotnas_hls.frontends.source import load_model
    from hotnas_hls.search.configure import options_of, platform_of
    from hotnas_hls.search.detecting.detect import detect
    from hotnas_hls.search.detecting.start import fastest_start, starts
    from hotnas_hls.search.proposing.strongest import strongest_edits
    from hotnas_hls.search.telling import charts
    from hotnas_hls.search.telling.tables import detection_table, reductions_table

    loaded = load_model(args.model or config.network.model, None, shape)
    progress(loaded.proof)
    platform, options = platform_of(config, loaded.graph), options_of(config)
    asked = (loaded.graph, loaded.module, platform, options.format, options.stem, options.packed)
    baseline, start = starts(*asked) if args.reductions else (None, fastest_start(*asked))
    workload, choices = start.workload, start.choices
    detection = detect(workload, platform, choices, options.space.least_weight_bits)
    strongest = strongest_edits(baseline, start, platform, options.space) if baseline else None
    title = f"{workload.name} on {platform.board.name} at {platform.clock_mhz:g} MHz"
    if args.bars:
        charts.save(charts.term_chart(detection, platform.unit, title), args.bars)
    if args.roofline:
        roof = platform.roof(workload.layers, choices)
        chart = charts.roofline_chart(detection, workload.layers, roof, platform.act_bits, title)
        charts.save(chart, args.roofline)
    if args.json:
        record = {
            "network": workload.name,
            "board": platform.board.name,
            "clock_mhz": platform.clock_mhz,
            "hardware": dict(choices),
            **dataclasses.asdict(start.format.arrangement),
            "total_cycles": detection.cost.total,
            "total_ms": detection.cost.latency_ms,
            "resources": dict(detection.cost.usage),
            "layers": [finding.record() for finding in detection.findings],
        }
        if strongest is not None:
            record["strongest"] = strongest.record()
        print(json.dumps(record, indent=2))
        return
    console = text_console(PIPED_WIDTH)
    console.print(detection_table(detection, platform, title))
    hardware = ", ".join(f"{name} {value}" for name, value in choices.items())
    console.print(f"hardware: {hardware}; {start.format.arrangement}")
    if strongest is not None:
        console.print(
            reductions_table(strongest, f"{workload.name}: the strongest edits of the search space")
        )
