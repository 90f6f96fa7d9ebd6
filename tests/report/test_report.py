"""What a report says, assembled from real files, and that what is unknown says so."""

import dataclasses
import json
import re

import pytest
from small_designs import on_chip_design, small_design

from hotnas_hls.accel.design_point import Accuracy
from hotnas_hls.accel.timing.latency import network_latency
from hotnas_hls.cli import main
from hotnas_hls.codegen.bundle import verify
from hotnas_hls.errors import ConfigError
from hotnas_hls.implementation.vendor_reports import (
    Cosim,
    Csynth,
    Implementation,
    Loop,
    Resources,
    VendorReports,
)
from hotnas_hls.report.assemble import assemble
from hotnas_hls.report.markdown import markdown
from hotnas_hls.report.page import page
from hotnas_hls.report.run_record import read_run
from hotnas_hls.simulate.flow import add_reports, generate

from .files import certificate_of, write_run


@pytest.fixture(scope="module")
def point():
    return small_design()


@pytest.fixture
def package(tmp_path, point):
    generate(point, tmp_path / "small", images=2)
    return tmp_path / "small"


@pytest.fixture
def without_charts(monkeypatch):
    """For tests of words: drawing takes longer than all else."""
    monkeypatch.setattr("hotnas_hls.report.drawing._svg", lambda figure, description: "<svg></svg>")


def test_without_anything_but_the_design_the_rest_is_unknown(tmp_path, point):
    point.save(tmp_path)
    data = assemble(tmp_path)
    record = data.record()
    assert record["latency"]["before_ms"] is None
    assert record["latency"]["simulated_cycles"] is None
    assert record["certificate"] is record["vendor"] is record["search"] is None
    assert all(layer["simulated"] is None and layer["difference"] is None for layer in record["layers"])
    text = markdown(data)
    assert "not simulated yet" in text
    assert "| cycles simulated, ideal memory |  | unknown |" in text
    assert "| cycles certified, behind the DRAM |  | unknown |" in text
    assert "| latency | unknown |" in text
    assert "| test accuracy | unknown | unknown |" in text
    html = page(data)
    assert 'id="waterfall"' not in html and 'id="pareto"' not in html
    assert 'id="on_chip"' not in html and "on chip" not in text.lower()
    assert 'id="roofline"' in html and 'id="timeline"' in html


LOOPS = (Loop("load_ifm", "LOAD_IFM_BEAT", 1, 4), Loop("compute", "COMPUTE_CYCLE", 2, 11))


def test_a_package_with_certificate_run_and_vendor_reports(tmp_path, package, point):
    transactions = 2 * tuple(900 - at for at in range(len(point.layers)))  # every layer of one image, twice
    vendor = VendorReports(
        csynth=Csynth(
            latency_max=7000, estimated_ns=3.6, resources=Resources(lut=21000, dsp=40), loops=LOOPS
        ),
        cosim=Cosim(passed=True, latency_max=900, transactions=transactions),
        implementation=Implementation(
            state="Routed", wns_ns=0.31, fmax_mhz=213.2, resources=Resources(lut=19000)
        ),
    )
    add_reports(
        package,
        {
            "certificate.json": certificate_of(point).to_json().encode(),
            "vendor_reports.json": vendor.to_json().encode(),
        },
    )
    run = write_run(tmp_path / "run", point)
    assert main(["report", str(package), "--run", str(run)]) == 0
    assert verify(package) == []
    report = json.loads((package / "reports/report.json").read_text())
    total = certificate_of(point).predicted_cycles
    assert report["latency"]["before_ms"] == 0.05 and report["latency"]["plain_8bit_ms"] == 0.04
    assert report["latency"]["predicted_cycles"] == report["latency"]["simulated_cycles"] == total
    assert report["latency"]["csynth_cycles"] == 7000
    said = "1 of 2 keep their II; compute/COMPUTE_CYCLE: II = 2, required 1"
    assert said in (package / "reports/report.html").read_text()
    assert report["latency"]["cosim_cycles"] == sum(transactions) // 2
    assert [layer["cosim"] for layer in report["layers"]] == list(transactions[: len(point.layers)])
    assert report["certificate"]["holds"] and report["certificate"]["exact"]
    treatment = {layer["name"]: layer["treatment"] for layer in report["layers"]}
    assert treatment["residual"] == ["pattern 4/9", "skip cut", "6-bit weights"]
    assert treatment["stem"] == ["8 → 6 channels"]
    assert treatment["mean"] == []
    lut = next(resource for resource in report["resources"] if resource["name"] == "LUT")
    assert (lut["csynth"], lut["implementation"], lut["yosys"]) == (21000, 19000, None)
    text = (package / "reports/report.md").read_text()
    for phrase in (
        "cycle check is against the SystemVerilog twin",
        "3.5 × 10¹⁷",
        "| hardware | 0.03000 ms | −0.00350 ms |",
        "The scarcest resource of the ZCU102 is ",
        "What would help further, by the model, whatever it costs in accuracy: pool (bound by load IFM): "
        "hardware, width 64, saves 120 cycles.",
    ):
        assert phrase in text
    html = (package / "reports/report.html").read_text()
    for key in (
        "waterfall",
        "pareto",
        "terms",
        "timeline",
        "slowest",
        "roofline",
        "resources",
        "memory",
        "layers",
    ):
        assert f'id="{key}"' in html
    assert "certificate holds" in html


@pytest.mark.usefixtures("without_charts")
def test_the_latency_of_an_uncertified_design_is_that_behind_its_dram(tmp_path, point):
    """Never that of the ideal memory, which would be compared with a baseline behind the DRAM."""
    point.save(tmp_path)
    data = assemble(tmp_path)
    behind, bound = point.behind_dram_cycles, point.latency_bound_cycles
    assert data.certificate is None and data.cycles == behind > data.predicted_cycles
    assert data.latency_ms == point.cycles_to_ms(behind)
    assert data.record()["latency"]["behind_dram_cycles"] == behind
    assert sum(layer.behind for layer in data.layers) == behind
    assert bound - len(data.layers) < sum(layer.bound for layer in data.layers) <= bound
    assert f"| cycles predicted, behind the DRAM |  | {behind:,} |" in markdown(data)
    assert f'<div class="big">{behind:,}</div>' in page(data)


@pytest.mark.usefixtures("without_charts")
def test_what_stays_on_chip_is_told_and_what_hls_keeps_of_it(tmp_path):
    point = on_chip_design()
    point.save(tmp_path)
    data = assemble(tmp_path)
    text = markdown(data)
    layers = [entry.layer.streamed() for entry in point.layers]
    accel = dataclasses.replace(point.accelerator, map_words=0, weight_planes=0)
    streamed = network_latency(layers, accel, point.tiles, point.memory).cycles
    assert data.streamed_cycles == streamed > data.predicted_cycles
    assert "the outputs of 4 of 5 layers" in text and "The HLS C++ keeps the same on chip" in text
    assert f"Streamed, the model gives {streamed:,} cycles" in text
    assert "| Words of maps on chip |" in text
    assert 'id="on_chip"' in page(data)


def test_a_search_that_is_not_where_the_design_says_is_asked_for(tmp_path, point):
    dataclasses.replace(point, config={"output": str(tmp_path / "gone")}).save(tmp_path)
    assert assemble(tmp_path).notes == (
        f"the search is not in {tmp_path}/gone, which the design names; --run FOLDER says where it is",
    )


@pytest.mark.usefixtures("without_charts")
@pytest.mark.parametrize("allowed", [0.001, 0.01, None])
def test_a_loss_beyond_what_was_allowed_stands_at_the_top(allowed, tmp_path, point):
    config = {} if allowed is None else {"search": {"accuracy_drop": allowed}}
    lossy = dataclasses.replace(point, accuracy=Accuracy(0.9339, 0.9327, 10000), config=config)
    write_run(tmp_path, lossy)
    data = assemble(tmp_path)
    assert data.record()["accuracy"]["drop_allowed"] == allowed
    said = "LOSES 0.12% of test accuracy, more than accuracy_drop (0.10%)"
    assert (said in markdown(data).split("\n\n")[2]) == (allowed == 0.001)
    if allowed == 0.001:
        assert said in page(data).partition("</header>")[0]


@pytest.mark.usefixtures("without_charts")
@pytest.mark.parametrize("transactions", [None, (7, 7, 7)])
def test_transactions_that_are_not_layers_are_no_column(transactions, package, point):
    """The longest transaction may be a layer or a network: it is no figure of the network."""
    cosim = Cosim(passed=False, latency_max=900, transactions=transactions)
    reports = VendorReports(cosim=cosim).to_json().encode()
    add_reports(package, {"vendor_reports.json": reports})
    data = assemble(package)
    assert data.cosim_cycles is None and all(layer.cosim is None for layer in data.layers)
    assert "FAILED, longest transaction 900 cycles" in page(data)
    assert "cosim FAILED, longest transaction 900 cycles" in markdown(data)


def test_the_page_stands_alone_and_is_deterministic(package):
    data = assemble(package)
    html = page(data)
    assert html == page(data)
    assert not re.search(r"<(script|link|img|iframe)\b|@import|src=|url\((?!#)", html)
    assert set(re.findall(r"https?://[^\"' )]+", html)) <= {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",
    }
    assert not re.search(r"#0[0-9a-d]0[0-9a-d]0[0-9a-d]\b", html), "a place-holder colour is left"
    ids = re.findall(r'\bid="([^"]+)"', html)
    assert len(ids) == len(set(ids))


@pytest.mark.usefixtures("without_charts")
def test_a_certificate_that_does_not_hold_is_said(package, point):
    add_reports(package, {"certificate.json": certificate_of(point, off=7).to_json().encode()})
    html = page(assemble(package))
    assert "certificate does not hold" in html
    assert "+7" in html and "stem: simulated cycles differ" in html


def test_what_speaks_of_another_design_is_left_out(tmp_path, package, point):
    other = small_design(seed=2)
    add_reports(package, {"certificate.json": certificate_of(other).to_json().encode()})
    data = assemble(package)
    assert data.certificate is None and "another design" in data.notes[0]
    with pytest.raises(ConfigError, match="found another design"):
        assemble(package, write_run(tmp_path / "run", other))
    with pytest.raises(ConfigError, match="no such folder"):
        assemble(package, tmp_path / "nothing")


def test_the_front_is_of_trained_candidates(tmp_path, point):
    run = read_run(write_run(tmp_path, point, reductions=False))
    assert [trial.number for trial in run.front()] == [1, 0]
    assert run.reductions is None
    assert read_run(tmp_path / "nowhere") is None


def test_a_waterfall_without_recorded_steps_says_so(tmp_path, point):
    html = page(assemble(write_run(tmp_path, point, reductions=False)))
    assert "The run did not record" in html


def test_a_broken_summary_is_one_clear_message(tmp_path, point, capsys):
    write_run(tmp_path, point)
    (tmp_path / "search.json").write_text('{"latency_ms": [1]}')
    assert main(["report", str(tmp_path)]) == 1
    assert "search.json: not the summary of a search" in capsys.readouterr().err
    assert main(["report", str(tmp_path / "nothing")]) == 1
    assert "make a package: hotnas hls RUN" in capsys.readouterr().err
