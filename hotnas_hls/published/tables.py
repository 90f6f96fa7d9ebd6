"""The published tables next to what the published rule computes, and why the true latency differs (6.1, 6.3).

python -m hotnas_hls.published.tables
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from hotnas_hls.published.design import PublishedHardware
from hotnas_hls.published.genes import apply
from hotnas_hls.published.latency import Formula, engine_of, network_cycles, published_ms
from hotnas_hls.published.layers import ConvKind, PublishedLayer
from hotnas_hls.published.networks import zoo_layers
from hotnas_hls.published.shape_effect import shape_effect
from hotnas_hls.published.spaces import SPACES

# Section 6.3: patterns 23,14,8,42; no expansion; channels; bits 16 x 4, 8 x 4; ports +2, -1, 0.
HOTNAS_RESNET_DNA = (23, 14, 8, 42, 0, 128, 256, 256, 480, 496, 16, 16, 16, 16, 8, 8, 8, 8, 2, -1, 0)


@dataclass(frozen=True)
class PublishedCase:
    """One published latency and what it was measured on."""

    name: str  # as published
    dataset: str
    model: str  # in the zoo
    hardware: PublishedHardware  # before the port genes of ``dna``
    printed_ms: str  # the published digits
    formula: Formula = Formula.HEAD
    dna: tuple[int, ...] | None = None  # of space A, applied to the model


def _imagenet(name: str, model: str, hardware: PublishedHardware, printed: str, **more: Any) -> PublishedCase:
    return PublishedCase(name, "ImageNet", model, hardware, printed, **more)


def _cifar(name: str, model: str, hardware: PublishedHardware, printed: str) -> PublishedCase:
    return PublishedCase(name, "CIFAR-10", model, hardware, printed)


_hardware = PublishedHardware.parse
_RESNET18 = _hardware("70,36,64,64,7,18,6,6")
_SQUEEZENET = _hardware("130,19,64,64,7,6,10,14")
_MNASNET0_5 = _hardware("100,16,32,32,3,6,10,14", "832,1,32,32,5,6,10,14")
_PROXYLESS = _hardware("100,16,32,32,3,10,10,10", "832,1,32,32,7,10,10,10")
_MNASNET = _hardware("100,18,32,32,3,10,10,10", "704,1,32,32,5,10,10,10")
_MOBILENET_CIFAR = _hardware("160,9,32,32,3,14,6,10", "960,1,32,32,3,14,6,10")

PUBLISHED_CASES: tuple[PublishedCase, ...] = (
    _imagenet("AlexNet", "alexnet", _hardware("70,36,64,32,11,18,6,2"), "2.02"),
    _imagenet("MnasNet 0.5", "mnasnet0_5_v1", _MNASNET0_5, "3.99"),
    _imagenet("SqueezeNet 1.0", "squeezenet1_0", _SQUEEZENET, "4.76", formula=Formula.A),
    _imagenet("ProxylessNAS", "proxyless_mobile", _PROXYLESS, "5.83"),
    _imagenet("MnasNet", "mnasnet1_0", _MNASNET, "5.94"),
    _imagenet("ResNet-18", "resnet18", _RESNET18, "6.27"),
    _imagenet("HotNAS-ResNet", "resnet18", _RESNET18, "4.22", dna=HOTNAS_RESNET_DNA),
    _cifar("ResNet-18", "resnet18_cifar", _hardware("130,19,32,32,3,18,2,10"), "3.44"),
    _cifar("DenseNet-121", "densenet121_cifar", _hardware("70,36,32,32,3,18,6,6"), "4.01"),
    _cifar("MobileNet-V2", "mobilenet_v2_cifar", _MOBILENET_CIFAR, "2.14"),
    _cifar("BiT", "bit_cifar", _hardware("130,19,32,32,7,18,6,6"), "6.88"),
)


@dataclass(frozen=True)
class PublishedRow:
    """One published latency beside the computed one, milliseconds at 200 MHz."""

    name: str
    dataset: str
    model: str
    design: str
    formula: str
    published_ms: str  # as printed
    computed_ms: float
    difference_ms: float  # computed - published
    rounds_to_published: bool
    real_sizes_ms: float  # the same rule on real output sizes
    stride_once_ms: float  # and with the stride counted once and the true input halo
    true_ms: float | None  # by the true latency model, when one was given
    why_they_differ: str


TrueLatency = Callable[[PublishedCase], float | None]


def published_rows(true_ms: TrueLatency | None = None) -> list[PublishedRow]:
    """Every published baseline and HotNAS-ResNet (sections 6.1, 6.3).

    ``true_ms`` gives the true-rule latency of a case in milliseconds at 200 MHz, or None where it cannot.
    """
    return [_row(case, None if true_ms is None else true_ms(case)) for case in PUBLISHED_CASES]


def _row(case: PublishedCase, true_ms: float | None) -> PublishedRow:
    walked, hardware = _edited(case, zoo_layers(case.model))
    real, _ = _edited(case, zoo_layers(case.model, real_sizes=True))
    effect = shape_effect(walked, real, hardware, case.formula)
    return PublishedRow(
        name=case.name,
        dataset=case.dataset,
        model=case.model,
        design=str(hardware),
        formula=case.formula.value,
        published_ms=case.printed_ms,
        computed_ms=effect.as_published,
        difference_ms=effect.as_published - float(case.printed_ms),
        rounds_to_published=rounds_to(effect.as_published, case.printed_ms),
        real_sizes_ms=effect.real_sizes,
        stride_once_ms=effect.stride_once,
        true_ms=true_ms,
        why_they_differ=why_they_differ(walked, real, hardware, case.formula),
    )


def _edited(
    case: PublishedCase, layers: Sequence[PublishedLayer]
) -> tuple[Sequence[PublishedLayer], PublishedHardware]:
    if case.dna is None:
        return layers, case.hardware
    applied = apply(SPACES["A"], case.dna, layers)
    return applied.layers, applied.hardware


def rounds_to(value: float, printed: str) -> bool:
    """True when ``value`` shows as ``printed`` with that many decimals."""
    return f"{value:.{len(printed.partition('.')[2])}f}" == printed


def why_they_differ(
    walked: Sequence[PublishedLayer],
    real: Sequence[PublishedLayer],
    hardware: PublishedHardware,
    formula: Formula,
) -> str:
    """The quirks of section 1.5 that touch this network on this hardware, with how many layers each."""
    reasons = []
    if count := sum(layer.S > 1 for layer in real):
        reasons.append(f"stride counted twice ({count} layers, Q1)")
    sizes = {layer.name: (layer.R, layer.C) for layer in real}
    if count := sum(sizes[layer.name] != (layer.R, layer.C) for layer in walked):
        smaller = sum(layer.R < sizes[layer.name][0] for layer in walked)
        how = "shrunk by shortcuts walked in line" if smaller == count else "walked out of the data flow"
        reasons.append(f"maps {how} ({count} layers, Q2)")
    if count := sum(_loops_twice(layer, hardware) for layer in real):
        reasons.append(f"depthwise tiles looped over twice ({count} layers, Q3)")
    if count := sum(_ragged(layer, hardware) for layer in real):
        reasons.append(f"ragged tiles charged full ({count} layers, Q4)")
    if formula is Formula.A:
        reasons.append("padding counted as map (variant A)")
    reasons.append("no pipeline fill, FC, pooling or DRAM latency (1.4)")
    return "; ".join(reasons)


def _loops_twice(layer: PublishedLayer, hardware: PublishedHardware) -> bool:
    return layer.kind is ConvKind.DCONV and layer.M > engine_of(layer, hardware).tm


def _ragged(layer: PublishedLayer, hardware: PublishedHardware) -> bool:
    """The last tile of rows, columns or output channels is smaller than the one it is charged as."""
    design = engine_of(layer, hardware)
    extents = ((layer.R, design.tr), (layer.C, design.tc), (layer.M, design.tm))
    return any(extent > tile and extent % tile for extent, tile in extents)


@dataclass(frozen=True)
class ReductionRow:
    """One line of the HotNAS-ResNet reduction table (section 6.3), milliseconds at 200 MHz."""

    step: str
    published_ms: str  # as printed
    alone_ms: float  # this step alone against the base; the total: all steps
    cumulative_ms: float  # after the steps before it
    listed_ms: float  # by the published way of listing, ``how``
    rounds_to_published: bool
    how: str


def reduction_rows() -> list[ReductionRow]:
    """What pattern, channel, quantisation and ports save on ResNet-18 (section 6.3).

    The published table lists pattern, channel and ports measured alone, quantisation as the remainder, and
    the total as the difference of the two printed latencies.
    """
    space = SPACES["A"]
    base = zoo_layers(space.model)
    final = apply(space, HOTNAS_RESNET_DNA, base)
    steps = {
        "pattern": ("ones",),
        "channel": ("M", "N"),
        "quant": ("bits",),
        "hardware": (),
    }

    def ms(*names: str) -> float:
        fields = [field for name in names for field in steps[name]]
        layers = [
            replace(before, **{field: getattr(after, field) for field in fields})
            for before, after in zip(base, final.layers, strict=True)
        ]
        hardware = final.hardware if "hardware" in names else space.hardware
        return published_ms(network_cycles(layers, hardware))

    names = list(steps)
    alone = {name: ms() - ms(name) for name in names}
    after = [ms(*names[:count]) for count in range(len(names) + 1)]
    total = after[0] - after[-1]
    remainder = total - sum(alone[name] for name in names if name != "quant")
    printed = {"pattern": "0.57", "channel": "0.15", "quant": "1.01", "hardware": "0.32", "total": "2.05"}
    rows = []
    for at, name in enumerate(names):
        listed = remainder if name == "quant" else alone[name]
        how = "total less the three others" if name == "quant" else "alone"
        rows.append(
            ReductionRow(
                step=name,
                published_ms=printed[name],
                alone_ms=alone[name],
                cumulative_ms=after[at] - after[at + 1],
                listed_ms=listed,
                rounds_to_published=rounds_to(listed, printed[name]),
                how=how,
            )
        )
    listed = round(after[0], 2) - round(after[-1], 2)
    rows.append(
        ReductionRow(
            step="total",
            published_ms=printed["total"],
            alone_ms=total,
            cumulative_ms=total,
            listed_ms=listed,
            rounds_to_published=rounds_to(listed, printed["total"]),
            how="difference of the two rounded latencies",
        )
    )
    return rows


Row = PublishedRow | ReductionRow


def render(rows: Iterable[Row]) -> str:
    """``rows`` (all of one type) as a plain text table, right-aligned numbers, one line a row."""
    records = [{key: _cell(value) for key, value in asdict(row).items()} for row in rows]
    if not records:
        return ""
    heads = {key: key.replace("_", " ") for key in records[0]}
    widths = {key: max(len(record[key]) for record in [heads, *records]) for key in heads}
    numeric = {key for key in heads if key.endswith("_ms")}

    def line(record: dict[str, str]) -> str:
        cells = (
            record[key].rjust(width) if key in numeric else record[key].ljust(width)
            for key, width in widths.items()
        )
        return "  ".join(cells).rstrip()

    return "\n".join([line(heads), "  ".join("-" * width for width in widths.values()), *map(line, records)])


def to_json(rows: Iterable[Row]) -> str:
    """``rows`` as a JSON list of objects with the fields' own names."""
    return json.dumps([asdict(row) for row in rows], indent=2)


def _cell(value: str | float | bool | None) -> str:
    match value:
        case None:
            return "-"
        case bool():
            return "yes" if value else "NO"
        case float():
            return f"{value:.5f}"
        case _:
            return value


if __name__ == "__main__":
    print(render(published_rows()))
    print()
    print(render(reduction_rows()))
