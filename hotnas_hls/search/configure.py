"""From a checked configuration to what the search is called with."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from hotnas_hls.boards.board import Board
from hotnas_hls.explore.integer_layers import IntegerFormat
from hotnas_hls.frontends.source import load_model
from hotnas_hls.network.graph import Graph
from hotnas_hls.platforms.platform import Platform
from hotnas_hls.platforms.registry import make_platform, platform_class
from hotnas_hls.platforms.request import PlatformRequest
from hotnas_hls.search.config import RunConfig
from hotnas_hls.search.fitting.finetune import Tuning
from hotnas_hls.search.fitting.integer_tuning import IntegerTuning
from hotnas_hls.search.proposing.generate import SpaceOptions
from hotnas_hls.search.running.crew import CrewOptions
from hotnas_hls.search.search import SearchOptions


def platform_of(config: RunConfig, graph: Graph, board: Board | None = None) -> Platform[Any]:
    """The platform of a configuration for a network, on ``board`` (None: the configured one, if any).

    ConfigError for a platform, an objective or constants that there are not, and for a board that lacks.
    """
    request = PlatformRequest(
        graph,
        board or config.load_board(),
        config.clock_mhz,
        config.memory,
        config.quantisation.act_bits,
        {field.name: getattr(config.accelerator, field.name) for field in fields(config.accelerator)},
        config.technology,
        config.objective,
        tuple(load_model(name, None, None).graph for name in config.beside),
    )
    return make_platform(config.platform, request)


def options_of(config: RunConfig) -> SearchOptions:
    """The search's options; ConfigError for a platform or a metric that there is not."""
    metrics = platform_class(config.platform).metrics
    objective = config.objective or metrics[0].name
    bounds = dict(config.bound.by_metric)
    search, quantisation = config.search, config.quantisation
    return SearchOptions(
        bound=bounds.pop(objective, None),
        bounds=tuple((metric, bounds[metric.name]) for metric in metrics if metric.name in bounds),
        reduction=config.bound.reduction,
        reduction_of=config.bound.of,
        strategy=search.strategy,
        trials=search.trials,
        alpha=search.alpha,
        accuracy=search.accuracy,
        accuracy_drop=search.accuracy_drop,
        chips=search.chips,
        varied_accuracy=config.bound.varied_accuracy,
        validation_images=search.validation_images,
        validation_blend=search.validation_blend,
        tuning=Tuning(search.batches, search.batch_size, search.learning_rate),
        final_epochs=search.final_epochs,
        integer_tuning=IntegerTuning(
            search.integer_epochs, search.integer_batches, learning_rate=search.integer_learning_rate
        ),
        space=SpaceOptions(
            weight_bits=quantisation.weight_bits,
            least_weight_bits=quantisation.least_weight_bits,
            act_bits=quantisation.act_bits,
            least_act_bits=quantisation.least_act_bits,
            patterns=search.patterns,
            channel_cut=search.channel_cut,
            kernel_expand=search.kernel_expand,
            skip_cut=search.skip_cut,
            hardware=search.hardware,
            robust=search.chips > 0 and search.batches > 0,
        ),
        format=IntegerFormat(quantisation.act_bits, quantisation.weight_bits),
        time_limit_s=search.time_limit_s,
        early_stopping=search.early_stopping,
        cold=search.cold,
        crew=CrewOptions(search.workers, search.ray, search.trial_cpus, search.trial_gpus),
        seed=config.seed,
        stem=config.accelerator.stem,
        packed=config.accelerator.packed_resolutions,
        config=config.record(),
    )
