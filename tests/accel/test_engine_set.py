"""Engines that share a board: what fits, who gets which port, what each costs the others."""

from __future__ import annotations

import dataclasses

import pytest
from small_designs import ACCEL, small_design

from hotnas_hls.accel.design_point import DesignPoint
from hotnas_hls.accel.engine_set import share_board
from hotnas_hls.accel.memory.joint_latency import EngineWork, joint_latency, shared_latencies
from hotnas_hls.accel.memory.pricing import latency_behind
from hotnas_hls.boards.board import Ports, load_board
from hotnas_hls.errors import ConfigError

WIDE = dataclasses.replace(ACCEL, tn=8, max_entries=16, ifm_bits=128, wgt_bits=128, ofm_bits=128)


@pytest.fixture(scope="module")
def small() -> DesignPoint:
    return small_design()


@pytest.fixture(scope="module")
def wide() -> DesignPoint:
    """The same network behind ports of 128 bits."""
    return small_design(network="wide", accelerator=WIDE)


# ---------------------------------------------------------------- the board
def test_ports_are_handed_out_in_order_and_none_twice(small: DesignPoint, wide: DesignPoint) -> None:
    shared = share_board({"first": small, "second": wide})
    plans = [point.port_plan for point in shared.engines.values()]
    assert [(plan.ifm, plan.wgt, plan.ofm) for plan in plans] == [
        (("HP0",), ("HP1",), ("HP3",)),
        (("HP2",), ("HPC0",), ("HPC1",)),
    ]
    assert all(not point.violations() for point in shared.engines.values())
    assert shared.engines["first"].accelerator is small.accelerator


def test_what_does_not_fit_is_told_at_once_with_the_cure(small: DesignPoint, wide: DesignPoint) -> None:
    least = dataclasses.replace(
        small.board, dsp=100, bram18=30, ports=(Ports(("HP0", "HP1", "HP3", "HP2"), (32, 64, 128), 333),)
    )
    designs = {
        name: dataclasses.replace(point, board=least, port_plan=None)
        for name, point in (("first", small), ("second", wide))
    }
    none_left = "0 ports of ZCU102 left for it; use fewer masters (a shared bus has one) or other widths"
    with pytest.raises(ConfigError) as refused:
        share_board(designs)
    assert str(refused.value) == (
        "these engines cannot share a ZCU102:\n"
        "  - 133 DSP slices (first 50, second 83), ZCU102 has 100; choose a smaller Tm or Tn, fewer taps, or "
        "more fabric_rows\n"
        "  - 48 BRAM18 (first 16, second 32), ZCU102 has 30; choose a smaller ifm_depth or Tr x Tc, or turn "
        "patterns off or take fewer taps (each read port has a copy of the IFM), or keep fewer maps and "
        "weights on chip\n"
        f"  - second: wgt: 1 master of 128 bits, {none_left}\n"
        f"  - second: ofm: 1 master of 128 bits, {none_left}"
    )


def test_engines_that_have_nothing_in_common_are_refused(small: DesignPoint) -> None:
    with pytest.raises(ConfigError) as refused:
        share_board({"Left": small})
    assert str(refused.value) == (
        "these engines cannot share a ZCU102:\n"
        "  - engine 'Left': use a small letter, then small letters, digits and single '_', 32 at most\n"
        "  - 1 of the 2 engines that share a board at least; name more"
    )
    elsewhere = small_design(board=load_board("KV260"), clock_mhz=100.0)
    with pytest.raises(ConfigError) as refused:
        share_board({"a": small, "b": elsewhere})
    assert str(refused.value) == (
        "these engines cannot share a board:\n"
        "  - board: must be the same of all engines (a ZCU102, b KV260); name the one they are put on "
        "(--board)\n"
        "  - clock_mhz: must be the same of all engines (a 200 MHz, b 100 MHz); make them for one\n"
        "  - dram: must be the same of all engines (a DDR4-2133-64, b DDR4-2400-64); name the one they are "
        "put on (--board)"
    )


# ---------------------------------------------------------------- the DRAM
def work(point: DesignPoint, images: int = 1) -> EngineWork:
    return EngineWork(point.integer_network(), point.accelerator, point.tiles, images)


def test_an_engine_waits_for_the_others_and_for_nothing_else(small: DesignPoint) -> None:
    numbers = small.dram.numbers(200.0)
    alone = latency_behind(small.integer_network(), small.accelerator, small.tiles, small.dram, 200.0)
    ((found,),) = joint_latency([work(small)], numbers)
    assert found == alone
    ((found,), _) = joint_latency([work(small), work(small)], numbers)
    assert found.cycles > alone.cycles


def test_the_first_cycles_do_not_depend_on_what_comes_later(small: DesignPoint, wide: DesignPoint) -> None:
    """An engine's first image is the same whether more follow, and the others feel those that do."""
    numbers = small.dram.numbers(200.0)
    (once,), more = joint_latency([work(small), work(wide, 2)], numbers)
    (first, *_), _ = joint_latency([work(small, 3), work(wide, 2)], numbers)
    assert first == once
    assert len(more) == 2


def test_every_engine_is_busy_while_the_slowest_runs_an_image(small: DesignPoint, wide: DesignPoint) -> None:
    slow, fast = shared_latencies([work(small), work(wide)], small.dram, 200.0)
    assert slow.images == 1 and slow.alone_cycles > fast.alone_cycles
    assert fast.alone_cycles * (fast.images - 1) < slow.alone_cycles <= fast.alone_cycles * fast.images
    for found in (slow, fast):
        assert found.cycles == max(found.phases[found.worst_phase]) >= found.alone_cycles
        assert {len(images) for images in found.phases} == {found.images}
