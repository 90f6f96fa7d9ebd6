"""A network graph in the making: what each operator means on the accelerator, once for every kind of source.

The readers of torch modules and of ONNX files translate arguments into calls of :class:`Draft`. Axes count
that of the images as 0. Each call adds nodes, rearranges a value, leaves work to the host, or raises
:class:`Refused`; the reader notes refusals and goes on, so that a user sees all at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from math import prod
from typing import Any

import numpy as np

from hotnas_hls.accel.layer import LARGEST_SIDE
from hotnas_hls.frontends.nodes import IMAGES_FIRST, MOST_VALUES, details_of
from hotnas_hls.frontends.normalising import Normalising
from hotnas_hls.frontends.refusal import Refused, times
from hotnas_hls.frontends.spreading import strided_channels
from hotnas_hls.frontends.tensor import Value
from hotnas_hls.network.graph import Node, OpKind, Shape


class Draft(Normalising):
    """All operators: those below rearrange and join tensors, the others are those of the classes beneath.

    :class:`~hotnas_hls.frontends.nodes.Nodes` collects, :class:`~hotnas_hls.frontends.reading.MapReader`
    reads tensors as maps, :class:`~hotnas_hls.frontends.host_steps.HostSteps` begins and ends a network,
    :class:`~hotnas_hls.frontends.weighted.Weighted`, :class:`~hotnas_hls.frontends.elementwise.Elementwise`,
    :class:`~hotnas_hls.frontends.pooling.Pooling`, :class:`~hotnas_hls.frontends.enlarging.Enlarging` and
    :class:`~hotnas_hls.frontends.normalising.Normalising` compute.
    """

    def node(self, where: str, like: Node, sources: Sequence[Value], shape: Shape) -> Value:
        """A node without weights that does what ``like`` does, of maps of its own sizes."""
        maps = [self._whole(where, source) for source in sources]
        return self._add(where, like.kind, maps, shape, **details_of(like))

    def reshape(self, where: str, source: Value, sizes: Sequence[int]) -> Value:
        """The same values under other axes; ``sizes`` are those of all of them, images first."""
        if sizes[0] != self.batch or prod(sizes[1:]) != prod(source.dims):
            raise Refused((f"it reshapes to {times(sizes)}, mixing images", IMAGES_FIRST))
        return source.reshaped(sizes[1:], where)

    def expand(self, where: str, source: Value, sizes: Sequence[int]) -> Value:
        """Its values repeated along axes of a single one; ``sizes``: of all axes, images first."""
        if sizes[0] != self.batch or len(sizes) != source.rank:
            raise Refused((f"it repeats {times(source.dims)} to {times(sizes)}", IMAGES_FIRST))
        return self._repeated(where, source, sizes[1:])

    def tile(self, where: str, source: Value, repeats: Sequence[int]) -> Value:
        """The whole tensor several times along axes; ``repeats``: of all axes, images first."""
        if len(repeats) != source.rank or repeats[0] != 1:
            raise Refused((f"it repeats {times(source.dims)} {times(repeats)} times", IMAGES_FIRST))
        sizes = [size * count for size, count in zip(source.dims, repeats[1:], strict=True)]
        if max(sizes) > LARGEST_SIDE or not 0 < prod(sizes) <= MOST_VALUES:
            raise Refused((f"it repeats {times(source.dims)} to {times(sizes)}", "use smaller maps"))
        return source.picked(np.tile(source.numbers, repeats[1:]), where)

    def squeeze(self, where: str, source: Value, axes: Sequence[int] | None) -> Value:
        """Without ``axes`` of one value; None: without any of those behind the images' axis."""
        dropped = (
            {self.axis(source, axis) for axis in axes} if axes is not None else set(range(1, source.rank))
        )
        if axes is not None and any(source.dims[axis - 1] != 1 for axis in dropped):
            raise Refused(
                (f"it drops axes {sorted(dropped)} of {times(source.dims)}", "drop axes of one value only")
            )
        dims = [size for axis, size in enumerate(source.dims, 1) if size != 1 or axis not in dropped]
        return source.reshaped(dims, where)

    def take(self, where: str, source: Value, index: Sequence[Any]) -> Value:
        """``tensor[index]``, an entry for every axis behind the images'."""
        return source.taken(tuple(index), where)

    def pad(self, where: str, source: Value, before: Sequence[int], after: Sequence[int]) -> Value:
        """Zeros around a tensor, counts for every axis; kept until the convolution that reads it."""
        if before[0] or after[0]:
            raise Refused(("it adds images", IMAGES_FIRST))
        added = [b + a for b, a in zip(before[1:], after[1:], strict=True)]
        if any(abs(count) > LARGEST_SIDE for count in (*before, *after)) or (
            prod(max(0, side + count) for side, count in zip(source.dims, added, strict=True)) > MOST_VALUES
        ):
            raise Refused((f"it pads {times(source.dims)} by {times(added)}", "use smaller maps"))
        cut = min((*before, *after)) < 0
        if cut and any(
            side + b + a < 1 for side, b, a in zip(source.dims, before[1:], after[1:], strict=True)
        ):
            raise Refused(("it cuts more than there is", "keep a part of the map"))
        self._check(source)
        return source.padded(before[1:], after[1:], where)

    def concat(self, where: str, sources: Sequence[Value | np.ndarray], axis: int) -> Value:
        """Several tensors one after the other; constants of zeros are channels of zeros.

        Channels of maps are a node. What no node can hold is left to what reads it: the end of the network
        or a linear layer.
        """
        values = [source for source in sources if isinstance(source, Value)]
        along = self.axis(values[0], axis) - 1
        if len(values) < len(sources):
            if along:
                raise Refused(
                    (f"it joins maps with constants along axis {axis}", "concatenate computed maps only")
                )
            return self._with_zero_channels(where, sources, values)
        others = {(source.rank, source.dims[:along], source.dims[along + 1 :]) for source in values}
        if len(others) > 1:
            shapes = ", ".join(times(source.dims) for source in values)
            raise Refused((f"it joins maps of {shapes}", "join maps of the same sizes on every other axis"))
        if len(values) == 1:
            return values[0]
        flattened = any(len(source.dims) == 1 and source.shape[1:] != (1, 1) for source in values)
        if len({source.name for source in values}) == 1:
            of_one_map = self._join(where, values, along)
            if strided_channels(of_one_map) is not None:  # every so many pixels, for a convolution of all
                return of_one_map
        if along == 0 and not flattened:
            with suppress(Refused):
                return self._of_channels(where, values)
        return self._join(where, values, along)

    def _of_channels(self, where: str, values: Sequence[Value]) -> Value:
        """A node of the channels of several maps; Refused where they are not that."""
        if len({source.shape[1:] for source in values}) > 1 or any(
            source.order is not None and not self._is_permuted(source) for source in values
        ):
            values = [self._whole(where, source) for source in values]
        channels = sum(source.shape[0] for source in values)
        bases, first = [], 0
        elements = []
        for source in values:
            bases.append(self._plain_of(source))
            elements.append(source.elements + first)
            first += prod(source.shape)
        value = self._add(where, OpKind.CONCAT, bases, (channels, *values[0].shape[1:]))
        return value.seen(np.concatenate(elements), where)

    def stack(self, where: str, sources: Sequence[Value], axis: int) -> Value:
        """Equal tensors beside each other along a new axis behind that of the images."""
        dims, rank = sources[0].dims, sources[0].rank + 1
        along = axis % rank - 1
        if along < 0 or len({source.dims for source in sources}) > 1:
            raise Refused((f"it stacks along axis {axis}", "stack equal tensors behind the images' axis"))
        if along == 0:
            return self.concat(where, sources, 1).reshaped((len(sources), *dims), where)
        single = (*dims[:along], 1, *dims[along:])
        return self.concat(where, [source.reshaped(single, where) for source in sources], along + 1)

    @staticmethod
    def _is_permuted(value: Value) -> bool:
        """True where every element of the map stands somewhere once."""
        return np.array_equal(np.sort(value.elements, axis=None), np.arange(prod(value.shape)))

    def _with_zero_channels(
        self, where: str, sources: Sequence[Value | np.ndarray], values: Sequence[Value]
    ) -> Value:
        constants = [source for source in sources if isinstance(source, np.ndarray)]
        if len(values) > 1 or any(bool(item.any()) for item in constants):
            raise Refused(
                ("it joins maps with constants", "concatenate computed maps, or one map with zeros")
            )
        position = next(at for at, item in enumerate(sources) if isinstance(item, Value))
        counts = [0 if isinstance(item, Value) else item.shape[1] for item in sources]
        rest = [0] * (values[0].rank - 2)
        before, after = sum(counts[:position]), sum(counts[position:])
        return self.pad(where, values[0], [0, before, *rest], [0, after, *rest])
