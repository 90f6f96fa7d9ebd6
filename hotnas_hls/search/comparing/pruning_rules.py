"""Patterns and channels by what they do to a layer's sums, beside those by the size of the weights they keep.

The subject is that of the ablation, with 8-bit activations and weights. All its 3x3 layers but the first are
pruned to patterns that pairs of channels share, or every layer loses channels that one other alone reads.
Nothing is trained; then its integers are fitted, or not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import torch

from hotnas_hls.explore.integer_layers import IntegerFormat
from hotnas_hls.models.channel_cut import Readers
from hotnas_hls.models.compression import Compression, PatternChoice
from hotnas_hls.models.edits import compress, editable
from hotnas_hls.models.pattern_pruning import Products
from hotnas_hls.models.train import one_thread
from hotnas_hls.network.graph import OpKind
from hotnas_hls.search.comparing.ablation import BLEND, REFIT_IMAGES, VALIDATION_IMAGES
from hotnas_hls.search.fitting.integer import integer_accuracy, quantised_network
from hotnas_hls.search.problem import Problem

ZEROS = (3, 4, 5, 6)
ROWS = 2
EIGHTHS_CUT = (1, 2, 4)  # of the channels
RULES = ("by size", "by effect")


def measure(
    problem: Problem,
    zeros: tuple[int, ...] = ZEROS,
    eighths: tuple[int, ...] = EIGHTHS_CUT,
    images: int = VALIDATION_IMAGES,
) -> dict[str, dict[str, float]]:
    """Validation accuracy by what is pruned and rule, before and after fitting."""
    validation = problem.dataset.validation.first(images).blended(BLEND)
    known = (
        (by_size(problem.products), unread(problem.readers)),
        (problem.products, problem.readers),
    )
    found: dict[str, dict[str, float]] = {}
    with one_thread():
        for what, edits in _edits(problem, zeros, eighths):
            whole = replace(edits, patterns={})
            for rule, seen in zip(RULES, known, strict=True):
                model = compress(problem.start, problem.graph, edits, *seen).eval()
                wanted = compress(problem.start, problem.graph, whole, *seen).eval()
                forms = (IntegerFormat(8, 8, refit_images=some) for some in (0, REFIT_IMAGES))
                accuracies = (
                    integer_accuracy(quantised_network(problem, model, edits, form, wanted), validation)
                    for form in forms
                )
                found[f"{what}, {rule}"] = dict(zip(("rounded", "fitted"), accuracies, strict=True))
    return found


def _edits(
    problem: Problem, zeros: tuple[int, ...], eighths: tuple[int, ...]
) -> Iterator[tuple[str, Compression]]:
    """What is pruned, and how."""
    graph = problem.graph
    layers = [node.name for node in graph if node.kind is OpKind.CONV and node.kernel == (3, 3)][1:]
    for removed in zeros:
        choice = PatternChoice(3, removed, ROWS)
        yield f"{removed} of 9 zero", Compression(patterns=dict.fromkeys(layers, choice))
    for cut in eighths:
        kept = {name: graph[name].shape[0] * (8 - cut) // 8 for name in editable(problem.model, graph).paths}
        yield f"{cut} of 8 channels cut", Compression(channels=kept)


def by_size(products: Products) -> Products:
    """Inputs alike and independent: weights differ by their size alone, and none makes up for another."""
    return {name: torch.eye(each.shape[1]).double().expand_as(each) for name, each in products.items()}


def unread(readers: Readers) -> Readers:
    """The same of what whole layers read."""
    return {
        name: replace(each, mean=torch.zeros_like(each.mean), products=torch.eye(len(each.mean)).double())
        for name, each in readers.items()
    }
