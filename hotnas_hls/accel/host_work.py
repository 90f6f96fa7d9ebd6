"""What the host does around the accelerator: it prepares the image and makes answers of the outputs.

    raw image --transposed, scaled, shifted--> image --accelerator--> logits --softmax, ...--> answer

Networks bring such operators inside; on the host they cost a pass over the image and one over the logits,
and the accelerator needs no operator for them. Logits are whatever a network ends in: values of classes, or
maps of boxes and masks. Where it returns such maps rearranged and joined, the host puts them together.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from math import prod

import numpy as np

from hotnas_hls.accel.image_layout import Shape
from hotnas_hls.accel.pieces import Piece
from hotnas_hls.base.names import name_violation
from hotnas_hls.base.records import LATER

MOST_VALUES = 1 << 26  # of a view
SOLE = "logits"  # what the only output of a network is called


class Answer(StrEnum):
    """What the host makes of the logits, over the channels of every pixel, or an axis of a view."""

    SOFTMAX = "softmax"
    LOG_SOFTMAX = "log_softmax"
    SIGMOID = "sigmoid"
    ARGMAX = "argmax"

    def of(self, logits: np.ndarray, axis: int) -> np.ndarray:
        """The answer to logits over an axis: as floats, or as classes int64, the axis then of 1."""
        if self is Answer.ARGMAX:
            return logits.argmax(axis=axis, keepdims=True)
        if self is Answer.SIGMOID:
            with np.errstate(over="ignore"):  # exp of a large number: 1 / infinity is the 0 it should be
                return 1 / (1 + np.exp(-logits))
        shifted = logits - logits.max(axis=axis, keepdims=True)
        total = np.exp(shifted).sum(axis=axis, keepdims=True)
        return np.exp(shifted) / total if self is Answer.SOFTMAX else shifted - np.log(total)


@dataclass(frozen=True)
class Preparation:
    """image = raw, its axes in the order ``axes``, times ``scale`` plus ``offset`` of its channel."""

    source: Shape  # of the raw image
    axes: tuple[int, int, int]  # which axis of the raw image holds channels, rows and columns
    scale: tuple[float, ...]  # one for each channel
    offset: tuple[float, ...]

    @property
    def target(self) -> Shape:
        """(channels, rows, columns) of the image the network reads."""
        channels, rows, columns = (self.source[axis] for axis in self.axes)
        return channels, rows, columns

    def violations(self, image: Shape) -> list[str]:
        """What does not fit each other, or the ``image`` that the network reads."""
        found = []
        if sorted(self.axes) != [0, 1, 2]:
            found.append(f"preparation.axes = {self.axes}: must be 0, 1 and 2 in some order")
        elif min(self.source) < 1:
            found.append(f"preparation.source = {self.source}: must be at least 1 x 1 x 1")
        elif self.target != image:
            wanted, made = ("x".join(map(str, shape)) for shape in (image, self.target))
            found.append(f"preparation: makes an image of {made}, the network reads {wanted}")
        else:
            for name in ("scale", "offset"):
                values = getattr(self, name)
                if len(values) != self.target[0]:
                    found.append(
                        f"preparation.{name}: {len(values)} values for {self.target[0]} channels; "
                        "give one for each"
                    )
                if not np.isfinite(values).all():
                    found.append(f"preparation.{name}: not every value is finite")
        return found

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Raw images (..., *source) as the network reads them, float64 (..., C, H, W)."""
        if images.shape[-3:] != self.source:
            raise ValueError(f"the image is {images.shape[-3:]}, the host prepares {self.source}")
        first = images.ndim - 3
        images = images.transpose(*range(first), *(first + axis for axis in self.axes))
        scale, offset = (np.array(values)[:, None, None] for values in (self.scale, self.offset))
        return images.astype(np.float64) * scale + offset  # as the drivers do: rounded once, to integers


@dataclass(frozen=True)
class Output:
    """A feature map that the host reads, under its own name, and what the host makes of it."""

    map: str
    name: str = SOLE
    answer: Answer | None = None

    def answered(self, logits: np.ndarray) -> np.ndarray:
        """Logits (B, C, H, W) as the answer: float32 of that shape, or the classes (B, 1, H, W), int64."""
        return logits if self.answer is None else self.answer.of(logits, axis=1)


@dataclass(frozen=True)
class View:
    """What the network returns of its outputs rearranged and joined, under its own name."""

    name: str
    shape: tuple[int, ...]  # of an image
    pieces: tuple[Piece, ...]
    answer: Answer | None = None
    axis: int = 0  # of the shape, which the answer is taken over

    def of(self, logits: Mapping[str, np.ndarray]) -> np.ndarray:
        """Logits (B, C, H, W) of the outputs by name as (B, *shape), or the answer to that."""
        flat = {piece.output: logits[piece.output] for piece in self.pieces}
        flat = {name: values.reshape(len(values), -1) for name, values in flat.items()}
        first = next(iter(flat.values()))
        view = np.empty((len(first), prod(self.shape)), first.dtype)
        for piece in self.pieces:
            view[:, piece.places] = flat[piece.output][:, piece.values]
        view = view.reshape(len(first), *self.shape)
        return view if self.answer is None else self.answer.of(view, self.axis + 1)

    def violations(self, outputs: Mapping[str, int]) -> list[str]:
        """What is wrong with it, where outputs have so many values."""
        found = [problem] if (problem := name_violation(self.name)) else []
        if not self.shape or min(self.shape) < 1:
            found.append(f"{self.name}: shape = {list(self.shape)}: must be at least 1 on every axis")
        elif prod(self.shape) > MOST_VALUES:
            found.append(f"{self.name}: {prod(self.shape):,} values; at most {MOST_VALUES:,}")
        if not 0 <= self.axis < max(1, len(self.shape)):
            found.append(f"{self.name}: axis = {self.axis}: must be one of its shape's {len(self.shape)}")
        for number, piece in enumerate(self.pieces):
            if piece.output not in outputs:
                known = ", ".join(outputs)
                found.append(f"{self.name}: there is no output {piece.output!r}; known: {known}")
            elif problem := piece.violation(outputs[piece.output]):
                found.append(f"{self.name}: piece {number}: {problem}")
        if not found and not self._is_filled():
            shape = "x".join(map(str, self.shape))
            found.append(f"{self.name}: its pieces must fill {shape}, each place once")
        return found

    def _is_filled(self) -> bool:
        size = prod(self.shape)
        if sum(piece.count for piece in self.pieces) != size:
            return False
        places = np.concatenate([piece.places for piece in self.pieces])
        return bool(np.array_equal(np.sort(places), np.arange(size)))


@dataclass(frozen=True)
class HostWork:
    """The work of the host before and behind the accelerator."""

    preparation: Preparation | None = None  # None: images are read as they are
    outputs: tuple[Output, ...] = ()
    # All that the network returns, where that is not its outputs one by one.
    views: tuple[View, ...] = field(default=(), metadata=LATER)

    @classmethod
    def reading(cls, *maps: str) -> HostWork:
        """No more than to read these feature maps; several are called by their names."""
        return cls(outputs=tuple(Output(name, SOLE if len(maps) == 1 else name) for name in maps))

    @property
    def is_some(self) -> bool:
        """True where there is more to do than to write the image and to read the outputs."""
        return self.preparation is not None or self.makes_results

    @property
    def makes_results(self) -> bool:
        """True where what the network returns is not its outputs as they are."""
        return bool(self.views) or self.answers

    @property
    def answers(self) -> bool:
        """True where the host computes something of what it reads."""
        return any(made.answer is not None for made in self.returned)

    @property
    def returned(self) -> tuple[Output | View, ...]:
        """What the network returns, in its order."""
        return self.views or self.outputs

    def results(self, maps: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """What the network returns, by name, of its maps (B, C, H, W)."""
        if not self.views:
            return {output.name: output.answered(maps[output.map]) for output in self.outputs}
        logits = {output.name: maps[output.map] for output in self.outputs}
        return {view.name: view.of(logits) for view in self.views}

    @property
    def maps(self) -> tuple[str, ...]:
        """The feature maps of the outputs, each once."""
        return tuple(dict.fromkeys(output.map for output in self.outputs))

    @property
    def logits(self) -> str:
        """The feature map of the only output; ValueError where there are several."""
        if len(self.outputs) != 1:
            raise ValueError(f"{len(self.outputs)} outputs, where one is expected")
        return self.outputs[0].map

    def prepared(self, images: np.ndarray) -> np.ndarray:
        """Raw images as the network's input."""
        return images if self.preparation is None else self.preparation(images)

    def renamed(self, maps: Mapping[str, str]) -> HostWork:
        """The same where feature maps are called otherwise."""
        return replace(
            self, outputs=tuple(replace(out, map=maps.get(out.map, out.map)) for out in self.outputs)
        )

    def output_violations(self, maps: Collection[str]) -> list[str]:
        """Outputs that are none of ``maps``, or whose names clash or cannot stand in a file."""
        if not self.outputs:
            return ["host.outputs: none; name the feature maps that the host reads"]
        found = [
            f"host.outputs: there is no feature map {name!r}; known: {', '.join(maps)}"
            for name in self.maps
            if name not in maps
        ]
        names = [output.name for output in self.outputs]
        found += [f"host.outputs: {problem}" for name in names if (problem := name_violation(name))]
        twice = dict.fromkeys(name for name in names if names.count(name) > 1)
        return found + [f"host.outputs: {name}: given twice; rename one" for name in twice]

    def view_violations(self, values: Mapping[str, int]) -> list[str]:
        """Views that are not made of the outputs, each a map of so many ``values``, or whose names clash."""
        outputs = {output.name: values[output.map] for output in self.outputs}
        found = [problem for view in self.views for problem in view.violations(outputs)]
        found += [
            f"{output.name}: {output.answer} is taken of an output beside views; give a view the answer"
            for output in self.outputs
            if self.views and output.answer is not None
        ]
        names = [view.name for view in self.views]
        twice = dict.fromkeys(name for name in names if names.count(name) > 1)
        found += [f"{name}: given twice; rename one" for name in twice]
        return [f"host.views: {problem}" for problem in found]

    def __str__(self) -> str:
        before, told = self.preparation, []
        if before is not None:
            parts = []
            if before.axes != (0, 1, 2):
                raw, image = ("x".join(map(str, shape)) for shape in (before.source, before.target))
                parts.append(f"transposes {raw} to {image}")
            if set(before.scale) != {1.0} or any(before.offset):
                parts.append("scales and shifts each channel")
            told.append(f"{' and '.join(parts)} of the image")
        for view in self.views:
            maps, shape = dict.fromkeys(piece.output for piece in view.pieces), "x".join(map(str, view.shape))
            several = f"puts {', '.join(maps)} together as {view.name} of {shape}"
            told.append(f"arranges the {view.name} as {shape}" if [*maps] == [view.name] else several)
        told += [f"takes the {made.answer} of the {made.name}" for made in self.returned if made.answer]
        return f"the host {', then '.join(told)}" if told else "nothing is left to the host"
