"""What each lever brings: designs one lever apart, on one array, simulated whole.

A lever that the driver or the layers pull (the stem, the width of weights) leaves the hardware as it is.
"""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hotnas_hls.accel.accelerator import Accelerator
from hotnas_hls.accel.design_point import DesignPoint
from hotnas_hls.accel.image_layout import Stem
from hotnas_hls.bench.kept_results import Figures, KeptResults
from hotnas_hls.boards.board import load_board
from hotnas_hls.explore.arrangement import Arrangement
from hotnas_hls.explore.fastest_design import design_point
from hotnas_hls.explore.model_layers import layers_of

BOARD = "ZCU102"
NETWORKS = ("resnet18", "mobilenet_v2")
MOST_LAYERS = 54  # MobileNetV2


@dataclass(frozen=True)
class Design:
    """Hardware, and how a network runs on it."""

    accelerator: Accelerator
    stem: Stem = Stem.PLAIN
    weight_bits: int = 16
    pattern_ones: int | None = None  # of every 3x3 convolution over all channels


@dataclass(frozen=True)
class Lever:
    """One step from a design to the next."""

    name: str  # of its results
    what: str  # in the table
    of_design: Mapping[str, Any] = field(default_factory=dict)
    of_accelerator: Mapping[str, Any] = field(default_factory=dict)
    networks: tuple[str, ...] = NETWORKS  # those it changes


START = Design(
    Accelerator(
        tm=64,
        tn=32,
        tr=16,
        tc=16,
        ifm_bits=128,
        wgt_bits=128,
        ofm_bits=128,
        ifm_depth=2048,
        wgt_entries=9,
        max_entries=49,
        patterns=False,
    )
)
LEVERS = (
    Lever("none", "none: three ports of 128 bits"),
    Lever(
        "stem",
        "stem unfolded by the driver (ResNet-18's 7x7, stride 2, on 3 channels becomes 4x1 on 42)",
        {"stem": Stem.UNFOLDED},
    ),
    Lever(
        "taps",
        "depthwise and pooling layers take 4 kernel positions a cycle",
        of_accelerator={"taps": 4, "max_entries": 13},
    ),
    Lever("weights", "8-bit weights", {"weight_bits": 8}),
    Lever(
        "patterns",
        "3x3 kernels pruned to 6 of 9 positions",
        {"pattern_ones": 6},
        {"patterns": True},
        networks=("resnet18",),
    ),
    Lever(
        "packing",
        "two 8-bit products a DSP slice: 8-bit activations, array of 64x64",
        of_accelerator={"tn": 64, "act_bits": 8, "weight_bits": 8, "dsp_packing": True},
    ),
)


def designs(network: str) -> Iterator[tuple[Lever, Design]]:
    """Every lever that changes ``network``, and the design with it and all before it."""
    design = START
    for lever in LEVERS:
        if network in lever.networks:
            accelerator = dataclasses.replace(design.accelerator, **lever.of_accelerator)
            design = dataclasses.replace(design, accelerator=accelerator, **lever.of_design)
            yield lever, design


def design_points(network: str) -> Iterator[tuple[str, DesignPoint]]:
    """The designs of ``network`` on the ZCU102 with random weights (seed 0), by the name of their results."""
    from hotnas_hls.frontends.source import load_model

    graph, board = load_model(network, proven=False).graph, load_board(BOARD)
    for lever, design in designs(network):
        accel = design.accelerator
        model = layers_of(graph, design.weight_bits, accel.act_bits, Arrangement(design.stem))
        if design.pattern_ones is not None:
            model = model.pruned(design.pattern_ones, accel.rows_per_dsp)
        yield f"{network} {lever.name}", design_point(accel, model, board, board.clock_mhz)


def measure(
    results: Path,
    networks: Sequence[str] = NETWORKS,
    report: Callable[[str, Figures], None] = lambda name, figures: None,
) -> dict[str, Figures]:
    """Simulate every design of ``networks`` into the file ``results``; figures by network and lever."""
    measured: dict[str, Figures] = {}
    with tempfile.TemporaryDirectory() as builds:
        kept = KeptResults(results, Path(builds), MOST_LAYERS)
        for network in networks:
            for name, point in design_points(network):
                measured[name] = kept.simulate(name, point, {"weights": f"random, seed {point.seed}"})
                report(name, measured[name])
    return measured
