"""What the files of a package, and of the run that led to it, say of a design."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from hotnas_hls.accel.design_point import DESIGN_FILE, DesignPoint
from hotnas_hls.accel.encoding.images import MemoryMap, feature_map_bytes, map_memory
from hotnas_hls.accel.layer import Layer, LayerKind
from hotnas_hls.accel.plan import layer_beats, plan_layer
from hotnas_hls.accel.resources import accelerator_resources
from hotnas_hls.accel.timing.efficiency import efficiency, multipliers
from hotnas_hls.accel.timing.latency import network_latency
from hotnas_hls.accel.traffic import layer_bytes
from hotnas_hls.base.records import load_json, read_record
from hotnas_hls.errors import ConfigError, raise_all
from hotnas_hls.implementation.vendor_reports import VendorReports
from hotnas_hls.report.data import (
    REPORTS,
    ClockEstimate,
    LayerReport,
    Placement,
    Region,
    ReportData,
    ResourceReport,
    SweepPoint,
)
from hotnas_hls.report.measured import PlaceFile, SweepFile, SynthFile, TimingFile, measured
from hotnas_hls.report.run_record import SUMMARY_FILE, RunRecord, read_run
from hotnas_hls.simulate.certificate import Certificate, LayerCheck
from hotnas_hls.simulate.dram_check import DramCheck

CERTIFICATE_FILE, VENDOR_FILE = "certificate.json", "vendor_reports.json"
SYNTH_FILE, PLACE_FILE, TIMING_FILE = "synth.json", "place.json", "timing.json"
SWEEP_FILE, DRAM_FILE = "sweep.json", "dram.json"
RESOURCES = {
    "dsp": "DSP",
    "bram18": "BRAM18",
    "uram": "URAM",
    "lut": "LUT",
    "ff": "FF",
    "port_bits": "port bits",
}


def assemble(folder: Path, run: Path | None = None) -> ReportData:
    """What the files in a package (or the folder of a design point) and in a run folder say.

    run: the folder of the search; by default the one the design's configuration names, if it still holds
    this design.
    """
    point = DesignPoint.load(folder)
    notes: list[str] = []
    certificate = _certificate(folder, point, notes)
    record = read_run(found) if (found := _run_folder(folder, run, point, notes)) else None
    vendor = _vendor(folder / REPORTS / VENDOR_FILE, point, notes)
    return ReportData(
        name=folder.resolve().name if folder.is_dir() else point.network,
        point=point,
        layers=tuple(_layers(point, certificate, record, vendor)),
        resources=tuple(_resources(point, vendor, folder, notes)),
        regions=tuple(_regions(point)),
        certificate=certificate,
        vendor=vendor,
        run=record,
        sweep=_sweep(folder, point, notes),
        placement=_placement(folder, point, notes),
        clock_estimate=_clock_estimate(folder, point, notes),
        dram=_dram(folder, point),
        notes=tuple(notes),
    )


def _certificate(folder: Path, point: DesignPoint, notes: list[str]) -> Certificate | None:
    path = folder / REPORTS / CERTIFICATE_FILE
    if not path.is_file():
        return None
    certificate = Certificate.from_json(path)
    if certificate.design_digest != point.digest():
        notes.append(f"{REPORTS}/{CERTIFICATE_FILE} speaks of another design; run 'hotnas sim' again")
        return None
    return certificate


def _run_folder(folder: Path, given: Path | None, point: DesignPoint, notes: list[str]) -> Path | None:
    """Where the search that led to ``point`` left its record; the folder itself may be it."""
    if given is not None and not given.is_dir():
        raise ConfigError(f"--run {given}: no such folder; give the one that 'hotnas search' wrote")
    named = point.config.get("output")
    if given is None and (folder / SUMMARY_FILE).is_file():
        return folder
    place = given or (Path(named) if isinstance(named, str) else None)
    if place is None or not (place / DESIGN_FILE).is_file():
        if given is not None:
            raise ConfigError(f"--run {given}: no {DESIGN_FILE} in it; give the folder of a finished search")
        if place is not None:
            notes.append(
                f"the search is not in {place}, which the design names; --run FOLDER says where it is"
            )
        return None
    if _digest(place) == point.digest():
        return place
    if given is not None:
        raise ConfigError(f"--run {given}: that search found another design; give this one's run, or none")
    notes.append(f"the run in {place} found another design, so nothing of it is shown")
    return None


def _digest(folder: Path) -> str | None:
    """Digest of the design in a folder, ``None`` when it cannot be read."""
    try:
        return DesignPoint.load(folder).digest()
    except ConfigError:
        return None


def _layers(
    point: DesignPoint, certificate: Certificate | None, run: RunRecord | None, vendor: VendorReports | None
) -> list[LayerReport]:
    accel, bound = point.accelerator, point.latency_bound_cycles
    latencies = network_latency([e.layer for e in point.layers], accel, point.tiles, point.memory)
    macs = point.needed_macs()
    checks: dict[str, LayerCheck] = {c.name: c for c in certificate.layers} if certificate else {}
    behind: dict[str, int] = {}
    bounds: dict[str, int | None]
    if certificate is None:
        behind = point.behind_dram.layers if point.behind_dram else {}
        cycles = behind or {name: latency.cycles for name, latency in latencies.layers.items()}
        total = sum(cycles.values())
        bounds = {name: None if bound is None else bound * one // total for name, one in cycles.items()}
    else:
        bounds = dict(zip(checks, certificate.layer_bounds(), strict=True))
        if certificate.behind is not None:
            behind = {layer.name: layer.simulated for layer in certificate.behind.layers}
    cut = (run.channels if run else None) or {}
    widths = (run.channels_before if run else None) or {}
    cosim = _cosim_cycles(point, vendor)
    tested = vendor.board.layer_cycles() if vendor and vendor.board else {}
    found = []
    for entry in point.layers:
        layer, check = entry.layer, checks.get(entry.layer.name)
        latency = latencies.layers[layer.name]
        weighted = layer.kind is not LayerKind.MAXPOOL
        found.append(
            LayerReport(
                name=layer.name,
                kind=_kind(layer),
                shape=f"{layer.n}×{layer.in_rows}×{layer.in_columns} → "
                f"{layer.m}×{layer.out_rows}×{layer.out_columns}",
                kernel=f"{layer.kernel_rows}×{layer.kernel_columns}"
                + _strides(layer),
                pattern_ones=layer.pattern_ones,
                kernel_positions=layer.kernel_rows * layer.kernel_columns,
                channels_cut_to=cut.get(layer.name),
                channels_before=widths.get(layer.name) if layer.name in cut else None,
                expanded=layer.name in run.expanded if run and run.expanded is not None else None,
                skip_cut=run is not None and layer.name in run.skips_cut,
                weight_bits=layer.weight_bits if weighted else None,
                narrowed=_narrowed(layer, point, run),
                macs=macs[layer.name],
                dsp_efficiency=efficiency(macs[layer.name], latency.cycles, multipliers(accel)),
                traffic_bytes=sum(layer_bytes(layer, accel, point.tiles[layer.name]).values()),
                bound=bounds[layer.name],
                predicted=latency,
                simulated=check.simulated if check else None,
                behind=behind.get(layer.name),
                cosim=cosim.get(layer.name),
                board=tested.get(layer.name),
                outputs_match=check.outputs_match if check else None,
            )
        )
    return found


def _cosim_cycles(point: DesignPoint, vendor: VendorReports | None) -> dict[str, int]:
    """Cycles of each layer's first transaction; empty where transactions were not layers.

    ``scripts/run_hls.tcl`` starts the testbench with --per-layer: all layers of an image, image after image,
    the first image twice.
    """
    cosim = vendor.cosim if vendor else None
    transactions = (cosim.transactions if cosim else None) or ()
    images, rest = divmod(len(transactions), len(point.layers))
    if rest or images < 2:
        return {}
    return {entry.layer.name: cycles for entry, cycles in zip(point.layers, transactions, strict=False)}


def _narrowed(layer: Layer, point: DesignPoint, run: RunRecord | None) -> bool:
    """By the run's record; without one, fewer bits than the configuration (or the design) usually has."""
    if run is not None and run.weight_bits is not None:
        return layer.name in run.weight_bits
    told = point.configured("quantisation", "weight_bits")
    usual = told if isinstance(told, int) else point.accelerator.weight_bits
    return layer.kind is LayerKind.CONV and layer.weight_bits < usual


def _strides(layer: Layer) -> str:
    down, across = layer.strides
    if down == across:
        return f" /{across}" if across > 1 else ""
    return f" /{down}×{across}"


def _kind(layer: Layer) -> str:
    whole_map = (layer.kernel_rows, layer.kernel_columns) == (layer.in_rows, layer.in_columns)
    if layer.kind is LayerKind.CONV and whole_map:
        return "fully connected"
    residual = (" x map" if layer.residual_multiplies else " + residual") if layer.residual else ""
    return {"conv": "conv", "depthwise": "channelwise", "maxpool": "max pool"}[str(layer.kind)] + residual


def _placement(folder: Path, point: DesignPoint, notes: list[str]) -> Placement | None:
    found = measured(PlaceFile, folder, PLACE_FILE, "hotnas synth", point, notes)
    if found is None:
        return None
    return Placement(
        found.device,
        found.fmax_mhz,
        {kind: (amount.used, amount.available) for kind, amount in found.used.items()},
        f"{found.slowest_path['from']} → {found.slowest_path['to']}",
    )


def _clock_estimate(folder: Path, point: DesignPoint, notes: list[str]) -> ClockEstimate | None:
    found = measured(TimingFile, folder, TIMING_FILE, "hotnas timing", point, notes)
    if found is None:
        return None
    worst = found.paths[0]
    return ClockEstimate(
        found.part, found.fmax_mhz, found.low_mhz, found.high_mhz, f"{worst.start.name} → {worst.end.name}"
    )


def _resources(
    point: DesignPoint, vendor: VendorReports | None, folder: Path, notes: list[str]
) -> list[ResourceReport]:
    model = accelerator_resources(point.accelerator, len(point.layers))
    csynth = vendor.csynth.resources if vendor and vendor.csynth else None
    placed = vendor.implementation.resources if vendor and vendor.implementation else None
    counted = measured(SynthFile, folder, SYNTH_FILE, "hotnas synth", point, notes)
    totals = {} if counted is None else counted.total
    return [
        ResourceReport(
            name=name,
            model=getattr(model, field),
            available=getattr(point.board, field),
            yosys=totals[field].yosys if field in totals else None,
            csynth=getattr(csynth, field, None),
            implementation=getattr(placed, field, None),
        )
        for field, name in RESOURCES.items()
    ]


def _regions(point: DesignPoint) -> list[Region]:
    net, accel = point.integer_network(), point.accelerator
    memory: MemoryMap = map_memory(net, accel, point.tiles)
    found = [Region("wgt", "layer descriptors", 0, len(net.layers) * accel.descriptor_bytes)]
    for layer in net.layers:
        plan = plan_layer(layer, accel, point.tiles[layer.name])
        size = layer_beats(plan, layer) * accel.plane_width // 8
        found.append(Region("wgt", layer.name, memory.weights[layer.name], size))
    for fm in net.feature_maps.values():
        offset = memory.feature_maps[fm.name]
        found.append(Region("ifm/ofm", fm.name, offset, feature_map_bytes(fm, accel), fm.concat_of))
    return found


def _vendor(path: Path, point: DesignPoint, notes: list[str]) -> VendorReports | None:
    """What was imported; a self-test only if it ran this design."""
    if not path.is_file():
        return None
    record = load_json(path)
    if not isinstance(record, dict) or record.get("format") != "hotnas-vendor-reports":
        raise ConfigError(f"{path}: not imported reports; run 'hotnas import-reports' again")
    problems: list[str] = []
    values = {name: value for name, value in record.items() if name not in ("format", "format_version")}
    reports = read_record(VendorReports, values, "", problems)
    raise_all(ConfigError, f"{path}: not imported reports:", problems)
    if reports.board is not None and reports.board.design_digest != point.digest():
        notes.append(
            f"the self-test in {REPORTS}/{VENDOR_FILE} ran another design; run this package's on the board"
        )
        reports = replace(reports, board=None)
    return reports


def _dram(folder: Path, point: DesignPoint) -> DramCheck | None:
    path = folder / REPORTS / DRAM_FILE
    check = DramCheck.from_json(path) if path.is_file() else None
    return check if check is not None and check.design_digest == point.digest() else None


def _sweep(folder: Path, point: DesignPoint, notes: list[str]) -> tuple[SweepPoint, ...] | None:
    found = measured(SweepFile, folder, SWEEP_FILE, "hotnas sim --sweep", point, notes)
    return None if found is None else found.points
