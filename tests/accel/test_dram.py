"""The DRAM behind all ports: its schedule by hand and in both languages, the model against simulation."""

from __future__ import annotations

import ctypes
import dataclasses
import subprocess
from pathlib import Path

import numpy as np
import pytest

from hotnas_hls.accel.memory.dram import ASK, Dram, ask, grant_until, new_dram, take_answer, take_beat
from hotnas_hls.accel.memory.dram_latency import dram_latency
from hotnas_hls.accel.memory.dram_timing import PHASES, DramNumbers, DramTiming, known_drams, load_dram
from hotnas_hls.accel.timing.latency import network_latency
from hotnas_hls.accel.timing.memory_timing import MemoryTiming
from hotnas_hls.base import tools
from hotnas_hls.base.shipped import shipped_folder
from hotnas_hls.boards.board import known_boards
from hotnas_hls.codegen.ports import masters
from hotnas_hls.codegen.render import Banner
from hotnas_hls.codegen.rtl import rtl_files
from hotnas_hls.codegen.testbench import DRAM_SOURCE, bench_files
from hotnas_hls.errors import ConfigError
from hotnas_hls.fuzzing.layer_fuzz import STALL, FuzzCase, fuzz_case, random_accelerator
from hotnas_hls.fuzzing.random_networks import random_network
from hotnas_hls.simulate.behind_dram import TOLERANCE
from hotnas_hls.simulate.rtl_simulation import Run, build, run_network

needs_verilator = pytest.mark.skipif(tools.find("verilator") is None, reason="Verilator is not installed")
needs_gxx = pytest.mark.skipif(tools.find("g++") is None, reason="g++ is not installed")

# Round figures, to be followed by hand: a cycle of 1 ns, an access of 64 bytes in 4 ns, rows of 1 KiB.
HAND = DramNumbers(
    cycle=1000, access=4000, access_bytes=64, row_bytes=1024, banks=4, cas=10_000, rcd=12_000, rp=14_000,
    ras=30_000, write_recovery=15_000, write_to_read=7_000, read_to_write=2_000, activate_gap=5_000,
    refresh_interval=1_000_000, refresh=300_000, path=20_000, outstanding=8, fifo_beats=512, run_length=2,
    weights_base=1, first_refresh=1_000_000,
)  # fmt: skip
BEAT = 16  # bytes, all ports
IFM, WGT, OFM_WRITES = 0, 2, 5


def first_beats(dram: Dram, requester: int, count: int, until: int = 3000) -> list[int]:
    """The cycles in which the next ``count`` beats of a requester can be taken, at most one a cycle."""
    cycles = []
    for cycle in range(until):
        grant_until(dram, cycle)
        if len(cycles) < count and take_beat(dram, requester, cycle):
            cycles.append(cycle)
    return cycles


# ---------------------------------------------------------------- what a DRAM is
def test_every_shipped_dram_is_possible_and_as_fast_as_its_boards_say() -> None:
    for dram in known_drams():
        assert dram.violations() == []
    for board in known_boards():
        dram = load_dram(board.name.lower())
        assert dram.name == board.dram
        assert dram.mb_per_s == pytest.approx(board.dram_mb_per_s, rel=0.001)


def test_what_is_assumed_reaches_from_better_to_worse_than_usual() -> None:
    for dram in known_drams():
        assert dram.fast is not None and dram.slow is not None
        assert dram.fast.path < dram.path < dram.slow.path
        assert dram.fast.outstanding > dram.outstanding > dram.slow.outstanding
        assert dram.fast.efficiency > dram.efficiency > dram.slow.efficiency
        slow = dram.assuming(dram.slow)
        assert (slow.path, slow.outstanding) == (dram.slow.path, dram.slow.outstanding)
        assert slow.numbers(200).access == pytest.approx(
            dram.numbers(200).access * dram.efficiency / dram.slow.efficiency, abs=1
        )


def test_phases_of_the_refresh_lie_evenly_over_its_interval() -> None:
    dram = load_dram("ZCU102")
    firsts = [dram.numbers(200, phase).first_refresh for phase in range(PHASES)]
    assert firsts[-1] == dram.numbers(200).refresh_interval == 7_800_000
    assert {after - before for before, after in zip(firsts, firsts[1:], strict=False)} == {487_500}


def test_a_dram_of_ones_own_is_checked(tmp_path: Path) -> None:
    import yaml

    record = {**dataclasses.asdict(load_dram("pynq-z2")), "name": "mine"}
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(record))
    assert load_dram(path) == dataclasses.replace(load_dram("pynq-z2"), name="mine")
    path.write_text(yaml.safe_dump(record | {"row_bytes": 1000, "refresh": 9000, "path": 0, "bus_bits": 12}))
    with pytest.raises(ConfigError) as refused:
        load_dram(path)
    assert str(refused.value) == (
        f"{path}: not a valid DRAM:\n"
        "  - mine.path: must be more than 0\n"
        "  - mine.bus_bits: must be 8, 16, 32, 64 or 128, not 12\n"
        "  - mine.refresh_interval: must be more than refresh + rp, or nothing is ever answered"
    )
    wrong = {"efficiency": 1.5, "burst_length": 7, "fifo_beats": 63}
    wrong |= {"slow": {"path": 0, "outstanding": -1, "efficiency": 2}}
    path.write_text(yaml.safe_dump(record | wrong))
    with pytest.raises(ConfigError) as refused:
        load_dram(path)
    assert str(refused.value) == (
        f"{path}: not a valid DRAM:\n"
        "  - mine.fifo_beats: must be 64 or more, a burst, not 63\n"
        "  - mine.burst_length: must be 4, 8 or 16, not 7\n"
        "  - mine.efficiency: must be at most 1, not 1.5\n"
        "  - mine.slow.path: must be more than 0\n"
        "  - mine.slow.outstanding: must be more than 0\n"
        "  - mine.slow.efficiency: must be at most 1, not 2"
    )
    path.write_text(yaml.safe_dump(record | {"row_bytes": 1000}))
    with pytest.raises(ConfigError) as refused:
        load_dram(path)
    assert str(refused.value) == (
        f"{path}: not a valid DRAM:\n  - mine.row_bytes: must be a power of two of at least 1024, not 1000"
    )
    with pytest.raises(ConfigError) as refused:
        load_dram("SDRAM")
    assert str(refused.value) == (
        "unknown DRAM 'SDRAM'; known: DDR4-2400-64 (ZCU104, KV260), DDR4-2133-64 (ZCU102), DDR3-1050-16 "
        "(PYNQ-Z2, PYNQ-Z1), DDR3-1066-32 (ZedBoard, ZC706), LPDDR4-1066-32 (Ultra96-V2), DDR4-2400-64-MIG "
        "(Alveo U250), HBM2-1800-64 (Alveo U50, Alveo U55C); for another give the path of a YAML file with "
        "the keys of drams.yaml"
    )


def test_latency_and_bandwidth_can_be_varied() -> None:
    dram = load_dram("ZCU102")
    assert dram.with_idle_read(400).idle_read_ns == pytest.approx(400)
    assert dram.with_bandwidth(1000).mb_per_s == pytest.approx(1000)
    with pytest.raises(ConfigError) as refused:
        dram.with_idle_read(20)
    assert str(refused.value) == (
        "DDR4-2133-64: no read is answered within 20 ns; rcd + cas alone are 28.12 ns, so ask for more"
    )


# ---------------------------------------------------------------- the schedule by hand
def test_closed_bank_open_row_and_conflict() -> None:
    dram = new_dram(HAND, (BEAT,) * 3)
    ask(dram, IFM, 0, 4, 0)  # path, rcd, cas, one access, path
    closed = 20 + 12 + 10 + 4 + 20
    assert first_beats(dram, IFM, 1)[0] == closed
    first_beats(dram, IFM, 3)
    ask(dram, IFM, 64, 4, 500)
    assert first_beats(dram, IFM, 4)[0] == 500 + closed - 12  # the row is open
    ask(dram, IFM, 4 * 1024, 4, 800)
    assert first_beats(dram, IFM, 4)[0] == 800 + closed + 14  # bank 0 holds another row
    ask(dram, IFM, 1024, 4, 900)
    assert first_beats(dram, IFM, 4)[0] == 900 + closed  # bank 1 is closed


def test_beats_follow_the_data_bus_and_rows_the_banks() -> None:
    dram = new_dram(HAND, (BEAT,) * 3)
    ask(dram, IFM, 512, 64, 0)  # half a row, then the next bank's, opened in time
    cycles = first_beats(dram, IFM, 64)
    assert cycles == list(range(66, 66 + 64))  # an access is 4 beats in 4 ns
    start = dram.pieces[IFM]["start"]
    assert start[1] - start[0] == 8 * HAND.access


def test_ports_take_turns_and_the_other_direction_waits_for_two_grants() -> None:
    dram = new_dram(HAND, (BEAT,) * 3)
    for _ in range(3):
        ask(dram, IFM, 0, 16, 0)
        ask(dram, WGT, 0, 16, 0)
        ask(dram, OFM_WRITES, 0, 16, 0)
    grant_until(dram, 2000)
    order = sorted(
        (int(piece["start"]), requester)
        for requester in (IFM, WGT, OFM_WRITES)
        for piece in dram.pieces[requester][:3]
    )
    assert [requester for _, requester in order] == [WGT, IFM, 5, 5, IFM, WGT, 5, IFM, WGT]
    starts = [start for start, _ in order]
    gaps = [after - before - 4 * HAND.access for before, after in zip(starts, starts[1:], strict=False)]
    to_write, to_read = HAND.read_to_write, HAND.write_to_read + HAND.cas
    assert gaps == [0, to_write, 0, to_read, 0, to_write, to_read, 0]


def test_refresh_closes_every_bank() -> None:
    dram = new_dram(HAND, (BEAT,) * 3)
    ask(dram, IFM, 0, 4, 0)
    first_beats(dram, IFM, 4)
    due = (HAND.path + HAND.refresh_interval) // 1000
    ask(dram, IFM, 0, 4, due)  # reaches the controller 20 ns into the refresh
    expected = due + 14 + 300 + 12 + 10 + 4 + 20
    assert first_beats(dram, IFM, 4)[0] == expected


def test_a_write_is_answered_when_it_is_in_the_dram() -> None:
    dram = new_dram(HAND, (BEAT,) * 3)
    ask(dram, OFM_WRITES, 1024 - 64, 8, 0)  # two rows, one answer
    answers = []
    for cycle in range(300):
        grant_until(dram, cycle)
        if take_answer(dram, OFM_WRITES, cycle):
            answers.append(cycle)
    assert answers == [20 + 5 + 12 + 10 + 4 + 20]  # the second activation waits for its gap


def test_what_others_ask_delays_as_if_it_were_asked_here() -> None:
    """Asks of an engine that is stepped elsewhere, given by cycle, are granted like those made in turn."""
    rng = np.random.default_rng(5)
    asks = np.zeros(60, ASK)
    asks["cycle"] = np.sort(rng.integers(0, 900, 60))
    asks["requester"] = rng.choice([IFM, WGT, OFM_WRITES], 60)
    asks["address"], asks["beats"] = 64 * rng.integers(0, 512, 60), rng.integers(1, 16, 60)
    mine = asks["requester"] == IFM
    together = new_dram(HAND, (BEAT,) * 3)
    apart = new_dram(HAND, (BEAT,) * 3, asks[~mine], room=5)
    for dram, own in ((together, asks), (apart, asks[mine])):
        for cycle in range(3000):
            grant_until(dram, cycle)
            for each in own[own["cycle"] == cycle]:
                ask(dram, each["requester"], each["address"], each["beats"], cycle)
    assert np.array_equal(together.pieces, apart.pieces)
    assert together.queues["granted"].tolist() == apart.queues["granted"].tolist()
    assert apart.bus["own"][0] == mine.sum() > 5  # counted beyond the room
    assert np.array_equal(apart.own, asks[mine][:5])


# ---------------------------------------------------------------- the same in C++
@pytest.fixture(scope="module")
def simulated_dram(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    library = tmp_path_factory.mktemp("dram") / "dram.so"
    source = shipped_folder("sim") / DRAM_SOURCE
    subprocess.run(["g++", "-std=c++20", "-O1", "-shared", "-fPIC", source, "-o", library], check=True)
    loaded = ctypes.CDLL(str(library))
    cycle = ctypes.c_longlong
    loaded.dram_ask.argtypes = [*[ctypes.c_int] * 3, ctypes.c_longlong, ctypes.c_int, ctypes.c_int, cycle]
    loaded.dram_take_beat.argtypes = loaded.dram_take_answer.argtypes = [ctypes.c_int, cycle, cycle]
    return loaded


def random_numbers(rng: np.random.Generator) -> DramNumbers:
    """A random but possible DRAM."""
    dram: DramTiming = rng.choice(np.array(known_drams(), dtype=object))
    dram = dram.with_bandwidth(dram.mb_per_s * rng.uniform(0.2, 3)).with_idle_read(rng.uniform(60, 900))
    factor = rng.uniform(0.3, 4)
    times = ("cas", "rcd", "rp", "ras", "write_recovery", "write_to_read", "read_to_write", "activate_gap")
    dram = dataclasses.replace(
        dram,
        **{name: getattr(dram, name) * factor for name in times},
        banks=int(rng.integers(1, 17)),
        row_bytes=int(rng.choice([1024, 4096])),
        refresh_interval=float(rng.uniform(1000, 8000)),
        refresh=float(rng.uniform(0, 500)),
        run_length=int(rng.integers(1, 9)),
    )
    assert dram.violations() == []
    return dram.numbers(float(rng.uniform(80, 400)), int(rng.integers(PHASES)))


@needs_gxx
@pytest.mark.parametrize("seed", range(12))
def test_both_schedules_answer_in_the_same_cycles(
    seed: int, simulated_dram: ctypes.CDLL, tmp_path: Path
) -> None:
    rng = np.random.default_rng(seed)
    numbers = random_numbers(rng)
    (tmp_path / "numbers.bin").write_bytes(np.array(numbers, dtype="<i8").tobytes())
    assert simulated_dram.dram_configure(str(tmp_path / "numbers.bin").encode()) == 1
    assert simulated_dram.dram_outstanding() == numbers.outstanding
    assert simulated_dram.dram_fifo_beats() == numbers.fifo_beats
    beat_bytes = tuple(int(rng.choice([4, 8, 16, 32, 64])) for _ in range(3))
    dram = new_dram(numbers, beat_bytes)
    in_flight = [0] * 6
    answered = 0
    for cycle in range(9000):
        grant_until(dram, cycle)
        for requester in rng.permutation(6).tolist():
            port, write = divmod(requester, 2)
            size = beat_bytes[port]
            if in_flight[requester] < 32 and cycle < 7000 and rng.random() < 0.03:
                page = int(rng.integers(40)) * 4096
                beats = int(rng.integers(1, min(64, 4096 // size) + 1))
                address = page + int(rng.integers(4096 // size - beats + 1)) * size
                in_flight[requester] += 1
                ask(dram, requester, address, beats, cycle)
                simulated_dram.dram_ask(port, write, 0, address, beats, size, cycle)
            if write:
                taken = bool(take_answer(dram, requester, cycle))
                assert bool(simulated_dram.dram_take_answer(port, cycle - 1, cycle)) == taken, cycle
            else:
                beat = take_beat(dram, requester, cycle)
                assert bool(simulated_dram.dram_take_beat(port, cycle - 1, cycle)) == bool(beat), cycle
                taken = beat == 2
            in_flight[requester] -= taken
            answered += taken
    assert answered > 50


def test_an_unreadable_file_is_refused_and_an_empty_one_is_no_dram(
    simulated_dram: ctypes.CDLL, tmp_path: Path
) -> None:
    assert simulated_dram.dram_configure(str(tmp_path / "none").encode()) == 0
    for contents, read in ((b"", 1), (b"short", 0)):
        (tmp_path / "file").write_bytes(contents)
        assert simulated_dram.dram_configure(str(tmp_path / "file").encode()) == read
        assert simulated_dram.dram_outstanding() == 0


# ---------------------------------------------------------------- the engine behind it
def drawn_case(seed: int, layers: int, shared: bool) -> FuzzCase:
    """A random design, its three ports made one on request."""
    case = fuzz_case(seed, layers)
    if not shared:
        return case
    bits = max(case.accel.ifm_bits, case.accel.ofm_bits)
    ports = {"ifm_bits": bits, "wgt_bits": bits, "ofm_bits": bits, "wgt_masters": 1}
    accel = dataclasses.replace(case.accel, shared_bus=True, **ports)
    assert accel.violations() == []
    return dataclasses.replace(case, accel=accel)


def no_time(latency: int) -> DramNumbers:
    """A DRAM that answers a read and a write after ``latency`` cycles, whatever else it does."""
    nothing = dict.fromkeys(DramNumbers._fields, 0)
    return DramNumbers(**nothing)._replace(
        cycle=1000, path=500 * latency, access_bytes=64, row_bytes=4096, banks=1, outstanding=64,
        fifo_beats=4096, run_length=1, refresh_interval=1 << 60, weights_base=1 << 28, first_refresh=1 << 60,
    )  # fmt: skip


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("seed", range(10))
def test_a_dram_that_takes_no_time_is_the_memory_of_fixed_latency(seed: int, shared: bool) -> None:
    case = drawn_case(seed, 6, shared)
    latency = 2 * (seed + 2)
    behind = dram_latency(case.net, case.accel, case.tiles, no_time(latency))
    fixed = network_latency(case.net.layers, case.accel, case.tiles, MemoryTiming(latency, latency))
    assert behind.layers == {name: layer.cycles for name, layer in fixed.layers.items()}
    assert behind.stalls == {name: layer.stall for name, layer in fixed.layers.items()}


@pytest.mark.parametrize("seed", range(8))
def test_so_it_is_for_maps_and_weights_on_chip_and_for_their_loading(seed: int) -> None:
    accel = dataclasses.replace(
        random_accelerator(
            np.random.default_rng(seed), False, True, seed % 2 == 1, seed % 3 == 1, products=seed % 3 == 2
        ),
        ifm_depth=600,
        max_entries=49,
    )
    network = random_network(np.random.default_rng(seed), accel, "on_chip")
    layers, tiles, memory = network.net.layers, network.tiles, MemoryTiming(2 * (seed + 2), 2 * (seed + 2))
    assert any(layer.ifm_on_chip for layer in layers) and any(layer.weights_on_chip for layer in layers)
    loaded, first = (
        dram_latency(network.net, accel, tiles, no_time(memory.read_latency), loaded=loaded)
        for loaded in (True, False)
    )
    for found, is_loaded in ((loaded, True), (first, False)):
        fixed = network_latency(layers, accel, tiles, memory, loaded=is_loaded)
        assert found.layers == {name: layer.cycles for name, layer in fixed.layers.items()}
        assert found.stalls == {name: layer.stall for name, layer in fixed.layers.items()}
    assert first.cycles > loaded.cycles


@needs_verilator
@pytest.mark.parametrize("seed, shared", [pytest.param(0, False, marks=pytest.mark.whole), (6, True)])
def test_the_model_predicts_the_total_behind_a_dram(seed: int, shared: bool, tmp_path: Path) -> None:
    """DRAMs the ports fit and ones they exceed; on the same build the other memory, and stalls."""
    case = drawn_case(seed, 8, shared)
    drams = [
        load_dram("ZCU102").numbers(200),
        load_dram("PYNQ-Z2").numbers(100),
        dataclasses.replace(load_dram("PYNQ-Z2"), outstanding=2).with_bandwidth(500).numbers(200),
        dataclasses.replace(load_dram("ZedBoard"), fifo_beats=64).with_idle_read(600).numbers(200),
    ]
    image = case.inputs[case.net.image]
    runs = [Run(image, case.inputs, case.memory)]
    runs += [Run(image, case.inputs, case.memory, dram=numbers) for numbers in drams]
    runs += [Run(image, case.inputs, case.memory, dram=drams[0], stall=STALL)]
    runs += [Run(image, case.inputs, case.memory, reset=True)]
    predicted = [dram_latency(case.net, case.accel, case.tiles, numbers).cycles for numbers in drams]
    files = rtl_files(case.accel, len(case.net.layers), Banner("dram", "dram"))
    model = build(files, tmp_path, optimise=False, bench=bench_files(masters(case.accel)))
    results = run_network(
        model, case.net, case.accel, case.tiles, runs, tmp_path / "job", timeout_cycles=20 * max(predicted)
    )
    fixed = network_latency(case.net.layers, case.accel, case.tiles, case.memory).cycles
    assert results[0].cycles == results[-1].cycles == fixed
    for forecast, result in zip(predicted, results[1:-2], strict=True):
        assert abs(forecast / result.cycles - 1) <= TOLERANCE
    for result in results:
        assert result.status == 0
        for layer in case.net.layers:
            assert np.array_equal(result.feature_maps[layer.target], results[0].feature_maps[layer.target])
