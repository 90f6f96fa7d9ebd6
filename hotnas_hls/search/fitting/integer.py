"""An edited torch network as the integers the accelerator runs, and how accurate those are."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from hotnas_hls.accel.integers.reference_batch import outputs
from hotnas_hls.accel.layer import IntegerNetwork
from hotnas_hls.accel.weights_file import Golden
from hotnas_hls.explore.integer_layers import IntegerFormat, default_widths
from hotnas_hls.frontends.trace import trace_twin
from hotnas_hls.models.compression import Compression
from hotnas_hls.models.data import Split
from hotnas_hls.models.edits import pattern_masks
from hotnas_hls.models.integer_module import IntegerModule, is_exact
from hotnas_hls.models.task import CLASSES, Answers, Task
from hotnas_hls.models.train import tensors
from hotnas_hls.network.fidelity import Fidelity, fidelity
from hotnas_hls.network.fold import fold_batchnorm
from hotnas_hls.network.graph import Graph
from hotnas_hls.network.lowered import LoweredNetwork, Weights
from hotnas_hls.network.quantise import dequantise, quantise, quantise_image
from hotnas_hls.platforms.platform import Platform, Varies
from hotnas_hls.platforms.variation import DRAWS, IMAGES, Varied
from hotnas_hls.search.fitting.refit import Reals, refit
from hotnas_hls.search.problem import Problem

FIDELITY_IMAGES = 32  # of the training images
TRAINED = (Weights.NODE, Weights.BATCHNORM)


Tune = Callable[[IntegerNetwork, Collection[str]], IntegerNetwork]  # ..., names of the layers to train


def integer_network(
    problem: Problem,
    model: nn.Module,
    compression: Compression,
    form: IntegerFormat,
    wanted: nn.Module | None = None,
    tune: Tune | None = None,
) -> IntegerNetwork:
    """The integers of an edited network as the accelerator runs them; arguments as quantised_network."""
    return form.arrangement.network(quantised_network(problem, model, compression, form, wanted, tune))


def quantised_network(
    problem: Problem,
    model: nn.Module,
    compression: Compression,
    form: IntegerFormat,
    wanted: nn.Module | None = None,
    tune: Tune | None = None,
) -> IntegerNetwork:
    """The same before its pixels are packed: it computes the same integers, here in less time.

    wanted: the network its integers are fitted to, of the same shapes; ``model`` itself where none is given.
    tune: fine-tunes them afterwards.
    """
    graph, lowered = _lowered(problem, model, form)
    images = problem.dataset.train.images
    spread = _spread(len(images), form.calibration_images)
    widths = default_widths(lowered.layers, form) | dict(compression.weight_bits)
    masks, read_bits = pattern_masks(model), compression.act_bits
    network = quantise(graph, lowered, images[spread], form.act_bits, widths, masks, form.clip, read_bits)
    network = _sharing_patterns(network, compression)
    if form.refit_images:
        reals = real_weights(problem, wanted, form) if wanted else _parameters(graph, lowered)
        network = refit(network, reals, images[: form.refit_images])
    return tune(network, _parameters(graph, lowered)) if tune else network


def measured_fidelity(problem: Problem, form: IntegerFormat) -> Fidelity:
    """How far the integers of the uncompressed network are from its floats, before they are fitted."""
    graph, _ = _lowered(problem, problem.model, form)
    unfitted = dataclasses.replace(form, refit_images=0)
    network = quantised_network(problem, problem.model, Compression(), unfitted)
    images = problem.dataset.train.images
    return fidelity(graph, network, images[_spread(len(images), FIDELITY_IMAGES)])


def _spread(images: int, count: int) -> np.ndarray:
    """Indices of up to ``count`` of ``images`` images, from the first to the last."""
    return np.linspace(0, images - 1, min(count, images)).astype(int)


def real_weights(problem: Problem, model: nn.Module, form: IntegerFormat) -> Reals:
    """Weights and bias of the layers of a network that have some of their own, batch norms folded in."""
    return _parameters(*_lowered(problem, model, form))


def _lowered(problem: Problem, model: nn.Module, form: IntegerFormat) -> tuple[Graph, LoweredNetwork]:
    """The graph of a network, batch norms folded, and its layers."""
    graph = fold_batchnorm(trace_twin(problem.graph, model, problem.name))
    return graph, form.arrangement.lower(graph, form.weight_bits)


def _parameters(graph: Graph, lowered: LoweredNetwork) -> Reals:
    """Real weights and bias of the layers that have some of their own."""
    of = (item for item in lowered.layers if item.weights in TRAINED)
    return {item.layer.name: item.parameters(graph) for item in of}


def _sharing_patterns(network: IntegerNetwork, compression: Compression) -> IntegerNetwork:
    """``network`` with the channels in a row that were made to share patterns; more may do by chance."""
    layers = tuple(
        dataclasses.replace(layer, pattern_rows=compression.patterns[layer.name].rows)
        if layer.name in compression.patterns
        else layer
        for layer in network.layers
    )
    return dataclasses.replace(network, layers=layers)


def integer_accuracy(network: IntegerNetwork, split: Split, task: Task = CLASSES) -> float:
    """What the answers to labelled images are worth, 0 to 1: the share classified right, for one."""
    return task.score(answers(network, split.images), tensors(split)[1])


def integer_variation(
    network: IntegerNetwork,
    platform: Platform[Any],
    layers: Sequence[Any],
    split: Split,
    seed: int,
    chips: int | None = None,
    task: Task = CLASSES,
) -> Varied | None:
    """Accuracy of a network, of workload ``layers``, where devices vary; None where they do not.

    chips: drawn by the seed; None: as many as a result is told of.
    """
    if not isinstance(platform, Varies):
        return None
    images, labels = tensors(split.first(IMAGES))
    integers = quantise_image(network, images.numpy())

    def worth(chip: IntegerNetwork) -> float:
        return task.score(_real(chip, outputs(chip, integers)), labels)

    return platform.varied(network, layers, worth, len(images), seed, chips or DRAWS)


def answers(network: IntegerNetwork, images: np.ndarray) -> Answers:
    """Outputs of the integer network, in real numbers: by torch where it is exact, else the reference."""
    if is_exact(network):
        return IntegerModule(network).answers(images)
    return _real(network, outputs(network, quantise_image(network, images)))


def _real(network: IntegerNetwork, integers: Mapping[str, np.ndarray]) -> Answers:
    """The maps that the host reads, in real numbers."""
    return tuple(torch.from_numpy(dequantise(network, name, integers[name])) for name in network.host.maps)


def golden(network: IntegerNetwork, split: Split, count: int) -> Golden:
    """The first images as the accelerator reads them, for the test benches, and their classes."""
    some = split.first(count)
    return Golden(quantise_image(network, some.images), some.classes)
