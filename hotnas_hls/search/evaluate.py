"""Candidate to figures: the only place where accuracy meets hardware.

Hardware test first, by the true model and without touching a weight; then hot start, edits, brief
fine-tuning, statistics measured anew, and the accuracy of the *integer* network on validation.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from hotnas_hls.accel.layer import IntegerNetwork, Layer
from hotnas_hls.models.compression import Compression
from hotnas_hls.models.data import Split
from hotnas_hls.models.edits import compress
from hotnas_hls.search.finetune import Tuning, finetune
from hotnas_hls.search.generate import choices_of, compression_of
from hotnas_hls.search.integer import IntegerFormat, integer_accuracy, integer_network, lowered_layers
from hotnas_hls.search.platform import Platform
from hotnas_hls.search.problem import Problem
from hotnas_hls.search.space import Candidate, SearchSpace
from hotnas_hls.search.study import HardwareTest


@dataclass(frozen=True, eq=False)
class Evaluator:
    """The :class:`~hotnas_hls.search.study.Objective` of a search."""

    problem: Problem
    platform: Platform
    space: SearchSpace
    bound_ms: float | None
    tuning: Tuning
    format: IntegerFormat
    validation: Split  # what candidates are compared on
    seed: int

    def hardware_test(self, candidate: Candidate) -> HardwareTest:
        """Price a candidate; why it must not be trained, if it must not."""
        layers = self.layers(compression_of(candidate, self.space))
        design = self.platform.design(layers, choices_of(candidate, self.space))
        broken = self.platform.violations(layers, design)
        if broken:
            return HardwareTest(None, None, tuple(broken), {"resources": float(len(broken))})
        cost = self.platform.cost(layers, design)
        return self._bounded(cost.latency_ms, cost.total)

    def layers(self, compression: Compression) -> tuple[Layer, ...]:
        """What the accelerator would run, exactly."""
        return lowered_layers(self.problem.graph, self.format, compression)

    def _bounded(self, latency_ms: float, total: float) -> HardwareTest:
        excess = {"resources": 0.0}
        refusals: tuple[str, ...] = ()
        if self.bound_ms is not None:
            excess["latency"] = latency_ms / self.bound_ms - 1
            if latency_ms > self.bound_ms:
                refusals = (f"latency {latency_ms:.4g} ms exceeds the bound {self.bound_ms:.4g} ms",)
        return HardwareTest(latency_ms, total, refusals, excess)

    def network_key(self, candidate: Candidate) -> str:
        """The candidate without its hardware, which accuracy does not depend on."""
        return json.dumps(compression_of(candidate, self.space).record(), sort_keys=True)

    def accuracy(self, candidate: Candidate) -> float:
        """Validation accuracy of the candidate's integer network after brief fine-tuning."""
        compression = compression_of(candidate, self.space)
        network = self.integer_network(self.tuned(compression, self.tuning), compression)
        return integer_accuracy(network, self.validation)

    def tuned(
        self,
        compression: Compression,
        tuning: Tuning,
        progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> nn.Module:
        """The edited network, fine-tuned from the pre-trained weights."""
        model = compress(self.problem.model, self.problem.graph, compression)
        finetune(model, self.problem.model, self.problem.dataset, tuning, self.seed, progress)
        return model

    def integer_network(self, model: nn.Module, compression: Compression) -> IntegerNetwork:
        """The integers the accelerator runs for an edited network."""
        return integer_network(self.problem, model, compression, self.format)


def epoch(tuning: Tuning, epochs: int, images: int) -> Tuning:
    """``tuning`` for whole epochs over ``images`` images."""
    return dataclasses.replace(tuning, batches=epochs * max(1, -(-images // tuning.batch_size)))
