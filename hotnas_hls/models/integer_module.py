"""An integer network as a torch module: it computes what the hardware computes, and can be trained.

Values are real (integer * 2**-frac_bits), so every number is exact in float32 as long as no sum can reach
2**24 units of the accumulator (:func:`is_exact`; 8-bit activations and weights of a CIFAR network); in
evaluation the outputs then are the integer network's, bit for bit. Rounding passes the gradient straight
through, a clamp passes it inside its range only.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hotnas_hls.accel.integers.activation import SEGMENT_BITS, SEGMENTS, SHIFT
from hotnas_hls.accel.integers.bounds import accumulator_ranges
from hotnas_hls.accel.integers.reference_batch import FLOAT32_EXACT
from hotnas_hls.accel.layer import IntegerNetwork, Layer, LayerKind, LayerNumbers
from hotnas_hls.models.task import Answers, joined
from hotnas_hls.network.fixed_point import quantised

BIAS_BITS = 32
BATCH = 64  # images evaluated at a time


def is_exact(net: IntegerNetwork) -> bool:
    """True where float32 holds every sum of ``net``, so that its module computes its integers exactly."""
    return all(max(-low, high) < FLOAT32_EXACT for low, high in accumulator_ranges(net).values())


class IntegerModule(nn.Module):
    """The layers of ``net``; those in ``trained`` can be trained, from their integers on."""

    def __init__(self, net: IntegerNetwork, trained: Collection[str] = ()) -> None:
        super().__init__()
        self.net = net
        self.layers = nn.ModuleList(
            IntegerLayer(net, layer, net.numbers[layer.name], layer.name in trained) for layer in net.layers
        )
        self.index: Tensor | None
        self.written = {layer.target for layer in net.layers}
        index = None if net.image_layout is None else torch.from_numpy(net.image_layout.index_map())
        self.register_buffer("index", index)

    def forward(self, images: Tensor) -> Answers:
        """Outputs, each (B, C, rows, columns), for images (B, C, H, W) as the network defines them."""
        maps = {self.net.image: self.rounded_image(self.laid(images))}
        for module in self.passes():
            self.write(maps, module.layer, module(*self.inputs(maps, module.layer)))
        return self.outputs(maps)

    @torch.no_grad()
    def answers(self, images: np.ndarray) -> Answers:
        """Outputs for images float32 (B, C, H, W), in evaluation."""
        batches = torch.from_numpy(images).split(BATCH)
        with torch.backends.nnpack.flags(enabled=False):  # its transforms round; oneDNN sums the products
            found = [self(batch.contiguous(memory_format=torch.channels_last)) for batch in batches]
        return joined(found)

    def laid(self, images: Tensor) -> Tensor:
        """Images as the stem reads them."""
        if self.index is None:
            return images
        flat = F.pad(images.flatten(1), (0, 1))  # OUTSIDE is -1: the zero behind the last element
        return flat[:, self.index]

    def rounded_image(self, images: Tensor) -> Tensor:
        """Images in the format of the image feature map."""
        limit = 1 << (self.net.act_bits - 1)
        return fixed(images, self.net.feature_maps[self.net.image].frac_bits, -limit, limit - 1)

    def passes(self) -> list[IntegerLayer]:
        """The layers in the order they run."""
        return [module for module in self.layers if isinstance(module, IntegerLayer)]

    def inputs(self, maps: dict[str, Tensor], layer: Layer) -> tuple[Tensor, Tensor | None]:
        """What a layer reads (B, N, rows, columns), as it sees it, and its residual."""
        source = self.read(maps, layer.source)
        source = source.reshape(*source.shape[:2], layer.in_rows, layer.in_columns)
        if layer.residual is None:
            return source, None
        residual = self.read(maps, layer.residual)
        return source, residual.reshape(len(residual), *layer.residual_shape)

    def write(self, maps: dict[str, Tensor], layer: Layer, values: Tensor) -> None:
        """Put into ``maps`` what a layer writes (B, M, R, C): its target, or the rows of it that are its own.

        Tensors that are there already stay as they are.
        """
        if layer.target_rows > 1:
            rows, step = layer.out_rows, layer.target_rows
            before = maps.get(layer.target)
            parts = (
                values.new_zeros(*values.shape[:2], rows, step, layer.out_columns)
                if before is None
                else before.reshape(*values.shape[:2], rows, step, layer.out_columns).clone()
            )
            parts[:, :, :, layer.target_row] = values
            values = parts
        target = self.net.feature_maps[layer.target]
        maps[layer.target] = values.reshape(len(values), target.channels, target.rows, target.columns)

    def outputs(self, maps: dict[str, Tensor]) -> Answers:
        """What the host reads, each map once."""
        return tuple(self.read(maps, name) for name in self.net.host.maps)

    def read(self, maps: dict[str, Tensor], name: str) -> Tensor:
        """Feature map ``name`` of those that were written, or put together from its parts."""
        if name not in maps:
            whole = self.net.feature_maps[name]
            root, end = whole.concat_of or name, whole.concat_offset + whole.channels
            if root in maps:  # a slice of what was written whole
                return maps[root][:, whole.concat_offset : end]
            parts = [
                fm
                for fm in self.net.feature_maps.values()
                if fm.concat_of == root
                and fm.name in self.written
                and whole.concat_offset <= fm.concat_offset < end
            ]
            maps[name] = torch.cat(
                [maps[fm.name] for fm in sorted(parts, key=lambda fm: fm.concat_offset)], dim=1
            )
        return maps[name]

    def integer_network(self) -> IntegerNetwork:
        """The integers as they are now, in the formats the module was made with."""
        return replace(self.net, numbers={module.layer.name: module.numbers() for module in self.passes()})


class IntegerLayer(nn.Module):
    """One pass over the accelerator."""

    mask: Tensor | None  # of what need not be zero, shaped as the weights; None: everything

    def __init__(
        self, net: IntegerNetwork, layer: Layer, numbers: LayerNumbers, trained: bool = False
    ) -> None:
        super().__init__()
        self.layer, self._numbers, self._limit = layer, numbers, 1 << (net.act_bits - 1)
        self._act_bits = net.act_bits
        self.weight_frac = numbers.weight_frac_bits
        self.sum_frac = net.feature_maps[layer.source].frac_bits + self.weight_frac
        self.ofm_frac = net.feature_maps[layer.target].frac_bits
        self.stored_frac = self.sum_frac - numbers.output_shift  # between the clamps
        self.value_frac = self.ofm_frac  # of the activation
        if layer.residual_multiplies and layer.residual is not None:
            self.value_frac += numbers.residual_shift - net.feature_maps[layer.residual].frac_bits
        self.register_buffer("mask", None)
        if layer.kind is LayerKind.MAXPOOL:
            return
        weights, bias = numbers.weights * 2.0**-self.weight_frac, numbers.bias * 2.0**-self.sum_frac
        self.weight = nn.Parameter(torch.tensor(weights, dtype=torch.float32), trained)
        self.bias = nn.Parameter(torch.tensor(bias, dtype=torch.float32), trained)
        layout = net.image_layout
        if layout is not None and layer.source == net.image:  # cells beside the original kernel stay zero
            self.mask = torch.from_numpy(layout.kernel_map() >= 0).float()
        elif numbers.patterns is not None and numbers.pattern_index is not None:
            self.mask = torch.from_numpy(numbers.patterns[numbers.pattern_index]).float()

    def forward(self, x: Tensor, residual: Tensor | None) -> Tensor:
        if self.layer.kind is LayerKind.MAXPOOL:
            return self.stored(self.sums(x, residual), residual)
        limit = 1 << (self.layer.weight_bits - 1)
        weight = self.weight if self.mask is None else self.weight * self.mask
        weight = fixed(weight, self.weight_frac, -limit, limit - 1)
        bias = fixed(self.bias, self.sum_frac, -(1 << BIAS_BITS - 1), (1 << BIAS_BITS - 1) - 1)
        return self.stored(self.sums(x, residual, weight, bias), residual)

    def sums(
        self, x: Tensor, residual: Tensor | None, weight: Tensor | None = None, bias: Tensor | None = None
    ) -> Tensor:
        """What is accumulated (B, M, rows, columns), under these weights; of a maximum, without."""
        layer = self.layer
        if weight is None:
            x = F.pad(x, self.padding(), value=-torch.inf)
            total = F.max_pool2d(x, (layer.kernel_rows, layer.kernel_columns), layer.strides)
        else:
            groups = 1 if layer.kind is LayerKind.CONV else layer.n
            left, right, top, bottom = self.padding()
            if (left, top) == (right, bottom) and min(left, top) >= 0:  # its own padding takes no time
                total = F.conv2d(x, weight, bias, layer.strides, (top, left), groups=groups)
            else:
                x = F.pad(x, (left, right, top, bottom))
                total = F.conv2d(x, weight, bias, layer.strides, groups=groups)
        return total if residual is None or layer.residual_multiplies else total + residual

    def stored(self, sums: Tensor, residual: Tensor | None) -> Tensor:
        """What is written of the sums: rounded, between the clamps, what lines and a product make of that."""
        value = fixed(sums, self.stored_frac, self._numbers.clamp_low, self._numbers.clamp_high)
        limits = -self._limit, self._limit - 1
        if self._numbers.lines is not None:
            value = fixed(self.on_lines(value), self.value_frac, *limits).float()
        if residual is not None and self.layer.residual_multiplies:
            value = fixed(value.double() * residual.double(), self.ofm_frac, *limits).float()
        return value

    def on_lines(self, stored: Tensor) -> Tensor:
        """The lines of rounded values, not rounded: float64, which holds them exactly."""
        lines = torch.tensor(self._numbers.lines, dtype=torch.float64)
        within = self._act_bits - SEGMENT_BITS
        units = stored.double() * 2.0**self.stored_frac
        whole = units.detach().clamp(-self._limit, self._limit - 1).floor().long()
        base, rise = lines[whole >> within & SEGMENTS - 1].unbind(-1)
        start = (whole >> within << within).double()
        value = base * 2.0**within + rise * (units - start)
        return value * 2.0 ** -(SHIFT + self.value_frac)

    def clamped(self, sums: Tensor, residual: Tensor | None) -> Tensor:
        """What is written without rounding; what only the format limits is not clamped."""
        low, high, unit = self._numbers.clamp_low, self._numbers.clamp_high, 2.0**-self.stored_frac
        lowest = low * unit if low > -self._limit else None
        highest = high * unit if high < self._limit - 1 else None
        if lowest is not None or highest is not None:
            sums = sums.clamp(lowest, highest)
        value = sums if self._numbers.lines is None else self.on_lines(sums).float()
        return value * residual if residual is not None and self.layer.residual_multiplies else value

    def padding(self) -> tuple[int, int, int, int]:
        """Left, right, top, bottom; negative where the last rows or columns are not read."""
        layer = self.layer
        rows = (layer.out_rows - 1) * layer.strides[0] + layer.kernel_rows - layer.pad_top
        columns = (layer.out_columns - 1) * layer.strides[1] + layer.kernel_columns - layer.pad_left
        return layer.pad_left, columns - layer.in_columns, layer.pad_top, rows - layer.in_rows

    def numbers(self) -> LayerNumbers:
        """The layer's integers, rounded from what was trained."""
        if self.layer.kind is LayerKind.MAXPOOL or not self.weight.requires_grad:
            return self._numbers
        weight = (self.weight if self.mask is None else self.weight * self.mask).detach().numpy()
        return self.rounded(weight, self.bias.detach().numpy())

    def rounded(self, weight: np.ndarray, bias: np.ndarray) -> LayerNumbers:
        """Real weights and bias as integers in the layer's formats."""
        return replace(
            self._numbers,
            weights=quantised(weight, self.weight_frac, self.layer.weight_bits),
            bias=quantised(bias, self.sum_frac, BIAS_BITS).astype(np.int64),
        )


def fixed(values: Tensor, frac_bits: int, low: int, high: int) -> Tensor:
    """``values`` rounded half up to steps of 2**-frac_bits, between ``low`` and ``high`` steps."""
    found: Tensor = _Fixed.apply(values, 2.0**frac_bits, low, high)
    return found


class _Fixed(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, scale: float, low: int, high: int) -> Tensor:
        rounded = (values * scale).add_(0.5).floor_()
        if not ctx.needs_input_grad[0]:
            return rounded.clamp_(low, high).mul_(1 / scale)
        ctx.save_for_backward(rounded)
        ctx.inside = low - 0.5, high + 0.5  # whole numbers from low to high lie between these
        return rounded.clamp(low, high).mul_(1 / scale)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None]:
        (rounded,) = ctx.saved_tensors
        return torch.ops.aten.hardtanh_backward(gradients[0], rounded, *ctx.inside), None, None, None
