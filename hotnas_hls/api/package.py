"""A generated package as an object: simulated, reported, verified, packed."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hotnas_hls.accel.design_point import DesignPoint
from hotnas_hls.accel.memory.dram_timing import DramTiming, load_dram
from hotnas_hls.accel.timing.memory_timing import LEAST_LATENCY
from hotnas_hls.api.simulation import DramSimulation, Simulation, Sweep
from hotnas_hls.base.arguments import checked
from hotnas_hls.base.pictures import picture
from hotnas_hls.base.writer import sole_writer
from hotnas_hls.codegen.bundle import SIGNATURE, read_manifest, verify
from hotnas_hls.errors import ConfigError, OutputRefused, raise_all
from hotnas_hls.report.run_record import refuse_model
from hotnas_hls.simulate import flow
from hotnas_hls.simulate.certificate import Certificate

if TYPE_CHECKING:
    from hotnas_hls.api.report import Report
    from hotnas_hls.simulate.certify import Rtl
    from hotnas_hls.simulate.waveform import Waveform

SWEEP, DRAM_SWEEP = "sweep", "dram_sweep"  # of reports/*.json, .svg, .png
WAVES = "waves"  # of the build folder


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


@dataclass(frozen=True)
class Package:
    """A package's folder: HLS C++, RTL, benches, drivers, scripts, reports."""

    folder: Path

    @property
    def reports(self) -> Path:
        """The folder of its reports."""
        return self.folder / flow.REPORTS

    @property
    def signature(self) -> Path:
        """Where a signature of it lies, once it is signed."""
        return self.folder.resolve() / SIGNATURE

    @property
    def figures(self) -> tuple[int, int, int]:
        """Files it lists, lines of those that are text, bytes of all."""
        manifest = read_manifest(self.folder) or {"files": {}}
        texts = [(self.folder / path).read_bytes() for path in manifest["files"]]
        lines = sum(data.count(b"\n") for data in texts if b"\0" not in data)
        return len(texts), lines, sum(map(len, texts))

    @checked
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
        bambu: synthesise the C++ by Bambu too; None where it is found, the array small and the RTL its own.
        rtl: a folder of other RTL with the same top level. build: where programs and logs go (beside).
        stage: hears what begins.

        Raises SimulationFailed where something does not build, hangs, or a C output is wrong; ToolNotFound
        with what to install; OutputRefused where the folder is no package or another process works in it.
        """
        if images < 1:
            raise ConfigError(f"{images} images: give at least one")
        refuse_model(self.folder)
        with self._at_work(rtl, build) as (place, given):
            done = flow.simulate(
                self.folder,
                images=images,
                csim=csim,
                rtl=given,
                build=place,
                behind=behind_dram,
                bambu=False if given is not None and bambu is None else bambu,
                stage=stage,
            )
        path = self.reports / flow.CERTIFICATE_FILE if given is None else None
        return Simulation(done.certificate, done.changed, path)

    @checked
    def simulate_dram(
        self, dram: str | DramTiming, *, rtl: str | Path | None = None, build: str | Path | None = None
    ) -> DramSimulation:
        """Simulate one image behind another DRAM; the package keeps reports/dram.json.

        dram: by name, by its board, or the path of a YAML file. rtl, build and what is raised: as of
        :meth:`simulate`. It says what this DRAM would cost; the certificate's stays that of the board.
        """
        from hotnas_hls.simulate.dram_check import check_dram

        behind = load_dram(dram) if isinstance(dram, str) else dram
        with self._at_work(rtl, build) as (place, given):
            point, source, built = self._to_simulate(place, given)
            check = check_dram(point, behind, source, built)
            flow.add_reports(self.folder, {flow.DRAM_FILE: check.to_json().encode()})
        return DramSimulation(check, source.is_twin, self.reports / flow.DRAM_FILE)

    @checked
    def sweep(
        self,
        latencies: Sequence[int] | None = None,
        *,
        dram: str | DramTiming | None = None,
        rtl: str | Path | None = None,
        build: str | Path | None = None,
    ) -> Sweep:
        """Simulate one image for every read latency of the memory; the package keeps record and pictures.

        latencies: cycles from a read's address to its first data; None for 5 to 250. dram: sweep the idle
        read latency of this DRAM instead, and its bandwidth. rtl, build, what is raised: as of
        :meth:`simulate`; ConfigError for latencies that no memory has.
        """
        from hotnas_hls.simulate import sweep

        if latencies is not None and (not latencies or min(latencies) < LEAST_LATENCY):
            told = ",".join(map(str, latencies))
            raise ConfigError(f"latencies {told}: give cycles, at least {LEAST_LATENCY} each, e.g. 10,40,160")
        behind = load_dram(dram) if isinstance(dram, str) else dram
        with self._at_work(rtl, build) as (place, given):
            point, source, built = self._to_simulate(place, given)
            if behind is None:
                swept = sweep.sweep(point, source, built, latencies or sweep.READ_LATENCIES)
                found = Sweep(point, None, tuple(swept), (), self._swept(SWEEP))
            else:
                asked = latencies or sweep.DRAM_LATENCIES
                nearer, wider = sweep.sweep_dram(point, behind, source, built, asked)
                found = Sweep(point, behind, tuple(nearer), tuple(wider), self._swept(DRAM_SWEEP))
            text, chart = json.dumps(found.record(), indent=2) + "\n", found.figure()
            contents = (text.encode(), picture(chart, "svg"), picture(chart, "png"))
            names = (path.name for path in found.paths)
            flow.add_reports(self.folder, dict(zip(names, contents, strict=True)))
        return found

    @checked
    def waveform(self, layer: str, path: str | Path, *, build: str | Path | None = None) -> Waveform:
        """Record a layer of its RTL in the run that is certified; a view for GTKWave lies beside the file.

        layer: by name. path: of the file, .fst or .vcd. build: where programs and logs go. Raises ConfigError
        for a layer that is not there or a path that cannot be written; otherwise as :meth:`simulate`.
        """
        from hotnas_hls.simulate import waveform

        self._require()
        point = flow.load_package(self.folder)
        raise_all(ConfigError, "No waveform:", waveform.violations(point, layer, Path(path)))
        with self._at_work(None, build) as (place, _):
            rtl = flow.read_rtl(self.folder)
            return waveform.record(point, layer, Path(path), rtl, place / WAVES)

    def _swept(self, name: str) -> tuple[Path, ...]:
        return tuple(self.reports / f"{name}.{kind}" for kind in ("json", "svg", "png"))

    @contextlib.contextmanager
    def _at_work(
        self, rtl: str | Path | None, build: str | Path | None
    ) -> Iterator[tuple[Path, Path | None]]:
        """The build folder and the other RTL, while no other process works in the package."""
        self._require()
        place = Path(build) if build is not None else flow.build_folder(self.folder)
        given = None if rtl is None else Path(rtl)
        if given is not None and not given.is_dir():
            raise ConfigError(f"{given}: no such folder; give the one HLS wrote, solution/syn/verilog")
        with sole_writer(self.folder, "hotnas sim"), sole_writer(place, "hotnas sim"):
            yield place, given

    def _to_simulate(self, place: Path, given: Path | None) -> tuple[DesignPoint, Rtl, Path]:
        """The design, the RTL, and where it is built: where :meth:`simulate` has."""
        return (
            flow.load_package(self.folder),
            flow.read_rtl(self.folder, given),
            flow.built_rtl(place, given),
        )

    def certificate(self) -> Certificate | None:
        """The certificate that lies in the package; None before it was simulated."""
        path = self.reports / flow.CERTIFICATE_FILE
        return Certificate.from_json(path) if path.is_file() else None

    @checked
    def report(self, *, run: str | Path | None = None, output: str | Path | None = None) -> Report:
        """Write its report (a page, Markdown, JSON); see :func:`~hotnas_hls.write_report`."""
        from hotnas_hls.api.report import write_report

        return write_report(self.folder, run=run, output=output)

    @checked
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

    @checked
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


@checked
def load_package(folder: str | Path) -> Package:
    """A package on disk; OutputRefused for a folder that is none."""
    refuse_model(Path(folder))
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
