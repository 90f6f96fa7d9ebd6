"""Whole networks in simulation, all on one full-size accelerator: each layer as predicted and bit-exact.

Hardware that holds them all takes one build, and shows that one bitstream runs them. The fastest hardware
of one network alone is what ``hotnas dse`` finds.
"""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hotnas_hls.accel.accelerator import Accelerator
from hotnas_hls.accel.design_point import DesignPoint
from hotnas_hls.bench.kept_results import Figures, KeptResults
from hotnas_hls.boards.board import Board, load_board
from hotnas_hls.errors import ConfigError, DataMissing
from hotnas_hls.explore.arrangement import Arrangement, allowed_arrangements, attempts, fastest
from hotnas_hls.explore.fastest_design import design_point
from hotnas_hls.explore.model_layers import layers_of
from hotnas_hls.network.graph import Graph

if TYPE_CHECKING:
    from hotnas_hls.search.problem import Problem

BOARD = "ZCU102"
ACCELERATOR = Accelerator(
    tm=64,
    tn=32,
    tr=16,
    tc=16,
    ifm_bits=128,
    wgt_bits=128,
    ofm_bits=128,
    ifm_depth=6144,  # SqueezeNet's mean of 13 x 13 reads 32 slices of it at once
    wgt_entries=9,
    max_entries=43,  # the same mean, four taps a cycle
    patterns=True,  # packed pixels of the small networks are patterns too
    taps=4,
)
MOST_LAYERS = 188  # DenseNet-121
ACCURACY_IMAGES = 256  # test images on which networks with real weights are classified


@dataclass(frozen=True)
class WholeNetwork:
    """A network of the zoo; with a checkpoint for CIFAR-10, or with random weights (seed 0)."""

    model: str
    checkpoint: str | None = None  # a file of the folder HOTNAS_DATA/weights


NETWORKS = (  # the quick ones first
    WholeNetwork("resnet20", "resnet20-12fca82f.th"),
    WholeNetwork("resnet56", "resnet56-4bfd9763.th"),
    WholeNetwork("squeezenet1_1"),
    WholeNetwork("densenet121_cifar"),
    WholeNetwork("mobilenet_v2"),
    WholeNetwork("mnasnet1_0"),
    WholeNetwork("resnet18"),
    WholeNetwork("alexnet"),
)


def measure(
    names: Sequence[str], results: Path, report: Callable[[str, Figures], None] = lambda name, figures: None
) -> dict[str, Figures]:
    """Simulate the networks called ``names`` (none named: all of NETWORKS) into the file ``results``.

    One whose data are not on this machine is left out, with the reason as its only figure.
    """
    chosen = [network for network in NETWORKS if network.model in names or not names]
    if unknown := sorted(set(names) - {network.model for network in chosen}):
        raise ConfigError(
            f"--network {', '.join(unknown)}: not among the whole networks: "
            f"{', '.join(network.model for network in NETWORKS)}"
        )
    board = load_board(BOARD)
    measured: dict[str, Figures] = {}
    with tempfile.TemporaryDirectory() as builds:
        kept = KeptResults(results, Path(builds), MOST_LAYERS)
        for network in chosen:
            try:
                point, about = design_of(network, board)
            except DataMissing as reason:
                measured[network.model] = {"left_out": str(reason)}
            else:
                measured[network.model] = kept.simulate(network.model, point, about)
            report(network.model, measured[network.model])
    return measured


def design_of(network: WholeNetwork, board: Board) -> tuple[DesignPoint, Figures]:
    """``network`` with its fastest stem on ACCELERATOR, and what its weights are."""
    from hotnas_hls.frontends.source import load_model

    problem = _problem(network) if network.checkpoint else None
    point = on_accelerator(problem.graph if problem else load_model(network.model, proven=False).graph, board)
    if problem is None:
        return point, {"weights": f"random, seed {point.seed}"}
    point = _with_weights(point, problem)
    return point, {"weights": network.checkpoint} | _accuracy(point, problem)


def on_accelerator(graph: Graph, board: Board, accelerator: Accelerator = ACCELERATOR) -> DesignPoint:
    """A network in its fastest arrangement on ``accelerator``, without weights."""

    def attempt(tried: Arrangement) -> DesignPoint:
        return design_point(accelerator, layers_of(graph, arrangement=tried), board, board.clock_mhz)

    points = attempts(allowed_arrangements(graph), attempt)
    return points[fastest(points, lambda point: point.predicted_cycles or 0)]


def _problem(network: WholeNetwork) -> Problem:
    """The network with its checkpoint, and CIFAR-10; DataMissing where either is not on this machine."""
    from hotnas_hls.frontends.source import load_model
    from hotnas_hls.models.cifar10 import cifar10
    from hotnas_hls.models.data import DATA_VARIABLE, data_folders
    from hotnas_hls.search.problem import Problem

    places = [folder / "weights" / str(network.checkpoint) for folder in data_folders()]
    weights = next((place for place in places if place.is_file()), None)
    if weights is None:
        raise DataMissing(
            f"{network.model}: {network.checkpoint} is not on this machine; put it into the folder weights "
            f"below {DATA_VARIABLE} (github.com/akamaster/pytorch_resnet_cifar10 has it)"
        )
    loaded = load_model(network.model, weights, proven=False)
    assert loaded.module is not None
    return Problem(network.model, loaded.module, loaded.graph, cifar10())


def _with_weights(point: DesignPoint, problem: Problem) -> DesignPoint:
    """``point`` with the integers of the problem's weights and test images as golden ones."""
    from hotnas_hls.explore.integer_layers import IntegerFormat
    from hotnas_hls.models.compression import Compression
    from hotnas_hls.search.fitting.integer import golden, integer_network

    arrangement = Arrangement(point.stem, point.packed_resolutions, point.packed_across)
    form = IntegerFormat(point.accelerator.act_bits, arrangement=arrangement)
    net = integer_network(problem, problem.model, Compression(), form)
    return dataclasses.replace(
        point,
        feature_maps=tuple(net.feature_maps.values()),
        numbers=net.numbers,
        golden=golden(net, problem.dataset.test, 2),
    )


def _accuracy(point: DesignPoint, problem: Problem) -> Figures:
    """Shares of test images that the float network and the integers of ``point`` classify right."""
    from hotnas_hls.models.train import score
    from hotnas_hls.search.fitting.integer import integer_accuracy

    test = problem.dataset.test.first(ACCURACY_IMAGES)
    return {
        "images": len(test),
        "float_accuracy": score(problem.model, test),
        "integer_accuracy": integer_accuracy(point.integer_network(), test),
    }
