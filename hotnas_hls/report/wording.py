"""How figures are written in every form of the report; what is unknown says so."""

from __future__ import annotations

import math
from collections.abc import Mapping

from hotnas_hls.accel.accelerator import Accelerator
from hotnas_hls.report.data import CYCLE_CHECK, LABELS, ReportData
from hotnas_hls.simulate.certificate import TWIN, Certificate

UNKNOWN = "unknown"
MOST_REMEDIES = 3  # that the reasons name


def number(value: float | None, unit: str = "") -> str:
    """A count with separators, e.g. ``6,557 cycles``."""
    if value is None:
        return UNKNOWN
    return f"{value:,.0f} {unit}".strip()


def ms(value: float | None) -> str:
    """Milliseconds with four digits."""
    return UNKNOWN if value is None else f"{value:.4g} ms"


def decimals(value: float) -> int:
    """Digits after the point in four of ``value``: what a column keeps whose largest it is."""
    return max(0, 3 - math.floor(math.log10(value)))


def percent(value: float | None, digits: int = 1) -> str:
    """A share in percent."""
    return UNKNOWN if value is None else f"{100 * value:.{digits}f} %"


def signed(value: int | None) -> str:
    """A difference; 0 stays 0."""
    return UNKNOWN if value is None else f"{value:+,}".replace("-", "−") if value else "0"


def size(count: int) -> str:
    """Bytes in a unit one can read."""
    for unit, scale in (("MiB", 1 << 20), ("KiB", 1 << 10)):
        if count >= scale:
            return f"{count / scale:.4g} {unit}"
    return f"{count} B"


def power(value: float) -> str:
    """Large counts as ``3.5 × 10¹⁷``."""
    if value < 1e6:
        return number(value)
    mantissa, exponent = f"{value:.1e}".split("e+")
    return f"{mantissa} × 10{str(int(exponent)).translate(str.maketrans('0123456789', '⁰¹²³⁴⁵⁶⁷⁸⁹'))}"


def loss(
    asked: float | None, accuracies: Mapping[str, tuple[float | None, float | None]], measure: str
) -> str:
    """A sentence where more is lost than ``asked``, empty otherwise, and where it is not known.

    accuracies: before and after, by the images they were measured on; measure: what they are called.
    """
    if asked is None:
        return ""
    more = [
        f"{before - after:.2%} of {images} {measure}"
        for images, (before, after) in accuracies.items()
        if before is not None and after is not None and before - after > asked + 1e-9
    ]
    return f"LOSES {' and '.join(more)}, more than accuracy_drop ({asked:.2%})" if more else ""


def design_loss(data: ReportData) -> str:
    """``loss`` of a design, by what its search was allowed."""
    accuracies = {"test": (data.point.accuracy.baseline, data.point.accuracy.final)}
    if data.run is not None:
        accuracies = {"validation": (data.run.validation_before, data.run.validation_after)} | accuracies
    asked = data.point.configured("search", "accuracy_drop")
    return loss(asked if isinstance(asked, float) else None, accuracies, data.point.accuracy.measure)


def against(latency_ms: float, before_ms: float | None) -> float | None:
    """Latency after - before, as a share of before: negative is faster."""
    return None if before_ms is None else latency_ms / before_ms - 1


def change(share: float | None) -> str:
    """``−29.5 %``, with a real minus sign."""
    return UNKNOWN if share is None else f"{100 * share:+.1f} %".replace("-", "−")


def _ports(accel: Accelerator) -> str:
    if accel.shared_bus:
        return f"one port of {accel.ofm_bits} bits for all reads, and for writes"
    return f"ports {accel.ports_text} bits (ifm/wgt/ofm)"


def accelerator_line(data: ReportData) -> str:
    """The engine in a few words."""
    accel = data.point.accelerator
    packed = ", two in a DSP slice" if accel.dsp_packing else ""
    packed += f", those of {accel.fabric_rows} rows in LUTs" if accel.fabric_rows else ""
    return (
        f"{accel.tm} × {accel.tn} multipliers{packed}, {accel.td} lanes × {accel.taps} taps, "
        f"tiles of {accel.tr} × {accel.tc}, {_ports(accel)}, "
        f"{accel.act_bits}-bit activations"
    )


def placement(data: ReportData) -> str:
    """The open place and route in one sentence."""
    placed = data.placement
    if placed is None:
        return UNKNOWN
    lut, lut_there = placed.used["lut"]
    return (
        f"{placed.fmax_mhz:.1f} MHz on a {placed.device} (Lattice ECP5 by Yosys and nextpnr, not the board's "
        f"part), {number(lut)} of its {number(lut_there)} LUT4, slowest path {placed.slowest_path}"
    )


def clock_estimate(data: ReportData) -> str:
    """What is known of the clock in one sentence: the vendor's routed figure, else the estimate."""
    clock, found = data.point.clock_mhz, data.clock_estimate
    placed = data.vendor.implementation if data.vendor else None
    if placed is not None and placed.fmax_mhz is not None:
        state = placed.state or "state unknown"
        return f"{placed.fmax_mhz:g} MHz by Vivado ({state}) for a clock of {clock:g} MHz"
    if found is None:
        return UNKNOWN
    verdict = "within it" if clock <= found.fmax_mhz else "above it"
    return (
        f"{found.fmax_mhz:.0f} MHz, {found.low_mhz:.0f} to {found.high_mhz:.0f}, on {found.part}; the clock "
        f"of {clock:g} MHz is {verdict}; slowest path {found.slowest_path} (an estimate before placement, "
        "not Vivado's)"
    )


def verdict(data: ReportData) -> tuple[str, str]:
    """The certificate in three words, and whether that is good, bad or unknown."""
    if data.certificate is None:
        return "not simulated yet", UNKNOWN
    if data.certificate.holds:
        return "certificate holds", "good"
    return "certificate does not hold", "bad"


def cycle_check(data: ReportData) -> str:
    """What the cycle check found, and against what."""
    certificate = data.certificate
    if certificate is None:
        return "No simulation of this design is recorded; run 'hotnas sim' on its package."
    gap = certificate.simulated_cycles - certificate.predicted_cycles
    runs = certificate.images + certificate.stalled_runs + (certificate.behind is not None)
    against = (
        CYCLE_CHECK if certificate.simulated_rtl in CYCLE_CHECK else f"against {certificate.simulated_rtl}"
    )
    return (
        f"{_certified(certificate)}With an ideal memory, which answers a read after "
        f"{certificate.memory.read_latency} cycles: {number(certificate.predicted_cycles)} cycles predicted, "
        f"{number(certificate.simulated_cycles)} simulated, difference {signed(gap)}; the {against}. "
        f"{number(certificate.outputs_compared)} feature maps of "
        f"{runs} runs ({certificate.stalled_runs} under random stalls) "
        + (
            "equal the integer reference bit for bit."
            if certificate.outputs_match
            else "were compared: NOT all equal."
        )
        + (f" {certificate.hls_synthesis}." if certificate.hls_synthesis else "")
    )


def _certified(certificate: Certificate) -> str:
    """What is certified behind the board's DRAM, and how far it could be off."""
    behind = certificate.behind
    if behind is None:
        return "Nothing is certified behind a DRAM: it was left out. "
    reach = ""
    if certificate.range_ms is not None:
        fast, slow = certificate.range_ms
        reach = f"; {ms(fast)} to {ms(slow)} over what is assumed of the DRAM, certified is the usual"
    return (
        f"Certified: {number(behind.simulated_cycles)} cycles, "
        f"{ms(certificate.ms(behind.simulated_cycles))}, behind {behind.dram.name} at the worst of "
        f"{len(behind.phases)} phases of its refresh ({number(behind.predicted_cycles)} predicted){reach}. "
    )


def reasons(data: ReportData) -> list[str]:
    """What was chosen and why, a sentence each, from what the files record."""
    point, run = data.point, data.run
    found = []
    if run is not None and run.trials is not None:
        space = "" if run.space_size is None else f" of {power(run.space_size)} possible ones"
        trained = "" if run.trained is None else f", {run.trained} trained"
        refused = (
            "" if run.refused is None else f", {run.refused} refused by the hardware test before training"
        )
        strategy = point.configured("search", "strategy")
        by = f" by {strategy}" if strategy else ""
        found.append(f"The search{by} looked at {run.trials} candidates{space}{trained}{refused}.")
        if point.latency_bound_ms is not None:
            found.append(
                f"Chosen: the most accurate candidate that meets {ms(point.latency_bound_ms)} and every "
                f"resource of the {point.board.name}, then fine-tuned; of those that validation cannot tell "
                "apart, the one whose answers differ least from the pre-trained network's."
            )
        else:
            found.append(
                "Chosen: the fastest candidate that loses no more validation accuracy than the configuration "
                "allows, then fine-tuned."
            )
    found += on_chip(data)
    treated = [layer for layer in data.layers if layer.treatment]
    if treated:
        kinds = {
            "pattern pruned": sum(layer.pattern_ones is not None for layer in treated),
            "with fewer channels": sum(layer.channels_cut_to is not None for layer in treated),
            "with a larger kernel": sum(bool(layer.expanded) for layer in treated),
            "without its skip connection": sum(layer.skip_cut for layer in treated),
            "with narrower weights": sum(layer.narrowed for layer in treated),
        }
        said = ", ".join(f"{count} {what}" for what, count in kinds.items() if count)
        found.append(f"{len(treated)} of {len(data.layers)} layers changed: {said}.")
    else:
        found.append(
            "No layer is pattern pruned or has narrower weights."
            if run is None
            else "No layer was compressed."
        )
    parts = [
        f"{count} {'layer' if count == 1 else 'layers'} by {LABELS[label]} ({share:.0%} of the time)"
        for label, (count, share) in data.bottlenecks.items()
    ]
    found.append("What bounds the layers now: " + ", ".join(parts) + ".")
    if run is not None and run.remedies:
        helped = "; ".join(
            f"{one.layer} (bound by {LABELS.get(one.bottleneck, one.bottleneck)}): "
            f"{one.remedy}, {one.change}, saves {number(round(one.saved))} cycles"
            for one in run.remedies[:MOST_REMEDIES]
        )
        found.append(f"What would help further, by the model, whatever it costs in accuracy: {helped}.")
    scarcest = max(data.resources, key=lambda resource: resource.share or 0.0)
    found.append(
        f"The scarcest resource of the {point.board.name} is {scarcest.name}: {number(scarcest.model)} of "
        f"{number(scarcest.available)}, by the model."
    )
    return found


def on_chip(data: ReportData) -> list[str]:
    """What stays on chip, what that brings, and which HLS tools know of it; empty where nothing does."""
    point, accel = data.point, data.point.accelerator
    if not accel.keeps:
        return []
    layers = [entry.layer for entry in point.layers]
    maps, weights = (sum(getattr(one, flag) for one in layers) for flag in ("ofm_on_chip", "weights_on_chip"))
    certificate = data.certificate
    first = ""
    if certificate is not None and certificate.first_cycles is not None:
        first = (
            f" The first run after a reset loads the weights, {number(certificate.first_cycles)} cycles "
            "altogether with an ideal memory."
        )
    where = "UltraRAM" if accel.ultra_ram else "block RAM"
    return [
        f"On chip, in {where}: the outputs of {maps} of {len(layers)} layers in "
        f"{number(accel.map_words)} words of {accel.word_width} bits, the weights of {weights} in "
        f"{number(accel.weight_planes)} planes of {accel.plane_width} bits.{first}",
        f"The HLS C++ keeps the same on chip as the {TWIN}, with Vitis HLS 2021.2 and newer; older versions "
        f"stream it. Streamed, the model gives {number(data.streamed_cycles)} cycles with an ideal memory "
        f"instead of {number(data.predicted_cycles)}.",
    ]


def hardware_rows(data: ReportData) -> list[tuple[str, str, str]]:
    """(decision, before, chosen) of the accelerator; before is unknown without a run."""
    before = (data.run.hardware_before if data.run else None) or {}
    names = {
        "tm": "Tm, output channels",
        "tn": "Tn, input channels",
        "tr": "Tr, tile rows",
        "tc": "Tc, tile columns",
        "ifm_bits": "IFM port, bits",
        "wgt_masters": "Weight ports",
        "wgt_bits": "Weight port, bits",
        "ofm_bits": "OFM port, bits",
        "ifm_depth": "IFM buffer, words",
        "taps": "Taps, kernel positions a cycle of depthwise and pooling layers",
    }
    accel = data.point.accelerator
    if accel.keeps:
        names |= {"map_words": "Words of maps on chip", "weight_planes": "Planes of weights on chip"}
    return [(text, number(before.get(name)), number(getattr(accel, name))) for name, text in names.items()]


def board(data: ReportData) -> str:
    """What the self-test found on the board."""
    found = data.vendor.board if data.vendor else None
    if found is None:
        return UNKNOWN
    time = "" if found.ms is None else f", {ms(found.ms)} an image by the processor's clock"
    return f"{found.line()}{time}"


PORT_HEADS = ("Port", "beats measured", "predicted", "simulated", "stalls measured", "simulated")


def port_rows(data: ReportData) -> list[tuple[str, ...]]:
    """What the ports did on the board in the slowest run, beside what was expected."""
    found = data.vendor.board if data.vendor else None
    counts = ("beats", "predicted_beats", "simulated_beats", "stalls", "simulated_stalls")
    return [
        (port.name, *(number(getattr(port, count)) for count in counts))
        for port in (found.ports if found else ())
    ]


def loops(data: ReportData) -> str:
    """How many pipelined loops keep the II that the sources ask for, and which do not."""
    found = data.vendor.csynth if data.vendor else None
    if found is None or found.loops is None:
        return UNKNOWN
    kept = f"{len(found.loops) - len(found.slow_loops)} of {len(found.loops)} keep their II"
    return "; ".join([kept, *(loop.line() for loop in found.slow_loops)])


def cosim(data: ReportData) -> str:
    """Verdict of co-simulation; cycles of all layers, or of the longest transaction if no more is known."""
    found = data.vendor.cosim if data.vendor else None
    if found is None:
        return UNKNOWN
    verdict = {True: "passed", False: "FAILED", None: "verdict unknown"}[found.passed]
    if data.cosim_cycles is not None:
        return f"{verdict}, {number(data.cosim_cycles, 'cycles')}"
    return f"{verdict}, longest transaction {number(found.latency_max, 'cycles')}"
