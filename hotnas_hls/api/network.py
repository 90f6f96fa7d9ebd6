"""A network as an object: its graph, what it would take on a board, and the search that starts from it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hotnas_hls.accel.accelerator import Accelerator
from hotnas_hls.accel.design_point import DesignPoint
from hotnas_hls.accel.image_layout import BEST, StemChoice
from hotnas_hls.accel.memory.dram_timing import DramTiming
from hotnas_hls.accel.pixel_packing import PackingChoice
from hotnas_hls.accel.timing.memory_timing import MemoryTiming
from hotnas_hls.api.design import Design
from hotnas_hls.base.arguments import checked
from hotnas_hls.base.notebook import Shown
from hotnas_hls.base.records import read_value
from hotnas_hls.boards.board import Board, load_board
from hotnas_hls.errors import ConfigError, raise_all
from hotnas_hls.explore.arrangement import Arrangement, allowed_arrangements
from hotnas_hls.explore.model_layers import layers_of
from hotnas_hls.explore.nearest import edited_layers, fitted, nearest_accelerator
from hotnas_hls.frontends.proof import Proof
from hotnas_hls.frontends.source import LoadedModel, load_model, load_module
from hotnas_hls.models.data import shipped_weights
from hotnas_hls.network.drawing import depth, draw_graph, graph_figure, graph_record, graph_table
from hotnas_hls.network.graph import Graph
from hotnas_hls.published.design import PublishedHardware
from hotnas_hls.published.networks import module_layers
from hotnas_hls.published.spaces import with_genes

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from rich.table import Table
    from torch import nn

    from hotnas_hls.api.bottlenecks import Bottlenecks
    from hotnas_hls.api.exploration import Exploration
    from hotnas_hls.api.latency import Built, Latency
    from hotnas_hls.api.run import Run, Trial
    from hotnas_hls.models.data import Dataset

DEFAULT_BOARD = "ZCU102"
DEEPEST_SHOWN = 60  # operators on the longest way


@dataclass(frozen=True, eq=False, repr=False)
class Network(Shown):
    """A network whose import is proven: every map of its graph is what the original computes."""

    name: str
    loaded: LoadedModel

    @property
    def graph(self) -> Graph:
        """Its operators, with their shapes (channels, rows, columns)."""
        return self.loaded.graph

    @property
    def module(self) -> nn.Module | None:
        """The torch module in inference mode, on the CPU, in float32; None for an ONNX file."""
        return self.loaded.module

    @property
    def proof(self) -> Proof | None:
        """How far graph and original agree."""
        return self.loaded.proof

    def tables(self) -> Sequence[Table]:
        """A line an operator."""
        return (graph_table(self.graph),)

    def notes(self) -> list[str]:
        """The proof, and what is left to the host."""
        host = [str(self.graph.host)] if self.graph.host.is_some else []
        return [*([] if self.proof is None else [str(self.proof)]), *host]

    def figure(self) -> Figure | None:
        """The graph, drawn; None where it is too deep to be looked at beside its table (see draw)."""
        return graph_figure(self.graph) if depth(self.graph) <= DEEPEST_SHOWN else None

    @checked
    def draw(self, path: str | Path) -> None:
        """Draw the graph into an .svg, .png or .pdf file; ConfigError for a place that cannot be."""
        draw_graph(self.graph, path)

    def record(self) -> dict[str, Any]:
        """Every operator as plain values, for JSON."""
        return graph_record(self.graph)

    def refuse_unbuildable(self) -> None:
        """UnsupportedNetwork where no accelerator of this project can run it, for a reason of its shapes."""
        allowed_arrangements(self.graph)

    @checked
    def latency(
        self,
        on: Design | Accelerator | PublishedHardware,
        board: str | Path | Board = DEFAULT_BOARD,
        *,
        keep_depth: bool = False,
        genes: Sequence[int] | None = None,
        clock_mhz: float | None = None,
        dram: str | DramTiming | None = "own",
        read_latency: int | None = None,
        stem: StemChoice = BEST,
        packed_resolutions: PackingChoice = BEST,
    ) -> Latency:
        """Its latency, uncompressed, on the accelerator of a design, or on one that ``board`` must hold.

        on: an accelerator gets buffers that fit the network (keep_depth: its own IFM depth); of a published
        engine the nearest accelerator that can be built is taken, after ``genes``, a DNA of the network's
        published search space.
        clock_mhz: None for the design's, or the board's. dram: what lies behind the ports, by name; "own" is
        the board's, None an ideal memory. read_latency: of that, in cycles. stem, packed_resolutions: how the
        network is laid; "best" is as is fastest.
        Raises InfeasibleDesign where the accelerator cannot run it or the board not hold it, ConfigError for
        values that cannot be.
        """
        from hotnas_hls.api.latency import LatencyOptions, latency_of_network

        options = LatencyOptions(clock_mhz, dram, read_latency)
        raise_all(ConfigError, "these options cannot be:", options.violations())
        if isinstance(on, Design):
            target, build = on.point.board, on_design(self.graph, on.point)
            clock, memory = on.point.clock_mhz, on.point.memory
        elif isinstance(on, Accelerator):
            target = load_board(board)
            build = on_accelerator(self.graph, on, target, clock_mhz, keep_depth)
            clock, memory = target.clock_mhz, MemoryTiming()
        else:
            target = load_board(board)
            build = on_nearest(self, on, target, genes)
            clock, memory = target.clock_mhz, MemoryTiming()
        if genes is not None and not isinstance(on, PublishedHardware):
            raise ConfigError("genes go with PublishedHardware: port genes change the published ports")
        behind = options.dram_behind(target.dram, target.name)
        return latency_of_network(
            self.graph, build, clock_mhz or clock, options.ideal(memory), behind, stem, packed_resolutions
        )

    @checked
    def explore(
        self,
        board: str | Path | Board = DEFAULT_BOARD,
        *,
        dram: str | DramTiming | None = "own",
        **options: Any,
    ) -> Exploration:
        """Decide every design of the uncompressed network on a board; the fastest, and the Pareto front.

        dram: what lies behind the ports, as of :meth:`latency`. options: fields of
        :class:`~hotnas_hls.api.exploration.ExploreOptions`, such as ``act_bits``, ``array``, ``on_chip``.
        Raises ConfigError for options that cannot be, InfeasibleDesign where nothing fits.
        """
        from hotnas_hls.api.exploration import ExploreOptions, explore_designs
        from hotnas_hls.api.latency import LatencyOptions

        target = load_board(board)
        problems: list[str] = []
        asked = read_value(ExploreOptions, options, "", problems)
        problems += asked.violations() if asked is not None else []
        raise_all(ConfigError, "these options cannot be:", problems)
        assert asked is not None
        behind = LatencyOptions(dram=dram).dram_behind(target.dram, target.name)
        return explore_designs(self.graph, target, behind, asked)

    @checked
    def bottlenecks(
        self,
        board: str | Path | Board = DEFAULT_BOARD,
        *,
        reductions: bool = False,
        **settings: Any,
    ) -> Bottlenecks:
        """What bounds each layer on the best uncompressed design of a board, and what would help (iDetect).

        reductions: price the strongest edits of the search space as well, kind by kind.
        settings: sections of the configuration, as of :meth:`search`; what it says of bits and the
        accelerator counts here.
        """
        from hotnas_hls.api.bottlenecks import find_bottlenecks
        from hotnas_hls.api.run import configured

        config, target = configured(self.name, "", board, settings)
        return find_bottlenecks(self.loaded, config, target, reductions)

    @checked
    def search(
        self,
        data: str | Path | Dataset,
        board: str | Path | Board = DEFAULT_BOARD,
        output: str | Path = "runs/notebook",
        *,
        callback: Callable[[Trial], None] | None = None,
        study: Any = None,
        fresh: bool = False,
        more: bool = False,
        quiet: bool = False,
        **settings: Any,
    ) -> Run:
        """Search network and hardware together, from this network and its weights (the hot start).

        data: images and labels (:func:`~hotnas_hls.make_dataset`), or the name of a data set or a folder.
        output: the run's folder; a search that was interrupted goes on where it stopped, one that is finished
        is read. fresh: discard what the folder holds. more: go on with a finished one, with more trials.
        callback: is called with every finished trial. study: an Optuna study of two objectives (accuracy up,
        latency down) that keeps the trials instead of a file in the folder.
        settings: sections of the configuration by their keys, such as ``bound={"latency_ms": 0.5}``,
        ``search={"trials": 20}``, ``seed=1``.

        Raises ConfigError for settings, data or a study that do not fit, InfeasibleDesign where no design
        meets the bound, OutputRefused where another process searches in the folder, CallbackFailed where the
        callback raises: finished trials are kept, the same call goes on with them.
        """
        from hotnas_hls.api.run import Session, configured, own_data
        from hotnas_hls.search.problem import problem_of

        own = own_data(data, self.graph)
        config, target = configured(self.name, own.name, board, settings, output)
        session = Session(Path(output), target, callback, study, fresh, more, quiet)
        return session.search(lambda: problem_of(self.loaded, self.name, own, own.name), config)


@checked
def load_network(
    model: str | Path | nn.Module,
    input: Sequence[int] | None = None,
    weights: str | Path | None = None,
    name: str | None = None,
) -> Network:
    """A network: a torch module, a name of the zoo, the path of an ONNX file, or package.module:function.

    input: shape of one image, (channels, rows, columns); zoo networks and most ONNX files have their own.
    weights: a checkpoint's path; a zoo network whose weights ship has those, any other random ones.
    name: of a torch module, for files and reports (its class's by default).
    A module is copied, to the CPU and float32, and put into inference mode; yours stays as it is.
    Raises UnsupportedNetwork with every operator the accelerator does not have, CheckpointError for weights
    that do not fit, ConfigError for anything else that cannot be loaded.
    """
    network = read_network(model, input, weights, name)
    network.refuse_unbuildable()
    return network


@checked
def read_network(
    model: str | Path | nn.Module,
    input: Sequence[int] | None = None,
    weights: str | Path | None = None,
    name: str | None = None,
) -> Network:
    """As :func:`load_network`, and a network that can be read but not built is given, too."""
    shape = _shape(input)
    if isinstance(model, str | Path):
        loaded = load_model(str(model), weights or shipped_weights(str(model)), shape)
        name = str(model)
    else:
        loaded = load_module(model, shape, weights, name)
        name = loaded.graph.name
    return Network(name, loaded)


def _shape(given: Sequence[int] | None) -> tuple[int, ...] | None:
    """The shape of one image; ConfigError for one that cannot be."""
    if given is None:
        return None
    if not 1 <= len(given) <= 3 or min(given) < 1:
        raise ConfigError(f"input {given!r}: give channels, rows and columns, e.g. (3, 224, 224)")
    return tuple(int(size) for size in given)


def on_design(graph: Graph, point: DesignPoint) -> Callable[[Arrangement], Built]:
    """The network as it is laid on the accelerator of a design."""
    accel = point.accelerator
    return lambda arrangement: (layers_of(graph, 16, accel.act_bits, arrangement), accel, ())


def on_accelerator(
    graph: Graph, given: Accelerator, board: Board, clock_mhz: float | None, keeps_depth: bool = False
) -> Callable[[Arrangement], Built]:
    """The network on an accelerator whose buffers are fitted to it; keeps_depth: but for the IFM banks."""

    def build(arrangement: Arrangement) -> Built:
        model = layers_of(graph, given.weight_bits, given.act_bits, arrangement).maps_kept(given)
        accel = fitted(given, model.layers, board, clock_mhz)
        if keeps_depth:
            accel = dataclasses.replace(accel, ifm_depth=given.ifm_depth)
        return model, accel, ()

    return build


def on_nearest(
    network: Network, engine: PublishedHardware, board: Board, genes: Sequence[int] | None
) -> Callable[[Arrangement], Built]:
    """The network on the buildable accelerator that is nearest to a published engine, after ``genes``."""
    graph = network.graph

    def build(arrangement: Arrangement) -> Built:
        model, hardware = layers_of(graph, arrangement=arrangement), engine
        if genes is not None:
            before = module_layers(network.name, graph.input.shape, network.module)
            after, hardware = with_genes(network.name, genes, before, engine)
            model = dataclasses.replace(model, layers=edited_layers(model.layers, before, after))
        nearest = nearest_accelerator(hardware, model.layers, board, model.blocks)
        changes = [f"nearest accelerator to {hardware}: {change}" for change in nearest.changes]
        return model, nearest.accel, changes

    return build
