"""What may go wrong on a board (bus errors, resets, wrong descriptors) ends with a status, never a hang."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from hotnas_hls.accel.encoding.images import MemoryMap, map_memory, weight_image
from hotnas_hls.accel.integers.reference import run_layer
from hotnas_hls.accel.layer import Layer
from hotnas_hls.accel.plan import layer_beats, plan_layer
from hotnas_hls.accel.timing.latency import network_latency
from hotnas_hls.accel.timing.memory_timing import MemoryTiming
from hotnas_hls.accel.traffic import PORTS, network_beats
from hotnas_hls.codegen.ports import masters
from hotnas_hls.codegen.render import Banner
from hotnas_hls.codegen.rtl import profile_slots, rtl_files
from hotnas_hls.codegen.testbench import bench_files
from hotnas_hls.fuzzing.layer_fuzz import STALL, FuzzCase, fuzz_case
from hotnas_hls.simulate.rtl_simulation import (
    Run,
    RunResult,
    SimulationModel,
    build,
    feature_map_page,
    run_network,
    weight_page,
)
from simulate.test_rtl import needs_verilator

IFM_ERROR, WGT_ERROR, RESIDUAL_ERROR, OFM_ERROR, BAD_DESCRIPTOR, TOO_MANY_LAYERS = (1 << b for b in range(6))
DAMAGED_WEIGHTS, ABORTED = 1 << 6, 1 << 7
LAYERS = 4
IFM, WGT, OFM = 1, 2, 3  # ports


@dataclass(frozen=True)
class Bench:
    """A Verilated random design and its layers."""

    case: FuzzCase
    model: SimulationModel
    folder: Path

    def run(self, *changes: dict[str, object]) -> list[RunResult]:
        """One run of the layers for each dictionary of changes to it, back to back."""
        case = self.case
        runs = [Run(case.inputs[case.net.image], case.inputs, case.memory)] * len(changes)
        runs = [dataclasses.replace(run, **change) for run, change in zip(runs, changes, strict=True)]
        job = self.folder / f"job{len(list(self.folder.iterdir()))}"
        return run_network(self.model, case.net, case.accel, case.tiles, runs, job, timeout_cycles=400_000)

    def is_right(self, result: RunResult) -> bool:
        """Whether the run ended well and every layer's output equals the reference's."""
        return result.status == 0 and self.are_right(result, self.case.net.layers)

    def are_right(self, result: RunResult, layers: Sequence[Layer]) -> bool:
        """Whether the outputs of these layers equal the reference's."""
        case = self.case
        return all(
            np.array_equal(
                result.feature_maps[layer.target],
                run_layer(
                    layer,
                    case.net.numbers[layer.name],
                    case.net.act_bits,
                    case.inputs[layer.source],
                    case.inputs[layer.residual] if layer.residual else None,
                ),
            )
            for layer in layers
        )

    @property
    def memory(self) -> MemoryMap:
        """Where everything lies."""
        return map_memory(self.case.net, self.case.accel, self.case.tiles)

    @property
    def weights(self) -> bytes:
        """What lies behind wgt."""
        return weight_image(self.case.net, self.case.accel, self.case.tiles, self.memory)

    @property
    def layer(self) -> tuple[int, Layer]:
        """A layer behind the first that has a residual, and its number."""
        layers = list(enumerate(self.case.net.layers))
        return next((number, layer) for number, layer in layers[1:] if layer.residual)


@pytest.fixture(
    scope="module",
    params=[pytest.param(False, marks=pytest.mark.whole), True],
    ids=["three ports", "one port"],
)
def bench(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    cases = [fuzz_case(seed, LAYERS, shared_bus=request.param) for seed in range(20)]
    small = sorted(cases, key=lambda case: case.accel.tm * case.accel.tn)
    case = next(case for case in small if any(layer.residual for layer in case.net.layers[1:]))
    folder = tmp_path_factory.mktemp("faults")
    files, bench = rtl_files(case.accel, LAYERS, Banner("faults", "test")), bench_files(masters(case.accel))
    model = build(files, folder / "model", optimise=False, bench=bench)
    return Bench(case, model, folder)


@needs_verilator
def test_back_to_back_starts_and_a_reset_give_the_same_result(bench: Bench) -> None:
    done = bench.run({}, {}, {"reset": True})
    assert done[0].layers == done[1].layers == done[2].layers
    assert all(bench.is_right(result) for result in done)


@needs_verilator
def test_run_register_is_the_sum_of_the_layers(bench: Bench) -> None:
    (done,) = bench.run({})
    assert done.cycles == sum(layer["cycles"] for layer in done.layers)


@needs_verilator
def test_a_batch_takes_its_images_one_after_another_each_as_if_alone(bench: Bench) -> None:
    case = bench.case
    first = case.inputs[case.net.image]
    images = np.stack([first, np.flip(first, axis=2), first])
    alone = bench.run(*({"image": image} for image in images))
    batch, stalled, one, none, last = bench.run(
        *(
            {"image": images},
            {"image": images, "stall": STALL},
            {"image": images[:1]},
            {"image": images[:0]},
            {},
        )
    )
    assert [result.status for result in (batch, stalled, one, none)] == [0, 0, 0, 0]
    for run in (batch, stalled):
        for index, result in enumerate(alone):
            for name, expected in result.feature_maps.items():
                assert np.array_equal(run.feature_maps[name][index], expected), (index, name)
    assert batch.cycles == sum(result.cycles for result in alone) == 3 * alone[0].cycles
    assert batch.layers == alone[-1].layers
    assert one.cycles == alone[0].cycles
    assert bench.is_right(last)


@needs_verilator
@pytest.mark.parametrize("decode", [False, True], ids=["SLVERR", "DECERR"])
def test_a_bus_error_ends_the_run_with_a_status_and_the_next_start_works(bench: Bench, decode: bool) -> None:
    memory, (number, layer) = bench.memory, bench.layer
    assert layer.residual is not None
    shared = bench.case.accel.shared_bus
    faults = (
        (IFM, feature_map_page(memory, layer.source), IFM_ERROR, number),
        (WGT, weight_page(memory.weights[layer.name]), WGT_ERROR, number),
        (WGT, weight_page(0), WGT_ERROR, 0),  # a descriptor
        (OFM, feature_map_page(memory, layer.residual), RESIDUAL_ERROR, number),
        (OFM, feature_map_page(memory, layer.target), OFM_ERROR, number),
    )
    changes: list[dict[str, object]] = []
    for port, page, _, _ in faults:
        at = {"error_port": OFM if shared else port, "error_page": page, "error_decode": decode}
        changes += [at, at | {"stall": STALL}, {}]
    done = bench.run(*changes)
    for fault, (_, _, bit, at) in enumerate(faults):
        failed, stalled, after = done[3 * fault : 3 * fault + 3]
        assert failed.status == stalled.status == at << 16 | bit, fault
        # Whatever comes ahead while the layers before are in work, these end well.
        assert bench.are_right(failed, bench.case.net.layers[:at]), fault
        assert bench.are_right(stalled, bench.case.net.layers[:at]), fault
        assert bench.is_right(after), fault


@needs_verilator
def test_a_reset_in_the_middle_of_a_run_leaves_nothing_behind(bench: Bench) -> None:
    case = bench.case
    total = network_latency(case.net.layers, case.accel, case.tiles, case.memory).cycles
    rng = np.random.default_rng(0)
    changes: list[dict[str, object]] = []
    for moment in rng.integers(0, total, size=12).tolist():
        stall = STALL if moment % 2 else 0
        changes += [{"reset_after": moment, "stall": stall}, {"stall": stall}]
    done = bench.run(*changes)
    assert all(result.status is None for result in done[::2])
    assert all(bench.is_right(result) for result in done[1::2])


@needs_verilator
def test_an_abort_at_any_moment_leaves_nothing_behind(bench: Bench) -> None:
    """Nothing is in flight when the run has ended so, as the checkers see; the next start works at once."""
    case = bench.case
    total = network_latency(case.net.layers, case.accel, case.tiles, case.memory).cycles
    rng = np.random.default_rng(3)
    moments = [0, *rng.integers(0, total, size=20).tolist()]
    changes: list[dict[str, object]] = []
    for number, moment in enumerate(moments):
        stall = STALL if number % 2 else 0
        changes += [{"abort_after": moment, "stall": stall}, {"stall": stall}]
    done = bench.run(*changes, {"abort_after": 2 * total})
    assert {result.status for result in done[:-1:2]} == {ABORTED}
    assert all(bench.is_right(result) for result in done[1::2])
    assert bench.is_right(done[-1])  # it had ended by itself


@needs_verilator
def test_damaged_weights_end_the_run_with_a_status(bench: Bench) -> None:
    case, starts = bench.case, bench.memory.weights
    rng = np.random.default_rng(4)
    changes: list[dict[str, object]] = []
    ends = [*list(starts.values())[1:], len(bench.weights)]
    used = [
        (start, start + layer_beats(plan_layer(layer, case.accel, case.tiles[layer.name]), layer)
         * case.accel.plane_width // 8)
        for layer, start in zip(case.net.layers, starts.values(), strict=True)
    ]  # fmt: skip
    assert all(end <= limit for (_, end), limit in zip(used, ends, strict=True))
    for start, end in used:
        image = bytearray(bench.weights)
        image[int(rng.integers(start, end))] ^= 1 << int(rng.integers(8))
        changes += [{"weights": bytes(image)}, {"weights": bytes(image), "stall": STALL}, {}]
    done = bench.run(*changes)
    for number in range(LAYERS):
        wrong, stalled, after = done[3 * number : 3 * number + 3]
        assert wrong.status == stalled.status == number << 16 | DAMAGED_WEIGHTS
        assert bench.are_right(wrong, case.net.layers[:number])
        assert bench.is_right(after)


@needs_verilator
def test_every_port_counts_its_beats_and_the_cycles_it_waits(bench: Bench) -> None:
    case = bench.case
    fast, slow, stalled, aborted = bench.run(
        {"memory": MemoryTiming(2, 2)}, {"memory": MemoryTiming(300, 20)}, {"stall": STALL}, {"layers": 0}
    )
    expected = network_beats(case.net.layers, case.accel, case.tiles)
    for result in (fast, slow, stalled):
        assert {name: result.ports[f"{name}_beats"] for name in PORTS} == expected
    assert set(aborted.ports.values()) == {0}
    read = PORTS[2] if case.accel.shared_bus else PORTS[0]
    assert fast.ports[f"{read}_stalls"] < slow.ports[f"{read}_stalls"] <= slow.cycles
    assert fast.ports["ofm_write_stalls"] == 0 < stalled.ports["ofm_write_stalls"]


def damaged(bench: Bench, rng: np.random.Generator) -> tuple[int, bytes]:
    """A layer whose descriptor is damaged, and the weight image that holds it."""
    size = bench.case.accel.descriptor_bytes
    layer = int(rng.integers(LAYERS))
    image = bytearray(bench.weights)
    descriptor = np.frombuffer(image, dtype=np.uint8, count=size, offset=layer * size)
    match rng.integers(4):
        case 0:
            descriptor[...] = rng.integers(256, size=size)
        case 1:
            descriptor[int(rng.integers(size))] ^= 1 << int(rng.integers(8))
        case 2:
            descriptor[: int(rng.integers(4, size))] = 0
        case _:  # two fields change places
            one, other = rng.choice(np.arange(5, 31), size=2, replace=False)
            words = descriptor.view("<u4")
            words[[one, other]] = words[[other, one]] + np.array([0, 1], dtype=np.uint32)
    return layer, bytes(image)


@needs_verilator
def test_a_descriptor_of_no_layer_of_this_design_is_not_run(bench: Bench) -> None:
    case = bench.case
    size = case.accel.descriptor_bytes
    other = dataclasses.replace(case.accel, ifm_depth=case.accel.ifm_depth + 1)
    foreign = weight_image(case.net, other, case.tiles, bench.memory)
    rng = np.random.default_rng(1)
    wrong = [
        (0, bytes(len(foreign))),
        (0, b"\xff" * len(foreign)),
        (0, foreign),
        (2, bench.weights[: 2 * size] + foreign[2 * size :]),
        *(damaged(bench, rng) for _ in range(20)),
    ]
    changes: list[dict[str, object]] = [{"weights": image} for _, image in wrong]
    *refused, after = bench.run(*changes, {})
    for (layer, _), result in zip(wrong, refused, strict=True):
        assert result.status == layer << 16 | BAD_DESCRIPTOR
        assert bench.are_right(result, case.net.layers[:layer])
        written = [la.target for la in case.net.layers[layer:]]
        poison = np.frombuffer(b"\xa5" * 8, dtype=f"<i{case.accel.act_bits // 8}")[0]
        assert all(np.all(result.feature_maps[name] == poison) for name in written)
    assert bench.is_right(after)


@needs_verilator
def test_a_number_of_layers_that_is_none_or_too_many_runs_nothing(bench: Bench) -> None:
    rows = profile_slots(LAYERS)
    nothing, many, most, after = bench.run({"layers": 0}, {"layers": rows}, {"layers": 0xFFFFFFFF}, {})
    assert [nothing.status, many.status, most.status] == [0, TOO_MANY_LAYERS, TOO_MANY_LAYERS]
    assert bench.is_right(after)


@needs_verilator
def test_latencies_up_to_the_hidden_limit_do_not_change_the_outputs(bench: Bench) -> None:
    runs = [{"memory": MemoryTiming(latency, 20)} for latency in (2, 60, 300)]
    done = bench.run(*runs)
    assert all(bench.is_right(result) for result in done)
    assert done[0].cycles < done[1].cycles < done[2].cycles
