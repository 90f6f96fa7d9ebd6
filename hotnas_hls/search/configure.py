"""From a checked configuration to what the search is called with."""

from __future__ import annotations

from hotnas_hls.boards.board import Board, load_board
from hotnas_hls.explore.integer_layers import IntegerFormat
from hotnas_hls.network.fold import fold_shapes
from hotnas_hls.network.graph import Graph
from hotnas_hls.network.lower import concat_alignment, lower
from hotnas_hls.platforms.tiled_engine import EngineOptions, TiledEnginePlatform
from hotnas_hls.search.config import RunConfig
from hotnas_hls.search.fitting.finetune import Tuning
from hotnas_hls.search.fitting.integer_tuning import IntegerTuning
from hotnas_hls.search.proposing.generate import SpaceOptions
from hotnas_hls.search.running.crew import CrewOptions
from hotnas_hls.search.search import SearchOptions


def platform_of(config: RunConfig, graph: Graph, board: Board | None = None) -> TiledEnginePlatform:
    """The tiled engine on ``board`` (None: the configured one), as far as it can place the network's
    concatenations.
    """
    given = config.accelerator
    board = board or load_board(config.board)
    return TiledEnginePlatform(
        board=board,
        clock_mhz=board.clock_mhz if config.clock_mhz is None else config.clock_mhz,
        memory=config.memory,
        act_bits=config.quantisation.act_bits,
        concat_alignment=concat_alignment(lower(fold_shapes(graph))),
        options=EngineOptions(
            given.tm, given.tn, given.tr, given.tc, given.port_bits, given.dsp_limit, given.on_chip
        ),
    )


def options_of(config: RunConfig) -> SearchOptions:
    """The search's options."""
    search, quantisation = config.search, config.quantisation
    return SearchOptions(
        bound=config.bound.latency_ms,
        reduction=config.bound.reduction,
        reduction_of=config.bound.of,
        strategy=search.strategy,
        trials=search.trials,
        alpha=search.alpha,
        accuracy=search.accuracy,
        accuracy_drop=search.accuracy_drop,
        validation_images=search.validation_images,
        validation_blend=search.validation_blend,
        tuning=Tuning(search.batches, search.batch_size, search.learning_rate),
        final_epochs=search.final_epochs,
        integer_tuning=IntegerTuning(search.integer_batches, learning_rate=search.integer_learning_rate),
        space=SpaceOptions(
            weight_bits=quantisation.weight_bits,
            least_weight_bits=quantisation.least_weight_bits,
            patterns=search.patterns,
            channel_cut=search.channel_cut,
            kernel_expand=search.kernel_expand,
            hardware=search.hardware,
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
