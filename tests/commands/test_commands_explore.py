"""hotnas latency, published, dse and bench."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from small_designs import small_design

from hotnas_hls.accel.accelerator import LEGAL_PORT_BITS
from hotnas_hls.accel.design_point import DesignPoint
from hotnas_hls.accel.memory.pricing import least_memory
from hotnas_hls.accel.timing.latency import network_latency
from hotnas_hls.boards.board import load_board
from hotnas_hls.cli import main
from hotnas_hls.explore.model_layers import load_layers
from hotnas_hls.explore.nearest import nearest_accelerator
from hotnas_hls.published.design import PublishedHardware

DESIGN = "70,36,64,64,7,18,6,6"
GENES = "23,14,8,42,0,128,256,256,480,496,16,16,16,16,8,8,8,8,2,-1,0"


def printed(capsys, *arguments: str) -> dict:
    assert main([*arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_published_rule_as_in_the_table(capsys):
    arguments = ("latency", "--model", "resnet18", "--design", DESIGN, "--rule", "published")
    record = printed(capsys, *arguments, "--input", "3x224x224")
    assert record["total_cycles"] == 1_254_656 and record["clock_mhz"] == 200
    assert record["total_ms"] == pytest.approx(6.27328)
    assert record["layers"][0]["name"] == "conv1" and record["layers"][0]["bottleneck"] == "C"
    assert set(record["layers"][0]["terms"]) == {"load_ifm", "load_wgt", "compute", "store_ofm"}
    edited = printed(capsys, *arguments, "--genes", GENES)
    assert edited["total_cycles"] == 843_184


@pytest.mark.whole
def test_true_rule_of_the_nearest_accelerator(capsys):
    record = printed(capsys, "latency", "--model", "resnet18_cifar", "--design", "130,19,32,32,3,18,2,10")
    accel = record["accelerator"]
    assert all(accel[f"{port}_bits"] in LEGAL_PORT_BITS for port in ("ifm", "wgt", "ofm"))
    assert record["total_cycles"] == sum(layer["cycles"] for layer in record["layers"])
    assert {layer["bottleneck"] for layer in record["layers"]} <= set("IWCO")
    assert "fc" in {layer["name"] for layer in record["layers"]}
    assert any("288" in note and "128 bits" in note for note in record["notes"])


def test_nearest_accelerator_is_legal_and_tells_its_changes():
    layers = load_layers("digits_resnet").layers
    nearest = nearest_accelerator(PublishedHardware.parse(DESIGN), layers, load_board("ZCU102"))
    assert not nearest.accel.violations()
    assert (nearest.accel.wgt_bits, nearest.accel.ifm_bits, nearest.accel.ofm_bits) == (128, 128, 128)
    assert (nearest.accel.tm, nearest.accel.tn) == (72, 32)
    assert any("70 x 36 -> 72 x 32" in change for change in nearest.changes)


def test_latency_of_a_design_file_and_of_options(tmp_path: Path, capsys):
    point = small_design()
    point.save(tmp_path)
    record = printed(capsys, "latency", "--design-file", str(tmp_path))
    assert record["total_cycles"] == point.predicted_cycles and record["model"] == "small"
    slower = printed(capsys, "latency", "--design-file", str(tmp_path), "--read-latency", "100")
    assert slower["total_cycles"] > record["total_cycles"]
    options = "tm=16,tn=8,tr=8,tc=8,ofm_bits=64"
    given = printed(capsys, "latency", "--model", "digits_resnet", "--accel", options)
    assert given["accelerator"]["tm"] == 16 and given["accelerator"]["ofm_bits"] == 64
    narrow = "tm=16,tn=16,tr=8,tc=8,act_bits=8,weight_bits=8"
    single, packed = (
        printed(capsys, "latency", "--model", "digits_resnet", "--accel", f"{narrow},dsp_packing={packing}")
        for packing in (0, 1)
    )
    assert packed["accelerator"]["dsp_packing"] and not single["accelerator"]["dsp_packing"]
    assert packed["total_cycles"] == single["total_cycles"]
    assert main(["latency", "--design-file", str(tmp_path)]) == 0
    assert "small by the true rule" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["--model", "resnet18"], "needs one of"),
        (["--model", "resnet18", "--rule", "published"], "eight numbers"),
        (["--model", "resnet18", "--design", "1,2"], "expected 8"),
        (["--model", "nothing", "--design", DESIGN], "no such network"),
        (["--model", "digits_resnet", "--accel", "tm=8,tn=x"], "whole number"),
        (["--model", "digits_resnet", "--accel", "tm=9,tn=8,tr=8,tc=8"], "multiple of the channel block"),
        (["--model", "digits_resnet", "--accel", "tm=8,tn=8,tr=8"], "tc is missing"),
        (["--model", "digits_resnet", "--accel", "tm=8,tn=8,tr=8,tc=8,dsp_packing=2"], "must be 0 or 1"),
        (["--model", "digits_resnet", "--accel", "tm=8,tn=8,tr=8,tc=8,dsp_packing=1"], "at most 8 bits"),
        (["--model", "digits_resnet", "--design", DESIGN, "--genes", "1"], "search space"),
        (["--design", DESIGN], "which network"),
    ],
)
def test_bad_latency_options_are_one_message(capsys, arguments, words):
    assert main(["latency", *arguments]) == 1
    assert words in capsys.readouterr().err


def test_published_tables(capsys):
    record = printed(capsys, "published", "--no-true")
    assert record["all_round_to_published"] is True
    assert len(record["latencies"]) == 11 and len(record["hotnas_resnet_reductions"]) == 5
    assert main(["published", "--no-true"]) == 0
    shown = capsys.readouterr().out
    assert "6.27" in shown and "stride counted twice" in shown


def test_dse_prints_draws_and_records(tmp_path: Path, capsys):
    picture = tmp_path / "front.svg"
    arguments = ["dse", "--model", "digits_resnet", "--board", "PYNQ-Z2", "--top", "2"]
    arguments += ["--plot", str(picture)]
    record = printed(capsys, *arguments)
    assert record["designs"] > 10_000 and len(record["best"]) == 2
    assert record["on_chip"]["cycles"] >= record["best_latency"]["total_cycles"]
    board = load_board("PYNQ-Z2")
    assert all(design["resources"]["dsp"] <= board.dsp for design in record["front"])
    shares = [design["board_share"] for design in record["front"]]
    assert shares == sorted(shares, reverse=True)
    assert picture.stat().st_size > 1000
    assert main(arguments[:-2]) == 0
    assert "designs decided" in capsys.readouterr().out


@pytest.mark.whole
def test_dse_packs_two_multiplications_a_slice_where_factors_are_narrow(capsys):
    arguments = ["dse", "--model", "digits_resnet", "--board", "PYNQ-Z2", "--top", "1", "--stem", "plain"]
    narrow = [*arguments, "--act-bits", "8", "--weight-bits", "8"]
    best, single = (printed(capsys, *narrow, "--dsp-packing", packing) for packing in ("best", "off"))
    (design,) = best["best"]
    assert design["accelerator"]["dsp_packing"] and not single["best"][0]["accelerator"]["dsp_packing"]
    assert design["cycles"] < single["best"][0]["cycles"]
    assert design["accelerator"]["tm"] * design["accelerator"]["tn"] > load_board("PYNQ-Z2").dsp
    assert not printed(capsys, *arguments)["best"][0]["accelerator"]["dsp_packing"]
    pruned = printed(capsys, *narrow, "--pattern-ones", "4", "--dsp-packing", "on")
    assert pruned["best"][0]["accelerator"]["patterns"] and pruned["best"][0]["cycles"] <= design["cycles"]
    assert main([*arguments, "--dsp-packing", "on"]) == 1
    assert "DSP packing on: needs activations of 8 bits" in capsys.readouterr().err


def test_dse_keeps_on_chip_what_fits(tmp_path, capsys):
    arguments = ["dse", "--model", "digits_resnet", "--board", "ZCU102", "--top", "1", "--array", "16x16"]
    assert main([*arguments, "--json", "--save", str(tmp_path)]) == 0
    record = json.loads(capsys.readouterr().out)
    point = DesignPoint.load(tmp_path)
    assert record["on_chip"]["cycles"] == point.predicted_cycles < record["best"][0]["cycles"]
    assert record["on_chip"]["accelerator"] == dataclasses.asdict(point.accelerator)
    assert sum(layer["cycles"] for layer in record["best_latency"]["layers"]) <= point.predicted_cycles
    assert main([*arguments, "--no-on-chip", "--json", "--save", str(tmp_path / "streamed")]) == 0
    assert "on_chip" not in json.loads(capsys.readouterr().out)
    assert not DesignPoint.load(tmp_path / "streamed").accelerator.keeps


def test_dse_refuses_what_cannot_be(capsys):
    assert main(["dse", "--model", "digits_resnet", "--top", "0", "--weight-bits", "40"]) == 1
    error = capsys.readouterr().err
    assert "top 0" in error and "weight bits 40" in error
    assert main(["dse", "--model", "digits_resnet", "--board", "none"]) == 1


def test_dse_lists_every_option_that_cannot_be_before_it_reads_the_network(tmp_path: Path, capsys):
    (tmp_path / "file").touch()
    options = {
        "--clock": "nan",
        "--read-latency": str(10**30),
        "--plot": str(tmp_path / "nowhere" / "front.txt"),
        "--save": str(tmp_path / "file"),
    }
    given = [word for option in options.items() for word in option]
    assert main(["dse", "--model", "no_such_network", *given]) == 1
    assert capsys.readouterr().err.splitlines() == [
        "hotnas: these options cannot be:",
        "  - clock nan: must be 0.001 to 10000 MHz",
        f"  - read_latency: must be at most 1,000,000 cycles, not {10**30:,}; no memory answers that late",
        f"  - {tmp_path}/nowhere/front.txt: cannot draw into .txt; use one of .svg, .png, .pdf",
        f"  - {tmp_path}/nowhere/front.txt: there is no folder {tmp_path}/nowhere; make it first",
        f"  - --save {tmp_path}/file: is a file; name a folder",
    ]
    for clock in ("inf", "1e-300", "0", "-5"):
        assert main(["dse", "--model", "no_such_network", "--clock", clock]) == 1
        assert f"clock {float(clock):g}: must be 0.001 to 10000 MHz" in capsys.readouterr().err


def test_bench_lists_and_measures(tmp_path: Path, capsys):
    assert main(["bench", "--list"]) == 0
    assert "true-exploration" in capsys.readouterr().out
    assert main(["bench", "nothing"]) == 1
    path = tmp_path / "bench.json"
    assert main(["bench", "published-exploration", "--output", str(path)]) == 0
    figures = json.loads(path.read_text())["cases"]["published-exploration"]
    assert figures["designs"] == 2088 and figures["speed_up"] > 0 and figures["seconds"] > 0


@pytest.mark.whole
def test_dse_saves_a_design_that_the_generator_takes(tmp_path, capsys):
    pytest.importorskip("torch")
    assert main(["dse", "--model", "resnet20", "--board", "PYNQ-Z2", "--save", str(tmp_path), "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    point = DesignPoint.load(tmp_path)
    assert (point.network, point.board.name, point.weights) == ("resnet20", "PYNQ-Z2", None)
    layers = [placed.layer for placed in point.layers]
    least = least_memory(point.dram, point.clock_mhz)  # the bound, and what the DRAM makes of it
    bound = network_latency(layers, point.accelerator, point.tiles, least).cycles
    assert bound == record["best_latency"]["total_cycles"]
    assert bound <= point.predicted_cycles == record["on_chip"]["cycles"]
    streamed = record["behind_dram"][0]
    assert streamed["cycles"] >= streamed["bound_cycles"] and streamed["cycles"] > point.predicted_cycles
