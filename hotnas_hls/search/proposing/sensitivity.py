"""What each edit, alone and with its layer fitted, does to the network's answers.

In real numbers, so that nothing but the edit moves them. Harms of several edits nearly add up: each moves
the answers its own way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from hotnas_hls.accel.layer import IntegerNetwork
from hotnas_hls.explore.arrangement import PLAIN
from hotnas_hls.explore.integer_layers import IntegerFormat
from hotnas_hls.models.channel_cut import Reader
from hotnas_hls.models.compression import Compression, PatternChoice
from hotnas_hls.models.cut_paths import CutPath, cut_paths
from hotnas_hls.models.edits import pattern_masks
from hotnas_hls.models.integer_module import IntegerLayer, IntegerModule
from hotnas_hls.models.task import Answers, Task
from hotnas_hls.models.train import answers
from hotnas_hls.network.fixed_point import weight_frac_bits
from hotnas_hls.platforms.space import Axis, AxisKind, Candidate, SearchSpace
from hotnas_hls.search.fitting.integer import quantised_network, real_weights
from hotnas_hls.search.fitting.least_squares import Moments
from hotnas_hls.search.fitting.refit import Reals, real_parameters
from hotnas_hls.search.problem import Problem
from hotnas_hls.search.proposing.generate import compression_of

MOST_VALUES = 1 << 28  # of all feature maps, over all images
KINDS = (AxisKind.PRUNE, AxisKind.BITS, AxisKind.CHANNELS, AxisKind.SKIP)  # of the edits measured

Harms = Mapping[tuple[str, int], float]  # name of an axis, option -> divergence of the answers


@dataclass
class Sensitivity:
    """Measures harms: the divergence, by the task, of the answers to some images from those of the network
    as the search starts from it. What was measured for one space is known for the next.
    """

    problem: Problem
    form: IntegerFormat
    images: np.ndarray  # float32 (B, C, H, W)
    _known: dict[Axis, float] = field(default_factory=dict)  # by the axis with an edit as its only option

    @torch.no_grad()
    def harms(
        self, space: SearchSpace, progress: Callable[[int, int], None] = lambda done, total: None
    ) -> Harms:
        """The harm of every option but the first of every axis of these kinds."""
        axes = [axis for axis in space.of_kind(*KINDS) if len(axis.options) > 1]
        total, done = sum(len(axis.options) - 1 for axis in axes), 0
        harms = {}
        for axis in sorted(axes, key=lambda axis: axis.layer):  # layer by layer: its moments are kept
            for option in axis.options[1:]:
                edit = replace(axis, options=(option,))
                if edit not in self._known:
                    self._known[edit] = self._harm(axis, option)
                harms[axis.name, option] = self._known[edit]
                done += 1
                progress(done, total)
        return harms

    def _harm(self, axis: Axis, option: int) -> float:
        only = compression_of(Candidate({axis.name: option}), {axis.name: axis})
        if axis.kind is AxisKind.SKIP:
            found = answers(self.problem.compressed(only), self._looked_at)
            return float(self.problem.task.divergence(found, self._answers))
        if axis.kind is AxisKind.CHANNELS:
            reader = self._paths[axis.layer].reader
            return self._network.harm_of_cut(
                reader, self.problem.readers[axis.layer], only.channels[axis.layer]
            )
        bits = option if axis.kind is AxisKind.BITS else self.form.weight_bits
        return self._network.harm(axis.layer, _mask(self.problem, axis, option), bits)

    @cached_property
    def _looked_at(self) -> np.ndarray:
        """As many of the images as all edits are looked at on."""
        return self.images[: self._network.images]

    @cached_property
    def _answers(self) -> Answers:
        return answers(self.problem.start, self._looked_at)

    @cached_property
    def _paths(self) -> dict[str, CutPath]:
        """By layer whose channels may be cut: what reads them."""
        return cut_paths(self.problem.graph)

    @cached_property
    def _network(self) -> _RealNetwork:
        """Not arranged, which changes no answer."""
        problem, form = self.problem, replace(self.form, refit_images=0, arrangement=PLAIN)
        net = quantised_network(problem, problem.start, Compression(), form)
        reals = real_weights(problem, problem.start, form)
        return _RealNetwork.of(net, reals, self.images, problem.dataset.judged)


def _mask(problem: Problem, axis: Axis, option: int) -> Tensor | None:
    """What pruning keeps of a layer's weights; None where nothing is pruned."""
    if axis.kind is not AxisKind.PRUNE:
        return None
    only = Compression(patterns={axis.layer: PatternChoice(axis.kernel, option, axis.rows, axis.spread)})
    index, masks = pattern_masks(problem.compressed(only))[axis.layer]
    return torch.from_numpy(masks[index]).float()


@dataclass
class _RealNetwork:
    """A network in real numbers on some images: what every layer gave, and what other weights change."""

    module: IntegerModule
    wanted: Reals
    maps: dict[str, Tensor]  # as written, by feature map
    task: Task
    _known: tuple[str, Moments] | None = None

    @classmethod
    def of(cls, net: IntegerNetwork, wanted: Reals, images: np.ndarray, task: Task) -> _RealNetwork:
        values = sum(fm.values for fm in net.feature_maps.values())
        module = IntegerModule(net).eval()
        laid = module.laid(torch.from_numpy(images[: max(1, MOST_VALUES // values)]))
        network = cls(module, wanted, {net.image: laid}, task)
        network._run(0, network.maps)
        return network

    @property
    def images(self) -> int:
        """How many it has answers to."""
        return len(self.maps[self.module.net.image])

    def harm(self, name: str, mask: Tensor | None, bits: int) -> float:
        """Divergence of the answers where layer ``name`` keeps what ``mask`` does, in ``bits`` bits."""
        of = self._layer(name)
        weight, bias = real_parameters(of, self.wanted)
        kept = weight if mask is None else weight * mask
        step = 2.0 ** -weight_frac_bits(kept.numpy(), bits)
        fitted = self._moments(of, weight, bias).fitted(weight, _both(of.mask, mask), step, bits)
        return self._harm(of, fitted)

    def harm_of_cut(self, name: str, read: Reader, keep: int) -> float:
        """Divergence where layer ``name`` reads the ``keep`` channels alone that it needs most."""
        of, kept = self._layer(name), read.kept(keep)
        weight, bias = real_parameters(of, self.wanted)
        found, gained = read.fitted(weight, kept)
        return self._harm(of, (torch.zeros_like(weight).index_copy(1, kept, found), bias + gained))

    def _layer(self, name: str) -> IntegerLayer:
        return next(of for of in self.module.passes() if of.layer.name == name)

    def _harm(self, of: IntegerLayer, parameters: tuple[Tensor, ...]) -> float:
        """Divergence of the answers where a layer has these weights and bias."""
        maps = dict(self.maps)
        self._write(of, maps, parameters)
        self._run(self.module.passes().index(of) + 1, maps)
        return float(self.task.divergence(self._answers(maps), self._answers(self.maps)))

    def _run(self, first: int, maps: dict[str, Tensor]) -> None:
        """Compute the layers from ``first`` on."""
        for of in self.module.passes()[first:]:
            self._write(of, maps, real_parameters(of, self.wanted))

    def _write(self, of: IntegerLayer, maps: dict[str, Tensor], parameters: tuple[Tensor, ...]) -> None:
        """Compute a layer with these weights and bias."""
        inputs = self._inputs(of, maps)
        self.module.write(maps, of.layer, of.clamped(of.sums(*inputs, *parameters), inputs[1]))

    def _inputs(self, of: IntegerLayer, maps: Mapping[str, Tensor]) -> tuple[Tensor, Tensor | None]:
        """What a layer reads, and its residual; a concatenation is put together anew: its parts change."""
        return self.module.inputs(dict(maps), of.layer)

    def _answers(self, maps: Mapping[str, Tensor]) -> Answers:
        return self.module.outputs(dict(maps))

    def _moments(self, of: IntegerLayer, weight: Tensor, bias: Tensor) -> Moments:
        if self._known is None or self._known[0] != of.layer.name:
            inputs, _ = self._inputs(of, self.maps)
            self._known = of.layer.name, Moments.of(of, inputs, of.sums(inputs, None, weight, bias))
        return self._known[1]


def _both(one: Tensor | None, other: Tensor | None) -> Tensor | None:
    return one if other is None else other if one is None else one * other
