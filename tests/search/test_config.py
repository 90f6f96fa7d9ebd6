"""Run configurations: the shipped one, defaults, and every way a file can be wrong."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import yaml

from hotnas_hls.base.records import read_value
from hotnas_hls.errors import ConfigError
from hotnas_hls.models.task import Classes
from hotnas_hls.search.config import CONFIG_FOLDER, BoundSettings, RunConfig, load_config, shipped_configs
from hotnas_hls.search.problem import load_problem

SMALL = """\
network: {model: resnet18, data: cifar10}
board: PYNQ-Z2
bound: {latency_ms: 5}
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "run.yaml"
    path.write_text(text)
    return path


def refusal(path: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    lines = str(caught.value).splitlines()
    assert lines[0] == f"{path}: not a valid configuration:"
    return lines[1:]


def test_the_default_is_digits():
    config = load_config()
    assert (config.network.model, config.network.data, config.board) == ("digits_resnet", "digits", "ZCU102")
    assert "digits" in shipped_configs()


def test_the_default_shows_every_key():
    def keys(record: dict, where: str = "") -> set[str]:
        inside = [keys(value, f"{where}{key}.") for key, value in record.items() if isinstance(value, dict)]
        return {where + key for key in record}.union(*inside)

    shown = yaml.safe_load((CONFIG_FOLDER / "digits.yaml").read_text())
    assert keys(shown) == keys(load_config().record())


def test_what_the_default_shows_is_the_default():
    default = load_config()
    for field in dataclasses.fields(RunConfig):
        if field.name in ("accelerator", "search", "memory", "quantisation", "seed", "clock_mhz"):
            assert getattr(default, field.name) == field.default, field.name


def test_keys_with_a_default_may_be_left_out(tmp_path: Path):
    config = load_config(written(tmp_path, SMALL))
    assert config.bound.latency_ms == 5.0
    assert config.clock_mhz is None
    assert config.search.strategy == "tpe"


def test_the_record_reads_back():
    problems: list[str] = []
    config = load_config()
    assert read_value(RunConfig, config.record(), "", problems) == config
    assert problems == []


def test_unknown_and_missing_keys_say_what_is_accepted(tmp_path: Path):
    text = SMALL.replace("model: resnet18", "modle: resnet18").replace("bound:", "bounds:")
    assert refusal(written(tmp_path, text)) == [
        "  - bounds: unknown key; did you mean bound? accepted here: network, board, bound, platform, "
        "technology, objective, beside, clock_mhz, accelerator, search, memory, quantisation, seed, output",
        "  - network.modle: unknown key; did you mean model? accepted here: model, data, weights, input, "
        "mean, std",
        "  - network.model: missing key; give text",
        "  - bound: missing key; give a table of latency_ms, reduction, of, metrics, varied_accuracy",
    ]


def test_wrong_values_are_told_together_with_wrong_keys(tmp_path: Path):
    text = SMALL.replace("latency_ms: 5", "latency_ms: -5").replace("PYNQ-Z2", "PYNQ-Z9")
    lines = refusal(written(tmp_path, text + "search: {trial: 3, workers: 0}\nquantisation: {bits: 8}\n"))
    assert [line.split(";")[0] for line in lines] == [
        "  - search.trial: unknown key",
        "  - quantisation.bits: unknown key",
        "  - bound.latency_ms: must be more than 0, not -5",
        "  - search.workers: must be more than 0, not 0",
        "  - board: unknown board 'PYNQ-Z9'",
    ]
    assert "did you mean trials?" in lines[0] and "did you mean PYNQ-Z2?" in lines[-1]


def test_wrong_types_are_listed(tmp_path: Path):
    text = SMALL + (
        "search: {strategy: genetic, trials: 1.5, accuracy: [0.5]}\n"
        "accelerator: {tm: 4}\nquantisation: {act_bits: 12}\nseed: yes\n"
    )
    assert refusal(written(tmp_path, text)) == [
        "  - accelerator.tm: expected a list, each a whole number or null, not 4",
        '  - search.strategy: expected one of reinforce, random, tpe, nsga2, not "genetic"',
        "  - search.trials: expected a whole number, not 1.5",
        "  - search.accuracy: expected a list of 2, each a number, not [0.5]",
        "  - quantisation.act_bits: expected one of 8, 16, not 12",
        "  - seed: expected a whole number, not true",
    ]


def test_impossible_values_are_listed(tmp_path: Path):
    text = SMALL.replace("latency_ms: 5", "latency_ms: 0") + (
        "search: {trials: 0, alpha: 2, accuracy: [0.9, 0.5], batches: -1, storage: mysql, trial_cpus: 0}\n"
        "accelerator: {port_bits: [64, 96], tn: [], tm: [0], wgt_masters: [1, 3]}\n"
        "memory: {read_latency: 0}\nquantisation: {weight_bits: 1}\nseed: -1\n"
    )
    assert refusal(written(tmp_path, text)) == [
        "  - memory.read_latency: must be at least 2 cycles, not 0; no memory answers sooner",
        "  - bound.latency_ms: must be more than 0, not 0",
        "  - search.trials: must be more than 0, not 0",
        "  - search.trial_cpus: must be more than 0, not 0",
        "  - search.batches: must be 0 or more, not -1",
        "  - search.alpha: must be 0 to 1, not 2",
        "  - search.storage: must be sqlite, journal, journal:///PATH, or an SQLAlchemy URL such as "
        "postgresql://USER@HOST/DATABASE; not 'mysql'",
        "  - search.accuracy: must be two fractions, the lower first, not [0.9, 0.5]",
        "  - quantisation.weight_bits: must be 2 to 16, not 1",
        "  - seed: must be 0 to 4294967295, not -1",
        "  - accelerator.tm: must be at least 1 each, not 0",
        "  - accelerator.tn: give at least one value, or null to generate them",
        "  - accelerator.port_bits: 96: AXI ports have 32, 64, 128, 256, 512 bits",
        "  - accelerator.wgt_masters: 3: weights are striped over 1, 2 or 4 masters",
    ]


def test_a_bound_is_a_latency_or_a_reduction(tmp_path: Path):
    reduced = SMALL.replace("latency_ms: 5", "reduction: 0.439")
    assert load_config(written(tmp_path, reduced)).bound == BoundSettings(None, 0.439)
    both = SMALL.replace("latency_ms: 5", "latency_ms: 5, reduction: 1")
    assert refusal(written(tmp_path, both)) == [
        "  - bound.reduction: must be more than 0 and less than 1, not 1",
        "  - bound: give latency_ms or reduction, not both",
    ]


def test_integers_are_trained_for_epochs_or_batches(tmp_path: Path):
    def refused(settings: str) -> list[str]:
        return refusal(written(tmp_path, SMALL + f"search: {{{settings}}}\n"))

    assert load_config(written(tmp_path, SMALL + "search: {integer_batches: 5}\n")).search.integer_epochs == 0
    assert refused("integer_epochs: -1") == ["  - search.integer_epochs: must be 0 or more, not -1"]
    assert refused("integer_epochs: 0.5, integer_batches: 5") == [
        "  - search: give integer_epochs or integer_batches, not both"
    ]


def test_the_larger_share_of_a_validation_image_is_its_own(tmp_path: Path):
    def refused(share: float) -> list[str]:
        return refusal(written(tmp_path, SMALL + f"search: {{validation_blend: {share}}}\n"))

    assert refused(0.5) == ["  - search.validation_blend: must be less than 0.5, not 0.5"]
    assert refused(-0.1) == ["  - search.validation_blend: must be 0 or more, not -0.1"]


def test_packed_resolutions_are_0_1_2_or_best(tmp_path: Path):
    lines = refusal(written(tmp_path, SMALL + "accelerator: {packed_resolutions: 3}\n"))
    assert lines == ["  - accelerator.packed_resolutions: expected one of 0, 1, 2, best, not 3"]


@pytest.mark.parametrize(
    "name", [name for name in shipped_configs() if load_config(name).network.data == "cifar10"]
)
def test_searches_on_cifar10_start_hot_and_narrow(name: str):
    config = load_config(name)
    engine = config.platform == "tiled-engine"
    assert name == f"{config.network.model}-{config.board.lower() if engine else config.platform}"
    beyond = {("int16", 0.439), ("int8", 0.25), ("int8", 0.45), ("int8", 0.35), ("int8", 0.3)}
    asked = beyond if engine else {(config.bound.of, 0.2)}
    assert config.network.weights is not None and (config.bound.of, config.bound.reduction) in asked
    assert config.quantisation.act_bits == 8 and config.search.validation_images >= 2000


def test_the_search_of_pixels_needs_nothing_that_is_not_shipped():
    config = load_config("shapes_unet-pynq-z2")
    assert (config.network.data, config.network.weights) == ("shapes", None)
    assert load_problem(config.network).task == Classes(pixels=True)


def test_an_unknown_board_is_listed_with_the_rest(tmp_path: Path):
    text = SMALL.replace("PYNQ-Z2", "PYNQ-Z9") + "search: {workers: 0}\n"
    lines = refusal(written(tmp_path, text))
    assert lines[0] == "  - search.workers: must be more than 0, not 0"
    assert lines[1].startswith("  - board: unknown board 'PYNQ-Z9'; did you mean PYNQ-Z2? known: ZCU102, ")


def test_a_board_is_needed_where_the_platform_runs_on_one(tmp_path: Path):
    text = SMALL.replace("board: PYNQ-Z2\n", "")
    assert refusal(written(tmp_path, text + "seed: -1\n")) == [
        "  - seed: must be 0 to 4294967295, not -1",
        "  - board: tiled-engine runs on one; give a name of hotnas boards, or the path of a YAML file",
    ]
    model = "platform: nass\n" + text.replace("latency_ms", "reduction").replace("5", "0.5")
    config = load_config(written(tmp_path, model))
    assert config.board is None and config.load_board() is None


def test_platforms_and_metrics_that_there_are_not_are_listed_with_the_rest(tmp_path: Path):
    text = SMALL + "platform: nass\nobjective: byte\nsearch: {workers: 0}\n"
    has = "it has: seconds, bytes, homomorphic_s, garbled_s, offline_bytes, online_bytes"
    assert refusal(written(tmp_path, text)) == [
        "  - search.workers: must be more than 0, not 0",
        f"  - objective: the platform nass has no metric 'byte'; did you mean bytes? {has}",
        f"  - bound.latency_ms: the platform nass has no metric 'latency_ms'; {has}",
    ]
    assert refusal(written(tmp_path, SMALL + "platform: nas\n")) == [
        "  - platform: no platform is called 'nas'; did you mean nass? known: nacim, nasaic, nass, noc, "
        "tiled-engine (hotnas platforms says more)"
    ]


def test_chips_and_their_accuracy_are_asked_only_where_devices_vary(tmp_path: Path):
    text = SMALL.replace("latency_ms: 5", "varied_accuracy: 1.5")
    assert refusal(written(tmp_path, text)) == [
        "  - bound.varied_accuracy: must be more than 0 and at most 1, not 1.5",
        "  - bound.varied_accuracy: give search.chips, the number of chips it is the mean of",
        "  - bound.varied_accuracy: devices of tiled-engine do not vary; leave it out",
    ]
    text = text.replace("1.5", "0.9") + "search: {chips: 4}\nplatform: nacim\n"
    config = load_config(written(tmp_path, text))
    assert (config.bound.varied_accuracy, config.search.chips) == (0.9, 4)


def test_networks_run_beside_only_where_a_platform_takes_several(tmp_path: Path):
    assert refusal(written(tmp_path, SMALL + "beside: [resnet20]\n")) == [
        "  - beside: tiled-engine runs one network at a time; leave it out"
    ]
    config = load_config(written(tmp_path, SMALL + "beside: [resnet20]\nplatform: nasaic\n"))
    assert config.beside == ("resnet20",)


def test_an_empty_file(tmp_path: Path):
    assert refusal(written(tmp_path, "")) == [
        "  - the file: expected a table of network, board, bound, platform, technology, objective, beside, "
        "clock_mhz, accelerator, search, memory, quantisation, seed, output, not null"
    ]


def test_an_unknown_name():
    with pytest.raises(ConfigError) as caught:
        load_config("mnist")
    assert str(caught.value) == (
        f"unknown configuration 'mnist'; shipped: {', '.join(shipped_configs())}; "
        "or give the path of a YAML file"
    )


def test_exponents_are_numbers(tmp_path: Path):
    config = load_config(written(tmp_path, SMALL + "search: {learning_rate: 1e-3}\n"))
    assert config.search.learning_rate == 0.001


def test_passwords_are_not_kept(tmp_path: Path):
    text = SMALL + "search: {storage: 'postgresql://ada:s3cret@host/studies'}\n"
    config = load_config(written(tmp_path, text))
    assert config.search.storage == "postgresql://ada:s3cret@host/studies"
    assert config.record()["search"]["storage"] == "postgresql://ada:***@host/studies"
