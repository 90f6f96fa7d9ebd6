"""Torch module to network graph, by running it once and recording what it does.

A run sees exactly the operators that the network applies to its input, whatever python code leads to them:
loops, branches on shapes and settings, weights computed from other weights (weight standardisation,
parametrisations). Symbolic tracing (torch.fx) stops at such branches; export needs seconds for what takes
milliseconds here. What a run does not show (another batch size, code that torch does not see) is left to
``frontends.proof``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from inspect import signature
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_flatten_with_path, tree_leaves, tree_map

from hotnas_hls.errors import UnsupportedNetwork, raise_all
from hotnas_hls.frontends.draft import Draft
from hotnas_hls.frontends.refusal import Refused, no_operator
from hotnas_hls.frontends.tensor import Value
from hotnas_hls.frontends.torch_operators import HANDLERS
from hotnas_hls.models.graph_module import Operator
from hotnas_hls.network.graph import Graph

PLAIN_NAME = re.compile(r"[^A-Za-z0-9_.]+")
BATCH = 2  # more than one image, so that an operator that mixes images shows

# Operators whose result is a python value that a network may branch on only if it depends on the input.
VALUE_READERS = frozenset(
    (
        *("__bool__", "__int__", "__float__", "__index__", "__array__", "__contains__"),
        *("item", "tolist", "numpy", "equal", "allclose", "is_nonzero"),
    )
)
# Operators whose result is a property of the tensor, the same for every input.
PROPERTY_READERS = frozenset(
    (
        *("shape", "size", "dim", "ndim", "ndimension", "numel", "nelement", "__len__", "stride"),
        *("storage_offset", "is_contiguous", "is_same_size", "dtype", "type", "itemsize", "element_size"),
        *("nbytes", "is_nested", "is_floating_point", "is_complex", "is_signed", "is_inference", "is_conj"),
        *("device", "get_device", "layout", "is_cuda", "is_cpu", "is_meta", "is_sparse", "is_quantized"),
        *("is_mkldnn", "is_leaf", "requires_grad", "grad_fn", "grad", "is_shared", "names", "has_names"),
        *("is_neg", "__hash__", "__repr__"),
    )
)
# Operators that hand their input on unchanged in inference.
ALIASES = frozenset(
    ("clone", "contiguous", "cpu", "detach", "float", "requires_grad_", "to", "type_as", "data")
)


def trace(model: nn.Module, input_shape: tuple[int, ...], name: str | None = None) -> Graph:
    """The graph of ``model`` in inference for an input of (channels, rows, columns).

    (channels, columns) for a network of one row, (features,) for one of vectors.

    Node names are module paths ("layer1.0.conv1"), with the operator's name behind it for what a module does
    in its own ``forward`` ("layer1.0.add"). Weights are float32 copies. UnsupportedNetwork lists everything
    that the accelerator does not have. The module is left in the mode (training or not) that it had.
    """
    images = np.random.default_rng(0).standard_normal((BATCH, *input_shape), dtype=np.float32)
    return _recorded(model, images, name, None)


def trace_twin(graph: Graph, model: nn.Module, name: str | None = None) -> Graph:
    """The graph of ``model``, which stands where ``graph`` did: it reads prepared images and gives logits.

    What ``graph`` leaves to the host stays so. name: None for that of ``graph``; raises as :func:`trace`.
    """
    traced = trace(model, graph.input.shape, name or graph.name)
    made = dict(zip(graph.host.maps, traced.host.maps, strict=True))
    return Graph(traced.name, list(traced), graph.host.renamed(made))


class TracedModule:
    """A module as the original that its graph is proven against (see ``frontends.proof``)."""

    fixed_batch, note = None, ""

    def __init__(self, model: nn.Module, input_shape: tuple[int, ...] | None = None) -> None:
        """``input_shape`` as of :func:`trace`; None: three numbers."""
        self.model = model
        self.input_shape = input_shape

    def _as_it_reads(self, images: np.ndarray) -> np.ndarray:
        return images.reshape(len(images), *(self.input_shape or images.shape[1:]))

    def outputs(self, images: np.ndarray) -> list[np.ndarray]:
        """Its results for ``images`` (B, C, H, W), each float32 (B, ...)."""
        with _inference(self.model), torch.no_grad():
            result = self.model(_images(self.model, self._as_it_reads(images)))
        return [_plain(item) for item in tree_leaves(result) if isinstance(item, Tensor)]

    def maps(self, images: np.ndarray) -> Mapping[str, np.ndarray]:
        """What the module computes for every node of its graph, float32 (B, ...).

        UnsupportedNetwork where a run on these images does what the graph has no node for.
        """
        maps: dict[str, np.ndarray] = {}
        _recorded(self.model, self._as_it_reads(images), None, maps)
        return maps


def _recorded(
    model: nn.Module, images: np.ndarray, name: str | None, maps: dict[str, np.ndarray] | None
) -> Graph:
    """The graph of one run on ``images``; ``maps`` is filled with what is computed for its nodes."""
    model = _unwrapped(model)
    draft = Draft(name or type(model).__name__, len(images))
    _refuse_scripts(model, draft.name)
    tensor = _images(model, images)
    kept: dict[str, tuple[Value, Tensor]] | None = None if maps is None else {}
    recorder = _Recorder(draft, kept)
    recorder.follow(tensor, draft.input(images.shape[1:]))
    with _inference(model), _module_paths(model, recorder.stack), torch.no_grad():
        try:
            with recorder:
                result = model(tensor)
        except Exception as error:  # whatever a user's forward raises
            raise UnsupportedNetwork(
                f"{draft.name}: it does not run on an input of {'x'.join(map(str, images.shape))}: "
                f"{type(error).__name__}: {error}; check the input shape"
            ) from error
    outputs = {}
    for name, item in _named(result).items():
        value = recorder.value_of(item)
        if value is None:
            draft.violations.append(
                f"output{name and ' '}{name}: {type(item).__name__}: it is no tensor computed from the "
                "input; return what is computed only"
            )
        outputs[name] = value or draft.stand_in(())
    if maps is not None and kept is not None:
        maps |= draft.told((value, partial(_plain, tensor)) for value, tensor in kept.values())
    if not outputs:
        draft.violations.append("output: the network returns nothing; return what it computes")
    return draft.finish(outputs)


def _named(result: object) -> dict[str, object]:
    """What a module returns, by the keys and positions that lead to it: a single item is called ""."""
    leaves, _ = tree_flatten_with_path(result)
    steps = [[str(getattr(key, "key", getattr(key, "idx", key))) for key in path] for path, _ in leaves]
    names = [PLAIN_NAME.sub("_", ".".join(path)) for path in steps]
    return {
        name if names.count(name) == 1 else f"{name}_{position}": leaf
        for position, (name, (_, leaf)) in enumerate(zip(names, leaves, strict=True))
    }


def _unwrapped(model: nn.Module) -> nn.Module:
    """The module inside nn.DataParallel or torch.compile."""
    if isinstance(model, nn.DataParallel):
        return model.module
    return getattr(model, "_orig_mod", model)


def _refuse_scripts(model: nn.Module, name: str) -> None:
    """Compiled TorchScript runs where no recorder sees it."""
    if isinstance(model, torch.jit.ScriptModule):
        raise UnsupportedNetwork(f"{name}: a TorchScript module cannot be traced; pass the python module")
    raise_all(
        UnsupportedNetwork,
        f"{name}: a TorchScript module cannot be traced",
        [
            f"{path}: {module.original_name} in TorchScript; pass the python module"
            for path, module in model.named_modules()
            if isinstance(module, torch.jit.ScriptModule)
        ],
    )


def _images(model: nn.Module, images: np.ndarray) -> Tensor:
    """``images`` as the module reads them: on its device, in its precision."""
    like = next((p for p in model.parameters() if p.is_floating_point()), torch.zeros(()))
    return torch.tensor(images, dtype=like.dtype, device=like.device)


def _plain(tensor: Tensor) -> np.ndarray:
    return tensor.detach().cpu().float().numpy()


@contextmanager
def _inference(model: nn.Module) -> Iterator[None]:
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


@contextmanager
def _module_paths(model: nn.Module, stack: list[tuple[str, nn.Module]]) -> Iterator[None]:
    """Keep ``stack`` at the chain of submodules that are running."""
    handles = []
    for path, module in model.named_modules():
        entry = (path, module)
        handles.append(module.register_forward_pre_hook(lambda *_, entry=entry: stack.append(entry)))
        handles.append(module.register_forward_hook(lambda *_: stack.pop() and None))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


class _Recorder(TorchFunctionMode):
    """Sees every torch function of the run; those that touch the input's descendants go into the draft.

    What it does not know is refused: an operator without a translation, and one that returns no tensor and
    is no mere look at a property (an assignment into a map, a callback).
    """

    def __init__(self, draft: Draft, kept: dict[str, tuple[Value, Tensor]] | None) -> None:
        super().__init__()
        self.draft = draft
        self.kept = kept
        self.stack: list[tuple[str, nn.Module]] = []
        self._values: dict[int, Value] = {}
        self._tensors: dict[int, Tensor] = {}  # keeps them alive: an id then stays that tensor's
        self._overwritten: set[int] = set()

    def follow(self, tensor: Tensor, value: Value) -> None:
        """From now on ``tensor`` is ``value``."""
        self._values[id(tensor)] = value
        self._tensors[id(tensor)] = tensor
        self._overwritten.discard(id(tensor))
        if self.kept is not None and value.name not in self.kept:
            self.kept[value.name] = value, tensor.detach().clone()  # an operator may change it in place later

    def value_of(self, item: object) -> Value | None:
        """The value a tensor carries; None for a constant or anything else."""
        return self._values.get(id(item)) if isinstance(item, Tensor) else None

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        read = [item for item in tree_leaves((args, kwargs)) if self.value_of(item) is not None]
        result = func(*args, **kwargs)
        operator = _name_of(func)
        if not read or operator in PROPERTY_READERS:
            return result  # constants only, or a shape: the result is a constant too
        results = [item for item in tree_leaves(result) if isinstance(item, Tensor)]
        where = self._where(operator)
        try:
            if any(id(item) in self._overwritten for item in read):
                raise Refused(
                    (
                        "it reads a tensor that another operator changed in place",
                        "do not use inplace=True here",
                    )
                )
            if operator in VALUE_READERS:
                raise Refused(("the network branches on values", "decide by shapes or settings only"))
            if operator.startswith(("__set", "set ")):
                raise Refused(("it assigns into a tensor", "compute a new tensor by an operator instead"))
            arguments, options = tree_map(lambda item: self.value_of(item) or item, (args, kwargs))
            value = self._translate(operator, where, result, arguments, options)
            values = value if isinstance(value, list) else [value]
            for one, tensor in zip(values, results, strict=True):
                self._check_shape(one, tensor)
        except Refused as refused:
            self.draft.refuse(where, operator.strip("_"), refused)
            for item in results:
                self.follow(item, self.draft.stand_in(item.shape[1:]))
            return result
        for one, tensor in zip(values, results, strict=True):
            if any(tensor is item for item in read) and one is not self.value_of(tensor):
                self._mark_overwritten(tensor)
            self.follow(tensor, one)
        return result

    def _translate(
        self, operator: str, where: str, result: Any, args: Any, kwargs: Any
    ) -> Value | list[Value]:
        if operator in ALIASES and result.dtype in (torch.float32, torch.float64):
            return args[0]
        handler = HANDLERS.get(operator.strip("_"))
        parts = list(result) if isinstance(result, tuple | list) else [result]
        if handler is None or not parts or not all(isinstance(part, Tensor) for part in parts):
            raise no_operator(operator)
        if any(part.shape[:1] != (self.draft.batch,) for part in parts):
            raise Refused(("it mixes the images of a batch", "keep the first axis for the images"))
        try:
            signature(handler).bind(self.draft, where, result, *args, **kwargs)
        except TypeError as error:
            raise Refused((f"its arguments are not understood ({error})", "use the plain form")) from error
        return handler(self.draft, where, result, *args, **kwargs)

    def _where(self, operator: str) -> str:
        path, module = self.stack[-1] if self.stack else ("", None)
        own_name = any(
            kind is Operator or (kind.__module__.startswith("torch.nn.modules") and kind not in _NOT_LAYERS)
            for kind in type(module).__mro__
        )
        if path and own_name:
            return path
        operator = operator.strip("_")
        return f"{path}.{operator}" if path else operator

    def _check_shape(self, value: Value, result: Tensor) -> None:
        """What the draft derived must be what torch computed."""
        if tuple(result.shape) != (self.draft.batch, *value.dims):
            raise Refused(
                (
                    f"torch gives {'x'.join(map(str, result.shape[1:]))}, "
                    f"the accelerator {'x'.join(map(str, value.dims))}",
                    "report this: the two should agree",
                )
            )

    def _mark_overwritten(self, changed: Tensor) -> None:
        """Views of a tensor that was changed in place no longer hold what was recorded for them."""
        memory = changed.untyped_storage().data_ptr()
        for key, tensor in self._tensors.items():
            if tensor is not changed and tensor.untyped_storage().data_ptr() == memory:
                self._overwritten.add(key)


_NOT_LAYERS = (nn.Module, nn.Sequential, nn.ModuleList, nn.ModuleDict, nn.ParameterList, nn.ParameterDict)


def _name_of(func: Any) -> str:
    """A torch function's own name; the attribute's for ``tensor.attribute``."""
    attribute = getattr(getattr(func, "__self__", None), "__name__", "")
    if func.__name__ == "__get__":
        return attribute
    if func.__name__ == "__set__":
        return f"set {attribute}"
    return func.__name__
