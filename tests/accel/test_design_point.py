"""The design point: bytes, round trip, hand-written files, and every way a file can be wrong."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from hotnas_hls.accel.accelerator import Accelerator
from hotnas_hls.accel.design_point import Accuracy, DesignLayer, DesignPoint
from hotnas_hls.accel.host_work import Answer, HostWork, Output, Preparation, View
from hotnas_hls.accel.integers.random_numbers import random_numbers
from hotnas_hls.accel.layer import FeatureMap, Layer, LayerKind
from hotnas_hls.accel.layer_checks import numbers_violations
from hotnas_hls.accel.pieces import Piece
from hotnas_hls.accel.plan import Tile
from hotnas_hls.accel.weights_file import Golden
from hotnas_hls.boards.board import load_board
from hotnas_hls.errors import ConfigError

ACCEL = Accelerator(
    tm=4, tn=4, tr=8, tc=8, ifm_bits=64, wgt_bits=64, ofm_bits=64, ifm_depth=400, wgt_entries=9, max_entries=9
)
MAPS = (
    FeatureMap("image", 1, 8, 8),
    FeatureMap("a", 4, 8, 8),
    FeatureMap("b", 4, 8, 8),
    FeatureMap("p", 4, 4, 4),
    FeatureMap("logits", 10, 1, 1),
)
LAYERS = (
    Layer("conv1", LayerKind.CONV, "image", "a", 1, 4, 8, 8, 8, 8, 3, 3, 1, 1, 1, weight_bits=6),
    Layer("conv2", LayerKind.CONV, "a", "b", 4, 4, 8, 8, 8, 8, 3, 3, 1, 1, 1, "a", 16, 6),
    Layer("pool", LayerKind.MAXPOOL, "b", "p", 4, 4, 8, 8, 4, 4, 2, 2, 2),
    Layer("fc", LayerKind.CONV, "p", "logits", 4, 10, 4, 4, 1, 1, 4, 4),
)


def design(**changes) -> DesignPoint:
    values = {
        "network": "tiny",
        "board": load_board("ZCU102"),
        "clock_mhz": 200.0,
        "seed": 1,
        "accelerator": dataclasses.replace(ACCEL, max_entries=16, wgt_entries=16),
        "image": "image",
        "host": HostWork.reading("logits"),
        "feature_maps": MAPS,
        "layers": tuple(DesignLayer(layer, Tile(8, 8)) for layer in LAYERS),
    }
    return DesignPoint(**(values | changes))


def with_numbers(**changes) -> DesignPoint:
    point = design(**changes)
    network = point.integer_network()
    golden = Golden(point.golden_images(3), np.array([1, 2, 3]))
    return dataclasses.replace(point, numbers=network.numbers, golden=golden)


def edited(folder: Path, edit) -> Path:
    """A saved design whose JSON record went through ``edit``."""
    path = with_numbers().save(folder)
    record = json.loads(path.read_text())
    edit(record)
    path.write_text(json.dumps(record))
    return path


def refusal(path: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        DesignPoint.load(path)
    return str(caught.value)


def test_round_trip_keeps_everything(tmp_path: Path):
    point = with_numbers(latency_bound_ms=1.5, predicted_cycles=1234, accuracy=Accuracy(0.99, None))
    again = DesignPoint.load(point.save(tmp_path))
    assert again == point
    assert again.digest() == point.digest()
    assert again.accuracy.final is None
    for name, numbers in point.numbers.items():
        for field in dataclasses.fields(numbers):
            np.testing.assert_array_equal(
                getattr(again.numbers[name], field.name), getattr(numbers, field.name), err_msg=name
            )
    np.testing.assert_array_equal(again.golden_images(3), point.golden.images)
    np.testing.assert_array_equal(again.golden.labels, [1, 2, 3])


def test_same_design_same_bytes(tmp_path: Path):
    for folder in ("one", "two"):
        with_numbers().save(tmp_path / folder)
    for name in ("design_point.json", "weights.safetensors"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    assert sorted(path.name for path in (tmp_path / "one").iterdir()) == [
        "design_point.json",
        "weights.safetensors",
    ]


def test_digest_sees_numbers_and_settings():
    point = with_numbers()
    other = dict(point.numbers)
    other["fc"] = dataclasses.replace(other["fc"], bias=other["fc"].bias + 1)
    digests = {point.digest(), design().digest(), dataclasses.replace(point, numbers=other).digest()}
    digests.add(dataclasses.replace(point, seed=2).digest())
    assert len(digests) == 4


def test_json_is_readable():
    text = design().to_json()
    assert text.startswith('{\n  "format": "hotnas-design-point",\n  "format_version": 7,\n')
    assert '\n  "weights": null' in text
    assert '"tile": {"tr": 8, "tc": 8}' in text
    assert max(map(len, text.splitlines())) <= 120


def test_a_hand_written_design_may_leave_out_defaults_and_weights(tmp_path: Path):
    record = json.loads(design().to_json())
    optional = "image_layout port_plan dram memory latency_bound_ms predicted_cycles accuracy config"
    for name in (*optional.split(), "weights", "tool_version"):
        del record[name]
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(record))
    point = DesignPoint.load(path)
    assert point.numbers is None
    network = point.integer_network()
    assert list(network.numbers) == ["conv1", "conv2", "pool", "fc"]
    assert point.golden_images(2).shape == (2, 1, 8, 8)


@pytest.mark.parametrize("act_bits", [8, 16])
@pytest.mark.parametrize("bits", [2, 5, 16])
@pytest.mark.parametrize("ones", [None, 4])
@pytest.mark.parametrize("kind", list(LayerKind))
def test_random_numbers_fit_their_layer(kind, ones, bits, act_bits):
    ones = None if kind is LayerKind.MAXPOOL else ones
    m = 6 if kind is LayerKind.CONV else 5
    layer = Layer("x", kind, "a", "b", 5, m, 7, 7, 7, 7, 3, 3, 1, 1, 1, "r", bits, ones)
    numbers = random_numbers(layer, 3, act_bits)
    assert numbers_violations(layer, numbers, act_bits) == []
    again = random_numbers(layer, 3, act_bits)
    np.testing.assert_array_equal(numbers.weights, again.weights)
    assert kind is LayerKind.MAXPOOL or (numbers.weights != random_numbers(layer, 4, act_bits).weights).any()


def test_random_numbers_never_change():
    numbers = random_numbers(LAYERS[0], 1)
    assert numbers.weights[0, 0].tolist() == [[-23, -21, -7], [28, 2, -8], [-21, -18, -3]]
    assert (numbers.output_shift, numbers.bias.tolist()) == (5, [-63773, -9656, -116259, -157274])


def test_cycles_and_milliseconds():
    point = design(latency_bound_ms=0.5)
    assert point.latency_bound_cycles == 100_000
    assert point.cycles_to_ms(50_000) == 0.25
    assert design().latency_bound_cycles is None


def test_weights_that_could_overflow_are_refused():
    point = with_numbers()
    numbers = dict(point.numbers)
    huge = np.full_like(numbers["fc"].weights, 1 << 15) * -1
    numbers["fc"] = dataclasses.replace(numbers["fc"], weights=huge, bias=numbers["fc"].bias * 0 - (1 << 31))
    narrow = dataclasses.replace(point.accelerator, act_bits=8, ifm_bits=32, ofm_bits=32)
    numbers = {name: dataclasses.replace(of, clamp_low=-128, clamp_high=127) for name, of in numbers.items()}
    found = dataclasses.replace(point, numbers=numbers, accelerator=narrow, golden=None).violations()
    assert found == [
        "fc: sums from -2413821952 to 268500992 need 33 bits, the accumulator has 32; "
        "use 1 weight bits fewer there"
    ]


@pytest.mark.parametrize("clock_mhz", [100.0, 187.5, 200.0, 333.3])
def test_a_bound_allows_every_cycle_that_it_says(clock_mhz: float):
    """0.00554 ms at 200 MHz are 1,108 cycles, and the product of the two floats is a little less."""
    point = design(clock_mhz=clock_mhz)
    for cycles in range(1000, 4000, 7):
        exact = dataclasses.replace(point, latency_bound_ms=cycles / (clock_mhz * 1000))
        assert exact.latency_bound_cycles == cycles
        less = dataclasses.replace(point, latency_bound_ms=exact.latency_bound_ms * (1 - 1e-12))
        assert less.latency_bound_cycles == cycles - 1


@pytest.mark.parametrize("accuracy", [0.0, 1.0])
def test_an_accuracy_at_the_edge_is_an_accuracy(tmp_path: Path, accuracy: float):
    design(accuracy=Accuracy(accuracy, accuracy, 5)).save(tmp_path)
    assert DesignPoint.load(tmp_path).accuracy == Accuracy(accuracy, accuracy, 5)


def test_broken_json(tmp_path: Path):
    path = tmp_path / "design_point.json"
    path.write_text('{"format": "hotnas-design-point",\n')
    assert refusal(path) == (
        f"{path}: line 2: not valid JSON: Expecting property name enclosed in double quotes"
    )


def test_nan_is_not_a_number(tmp_path: Path):
    path = tmp_path / "design_point.json"
    path.write_text('{"clock_mhz": NaN}')
    assert refusal(path) == f"{path}: not valid JSON: NaN is not a number; write null for unknown"


@pytest.mark.parametrize("text", ['{"nodes": []}', "[1, 2]", '"text"', "{}"])
def test_foreign_file(tmp_path: Path, text: str):
    path = tmp_path / "design_point.json"
    path.write_text(text)
    assert refusal(path) == f'{path}: not a design point (it has no "format": "hotnas-design-point")'


def test_another_format_version(tmp_path: Path):
    path = edited(tmp_path, lambda record: record.update(format_version=8, tool_version="9.0"))
    assert refusal(path) == (
        f"{path}: format_version is 8, hotnas 0.1.0 reads 1, 2, 3, 4, 5, 6 and 7; "
        "use hotnas 9.0 or generate it again"
    )


def of_one_output(record) -> None:
    """As version 6 wrote it."""
    (output,) = record["host"].pop("outputs")
    record["host"]["answer"] = "softmax"
    record |= {"logits": output["map"], "format_version": 6}


def test_a_design_of_one_output_loads(tmp_path: Path):
    host = HostWork(outputs=(Output("logits", answer=Answer.SOFTMAX),))
    assert DesignPoint.load(edited(tmp_path, of_one_output)) == dataclasses.replace(with_numbers(), host=host)


def with_none(record) -> None:
    """No host in it: version 4."""
    of_one_output(record)
    del record["host"]


def test_a_design_without_work_of_the_host_loads(tmp_path: Path):
    assert DesignPoint.load(edited(tmp_path, with_none)) == with_numbers()


def test_outputs_that_cannot_be():
    def violations(*outputs: Output) -> list[str]:
        return design(host=HostWork(outputs=outputs)).violations()

    assert violations(Output("logits", "classes"), Output("logits", "scores", Answer.SOFTMAX)) == []
    assert violations() == ["host.outputs: none; name the feature maps that the host reads"]
    assert violations(Output("logits"), Output("boxes"), Output("p")) == [
        "host.outputs: there is no feature map 'boxes'; known: image, a, b, p, logits",
        "host.outputs: logits: given twice; rename one",
    ]


def test_views_of_outputs(tmp_path: Path):
    count = with_numbers().feature_maps[-1].values
    whole = Piece("logits", (count,), 0, (1,), 0, (1,))
    view = View("logits", (count,), (whole,), Answer.SOFTMAX)
    point = dataclasses.replace(with_numbers(), host=HostWork(outputs=(Output("logits"),), views=(view,)))
    assert point.violations() == []
    point.save(tmp_path)
    assert DesignPoint.load(tmp_path) == point

    def violations(*views: View, answer: Answer | None = None) -> list[str]:
        host = HostWork(outputs=(Output("logits", answer=answer),), views=views)
        return [
            line.removeprefix("host.views: ") for line in dataclasses.replace(point, host=host).violations()
        ]

    def piece(**changed) -> View:
        return dataclasses.replace(view, pieces=(dataclasses.replace(whole, **changed),))

    assert violations(view, view) == ["logits: given twice; rename one"]
    assert violations(view, answer=Answer.ARGMAX) == [
        "logits: argmax is taken of an output beside views; give a view the answer"
    ]
    assert violations(piece(output="boxes")) == ["logits: there is no output 'boxes'; known: logits"]
    assert violations(piece(first=1)) == [
        f"logits: piece 0: it reads values 1 to {count} of logits, which has {count}"
    ]
    assert violations(piece(sizes=(0,))) == ["logits: piece 0: sizes = [0]: must be at least 1"]
    assert violations(piece(sizes=())) == [
        "logits: piece 0: sizes, steps and place_steps are not equally many"
    ]
    fill = f"logits: its pieces must fill {count}, each place once"
    assert violations(piece(place=1)) == violations(piece(sizes=(count - 1,))) == [fill]
    assert violations(dataclasses.replace(view, axis=1)) == ["logits: axis = 1: must be one of its shape's 1"]
    assert violations(dataclasses.replace(view, shape=(1 << 20, 1 << 7))) == [
        "logits: 134,217,728 values; at most 67,108,864"
    ]
    assert violations(dataclasses.replace(view, shape=())) == [
        "logits: shape = []: must be at least 1 on every axis"
    ]


def before_ports_had_names(record) -> None:
    """As version 3 wrote it."""
    of_one_output(record)
    del record["host"]
    del record["port_plan"], record["dram"], record["board"]["dram"]
    record["board"]["ports"] = {"count": 4, "bits": 128}
    record["format_version"] = 3


def test_a_design_of_before_loads_with_its_ports_planned(tmp_path: Path):
    point = DesignPoint.load(edited(tmp_path, before_ports_had_names))
    assert (point.board, point.port_plan, point.dram) == (
        with_numbers().board,
        with_numbers().port_plan,
        with_numbers().dram,
    )


def test_a_design_of_before_that_no_port_carries_says_what_would(tmp_path: Path):
    def wide(record) -> None:
        before_ports_had_names(record)
        record["accelerator"]["wgt_bits"] = 256

    assert refusal(edited(tmp_path, wide)).splitlines()[1:] == [
        "  - wgt: no port of ZCU102 is 256 bits wide, and no stream is narrowed; use 32 or 64 or 128"
    ]


def test_a_missing_file(tmp_path: Path):
    cure = "'hotnas search' and 'hotnas dse --save' write one"
    assert refusal(tmp_path / "x.json") == f"{tmp_path / 'x.json'}: no such file; {cure}"
    assert refusal(tmp_path) == f"{tmp_path / 'design_point.json'}: no such file; {cure}"


def test_a_design_that_knew_no_memory_on_chip_streams_everything(tmp_path: Path):
    def edit(record):
        record["format_version"] = 3
        for name in ("word_bits", "map_words", "plane_bits", "weight_planes", "ultra_ram"):
            del record["accelerator"][name]
        for entry in record["layers"]:
            for name in ("ifm_on_chip", "residual_on_chip", "ofm_on_chip", "weights_on_chip"):
                del entry["layer"][name]

    assert DesignPoint.load(edited(tmp_path, edit)).to_json() == with_numbers().to_json()


def test_every_wrong_key_is_listed(tmp_path: Path):
    def edit(record):
        record["colour"] = "red"
        del record["seed"]
        record["accelerator"]["tz"] = 4
        del record["accelerator"]["tm"]
        record["layers"][0]["layer"]["kind"] = "convolution"
        record["layers"][1]["tile"] = {"tr": "8", "tc": 8}
        record["clock_mhz"] = None

    path = edited(tmp_path, edit)
    message = refusal(path).splitlines()
    assert message[0] == f"{path}: not a valid design point:"
    assert message[1].startswith("  - colour: unknown key; accepted here: network, board, clock_mhz, seed, ")
    assert "numbers" not in message[1]
    assert message[2:] == [
        "  - clock_mhz: expected a number, not null",
        "  - seed: missing key; give a whole number",
        "  - accelerator.tz: unknown key; accepted here: tm, tn, tr, tc, ifm_bits, wgt_bits, ofm_bits, "
        "ifm_depth, wgt_entries, max_entries, act_bits, weight_bits, shared_bus, patterns, "
        "activation_lines, taps, dsp_packing, word_bits, map_words, plane_bits, weight_planes, ultra_ram, "
        "wgt_masters, products, fabric_rows, residual_words",
        "  - accelerator.tm: missing key; give a whole number",
        '  - layers[0].layer.kind: expected one of conv, depthwise, maxpool, not "convolution"',
        '  - layers[1].tile.tr: expected a whole number, not "8"',
    ]


def test_shapes_that_disagree(tmp_path: Path):
    def edit(record):
        record["layers"][1]["layer"]["m"] = 8
        record["layers"][3]["layer"]["source"] = "q"
        record["layers"][2]["tile"]["tr"] = 0
        record["accuracy"]["final"] = -0.5
        record["image"] = "picture"

    path = edited(tmp_path, edit)
    assert refusal(path).splitlines()[1:] == [
        "  - accuracy.final: must be 0 to 1, not -0.5; write null for unknown",
        "  - image: there is no feature map 'picture'; known: image, a, b, p, logits",
        "  - conv1: its source 'image' is not written by an earlier layer",
        "  - conv2: its target 'b' is 4 x 8 x 8, the layer needs 8 x 8 x 8",
        "  - conv2: its residual 'a' is 4 x 8 x 8, the layer needs 8 x 8 x 8",
        "  - fc: there is no feature map 'q', its source",
        "  - pool: tile 0 x 8: at least 1 x 1",
    ]


def test_an_accelerator_that_cannot_be(tmp_path: Path):
    path = edited(tmp_path, lambda record: record["accelerator"].update(tm=6, ifm_bits=48))
    assert refusal(path).splitlines()[1:] == [
        "  - accelerator.ifm_bits = 48: an AXI data port has a power of two bits; use 32 or 64"
    ]


def test_taps_that_cannot_be():
    larger = dataclasses.replace(ACCEL, tm=8, tn=8)
    assert dataclasses.replace(larger, taps=5).violations() == []
    assert dataclasses.replace(larger, taps=3).violations() == [
        "taps = 3: a channel lane takes 1, 2, 4 or 5 kernel positions a cycle"
    ]
    assert dataclasses.replace(larger, taps=5, wgt_bits=32).violations() == [
        "taps = 5: an entry of the table takes 64 bits, a beat of weights has 32; take 4 taps, or wider "
        "ports for the weights"
    ]
    assert dataclasses.replace(ACCEL, taps=5).violations() == [
        "taps = 5: must be at most tm and tn; use fewer taps or a larger array"
    ]


def test_a_layer_that_does_not_fit_the_buffers(tmp_path: Path):
    path = edited(tmp_path, lambda record: record["accelerator"].update(ifm_depth=99))
    assert refusal(path).splitlines()[1:] == [
        "  - conv1: the tile's footprint needs 100 words a bank, ifm_depth = 99; "
        "use a smaller tile or a deeper IFM buffer",
        "  - conv2: the tile's footprint needs 100 words a bank, ifm_depth = 99; "
        "use a smaller tile or a deeper IFM buffer",
    ]


def test_weights_that_changed(tmp_path: Path):
    path = with_numbers().save(tmp_path)
    other = with_numbers(seed=2)
    (tmp_path / "weights.safetensors").write_bytes(other.weights_bytes())
    assert refusal(path).splitlines()[1:] == [
        f"  - weights.sha256: weights.safetensors has changed (it is {other.weights.sha256}); restore it, "
        "or write this sha256 if the change is meant"
    ]


def test_weights_that_are_missing(tmp_path: Path):
    path = with_numbers().save(tmp_path)
    (tmp_path / "weights.safetensors").unlink()
    assert refusal(path).splitlines()[1:] == [
        "  - weights.file: weights.safetensors is missing; restore it, or write null for seeded numbers"
    ]


def test_weights_that_are_no_weights(tmp_path: Path):
    path = with_numbers().save(tmp_path)
    (tmp_path / "weights.safetensors").write_bytes(b"\x80\x04pickle")
    assert (
        refusal(path)
        .splitlines()[1]
        .startswith("  - weights.file: weights.safetensors is not a safetensors file: ")
    )


def test_weights_outside_the_folder(tmp_path: Path):
    path = edited(tmp_path, lambda record: record["weights"].update(file="../weights.safetensors"))
    assert refusal(path).splitlines()[1:] == [
        "  - weights.file: '../weights.safetensors' must be a file name beside design_point.json"
    ]


def test_numbers_that_do_not_fit_their_layers(tmp_path: Path):
    point = with_numbers()
    numbers = dict(point.numbers)
    numbers["conv1"] = dataclasses.replace(numbers["conv1"], weights=numbers["conv1"].weights * 100)
    dense = numbers["conv2"].weights | 1
    numbers["conv2"] = dataclasses.replace(numbers["conv2"], weights=dense)
    numbers["fc"] = dataclasses.replace(numbers["fc"], bias=numbers["fc"].bias[:-1], clamp_high=1 << 15)
    numbers["gone"] = numbers.pop("pool")
    with pytest.raises(ConfigError) as caught:
        dataclasses.replace(point, numbers=numbers).save(tmp_path)
    lines = str(caught.value).splitlines()
    assert lines[0] == "tiny: not a valid design point:"
    assert lines[1] == "  - weights.safetensors: unknown layer gone"
    assert lines[2].endswith(" do not fit weight_bits = 6")
    assert lines[3:] == [
        "  - weights.safetensors: conv2: 48 weights at pruned positions are not zero",
        "  - weights.safetensors: the numbers of layer pool are missing",
        "  - weights.safetensors: fc: bias have shape 9, the layer needs 10",
        "  - weights.safetensors: fc: clamp [-32768, 32768] is not a range of 16-bit activations",
    ]
    assert list(tmp_path.iterdir()) == []


def test_concatenation_by_placement():
    maps = (
        FeatureMap("image", 4, 4, 4),
        FeatureMap("whole", 8, 4, 4),
        FeatureMap("low", 4, 4, 4, concat_of="whole"),
        FeatureMap("high", 4, 4, 4, concat_of="whole", concat_offset=4),
    )

    def conv(name: str, source: str, target: str, n: int = 4, m: int = 4) -> DesignLayer:
        return DesignLayer(Layer(name, LayerKind.CONV, source, target, n, m, 4, 4, 4, 4, 1, 1), Tile(4, 4))

    layers = (conv("l", "image", "low"), conv("h", "low", "high"), conv("last", "whole", "out", 8, 8))
    maps += (FeatureMap("out", 8, 4, 4),)
    point = design(feature_maps=maps, layers=layers, host=HostWork.reading("out"))
    assert point.violations() == []
    assert design(feature_maps=maps, layers=layers[::2], host=HostWork.reading("out")).violations() == [
        "last: its source 'whole' is not written by an earlier layer"
    ]
    odd = (*maps[:3], dataclasses.replace(maps[3], concat_offset=6), maps[4])
    assert design(feature_maps=odd, layers=layers, host=HostWork.reading("out")).violations() == [
        "feature map high: channels 6 to 9 are not all in whole, which has 8",
        "last: its source 'whole' is not written by an earlier layer",
    ]


def test_full_disk_leaves_the_earlier_design(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = with_numbers().save(tmp_path)
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("hotnas_hls.base.atomic.os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        with_numbers(seed=5).save(tmp_path)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before
    assert DesignPoint.load(path).seed == 1


def test_what_the_host_prepares_must_be_the_image(tmp_path: Path):
    def violations(**changed: object) -> list[str]:
        whole = {"source": (8, 8, 1), "axes": (2, 0, 1), "scale": (2.0,), "offset": (0.5,)}
        output = Output("logits", answer=Answer.SOFTMAX)
        return design(host=HostWork(Preparation(**(whole | changed)), (output,))).violations()

    assert violations() == []
    output = Output("logits", answer=Answer.ARGMAX)
    host = HostWork(Preparation((8, 8, 1), (2, 0, 1), (2.0,), (0.5,)), (output,))
    assert DesignPoint.load(with_numbers(host=host).save(tmp_path)).host == host
    assert violations(axes=(0, 0, 1)) == [
        "host.preparation.axes = (0, 0, 1): must be 0, 1 and 2 in some order"
    ]
    assert violations(source=(9, 9, 1)) == [
        "host.preparation: makes an image of 1x9x9, the network reads 1x8x8"
    ]
    assert violations(scale=(), offset=(float("inf"),)) == [
        "host.preparation.scale: 0 values for 1 channels; give one for each",
        "host.preparation.offset: not every value is finite",
    ]
