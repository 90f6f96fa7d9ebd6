"""Patterns by what they do to a layer's sums, beside patterns by the size of the weights they keep.

The subject is that of the ablation, with 8-bit activations and weights. All its 3x3 layers but the first are
pruned to patterns that pairs of channels share, nothing is trained; then its integers are fitted, or not.
"""

from __future__ import annotations

import torch

from hotnas_hls.explore.integer_layers import IntegerFormat
from hotnas_hls.models.compression import Compression, PatternChoice
from hotnas_hls.models.edits import compress
from hotnas_hls.models.pattern_pruning import Products
from hotnas_hls.models.train import one_thread
from hotnas_hls.network.graph import OpKind
from hotnas_hls.search.comparing.ablation import BLEND, REFIT_IMAGES, VALIDATION_IMAGES
from hotnas_hls.search.fitting.integer import integer_accuracy, quantised_network
from hotnas_hls.search.problem import Problem

ZEROS = (3, 4, 5, 6)
ROWS = 2
RULES = ("by size", "by effect")


def measure(
    problem: Problem, zeros: tuple[int, ...] = ZEROS, images: int = VALIDATION_IMAGES
) -> dict[str, dict[str, float]]:
    """Validation accuracy by cells that are zero and rule, before and after fitting."""
    validation = problem.dataset.validation.first(images).blended(BLEND)
    layers = [node.name for node in problem.graph if node.kind is OpKind.CONV and node.kernel == (3, 3)][1:]
    products = dict(zip(RULES, (by_size(problem.products), problem.products), strict=True))
    found: dict[str, dict[str, float]] = {}
    with one_thread():
        for removed in zeros:
            edits = Compression(patterns=dict.fromkeys(layers, PatternChoice(3, removed, ROWS)))
            for rule, known in products.items():
                model = compress(problem.start, problem.graph, edits, known).eval()
                accuracies = (
                    integer_accuracy(
                        quantised_network(
                            problem, model, edits, IntegerFormat(8, 8, refit_images=some), problem.model
                        ),
                        validation,
                    )
                    for some in (0, REFIT_IMAGES)
                )
                found[f"{removed} of 9 zero, {rule}"] = dict(
                    zip(("rounded", "fitted"), accuracies, strict=True)
                )
    return found


def by_size(products: Products) -> Products:
    """Inputs alike and independent: weights differ by their size alone, and none makes up for another."""
    return {name: torch.eye(each.shape[1]).double().expand_as(each) for name, each in products.items()}
