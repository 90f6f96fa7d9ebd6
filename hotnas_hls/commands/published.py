"""HotNAS's published latencies beside those computed by the published and by the true rule.

The first column of milliseconds is as printed; the second is computed by the published rule and rounds to
it; the true one is the latency of the nearest accelerator that can be built, by the model that simulation
confirms. All at 200 MHz.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from typing import TYPE_CHECKING

from hotnas_hls.base.terminal import text_console
from hotnas_hls.commands import Subparsers

if TYPE_CHECKING:
    from hotnas_hls.published.tables import PublishedCase, PublishedRow, ReductionRow

GROUP = "explore"
PIPED_WIDTH = 140  # columns of the tables when nobody looks at a terminal
PUBLISHED_MHZ = 200.0
BOARD = "ZCU102"


def add_parser(subparsers: Subparsers) -> None:
    """Options of ``hotnas published``."""
    parser = subparsers.add_parser("published", description=__doc__)
    parser.add_argument("--no-true", action="store_true", help="leave the true rule out (much quicker)")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Print the tables; 1 when a computed value does not round to the printed one."""
    from hotnas_hls.published.tables import published_rows, reduction_rows

    rows = published_rows(None if args.no_true else true_ms)
    reductions = reduction_rows()
    all_match = all(row.rounds_to_published for row in rows)
    all_match = all_match and all(step.rounds_to_published for step in reductions)
    if args.json:
        record = {
            "clock_mhz": PUBLISHED_MHZ,
            "all_round_to_published": all_match,
            "latencies": [dataclasses.asdict(row) for row in rows],
            "hotnas_resnet_reductions": [dataclasses.asdict(row) for row in reductions],
        }
        print(json.dumps(record, indent=2))
    else:
        _print(rows, reductions)
    return 0 if all_match else 1


def true_ms(case: PublishedCase) -> float | None:
    """The true rule's latency of a published case; None for a network the accelerator cannot run."""
    from hotnas_hls.accel.timing.latency import best_tiles, network_latency
    from hotnas_hls.accel.timing.memory_timing import MemoryTiming
    from hotnas_hls.boards.board import load_board
    from hotnas_hls.errors import InfeasibleDesign, UnsupportedNetwork
    from hotnas_hls.explore.model_layers import load_layers
    from hotnas_hls.explore.nearest import edited_layers, nearest_accelerator
    from hotnas_hls.published.genes import apply
    from hotnas_hls.published.networks import zoo_layers
    from hotnas_hls.published.spaces import SPACES

    hardware, memory = case.hardware, MemoryTiming()
    try:
        loaded = load_layers(case.model)
        layers = loaded.layers
        if case.dna is not None:
            before = zoo_layers(case.model)
            applied = apply(SPACES["A"], case.dna, before)
            layers, hardware = edited_layers(layers, before, applied.layers), applied.hardware
        accel = nearest_accelerator(hardware, layers, load_board(BOARD), loaded.blocks).accel
    except (UnsupportedNetwork, InfeasibleDesign):
        return None
    tiles = best_tiles(layers, accel, memory)
    chosen = {name: tile for name, tile in tiles.items() if tile is not None}
    return network_latency(layers, accel, chosen, memory).ms(PUBLISHED_MHZ)


def _print(rows: list[PublishedRow], reductions: list[ReductionRow]) -> None:
    from rich.table import Table

    console = text_console(PIPED_WIDTH)
    table = Table(title="Latencies, ms at 200 MHz", title_justify="left")
    for head in ("network", "data", "design"):
        table.add_column(head)
    for head in ("published", "computed", "difference", "real sizes", "stride once", "true"):
        table.add_column(head, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(
            row.name, row.dataset, row.design, row.published_ms,
            _mark(row.computed_ms, row.rounds_to_published),
            f"{row.difference_ms:+.4f}", f"{row.real_sizes_ms:.3f}", f"{row.stride_once_ms:.3f}",
            "-" if row.true_ms is None else f"{row.true_ms:.3f}",
        )  # fmt: skip
    console.print(table)
    table = Table(title="HotNAS-ResNet: what each step saves, ms", title_justify="left")
    table.add_column("step")
    for head in ("published", "as listed", "alone", "cumulative"):
        table.add_column(head, justify="right")
    table.add_column("listed is")
    for step in reductions:
        table.add_row(
            step.step, step.published_ms, _mark(step.listed_ms, step.rounds_to_published),
            f"{step.alone_ms:.4f}", f"{step.cumulative_ms:.4f}", step.how,
        )  # fmt: skip
    console.print(table)
    console.print("Why the published and the true latency of a design differ:")
    for row in rows:
        console.print(f"  {row.name} ({row.dataset}): {row.why_they_differ}", soft_wrap=True)
    console.print(
        "  The true column is of the nearest accelerator that can be built (power-of-two ports, whole "
        "channel blocks, one engine, FC layers included): hotnas latency --design prints how it differs.",
        soft_wrap=True,
    )


def _mark(value: float, matches: bool) -> str:
    return f"{value:.5f}" if matches else f"{value:.5f} (!)"
