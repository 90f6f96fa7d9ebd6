"""ONNX file to network graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property, partial
from inspect import signature
from pathlib import Path
from typing import Any

import numpy as np

from hotnas_hls.errors import ConfigError, ToolNotFound, UnsupportedNetwork
from hotnas_hls.frontends.agreement import agreement
from hotnas_hls.frontends.draft import Draft
from hotnas_hls.frontends.onnx_file import OWN_DOMAINS, dotted, first_line, inferred, loaded, opset_of
from hotnas_hls.frontends.onnx_operators import HANDLERS
from hotnas_hls.frontends.qonnx import standard
from hotnas_hls.frontends.quantised_files import unrounded
from hotnas_hls.frontends.refusal import Refused, no_operator
from hotnas_hls.frontends.tensor import Value
from hotnas_hls.network.graph import Graph
from hotnas_hls.network.own_integers import own_integers

try:
    import onnx
    import onnxruntime
    from onnx import numpy_helper
    from onnx.reference import ReferenceEvaluator
except ImportError:  # an optional extra
    onnx = None  # type: ignore[assignment]

FREE_BATCH = 2  # for a batch size that the file leaves open; not 1, to notice operators that mix images
OWN_IMAGES = 8  # on which integers that a file brings are compared with onnxruntime's
LARGEST_BATCH = 64  # images that a file may ask for at once: the proof runs as many
FLOATS = (1, 10, 11)  # ONNX's numbers of float32, float16 and float64


def import_onnx(path: str | Path, input_shape: tuple[int, ...] | None = None) -> Graph:
    """The graph of an ONNX model with one image input.

    ``input_shape`` (channels, rows, columns), or as many sizes as the input has, is needed where the file
    leaves it open. Node names are the file's, with a dot for whatever is not a letter, digit or underscore.
    Raises ToolNotFound without the ``onnx`` extra, ConfigError for a file that is not a model or whose shapes
    do not fit each other, UnsupportedNetwork listing everything that the accelerator does not have.
    """
    return OnnxModel(path, input_shape).graph


class OnnxModel:
    """An ONNX file: its graph, and the original that the graph is proven against (``frontends.proof``)."""

    def __init__(
        self, path: str | Path, input_shape: tuple[int, ...] | None = None, keeps_integers: bool = True
    ) -> None:
        """Raises as :func:`import_onnx`; keeps_integers: those of a file that was quantised elsewhere."""
        path = Path(path)
        self.path, self.input_shape = path, input_shape
        if onnx is None:
            raise ToolNotFound(
                f"{path}: reading it needs the packages onnx and onnxruntime; "
                "run: pip install 'hotnas-hls[onnx]'"
            )
        model, self._lost = loaded(path), list[str]()
        reader = _Reader(model, path, input_shape, keeps_integers)
        self.graph, self._own = reader.graph(), None
        if reader.unrounded.grids:
            self._own = own_integers(self.graph, self._lost)
            if self._own is None:
                reader = _Reader(model, path, input_shape, keeps_grids=False)
                self.graph = reader.graph()
        self._lost += reader.unrounded.uneven
        self.fixed_batch = reader.fixed_batch
        self._model = reader.model
        self._made, self._draft = reader.made, reader.draft
        self._rounded, self._unrounded = reader.rounded, reader.unrounded

    def floats(self) -> OnnxModel:
        """The same file as a network of floats, to be trained: integers that it brings are given up."""
        return OnnxModel(self.path, self.input_shape, keeps_integers=False) if self._own else self

    @property
    def note(self) -> str:
        """How a file that was quantised elsewhere runs, and how far that is from it; empty for others.

        UnsupportedNetwork where onnxruntime does not run it as it was quantised.
        """
        if not self._unrounded.pairs:
            return ""
        try:
            return self._quantised_note()
        except onnxruntime.capi.onnxruntime_pybind11_state.Fail as error:
            raise UnsupportedNetwork(
                f"{self.graph.name}: onnxruntime does not run it as it is quantised ({first_line(error)}); "
                "quantise it again"
            ) from error

    def _quantised_note(self) -> str:
        left = self._unrounded
        sizes = [self.fixed_batch or (OWN_IMAGES if self._own else FREE_BATCH), *self.graph.image]
        images = np.random.default_rng(0).standard_normal(sizes, dtype=np.float32)
        images = images.clip(left.lowest, left.highest)
        if self._own is not None:
            prepared = self.graph.host.prepared(images)
            return str(agreement(self._own, prepared, self._maps(self._rounded, images, optimised=False)))
        pairs = zip(*(self._run(model, images) for model in (self._rounded, self._model)), strict=True)
        share = max(np.abs(rounded - own).max() / (np.abs(rounded).max() or 1.0) for rounded, own in pairs)
        lost = self._lost or ["weights that are trained have formats of their own"]
        more = f" (and {len(lost) - 1} more)" if len(lost) > 1 else ""
        return (
            f"quantised elsewhere, re-quantised here: {left.pairs} pairs of QuantizeLinear and "
            "DequantizeLinear are left out, formats are chosen anew; without them the result differs by "
            f"{share:.1%} of the largest value; its own integers cannot be kept: {lost[0]}{more}"
        )

    def outputs(self, images: np.ndarray) -> list[np.ndarray]:
        """Its results, each (B, ...), for raw ``images`` float32 (B, C, H, W)."""
        return self._run(self._model, images)

    def maps(self, images: np.ndarray) -> Mapping[str, np.ndarray]:
        """What the model computes for every node of the graph, (B, ...)."""
        return self._maps(self._model, images)

    def _maps(self, of: Any, images: np.ndarray, optimised: bool = True) -> Mapping[str, np.ndarray]:
        known = {name for node in of.graph.node for name in node.output} | {self._input.name}
        made = [
            (name, value)
            for name, value in self._made.values()
            if name in known and any(part.name in self.graph for part in self._draft.parts(value))
        ]
        if not made:
            return {}
        model = onnx.ModelProto()
        model.CopyFrom(of)
        del model.graph.output[:]
        model.graph.output.extend(onnx.ValueInfoProto(name=name) for name, _ in made)
        arrays = self._run(model, images, optimised)
        pairs = zip(made, arrays, strict=True)
        return self._draft.told((value, partial(np.asarray, array)) for (_, value), array in pairs)

    @cached_property
    def _input(self) -> Any:
        weights = {tensor.name for tensor in self._model.graph.initializer}
        return next(entry for entry in self._model.graph.input if entry.name not in weights)

    def _run(self, model: Any, images: np.ndarray, optimised: bool = True) -> list[np.ndarray]:
        """onnxruntime where it has the operators in this precision, else ONNX's own evaluator."""
        dtype = onnx.helper.tensor_dtype_to_np_dtype(self._input.type.tensor_type.elem_type)
        sizes = [size.dim_value for size in self._input.type.tensor_type.shape.dim[1:]]
        feeds = {self._input.name: images.reshape(len(images), *sizes).astype(dtype)}
        try:
            return _session_run(model, feeds, optimised)
        except onnxruntime.capi.onnxruntime_pybind11_state.NotImplemented:
            evaluator: Any = ReferenceEvaluator(model)
            return list(evaluator.run(None, feeds))


def _session_run(model: Any, feeds: Mapping[str, np.ndarray], optimised: bool = True) -> list[np.ndarray]:
    """What onnxruntime computes; not ``optimised``: each operator as it is defined, on every processor."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what it says is raised too
    if not optimised:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session: Any = onnxruntime.InferenceSession(model.SerializeToString(), options)
    return list(session.run(None, feeds))


class _Reader:
    """One pass over the nodes: constants are evaluated, the rest goes into a draft."""

    def __init__(
        self, model: Any, path: Path, input_shape: tuple[int, ...] | None, keeps_grids: bool = True
    ) -> None:
        self.path = path
        self.opset = opset_of(model)
        self.constants = {tensor.name: _array(tensor, path) for tensor in model.graph.initializer}
        self.values: dict[str, Value | None] = {"": None}  # None: behind an operator that was refused
        self.made: dict[str, tuple[str, Value]] = {}  # graph node -> the tensor it was made for, as its value
        image = self._image(model)
        self.fixed_batch, shape = self._input_shape(image, input_shape)
        self.draft = Draft(path.stem, self.fixed_batch or FREE_BATCH)
        self.evaluated: set[str] = set()
        self.refusals: dict[str, Refused] = {}  # of operators of QONNX, by their output
        self._fold(model)
        qonnx = standard(model, self.constants, self.refusals)
        self.rounded = inferred(qonnx.model, path)
        self._fold(self.rounded)
        self.unrounded = unrounded(self.rounded, self.constants, image.name, keeps_grids, qonnx)
        self.model = self.unrounded.model
        try:
            self.values[image.name] = self.draft.input(shape, dotted(image.name))
        except Refused as refused:
            reasons = "; ".join(f"{reason}; {cure}" for reason, cure in refused.problems)
            raise ConfigError(f"{path}: input {image.name}: {reasons}") from refused
        self.used = {name for node in self.model.graph.node for name in node.input}
        self.used |= {output.name for output in self.model.graph.output}

    def graph(self) -> Graph:
        """The finished graph."""
        for node in self.model.graph.node:
            self._read(node)
        outputs: dict[str, Value] = {}
        refused = bool(self.draft.violations)  # what follows may then be unknown
        for output in self.model.graph.output:
            value, name = self.values.get(output.name), dotted(output.name)
            if value is None and not refused:
                self.draft.violations.append(
                    f"output: {output.name} does not depend on the input; export the whole network, and "
                    "only what it computes"
                )
            outputs[name if name not in outputs else f"{name}_{len(outputs)}"] = (
                value or self.draft.stand_in(())
            )
        return self.draft.finish(outputs)

    def _image(self, model: Any) -> Any:
        inputs = [entry for entry in model.graph.input if entry.name not in self.constants]
        if len(inputs) != 1:
            names = ", ".join(entry.name for entry in inputs) or "none"
            raise ConfigError(f"{self.path}: one image input expected, found {names}; export it with one")
        return inputs[0]

    def _input_shape(self, image: Any, wanted: tuple[int, ...] | None) -> tuple[int | None, tuple[int, ...]]:
        """Batch size, None where it is open, and the sizes behind it, where ``wanted`` fills in."""
        sizes = image.type.tensor_type.shape.dim
        known = [size.dim_value for size in sizes]  # 0: left open
        text = "x".join(str(size or "?") for size in known) or "no tensor"
        if not 2 <= len(known) <= 4:
            raise ConfigError(
                f"{self.path}: input {image.name} is {text}; expected images x channels x rows x columns, "
                "images x channels x columns, or images x features"
            )
        own = known[1:]
        if min(own) < 0:
            raise ConfigError(f"{self.path}: input {image.name} is {text}; leave sizes open, or above 0")
        kind = image.type.tensor_type.elem_type
        if kind not in FLOATS:
            named = onnx.TensorProto.DataType.Name(kind).lower()
            raise ConfigError(
                f"{self.path}: input {image.name} is of {named}, no floats; "
                "export it with an input of float32"
            )
        if not 0 <= known[0] <= LARGEST_BATCH:
            raise ConfigError(
                f"{self.path}: input {image.name} is {text}; leave the number of images open, "
                f"or make it at most {LARGEST_BATCH}"
            )
        if wanted is None:
            if not all(own):
                raise ConfigError(
                    f"{self.path}: input {image.name} is {text}; give its sizes as well, "
                    "e.g. --input 3x224x224 or input=(3, 224, 224)"
                )
            wanted = tuple(own)
        fits = len(own) == len(wanted) and all(
            size in (0, want) for size, want in zip(own, wanted, strict=True)
        )
        if not fits:
            asked = "x".join(map(str, wanted))
            raise ConfigError(
                f"{self.path}: input {image.name} is {text}, not ?x{asked}; leave the input shape out"
            )
        for size, want in zip(sizes[1:], wanted, strict=True):
            size.dim_value = want
        return known[0] or None, wanted

    def _read(self, node: Any) -> None:
        """Evaluate a node of constants, translate any other; note what is refused."""
        own = node.domain in OWN_DOMAINS
        if own and all(name in self.constants or not name for name in node.input):
            self._evaluate(node, self.model)
            return
        where = dotted(node.name or node.output[0])
        inputs = [self.constants.get(name, self.values.get(name)) for name in node.input]
        attributes = {entry.name: onnx.helper.get_attribute_value(entry) for entry in node.attribute}
        handler = self._handler(node)
        try:
            if node.output[0] in self.refusals:
                raise self.refusals[node.output[0]]
            if not own:
                raise Refused(
                    (
                        f"its domain {dotted(node.domain)} is not ONNX's own",
                        "export the network with operators of ONNX, or of QONNX",
                    )
                )
            if handler is None:
                raise no_operator(dotted(node.op_type))
            if node.op_type == "Split":
                attributes["outputs"] = len(node.output)
            behind_refused = any(name and item is None for name, item in zip(node.input, inputs, strict=True))
            result = None if behind_refused else _called(handler, self, where, *inputs, **attributes)
            results = result if isinstance(result, list) else [result]
            if any(name in self.used for name in node.output[len(results) :] if name):
                raise Refused(("its second output is used", "use the first output only"))
        except Refused as refused:
            self.draft.refuse(where, node.op_type, refused)
            results = [self._inferred(name) for name in node.output]
        for name, result in zip(node.output, results, strict=False):
            if isinstance(result, np.ndarray):
                self.constants[name] = result
            else:
                self.values[name] = result
                if result is not None:
                    self.made.setdefault(result.name, (name, result))

    def _handler(self, node: Any) -> Callable[..., Any] | None:
        """What translates a node; None where nothing does."""
        grid = self.unrounded.grids.get(node.output[0])
        if grid is None:
            return HANDLERS.get(node.op_type)

        def rounded(reader: _Reader, where: str, source: Value, *bounds: np.ndarray) -> Value:
            value = reader.draft.rounded(where, source, grid)
            if value.name == source.name:  # nothing is clipped: not in the model either
                node.op_type = "Identity"
                del node.input[1:]
            return value

        return rounded

    def _fold(self, model: Any) -> None:
        """Constants that nodes compute from those known, but of operators that are not ONNX's own."""
        for node in model.graph.node:
            known = all(name in self.constants or not name for name in node.input)
            if known and node.domain in OWN_DOMAINS:
                self._evaluate(node, model)

    def _evaluate(self, node: Any, of: Any) -> None:
        """A node of model ``of`` that computes constants from constants; once."""
        if node.output[0] in self.evaluated:
            return
        self.evaluated.add(node.output[0])
        helper = onnx.helper
        feeds = {name: self.constants[name] for name in node.input if name}
        inputs = [
            helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
            for name, array in feeds.items()
        ]
        outputs = [helper.make_value_info(name, onnx.TypeProto()) for name in node.output if name]
        model = helper.make_model(
            helper.make_graph([node], "constant", inputs, outputs),
            opset_imports=of.opset_import,
            ir_version=of.ir_version,
        )
        try:
            try:
                results: Any = ReferenceEvaluator(model).run(None, feeds)
            except RuntimeError:  # it has no such operator as it was in this opset
                results = _session_run(model, feeds)
        except Exception as error:  # whatever an operator's own code raises
            problem = ("its constant inputs could not be evaluated", f"simplify the model ({error})")
            self.draft.refuse(dotted(node.name or node.output[0]), node.op_type, Refused(problem))
            return
        self.constants.update(zip((name for name in node.output if name), results, strict=True))

    def _inferred(self, name: str) -> Value | None:
        """What follows a refused operator, where ONNX itself can tell its shape."""
        known = [*self.model.graph.value_info, *self.model.graph.output]
        sizes = next(
            (
                [size.dim_value for size in entry.type.tensor_type.shape.dim]
                for entry in known
                if entry.name == name
            ),
            [],
        )
        return self.draft.stand_in(sizes[1:]) if len(sizes) > 1 and all(sizes[1:]) else None


def _called(handler: Callable[..., Any], *inputs: Any, **attributes: Any) -> Any:
    """The handler's result; Refused for attributes that it does not know."""
    try:
        signature(handler).bind(*inputs, **attributes)
    except TypeError as error:
        raise Refused(
            (f"its form is not known ({error})", "export again with an opset from 7 to 22")
        ) from error
    try:
        return handler(*inputs, **attributes)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        problem = f"its inputs and attributes do not fit each other ({first_line(error)})"
        raise Refused((problem, "correct the model or export it again")) from error


def _array(tensor: Any, path: Path) -> np.ndarray:
    """The values of a constant; ConfigError where the file does not hold them."""
    try:
        return numpy_helper.to_array(tensor, str(path.parent))
    except Exception as error:  # whatever a damaged tensor makes of it
        raise ConfigError(
            f"{path}: constant {dotted(tensor.name)} cannot be read ({first_line(error)}); export it again"
        ) from error

