"""iSpace: named axes and the candidates they span."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from hotnas_hls.accel.packed_patterns import Spread


class AxisKind(StrEnum):
    """What the value of an axis decides (the gene kinds of section 3)."""

    PRUNE = "prune"  # zeros per kernel of a layer, 0 for dense
    EXPAND = "expand"  # 1: the layer's kernel grows by 2
    CHANNELS = "channels"  # output channels kept
    SKIP = "skip"  # 0: the skip connection that a layer reads is left out
    BITS = "bits"  # width of the layer's weights
    ACT_BITS = "act_bits"  # width of the activations the layer reads
    NOISE = "noise"  # of the weights of the whole network in training, in thousandths
    HARDWARE = "hardware"  # a decision of the platform


@dataclass(frozen=True)
class Axis:
    """One decision: its name and the values it may take.

    ``layer`` is the layer decided about. Of PRUNE axes: the side of its kernels, how many output channels
    in a row share their patterns, and how its kernels lie in those on packed maps.
    """

    name: str
    kind: AxisKind
    options: tuple[int, ...]
    layer: str = ""
    kernel: int = 0
    rows: int = 1
    spread: Spread | None = None

    def __post_init__(self) -> None:
        if not self.options:
            raise ValueError(f"axis {self.name}: no options")
        if len(set(self.options)) != len(self.options):
            raise ValueError(f"axis {self.name}: an option is given twice: {self.options}")


def steps_from(value: int, options: Sequence[int]) -> tuple[int, ...]:
    """``value``, one of ``options``, and those beside it: one step of an axis."""
    place = options.index(value)
    return (value, *options[max(0, place - 1) : place], *options[place + 1 : place + 2])


class Candidate(Mapping[str, int]):
    """A frozen choice of one value per axis."""

    __slots__ = ("_values", "_hash")

    def __init__(self, values: Mapping[str, int]) -> None:
        self._values = {name: int(value) for name, value in values.items()}
        self._hash = hash(frozenset(self._values.items()))

    def __getitem__(self, name: str) -> int:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __hash__(self) -> int:
        return self._hash

    def __reduce__(self) -> tuple[type[Candidate], tuple[dict[str, int]]]:
        return Candidate, (self._values,)  # without the hash, which differs from process to process

    def __repr__(self) -> str:
        return f"Candidate({self._values})"

    def to_json(self) -> str:
        """One line; the same candidate gives the same text."""
        return json.dumps(self._values, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Candidate:
        """Inverse of :meth:`to_json`."""
        return cls(json.loads(text))


@dataclass(frozen=True)
class SearchSpace:
    """The product of its axes."""

    axes: tuple[Axis, ...]

    def __post_init__(self) -> None:
        names = [axis.name for axis in self.axes]
        if len(set(names)) != len(names):
            raise ValueError(f"two axes are called {sorted({n for n in names if names.count(n) > 1})}")

    @property
    def size(self) -> int:
        """Number of candidates."""
        return math.prod(len(axis.options) for axis in self.axes)

    def __contains__(self, candidate: Mapping[str, int]) -> bool:
        return candidate.keys() == {axis.name for axis in self.axes} and all(
            candidate[axis.name] in axis.options for axis in self.axes
        )

    def __getitem__(self, name: str) -> Axis:
        return next(axis for axis in self.axes if axis.name == name)

    def of_kind(self, *kinds: AxisKind) -> tuple[Axis, ...]:
        """The axes of these kinds, in order."""
        return tuple(axis for axis in self.axes if axis.kind in kinds)

    def candidate(self, indices: Mapping[str, int] | list[int]) -> Candidate:
        """The candidate of these option indices, in the order of the axes."""
        picked = indices if isinstance(indices, list) else [indices[axis.name] for axis in self.axes]
        return Candidate(
            {axis.name: axis.options[index] for axis, index in zip(self.axes, picked, strict=True)}
        )

    def sample(self, rng: np.random.Generator) -> Candidate:
        """A candidate drawn evenly."""
        return self.candidate([int(rng.integers(len(axis.options))) for axis in self.axes])

    def to_record(self) -> list[dict[str, Any]]:
        """JSON-ready."""
        return [
            {
                "name": axis.name,
                "kind": str(axis.kind),
                "options": list(axis.options),
                **{key: getattr(axis, key) for key in ("layer", "kernel") if getattr(axis, key)},
                **({"rows": axis.rows} if axis.rows > 1 else {}),
            }
            for axis in self.axes
        ]
