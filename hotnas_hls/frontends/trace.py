"""Torch module to network graph, by running it once and recording what it does.

A run sees exactly the operators that the network applies to its input, whatever python code leads to them:
loops, branches on shapes and settings, weights computed from other weights (weight standardisation,
parametrisations). Symbolic tracing (torch.fx) stops at such branches; export needs seconds for what takes
milliseconds here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from inspect import signature
from math import prod
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves, tree_map

from hotnas_hls.errors import UnsupportedNetwork
from hotnas_hls.frontends.draft import NO_PADDING, Draft, Padding, Pair, Refused, Value, cure_for
from hotnas_hls.network.graph import Graph, Shape

BATCH = 2  # more than one image, so that an operator that mixes images shows

# Operators whose result is a python value that a network may branch on only if it depends on the input.
VALUE_READERS = frozenset(
    (
        *("__bool__", "__int__", "__float__", "__index__", "__array__", "__contains__"),
        *("item", "tolist", "numpy", "equal", "allclose", "is_nonzero"),
    )
)
# Operators that hand their input on unchanged in inference.
ALIASES = frozenset(
    ("clone", "contiguous", "cpu", "detach", "float", "requires_grad_", "to", "type_as", "data")
)


def trace(model: nn.Module, input_shape: Shape, name: str | None = None) -> Graph:
    """The graph of ``model`` in inference for an input of (channels, rows, columns).

    Node names are module paths ("layer1.0.conv1"), with the operator's name behind it for what a module does
    in its own ``forward`` ("layer1.0.add"). Weights are float32 copies. UnsupportedNetwork lists everything
    that the accelerator does not have. The module is left in the mode (training or not) that it had.
    """
    model = _unwrapped(model)
    draft = Draft(name or type(model).__name__)
    if isinstance(model, torch.jit.ScriptModule):
        raise UnsupportedNetwork(
            f"{draft.name}: a TorchScript module cannot be traced; pass the python module"
        )
    like = next((p for p in model.parameters() if p.is_floating_point()), torch.zeros(()))
    images = torch.zeros(BATCH, *input_shape, dtype=like.dtype, device=like.device)
    recorder = _Recorder(draft)
    recorder.follow(images, draft.input(input_shape))
    with _inference(model), _module_paths(model, recorder.stack), torch.no_grad():
        try:
            with recorder:
                result = model(images)
        except Exception as error:  # whatever a user's forward raises
            raise UnsupportedNetwork(
                f"{draft.name}: it does not run on an input of {BATCH}x{'x'.join(map(str, input_shape))}: "
                f"{type(error).__name__}: {error}; check the input shape"
            ) from error
    output = recorder.value_of(result) if isinstance(result, Tensor) else None
    if output is None:
        draft.violations.append(
            f"output: {type(result).__name__}: the result is not one tensor computed from the input; "
            "return the logits only"
        )
        output = Value("input", input_shape)
    return draft.finish(output)


def _unwrapped(model: nn.Module) -> nn.Module:
    """The module inside nn.DataParallel or torch.compile."""
    if isinstance(model, nn.DataParallel):
        return model.module
    return getattr(model, "_orig_mod", model)


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
    """Sees every torch function of the run; those that touch the input's descendants go into the draft."""

    def __init__(self, draft: Draft) -> None:
        super().__init__()
        self.draft = draft
        self.stack: list[tuple[str, nn.Module]] = []
        self._values: dict[int, Value] = {}
        self._tensors: dict[int, Tensor] = {}  # keeps them alive: an id then stays that tensor's
        self._overwritten: set[int] = set()

    def follow(self, tensor: Tensor, value: Value) -> None:
        """From now on ``tensor`` is ``value``."""
        self._values[id(tensor)] = value
        self._tensors[id(tensor)] = tensor
        self._overwritten.discard(id(tensor))

    def value_of(self, item: object) -> Value | None:
        """The value a tensor carries; None for a constant or anything else."""
        return self._values.get(id(item)) if isinstance(item, Tensor) else None

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        read = [item for item in tree_leaves((args, kwargs)) if self.value_of(item) is not None]
        result = func(*args, **kwargs)
        if not read:
            return result  # constants only: the result is a constant too
        operator = _name_of(func)
        results = [item for item in tree_leaves(result) if isinstance(item, Tensor)]
        if not results and operator not in VALUE_READERS:
            return result  # a shape, a rank, a device
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
            arguments, options = tree_map(lambda item: self.value_of(item) or item, (args, kwargs))
            value = self._translate(operator, where, result, arguments, options)
            self._check_shape(value, result)
        except Refused as refused:
            self.draft.refuse(where, operator.strip("_"), refused)
            for item in results:
                self.follow(item, Value("input", _map_shape(item), item.dim()))
            return result
        if any(result is item for item in read) and value != self.value_of(result):
            self._mark_overwritten(result)
        self.follow(result, value)
        return result

    def _translate(self, operator: str, where: str, result: Any, args: Any, kwargs: Any) -> Value:
        if operator in ALIASES and result.dtype in (torch.float32, torch.float64):
            return args[0]
        handler = HANDLERS.get(operator.strip("_"))
        if handler is None or not isinstance(result, Tensor):
            raise Refused(("not an operator of the accelerator", cure_for(operator)))
        try:
            signature(handler).bind(self.draft, where, result, *args, **kwargs)
        except TypeError as error:
            raise Refused((f"its arguments are not understood ({error})", "use the plain form")) from error
        return handler(self.draft, where, result, *args, **kwargs)

    def _where(self, operator: str) -> str:
        path, module = self.stack[-1] if self.stack else ("", None)
        own_name = any(
            kind.__module__.startswith("torch.nn.modules") and kind not in _NOT_LAYERS
            for kind in type(module).__mro__
        )
        if path and own_name:
            return path
        operator = operator.strip("_")
        return f"{path}.{operator}" if path else operator

    def _check_shape(self, value: Value, result: Tensor) -> None:
        """What the draft derived must be what torch computed."""
        top, left, bottom, right = value.padding
        channels, rows, columns = value.shape
        expected = (BATCH, channels, rows + top + bottom, columns + left + right)
        if result.shape[:1] != (BATCH,):
            raise Refused(("it mixes the images of a batch", "keep the first axis for the images"))
        if (result.dim() == 4 and result.shape != expected) or result.numel() != prod(expected):
            raise Refused(
                (
                    f"torch gives {'x'.join(map(str, result.shape[1:]))}, "
                    f"the accelerator {'x'.join(map(str, value.shape))}",
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
    if func.__name__ == "__get__":
        return func.__self__.__name__
    return func.__name__


def _map_shape(tensor: Tensor) -> Shape:
    """(channels, rows, columns) of a batch, as far as it has them."""
    channels, rows, columns = (*tensor.shape[1:4], 1, 1, 1)[:3]
    return channels, rows, columns


# --- torch functions to calls of Draft: (draft, where, result, *the function's own arguments) -> Value -----


def _pair(size: Any) -> Pair:
    rows, columns = (size, size) if isinstance(size, int) else (size * 2 if len(size) == 1 else size)
    return int(rows), int(columns)


def _around(padding: Any) -> Padding:
    rows, columns = _pair(padding)
    return rows, columns, rows, columns


def _array(tensor: Any, role: str) -> np.ndarray:
    """A constant as float32."""
    if not isinstance(tensor, Tensor):
        raise Refused((f"its {role} is computed from the input", "use a constant"))
    return tensor.detach().cpu().float().numpy()


def _optional(tensor: Any, role: str) -> np.ndarray | None:
    """A constant that may be left out."""
    return None if tensor is None else _array(tensor, role)


def _conv2d(
    draft: Draft,
    where: str,
    result: Tensor,
    input: Value,
    weight: Any,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: Any = 1,
) -> Value:
    arrays = _array(weight, "weight"), _optional(bias, "bias")
    if padding == "same":
        kernel = weight.shape[2:]
        total = [step * (side - 1) for step, side in zip(_pair(dilation), kernel, strict=True)]
        around = (total[0] // 2, total[1] // 2, total[0] - total[0] // 2, total[1] - total[1] // 2)
    else:
        around = NO_PADDING if padding == "valid" else _around(padding)
    return draft.conv(where, input, *arrays, _pair(stride), around, _pair(dilation), groups)


def _linear(draft: Draft, where: str, result: Tensor, input: Value, weight: Any, bias: Any = None) -> Value:
    return draft.linear(where, input, _array(weight, "weight"), _optional(bias, "bias"))


def _batch_norm(
    draft: Draft,
    where: str,
    result: Tensor,
    input: Value,
    running_mean: Any,
    running_var: Any,
    weight: Any = None,
    bias: Any = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Value:
    if training or running_mean is None:
        raise Refused(("it uses the statistics of the batch", "use BatchNorm2d with running statistics"))
    mean, var = _array(running_mean, "mean"), _array(running_var, "variance")
    return draft.batchnorm(where, input, mean, var, _optional(weight, "weight"), _optional(bias, "bias"), eps)


def _relu(draft: Draft, where: str, result: Tensor, input: Value, inplace: bool = False) -> Value:
    return draft.clip(where, input, 0, None)


def _relu6(draft: Draft, where: str, result: Tensor, input: Value, inplace: bool = False) -> Value:
    return draft.clip(where, input, 0, 6)


def _hardtanh(
    draft: Draft,
    where: str,
    result: Tensor,
    input: Value,
    min_val: float = -1.0,
    max_val: float = 1.0,
    inplace: bool = False,
) -> Value:
    return draft.clip(where, input, min_val, max_val)


def _clamp(draft: Draft, where: str, result: Tensor, input: Value, min: Any = None, max: Any = None) -> Value:
    if not all(isinstance(bound, int | float | None) for bound in (min, max)):
        raise Refused(("its bounds are tensors", "use ReLU, or ReLU6 (0 to 6)"))
    return draft.clip(where, input, min, max)


def _max_pool2d(
    draft: Draft,
    where: str,
    result: Tensor,
    input: Value,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Value:
    kernel = _pair(kernel_size)
    step = _pair(stride) if stride not in (None, (), []) else kernel
    return draft.maxpool(where, input, kernel, step, _around(padding), _pair(dilation), ceil_mode)


def _avg_pool2d(
    draft: Draft,
    where: str,
    result: Tensor,
    input: Value,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: Any = None,
) -> Value:
    kernel = _pair(kernel_size)
    if divisor_override not in (None, kernel[0] * kernel[1]):
        raise Refused((f"divisor_override={divisor_override}", "leave it out"))
    step = _pair(stride) if stride not in (None, (), []) else kernel
    return draft.avgpool(
        where,
        input,
        kernel,
        step,
        _around(padding),
        ceil_mode=ceil_mode,
        count_include_pad=count_include_pad,
    )


def _adaptive_avg_pool2d(draft: Draft, where: str, result: Tensor, input: Value, output_size: Any) -> Value:
    sizes = (output_size, output_size) if isinstance(output_size, int) else output_size
    rows, columns = (
        side if want is None else want for want, side in zip(sizes, input.shape[1:], strict=True)
    )
    return draft.adaptive_avgpool(where, input, (rows, columns))


def _mean(
    draft: Draft,
    where: str,
    result: Tensor,
    input: Value,
    dim: Any = None,
    keepdim: bool = False,
    *,
    dtype: Any = None,
    axis: Any = None,
) -> Value:
    dim = axis if dim is None else dim
    given = () if dim is None else (dim,) if isinstance(dim, int) else tuple(dim)
    axes = {axis % input.rank for axis in given}
    _, rows, columns = input.shape
    if input.rank == 4 and axes == {2, 3}:
        return draft.avgpool(where, input, (rows, columns), (rows, columns), rank=result.dim())
    if input.rank == 4 and axes == {3}:  # as the first half of x.mean(3).mean(2)
        return draft.avgpool(where, input, (1, columns), (1, columns), rank=result.dim())
    if columns == 1 and axes == {2}:
        return draft.avgpool(where, input, (rows, 1), (rows, 1), rank=result.dim())
    raise Refused((f"mean over axes {sorted(axes)}", "average over rows and columns: mean((2, 3))"))


def _add(draft: Draft, where: str, result: Tensor, input: Any, other: Any, *, alpha: float = 1) -> Value:
    if alpha != 1:
        raise Refused((f"alpha={alpha}", "add without a factor"))
    if not (isinstance(input, Value) and isinstance(other, Value)):
        raise Refused(("it adds a constant", "put the constant into the bias of the layer before"))
    return draft.add(where, input, other)


def _cat(draft: Draft, where: str, result: Tensor, tensors: Any, dim: Any = 0, *, axis: Any = None) -> Value:
    dim = dim if axis is None else axis
    values = [item for item in tensors if isinstance(item, Value)]
    if dim % result.dim() != 1:
        raise Refused((f"it joins along axis {dim}", "concatenate channels: dim=1"))
    if len(values) == len(tensors):
        return draft.concat(where, values)
    constants = [item for item in tensors if not isinstance(item, Value)]
    if len(values) > 1 or any(bool(item.any()) for item in constants):
        raise Refused(("it joins maps with constants", "concatenate computed maps, or one map with zeros"))
    position = next(i for i, item in enumerate(tensors) if isinstance(item, Value))
    before = sum(item.shape[1] for item in tensors[:position])
    after = sum(item.shape[1] for item in tensors[position + 1 :])
    return draft.subsample(where, values[0], (1, 1), before, after)


def _reshape(draft: Draft, where: str, result: Tensor, input: Value, *shape: Any, **options: Any) -> Value:
    channels, rows, columns = input.shape
    if result.shape[0] != BATCH:
        raise Refused(("it mixes the images of a batch", "keep the first axis for the images"))
    if result.dim() == 2:
        return draft.flatten(where, input)
    if _map_shape(result) == input.shape and prod(result.shape) == BATCH * prod(input.shape):
        return Value(input.name, input.shape, result.dim(), input.padding)
    raise Refused(
        (f"it reshapes a map to {'x'.join(map(str, result.shape[1:]))}", "only flattening to a vector exists")
    )


def _dropout(
    draft: Draft,
    where: str,
    result: Tensor,
    input: Value,
    p: float = 0.5,
    training: bool = True,
    inplace: bool = False,
    *,
    train: Any = None,
) -> Value:
    if (training if train is None else train) and p > 0:
        raise Refused(("it drops values in inference too", "pass training=self.training"))
    return input


def _pad(
    draft: Draft,
    where: str,
    result: Tensor,
    input: Value,
    pad: Any,
    mode: str = "constant",
    value: Any = None,
) -> Value:
    pad = [*pad, *([0] * (8 - len(pad)))]
    left, right, top, bottom, before, after, *images = pad
    if mode != "constant" or value:
        raise Refused((f"padding is {mode} {value or 0:g}", "pad with zeros"))
    if min(pad) < 0 or any(images) or input.rank != 4:
        raise Refused(("it does not only add rows, columns or channels", "pad maps with zeros outwards"))
    if before or after:
        input = draft.subsample(where, input, (1, 1), before, after)
    return draft.pad(input, (top, left, bottom, right)) if any((left, right, top, bottom)) else input


def _getitem(draft: Draft, where: str, result: Tensor, input: Value, index: Any) -> Value:
    index = index if isinstance(index, tuple) else (index,)
    if input.shape[1:] == (1, 1) and result.numel() == BATCH * input.shape[0]:
        return _reshape(draft, where, result, input)
    if Ellipsis in [i for i in index if i is Ellipsis]:
        gap = next(i for i, item in enumerate(index) if item is Ellipsis)
        index = (*index[:gap], *([slice(None)] * (input.rank - len(index) + 1)), *index[gap + 1 :])
    index = (*index, *([slice(None)] * (input.rank - len(index))))
    steps = [item.step or 1 for item in index if isinstance(item, slice) and item.start in (None, 0)]
    whole = all(isinstance(item, slice) and item.stop is None for item in index)
    if not whole or len(steps) != input.rank or any(step != 1 for step in steps[:2]):
        raise Refused(
            ("it takes a part of a map", "only x[:, :, ::s, ::s] exists; split the channels by convolutions")
        )
    return input if set(steps) == {1} else draft.subsample(where, input, (steps[2], steps[3]), 0, 0)


HANDLERS: dict[str, Callable[..., Value]] = {
    "conv2d": _conv2d,
    "linear": _linear,
    "batch_norm": _batch_norm,
    "relu": _relu,
    "relu6": _relu6,
    "hardtanh": _hardtanh,
    **dict.fromkeys(("clamp", "clip", "clamp_min"), _clamp),
    "max_pool2d": _max_pool2d,
    "avg_pool2d": _avg_pool2d,
    "adaptive_avg_pool2d": _adaptive_avg_pool2d,
    "mean": _mean,
    **dict.fromkeys(("add", "iadd", "radd"), _add),
    **dict.fromkeys(("cat", "concat", "concatenate"), _cat),
    **dict.fromkeys(("flatten", "view", "reshape", "squeeze", "unsqueeze"), _reshape),
    **dict.fromkeys(("dropout", "dropout1d", "dropout2d", "alpha_dropout", "feature_dropout"), _dropout),
    "pad": _pad,
    "getitem": _getitem,
}
