"""What the host does around the accelerator: it prepares the image and makes answers of the outputs.

    raw image --transposed, scaled, shifted--> image --accelerator--> logits --softmax, ...--> answer

Networks bring such operators inside; on the host they cost a pass over the image and one over the logits,
and the accelerator needs no operator for them. Logits are whatever a network ends in: values of classes, or
maps of boxes and masks.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from hotnas_hls.accel.image_layout import Shape
from hotnas_hls.base.names import name_violation

SOLE = "logits"  # what the only output of a network is called


class Answer(StrEnum):
    """What the host makes of the logits, over the channels of every pixel."""

    SOFTMAX = "softmax"
    LOG_SOFTMAX = "log_softmax"
    SIGMOID = "sigmoid"
    ARGMAX = "argmax"


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
        if self.answer is None:
            return logits
        if self.answer is Answer.ARGMAX:
            return logits.argmax(axis=1, keepdims=True)
        if self.answer is Answer.SIGMOID:
            with np.errstate(over="ignore"):  # exp of a large number: 1 / infinity is the 0 it should be
                return 1 / (1 + np.exp(-logits))
        shifted = logits - logits.max(axis=1, keepdims=True)
        total = np.exp(shifted).sum(axis=1, keepdims=True)
        return np.exp(shifted) / total if self.answer is Answer.SOFTMAX else shifted - np.log(total)


@dataclass(frozen=True)
class HostWork:
    """The work of the host before and behind the accelerator."""

    preparation: Preparation | None = None  # None: images are read as they are
    outputs: tuple[Output, ...] = ()

    @classmethod
    def reading(cls, *maps: str) -> HostWork:
        """No more than to read these feature maps; several are called by their names."""
        return cls(outputs=tuple(Output(name, SOLE if len(maps) == 1 else name) for name in maps))

    @property
    def is_some(self) -> bool:
        """True where there is more to do than to write the image and to read the outputs."""
        return self.preparation is not None or self.answers

    @property
    def answers(self) -> bool:
        """True where something is made of an output."""
        return any(output.answer is not None for output in self.outputs)

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
        told += [f"takes the {out.answer} of the {out.name}" for out in self.outputs if out.answer]
        return f"the host {', then '.join(told)}" if told else "nothing is left to the host"
