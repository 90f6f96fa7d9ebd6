"""A network by what a user calls it: a zoo name, an ONNX file, or a function that makes a torch module."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from hotnas_hls.accel.host_work import HostWork
from hotnas_hls.base.names import article, nearest
from hotnas_hls.errors import ConfigError, ToolNotFound
from hotnas_hls.frontends.proof import Original, Proof, prove
from hotnas_hls.network.fold import fold_affine, fold_shapes
from hotnas_hls.network.graph import Graph
from hotnas_hls.network.lower import lower

if TYPE_CHECKING:
    from torch import nn

FORMS = "a zoo name, a path ending in .onnx, or package.module:function"
NO_SHAPE = (
    "its input shape is not known; give channels, rows and columns, e.g. --input 3x224x224 or "
    "input=(3, 224, 224)"
)


class LoadedModel(NamedTuple):
    """The torch module in inference mode (None for an ONNX file), its graph, and how far the two agree."""

    module: nn.Module | None
    graph: Graph
    proof: Proof | None  # None: not asked for
    original: Original  # what the graph was read from

    def trainable(self) -> LoadedModel:
        """The same with a module that reads prepared images and gives logits, as the accelerator does.

        Of an ONNX file, without integers that it brings, and of a module in which work of the host is, or
        that gives a map twice, it is one of our own operators, proven against what the graph was read from.
        UnsupportedNetwork where the two do not agree.
        """
        host = self.graph.host
        if self.module is not None and not host.is_some and len(host.maps) == len(host.outputs):
            return self
        from hotnas_hls.frontends.onnx_import import OnnxModel
        from hotnas_hls.frontends.trace import trace_twin
        from hotnas_hls.models.graph_module import GraphModule

        read, original = self.graph, self.original
        if isinstance(original, OnnxModel):
            original = original.floats()
            read = original.graph
        module = GraphModule(fold_affine(read)).eval()
        graph = trace_twin(read, module)
        proof = prove(graph, _Remade(original, module, graph.host))
        return LoadedModel(module, graph, proof, original)


class _Remade:
    """A module of our own operators as an original: its maps, and what the network it was made of gives."""

    def __init__(self, original: Original, module: nn.Module, host: HostWork) -> None:
        from hotnas_hls.frontends.trace import TracedModule

        self.original, self.host, self.module = original, host, TracedModule(module)
        self.fixed_batch, self.note = original.fixed_batch, original.note

    def outputs(self, images: np.ndarray) -> list[np.ndarray]:
        """What the network gives that it was made of."""
        return self.original.outputs(images)

    def maps(self, images: np.ndarray) -> Mapping[str, np.ndarray]:
        """What the module computes for every node."""
        return self.module.maps(self.host.prepared(images).astype(np.float32))


def load_model(
    spec: str,
    weights: str | Path | None = None,
    input_shape: tuple[int, ...] | None = None,
    proven: bool = True,
) -> LoadedModel:
    """The network that ``spec`` names, with ``weights`` if given (random otherwise), and its proven graph.

    ``input_shape`` is (channels, rows, columns), (channels, columns) or (features,), as the network reads it;
    zoo networks and most ONNX files have one of their own.
    Without ``proven`` the graph is as it was read: for shapes of zoo networks, whose imports tests prove.
    A module computes in float32 afterwards, whatever it was made in. ConfigError for a spec that names
    nothing; also whatever loading weights, tracing, lowering and the proof raise.
    """
    if spec.endswith(".onnx"):
        return _onnx_model(spec, weights, input_shape, proven)
    try:
        from hotnas_hls.models import zoo
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise ToolNotFound(f"{spec}: it needs torch; run: pip install 'hotnas-hls[search]'") from error
    if ":" in spec:
        module, name = _from_function(spec), spec.partition(":")[2]
        if input_shape is None:
            raise ConfigError(f"{spec}: {NO_SHAPE}")
    elif spec in zoo.ZOO:
        module, name = zoo.build(spec), spec
        input_shape = input_shape or zoo.ZOO[spec].input_shape
    else:
        hint = nearest(spec, zoo.ZOO)
        raise ConfigError(
            f"{spec}: no such network; {hint}expected {FORMS}; the zoo has: {', '.join(sorted(zoo.ZOO))}"
        )
    return _traced(module, name, input_shape, weights, proven)


def load_module(
    module: object,
    input_shape: tuple[int, ...] | None,
    weights: str | Path | None = None,
    name: str | None = None,
) -> LoadedModel:
    """A torch module of the caller's and its proven graph; it is copied, the caller's stays as it is.

    ConfigError for what is no module, or cannot be copied to the CPU; and as :func:`load_model`.
    """
    kind = type(module).__name__
    try:
        from torch import nn

        from hotnas_hls.models.edits import copied
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise ToolNotFound(f"{kind}: it needs torch; run: pip install 'hotnas-hls[search]'") from error
    if not isinstance(module, nn.Module):
        raise ConfigError(f"a network is a torch.nn.Module, {FORMS}; not {article(kind)}")
    if input_shape is None:
        raise ConfigError(f"{name or kind}: {NO_SHAPE}")
    try:
        own = copied(module).cpu()
    except Exception as error:  # whatever a user's module raises
        raise ConfigError(
            f"{name or kind}: cannot be copied to the CPU ({type(error).__name__}: {error}); a network needs "
            "weights that are there"
        ) from error
    return _traced(own, name or kind, input_shape, weights, proven=True)


def _traced(
    module: nn.Module, name: str, input_shape: tuple[int, ...], weights: str | Path | None, proven: bool
) -> LoadedModel:
    """The graph of a module with its weights, in inference mode and float32."""
    from hotnas_hls.frontends import checkpoint, trace

    if weights is not None:
        checkpoint.load_weights(module, weights)
    graph = trace.trace(module.float().eval(), input_shape, name)
    lower(fold_shapes(graph))  # what no later command could run is refused here
    original = trace.TracedModule(module, input_shape)
    return LoadedModel(module, graph, prove(graph, original) if proven else None, original)


def _onnx_model(
    spec: str, weights: str | Path | None, input_shape: tuple[int, ...] | None, proven: bool
) -> LoadedModel:
    from hotnas_hls.frontends.onnx_import import OnnxModel

    if weights is not None:
        raise ConfigError(f"{spec}: an ONNX file carries its own weights; leave {weights} out")
    model = OnnxModel(spec, input_shape)
    lower(fold_shapes(model.graph))
    proof = prove(model.graph, model) if proven else None
    return LoadedModel(None, model.graph, proof, model)


def _from_function(spec: str) -> nn.Module:
    """What the function of ``package.module:function`` returns, called without arguments."""
    from torch import nn

    package, _, function = spec.partition(":")
    if package.endswith(".py") or not all(part.isidentifier() for part in (*package.split("."), function)):
        raise ConfigError(f"{spec}: not package.module:function; write the module with dots and without .py")
    with _working_folder_importable():
        try:
            module = importlib.import_module(package)
        except ModuleNotFoundError as error:
            raise ConfigError(
                f"{spec}: no module {error.name}; run from the folder that holds it, or install it"
            ) from error
        except Exception as error:  # whatever a user's module raises
            raise ConfigError(
                f"{spec}: importing {package} failed ({type(error).__name__}: {error})"
            ) from error
        if not callable(getattr(module, function, None)):
            raise ConfigError(f"{spec}: {package} has no function {function}")
        try:
            network = getattr(module, function)()
        except Exception as error:  # whatever a user's function raises
            raise ConfigError(
                f"{spec}: calling {function}() failed ({type(error).__name__}: {error}); "
                "it must work without arguments"
            ) from error
    if not isinstance(network, nn.Module):
        raise ConfigError(f"{spec}: {function}() returned {type(network).__name__}, not a torch.nn.Module")
    return network


@contextmanager
def _working_folder_importable() -> Iterator[None]:
    """An installed command does not search the working folder; python -m does."""
    folder = str(Path.cwd())
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        sys.path.remove(folder)
