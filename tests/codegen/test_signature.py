"""What ``verify`` proves: that files fit together; by whom, with a signature; that they are right, again."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest
from report.files import honest_certificate
from small_designs import small_design

from hotnas_hls.cli import main
from hotnas_hls.simulate import flow
from hotnas_hls.simulate.certificate import Certificate
from hotnas_hls.simulate.flow import add_reports, generate

needs_ssh = pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="needs ssh-keygen")
PROVEN = "proven: the files fit together; not by whom (--signers), nor that they are right (--again)\n"


@pytest.fixture
def package(tmp_path: Path) -> Path:
    folder, point = tmp_path / "small", small_design()
    generate(point, folder, images=2)
    add_reports(folder, {"certificate.json": honest_certificate(point, folder).to_json().encode()})
    return folder


def forged(folder: Path, path: str, contents: bytes) -> None:
    """Another file in a package, and a manifest that fits it."""
    (folder / path).write_bytes(contents)
    record = json.loads((folder / "manifest.json").read_text())
    record["files"][path] = hashlib.sha256(contents).hexdigest()
    whole = hashlib.sha256()
    for name, digest in sorted(record["files"].items()):
        whole.update(f"{name}\0{digest}\0".encode())
    record["bundle_digest"] = whole.hexdigest()
    (folder / "manifest.json").write_text(json.dumps(record))


def key(folder: Path, name: str) -> Path:
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", folder / name]
    subprocess.run(command, check=True)
    return folder / name


@needs_ssh
def test_a_signed_package_says_by_whom(package: Path, tmp_path: Path, capsys):
    alice, mallory = key(tmp_path, "alice"), key(tmp_path, "mallory")
    signers = tmp_path / "signers"
    signers.write_text(f"alice@example.org {alice.with_suffix('.pub').read_text()}")
    assert main(["verify", str(package), "--signers", str(signers)]) == 1
    assert capsys.readouterr().err == (
        f"hotnas: {package}: is not signed (no manifest.json.sig); its maker can: hotnas package --sign\n"
    )
    assert main(["package", str(package), "--sign", str(alice)]) == 0
    assert capsys.readouterr().out.startswith(f"{package / 'manifest.json.sig'}\n")
    shutil.rmtree(package)
    with tarfile.open(tmp_path / "small.tar.gz") as archive:
        archive.extractall(tmp_path, filter="data")
    assert main(["verify", str(package), "--signers", str(signers)]) == 0
    assert "\nsigned by alice@example.org\n" in capsys.readouterr().out

    refused = (
        f"hotnas: {package}: its signature is by nobody in {signers}, or the manifest has changed since; "
        "get the package from its maker again\n"
    )
    forged(package, "src/accelerator.cpp", b"int hacked;\n")
    assert main(["verify", str(package)]) == 0
    assert capsys.readouterr().out.endswith(PROVEN)
    assert main(["verify", str(package), "--signers", str(signers)]) == 1
    assert capsys.readouterr().err == refused
    assert main(["package", str(package), "--sign", str(mallory)]) == 0
    capsys.readouterr()
    assert main(["verify", str(package), "--signers", str(signers)]) == 1
    assert capsys.readouterr().err == refused


@needs_ssh
def test_a_signature_of_another_kind_does_not_count(package: Path, tmp_path: Path, capsys):
    alice = key(tmp_path, "alice")
    signers = tmp_path / "signers"
    signers.write_text(f"alice@example.org {alice.with_suffix('.pub').read_text()}")
    manifest = package / "manifest.json"
    subprocess.run(["ssh-keygen", "-q", "-Y", "sign", "-f", alice, "-n", "file", manifest], check=True)
    assert main(["verify", str(package), "--signers", str(signers)]) == 1
    assert "its signature is by nobody in" in capsys.readouterr().err


@needs_ssh
def test_a_report_ends_the_signature(package: Path, tmp_path: Path):
    assert main(["package", str(package), "--sign", str(key(tmp_path, "alice"))]) == 0
    add_reports(package, {"extra.json": b"{}"})
    assert not (package / "manifest.json.sig").exists()


@needs_ssh
def test_keys_that_are_none(package: Path, tmp_path: Path, capsys):
    assert main(["package", str(package), "--sign", str(tmp_path / "none")]) == 1
    assert capsys.readouterr().err == (
        f"hotnas: --sign {tmp_path / 'none'}: no such file; make a key: "
        f"ssh-keygen -t ed25519 -f {tmp_path / 'none'}\n"
    )
    (tmp_path / "bad").write_text("no key")
    assert main(["package", str(package), "--sign", str(tmp_path / "bad")]) == 1
    assert capsys.readouterr().err.startswith(
        f"hotnas: --sign {tmp_path / 'bad'}: ssh-keygen cannot sign with it: "
    )
    assert main(["verify", str(package), "--signers", str(tmp_path / "none")]) == 1
    assert capsys.readouterr().err == (
        f"hotnas: --signers {tmp_path / 'none'}: no such file; write lines 'NAME ssh-ed25519 AAAA...'\n"
    )


@pytest.fixture
def simulated(monkeypatch):
    """Simulation that gives the honest certificate of what it is asked to simulate."""

    def simulate(folder: Path, *, images: int) -> flow.Simulated:
        point = flow.load_package(folder)
        return flow.Simulated(honest_certificate(point, folder), None, None, ())

    monkeypatch.setattr(flow, "simulate", simulate)


def test_again_finds_a_forged_certificate(simulated, package: Path, capsys):
    """A certificate of a memory that answers sooner, with a prediction and a manifest that fit."""
    assert main(["verify", str(package), "--again"]) == 0
    assert capsys.readouterr().out.endswith(
        "again: the same files and cycles, generated and simulated from its design\n"
    )
    true = Certificate.from_json(package / "reports/certificate.json")
    false = dataclasses.replace(true, stalled_runs=99, outputs_compared=10_000)
    forged(package, "reports/certificate.json", false.to_json().encode())
    assert main(["verify", str(package)]) == 0
    assert capsys.readouterr().out.endswith(PROVEN)
    assert main(["verify", str(package), "--again"]) == 1
    assert capsys.readouterr().out == (
        f"{package}: is not what its design gives ('hotnas hls' and 'hotnas sim' make it anew):\n"
        "  - certificate: stalled_runs: simulation finds otherwise\n"
        "  - certificate: outputs_compared: simulation finds otherwise\n"
    )


def test_again_finds_files_of_another_design(simulated, package: Path, capsys):
    forged(package, "src/accelerator.cpp", b"int hacked;\n")
    forged(package, "src/more.cpp", b"int more;\n")
    assert main(["verify", str(package), "--again"]) == 1
    assert capsys.readouterr().out.splitlines()[1:] == [
        "  - src/accelerator.cpp: differs from what the design gives",
        "  - src/more.cpp: the design gives no such file",
    ]


def test_again_needs_the_version_that_generated_it(package: Path, capsys):
    record = json.loads((package / "manifest.json").read_text())
    (package / "manifest.json").write_text(json.dumps(record | {"tool_version": "9.0"}))
    assert main(["verify", str(package), "--again"]) == 1
    assert capsys.readouterr().err == (
        f"hotnas: {package}: was generated by hotnas 9.0; this is 0.1.0, which may generate other files: "
        "install that version\n"
    )
