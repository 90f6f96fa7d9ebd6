"""Generated HLS C++: bit-exact against the integer reference, clean to two compilers, deterministic."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hls_cases import Case, random_case
from small_designs import on_chip_design

from hotnas_hls.accel.accelerator import Accelerator
from hotnas_hls.accel.host_work import HostWork
from hotnas_hls.accel.integers.random_numbers import random_images, random_numbers
from hotnas_hls.accel.layer import FeatureMap, IntegerNetwork, Layer, LayerKind
from hotnas_hls.accel.plan import Tile
from hotnas_hls.base.tools import find
from hotnas_hls.codegen.hls import Target, hls_files
from hotnas_hls.codegen.render import Banner, environment
from hotnas_hls.errors import SimulationFailed
from hotnas_hls.simulate.csim import LEAST_IMAGES, run_csim

BANNER = Banner("test_design", "0123456789abcdef" * 4)
SEEDS = (*range(5), *range(6, 9), 20)  # 5 takes half a minute
ALWAYS = (0,)
needs_csim = pytest.mark.skipif(
    find("g++") is None or find("ap_types") is None, reason="needs g++ and the ap_int headers"
)
needs_clang = pytest.mark.skipif(find("clang++") is None, reason="needs clang++")


def generate(case: Case, images: int = 2, seed: int = 0) -> dict[str, str | bytes]:
    image = case.net.feature_maps[case.net.image]
    batch = random_images(image, images, seed, case.net.act_bits)
    return hls_files(case.net, case.accel, case.tiles, images=list(batch), target=Target(), banner=BANNER)


def write(files: dict[str, str | bytes], folder: Path) -> Path:
    for name, contents in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(contents if isinstance(contents, bytes) else contents.encode())
    return folder


def small_case() -> Case:
    """Two convolutions, the second pruned; quick to build."""
    layers = (
        Layer("first", LayerKind.CONV, "x", "y", 3, 20, 9, 9, 9, 9, 3, 3, 1, 1, 1, weight_bits=7),
        Layer("second", LayerKind.CONV, "y", "z", 20, 24, 9, 9, 5, 5, 3, 3, 2, 1, 1, pattern_ones=4),
    )
    accel = Accelerator(16, 8, 4, 5, 64, 128, 128, ifm_depth=400, wgt_entries=9, max_entries=9)
    maps = (FeatureMap("x", 3, 9, 9), FeatureMap("y", 20, 9, 9), FeatureMap("z", 24, 5, 5))
    numbers = {layer.name: random_numbers(layer, 1) for layer in layers}
    host = HostWork.reading("z")
    net = IntegerNetwork("small", {fm.name: fm for fm in maps}, layers, numbers, "x", host, 16)
    return Case(net, accel, {layer.name: Tile(4, 5) for layer in layers})


@needs_csim
@pytest.mark.parametrize(
    "seed", [pytest.param(seed, marks=() if seed in ALWAYS else pytest.mark.whole) for seed in SEEDS]
)
def test_random_networks_equal_the_reference(seed: int, tmp_path: Path) -> None:
    case = random_case(seed, tn_above_wgt_bits=seed % 5 == 4)
    folder = write(generate(case, LEAST_IMAGES, seed), tmp_path)
    result = run_csim(folder)
    assert (result.images, result.transactions) == (LEAST_IMAGES, LEAST_IMAGES + 1)
    assert result.layers == len(case.net.layers)
    assert result.warnings == 0
    if seed % 3 == 0:
        assert run_csim(folder, dataflow=False, images=2).warnings == 0
    # As in co-simulation; the program is built already.
    alone = subprocess.run([folder / "build" / "csim", "--per-layer", "--images", "1", folder])
    assert alone.returncode == 0


def test_random_networks_cover_what_they_should() -> None:
    cases = [random_case(seed, tn_above_wgt_bits=seed % 5 == 4) for seed in SEEDS]
    layers = [(case, layer) for case in cases for layer in case.net.layers]
    assert {layer.kind for _, layer in layers} == set(LayerKind)
    assert {layer.kernel_rows for _, layer in layers if layer.kind is LayerKind.CONV} >= {1, 3, 6}
    assert any(layer.stride == 2 for _, layer in layers)
    assert any(layer.addend for _, layer in layers)
    assert any(layer.residual_multiplies and layer.residual_vector for _, layer in layers)
    assert any(layer.residual_multiplies and not layer.residual_vector for _, layer in layers)
    assert any(layer.pattern_ones for _, layer in layers)
    assert any(layer.kind is LayerKind.MAXPOOL and layer.pad_top for _, layer in layers)
    assert any(layer.positions > case.accel.wgt_entries for case, layer in layers)
    assert {case.accel.act_bits for case in cases} == {8, 16}
    assert any(case.accel.parts_per_row > 1 for case in cases)
    assert {(case.accel.taps, case.accel.patterns) for case in cases} >= {(2, False), (4, False), (4, True)}
    assert any(case.accel.ifm_bits < case.accel.ofm_bits for case in cases)
    assert any(case.accel.ifm_bits > case.accel.ofm_bits for case in cases)


@needs_csim
@pytest.mark.whole
@pytest.mark.parametrize("flags", [(), ("-DHOTNAS_BURSTS=0",)])
def test_a_design_on_chip_equals_the_reference(flags: tuple[str, ...], tmp_path: Path) -> None:
    """Also in the build that streams all, and layer by layer, as in co-simulation."""
    folder = write(generate(on_chip_case()), tmp_path)
    result = run_csim(folder, extra_flags=flags)
    assert (result.layers, result.warnings) == (5, 0)
    assert run_csim(folder, per_layer=True, images=1, extra_flags=flags).layers == 5


@needs_csim
@pytest.mark.whole
def test_concatenation_classifier_and_average_pool(tmp_path: Path) -> None:
    """Maps placed side by side in one, a kernel as large as its map, and a depthwise average."""
    maps = (
        FeatureMap("x", 5, 6, 7),
        FeatureMap("both", 24, 6, 7),
        FeatureMap("left", 16, 6, 7, concat_of="both", concat_offset=0),
        FeatureMap("right", 8, 6, 7, concat_of="both", concat_offset=16),
        FeatureMap("pooled", 24, 1, 1),
        FeatureMap("scores", 10, 1, 1),
        FeatureMap("logits", 10, 1, 1),
    )
    layers = (
        Layer("to_left", LayerKind.CONV, "x", "left", 5, 16, 6, 7, 6, 7, 3, 3, 1, 1, 1),
        Layer("to_right", LayerKind.CONV, "x", "right", 5, 8, 6, 7, 6, 7, 1, 1, weight_bits=2),
        Layer("average", LayerKind.DEPTHWISE, "both", "pooled", 24, 24, 6, 7, 1, 1, 6, 7),
        Layer("whole", LayerKind.CONV, "both", "scores", 24, 10, 6, 7, 1, 1, 6, 7, weight_bits=9),
        Layer("last", LayerKind.CONV, "pooled", "logits", 24, 10, 1, 1, 1, 1, 1, 1, residual="scores"),
    )
    accel = Accelerator(8, 16, 3, 7, 32, 64, 128, ifm_depth=126, wgt_entries=10, max_entries=42)
    numbers = {layer.name: random_numbers(layer, 5) for layer in layers}
    host = HostWork.reading("logits")
    net = IntegerNetwork("forked", {fm.name: fm for fm in maps}, layers, numbers, "x", host, 16)
    case = Case(net, accel, {layer.name: Tile(3, 7) for layer in layers})
    folder = write(generate(case), tmp_path)
    assert run_csim(folder).layers == run_csim(folder, dataflow=False).layers == 5


@needs_csim
@needs_clang
@pytest.mark.parametrize(("dataflow", "standard"), [(True, "-std=c++14"), (False, "-std=c++11")])
def test_clang_is_content_at_the_highest_level(dataflow: bool, standard: str, tmp_path: Path) -> None:
    folder = write(generate(small_case()), tmp_path)
    result = run_csim(folder, compiler="clang++", dataflow=dataflow, extra_flags=("-Wpedantic", standard))
    assert result.warnings == 0


@pytest.mark.whole
@needs_csim
def test_sources_are_clean_to_the_sanitisers(tmp_path: Path) -> None:
    folder = write(generate(random_case(2), images=1), tmp_path)
    # ap_int shifts negative values, so shifts are left out.
    flags = ("-fsanitize=address,undefined", "-fno-sanitize=shift", "-fno-sanitize-recover=all", "-O1")
    run_csim(folder, extra_flags=flags)


@needs_csim
def test_a_wrong_output_is_named_and_fails(tmp_path: Path) -> None:
    files = generate(small_case())
    memory = json.loads(files["weights/memory_map.json"])
    golden = bytearray(files["tb_data/golden_1.bin"])
    golden[memory["feature_maps"]["y"]["offset"] + 2 * (8 * (9 * 4 + 3) + 5)] ^= 1
    files["tb_data/golden_1.bin"] = bytes(golden)
    folder = write(files, tmp_path)
    with pytest.raises(SimulationFailed, match="MISMATCH image 1 layer first channel 5 row 4 column 3: "):
        run_csim(folder)
    assert subprocess.run([folder / "build" / "csim", folder], capture_output=True).returncode == 1


@needs_csim
def test_sources_that_do_not_compile_show_the_compiler(tmp_path: Path) -> None:
    files = generate(small_case())
    files["src/accelerator.cpp"] = "#error broken on purpose\n"
    with pytest.raises(SimulationFailed, match="broken on purpose"):
        run_csim(write(files, tmp_path))


@needs_csim
@pytest.mark.parametrize(
    ("constant", "value", "sentence"),
    [
        ("kTn", 12, "Tn is a whole number of channel blocks."),
        ("kIfmBits", 96, "An AXI data port is a power of two from 32 to 512 bits wide."),
        ("kWeightBits", 17, "Weights are 2 to 16 bits."),
        ("kMinSweep", 2, "Reading, adding and writing an accumulator takes four cycles."),
        ("kBiasPlanes", 3, "The bias section holds Tm biases."),
        ("kRowsPerGroup", 8, "A group holds as many rows as fit."),
        ("kIfmPorts", 2, "An IFM read port per pattern, or per tap."),
        ("kDescriptorBytes", 100, "A descriptor is a whole number of beats of any port."),
        ("kProfileSlots", 33, "The profile has a power of two of rows, one more than layers."),
    ],
)
def test_a_constant_that_breaks_the_engines_stops_the_compiler(
    constant: str, value: int, sentence: str, tmp_path: Path
) -> None:
    files = generate(small_case())
    line = rf"(constexpr int {constant} =) \d+;"
    params, changed = re.subn(line, rf"\1 {value};", str(files["include/params.h"]))
    assert changed == 1
    header = tmp_path / "params.h"
    header.write_text(params)
    command = ["g++", "-std=c++14", "-fsyntax-only", "-x", "c++", header]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode != 0
    assert sentence in run.stderr


@needs_csim
def test_a_descriptor_that_is_damaged_or_of_another_design_is_refused(tmp_path: Path) -> None:
    case = small_case()
    files = generate(case)
    weights, size = bytes(files["weights/weights.bin"]), case.accel.descriptor_bytes
    deeper = Case(case.net, replace(case.accel, ifm_depth=401), case.tiles)
    foreign = bytes(generate(deeper)["weights/weights.bin"])
    damaged = bytearray(weights)
    damaged[2 * size - 1] ^= 0x80
    folder = write(files, tmp_path)
    run_csim(folder)  # builds the program
    for layer, image in ((0, bytes(len(weights))), (0, foreign), (1, bytes(damaged))):
        (folder / "weights" / "weights.bin").write_bytes(image)
        ran = subprocess.run([folder / "build" / "csim", folder], capture_output=True, text=True)
        assert ran.returncode == 1
        assert f"MISMATCH status {layer << 16 | 1 << 4}, expected 0\n" in ran.stdout


def on_chip_case() -> Case:
    """Maps and weights of a small network stay on chip."""
    point = on_chip_design()
    return Case(point.integer_network(), point.accelerator, point.tiles)


@needs_csim
@pytest.mark.parametrize(
    ("dataflow", "case"),
    [
        (True, small_case),
        pytest.param(False, small_case, marks=pytest.mark.whole),
        pytest.param(True, on_chip_case, marks=pytest.mark.whole),
    ],
)
def test_damaged_weights_end_with_a_status(
    dataflow: bool, case: Callable[[], Case], tmp_path: Path
) -> None:
    files = generate(case())
    folder = write(files, tmp_path)
    weights = bytes(files["weights/weights.bin"])
    starts = json.loads(files["weights/memory_map.json"])["weights"]
    target = "csim" if dataflow else "csim-sequential"
    headers = find("ap_types")
    assert headers is not None
    command = ["make", target, f"AP_TYPES={headers.path}"]
    assert subprocess.run(command, cwd=folder, capture_output=True).returncode == 0
    for layer, name in enumerate(starts):
        damaged = bytearray(weights)
        damaged[starts[name] + 3] ^= 1 << 3
        (folder / "weights" / "weights.bin").write_bytes(damaged)
        ran = subprocess.run([folder / "build" / target, folder], capture_output=True, text=True)
        assert ran.returncode == 1
        assert f"MISMATCH status {layer << 16 | 1 << 6}, expected 0\n" in ran.stdout


PRAGMAS = {
    "__VITIS_HLS__": {"aggregate", "bind_op", "bind_storage"},
    "__SYNTHESIS__": {"data_pack", "resource"},  # Vivado HLS
}
COMMON_PRAGMAS = {
    *("array_partition", "array_reshape", "dataflow", "dependence", "inline", "interface"),
    *("loop_tripcount", "pipeline", "stream", "unroll"),
}


@needs_csim
@pytest.mark.parametrize("macro", list(PRAGMAS))
def test_vendor_tools_see_the_pragmas_they_know(macro: str, tmp_path: Path) -> None:
    folder = write(generate(small_case()), tmp_path)
    headers = find("ap_types")
    assert headers is not None
    command = ["g++", "-E", f"-D{macro}", f"-I{folder / 'include'}", "-isystem", headers.path]
    run = subprocess.run([*command, folder / "src" / "accelerator.cpp"], capture_output=True, text=True)
    pragmas = re.findall(r"^#pragma HLS (\w+)", run.stdout, re.MULTILINE)
    assert set(pragmas) == COMMON_PRAGMAS | PRAGMAS[macro]
    assert pragmas.count("interface") == 12


def test_generation_is_deterministic() -> None:
    assert generate(random_case(3)) == generate(random_case(3))


def test_every_text_file_says_where_it_comes_from() -> None:
    files = generate(small_case())
    for name, contents in files.items():
        if isinstance(contents, str) and not name.endswith((".json", ".clang-format")):
            assert "Do not edit" in contents.splitlines()[0], name
            assert BANNER.digest in contents, name
            assert contents.endswith("\n"), name


def test_the_package_has_what_tools_expect() -> None:
    files = generate(small_case(), images=2)
    assert {
        "Makefile",
        "src/accelerator.cpp",
        "include/params.h",
        "tb/testbench.cpp",
        "scripts/run_hls.tcl",
        "scripts/options.tcl",
        "scripts/hls_config.cfg",
        "weights/weights.bin",
        "tb_data/image_0.bin",
        "tb_data/golden_1.bin",
    } <= set(files)
    top = str(files["src/accelerator.cpp"])
    for port in ("ifm", "wgt", "ofm"):
        assert re.search(rf"m_axi port={port} bundle={port} offset=slave depth=\d+ latency=\d+", top)


def test_golden_data_holds_every_layer() -> None:
    case = small_case()
    files = generate(case, images=1)
    memory = json.loads(files["weights/memory_map.json"])
    golden = np.frombuffer(files["tb_data/golden_0.bin"], dtype="<i2")
    image = np.frombuffer(files["tb_data/image_0.bin"], dtype="<i2")
    assert len(golden) * 2 == memory["feature_map_bytes"]
    assert np.array_equal(golden[: len(image)], image)
    assert all(np.any(golden[fm["offset"] // 2 :][:100]) for fm in memory["feature_maps"].values())


def test_bad_arguments_are_refused() -> None:
    case = small_case()
    with pytest.raises(ValueError, match="at least one image"):
        hls_files(case.net, case.accel, case.tiles, images=[], target=Target(), banner=BANNER)


def test_a_misspelt_name_in_a_template_stops_generation() -> None:
    with pytest.raises(Exception, match="'mispelt' is undefined"):
        environment("hls").from_string("{{ mispelt }}").render()


@pytest.mark.skipif(shutil.which("clang-format") is None, reason="needs clang-format")
def test_sources_are_formatted(tmp_path: Path) -> None:
    folder = write(generate(small_case()), tmp_path)
    sources = [path for kind in ("*.h", "*.cpp") for path in sorted(folder.rglob(kind))]
    assert len(sources) >= 15
    run = subprocess.run(["clang-format", "--dry-run", "-Werror", *sources], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr


@needs_csim
@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
def test_the_makefile_simulates(tmp_path: Path) -> None:
    folder = write(generate(small_case()), tmp_path)
    headers = find("ap_types")
    assert headers is not None
    command = ["make", "csim", "csim-per-layer", f"AP_TYPES={headers.path}"]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert run.stdout.count("PASS: 3 transactions") == 2
    assert "warning" not in run.stderr
