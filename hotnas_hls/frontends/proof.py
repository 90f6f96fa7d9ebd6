"""The proof of an import: the graph computes what the network it was made from computes, or it is refused.

Both run on batches of different images, of more than one size, so that what a reader left out, misread or
mixed between images shows in the result; the first node whose map differs is then named.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from time import perf_counter, process_time
from typing import Any, Protocol

import numpy as np

from hotnas_hls.base.blas import one_blas_thread
from hotnas_hls.errors import HotnasError, UnsupportedNetwork
from hotnas_hls.network.execute import OPERATORS, run
from hotnas_hls.network.graph import Graph, Node, OpKind, Shape

Array = np.ndarray

TOLERANCE = 1e-4  # largest difference, as a share of the largest value: sums in another order reach 1e-5
SCALES = (1.0, 1.0, 1000.0)  # of the values of each batch
BATCHES = (2, 3, 2)  # images of each batch, where the network leaves their number open


class Original(Protocol):
    """What a graph was made from."""

    @property
    def fixed_batch(self) -> int | None:
        """The only number of images that it takes; None: any."""

    @property
    def note(self) -> str:
        """What the graph has not of it; empty where it has everything."""

    def outputs(self, images: Array) -> list[Array]:
        """Its results, each (B, ...), for images float32 (B, C, H, W)."""

    def maps(self, images: Array) -> Mapping[str, Array]:
        """What it computes for the nodes of the graph, as far as it tells: (B, ...) by node name."""


@dataclass(frozen=True)
class Proof:
    """How closely a graph and its original agreed."""

    batches: int
    images: int
    difference: float  # the largest, as a share of the largest value of its map
    seconds: float
    cpu_seconds: float  # of all threads
    note: str = ""  # what was left out of the original

    def __str__(self) -> str:
        proven = (
            f"import proven: {self.images} images in {self.batches} batches, maps differ by "
            f"{self.difference:.1g} of the largest value (at most {TOLERANCE:g}), {self.seconds:.1f} s"
        )
        return "\n".join(filter(None, (proven, self.note)))


def prove(graph: Graph, original: Original) -> Proof:
    """Run ``graph`` beside ``original``.

    On the first batch every map is compared, since what differs inside may hardly show in the result of a
    network with random weights; on the others the results are. UnsupportedNetwork where they differ by more
    than TOLERANCE of the largest value of a map, naming the first node that does, or where the original does
    not run. A function that saturates makes small differences of large values large, so a node whose map
    differs is judged by what it makes of the maps that the original reads there. What the host makes of the
    logits is compared on the logits of the original: softmax makes such differences, too.
    """
    started, cpu_started, worst = perf_counter(), process_time(), 0.0
    sizes = [original.fixed_batch or size for size in BATCHES]
    for number, (size, scale) in enumerate(zip(sizes, SCALES, strict=True)):
        images = batch(graph.image, size, scale, number)
        every_map = number == 0 or graph.host.answers
        with one_blas_thread(), np.errstate(over="ignore", invalid="ignore"):  # it shows in the difference
            difference = (_compare_maps if every_map else _compare_outputs)(graph, original, images)
        worst = max(worst, difference)
    seconds, cpu_seconds = perf_counter() - started, process_time() - cpu_started
    return Proof(len(sizes), sum(sizes), worst, seconds, cpu_seconds, original.note)


def batch(shape: Shape, images: int, scale: float = 1.0, seed: int = 0) -> Array:
    """``images`` different ones of normally distributed values, float32 (images, *shape)."""
    drawn = np.random.default_rng(seed).standard_normal((images, *shape), dtype=np.float32)
    return drawn * np.float32(scale)


def _run(name: str, original: Callable[[Array], Any], images: Array) -> Any:
    try:
        return original(images)
    except HotnasError:
        raise
    except Exception as error:  # whatever a user's forward, or an evaluator, raises
        shape = "x".join(map(str, images.shape))
        raise UnsupportedNetwork(
            f"{name}: it does not run on an input of {shape}: {type(error).__name__}: {error}; "
            "it must take any number of images"
        ) from error


def _difference(found: Array, wanted: Array) -> float:
    """The largest difference, as a share of the largest value; infinite where shapes or finiteness differ."""
    if found.size != wanted.size or len(found) != len(wanted):
        return math.inf
    found, wanted = found.reshape(-1), wanted.reshape(-1)
    largest = _largest(wanted)
    if not (math.isfinite(largest) and math.isfinite(_largest(found))):
        return math.inf
    return _largest(found - wanted) / (largest or 1.0)


def _largest(values: Array) -> float:
    """The largest magnitude; NaN or infinite if any value is."""
    return max(abs(float(values.max(initial=0.0))), abs(float(values.min(initial=0.0))))


def _compare_outputs(graph: Graph, original: Original, images: Array) -> float:
    """The difference of the results; UnsupportedNetwork where it is too large, naming the node."""
    with ThreadPoolExecutor(1) as aside:
        running = aside.submit(_run, graph.name, original.outputs, images)
        found = run(graph, graph.host.prepared(images), keep=graph.host.maps)
    wanted = running.result()
    results = graph.host.results(found).values()
    if len(wanted) == len(results):  # of as many images, or it shows as a difference
        difference = max(_difference(*pair) for pair in zip(results, wanted, strict=True))
        if difference <= TOLERANCE:
            return difference
    return max(
        _compare_maps(graph, original, images),
        _compare_answers(graph, found | dict(original.maps(images)), wanted, images),
    )


def _compare_maps(graph: Graph, original: Original, images: Array) -> float:
    """The largest difference of any map; UnsupportedNetwork with the first node whose map differs."""
    with ThreadPoolExecutor(1) as aside:
        running = aside.submit(_run, graph.name, original.maps, images)
        prepared = graph.host.prepared(images)
        found = run(graph, prepared)
    wanted = running.result()
    worst = 0.0
    for node in graph:
        if node.name in wanted:
            difference = _difference(found[node.name], wanted[node.name])
            if not difference <= TOLERANCE:
                difference = _difference(_alone(graph, node, prepared, wanted), wanted[node.name])
            if not difference <= TOLERANCE:
                where = f"{node.name} ({node.kind})"
                raise UnsupportedNetwork(_differs(graph.name, where, difference, images))
            worst = max(worst, difference)
    if graph.host.answers:
        answers = _run(graph.name, original.outputs, images)
        _compare_answers(graph, found | dict(wanted), answers, images)
    return worst


def _compare_answers(graph: Graph, maps: Mapping[str, Array], wanted: list[Array], images: Array) -> float:
    """The largest difference of what the host makes of ``maps``; UnsupportedNetwork where it is too large."""
    results, worst = graph.host.results(maps), 0.0
    if len(results) != len(wanted):
        raise UnsupportedNetwork(
            f"{graph.name}: it gives {len(wanted)} results on images of {'x'.join(map(str, images.shape))} "
            f"and {len(results)} on others; give as many for every batch"
        )
    for returned, result in zip(graph.host.returned, wanted, strict=True):
        difference = _difference(results[returned.name], result)
        if not difference <= TOLERANCE:
            what = returned.answer or "output"
            where = f"its {what}" if len(results) == 1 else f"its {what} {returned.name}"
            raise UnsupportedNetwork(_differs(graph.name, where, difference, images))
        worst = max(worst, difference)
    return worst


def _alone(graph: Graph, node: Node, images: Array, wanted: Mapping[str, Array]) -> Array:
    """What a node makes of the maps of the original; those it does not tell are computed of the others."""
    if node.kind is OpKind.INPUT:
        return images
    read = (
        np.float32(wanted[name]).reshape(-1, *graph[name].shape)
        if name in wanted
        else _alone(graph, graph[name], images, wanted)
        for name in node.inputs
    )
    return OPERATORS[node.kind](node, *read)


def _differs(name: str, where: str, difference: float, images: Array) -> str:
    return (
        f"{name}: the imported graph does not compute what the network computes: {where} differs by "
        f"{difference:.2g} of the largest value on images of {'x'.join(map(str, images.shape))}; "
        "build it from plain operators, the same for every image and every batch"
    )
