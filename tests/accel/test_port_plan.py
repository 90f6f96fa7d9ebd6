"""Streams on the board's ports: planned where they can be wired, refused with the cure where not."""

from __future__ import annotations

import dataclasses
import itertools

import pytest
from small_designs import ACCEL, small_design

from hotnas_hls.accel.accelerator import LEGAL_PORT_BITS, Accelerator
from hotnas_hls.accel.design_point import DesignPoint
from hotnas_hls.accel.port_plan import PortPlan, demanded_bits, masters, plan_ports, port_violations
from hotnas_hls.boards.board import Ports, board_names, load_board
from hotnas_hls.errors import ConfigError

ZCU102 = load_board("ZCU102")


def ports(ifm: int, wgt: int, ofm: int, shared: bool = False) -> Accelerator:
    return dataclasses.replace(ACCEL, ifm_bits=ifm, wgt_bits=wgt, ofm_bits=ofm, shared_bus=shared)


def test_three_streams_avoid_the_two_ports_that_share_one_of_the_controller() -> None:
    assert plan_ports(ports(64, 128, 64), ZCU102) == PortPlan(("HP0",), ("HP1",), ("HP3",))
    assert plan_ports(ports(64, 64, 64, shared=True), ZCU102) == PortPlan((), (), ("HP0",))


def test_the_narrowest_port_that_can_be_set_to_the_width_is_taken() -> None:
    mixed = (Ports(("wide",), (64, 128)), Ports(("narrow", "other"), (32, 64)))
    board = dataclasses.replace(ZCU102, ports=mixed)
    assert plan_ports(ports(64, 128, 32), board) == PortPlan(("narrow",), ("wide",), ("other",))


@pytest.mark.parametrize("name", board_names())
def test_what_is_accepted_can_be_wired(name: str) -> None:
    board = load_board(name)
    accepted = 0
    splits = [(*bits, False) for bits in itertools.product(LEGAL_PORT_BITS, repeat=3)]
    for *bits, shared in splits + [(bits, bits, bits, True) for bits in LEGAL_PORT_BITS]:
        accel = ports(*bits, shared=shared)
        if port_violations(accel, board, board.clock_mhz, residual=True):
            continue
        accepted += 1
        plan = plan_ports(accel, board)
        wired = [(port, masters(accel)[stream].bits) for stream in masters(accel) for port in plan.of(stream)]
        assert len(wired) == len(masters(accel)) == len({port for port, _ in wired})
        for port, width in wired:
            kind = board.port(port)
            assert kind is not None and width in kind.bits and board.clock_mhz <= kind.clock_mhz
        reads_and_writes = 2 * bits[2] + (0 if shared else bits[0] + bits[1])
        assert demanded_bits(accel, residual=True) == reads_and_writes
        assert reads_and_writes / 8 * board.clock_mhz <= board.dram_mb_per_s
    assert accepted > 0


def test_a_residual_is_read_beside_the_write() -> None:
    assert demanded_bits(ports(64, 128, 32), residual=False) == 224
    assert demanded_bits(ports(64, 128, 32), residual=True) == 256
    assert demanded_bits(ports(64, 64, 64, shared=True), residual=False) == 128


def test_every_reason_has_its_cure() -> None:
    wide = ports(512, 512, 512, shared=True)
    assert port_violations(wide, ZCU102, 200, residual=False) == [
        "ofm: no port of ZCU102 is 512 bits wide, and no stream is narrowed; use 32 or 64 or 128",
        "the ports ask for 25,600 MB/s while all are busy, the pins of ZCU102 give 17,064; "
        "use narrower ports or a lower clock",
    ]
    none_left = (
        "1 master of 64 bits, 0 ports of ZCU102 left for it; use fewer masters (a shared bus has one) or "
        "other widths"
    )
    one = dataclasses.replace(ZCU102, ports=(Ports(("HP0",), (64,), 150),))
    assert port_violations(ports(64, 64, 64), one, 200, residual=False) == [
        "ifm: port HP0 of ZCU102 takes clocks up to 150 MHz, the design runs at 200; lower its clock",
        f"wgt: {none_left}",
        f"ofm: {none_left}",
    ]


def test_a_plan_by_hand_is_checked() -> None:
    board = dataclasses.replace(ZCU102, ports=(*ZCU102.ports, Ports(("LPD",), (32,), 250)))
    names = "HP0, HP1, HP3, HP2, HPC0, HPC1, LPD"
    plan = PortPlan(("HP0", "HP2"), ("HP0",), ("HP9",))
    assert port_violations(ports(64, 64, 64), board, 200, residual=False, plan=plan) == [
        f"port_plan.ofm: ZCU102 has no port HP9; it has {names}",
        "port_plan: HP0 is named 2 times (ifm, wgt); a port serves one master",
        "port_plan.ifm: 2 ports for 1 master; name one port a master",
    ]
    plan = PortPlan(("LPD",), ("HP0",), ("HP2",))
    assert port_violations(ports(64, 64, 64), board, 200, residual=False, plan=plan) == [
        "port_plan.ifm: LPD takes no master of 64 bits, only of 32; wire the stream to another port"
    ]
    shared = ports(64, 64, 64, shared=True)
    assert port_violations(shared, board, 200, residual=False, plan=plan) == [
        "port_plan.ifm: 1 port for 0 masters; name one port a master",
        "port_plan.wgt: 1 port for 0 masters; name one port a master",
    ]


def test_the_plan_and_the_dram_are_part_of_the_design(tmp_path) -> None:
    point = small_design()
    assert point.port_plan == PortPlan(("HP0",), ("HP1",), ("HP3",))
    assert point.dram is not None and point.dram.name == ZCU102.dram
    by_hand = dataclasses.replace(point, port_plan=PortPlan(("HP2",), ("HPC0",), ("HP0",)))
    loaded = DesignPoint.load(by_hand.save(tmp_path))
    assert loaded.port_plan == by_hand.port_plan and loaded.digest() == by_hand.digest() != point.digest()
    twice = dataclasses.replace(point, port_plan=PortPlan(("HP0",), ("HP0",), ("HP1",)))
    with pytest.raises(ConfigError) as caught:
        twice.save(tmp_path)
    assert str(caught.value) == (
        "small: not a valid design point:\n"
        "  - port_plan: HP0 is named 2 times (ifm, wgt); a port serves one master"
    )
