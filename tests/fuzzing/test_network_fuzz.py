"""The fuzz run: cases follow from their numbers, differences are told, verdicts kept, failures repeated."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from hotnas_hls import cli
from hotnas_hls.accel.accelerator import Accelerator
from hotnas_hls.accel.integers.reference import run_network
from hotnas_hls.accel.layer_checks import network_violations
from hotnas_hls.accel.plan import plan_violations
from hotnas_hls.accel.timing.latency import network_latency
from hotnas_hls.accel.timing.timeline import network_timeline
from hotnas_hls.errors import SimulationFailed
from hotnas_hls.fuzzing import network_fuzz
from hotnas_hls.fuzzing.network_fuzz import (
    CASES_PER_DESIGN,
    MOST_CYCLES,
    NetworkCase,
    Record,
    Verdict,
    differences,
    fuzz_design,
    network_case,
    predicted,
)
from hotnas_hls.simulate.rtl_simulation import RunResult


@pytest.fixture(scope="module")
def case() -> tuple[NetworkCase, Accelerator]:
    accel = fuzz_design(3, 0)
    return network_case(3, 5, accel), accel


def faultless(case: NetworkCase, accel: Accelerator) -> RunResult:
    """What a run leaves behind when all is as it should be."""
    network = case.network
    latency = network_latency(network.net.layers, accel, network.tiles, case.memory)
    layers = [layer.terms() for layer in latency.layers.values()]
    return RunResult(0, latency.cycles, layers, {}, run_network(network.net, network.image))


def test_a_case_follows_from_seed_and_number(case: tuple[NetworkCase, Accelerator]) -> None:
    one, accel = case
    again = network_case(3, 5, fuzz_design(3, 5 // CASES_PER_DESIGN))
    assert again.network.net.layers == one.network.net.layers
    assert np.array_equal(again.network.image, one.network.image)
    assert network_case(3, 6, accel).network.net.layers != one.network.net.layers
    assert network_case(4, 5, accel).network.net.layers != one.network.net.layers


DRAWN = [*((1, number) for number in range(0, 12 * CASES_PER_DESIGN, 7)), (0, 634), (0, 654)]


@pytest.mark.parametrize(("seed", "number"), DRAWN)
def test_every_case_is_legal_and_short(seed: int, number: int) -> None:
    accel = fuzz_design(seed, number // CASES_PER_DESIGN)
    assert accel.violations() == []
    case = network_case(seed, number, accel)
    network = case.network
    net = network.net
    assert network_violations(tuple(net.feature_maps.values()), net.layers, net.image, net.host) == []
    assert not [p for la in network.net.layers for p in plan_violations(la, accel, network.tiles[la.name])]
    assert predicted(case, accel).cycles <= MOST_CYCLES


def test_a_job_on_a_shared_bus_is_asked_for_when_the_one_before_was_taken() -> None:
    """Case 462, as simulated: jobs of two beats, in whose turn a residual's twelve runs come first."""
    accel = fuzz_design(0, 462 // CASES_PER_DESIGN)
    case = network_case(0, 462, accel)
    layers, tiles = case.network.net.layers, case.network.tiles
    assert predicted(case, accel).layers["conv1"].load_wgt == 8168
    assert network_timeline(layers, accel, tiles, case.memory)[0].total("load_wgt") == 8168


def test_differences_are_told_one_by_one(case: tuple[NetworkCase, Accelerator]) -> None:
    one, accel = case
    good = faultless(one, accel)
    assert list(differences(one, accel, good, good, good)) == []
    last = one.network.net.layers[-1]
    wrong_map = good.feature_maps[last.target].copy()
    wrong_map.flat[0] += 1
    stalled = dataclasses.replace(good, feature_maps=good.feature_maps | {last.target: wrong_map})
    cycles = good.layers[-1]["cycles"]
    late = dataclasses.replace(
        good, cycles=good.cycles + 1, layers=[*good.layers[:-1], good.layers[-1] | {"cycles": cycles + 1}]
    )
    assert list(differences(one, accel, good, late, stalled)) == [
        f"{last.name}: 1 outputs with stalls differ from the reference",
        f"{last.name}: cycles = {cycles} predicted, {cycles + 1} simulated",
        f"the run takes {good.cycles + 1} cycles, {good.cycles} predicted",
    ]
    slow = dataclasses.replace(good, cycles=good.cycles + 1)
    assert list(differences(one, accel, slow, good, good)) == [
        f"the run that loads takes {good.cycles + 1} cycles, {good.cycles} predicted"
    ]
    refused = dataclasses.replace(good, status=0x30010)
    assert list(differences(one, accel, good, good, refused)) == [
        "the run with stalls ended with status 0x30010"
    ]


def test_a_case_of_any_number_has_a_seed_that_verilator_takes(
    case: tuple[NetworkCase, Accelerator], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seeds: list[int] = []

    def run_networks(*_, seed):  # noqa: ANN001, ANN202
        seeds.append(seed)
        raise SimulationFailed("not run here")

    monkeypatch.setattr(network_fuzz, "run_networks", run_networks)
    for number in (0, 2**31 - 2, 2**31 - 1, 5_000_000_000):
        numbered = dataclasses.replace(case[0], number=number)
        network_fuzz.check_networks(None, case[1], [numbered], tmp_path)
    assert seeds[:3] == [1, 2**31 - 1, 1] and 0 < seeds[3] < 2**31


def test_only_what_passed_with_the_same_code_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = Record(tmp_path / "new" / "seed0.jsonl")
    assert record.passed() == set()
    for verdict in (Verdict(0, ()), Verdict(1, ("wrong",)), Verdict(7, ())):
        record.add(verdict)
    with record.file.open("a") as file:
        file.write('{"case": 9, "prob')  # interrupted
    assert Record(record.file).passed() == {0, 7}
    monkeypatch.setattr(network_fuzz, "code_digest", lambda: "another")
    assert Record(record.file).passed() == set()


def test_a_failure_prints_the_command_that_repeats_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ran: list[tuple[int, list[int], bool]] = []

    def fuzz(seed, numbers, report, *, csim, jobs):  # noqa: ANN001, ANN202
        ran.append((seed, list(numbers), csim))
        for number in numbers:
            report(Verdict(number, ("conv1: 3 outputs differ from the reference",) if number == 2 else ()))

    monkeypatch.setattr(network_fuzz, "fuzz", fuzz)
    command = ["fuzz", "--seed", "4", "--count", "4", "--output", str(tmp_path)]
    assert cli.main(command) == 1
    out = capsys.readouterr().out
    assert out.startswith(
        "case 2 FAILED\n  conv1: 3 outputs differ from the reference\n"
        "  repeat it: hotnas fuzz --seed 4 --case 2\n4 cases, 1 failed, "
    )
    assert cli.main(command) == 1  # what passed is left out
    assert cli.main(["fuzz", "--seed", "4", "--case", "3", "--csim", "--output", str(tmp_path)]) == 0
    assert ran == [(4, [0, 1, 2, 3], False), (4, [2], False), (4, [3], True)]


def test_impossible_numbers_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["fuzz", "--count", "0"]) == 1
    assert capsys.readouterr().err == (
        "hotnas: seed and cases are at least 0, count and jobs at least 1\n"
    )
