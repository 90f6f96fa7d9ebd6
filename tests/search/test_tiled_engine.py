"""The tiled engine as a platform: exact exploration, honest refusals."""

import contextlib
import dataclasses
import itertools

import pytest
import small_designs

from hotnas_hls.accel.image_layout import BEST
from hotnas_hls.accel.layer import Layer, LayerKind
from hotnas_hls.accel.memory.dram_timing import load_dram
from hotnas_hls.accel.memory.pricing import latency_behind, without_numbers, worst_phase
from hotnas_hls.boards.board import load_board
from hotnas_hls.errors import InfeasibleDesign
from hotnas_hls.explore.arrangement import allowed_arrangements
from hotnas_hls.explore.behind_dram import fastest_behind
from hotnas_hls.explore.exhaustive import explore
from hotnas_hls.explore.integer_layers import IntegerFormat
from hotnas_hls.explore.space import WHOLE_SPACE
from hotnas_hls.explore.workload import Workload
from hotnas_hls.models.compression import Compression, PatternChoice
from hotnas_hls.platforms.platform import Emits, Remedy, Validates
from hotnas_hls.platforms.tiled_engine import AXES, ON_CHIP, EngineOptions, TiledEnginePlatform
from hotnas_hls.search.detecting.detect import detect
from hotnas_hls.search.detecting.start import fastest_start
from hotnas_hls.search.telling.tables import detection_legend, detection_table


def conv(name: str, n: int, m: int, side: int, kernel: int, **changes) -> Layer:
    pad = kernel // 2
    sizes = (n, m, side, side, side, side, kernel, kernel)
    layer = Layer(name, LayerKind.CONV, f"{name}.in", name, *sizes, pad_top=pad, pad_left=pad)
    return dataclasses.replace(layer, **changes)


LAYERS = (
    conv("stem", 3, 16, 16, 3),
    conv("body", 16, 32, 16, 3, residual="stem"),
    conv("again", 16, 32, 16, 3, residual="stem"),
    conv("point", 32, 64, 8, 1),
    Layer("pool", LayerKind.DEPTHWISE, "point", "pool", 64, 64, 8, 8, 1, 1, 8, 8),
)
STREAMED = EngineOptions((8, 16, 32), (4, 8, 16), (4, 8), (4, 8), (64, 128), on_chip=False)
SMALL = dataclasses.replace(STREAMED, on_chip=True)
CHAIN = tuple(dataclasses.replace(layer, weight_bits=8) for layer in small_designs.LAYERS)
CHOICES = dict(zip(AXES, (16, 8, 8, 8, 64, 64, 64, 1, 512, 1, *(0,) * 7), strict=True))


def platform(board: str = "ZCU102", options: EngineOptions = SMALL) -> TiledEnginePlatform:
    return TiledEnginePlatform(load_board(board), 200.0, options=options)


def test_exploration_finds_what_trying_all_finds():
    engine = platform(options=dataclasses.replace(STREAMED, tm=(8, 16), tn=(8,), tr=(4,), tc=(4, 8)))
    best = engine.explore(LAYERS)
    net, at = without_numbers(LAYERS, 16), (load_dram("ZCU102"), 200)
    chosen = engine.design(LAYERS, best)
    found = latency_behind(net, chosen.accel, chosen.tiles, *at).cycles
    every = {}  # by what time depends on: buffers do not change that of equal tiles
    for values in itertools.product(*(engine.values(name) for name in AXES)):
        choices = dict(zip(AXES, values, strict=True))
        ports = [choices[f"{stream}_bits"] for stream in ("ifm", "wgt", "ofm")]
        if choices["wgt_masters"] > 1 and ports[1] < 128 or choices["shared_bus"] and len({*ports}) > 1:
            continue  # the same as one port, or as a bus of the results' width
        design = engine.design(LAYERS, choices)
        if not engine.violations(LAYERS, design):
            same = dataclasses.replace(design.accel, tr=1, tc=1, ifm_depth=1), *design.tiles.values()
            if same not in every:
                every[same] = latency_behind(net, design.accel, design.tiles, *at).cycles
                assert engine.cost(LAYERS, design).total <= every[same]
    assert len(every) > 50 and found == min(every.values())


def test_it_explores_what_dse_explores():
    assert platform(options=EngineOptions()).space == WHOLE_SPACE
    engine = platform(options=STREAMED)
    best = engine.explore(LAYERS)
    dram = load_dram("ZCU102")
    expected = fastest_behind(LAYERS, engine.board, dram, 200, engine.space).best[0]
    assert engine.design(LAYERS, best).accel == expected.candidate.accel
    design = engine.design(LAYERS, best)
    assert engine.cost(LAYERS, design).total == expected.bound
    worst = worst_phase(without_numbers(LAYERS, 16), design.accel, design.tiles, dram, 200).cycles
    assert engine.measure(LAYERS, design).total == worst >= expected.price


def test_what_fits_stays_on_chip_where_it_is_faster():
    streaming, engine = platform(options=STREAMED), platform()
    choices = engine.explore(CHAIN)
    design, streamed = engine.design(CHAIN, choices), streaming.design(CHAIN, streaming.explore(CHAIN))
    assert engine.violations(CHAIN, design) == []
    assert (choices["map_words"], choices["weight_planes"]) == (
        design.accel.map_words, design.accel.weight_planes,
    )  # fmt: skip
    kept = [layer.kept for layer in design.layers]
    assert kept[0] == ("output", "weights") and kept[-1] == ("input", "weights")
    assert [layer.on_chip for layer in engine.cost(CHAIN, design).layers] == kept
    assert engine.measure(CHAIN, design).total < streaming.measure(CHAIN, streamed).total
    net = without_numbers(design.layers, 16)
    worst = worst_phase(net, design.accel, design.tiles, load_dram("ZCU102"), 200).cycles
    assert engine.measure(CHAIN, design).total == worst
    assert engine.design(design.layers, choices) == design and engine.explore(design.layers) == choices
    narrow = tuple(dataclasses.replace(layer, weight_bits=4) for layer in CHAIN)
    less = engine.design(narrow, choices)  # room is taken for what is kept, and no more
    assert engine.violations(narrow, less) == []
    assert less.accel.weight_planes < design.accel.weight_planes
    assert engine.roof(CHAIN, choices).bytes > engine.roof(CHAIN, {**choices, "map_words": 0}).bytes


def test_what_bounds_a_layer_is_told_with_what_it_has_on_chip():
    engine = platform()
    workload = Workload("chain", CHAIN, {}, frozenset(), frozenset(layer.name for layer in CHAIN))
    found = detect(workload, engine, engine.explore(CHAIN))
    assert [set(finding.record()["on_chip"]) for finding in found.findings] == [
        set(layer.kept) for layer in engine.design(CHAIN, engine.explore(CHAIN)).layers
    ]
    table = detection_table(found, engine, "")
    column = next(column for column in table.columns if column.header == "on chip")
    assert list(column.cells)[0] == "O W"
    told = "on chip: O output, W weights, I input, R residual, moved over no port"
    assert told in detection_legend(found, {})
    streamed = detect(workload, engine, CHOICES)
    assert "on chip" not in [column.header for column in detection_table(streamed, engine, "").columns]
    assert not any("on chip" in line for line in detection_legend(streamed, {}))


@pytest.mark.parametrize("side, label, packed", [(4, "W", 0), (4, "W", 1), (16, "C", 0), (16, "C", 1)])
def test_patterns_are_priced_whatever_bounds_a_layer(side: int, label: str, packed: int):
    """There are fewer weights to load, too; channels that share a DSP slice get the same patterns."""
    layers = tuple(conv(name, 64, 64, side, 3, weight_bits=8) for name in ("first", "second"))
    names = frozenset(layer.name for layer in layers)
    workload, choices = Workload("two", layers, {}, names, names), CHOICES | {"dsp_packing": packed}
    engine = dataclasses.replace(platform(options=STREAMED), act_bits=8)
    before = engine.cost(layers, engine.design(layers, choices)).total
    for finding in detect(workload, engine, choices).findings:
        assert finding.label == label
        (pruned,) = [one for one in finding.helpful if one.remedy is Remedy.PATTERN]
        assert pruned.description == "3 of 9 weights a kernel pruned"
        choice = PatternChoice(3, 3, engine.pattern_rows)
        edited = workload.compressed(Compression(patterns={finding.layer: choice}))
        design = engine.design(edited, choices)
        assert not engine.violations(edited, design)
        assert pruned.saved == before - engine.cost(edited, design).total > 0


def test_what_lies_on_chip_is_an_axis_near_a_design_that_has_it():
    engine = platform()
    choices = {**CHOICES, "word_bits": 128, "map_words": 512, "weight_planes": 900, "plane_bits": 256}
    axes = {axis.name: axis.options for axis in engine.axes(choices)}
    assert axes["map_words"] == (512, 256) and axes["weight_planes"] == (900, 450)
    assert axes["word_bits"] == (128, 64, 256) and axes["plane_bits"] == (256, 128, 512)
    assert axes["ultra_ram"] == (0,) and engine.channel_multiple(choices) == 8
    assert [relief.description for relief in engine.reliefs("W", choices)] == [
        "plane_bits 256 -> 512", "wgt_bits 64 -> 128",
    ]  # fmt: skip
    streamed = {axis.name: axis.options for axis in engine.axes(CHOICES)}
    assert all(streamed[name] == (0,) for name in ON_CHIP)
    shared = engine.design(CHAIN, {**choices, "shared_bus": 1}).accel
    assert not shared.keeps and shared.word_width == 64
    joined = dataclasses.replace(engine, concat_alignment=16).design(CHAIN, choices)
    assert joined.accel.map_words == 0 < joined.accel.weight_planes


def test_ports_that_cannot_be_wired_are_violations():
    engine = platform("PYNQ-Z2")  # at 200 MHz, where its pins give 84 bits a cycle
    broken = engine.violations(LAYERS, engine.design(LAYERS, CHOICES))
    assert broken == [
        "the ports ask for 6,400 MB/s while all are busy, the pins of PYNQ-Z2 give 2,100; "
        "use narrower ports or a lower clock"
    ]


def test_a_board_whose_dram_is_not_known_is_priced_with_the_ideal_memory():
    unknown = dataclasses.replace(load_board("ZCU102"), dram=None)
    engine = TiledEnginePlatform(unknown, 200.0, options=STREAMED)
    design = engine.design(LAYERS, engine.explore(LAYERS))
    assert engine.measure(LAYERS, design) == engine.cost(LAYERS, design)
    expected = explore(LAYERS, unknown, engine.memory, engine.space, top=1).best[0]
    assert engine.cost(LAYERS, design).total == expected.cycles


def test_a_shared_bus_has_one_width():
    engine = platform()
    shared = {**CHOICES, "shared_bus": 1, "ofm_bits": 128}
    accel = engine.design(LAYERS, shared).accel
    assert accel.shared_bus and accel.ifm_bits == accel.wgt_bits == 128 == accel.port_bits
    assert engine.violations(LAYERS, engine.design(LAYERS, shared)) == []
    assert engine.channel_multiple(shared) == 8 and engine.channel_multiple(CHOICES) == 4
    assert engine.reliefs("W", shared) == ()  # the widest there is
    (relief,) = engine.reliefs("W", {**shared, "ofm_bits": 64})
    assert relief.description == "bus 64 -> 128 bits" and relief.choices["ofm_bits"] == 128


def test_8_bit_activations_pack_dsp_slices():
    engine = dataclasses.replace(platform(), act_bits=8)
    narrow = tuple(dataclasses.replace(layer, weight_bits=8) for layer in LAYERS)
    packed = {**CHOICES, "dsp_packing": 1}
    designs = [engine.design(narrow, choices) for choices in (CHOICES, packed)]
    assert [design.accel.dsp_packing for design in designs] == [False, True]
    used = [engine.cost(narrow, design).usage["dsp"] for design in designs]
    assert used[1] < used[0]
    assert (engine.pattern_rows, platform().pattern_rows) == (2, 1)
    assert engine.values("dsp_packing") == (0, 1) and platform().values("dsp_packing") == (0,)
    pruned = (dataclasses.replace(narrow[1], pattern_ones=6),)
    assert any("pattern_rows = 1" in v for v in engine.violations(pruned, engine.design(pruned, packed)))
    pairs = (dataclasses.replace(pruned[0], pattern_rows=2),)
    assert engine.violations(pairs, engine.design(pairs, packed)) == []


def test_rows_that_the_board_has_no_slices_for_lie_in_the_fabric():
    few = dataclasses.replace(load_board("ZCU102"), dsp=60)
    engine = TiledEnginePlatform(few, 200.0, act_bits=8, options=STREAMED)
    narrow = tuple(dataclasses.replace(layer, weight_bits=8) for layer in LAYERS)
    design = engine.design(narrow, {**CHOICES, "dsp_packing": 1})
    assert 0 < design.accel.fabric_rows < design.accel.tm and engine.violations(narrow, design) == []
    assert not engine.design(narrow, {**CHOICES, "dsp_packing": 1, "tm": 8, "tn": 8}).accel.fabric_rows
    best = engine.design(narrow, engine.explore(narrow))
    assert best.accel.fabric_rows and engine.violations(narrow, best) == []
    faster = dataclasses.replace(engine, clock_mhz=225.0)
    assert not faster.design(narrow, {**CHOICES, "dsp_packing": 1}).accel.fabric_rows


def test_full_precision_is_the_same_board_at_16_bits():
    narrow = dataclasses.replace(platform(), act_bits=8)
    full = narrow.at_bits(16)
    assert (full.act_bits, full.board, full.options) == (16, narrow.board, narrow.options)
    assert full.explore(LAYERS) == platform().explore(LAYERS)


def test_cost_has_named_terms():
    engine = platform()
    cost = engine.cost(LAYERS, engine.design(LAYERS, CHOICES))
    assert [layer.layer for layer in cost.layers] == [layer.name for layer in LAYERS]
    assert set(cost.layers[0].terms) == {"load_ifm", "load_wgt", "compute", "store_ofm"}
    assert cost.latency_ms == pytest.approx(cost.total / 200_000)
    assert cost.usage["dsp"] <= cost.limits["dsp"] == 2520
    assert cost.layers[1].total == cost.layers[2].total


def test_what_the_workload_decides():
    engine = platform()
    accel = engine.design(LAYERS, CHOICES).accel
    assert (accel.patterns, accel.weight_bits, accel.max_entries, accel.wgt_entries) == (False, 16, 64, 9)
    pruned = tuple(
        dataclasses.replace(layer, pattern_ones=None if layer.kernel_rows != 3 else 6, weight_bits=7)
        for layer in LAYERS
    )
    assert engine.design(LAYERS, {**CHOICES, "taps": 4}).accel.max_entries == 16
    accel = engine.design(pruned, CHOICES).accel
    assert (accel.patterns, accel.weight_bits) == (True, 7)


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"tm": 18}, "tm = 18: must be a multiple of the channel block 4"),
        ({"ifm_bits": 48}, "ifm_bits = 48: an AXI data port has a power of two bits; use 32 or 64"),
        ({"ifm_depth": 16}, "body: the tile's footprint needs 18 words a bank, ifm_depth = 16"),
    ],
)
def test_refusals_say_the_cure(changes, words):
    engine = platform()
    choices = {**CHOICES, **changes}
    found = engine.violations(LAYERS, engine.design(LAYERS, choices))
    assert any(words in violation for violation in found), found


def test_a_design_too_large_for_the_board():
    engine = platform("PYNQ-Z2")
    choices = {**CHOICES, "tm": 64, "tn": 64}
    assert any("LUTs" in v for v in engine.violations(LAYERS, engine.design(LAYERS, choices)))


def test_nothing_fits():
    tight = EngineOptions(tm=(64,), tn=(64,), tr=(8,), tc=(8,), port_bits=(64,), dsp_limit=100)
    with pytest.raises(InfeasibleDesign, match="^no array of the space fits ZCU102; allow smaller ones$"):
        platform(options=tight).explore(LAYERS)


def test_axes_near_a_design_are_legal_with_it():
    axes = {axis.name: axis.options for axis in platform().axes(CHOICES)}
    assert axes["tm"] == (16, 8, 32) and axes["ifm_bits"] == (64, 128)
    assert all(value % 4 == 0 for value in (*axes["tm"], *axes["tn"]))
    assert axes["ifm_depth"] == (512, 256, 1024) and axes["taps"] == (1, 2) and axes["shared_bus"] == (0,)


def test_a_shared_bus_is_one_port():
    shared = {**CHOICES, "ifm_bits": 128, "wgt_bits": 128, "ofm_bits": 128, "shared_bus": 1}
    axes = {axis.name: axis.options for axis in platform().axes(shared)}
    assert axes["ifm_bits"] == axes["wgt_bits"] == (128,) and axes["shared_bus"] == (1,)
    assert len(axes["ofm_bits"]) > 1


def test_concatenations_bound_the_channel_block():
    joined = dataclasses.replace(platform(), concat_alignment=12)
    assert joined.channel_multiple(joined.explore(LAYERS)) == 4
    wide = {**CHOICES, "ifm_bits": 128, "ofm_bits": 128}
    assert joined.violations(LAYERS, joined.design(LAYERS, wide)) == [
        "concatenated maps do not begin on whole blocks of 8 channels; "
        "use feature-map ports of at most 4 channels"
    ]
    assert joined.at_bits(16).concat_alignment == 12


def test_port_relief_is_the_next_width():
    (relief,) = platform().reliefs("W", CHOICES)
    assert relief.description == "wgt_bits 64 -> 128" and relief.choices["wgt_bits"] == 128
    assert platform().reliefs("C", CHOICES) == ()
    assert platform().reliefs("O", {**CHOICES, "ofm_bits": 128}) == ()


def test_weights_are_striped_where_no_one_port_is_as_wide():
    engine = platform(options=dataclasses.replace(STREAMED, port_bits=(128,)))
    wide = CHOICES | dict.fromkeys(("ifm_bits", "wgt_bits", "ofm_bits"), 128)
    near = {axis.name: axis.options for axis in engine.axes(wide)}
    assert near["wgt_masters"] == (1, 2) and engine.values("wgt_masters", CHOICES) == (1,)
    assert platform("PYNQ-Z2").values("wgt_masters", CHOICES) == (1,)  # its pins give no more
    assert engine.values("wgt_masters", {**CHOICES, "wgt_masters": 2}) == (1, 2)
    alone = dataclasses.replace(engine, options=dataclasses.replace(engine.options, wgt_masters=(1,)))
    assert alone.values("wgt_masters", wide) == (1,)
    (relief,) = engine.reliefs("W", wide)
    assert relief.description == "wgt_masters 1 -> 2" and relief.choices == {**wide, "wgt_masters": 2}
    assert engine.reliefs("I", wide) == engine.reliefs("W", relief.choices) == ()
    loads = tuple(conv(name, 128, 128, 4, 3) for name in ("first", "second"))
    found = engine.explore(loads)
    assert found["wgt_masters"] == 2
    too_wide = {**wide, "wgt_bits": 256, "wgt_masters": 4}  # which nothing counts the resources of
    assert engine.violations(loads, engine.design(loads, too_wide)) == [
        "wgt_masters = 4, wgt_bits = 256: together at most 512 bits; use narrower masters or one"
    ]
    designs = [engine.design(loads, {**found, "wgt_masters": masters}) for masters in (1, 2)]
    assert engine.violations(loads, designs[1]) == []
    assert [design.accel.wgt_stream_bits for design in designs] == [128, 256]
    one, two = (engine.measure(loads, design).total for design in designs)
    assert two < one
    kept = {**relief.choices, "plane_bits": 256, "weight_planes": 64}
    assert engine.design(loads, kept).accel.plane_bits is None  # as wide as both ports
    shared = {**kept, "shared_bus": 1}
    assert engine.design(loads, shared).accel.wgt_masters == 1
    assert {axis.name: axis.options for axis in engine.axes(shared)}["wgt_masters"] == (2,)


def test_it_emits_and_does_not_pretend_to_validate():
    assert isinstance(platform(), Emits) and not isinstance(platform(), Validates)


def test_a_search_starts_in_the_arrangement_that_measures_fastest(problem):
    """Most arrangements are left unmeasured; measuring each finds none that is faster."""
    form, starts = IntegerFormat(8, 8), []
    start = fastest_start(problem.graph, problem.model, platform(), form, BEST)
    for each in allowed_arrangements(problem.graph, BEST, BEST):
        with contextlib.suppress(InfeasibleDesign):
            given = problem.graph, problem.model, platform(), form, each.stem, each.packed_resolutions
            starts.append(fastest_start(*given))
    assert len(starts) > 3
    assert start.total == min(one.total for one in starts)
    first = next(one for one in starts if one.total == start.total)
    assert start.format.arrangement == first.format.arrangement
