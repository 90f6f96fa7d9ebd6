"""A search on a platform that is a model: its own metrics and labels, and no design at the end."""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path

import pytest

from hotnas_hls.accel.integers.reference import run_network
from hotnas_hls.api.run import Run, load_run, run_search
from hotnas_hls.commands import hls, report, sim, synth, timing
from hotnas_hls.errors import ConfigError, InfeasibleDesign
from hotnas_hls.explore.integer_layers import IntegerFormat
from hotnas_hls.explore.workload import Workload
from hotnas_hls.frontends.source import load_model
from hotnas_hls.models.compression import Compression
from hotnas_hls.network.quantise import quantise_image
from hotnas_hls.platforms.nacim.platform import ComputeInMemoryPlatform
from hotnas_hls.platforms.nass.platform import PrivateInferencePlatform
from hotnas_hls.platforms.platform import Remedy
from hotnas_hls.platforms.space import AxisKind
from hotnas_hls.report.run_record import SUMMARY_FILE
from hotnas_hls.search.config import BoundSettings, RunConfig, load_config
from hotnas_hls.search.detecting.detect import Detection, detect
from hotnas_hls.search.fitting.integer import integer_accuracy, integer_variation, quantised_network
from hotnas_hls.search.problem import load_problem
from hotnas_hls.search.proposing.generate import SpaceOptions, compression_of, generate_space, ladder
from hotnas_hls.search.telling.study_charts import KIND_TEXT
from hotnas_hls.search.telling.summary import varied_of

FORM = IntegerFormat(8, 8)


def settings(**bound: float) -> RunConfig:
    config = load_config()
    return dataclasses.replace(
        config,
        platform="nass",
        objective="bytes",
        bound=BoundSettings(metrics=bound),
        search=dataclasses.replace(
            config.search, trials=2, batches=0, final_epochs=0, validation_images=64, patterns=False,
            kernel_expand=False, accuracy_drop=1.0,
        ),
        quantisation=dataclasses.replace(config.quantisation, act_bits=8, weight_bits=8),
    )  # fmt: skip


@pytest.fixture(scope="module")
def detected() -> tuple[Workload, Detection]:
    loaded = load_model("digits_resnet", None, None).trainable()
    platform = PrivateInferencePlatform()
    workload = platform.workload(loaded.graph, loaded.module, FORM)
    return workload, detect(workload, platform, platform.explore(workload.layers))


def test_layers_are_labelled_and_remedies_priced(detected: tuple[Workload, Detection]) -> None:
    _, found = detected
    assert {finding.label for finding in found.findings} <= {"G", "H"}
    remedies = {effect.remedy for finding in found.findings for effect in finding.helpful}
    assert remedies == {Remedy.CHANNEL_CUT, Remedy.WEIGHT_BITS, Remedy.ACT_BITS}
    assert found.cost.value == pytest.approx(sum(finding.cost for finding in found.findings))


def test_widths_of_what_layers_read_are_searched(detected: tuple[Workload, Detection]) -> None:
    workload, found = detected
    platform = PrivateInferencePlatform()
    space = generate_space(workload, platform, found.choices, SpaceOptions(weight_bits=8, act_bits=8))
    axes = space.of_kind(AxisKind.ACT_BITS)
    assert axes and {axis.layer for axis in axes} <= workload.readers
    assert {axis.kind for axis in space.axes} <= KIND_TEXT.keys()  # charts have a column for each
    assert {axis.options for axis in axes} == {(8, 7, 6, 5, 4)}
    strongest = compression_of(ladder(space, 2)[-1], space)
    assert strongest.act_bits == {axis.layer: 4 for axis in axes}
    assert strongest.record()["act_bits"] == strongest.act_bits and "act_bits" not in Compression().record()


@pytest.mark.whole
def test_the_integers_of_a_searched_network_read_what_was_priced() -> None:
    config = settings()
    problem = load_problem(config.network)
    reads = {"layer1.0.conv2": 4, "fc": 5}
    net = quantised_network(problem, problem.model, Compression(act_bits=reads), FORM)
    some = problem.dataset.validation.first(32)
    sources = {layer.name: layer.source for layer in net.layers}
    for image in quantise_image(net, some.images):
        found = run_network(net, image)
        for name, bits in reads.items():
            low, high = found[sources[name]].min(), found[sources[name]].max()
            assert -(1 << bits - 1) <= low <= high < 1 << bits - 1
    plain = quantised_network(problem, problem.model, Compression(), FORM)
    assert integer_accuracy(net, some) >= integer_accuracy(plain, some) - 0.1


def test_an_edited_workload_is_the_edited_network(detected: tuple[Workload, Detection]) -> None:
    workload, _ = detected
    owner = next(iter(workload.paths))
    reader = next(iter(workload.readers))
    edits = Compression({owner: 8}, {}, (owner,), {owner: 5}, {reader: 6})
    loaded = load_model("digits_resnet", None, None)
    assert workload.compressed(edits) == PrivateInferencePlatform().layers(loaded.graph, FORM, edits)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return run_search(settings(), tmp_path_factory.mktemp("runs") / "nass", quiet=True)


@pytest.mark.whole
def test_a_search_lessens_the_objective_and_writes_no_design(run: Run) -> None:
    before, after = run.metric("bytes")
    assert after < before
    assert run.summary["objective"]["name"] == "bytes"
    assert {"seconds", "offline_bytes", "online_bytes"} <= run.summary.keys()
    assert run.model == "private inference with gazelle's constants"
    assert "latency" not in "\n".join(run.lines())
    assert sorted(path.name for path in run.folder.iterdir() if path.is_file()) == ["search.json", "study.db"]
    again = run_search(settings(), run.folder, quiet=True)  # finished: read
    assert again.summary == run.summary == load_run(run.folder).summary


@pytest.mark.whole
def test_where_devices_vary_the_accuracy_under_it_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hotnas_hls.search.fitting.integer.DRAWS", 2)
    asked = dataclasses.replace(settings(), platform="nacim", objective="energy_uj")
    asked = dataclasses.replace(asked, search=dataclasses.replace(asked.search, trials=1))
    run = run_search(asked, tmp_path / "nacim", quiet=True)
    varied = varied_of(load_run(run.folder).summary)
    assert varied is not None and len(varied.accuracies) == 2
    assert varied.exact == run.test_accuracy[1]  # all of the test images
    assert f"{varied}; without it {varied.exact:.2%}" in run.lines()


def test_noise_in_training_is_searched_where_devices_vary(detected: tuple[Workload, Detection]) -> None:
    workload, found = detected
    options = SpaceOptions(weight_bits=8, act_bits=8, robust=True)
    space = generate_space(workload, ComputeInMemoryPlatform(), {}, options)
    assert space["noise"].options == (0, 50)
    rungs = ladder(space, 2)
    assert [compression_of(rung, space).noise for rung in rungs] == [0, 50]
    assert [compression_of(rung, space).record().get("noise") for rung in rungs] == [None, 50]
    exact = generate_space(workload, PrivateInferencePlatform(), found.choices, options)
    assert not exact.of_kind(AxisKind.NOISE)


@pytest.mark.whole
def test_candidates_are_compared_under_variation_and_the_result_is_bounded_there(tmp_path: Path) -> None:
    asked = dataclasses.replace(settings(), platform="nacim", objective="energy_uj")
    asked = dataclasses.replace(
        asked, search=dataclasses.replace(asked.search, trials=1, chips=2, validation_images=32)
    )
    asked = dataclasses.replace(asked, bound=BoundSettings(varied_accuracy=1.0))
    with pytest.raises(InfeasibleDesign) as refused:
        run_search(asked, tmp_path / "bounded", quiet=True)
    problem = load_problem(asked.network)
    platform, form = ComputeInMemoryPlatform(objective="energy_uj"), IntegerFormat(8, 8)
    net = quantised_network(problem, problem.start, Compression(), form)
    layers = platform.layers(problem.graph, form, Compression())
    some = problem.dataset.validation.first(32)
    varied = integer_variation(net, platform, layers, some, asked.seed, 2)
    assert str(refused.value) == (
        "no candidate of 1 has 100.00% on validation under variation, the mean of 2 chips; the most is "
        f"{varied.mean:.2%}: lower bound.varied_accuracy, or give it more trials or batches"
    )


def test_nothing_is_generated_or_simulated_of_a_model(tmp_path: Path) -> None:
    (tmp_path / SUMMARY_FILE).write_text(json.dumps({"model": "private inference", "bytes": {"after": 1.0}}))
    refusal = (
        f"{tmp_path}: searched on a model only (private inference); there is no design to generate or "
        "simulate"
    )
    parser = argparse.ArgumentParser()
    parsers = parser.add_subparsers(dest="command")
    for command in (hls, sim, synth, timing, report):
        command.add_parser(parsers)
        arguments = parser.parse_args([command.__name__.rpartition(".")[2], str(tmp_path)])
        with pytest.raises(ConfigError) as refused:
            command.run(arguments)
        assert str(refused.value) == refusal
    with pytest.raises(ConfigError) as refused:
        load_run(tmp_path).metric("latency_ms")
    assert str(refused.value) == f"{tmp_path}: the search's platform has no metric 'latency_ms'"


def test_bounds_that_cannot_be_met_say_what_could_be(tmp_path: Path) -> None:
    with pytest.raises(InfeasibleDesign) as refused:
        run_search(settings(seconds=0.01), tmp_path / "seconds", quiet=True)
    assert str(refused.value).splitlines() == [
        "the design of least bytes on the private inference with gazelle's constants misses bounds of "
        "digits_resnet; loosen them, or allow stronger edits:",
        "  - seconds: 0.01 s asked for, 1.633 s found",
    ]
    with pytest.raises(InfeasibleDesign) as refused:
        run_search(settings(bytes=2e7), tmp_path / "bytes", quiet=True)
    assert str(refused.value).splitlines() == [
        "no design of digits_resnet meets 2e+07 B on the private inference with gazelle's constants; the "
        "lowest bytes found is 23490000 B, with the edits that save most:",
        "  - layer conv1 blocks most: 5636096 of 23484928 B, bound by G (garbled)",
        "raise the bound to 23490000 B or more, allow stronger edits (least_weight_bits, least_act_bits, "
        "patterns, channel_cut)",
    ]
