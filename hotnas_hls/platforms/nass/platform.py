"""Private inference as a platform of the search: fewer bytes, or less time, for a network's accuracy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from hotnas_hls.network.operations import Operation
from hotnas_hls.platforms.metric import Metric
from hotnas_hls.platforms.nass.constants import PrivateConstants, load_constants
from hotnas_hls.platforms.nass.model import private_layers, private_violations
from hotnas_hls.platforms.operators import OperatorPlatform
from hotnas_hls.platforms.platform import LayerCost, Remedy

TERMS = ("homomorphic", "garbled")
LABELS = {"homomorphic": "H", "garbled": "G"}


class PrivateInferencePlatform(OperatorPlatform[PrivateConstants]):
    """A client with an image and a server with a network, neither of whom shows the other what it has."""

    registered: ClassVar[str] = "nass"
    titled: ClassVar[str] = "private inference with {}'s constants"
    about: ClassVar[str] = "private inference after Gazelle: linear layers on ciphertexts, ReLU in circuits"
    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric("seconds", "s", "one image, client and server in turn, without the network between them"),
        Metric("bytes", "B", "sent for one image, both ways, tables of the circuits included"),
        Metric("homomorphic_s", "s", "of the seconds, those on ciphertexts"),
        Metric("garbled_s", "s", "of the seconds, those in garbled circuits"),
        Metric("offline_bytes", "B", "of the bytes, those that need no image: tables of the circuits"),
        Metric("online_bytes", "B", "of the bytes, the others: labels and ciphertexts"),
    )
    full_bits = 8  # 16 bits of each factor are more than ciphertexts hold
    multiple = 8
    remedies_of: ClassVar[Mapping[str, tuple[Remedy, ...]]] = {
        "G": (Remedy.CHANNEL_CUT, Remedy.WEIGHT_BITS, Remedy.ACT_BITS),  # fewer ReLUs, narrower shares
        "H": (Remedy.CHANNEL_CUT,),
    }
    load_constants = staticmethod(load_constants)

    def broken(self, layers: Sequence[Operation]) -> list[str]:
        """Operators that are not modelled, maps and shares that ciphertexts do not hold."""
        return private_violations(layers, self.constants)

    def layer_costs(self, layers: Sequence[Operation]) -> tuple[tuple[LayerCost, ...], dict[str, float]]:
        """Every layer with weights, with the circuits behind it."""
        found = private_layers(layers, self.constants)
        totals = {metric.name: sum(sum(one.parts(metric.name)) for one in found) for metric in self.metrics}
        costs = []
        for one in found:
            terms = dict(zip(TERMS, one.parts(self.objective.name), strict=True))
            label = LABELS[max(terms, key=lambda name: terms[name])]
            costs.append(LayerCost(one.name, sum(terms.values()), terms, label))
        return tuple(costs), totals
