"""Networks that others made: which are imported and proven, what keeps out the rest, what they cost.

The networks are the classifiers that the package ``onnx`` brings for its own tests (its light set: whole
graphs, weights that are constants). Each runs on the accelerator of :mod:`whole_networks`, with room for
more kernel positions, in its fastest arrangement, priced with an ideal memory and not simulated.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

from hotnas_hls.accel.plan import for_layers
from hotnas_hls.bench.kept_results import Figures
from hotnas_hls.bench.whole_networks import ACCELERATOR, BOARD, on_accelerator
from hotnas_hls.boards.board import load_board
from hotnas_hls.errors import HotnasError, InfeasibleDesign, ToolNotFound
from hotnas_hls.frontends.source import load_model
from hotnas_hls.network.fold import fold_shapes
from hotnas_hls.network.lower import lower

ROOMY = dataclasses.replace(ACCELERATOR, max_entries=64)  # VGG's first linear layer has 49 positions
LIGHT = Path("backend") / "test" / "data" / "light"  # in the package


def light_set() -> dict[str, Path]:
    """The files of the light set by the name of their network."""
    try:
        import onnx
    except ImportError as error:
        cure = "run: pip install 'hotnas-hls[onnx]'"
        raise ToolNotFound(f"coverage: it needs the package onnx; {cure}") from error
    files = sorted((Path(onnx.__file__).parent / LIGHT).glob("*.onnx"))
    return {path.stem.removeprefix("light_"): path for path in files}


def measure() -> Figures:
    """By network what :func:`covered` finds."""
    return {name: covered(path) for name, path in light_set().items()}


def covered(path: Path) -> Figures:
    """One ONNX file: ``refused``, every operator that keeps it out; or what was imported and its price."""
    try:
        loaded = load_model(str(path))
    except HotnasError as error:
        headline, *lines = str(error).split("\n")
        return {"refused": [line.removeprefix("  - ") for line in lines] or [headline]}
    graph, proof = loaded.graph, loaded.proof
    assert proof is not None
    found: Figures = {
        "operators": len(graph),
        "difference": proof.difference,
        "host": str(graph.host),
    }
    decided = for_layers(ROOMY, lower(fold_shapes(graph)).shapes)
    accel = dataclasses.replace(ROOMY, activation_lines=decided.activation_lines, products=decided.products)
    try:
        point = on_accelerator(graph, load_board(BOARD), accel)
    except InfeasibleDesign as error:
        return found | {"unpriced": str(error).split("\n")[-1].removeprefix("  - ")}
    return found | {
        "layers": len(point.layers),
        "macs": sum(entry.layer.macs for entry in point.layers),
        "needed_macs": sum(point.needed_macs().values()),
        "predicted_cycles": point.predicted_cycles,
        "ms": point.cycles_to_ms(point.predicted_cycles or 0),
    }
