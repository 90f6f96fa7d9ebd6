"""The flow below the design point: a package on disk, simulated, with its certificate beside it.

Nothing here imports torch. What is built (programs, logs) lies outside the package, in ``.build`` next
to it, so that ``hotnas verify`` finds a package as it was generated.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from hotnas_hls.accel.design_point import DESIGN_FILE, DesignPoint
from hotnas_hls.accel.timing.efficiency import multipliers
from hotnas_hls.accel.timing.latency import network_latency
from hotnas_hls.accel.timing.latency_report import record, rows_of
from hotnas_hls.accel.weights_file import WEIGHTS_FILE
from hotnas_hls.base.atomic import replace_files
from hotnas_hls.base.names import file_name_violation
from hotnas_hls.base.records import load_json, to_record
from hotnas_hls.base.writer import sole_writer
from hotnas_hls.codegen.bundle import (
    MANIFEST,
    SIGNATURE,
    Bundle,
    links,
    read_manifest,
    refuse_foreign,
    verify,
    with_files,
)
from hotnas_hls.codegen.engine_package import ENGINES_FILE
from hotnas_hls.codegen.hls import Target, hls_files
from hotnas_hls.codegen.package import add_package
from hotnas_hls.codegen.ports import STRIPED, masters
from hotnas_hls.codegen.render import Banner
from hotnas_hls.codegen.rtl import rtl_files
from hotnas_hls.codegen.testbench import bench_files
from hotnas_hls.errors import ConfigError, OutputRefused, raise_all
from hotnas_hls.simulate.bambu import BambuResult, run_bambu, why_not
from hotnas_hls.simulate.certificate import Certificate, recheck
from hotnas_hls.simulate.certify import LEAST_RUNS, Rtl, certify
from hotnas_hls.simulate.csim import LEAST_IMAGES, CsimResult, run_csim
from hotnas_hls.simulate.hls_schedule import LayerSchedule, hls_schedule
from hotnas_hls.simulate.rtl_simulation import PACKAGE
from hotnas_hls.version import __version__

REPORTS, RTL, BENCH = "reports", "rtl", "sim"
WEIGHTS = "weights/weights.bin"
CERTIFICATE_FILE, LATENCY_FILE, DRAM_FILE = "certificate.json", "latency.json", "dram.json"
TIMING_FILE = "timing.json"  # of hotnas timing
# Of a certificate: they differ where tools do.
JOB_LINE = "\nJOB = 3 "  # of a bench that reads what run_networks writes
OF_THE_MACHINE = ("tool_versions", "hls_synthesis", "clock_estimate")
TRUSTED = (f"{BENCH}/", "weights/")  # what simulation takes for true: changed, it proves nothing
SOURCE_SUFFIXES = (".v", ".sv")
DATA_SUFFIXES = (".dat", ".mem", ".hex")


def generate(point: DesignPoint, output: Path, images: int = LEAST_IMAGES) -> Bundle:
    """Write the package of a design to the folder ``output``; its last part is the package's name."""
    with sole_writer(output, "hotnas hls"):
        refuse_foreign(output)
        bundle = package(point, output.name, images)
        bundle.write(output)
    return bundle


def package(point: DesignPoint, name: str, images: int = LEAST_IMAGES) -> Bundle:
    """Every file of a design's package; the same design gives the same bytes."""
    if problem := file_name_violation(name):
        raise ConfigError(f"package name {problem}")
    bundle = Bundle(name, point.digest())
    banner = Banner(name, point.digest())
    _add(bundle, "", _design_files(point))
    _add(bundle, "", _hls_files(point, banner, images))
    _add(bundle, f"{RTL}/", rtl_files(point.accelerator, len(point.layers), banner, point.clock_mhz))
    _add(bundle, f"{BENCH}/", bench_files(masters(point.accelerator)))
    _add(bundle, f"{REPORTS}/", {LATENCY_FILE: _latency_report(point)})
    add_package(bundle, point)
    return bundle


def _add(bundle: Bundle, folder: str, files: Mapping[str, str | bytes]) -> None:
    for name, contents in files.items():
        bundle.add(f"{folder}{name}", contents)


def _design_files(point: DesignPoint) -> dict[str, str | bytes]:
    files: dict[str, str | bytes] = {DESIGN_FILE: point.to_json()}
    if point.numbers is not None:
        files[WEIGHTS_FILE] = point.weights_bytes()
    return files


def _hls_files(point: DesignPoint, banner: Banner, images: int) -> dict[str, str | bytes]:
    return hls_files(
        point.integer_network(),
        point.accelerator,
        point.tiles,
        images=list(point.golden_images(images)),
        target=Target(point.board.part, 1000 / point.clock_mhz),
        banner=banner,
    )


def _latency_report(point: DesignPoint) -> str:
    layers = [entry.layer for entry in point.layers]
    latency = network_latency(layers, point.accelerator, point.tiles, point.memory)
    rows = rows_of(latency, point.needed_macs(), multipliers(point.accelerator))
    told = record(rows, point.clock_mhz, rule="true", stem=point.stem)  # of the ideal memory
    cycles = point.behind_dram_cycles
    if point.dram is not None and cycles is not None:
        told["behind_dram"] = {"dram": point.dram.name, "cycles": cycles, "ms": point.cycles_to_ms(cycles)}
    return json.dumps(told, indent=2) + "\n"


@dataclass(frozen=True)
class Simulated:
    """What ``simulate`` found."""

    certificate: Certificate
    csim: CsimResult | None  # None where it was left out
    bambu: BambuResult | None  # the same
    changed: tuple[str, ...]  # files of the package that are not as they were generated


def simulate(
    output: Path,
    *,
    images: int = 2,
    csim: bool = True,
    rtl: Path | None = None,
    build: Path | None = None,
    behind: bool = True,
    bambu: bool | None = False,
    stage: Callable[[str], None] = lambda text: None,
) -> Simulated:
    """C simulation and RTL simulation of a package, as it lies on disk; writes the certificate into it.

    rtl: a folder of Verilog to run instead of the package's twin. build: where programs and logs go. behind:
    False leaves the board's DRAM out. bambu: HLS synthesis by Bambu, co-simulated; None: where it is found
    and the array is small.
    Raises SimulationFailed when something does not compile, hangs, or a C output is wrong.
    """
    point = load_package(output)
    changed = tuple(path for path in verify(output) if not path.endswith(": added"))
    build = build or build_folder(output)
    done = None
    scheduled: tuple[LayerSchedule, ...] = ()
    if csim:
        stage("C simulation")
        done = run_csim(output, build=build / "csim")
        stage(f"C simulation: {done.images} images, {done.layers} layers each, bit-exact")
        scheduled = hls_schedule(output, point.memory, build / "schedule")
        cycles = sum(layer.cycles for layer in scheduled)
        stage(f"HLS schedule: {cycles:,} cycles if every loop keeps its II")
    synthesised = None
    reason = why_not(point.accelerator) if bambu is None else None
    if reason is not None:
        stage(f"HLS synthesis by Bambu: {reason}")
    elif bambu is not False:
        stage("HLS synthesis by Bambu, and its co-simulation")
        synthesised = run_bambu(output, build / "bambu", point.accelerator.wgt_masters)
        stage(synthesised.line())
    stage("RTL simulation")
    built = built_rtl(build, rtl)
    certificate = certify(point, built, max(images, LEAST_RUNS), rtl=read_rtl(output, rtl), behind=behind)
    left_out = {"the HLS C++ (--no-csim)": not csim, "the DRAM (--no-dram)": not behind}
    certificate = replace(certificate, unchecked=tuple(what for what, is_out in left_out.items() if is_out))
    spoilt = [path for path in changed if path.startswith(TRUSTED)]
    reasons = (f"{path} since it was generated; it certifies nothing" for path in spoilt)
    certificate = replace(
        certificate,
        holds=certificate.holds and not spoilt,
        reasons=(*certificate.reasons, *reasons),
    )
    if scheduled:
        certificate = replace(certificate, hls_schedule=tuple(layer.cycles for layer in scheduled))
    if synthesised is not None:
        certificate = replace(certificate, hls_synthesis=synthesised.line())
    if (estimated := _clock_estimate(output, point)) is not None:
        certificate = replace(certificate, clock_estimate=estimated)
    if rtl is None:
        add_reports(output, {CERTIFICATE_FILE: certificate.to_json().encode()})
    return Simulated(certificate, done, synthesised, changed)


def _clock_estimate(output: Path, point: DesignPoint) -> str | None:
    """What 'hotnas timing' left in the package of this design, in words."""
    path = output / REPORTS / TIMING_FILE
    found = load_json(path) if path.is_file() else None
    if not isinstance(found, dict) or found.get("design_digest") != point.digest():
        return None
    return str(found["line"]) if "line" in found else None


def recheck_certificate(output: Path) -> tuple[str | None, list[str]]:
    """The package's certificate in one line (None without one), and what of it no longer holds."""
    path = output / REPORTS / CERTIFICATE_FILE
    if not path.is_file():
        return None, []
    certificate = Certificate.from_json(path)
    return certificate.line(), recheck(
        certificate, DesignPoint.load(output / DESIGN_FILE), read_rtl(output).files
    )


def repeat(output: Path) -> list[str]:
    """What of an intact package its own design does not give when generated and simulated again.

    Nothing of the package is run: only its design point is read, and what is generated from it is simulated.
    Raises OutputRefused for a package of another version of hotnas.
    """
    point, manifest = load_package(output), read_manifest(output) or {}
    if manifest["tool_version"] != __version__:
        raise OutputRefused(
            f"{output}: was generated by hotnas {manifest['tool_version']}; this is {__version__}, which may "
            "generate other files: install that version"
        )
    listed = set(manifest["files"])
    images = sum(path.startswith("tb_data/image_") for path in listed)
    fresh = package(point, manifest["name"], max(images, 1))
    found = [
        f"{path}: differs from what the design gives"
        for path in fresh
        if path not in listed or (output / path).read_bytes() != fresh[path]
    ]
    extra = sorted(path for path in listed - set(fresh) if not path.startswith(f"{REPORTS}/"))
    found += [f"{path}: the design gives no such file" for path in extra]
    with tempfile.TemporaryDirectory(prefix="hotnas_again.") as name:
        folder = fresh.write(Path(name) / manifest["name"])
        kept = output / REPORTS / CERTIFICATE_FILE
        told = Certificate.from_json(kept) if kept.is_file() else None
        again = simulate(folder, images=told.images if told else LEAST_RUNS).certificate
    if told is not None:
        ours, theirs = to_record(again), to_record(told)
        parts = [key for key in ours if key not in OF_THE_MACHINE and ours[key] != theirs[key]]
        found += [f"certificate: {key}: simulation finds otherwise" for key in parts]
    elif not again.holds:
        found += [f"simulated again: {reason}" for reason in again.reasons]
    return found


def load_package(output: Path) -> DesignPoint:
    """The design of a package; OutputRefused for a folder that is none, or that leads elsewhere by links."""
    if read_manifest(output) is None:
        raise OutputRefused(f"{output}: not a package of hotnas (no {MANIFEST}); make one: hotnas hls RUN")
    refuse_engines(output)
    refuse_links(output)
    return DesignPoint.load(output / DESIGN_FILE)


def holds_engines(output: Path) -> bool:
    """Whether a folder says that it is the package of several engines."""
    return (output / ENGINES_FILE).is_file()


def refuse_engines(output: Path) -> None:
    """OutputRefused for the package of several engines, which has no design of its own."""
    if holds_engines(output):
        raise OutputRefused(
            f"{output}: holds several engines, which 'hotnas sim' runs together; this is done with a package "
            "of one: hotnas hls RUN"
        )


def refuse_links(output: Path) -> None:
    """OutputRefused for a package in which links lie."""
    raise_all(OutputRefused, f"{output}: a package holds no links; put files there instead:", links(output))


def build_folder(output: Path) -> Path:
    """Where what is built for a package goes: beside it."""
    output = output.resolve()
    return output.parent / ".build" / output.name


def built_rtl(build: Path, given: Path | None) -> Path:
    """Where in the build folder the RTL is compiled: the package's, or that of another folder."""
    return build / ("rtl_given" if given else "rtl")


def read_rtl(output: Path, given: Path | None = None) -> Rtl:
    """The RTL of a package as it lies there, or that of another folder with the same top level."""
    twin = {path.name: path.read_text(encoding="utf-8") for path in sorted((output / RTL).glob("*.sv"))}
    if PACKAGE not in twin:
        raise OutputRefused(f"{output}: {RTL}/{PACKAGE} is missing; make the package again: hotnas hls")
    twin = {PACKAGE: twin.pop(PACKAGE), **twin}
    bench, weights = _read_bench(output), (output / WEIGHTS).read_bytes()
    if given is None:
        return Rtl(twin, bench=bench, weights=weights)
    if STRIPED in twin:
        raise ConfigError(
            f"{given}: the weights of this design are striped, and its bench gives one address of them; "
            "RTL made of C++ wants one a master; simulate a design with wgt_masters = 1 "
            "(accelerator.wgt_masters: [1] in a search)"
        )
    found = sorted(given.rglob("*"))
    sources = {p.name: p.read_text(encoding="utf-8") for p in found if p.suffix in SOURCE_SUFFIXES}
    if not sources:
        raise ConfigError(f"{given}: holds no Verilog; give the folder with hotnas_accel.v and what it uses")
    sources.pop(PACKAGE, None)
    data = {p.name: p.read_bytes() for p in found if p.suffix in DATA_SUFFIXES}
    return Rtl({PACKAGE: twin[PACKAGE], **sources}, f"RTL of {given}", data, bench, weights)


def _read_bench(output: Path) -> dict[str, str]:
    """The bench of a package as it lies there; OutputRefused for one of another hotnas."""
    files = (path for path in (output / BENCH).glob("*") if path.is_file())
    found = {path.name: path.read_text(encoding="utf-8") for path in files}
    missing = [f"{BENCH}/{name}: missing" for name in bench_files() if name not in found]
    if not missing and JOB_LINE not in found["tb_network.py"]:
        missing = [f"{BENCH}/tb_network.py: does not read the jobs of this hotnas"]
    heading = f"{output}: its bench cannot be run; make the package again (hotnas hls):"
    raise_all(OutputRefused, heading, missing)
    return found


def put_reports(design: Path, reports: Mapping[str, bytes]) -> list[Path]:
    """Put reports beside a design: into its package, or into ``reports`` of its run's folder."""
    folder = design if design.is_dir() else design.parent
    if read_manifest(folder) is not None:
        add_reports(folder, reports)
    else:
        with sole_writer(folder, "a report"):
            replace_files(folder / REPORTS, reports)
    return [folder / REPORTS / name for name in reports]


def add_reports(output: Path, reports: Mapping[str, bytes]) -> None:
    """Put reports into a package and into its manifest, which says the same as before of everything else."""
    refuse_links(output)
    with sole_writer(output, "a report"):
        manifest = read_manifest(output)
        replace_files(output / REPORTS, reports)
        listed = manifest and with_files(manifest, {f"{REPORTS}/{name}": reports[name] for name in reports})
        if listed:
            replace_files(output, {MANIFEST: listed.encode()})
            (output / SIGNATURE).unlink(missing_ok=True)  # of the manifest before
