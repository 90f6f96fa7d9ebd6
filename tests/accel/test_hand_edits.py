"""Design points that somebody edited by hand: refused before anything is generated, everything at once."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from hotnas_hls.accel.accelerator import Accelerator
from hotnas_hls.accel.design_point import DesignLayer
from hotnas_hls.accel.host_work import HostWork
from hotnas_hls.accel.layer import FeatureMap, Layer, LayerKind
from hotnas_hls.accel.plan import Tile
from hotnas_hls.accel.timing.memory_timing import MemoryTiming
from hotnas_hls.cli import main
from hotnas_hls.errors import ConfigError

from .test_design_point import ACCEL, MAPS, design, edited, refusal, with_numbers


def test_values_beyond_what_hardware_has(tmp_path: Path):
    def edit(record):
        record["network"] = "n" * 300
        record["seed"] = -1
        record["clock_mhz"] = 1e5
        record["latency_bound_ms"] = 1e-9
        record["accuracy"]["images"] = -3
        record["board"]["part"] = "xc7z020; exec touch /tmp/x"
        record["memory"] = {"read_latency": 10**9, "write_latency": 20}

    assert refusal(edited(tmp_path, edit)).splitlines()[1:] == [
        "  - network: 'nnnnnnnnnnnnnnnnnnnn'... has 300 characters; use at most 255",
        "  - board.part: 'xc7z020; exec touch /tmp/x': use letters, digits, '_', '-' and '.', and no '.' in "
        "front; write it as Vivado does",
        "  - memory.read_latency: must be at most 1,000,000 cycles, not 1,000,000,000; no memory answers "
        "that late",
        "  - seed: must be 0 or more, not -1",
        "  - clock_mhz: must be at most 10,000, not 100000",
        "  - latency_bound_ms: 1e-09 ms is less than a clock cycle; write null for no bound",
        "  - accuracy.images: must be at least 1, not -3; write null for unknown",
    ]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tm": 1 << 20}, "accelerator.tm = 1048576, tn = 4: 4194304 multipliers; at most 65536"),
        ({"wgt_entries": 300}, "accelerator.wgt_entries = 300: must be at most 256"),
        ({"max_entries": 1 << 30}, f"accelerator.max_entries = {1 << 30}: must be at most 256"),
        ({"ifm_depth": 1 << 40}, f"accelerator.ifm_depth = {1 << 40}: must be at most 1048576"),
        ({"tr": 1 << 20}, "accelerator.tr = 1048576, tc = 8: 8388608 pixels; at most 1048576"),
    ],
)
def test_an_accelerator_no_fpga_holds(tmp_path: Path, changes, message):
    path = edited(tmp_path, lambda record: record["accelerator"].update(changes))
    assert refusal(path).splitlines()[1:] == [f"  - {message}"]


def test_a_kernel_of_more_entries_than_the_table(tmp_path: Path):
    path = edited(tmp_path, lambda record: record["accelerator"].update(max_entries=15))
    assert refusal(path).splitlines()[1:] == ["  - fc: 16 kernel positions, max_entries = 15; raise it"]


def test_a_layer_that_writes_what_it_reads(tmp_path: Path):
    def edit(record):
        record["layers"][1]["layer"]["target"] = "a"
        record["layers"][2]["layer"]["source"] = "a"

    assert refusal(edited(tmp_path, edit)).splitlines()[1:] == [
        "  - conv2: writes 'a', which holds channels of its source 'a'; give it another map to write",
        "  - conv2: writes 'a', which holds channels of its residual 'a'; give it another map to write",
        "  - conv2: writes 'a', some channels of which conv1 writes as 'a'; give each channel one writer",
    ]


def test_members_of_a_concatenation_that_overlap():
    maps = (
        FeatureMap("image", 4, 4, 4),
        FeatureMap("whole", 12, 4, 4),
        FeatureMap("low", 8, 4, 4, concat_of="whole"),
        FeatureMap("high", 8, 4, 4, concat_of="whole", concat_offset=4),
        FeatureMap("out", 8, 4, 4),
    )

    def conv(name: str, source: str, target: str, n: int, m: int) -> DesignLayer:
        return DesignLayer(Layer(name, LayerKind.CONV, source, target, n, m, 4, 4, 4, 4, 1, 1), Tile(4, 4))

    layers = (conv("l", "image", "low", 4, 8), conv("h", "image", "high", 4, 8))
    layers += (conv("last", "whole", "out", 12, 8),)
    assert design(feature_maps=maps, layers=layers, host=HostWork.reading("out")).violations() == [
        "h: writes 'high', some channels of which l writes as 'low'; give each channel one writer"
    ]


def test_a_layer_that_overwrites_the_image():
    layers = tuple(
        dataclasses.replace(entry, layer=dataclasses.replace(entry.layer, target="image", m=1))
        if entry.layer.name == "conv2"
        else entry
        for entry in design(feature_maps=MAPS).layers
    )
    found = design(layers=layers).violations()
    assert "conv2: writes 'image', some channels of which the host writes as 'image'; " in "\n".join(found)


def test_names_and_maps_beyond_their_limits(tmp_path: Path):
    def edit(record):
        record["layers"][0]["layer"]["name"] = "c" * 300
        record["layers"][0]["layer"]["needed_macs"] = 0
        record["feature_maps"][1]["frac_bits"] = 4000
        record["feature_maps"].append({"name": "tall", "channels": 1, "rows": 70_000, "columns": 1})
        record["weights"] = None

    assert refusal(edited(tmp_path, edit)).splitlines()[1:] == [
        "  - layer 'cccccccccccccccccccc'... has 300 characters; use at most 255",
        "  - feature map a: frac_bits = 4000: must be -126 to 126",
        "  - feature map tall: 70000 x 1 pixels: at most 65,000 a side",
        f"  - {'c' * 300}: needed_macs = 0: must be at least 1, or null",
    ]


def test_what_no_descriptor_can_say():
    rows = 40_000  # a footprint of more words than 16 bits count
    maps = (FeatureMap("image", 4, rows, 2), FeatureMap("out", 4, rows, 2))
    layer = Layer("c", LayerKind.CONV, "image", "out", 4, 4, rows, 2, rows, 2, 1, 1)
    accel = dataclasses.replace(ACCEL, tr=rows, tc=2, ifm_depth=1 << 17)
    point = design(
        feature_maps=maps,
        layers=(DesignLayer(layer, Tile(rows, 2)),),
        host=HostWork.reading("out"),
        accelerator=accel,
    )
    assert point.violations() == [
        "c: words one slice occupies in an IFM bank: 80000; its descriptor has 16 bits for it"
    ]


def test_more_memory_than_addresses_reach():
    side = 30_000
    maps = (FeatureMap("image", 4, side, side), FeatureMap("out", 4, side, side))
    layer = Layer("c", LayerKind.CONV, "image", "out", 4, 4, side, side, side, side, 1, 1)
    point = design(feature_maps=maps, layers=(DesignLayer(layer, Tile(8, 8)),), host=HostWork.reading("out"))
    assert point.violations() == [
        "feature maps take 14,400,000,000 bytes; addresses have 32 bits, which is 4,294,967,296"
    ]


def with_arrays(folder: Path, edit) -> Path:
    """A saved design whose arrays went through ``edit``, its JSON naming the digest of the result."""
    path = with_numbers().save(folder)
    file = folder / "weights.safetensors"
    arrays = safetensors.numpy.load(file.read_bytes())
    edit(arrays)
    file.write_bytes(safetensors.numpy.save({k: np.ascontiguousarray(v) for k, v in arrays.items()}))
    record = json.loads(path.read_text())
    record["weights"]["sha256"] = hashlib.sha256(file.read_bytes()).hexdigest()
    path.write_text(json.dumps(record))
    return path


def test_numbers_that_wrap_when_narrowed(tmp_path: Path):
    def edit(arrays):
        for role, value in (("weights", (1 << 32) + 1), ("bias", (1 << 64) - 1)):
            arrays[f"layer/fc/{role}"] = np.full_like(arrays[f"layer/fc/{role}"], value, dtype=np.uint64)
        arrays["golden/images"] = np.full_like(arrays["golden/images"], -(1 << 32), dtype=np.int64)

    top = (1 << 64) - 1
    assert refusal(with_arrays(tmp_path, edit)).splitlines()[1:4] == [
        "  - weights.safetensors: fc: weights from 4294967297 to 4294967297 do not fit 32 bits",
        f"  - weights.safetensors: fc: bias from {top} to {top} do not fit 64 bits",
        "  - weights.safetensors: golden/images from -4294967296 to -4294967296 do not fit 32 bits",
    ]


@pytest.mark.parametrize("shift", [-1, 48, 49, 63, 64])
def test_shifts_beyond_the_accumulator(tmp_path: Path, shift: int):
    def edit(arrays):
        arrays["layer/conv2/scalars"][0] = shift
        arrays["layer/conv2/scalars"][3] = shift

    assert refusal(with_arrays(tmp_path, edit)).splitlines()[1:] == [
        f"  - weights.safetensors: conv2: output_shift = {shift}: must be 0 to 47",
        f"  - weights.safetensors: conv2: residual_shift = {shift}: must be 0 to 47",
    ]


def test_golden_data_out_of_range(tmp_path: Path):
    def edit(arrays):
        arrays["golden/images"] = arrays["golden/images"].astype(np.int32) + 40_000
        arrays["golden/labels"][:] = (-1, 3, 10)
        arrays["layer/pool/bias"][:] = 1

    lines = refusal(with_arrays(tmp_path, edit)).splitlines()
    assert lines[1] == "  - weights.safetensors: pool: a maxpool has no bias; give zeros"
    assert lines[2].startswith("  - weights.safetensors: golden images from ")
    assert lines[2].endswith("; they must be -32768 to 32767")
    assert lines[3:] == ["  - weights.safetensors: golden labels from -1 to 10; they must be 0 to 9"]


def test_pattern_numbers_below_zero(tmp_path: Path):
    def edit(arrays):
        index = arrays["layer/conv2/pattern_index"].astype(np.int8)
        index[0, 0] = -1
        arrays["layer/conv2/pattern_index"] = index

    assert refusal(with_arrays(tmp_path, edit)).splitlines()[1:] == [
        "  - weights.safetensors: conv2: pattern_index holds -1; it must be 0 to 3"
    ]


def test_sums_that_leave_the_accumulator():
    accel = Accelerator(8, 8, 8, 8, 64, 64, 64, 400, 9, 64, act_bits=8, weight_bits=16)
    maps = (FeatureMap("image", 2048, 1, 1), FeatureMap("logits", 8, 1, 1))
    layer = Layer("fc", LayerKind.CONV, "image", "logits", 2048, 8, 1, 1, 1, 1, 1, 1)
    point = design(
        accelerator=dataclasses.replace(accel, ifm_depth=4000),
        feature_maps=maps,
        layers=(DesignLayer(layer, Tile(1, 1)),),
    )
    numbers = point.integer_network().numbers["fc"]
    full = dataclasses.replace(numbers, weights=np.full_like(numbers.weights, 32767), bias=numbers.bias * 0)
    (problem,) = dataclasses.replace(point, numbers={"fc": full}).violations()
    assert problem.startswith("fc: sums from -8589")
    assert problem.endswith("bits, the accumulator has 32; use 2 weight bits fewer there")


@pytest.mark.parametrize("deep", [60, 10_000, 1_000_000])
def test_json_nested_too_deep(tmp_path: Path, deep: int):
    path = with_numbers().save(tmp_path)
    text = path.read_text().replace('"config": {}', f'"config": {{"x": {"[" * deep}{"]" * deep}}}')
    path.write_text(text)
    assert refusal(path) == (
        f"{path}: not valid JSON: tables and lists are nested more than 50 deep; flatten it"
    )


def test_text_that_does_not_print(tmp_path: Path):
    path = edited(tmp_path, lambda record: record.update(network="\x1b[31mred", seed=10**30))
    assert refusal(path).splitlines()[1:] == [
        "  - network: '\\x1b[31mred' holds '\\x1b', which does not print; leave it out",
        "  - seed: 1e+30 is more than 64 bits hold; give less",
    ]
    path.write_text(path.read_text().replace("\\u001b[31mred", "\\ud800"))
    assert refusal(path) == f"{path}: not valid JSON: '\\ud800' is half a character; write the whole one"


def test_hls_refuses_it_and_writes_nothing(tmp_path: Path, capsys):
    path = edited(tmp_path / "run", lambda record: record["accelerator"].update(wgt_entries=300))
    assert main(["hls", str(path), "--output", str(tmp_path / "out"), "--name", "x"]) == 1
    said = capsys.readouterr().err.splitlines()
    assert said[1:] == ["  - accelerator.wgt_entries = 300: must be at most 256"]
    assert not (tmp_path / "out").exists()


def test_memory_that_answers_too_late():
    with pytest.raises(ConfigError, match="read_latency: must be at most 1,000,000 cycles"):
        design(memory=MemoryTiming(1 << 40, 20)).save(Path("/nowhere"))


def test_what_is_legal_stays_legal():
    assert with_numbers().violations() == []
