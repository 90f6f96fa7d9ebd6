"""A generated package as an object: simulated, reported, verified, packed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hotnas_hls.base.notebook import Shown
from hotnas_hls.base.writer import sole_writer
from hotnas_hls.codegen.bundle import read_manifest, verify
from hotnas_hls.errors import ConfigError, OutputRefused
from hotnas_hls.simulate import flow
from hotnas_hls.simulate.certificate import Certificate

if TYPE_CHECKING:
    from rich.table import Table

    from hotnas_hls.api.report import Report


@dataclass(frozen=True)
class Verdict:
    """What of a package is not as it should be, and what is."""

    differences: tuple[str, ...]  # what was changed, lost or added, or what simulation finds otherwise
    headline: str  # in words; with differences, what to do about them
    proven: tuple[str, ...] = ()  # lines of what holds
    beside: tuple[str, ...] = ()  # what lies in the folder and is no part of the package

    @property
    def holds(self) -> bool:
        """Whether nothing differs."""
        return not self.differences


@dataclass(frozen=True, eq=False, repr=False)
class Simulation(Shown):
    """A package simulated: its certificate, and what was changed in it before."""

    certificate: Certificate
    changed: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Whether every output and every cycle is as predicted, and the whole within its bound."""
        return self.certificate.holds

    def tables(self) -> Sequence[Table]:
        """A line a layer."""
        from hotnas_hls.simulate.tables import certificate_table

        return (certificate_table(self.certificate),)

    def notes(self) -> list[str]:
        """What was changed, why it does not hold, the verdict."""
        changed = [f"not as it was generated: {path}" for path in self.changed]
        return [*changed, *self.certificate.reasons, self.certificate.line()]


@dataclass(frozen=True)
class Package:
    """A package's folder: HLS C++, RTL, benches, drivers, scripts, reports."""

    folder: Path

    @property
    def figures(self) -> tuple[int, int, int]:
        """Files it lists, lines of those that are text, bytes of all."""
        manifest = read_manifest(self.folder) or {"files": {}}
        texts = [(self.folder / path).read_bytes() for path in manifest["files"]]
        lines = sum(data.count(b"\n") for data in texts if b"\0" not in data)
        return len(texts), lines, sum(map(len, texts))

    def simulate(
        self,
        *,
        images: int = 2,
        csim: bool = True,
        behind_dram: bool = True,
        bambu: bool | None = False,
        rtl: str | Path | None = None,
        build: str | Path | None = None,
        stage: Callable[[str], None] = lambda text: None,
    ) -> Simulation:
        """Simulate the C++ (g++) and the RTL (Verilator, cocotb); the package keeps the certificate.

        images: on the RTL, back to back. csim: False leaves the C simulation out.
        behind_dram: False certifies with an ideal memory.
        bambu: synthesise the C++ by Bambu too; None where it is found and the array is small.
        rtl: a folder of other RTL with the same top level. build: where programs and logs go (beside).
        stage: hears what begins.

        Raises SimulationFailed where something does not build, hangs, or a C output is wrong; ToolNotFound
        with what to install; OutputRefused where the folder is no package or another process works in it.
        """
        if images < 1:
            raise ConfigError(f"{images} images: give at least one")
        self._require()
        place = Path(build) if build is not None else flow.build_folder(self.folder)
        given = None if rtl is None else Path(rtl)
        if given is not None and not given.is_dir():
            raise ConfigError(f"{given}: no such folder; give the one HLS wrote, solution/syn/verilog")
        with sole_writer(self.folder, "hotnas sim"), sole_writer(place, "hotnas sim"):
            done = flow.simulate(
                self.folder,
                images=images,
                csim=csim,
                rtl=given,
                build=place,
                behind=behind_dram,
                bambu=bambu,
                stage=stage,
            )
        return Simulation(done.certificate, done.changed)

    def certificate(self) -> Certificate | None:
        """The certificate that lies in the package; None before it was simulated."""
        path = self.folder / flow.REPORTS / flow.CERTIFICATE_FILE
        return Certificate.from_json(path) if path.is_file() else None

    def report(self, *, run: str | Path | None = None, output: str | Path | None = None) -> Report:
        """Write its report (a page, Markdown, JSON); see :func:`~hotnas_hls.write_report`."""
        from hotnas_hls.api.report import write_report

        return write_report(self.folder, run=run, output=output)

    def verify(self, *, signers: str | Path | None = None, again: bool = False) -> Verdict:
        """Whether every file is as it was generated, and the certificate one of this design and model.

        signers: a file with a line (name, OpenSSH key) for everyone whose signature counts. again: generate
        and simulate it again from its design, and compare; nothing of the package is run.
        """
        folder = self.folder
        self._require()
        manifest = read_manifest(folder)
        differences, beside = _without_outputs(verify(folder), manifest)
        if manifest is None or differences:
            return Verdict(tuple(differences), "not as it was generated ('hotnas hls' makes it again)")
        signed_by = None
        if signers is not None:
            from hotnas_hls.codegen.signature import signer

            signed_by = signer(folder, Path(signers))
        certificate, doubts = flow.recheck_certificate(folder)
        if doubts:
            return Verdict(
                tuple(doubts), "its certificate is not to be trusted ('hotnas sim' makes a new one)"
            )
        if again and (wrong := flow.repeat(folder)):
            said = "is not what its design gives ('hotnas hls' and 'hotnas sim' make it anew)"
            return Verdict(tuple(wrong), said)
        proven = [f"bundle {manifest['bundle_digest']}"]
        if manifest["design_digest"]:
            proven.append(f"design {manifest['design_digest']}")
        if certificate:
            proven.append(f"certificate {certificate}")
        if signed_by is not None:
            proven.append(f"signed by {signed_by}")
        if again:
            proven.append("again: the same files and cycles, generated and simulated from its design")
        if signed_by is None and not again:
            proven.append(
                "proven: the files fit together; not by whom (--signers), nor that they are right (--again)"
            )
        count, version = len(manifest["files"]), manifest["tool_version"]
        headline = f"{count} files, all as generated by hotnas {version}"
        return Verdict((), headline, tuple(proven), tuple(beside))

    def archive(self, target: str | Path | None = None, *, sign: str | Path | None = None) -> Path:
        """Pack it into one file (default: FOLDER.tar.gz beside it); the same design gives the same bytes.

        sign: an OpenSSH key that signs it first. Raises OutputRefused where files were changed.
        """
        from hotnas_hls.codegen.package import archive, refuse_changed
        from hotnas_hls.codegen.signature import sign as sign_folder

        self._require()
        folder = self.folder.resolve()
        place = Path(target) if target is not None else folder.with_name(f"{folder.name}.tar.gz")
        if sign is not None:
            with sole_writer(folder, "hotnas package"):
                refuse_changed(folder)
                sign_folder(folder, Path(sign))
        with sole_writer(folder, "hotnas package", reading=True), sole_writer(place, "hotnas package"):
            return archive(folder, place)

    def _require(self) -> None:
        """OutputRefused where there is no such folder."""
        if not self.folder.is_dir():
            raise OutputRefused(f"{self.folder}: no such folder; 'hotnas hls' makes one")


def load_package(folder: str | Path) -> Package:
    """A package on disk; OutputRefused for a folder that is none."""
    flow.load_package(Path(folder))
    return Package(Path(folder))


def _without_outputs(
    differences: list[str], manifest: Mapping[str, Any] | None
) -> tuple[list[str], list[str]]:
    """Differences less files added outside the package's own folders, and where those lie (top level)."""
    own = {path.split("/")[0] for path in (manifest or {}).get("files", ()) if "/" in path}
    outside = {}
    for line in differences:
        place = line.removesuffix(": added").split("/")[0]
        if manifest and line.endswith(": added") and place not in own:
            outside[line] = place
    return [line for line in differences if line not in outside], sorted(set(outside.values()))
