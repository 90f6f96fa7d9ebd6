"""The whole search, small: feasible, deterministic, honest when nothing can."""

import dataclasses
import json
import re

import pytest

from hotnas_hls.accel.design_point import DesignPoint
from hotnas_hls.accel.image_layout import Stem
from hotnas_hls.boards.board import load_board
from hotnas_hls.errors import InfeasibleDesign, UnsupportedNetwork
from hotnas_hls.explore.integer_layers import IntegerFormat
from hotnas_hls.platforms.platform import measured
from hotnas_hls.platforms.tiled_engine import EngineOptions, TiledEnginePlatform
from hotnas_hls.search.detecting.start import fastest_start
from hotnas_hls.search.evaluating.outcome import Outcome
from hotnas_hls.search.fitting.finetune import Tuning
from hotnas_hls.search.fitting.integer import integer_accuracy
from hotnas_hls.search.proposing.generate import SpaceOptions
from hotnas_hls.search.running.study import SearchStudy
from hotnas_hls.search.search import SearchOptions, hot_start, search

from .pipeline_platform import PipelinePlatform

OPTIONS = SearchOptions(
    bound=0.015,
    trials=4,
    rungs=4,
    tuning=Tuning(batches=3, batch_size=32, calibration_batches=2),
    final_epochs=1,
    format=IntegerFormat(calibration_images=16),
    golden_images=2,
    stem=Stem.PLAIN,
    packed=0,
)
ENGINE = EngineOptions(tm=(16, 32), tn=(16, 32), tr=(4, 8), tc=(4, 8), port_bits=(64, 128))


def engine(board: str = "ZCU102") -> TiledEnginePlatform:
    return TiledEnginePlatform(load_board(board), 200.0, options=ENGINE)


@pytest.fixture(scope="module")
def result(problem):
    return search(problem, engine(), OPTIONS)


def test_the_guarantee(result):
    point = result.design
    assert point.violations() == []
    layers = tuple(entry.layer for entry in point.layers)
    design = engine().design(layers, result.choices)
    assert engine().violations(layers, design) == []
    assert measured(engine(), layers, design) == result.cost
    cost = result.cost
    assert cost.total == pytest.approx(point.predicted_cycles, rel=0.01)  # maps lie elsewhere in memory
    assert cost.latency_ms <= 0.015 < result.baseline.cost.latency_ms
    assert point.latency_bound_ms == 0.015


def test_what_is_reported_is_what_is_emitted(problem, result):
    network = result.design.integer_network()
    assert integer_accuracy(network, problem.dataset.test) == result.test.final
    assert integer_accuracy(network, problem.dataset.validation) == result.validation
    assert result.design.accuracy.images == len(problem.dataset.test)


def test_only_feasible_candidates_were_trained(result):
    assert sum(outcome.trained for outcome in result.outcomes) == OPTIONS.trials
    assert any(outcome.refusals for outcome in result.outcomes)
    assert all(o.latency_ms <= 0.015 for o in result.outcomes if o.accuracy is not None)
    assert result.chosen.feasible


@pytest.mark.whole
def test_same_seed_same_bytes(problem, result, tmp_path):
    again = search(problem, engine(), OPTIONS, f"sqlite:///{tmp_path}/study.db")
    assert again.design.to_json() == result.design.to_json()
    assert again.design.weights_bytes() == result.design.weights_bytes()
    assert [o.candidate for o in again.outcomes] == [o.candidate for o in result.outcomes]


@pytest.mark.whole
def test_interrupted_and_resumed_gives_the_same_design(problem, result, tmp_path):
    middle = result.outcomes[len(result.outcomes) // 2].number

    class Interrupting:
        def stage(self, text: str) -> None: ...

        def step(self, done: int, total: int, what: str = "batches") -> None: ...

        def outcome(self, outcome: Outcome, study: SearchStudy) -> None:
            if outcome.number == middle:
                raise KeyboardInterrupt

    url = f"sqlite:///{tmp_path}/study.db"
    with pytest.raises(KeyboardInterrupt):
        search(problem, engine(), OPTIONS, url, reporter=Interrupting())
    resumed = search(problem, engine(), OPTIONS, url, resume=True)
    assert resumed.design.to_json() == result.design.to_json()


def test_infeasible_bound_names_what_blocks(problem):
    with pytest.raises(InfeasibleDesign) as caught:
        search(problem, engine(), dataclasses.replace(OPTIONS, bound=0.001), reporter=None)
    message = re.sub(r"[\d.,]*\d", "#", str(caught.value))
    layer = re.search(r"layer (\S+) blocks", str(caught.value)).group(1)
    masked = re.sub(r"[\d.,]*\d", "#", layer)
    expected = "\n".join(
        (
            "no design of digits_resnet meets # ms on the tiled engine on ZCU# at # MHz; the lowest latency "
            "found is # ms, with the edits that save most:",
            rf"  - layer {re.escape(masked)} blocks most: # of # cycles, bound by [IWCO] \((\w+)\)",
            r"  - resource \w+ is the tightest: # of # used",
            "raise the bound to # ms or more, allow stronger edits (least_weight_bits, patterns, "
            "channel_cut), a higher clock, or a larger board",
        )
    )
    fixed = "(least_weight_bits, patterns, channel_cut)"
    expected = expected.replace(fixed, re.escape(fixed))
    assert re.fullmatch(expected, message), message
    least = float(re.search(r"lowest latency found is ([\d.]+) ms", str(caught.value)).group(1))
    assert 0.001 < least < 0.015


@pytest.mark.whole
def test_the_lowest_latency_named_can_be_had(problem):
    with pytest.raises(InfeasibleDesign) as caught:
        search(problem, engine(), dataclasses.replace(OPTIONS, bound=0.001))
    least = float(re.search(r"raise the bound to ([\d.]+) ms", str(caught.value)).group(1))
    tight = dataclasses.replace(OPTIONS, bound=least, trials=1, rungs=1, final_epochs=0)
    assert search(problem, engine(), tight).cost.latency_ms <= least


@pytest.mark.whole
def test_without_a_bound_the_fastest_that_is_accurate_enough(problem):
    options = dataclasses.replace(OPTIONS, bound=None, trials=3, accuracy_drop=1.0, final_epochs=0)
    result = search(problem, engine(), options)
    trained = [o for o in result.outcomes if o.accuracy is not None]
    assert result.chosen.latency_ms == min(o.latency_ms for o in trained)
    assert result.design.latency_bound_ms is None


@pytest.mark.whole
def test_hardware_can_be_left_alone(problem):
    space = SpaceOptions(hardware=False)
    options = dataclasses.replace(OPTIONS, space=space, trials=2, final_epochs=0)
    result = search(problem, engine(), options)
    assert result.choices == result.baseline.choices


@pytest.mark.whole
def test_8_bit_candidates_are_measured_from_the_16_bit_baseline(problem):
    options = dataclasses.replace(
        OPTIONS,
        bound=None,
        reduction=0.4,
        reduction_of="int16",
        format=IntegerFormat(8, 8, calibration_images=16),
        space=SpaceOptions(weight_bits=8, channel_cut=False, kernel_expand=False),
        trials=3,
        final_epochs=0,
    )
    narrow = dataclasses.replace(engine(), act_bits=8)
    result = search(problem, narrow, options)
    assert result.baseline.cost == search_baseline(problem)
    assert (result.baseline_format.act_bits, result.baseline_format.weight_bits) == (16, 16)
    assert result.design.accelerator.act_bits == result.format.act_bits == 8
    assert max(entry.layer.weight_bits for entry in result.design.layers) <= 8
    assert result.bound == pytest.approx(0.6 * result.baseline.cost.latency_ms)
    assert result.cost.latency_ms <= result.bound == result.design.latency_bound_ms
    assert result.design.packed_resolutions == result.format.arrangement.packed_resolutions
    assert integer_accuracy(result.design.integer_network(), problem.dataset.test) == result.test.final
    pattern, channel, quantisation, hardware = result.reductions
    assert channel.alone == result.baseline.cost.latency_ms
    assert quantisation.alone < result.baseline.cost.latency_ms
    assert hardware.value == result.cost.latency_ms and hardware.alone is None


def search_baseline(problem):
    """Cost of the best 16-bit uncompressed design."""
    form, arranged = IntegerFormat(), (OPTIONS.stem, OPTIONS.packed)
    start = fastest_start(problem.graph, problem.model, engine(), form, *arranged)
    layers = start.workload.layers
    return measured(engine(), layers, engine().design(layers, start.choices))


@pytest.mark.whole
def test_another_platform_needs_no_change(problem):
    options = dataclasses.replace(OPTIONS, bound=15.0, trials=3, final_epochs=0)
    result = search(problem, PipelinePlatform(), options)
    assert result.design is None  # it does not emit
    assert result.cost.latency_ms <= 15.0 < result.baseline.cost.latency_ms
    assert {axis.name for axis in result.space.axes} >= {"multipliers", "width"}


def test_reductions_lead_from_the_baseline_to_the_design(result):
    names = [step.name for step in result.reductions]
    assert names[-4:] == ["pattern", "channel", "quantisation", "hardware"]
    first, last = result.reductions[0], result.reductions[-1]
    assert first.value == first.alone
    assert last.value == result.cost.latency_ms
    for step in result.reductions[-4:-1]:  # a kernel that grows may cost, the others never do
        assert step.alone is None or step.alone <= result.baseline.cost.latency_ms


def test_summary_is_json(result):
    from hotnas_hls.search.telling.summary import readable, summary_of

    summary = summary_of(result)
    assert json.loads(json.dumps(summary)) == summary
    assert summary["reduction"] > 0 and summary["trained"] == 4 <= summary["trials"]
    assert summary["trained"] + summary["refused"] + summary["repeated"] == summary["trials"]
    cost = {"wall_seconds": 90.0, "cpu_seconds": 150.0, "cpus": 2, "resumed": True}
    printed = readable(summary | {"cost": cost})
    assert printed[-1] == "time      1.5 min since it was resumed, 2.5 min of CPU time on 2 cores"
    assert "LOSES" not in readable(summary | {"cost": cost, "accuracy_drop": 1.0})[0]
    lossy = summary | {
        "cost": cost,
        "accuracy_drop": 0.001,
        "validation_accuracy": {"before": 0.93, "after": 0.9288},
        "test_accuracy": {"before": 0.9339, "after": 0.9329},
    }
    assert readable(lossy)[0] == (
        "LOSES 0.12% of validation accuracy, more than accuracy_drop (0.10%); raise the bound, or give it "
        "more trials"
    )
    older = {name: value for name, value in lossy.items() if name != "accuracy_drop"}
    assert "LOSES" not in readable(older)[0]
    refused = summary | {"cost": cost, "accuracy_drop": 1.0, "trials": 10, "trained": 2, "refused": 8}
    refused |= {"refusals": {"DSP slices": 7, "latency": 1}, "reduction": 0.0, "uncompressed_ms": {}}
    lines = readable(refused)
    assert lines[0] == (
        "MOSTLY REFUSED 8 of 10 candidates, 2 were trained: DSP slices (7), latency (1); a looser bound lets "
        "more of them pass"
    )
    told = {"latency_ms": {"before": 0.5, "after": 0.25, "bound": 0.26}, "cost": cost, "accuracy_drop": 1.0}
    told |= {"uncompressed_ms": {"int16": 0.5, "int8": 0.25}}
    told |= {"refused": 0, "blocked": {"layer": "conv1", "bottleneck": "C", "term": "compute"}}
    plain = readable(summary | told)
    assert plain[0] == (
        "NO FASTER than the plain 8-bit network, which takes 0.25 ms without a search; most of 0.25 ms is "
        "layer conv1, bound by C (compute)"
    )
    assert plain[2] == (
        "latency   0.25 ms; against int16 0.5 ms: -50.0%, int8 0.25 ms: +0.0%, bound 0.26 ms: -3.8%"
    )
    faster = readable(summary | told | {"uncompressed_ms": {"int16": 0.5, "int8": 0.26}})
    assert not faster[0].startswith("NO FASTER")


def test_a_search_is_compared_with_both_uncompressed_designs(result):
    from hotnas_hls.search.telling.summary import summary_of

    summary = summary_of(result)
    assert summary["uncompressed_ms"].keys() == {"int16", "int8"}
    assert summary["uncompressed_ms"]["int16"] == summary["latency_ms"]["before"]
    slowest = max(result.remaining.cost.layers, key=lambda layer: layer.total)
    assert summary["blocked"]["layer"] == slowest.layer


@pytest.mark.parametrize("of", ["int8", "int16"])
def test_a_reduction_is_of_the_baseline_it_names(problem, of):
    from hotnas_hls.search.prepare import prepare
    from hotnas_hls.search.telling.reporter import Silent

    options = dataclasses.replace(OPTIONS, bound=None, reduction=0.1, reduction_of=of)
    found = prepare(problem, engine(), options, Silent())
    assert found.options.bound == pytest.approx(0.9 * found.uncompressed[of])
    assert found.uncompressed["int8"] < found.uncompressed["int16"]


def test_a_design_that_could_not_be_written_is_refused_before_the_first_trial(problem, tmp_path, monkeypatch):
    url = f"sqlite:///{tmp_path}/study.db"
    monkeypatch.setattr(DesignPoint, "violations", lambda point: ["feature map cat: 4 x 4 pixels, not 8 x 8"])
    message = "digits_resnet: its design could not be written:\n  - feature map cat: 4 x 4 pixels, not 8 x 8"
    with pytest.raises(UnsupportedNetwork, match=f"^{re.escape(message)}$"):
        search(problem, engine(), OPTIONS, url)
    assert not (tmp_path / "study.db").exists()


def test_a_low_start_says_where_to_look():
    assert hot_start(0.42, 200) == (
        "the network as it was given is right on 42.00% of 200 validation images; if you expect more, look "
        "at the order of the classes, the images' size and normalisation"
    )
    assert hot_start(0.98, 200).endswith("is right on 98.00% of 200 validation images")
