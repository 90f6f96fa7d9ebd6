"""How the integers that a file brings compare with those that onnxruntime computes, map by map.

Each layer is judged by what it makes of the maps of onnxruntime: a step more in one map would show in all
that follow. Both round to the nearest; halfway the accelerator rounds up, QuantizeLinear to the even one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hotnas_hls.accel.integers.reference_batch import run_batch
from hotnas_hls.network.own_integers import OwnIntegers
from hotnas_hls.network.quantise import quantise_image


@dataclass(frozen=True)
class Agreement:
    """What was compared, and by how many steps of a map's scale it differs."""

    act_bits: int
    weight_bits: int
    images: int
    maps: int
    where: str  # the map that differs most, of those that layers make of onnxruntime's
    steps: int  # by which it differs at most
    share: float  # of the values of all these maps that differ
    halves: bool  # all that differ are halves, which the accelerator rounds up, onnxruntime to even
    result: int  # steps by which the result differs at most, where errors follow each other

    def __str__(self) -> str:
        found = (
            f"quantised elsewhere, runs with its own integers: maps of {self.act_bits} bits, weights of "
            f"{self.weight_bits}; on {self.images} images "
        )
        if self.steps == self.result == 0:
            return f"{found}all {self.maps} maps are onnxruntime's, bit for bit"
        within = "within one step" if self.steps < 2 else f"within {self.steps} steps ({self.where})"
        return (
            f"{found}each of {self.maps} maps, made of onnxruntime's, is {within} of its: "
            f"{self.share:.2%} of the values differ{', all halves' if self.halves else ''}; "
            f"the result differs by up to {self.result} steps"
        )


def agreement(own: OwnIntegers, images: np.ndarray, nodes: Mapping[str, np.ndarray]) -> Agreement:
    """Compare ``own`` with what onnxruntime computes.

    images: float32 (B, C, H, W) as the host prepares them; nodes: the reals (B, ...) of graph nodes.
    """
    net, wanted = own.net, own.maps_of(nodes)
    integers = quantise_image(net, images)
    made = {layer.target for layer in net.layers} & {*wanted}
    found = run_batch(net, wanted.get(net.image, integers), sorted(made), wanted)
    found[net.image], wanted[net.image] = integers, wanted.get(net.image, integers)
    apart = {name: values - wanted[name] for name, values in found.items()}
    steps = {name: int(np.abs(values).max(initial=0)) for name, values in apart.items()}
    halves = all(((wanted[name] % 2 == 0) & (by == 1) | (by == 0)).all() for name, by in apart.items())
    where = max(steps, key=lambda name: steps[name])
    results = run_batch(net, integers, net.host.maps)
    return Agreement(
        net.act_bits,
        own.weight_bits,
        len(images),
        len(found),
        where,
        steps[where],
        sum(np.count_nonzero(values) for values in apart.values()) / sum(v.size for v in apart.values()),
        halves,
        max(int(np.abs(values - wanted[name]).max(initial=0)) for name, values in results.items()),
    )
