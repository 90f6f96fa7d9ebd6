"""A package may come from anywhere: nothing in it leads outside, and nothing in it ends in a traceback."""

from __future__ import annotations

import copy
import hashlib
import json
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest
from report.files import certificate_of, write_run
from small_designs import small_design

from hotnas_hls.accel.memory.dram_timing import known_drams
from hotnas_hls.cli import main
from hotnas_hls.codegen.bundle import read_manifest, verify
from hotnas_hls.errors import HotnasError, OutputRefused
from hotnas_hls.report.assemble import assemble
from hotnas_hls.report.markdown import markdown
from hotnas_hls.report.page import page
from hotnas_hls.simulate.behind_dram import BehindDram, DramLayer
from hotnas_hls.simulate.dram_check import DramCheck
from hotnas_hls.simulate.flow import add_reports, generate, load_package

DRAWS = 40  # of each file


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """A package with a certificate."""
    folder = tmp_path_factory.mktemp("foreign") / "small"
    point = small_design()
    generate(point, folder, images=2)
    add_reports(folder, {"certificate.json": certificate_of(point).to_json().encode()})
    return folder


@pytest.fixture
def package(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "small"))


def edited(folder: Path, edit) -> None:
    """The manifest after ``edit``, its digests made to fit again."""
    path = folder / "manifest.json"
    record = json.loads(path.read_text())
    edit(record)
    whole = hashlib.sha256()
    for name, digest in sorted(record["files"].items()):
        whole.update(f"{name}\0{digest}\0".encode())
    record["bundle_digest"] = whole.hexdigest()
    path.write_text(json.dumps(record))


def test_a_manifest_that_leads_outside(package: Path, tmp_path: Path, capsys):
    (tmp_path / "secret.txt").write_text("private")
    digest = hashlib.sha256(b"private").hexdigest()

    def edit(record):
        record["name"] = "../../evil"
        record["manifest_version"] = 7
        record["files"]["../secret.txt"] = digest
        record["files"][str(tmp_path / "secret.txt")] = digest
        record["files"]["src/../../secret.txt"] = digest
        record["files"]["manifest.json"] = "?"
        del record["tool_version"]
        record["colour"] = "red"

    edited(package, edit)
    expected = [
        f"{package / 'manifest.json'}: not the manifest of a package; get the package anew:",
        "  - colour: unknown key; accepted here: marker, manifest_version, tool_version, name, "
        "design_digest, bundle_digest, files",
        "  - tool_version: missing key; give text",
    ]
    with pytest.raises(OutputRefused) as caught:
        read_manifest(package)
    assert str(caught.value).splitlines() == expected
    edited(package, lambda record: record.pop("colour") and record.update(tool_version="0.1.0"))
    expected[1:] = [
        "  - manifest_version: must be 1, not 7",
        "  - name: '../../evil': use letters, digits, '_', '-' and '.', and no '.' in front",
        "  - files: '../secret.txt': a bundle's paths are plain, relative and stay inside it",
        f"  - files: '{tmp_path / 'secret.txt'}': a bundle's paths are plain, relative and stay inside it",
        "  - files: 'src/../../secret.txt': a bundle's paths are plain, relative and stay inside it",
        "  - files: 'manifest.json': the bundle writes its own manifest",
        "  - manifest.json: not a SHA-256",
    ]
    for command in ("verify", "package", "sim"):
        assert main([command, str(package)]) == 1
        assert capsys.readouterr().err == "hotnas: " + "\n".join(expected) + "\n"
    left = sorted(path.name for path in tmp_path.iterdir() if not path.name.startswith("."))  # locks
    assert left == ["secret.txt", "small"]


@pytest.mark.parametrize("place", ["rtl", "rtl/hotnas_pkg.sv", "reports", "README.md", "rtl/extra.sv"])
def test_links_lead_nowhere(package: Path, tmp_path: Path, capsys, place: str):
    outside = tmp_path / "outside"
    if (package / place).exists():
        (package / place).rename(outside)
    else:
        outside.write_text("module extra; endmodule\n")
    (package / place).symlink_to(outside)
    line = f"{place}: is a link, which leads outside what was generated"
    assert verify(package) == [line]
    assert main(["verify", str(package)]) == 1
    assert f"  - {line}\n" in capsys.readouterr().out
    assert main(["package", str(package)]) == 1
    assert f"  - {line}\n" in capsys.readouterr().err
    for refused in (lambda: load_package(package), lambda: add_reports(package, {"x.json": b"{}"})):
        with pytest.raises(OutputRefused) as caught:
            refused()
        cure = "a package holds no links; put files there instead"
        assert str(caught.value) == f"{package}: {cure}:\n  - {place}"
    assert not (tmp_path / "small.tar.gz").exists()


def test_an_archive_stays_in_one_folder(package: Path, tmp_path: Path):
    assert main(["package", str(package)]) == 0
    with tarfile.open(tmp_path / "small.tar.gz") as archive:
        members = archive.getmembers()
    assert all(member.name.startswith("small/") and ".." not in member.name for member in members)
    assert all(member.isfile() for member in members)


def test_a_network_name_is_no_place_to_write(tmp_path: Path, capsys):
    small_design(network="../../evil").save(tmp_path / "a" / "b" / "run")
    assert main(["hls", str(tmp_path / "a/b/run"), "--output", str(tmp_path / "a/b/out")]) == 1
    assert capsys.readouterr().err == (
        "hotnas: package name '../../evil': use letters, digits, '_', '-' and '.', and no '.' in front; "
        "give one with --name\n"
    )
    assert [path.name for path in (tmp_path / "a" / "b").iterdir()] == ["run"]


STRANGE = (None, -1, 0, 2**70, 1e308, "", "x", "\x1b[31m", "[/x]", [], {}, [[]], {"x": None}, True)


def places(value, path=()):
    """Every place in a JSON value."""
    yield path
    if isinstance(value, dict):
        for key in value:
            yield from places(value[key], (*path, key))
    elif isinstance(value, list):
        for index in range(min(2, len(value))):
            yield from places(value[index], (*path, index))


def disturbed(record, stream):
    """A copy with one place removed or replaced."""
    found = copy.deepcopy(record)
    every = [path for path in places(record) if path]
    *way, last = every[stream.integers(len(every))]
    inner = found
    for step in way:
        inner = inner[step]
    choice = stream.integers(len(STRANGE) + 1)
    if choice == len(STRANGE):
        del inner[last]
    else:
        inner[last] = STRANGE[choice]
    return found


def reports_of(point) -> dict[str, object]:
    """One file of every kind that commands leave in ``reports``."""
    heading = {"design": "small", "design_digest": point.digest()}
    layers = (DramLayer("stem", predicted=5, simulated=5, stall=1),)
    behind = BehindDram(known_drams()[0], layers, (4, 5), 5, 5, None, 6, outputs_match=True)
    dram = DramCheck("small", point.digest(), 200.0, "x", behind)
    used = {"lut": {"used": 5, "available": 9}, "ff": {"used": 5, "available": 9}}
    path = {"from": "a", "to": "b", "logic_ns": 1.0, "routing_ns": 2.0}
    place = {**heading, "device": "x", "fmax_mhz": 45.6, "used": used, "slowest_path": path}
    sweep = [{"read_latency": at, "predicted_cycles": 9, "simulated_cycles": 9, "ms": 1.0} for at in (5, 9)]
    vendor = {
        "format": "hotnas-vendor-reports",
        "format_version": 1,
        "csynth": {"top": "x", "latency_max": 100, "estimated_ns": 3.5, "resources": {"lut": 5}},
        "cosim": {"passed": True, "latency_max": 100, "transactions": [1, 2, 3, 4, 5] * 2},
        "implementation": {"state": "Routed", "wns_ns": 0.1, "fmax_mhz": 210.0, "resources": {"lut": 5}},
    }
    return {
        "certificate.json": json.loads(certificate_of(point).to_json()),
        "dram.json": json.loads(dram.to_json()),
        "place.json": place,
        "synth.json": {**heading, "total": {"lut": {"model": 5, "yosys": 6}}},
        "sweep.json": {**heading, "points": sweep},
        "vendor_reports.json": vendor,
    }


@pytest.mark.parametrize(
    "name", ["certificate.json", "dram.json", "place.json", "synth.json", "sweep.json", "vendor_reports.json"]
)
def test_reports_with_a_field_disturbed_are_refused_or_shown(package: Path, monkeypatch, name: str):
    """Every field of every report, drawn at random: an error of ours, or a report."""
    monkeypatch.setattr("hotnas_hls.report.page.charts", lambda data: {})  # not of these files, and slow
    point, stream, refused = small_design(), np.random.default_rng(7), 0
    every = reports_of(point)
    for file, record in every.items():
        (package / "reports" / file).write_text(json.dumps(record))
    page(assemble(package))
    for _ in range(DRAWS):
        (package / "reports" / name).write_text(json.dumps(disturbed(every[name], stream)))
        try:
            data = assemble(package)
        except HotnasError as error:
            assert str(package / "reports" / name) in str(error)
            refused += 1
            continue
        page(data), markdown(data), json.dumps(data.record(), allow_nan=False)
    assert refused > DRAWS // 4


def test_a_run_with_a_field_disturbed(tmp_path: Path, monkeypatch):
    monkeypatch.setattr("hotnas_hls.report.page.charts", lambda data: {})
    point, stream, refused = small_design(), np.random.default_rng(8), 0
    folder = write_run(tmp_path / "run", point)
    summary = json.loads((folder / "search.json").read_text())
    for _ in range(DRAWS):
        (folder / "search.json").write_text(json.dumps(disturbed(summary, stream)))
        try:
            data = assemble(folder)
        except HotnasError as error:
            assert str(folder / "search.json") in str(error)
            refused += 1
            continue
        page(data), markdown(data), json.dumps(data.record(), allow_nan=False)
    assert refused > DRAWS // 4


@pytest.mark.parametrize("file", ["manifest.json", "reports/certificate.json", "design_point.json"])
def test_verify_survives_any_field(package: Path, capsys, file: str):
    stream = np.random.default_rng(9)
    original = (package / file).read_text()
    for _ in range(DRAWS):
        text = json.dumps(disturbed(json.loads(original), stream))
        (package / file).write_text(text)
        if file != "manifest.json":
            digest = hashlib.sha256(text.encode()).hexdigest()
            edited(package, lambda record, digest=digest: record["files"].update({file: digest}))
        assert main(["verify", str(package)]) in (0, 1)
        said = "".join(capsys.readouterr())
        assert said and "\x1b" not in said
