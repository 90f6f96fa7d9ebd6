"""Resources of the accelerator: they add up, grow with the design, and say what does not fit."""

from __future__ import annotations

import dataclasses
from itertools import pairwise

import pytest
from synthesised_designs import DESIGN, LAYERS, MEASURED

from hotnas_hls.accel.accelerator import Accelerator
from hotnas_hls.accel.block_counts import LOAD_FIELDS_FF
from hotnas_hls.accel.fpga_memories import bram18
from hotnas_hls.accel.resources import (
    Resources,
    accelerator_resources,
    breakdown,
    least_fabric_rows,
    violations,
)
from hotnas_hls.boards.board import load_board


@pytest.mark.parametrize(("accel", "counted"), MEASURED, ids=lambda value: getattr(value, "tm", ""))
def test_model_agrees_with_yosys(accel: Accelerator, counted: tuple[int, ...]) -> None:
    found = accelerator_resources(accel, LAYERS)
    dsp, bram, lut, ff, lutram = counted
    assert found.dsp == dsp
    assert found.bram18 == pytest.approx(bram, rel=0.05)
    assert found.lut == pytest.approx(lut, rel=0.20)
    assert found.ff == pytest.approx(ff, rel=0.20)
    assert found.lutram == lutram


def test_resources_add_up() -> None:
    assert Resources(1, 2, 3, 4, 5, 6, 1) + Resources(10, 20, 30, 40, 50, 60, 2) == Resources(
        11, 22, 33, 44, 55, 66, 3
    )
    assert Resources(dsp=2, lut=3).times(4) == Resources(dsp=8, lut=12)


@pytest.mark.parametrize(("accel", "counted"), MEASURED, ids=lambda value: getattr(value, "tm", ""))
def test_the_blocks_add_up_to_the_design(accel: Accelerator, counted: tuple[int, ...]) -> None:
    assert sum(breakdown(accel, LAYERS).values(), Resources()) == accelerator_resources(accel, LAYERS)


@pytest.mark.parametrize(
    ("width", "depth", "blocks"),
    [
        (36, 512, 1),  # simple dual port: twice the width of a port
        (18, 1024, 1),
        (1, 16384, 1),
        (37, 512, 2),
        (48, 196, 2),  # an accumulator bank
        (64, 2048, 8),
        (64, 600, 4),
        (128, 8192, 60),  # parity bits used: 9 bits a block
        (8, 65536, 32),  # banks behind one another
    ],
)
def test_block_ram_is_counted_in_real_shapes(width: int, depth: int, blocks: int) -> None:
    assert bram18(width, depth) == blocks


def test_shallow_accumulators_are_lut_ram() -> None:
    shallow, deep = (
        breakdown(dataclasses.replace(DESIGN, tr=tr))["acc_bank"]
        for tr in (8, 9)  # 64 and 72 pixels
    )
    assert (shallow.bram18, shallow.lutram) == (0, 16 * 3 * 56)
    assert (deep.bram18, deep.lutram) == (16 * 2 * 2, 0)


def test_patterns_take_four_copies_of_the_ifm() -> None:
    dense = dataclasses.replace(DESIGN, patterns=False)
    assert breakdown(DESIGN)["ifm_buffer"].bram18 == 4 * breakdown(dense)["ifm_buffer"].bram18


def test_each_tap_takes_a_multiplier_a_lane_and_a_copy_of_the_ifm() -> None:
    one, two = (breakdown(dataclasses.replace(DESIGN, patterns=False, taps=taps)) for taps in (1, 2))
    assert two["channel_lane"].dsp == 2 * one["channel_lane"].dsp == 2 * DESIGN.td
    assert two["ifm_buffer"].bram18 == 2 * one["ifm_buffer"].bram18


def test_maps_on_chip_that_residuals_read_are_there_twice_and_weights_once() -> None:
    kept = dataclasses.replace(DESIGN, map_words=1024, weight_planes=2048)
    none, some = (breakdown(accel) for accel in (DESIGN, kept))
    assert some["map_memory"].bram18 - none["map_memory"].bram18 == 2 * bram18(64, 1024)
    assert some["weight_memory"].bram18 - none["weight_memory"].bram18 == bram18(64, 2048)
    for words, blocks in ((512, bram18(64, 512)), (0, 0)):
        fewer = breakdown(dataclasses.replace(kept, residual_words=words))["map_memory"]
        assert fewer.bram18 - none["map_memory"].bram18 == bram18(64, 1024) + blocks
    assert fewer.lut < some["map_memory"].lut
    longer = 2 * 16 * 32 + LOAD_FIELDS_FF  # descriptors
    assert some["descriptor_fetch"].ff - none["descriptor_fetch"].ff == longer
    assert none["map_memory"] == none["weight_memory"] == Resources()
    ultra = breakdown(dataclasses.replace(kept, ultra_ram=True))
    assert (ultra["map_memory"].uram, ultra["weight_memory"].uram) == (2, 1)
    alone = breakdown(dataclasses.replace(kept, ultra_ram=True, residual_words=0))
    assert alone["map_memory"].uram == 1
    assert ultra["map_memory"].bram18 == ultra["weight_memory"].bram18 == 0


def test_packing_halves_the_multipliers_of_the_array_alone() -> None:
    narrow = dataclasses.replace(DESIGN, act_bits=8, weight_bits=8)
    one, two = (breakdown(dataclasses.replace(narrow, dsp_packing=packed)) for packed in (False, True))
    assert two["mac_pair"].dsp == one["mac_row"].dsp // 2 == DESIGN.tm * DESIGN.tn // 2
    assert one["mac_pair"] == two["mac_row"] == Resources()
    assert two["channel_lane"] == one["channel_lane"]
    assert two["weight_row"].ff < one["weight_row"].ff  # every second row follows the other's patterns


def test_rows_in_the_fabric_take_luts_and_no_slices() -> None:
    packed = dataclasses.replace(DESIGN, act_bits=8, weight_bits=8, dsp_packing=True)
    none, some = (breakdown(dataclasses.replace(packed, fabric_rows=rows)) for rows in (0, 6))
    assert some["mac_pair"].dsp == none["mac_pair"].dsp * 10 // 16
    # A product is 4 rows of 9; amid them registers of two rows' sum, the activation, half a weight and a bit.
    assert some["fabric_product"] == Resources(lut=6 * 8 * 36, ff=6 * 8 * (12 + 8 + 4 + 1))
    assert some["mac_pair"].lut < none["mac_pair"].lut  # no factor of two weights, and nothing borrowed
    assert some["mac_pair"].ff < none["mac_pair"].ff  # nor registers of products
    assert {name for name in some if some[name] != none[name]} == {"mac_pair", "fabric_product"}


def test_rows_lie_in_the_fabric_as_far_as_slices_are_missing() -> None:
    packed = dataclasses.replace(DESIGN, act_bits=8, weight_bits=8, dsp_packing=True)
    whole = accelerator_resources(packed).dsp
    pynq = load_board("PYNQ-Z2")
    for missing, rows in ((0, 0), (1, 2), (8, 2), (9, 4), (64, 16), (1000, 16)):
        board = dataclasses.replace(pynq, dsp=max(0, whole - missing))
        assert least_fabric_rows(packed, board) == rows
        fits = accelerator_resources(dataclasses.replace(packed, fabric_rows=rows)).dsp <= board.dsp
        assert fits == (missing <= 64)


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("tm", (4, 8, 16, 24, 32, 64)),
        ("tn", (4, 8, 16, 20, 32, 64)),
        ("tr", (9, 16, 64, 100)),  # all in block RAM
        ("ifm_depth", (64, 100, 512, 600, 4096, 40000)),
        ("wgt_entries", (1, 9, 16, 25, 49, 128)),
        ("max_entries", (9, 49, 121)),
        ("weight_bits", (2, 4, 8, 16)),
        ("wgt_bits", (64, 128, 256)),
        ("patterns", (False, True)),
    ],
)
def test_a_larger_design_takes_no_less_memory_and_arithmetic(field: str, values: tuple[int, ...]) -> None:
    for smaller, larger in pairwise(
        accelerator_resources(dataclasses.replace(DESIGN, **{field: value})) for value in values
    ):
        for kind in ("dsp", "bram18", "lutram", "ff"):
            if (field, kind) == ("wgt_bits", "dsp"):
                continue  # a job has fewer planes, their number is a smaller product
            assert getattr(larger, kind) >= getattr(smaller, kind), kind
        if field not in ("wgt_bits", "ifm_depth"):  # a burst splitter, a bank select may become smaller
            assert larger.lut >= smaller.lut


def test_what_fits_has_no_violations() -> None:
    assert violations(accelerator_resources(DESIGN), load_board("ZCU102")) == []


def test_violations_say_what_how_much_and_the_cure() -> None:
    used = Resources(dsp=221, bram18=281, uram=1, lut=53201, ff=106401, lutram=17401)
    assert violations(used, load_board("PYNQ-Z2")) == [
        "221 DSP slices, PYNQ-Z2 has 220; choose a smaller Tm or Tn, fewer taps, or more fabric_rows",
        "281 BRAM18, PYNQ-Z2 has 280; choose a smaller ifm_depth or Tr x Tc, or turn patterns off or take "
        "fewer taps (each read port has a copy of the IFM), or keep fewer maps and weights on chip",
        "1 UltraRAM blocks, PYNQ-Z2 has 0; keep fewer maps and weights on chip",
        "53,201 LUTs, PYNQ-Z2 has 53,200; choose a smaller Tm or Tn, fewer weight bits, or turn patterns off",
        "17,401 LUTs as memory, PYNQ-Z2 has 17,400; choose fewer wgt_entries or weight bits",
        "106,401 flip-flops, PYNQ-Z2 has 106,400; choose a smaller Tm or Tn, fewer weight bits, "
        "or turn patterns off",
    ]


def test_a_resource_used_up_exactly_fits() -> None:
    assert violations(Resources(220, 280, 0, 53200, 106400, 256, 17400), load_board("PYNQ-Z2")) == []
