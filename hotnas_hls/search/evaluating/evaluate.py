"""Candidate to figures: the only place where accuracy meets hardware.

Hardware test first, by the true model and without touching a weight; then hot start, edits, brief
fine-tuning, statistics measured anew, and the accuracy of the *integer* network on validation.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
from torch import nn

from hotnas_hls.accel.layer import IntegerNetwork
from hotnas_hls.explore.integer_layers import IntegerFormat
from hotnas_hls.models.compression import Compression
from hotnas_hls.models.data import Split
from hotnas_hls.models.edits import copied
from hotnas_hls.models.task import Answers
from hotnas_hls.models.train import answers as float_answers
from hotnas_hls.models.train import score, tensors
from hotnas_hls.platforms.metric import Metric
from hotnas_hls.platforms.platform import Cost, Platform, measured
from hotnas_hls.platforms.space import Candidate, SearchSpace
from hotnas_hls.search.evaluating.outcome import Evaluation, HardwareTest
from hotnas_hls.search.evaluating.stopping import CHECK_IMAGES, CHECKS, UNLIMITED, Limits, verdict
from hotnas_hls.search.fitting.finetune import Tuning, finetune, recalibrate_batchnorm
from hotnas_hls.search.fitting.integer import answers, integer_accuracy, integer_variation, quantised_network
from hotnas_hls.search.fitting.integer_tuning import UNTUNED, IntegerTuning, tune_integers
from hotnas_hls.search.problem import Problem
from hotnas_hls.search.proposing.generate import choices_of, compression_of


def _unwatched(model: nn.Module, done: int, total: int) -> None:
    pass


@dataclass(frozen=True, eq=False)
class Evaluator:
    """The :class:`~hotnas_hls.search.running.study.Objective` of a search."""

    problem: Problem
    platform: Platform
    space: SearchSpace
    bound: float | None  # on the objective
    tuning: Tuning
    format: IntegerFormat
    validation: Split  # what candidates are compared on, labelled
    seed: int
    bounds: tuple[tuple[Metric, float], ...] = ()  # on other metrics
    chips: int = 0  # that an accuracy is the mean of; 0: of the exact integers
    looks: bool = False  # look at candidates while they are fine-tuned, to stop hopeless ones

    def hardware_test(self, candidate: Candidate) -> HardwareTest:
        """Price a candidate; why it must not be trained, if it must not."""
        layers = self.layers(compression_of(candidate, self.space))
        design = self.platform.design(layers, choices_of(candidate, self.space))
        objective = self.platform.objective.name
        broken = self.platform.violations(layers, design)
        if broken:
            return HardwareTest({}, objective, tuple(broken), {"resources": float(len(broken))})
        cost = self.platform.cost(layers, design)
        if self.bound is None or cost.value <= self.bound:  # else it is too slow at best
            cost = measured(self.platform, layers, design)
        return self._bounded(cost)

    def layers(self, compression: Compression) -> tuple[Any, ...]:
        """What the platform would run, exactly."""
        return self.platform.layers(self.problem.graph, self.format, compression)

    def _bounded(self, cost: Cost) -> HardwareTest:
        excess = {"resources": 0.0}
        refusals = []
        objective = () if self.bound is None else ((cost.objective, self.bound),)
        for metric, bound in (*objective, *self.bounds):
            value = cost.metrics[metric.name]
            excess[metric.word] = metric.excess(value, bound)
            if excess[metric.word] > 0:
                misses = "is below" if metric.more_is_better else "exceeds"
                refusals.append(f"{metric.word} {metric.text(value)} {misses} the bound {metric.text(bound)}")
        return HardwareTest(cost.metrics, cost.objective.name, tuple(refusals), excess)

    def network_key(self, candidate: Candidate) -> str:
        """The candidate without its hardware, which accuracy does not depend on."""
        return json.dumps(compression_of(candidate, self.space).record(), sort_keys=True)

    def evaluate(self, candidate: Candidate, limits: Limits = UNLIMITED) -> Evaluation:
        """Validation accuracy of the candidate's integer network after brief fine-tuning."""
        compression = compression_of(candidate, self.space)
        watch = _Watch(self, limits)
        try:
            model = self.tuned(compression, self.tuning, watch if self.looks else _unwatched)
        except _Hopeless as reason:
            return Evaluation(None, tuple(watch.checks), str(reason))
        network = self.quantised_network(model, compression, self.tuning)
        if self.chips:
            return Evaluation(self.accuracy(network, compression), tuple(watch.checks))
        found = answers(network, self.validation.images)
        accuracy = self.problem.task.score(found, tensors(self.validation)[1])
        return Evaluation(accuracy, tuple(watch.checks), divergence=self._divergence(found))

    def accuracy(self, network: IntegerNetwork, compression: Compression) -> float:
        """On validation, as candidates are compared."""
        if not self.chips:
            return integer_accuracy(network, self.validation, self.problem.task)
        layers = self.layers(compression)
        varied = integer_variation(
            network, self.platform, layers, self.validation, self.seed, self.chips, self.problem.task
        )
        assert varied is not None, "its devices do not vary"
        return varied.mean

    @cached_property
    def _taught(self) -> Answers | None:
        """The pre-trained network's answers to the validation images."""
        teacher = self.problem.teacher
        return None if teacher is None else float_answers(teacher, self.validation.images)

    def _divergence(self, found: Answers) -> float | None:
        """Of answers from the pre-trained network's, in as many digits as do not depend on threads."""
        if self._taught is None:
            return None
        return round(float(self.problem.task.divergence(found, self._taught)), 5)

    def tuned(
        self,
        compression: Compression,
        tuning: Tuning,
        watch: Callable[[nn.Module, int, int], None] = _unwatched,
    ) -> nn.Module:
        """The edited network, fine-tuned from the weights the search starts from.

        watch: called with the network, the batches done and all of them, before the first and after each.
        """
        model = self.problem.compressed(compression)
        if not _trains(tuning, compression):
            return model.eval()
        watch(model, 0, tuning.batches or 0)
        finetune(model, self.problem.teacher, self.problem.dataset, tuning, self.seed, partial(watch, model))
        return model

    def quantised_network(
        self,
        model: nn.Module,
        compression: Compression,
        trained: Tuning,
        tuning: IntegerTuning = UNTUNED,
        progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> IntegerNetwork:
        """The integers of a network that ``trained`` tuned; fitted, then fine-tuned by ``tuning``.

        They are fitted to the network as it was trained; where nothing was, to the one that was edited.
        Pixels are not packed.
        """
        problem, wanted = self.problem, model
        if not _trains(trained, compression):
            shape = dataclasses.replace(compression, patterns={}, weight_bits={}, act_bits={})
            wanted = problem.compressed(shape).eval()

        def tune(net: IntegerNetwork, layers: Collection[str]) -> IntegerNetwork:
            return tune_integers(net, layers, problem.teacher, problem.dataset, tuning, self.seed, progress)

        return quantised_network(problem, model, compression, self.format, wanted, tune)


def _trains(tuning: Tuning, compression: Compression) -> bool:
    """Whether ``tuning`` changes a network; of cut skips, it measures statistics at least."""
    return tuning.batches != 0 or bool(compression.skips_cut)


class _Hopeless(Exception):
    """Training stopped; says why."""


class _Watch:
    """Looks at a network while it is fine-tuned; raises _Hopeless where it is below its limit.

    The looks are taken on a copy with statistics of its own: a candidate that goes on ends as it would have
    without them.
    """

    def __init__(self, evaluator: Evaluator, limits: Limits) -> None:
        self.evaluator, self.limits = evaluator, limits
        self.checks: list[float] = []

    def __call__(self, model: nn.Module, done: int, total: int) -> None:
        look = len(self.checks)
        if look == len(CHECKS) or done < CHECKS[look] * total:
            return
        self.checks.append(self._accuracy(model))
        hopeless = verdict(look, self.checks[-1], self.limits)
        if hopeless:
            raise _Hopeless(hopeless)

    def _accuracy(self, model: nn.Module) -> float:
        """Accuracy of the float network on part of the validation images."""
        twin = copied(model)
        train, some = self.evaluator.problem.dataset.train, self.evaluator.validation.first(CHECK_IMAGES)
        recalibrate_batchnorm(twin, train, self.evaluator.tuning, np.random.default_rng(self.evaluator.seed))
        return score(twin, some, self.evaluator.problem.task)


def epoch(tuning: Tuning, epochs: int, images: int) -> Tuning:
    """``tuning`` for whole epochs over ``images`` images."""
    return dataclasses.replace(tuning, batches=epochs * max(1, -(-images // tuning.batch_size)))
