"""What the search asks of a target: workload, design space, cost in named metrics, violations, remedies.

The search knows nothing of tiles or ports; a target is anything that fulfils :class:`Platform`. ``Design`` is
the target's own type, and so are the layers of its workload: the search only passes them back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, runtime_checkable

from hotnas_hls.accel.design_point import Accuracy, DesignPoint
from hotnas_hls.accel.image_layout import StemChoice
from hotnas_hls.accel.layer import IntegerNetwork
from hotnas_hls.accel.pixel_packing import PackingChoice
from hotnas_hls.accel.weights_file import Golden
from hotnas_hls.explore.arrangement import Arrangement
from hotnas_hls.explore.integer_layers import IntegerFormat
from hotnas_hls.explore.workload import Workload
from hotnas_hls.models.compression import Compression
from hotnas_hls.network.graph import Graph
from hotnas_hls.platforms.metric import Metric
from hotnas_hls.platforms.space import Axis
from hotnas_hls.platforms.variation import Varied

if TYPE_CHECKING:
    from torch import nn

Design = TypeVar("Design")
Choices = Mapping[str, int]  # values of the platform's axes by name


class Remedy(StrEnum):
    """What can be done about a bottleneck (section 2.2)."""

    PATTERN = "pattern pruning"
    WEIGHT_BITS = "fewer weight bits"
    ACT_BITS = "fewer activation bits"
    CHANNEL_CUT = "channel cut"
    SKIP_CUT = "skip cut"  # of a skip connection between scales
    KERNEL_EXPAND = "kernel expand"  # spends the slack of compute on accuracy; brings no time
    HARDWARE = "hardware"  # another value of the platform's own axes


@dataclass(frozen=True)
class LayerCost:
    """One layer's cost in the platform's unit, and the named terms it is made of."""

    layer: str
    total: float
    terms: Mapping[str, float]  # by name; the platform decides which there are
    label: str  # the platform's short name of the term that bounds the layer
    on_chip: tuple[str, ...] = ()  # of its data, what need not be moved over the ports


@dataclass(frozen=True)
class Cost:
    """The cost of a workload on a design."""

    layers: tuple[LayerCost, ...]
    total: float  # in the platform's unit
    metrics: Mapping[str, float]  # by name, all of the platform's
    objective: Metric  # the one of them that the search lessens
    usage: Mapping[str, float]  # resources by name
    limits: Mapping[str, float] = field(default_factory=dict)  # of those resources that are limited

    @property
    def value(self) -> float:
        """The objective's."""
        return self.metrics[self.objective.name]

    @property
    def latency_ms(self) -> float:
        """Of platforms that have this metric."""
        return self.metrics["latency_ms"]

    @property
    def work(self) -> float:
        """What all layers cost one by one; ``total``, unless they run side by side."""
        return sum(layer.total for layer in self.layers)

    def shares(self) -> dict[str, float]:
        """Of ``work``, by what bounds the layers."""
        return shares((layer.label, layer.total) for layer in self.layers)

    @property
    def slowest(self) -> LayerCost:
        """The layer that costs most."""
        return max(self.layers, key=lambda layer: layer.total)

    @property
    def tightest(self) -> str | None:
        """The resource nearest its limit, if any is limited."""
        limited = [name for name, limit in self.limits.items() if limit > 0 and name in self.usage]
        return max(limited, key=lambda name: self.usage[name] / self.limits[name], default=None)


def shares(layers: Iterable[tuple[str, float]]) -> dict[str, float]:
    """Shares of all that layers, given by label and cost, take; by label, the largest first."""
    found: dict[str, float] = {}
    for label, cost in layers:
        found[label] = found.get(label, 0.0) + cost
    total = sum(found.values())
    return {label: found[label] / total for label in sorted(found, key=lambda one: -found[one])}


@dataclass(frozen=True)
class Relief:
    """A change of the hardware that eases a bottleneck."""

    description: str
    choices: Choices


@dataclass(frozen=True)
class Roof:
    """What a design can do at most, per unit of cost."""

    macs: float
    bytes: float


class Platform(Protocol[Design]):
    """A target of the search."""

    name: str
    unit: str  # of LayerCost.total, for tables: "cycles"
    objective: Metric  # the metric the search lessens; LayerCost.total rises and falls with it
    full_bits: int  # widths of the uncompressed network that reductions are measured from

    def arrangements(self, graph: Graph, stem: StemChoice, packed: PackingChoice) -> tuple[Arrangement, ...]:
        """The ways the network can be laid, of those asked for, the plainest first."""
        ...

    def workload(self, graph: Graph, model: nn.Module | None, form: IntegerFormat) -> Workload:
        """The uncompressed network as the platform sees it; without a torch module nothing can be edited."""
        ...

    def layers(self, graph: Graph, form: IntegerFormat, compression: Compression) -> tuple[Any, ...]:
        """The layers of the network under ``compression``, exactly."""
        ...

    @property
    def pattern_rows(self) -> int:
        """Output channels in a row that must share their patterns."""
        ...

    def axes(self, near: Choices | None = None) -> tuple[Axis, ...]:
        """Hardware decisions as axes of kind HARDWARE: all their values, or those near some choices."""
        ...

    def at_bits(self, bits: int) -> Platform[Design]:
        """The platform as it runs the uncompressed network of ``bits`` bits, to compare with."""
        ...

    def explore(self, layers: Sequence[Any]) -> Choices:
        """The best choices for the objective that break no rule; InfeasibleDesign when there are none."""
        ...

    def design(self, layers: Sequence[Any], choices: Choices) -> Design:
        """The design these choices mean for this workload."""
        ...

    def violations(self, layers: Sequence[Any], design: Design) -> list[str]:
        """Every rule or resource the design breaks, each with its cure; empty when it can be built."""
        ...

    def cost(self, layers: Sequence[Any], design: Design) -> Cost:
        """The true cost, or a bound that it is never below; only asked of designs without violations."""
        ...

    def remedies(self, label: str, choices: Choices) -> tuple[Remedy, ...]:
        """What helps a layer with this label on such hardware, the best first."""
        ...

    def reliefs(self, label: str, choices: Choices) -> tuple[Relief, ...]:
        """Hardware changes that ease this label."""
        ...

    def channel_multiple(self, choices: Choices) -> int:
        """Channel counts the hardware gains from: multiples of this."""
        ...


@dataclass(frozen=True)
class Emission:
    """Everything a platform needs to write a finished design down."""

    network: IntegerNetwork
    choices: Choices
    seed: int
    latency_bound_ms: float | None
    accuracy: Accuracy
    config: Mapping[str, Any]
    golden: Golden | None
    packed_resolutions: int = 0  # of the arrangement
    packed_across: bool = False


@runtime_checkable
class Measures(Protocol):
    """A platform whose ``cost`` is a quick bound, and that can tell what the whole network takes."""

    def measure(self, layers: Sequence[Any], design: object) -> Cost: ...


def measured(platform: Platform[Design], layers: Sequence[Any], design: Design) -> Cost:
    """The cost of a whole network as nearly as the platform knows it."""
    if isinstance(platform, Measures):
        return platform.measure(layers, design)
    return platform.cost(layers, design)


@runtime_checkable
class Varies(Protocol):
    """A platform whose devices vary from chip to chip, and the accuracy with them."""

    @property
    def weight_noise(self) -> int:
        """Noise that makes a network robust in training, in thousandths of a layer's largest weight."""
        ...

    def varied(
        self,
        network: IntegerNetwork,
        layers: Sequence[Any],
        worth: Callable[[IntegerNetwork], float],
        images: int,
        seed: int,
        chips: int,
    ) -> Varied:
        """The accuracy of a network, of workload ``layers``, which ``worth`` measures on so many images."""
        ...


@runtime_checkable
class Emits(Protocol):
    """A platform that can write its designs down for the flow below the search."""

    def emit(self, emission: Emission) -> DesignPoint: ...


@runtime_checkable
class Validates(Protocol):
    """A platform that can confirm a cost by running the design (simulation, measurement)."""

    def validate(self, layers: Sequence[Any], design: object) -> Cost: ...
