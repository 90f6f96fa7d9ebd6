"""Labels, shares, slack, effects and the space they generate, on layers made by hand."""

import pytest

from hotnas_hls.accel.layer import Layer, LayerKind
from hotnas_hls.accel.pixel_packing import Packing
from hotnas_hls.base.notebook import table_html
from hotnas_hls.explore.workload import Workload
from hotnas_hls.models.compression import Compression, PatternChoice
from hotnas_hls.models.edits import CutPath
from hotnas_hls.platforms.platform import LayerCost, Remedy
from hotnas_hls.platforms.space import AxisKind
from hotnas_hls.search.detecting.detect import bit_options, detect
from hotnas_hls.search.proposing.generate import (
    SpaceOptions,
    _zeros,
    choices_of,
    compression_of,
    generate_space,
    ladder,
)
from hotnas_hls.search.telling.tables import detection_table

from .pipeline_platform import PipelinePlatform


def conv(name: str, n: int, m: int, side: int, kernel: int) -> Layer:
    pad = kernel // 2
    sizes = (n, m, side, side, side, side, kernel, kernel)
    return Layer(name, LayerKind.CONV, f"{name}.in", name, *sizes, pad_top=pad, pad_left=pad)


BIG = conv("big", 8, 8, 16, 3)  # 147456 multiplications, 9216 weight bits
WIDE = conv("wide", 64, 64, 1, 1)  # 4096 multiplications, 65536 weight bits
TAIL = conv("tail", 64, 10, 1, 1)
NETWORK = Workload(
    "hand-made",
    (BIG, WIDE, TAIL),
    {"wide": CutPath(("norm",), "tail")},
    frozenset({"big", "wide", "tail"}),
    frozenset({"big", "wide", "tail"}),
)
CHOICES = {"multipliers": 4, "width": 32}


def test_labels_shares_and_slack():
    big, wide, _ = detect(NETWORK, PipelinePlatform(), CHOICES).findings
    assert (big.label, big.cost, big.next_term) == ("m", 36864, "weights")
    assert big.terms == {"multiply": 36864, "weights": 288}
    assert big.shares == {"multiply": 1, "weights": 288 / 36864}
    assert big.slack == 36864 - 288
    assert (wide.label, wide.cost, wide.slack) == ("w", 2048, 1024)


def test_effects_are_priced_by_the_platform():
    big, wide, _ = detect(NETWORK, PipelinePlatform(), CHOICES).findings
    (pruned,) = big.effects
    assert pruned.remedy is Remedy.PATTERN and pruned.saved == 36864 / 3
    assert pruned.description == "3 of 9 weights a kernel pruned"
    bits, port, cut = wide.effects
    assert (bits.description, bits.saved) == ("16 -> 8 bits", 1024)
    assert bits.label_after == "m"  # both terms are 1024 then
    assert (port.remedy, port.description) == (Remedy.HARDWARE, "width 64")
    assert (cut.remedy, cut.description) == (Remedy.CHANNEL_CUT, "wide 64 -> 48 channels")  # of no label
    assert cut.saved == 2048 / 4 + 320 / 4  # its reader loads less too
    assert wide.best is port and wide.helpful == [port, bits, cut]


def test_the_table_names_every_remedy_that_helps():
    platform = PipelinePlatform()
    table = detection_table(detect(NETWORK, platform, CHOICES), platform, "three layers")
    told = dict(zip(table.columns[0].cells, table.columns[-2].cells, strict=True))
    assert told["wide"] == "\n".join(
        (
            "hardware: width 64",
            "fewer weight bits: 16 -> 8 bits",
            "channel cut: wide 64 -> 48 channels",
        )
    )
    html = table_html(table)
    assert "<caption>three layers</caption>" in html and html.count("<tr>") == 5
    assert "hardware: width 64\nfewer weight bits: 16 -&gt; 8 bits" in html


def test_bits_stop_where_another_term_takes_over():
    assert bit_options(LayerCost("a", 8, {"w": 8, "c": 4}, "W"), 16, 2) == (16, 14, 12, 10, 8)
    assert bit_options(LayerCost("a", 8, {"w": 8, "c": 1}, "W"), 16, 4) == (16, 13, 10, 7, 4)
    assert bit_options(LayerCost("a", 8, {"w": 8, "c": 8}, "W"), 16, 2) == (16,)


def test_space_follows_the_labels():
    space = generate_space(NETWORK, PipelinePlatform(), CHOICES, SpaceOptions(readings=1))
    assert [axis.name for axis in space.axes] == [
        "prune:big",
        "bits:wide",
        "bits:tail",
        "multipliers",
        "width",
    ]
    assert space["prune:big"].options == (0, 3)
    assert space.size == 2 * len(space["bits:wide"].options) * len(space["bits:tail"].options) * 12


def test_second_reading_finds_the_next_bottleneck():
    space = generate_space(NETWORK, PipelinePlatform(), CHOICES)
    assert "channels:wide" in [axis.name for axis in space.axes]  # compute-bound once its weights are narrow
    assert space["channels:wide"].options == (64, 60, 56, 52)


@pytest.mark.parametrize(
    "bound_ms, zeros",
    [(None, (0, 3)), (30.0, (0, 3)), (26.0, (0, 3, 4)), (20.0, (0, 3, 5)), (1.0, (0, 3, 5, 6))],
)
def test_no_more_zeros_than_the_bound_asks_for(bound_ms, zeros):
    space = generate_space(NETWORK, PipelinePlatform(), CHOICES, bound=bound_ms)
    assert space["prune:big"].options == zeros  # dense it takes 36.9 ms


def test_switched_off_remedies_stay_out():
    options = SpaceOptions(patterns=False, channel_cut=False, quantisation=False, hardware=False)
    space = generate_space(NETWORK, PipelinePlatform(), CHOICES, options)
    assert [(axis.name, axis.options) for axis in space.axes] == [("multipliers", (4,)), ("width", (32,))]


def test_candidates_become_compressions():
    space = generate_space(NETWORK, PipelinePlatform(), CHOICES)
    untouched, *_, strongest = ladder(space, 4)
    assert compression_of(untouched, space) == Compression()
    assert choices_of(untouched, space) == {"multipliers": 1, "width": 16}
    compression = compression_of(strongest, space)
    assert compression.patterns == {"big": PatternChoice(3, 3)}
    assert compression.channels == {"wide": 52}
    edited = {layer.name: layer for layer in NETWORK.compressed(compression)}
    assert edited["big"].positions == 6 and edited["wide"].m == edited["tail"].n == 52
    assert all(axis.kind is not AxisKind.EXPAND for axis in space.axes)


def test_a_cut_shrinks_its_reader():
    edited = NETWORK.compressed(
        Compression(channels={"wide": 32}, expanded=("big",), weight_bits={"tail": 4})
    )
    big, wide, tail = edited
    assert (wide.m, tail.n, tail.weight_bits) == (32, 32, 4)
    assert (big.kernel_rows, big.pad_top, big.out_rows) == (5, 2, 16)


@pytest.mark.parametrize("name, owner", [("wide", "wide"), ("tail", "wide"), ("big", None)])
def test_who_is_cut_for_a_layer(name, owner):
    assert NETWORK.cut_owner(name) == owner


@pytest.mark.parametrize(
    ("across", "offered", "expected"),
    [
        *((1, (3,), (3,)), (1, (3, 5), (3, 5)), (2, (3,), (1, 2, 3)), (2, (3, 5, 6), (1, 2, 3, 5))),
        *((4, (3, 5, 6), (3, 6)), (4, (), ())),
    ],
)
def test_packed_kernels_are_offered_the_zeros_that_save_positions(across, offered, expected):
    layer = conv("inner", 16, 16, 16, 3)
    packing = Packing({layer.source: (1, across), layer.target: (1, across)}, "image")
    spread = packing.spreads([layer]).get("inner")
    assert (spread is None) == (across == 1)
    assert _zeros(9, offered, spread) == expected
