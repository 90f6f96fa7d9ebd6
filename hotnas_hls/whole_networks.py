"""Whole networks on full-size designs in simulation: image to logits in one start, each layer as predicted.

Results go into a JSON file network by network. One that is there and speaks of the same design and the same
RTL is not simulated again, so that an interrupt loses nothing but the network it came in.
"""

from __future__ import annotations

import dataclasses
import json
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hotnas_hls import __version__
from hotnas_hls.accel.design_point import DesignPoint
from hotnas_hls.accel.efficiency import efficiency, multipliers
from hotnas_hls.accel.resources import accelerator_resources
from hotnas_hls.arrangement import Arrangement
from hotnas_hls.atomic import replace_files
from hotnas_hls.board import Board, load_board
from hotnas_hls.certificate import certify, twin
from hotnas_hls.errors import ConfigError, DataMissing
from hotnas_hls.explore import FIXED_LATENCY
from hotnas_hls.fastest_design import design_point, explore_arrangements
from hotnas_hls.records import load_json
from hotnas_hls.verilated import sources_digest

if TYPE_CHECKING:
    from hotnas_hls.search.problem import Problem

FORMAT = "hotnas-whole-networks"
BOARD = "ZCU102"
ACCURACY_IMAGES = 256  # test images on which networks with real weights are classified
Figures = dict[str, Any]


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
    board, found = load_board(BOARD), read_results(results)
    measured: dict[str, Figures] = {}
    for network in chosen:
        try:
            point, about = design_of(network, board)
        except DataMissing as reason:
            measured[network.model] = {"left_out": str(reason)}
        else:
            measured[network.model] = simulated(point, about, found.get(network.model))
            found[network.model] = measured[network.model]
            _write(results, found)
        report(network.model, measured[network.model])
    return measured


def design_of(network: WholeNetwork, board: Board) -> tuple[DesignPoint, Figures]:
    """The fastest uncompressed design of ``network`` on ``board``, and what its weights are."""
    from hotnas_hls.models.source import load_model

    problem = _problem(network) if network.checkpoint else None
    graph = problem.graph if problem else load_model(network.model).graph
    explored = explore_arrangements(graph, board)
    best = explored.found.best[0]
    point = design_point(best, explored.model, board, board.clock_mhz, FIXED_LATENCY)
    if problem is None:
        return point, {"weights": f"random, seed {point.seed}"}
    point = _with_weights(point, problem)
    return point, {"weights": network.checkpoint} | _accuracy(point, problem)


def simulated(point: DesignPoint, about: Figures, known: Figures | None = None) -> Figures:
    """Figures of one network in simulation; ``known`` is kept where it speaks of this design and this RTL."""
    digests = {"design_digest": point.digest(), "sources_digest": sources_digest(twin(point).files)}
    if known is not None and digests.items() <= known.items():
        return known
    accel, macs = point.accelerator, sum(point.needed_macs().values())
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        certificate = certify(point, Path(folder), stalls=())
    seconds = time.perf_counter() - started
    return {
        **digests,
        "tool_version": __version__,
        "board": point.board.name,
        "clock_mhz": point.clock_mhz,
        **about,
        "stem": point.stem,
        "packed_resolutions": point.packed_resolutions,
        "accelerator": dataclasses.asdict(accel),
        "dsp": accelerator_resources(accel, len(point.layers)).dsp,
        "layers": len(point.layers),
        "predicted_cycles": certificate.predicted_cycles,
        "simulated_cycles": certificate.simulated_cycles,
        "ms": certificate.ms(certificate.simulated_cycles),
        "dsp_efficiency": efficiency(macs, certificate.simulated_cycles, multipliers(accel)),
        "starts": certificate.images,
        "every_layer_exact": certificate.exact,
        "every_output_equal": certificate.outputs_match,
        "certificate_holds": certificate.holds,
        "reasons": list(certificate.reasons),
        "seconds": seconds,
        "cpus": os.cpu_count(),
    }


def read_results(path: Path) -> dict[str, Figures]:
    """Networks of an earlier run, none where the file is not there yet."""
    if not path.exists():
        return {}
    record = load_json(path)
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise ConfigError(f"{path}: holds no results of whole networks; give another file, or move it away")
    return dict(record["networks"])


def _write(path: Path, networks: dict[str, Figures]) -> None:
    text = json.dumps({"format": FORMAT, "networks": networks}, indent=2) + "\n"
    replace_files(path.resolve().parent, {path.name: text.encode()})


def _problem(network: WholeNetwork) -> Problem:
    """The network with its checkpoint, and CIFAR-10; DataMissing where either is not on this machine."""
    from hotnas_hls.models.data import DATA_VARIABLE, cifar10, data_folders
    from hotnas_hls.models.source import load_model
    from hotnas_hls.search.problem import Problem

    places = [folder / "weights" / str(network.checkpoint) for folder in data_folders()]
    weights = next((place for place in places if place.is_file()), None)
    if weights is None:
        raise DataMissing(
            f"{network.model}: {network.checkpoint} is not on this machine; put it into the folder weights "
            f"below {DATA_VARIABLE} (github.com/akamaster/pytorch_resnet_cifar10 has it)"
        )
    loaded = load_model(network.model, weights)
    assert loaded.module is not None
    return Problem(network.model, loaded.module, loaded.graph, cifar10())


def _with_weights(point: DesignPoint, problem: Problem) -> DesignPoint:
    """``point`` with the integers of the problem's weights and test images as golden ones."""
    from hotnas_hls.models.compression import Compression
    from hotnas_hls.search.integer import IntegerFormat, golden, integer_network

    arrangement = Arrangement(point.stem, point.packed_resolutions)
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
    from hotnas_hls.models.train import accuracy
    from hotnas_hls.search.integer import integer_accuracy

    test = problem.dataset.test.first(ACCURACY_IMAGES)
    return {
        "images": len(test),
        "float_accuracy": accuracy(problem.model, test.images, test.labels),
        "integer_accuracy": integer_accuracy(point.integer_network(), test),
    }
