"""The report as Markdown: the page's figures as tables, for a terminal or a repository.

Headings, paragraphs, items and cells take plain text, which is escaped where it becomes Markdown.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from hotnas_hls.base.escaping import markdown as escaped
from hotnas_hls.report import wording
from hotnas_hls.report.data import LABELS, ReportData
from hotnas_hls.report.wording import UNKNOWN, ms, number, percent, signed
from hotnas_hls.version import __version__


def markdown(data: ReportData) -> str:
    """The text of ``report.md``."""
    parts = [
        f"# {escaped(f'{data.name}: {wording.verdict(data)[0]}')}",
        escaped(
            f"{data.point.network} on the {data.point.board.name} ({data.point.board.part}) at "
            f"{data.point.clock_mhz:g} MHz: {wording.accelerator_line(data)}."
        ),
        *[f"**{escaped(lost)}.**" for lost in [wording.design_loss(data)] if lost],
        _headline(data),
        "## What was chosen and why",
        "\n".join(f"- {escaped(sentence)}" for sentence in wording.reasons(data)),
        _table(("Hardware", "before", "chosen"), wording.hardware_rows(data)),
        *_reductions(data),
        "## Layers",
        _layers(data),
        *_vendor(data),
        f"## Resources of the {escaped(data.point.board.name)}",
        _resources(data),
        *_front(data),
        "## Certificate and assumptions",
        _certificate(data),
        "## Memory map",
        _table(
            ("Region", "pointer", "offset", "bytes"),
            ((r.name, r.pointer, f"0x{r.offset:06x}", number(r.bytes)) for r in data.regions),
        ),
        f"Written by HotNAS-HLS {__version__}; figures are in report.html.",
    ]
    return "\n\n".join(parts) + "\n"


def _headline(data: ReportData) -> str:
    point, accuracy = data.point, data.point.accuracy
    bound = "no bound" if point.latency_bound_ms is None else ms(point.latency_bound_ms)
    margin = "no bound"
    if data.margin_ms is not None and point.latency_bound_ms:
        margin = percent(data.margin_ms / point.latency_bound_ms)
    return _table(
        ("", "before", "after"),
        (
            ("latency", ms(data.latency_before_ms), ms(data.latency_ms)),
            ("latency, plain 8 bits without a search", ms(data.plain_ms), ""),
            ("latency bound", "", bound),
            ("margin", "", margin),
            (f"test {accuracy.measure}", percent(accuracy.baseline, 2), percent(accuracy.final, 2)),
            ("test images", "", number(accuracy.images)),
            ("cycles certified, behind the DRAM", "", number(data.certified_cycles)),
            *_uncertified(data),
            ("cycles predicted, ideal memory", "", number(data.predicted_cycles)),
            ("cycles simulated, ideal memory", "", number(data.simulated_cycles)),
        ),
    )


def _uncertified(data: ReportData) -> list[tuple[str, str, str]]:
    """What the latency is of, where nothing is certified."""
    behind = None if data.certificate else data.point.behind_dram_cycles
    return [] if behind is None else [("cycles predicted, behind the DRAM", "", number(behind))]


def _reductions(data: ReportData) -> list[str]:
    steps = data.run.reductions if data.run else None
    before = data.latency_before_ms
    if not steps or before is None:
        return []
    levels = [before, *(step.latency_ms for step in steps)]
    digits = wording.decimals(before)
    rows = [
        (
            step.name,
            f"{step.latency_ms:.{digits}f} ms",
            f"{step.latency_ms - level:+.{digits}f} ms".replace("-", "−"),
        )
        for step, level in zip(steps, levels, strict=False)
    ]
    return ["## Where the time went", _table(("after", "latency", "change"), rows)]


def _layers(data: ReportData) -> str:
    cosim = data.cosim_cycles is not None  # a column only where somebody has run it
    board = any(layer.board is not None for layer in data.layers)
    heads = ("Layer", "bound", "predicted", "simulated", *["cosim"] * cosim, "difference", "behind DRAM")
    heads += ("on the board",) * board
    heads += ("margin", "bottleneck", "treatment")
    terms = ("load IFM", "load weights", "compute", "store OFM", "stall")
    rows = []
    for layer in data.layers:
        p = layer.predicted
        simulated = layer.simulated["cycles"] if layer.simulated else None
        rows.append(
            (
                layer.name,
                "–" if layer.bound is None else number(layer.bound),
                number(p.cycles),
                number(simulated),
                *[number(layer.cosim)] * cosim,
                signed(layer.difference),
                number(layer.behind),
                *[number(layer.board)] * board,
                "–" if layer.margin is None else number(layer.margin),
                f"{layer.bottleneck} {LABELS[layer.bottleneck]}",
                ", ".join(layer.treatment) or "–",
                *(number(count) for count in (p.load_ifm, p.load_wgt, p.compute, p.store_ofm, p.stall)),
            )
        )
    return _table((*heads, *terms), rows)


def _vendor(data: ReportData) -> list[str]:
    placed = data.vendor.implementation if data.vendor else None
    slack = UNKNOWN if placed is None or placed.wns_ns is None else f"{placed.wns_ns:g} ns"
    fmax = UNKNOWN if placed is None or placed.fmax_mhz is None else f"{placed.fmax_mhz:g} MHz"
    return [
        f"Vendor tools: csynth {number(data.csynth_cycles, 'cycles')}, pipelined loops: "
        f"{escaped(wording.loops(data))}; cosim {escaped(wording.cosim(data))}, "
        f"implementation: worst slack {slack}, Fmax {fmax}.",
        f"Open place and route: {escaped(wording.placement(data))}.",
        f"On the board: {escaped(wording.board(data))}.",
        *[_table(wording.PORT_HEADS, rows) for rows in [wording.port_rows(data)] if rows],
        f"Clock, estimated: {escaped(wording.clock_estimate(data))}.",
    ]


def _resources(data: ReportData) -> str:
    return _table(
        ("", "model", "board", "share", "Yosys", "csynth", "implementation"),
        (
            (
                r.name,
                number(r.model),
                number(r.available),
                "none there" if r.share is None else percent(r.share),
                number(r.yosys),
                number(r.csynth),
                number(r.implementation),
            )
            for r in data.resources
        ),
    )


def _front(data: ReportData) -> list[str]:
    front = data.run.front() if data.run else []
    if not front:
        return []
    rows = [(f"{t.number}", ms(t.latency_ms), percent(t.accuracy, 2)) for t in front]
    return ["## Pareto front", _table(("trial", "latency", "validation accuracy"), rows)]


def _certificate(data: ReportData) -> str:
    lines = [escaped(wording.cycle_check(data))]
    if data.certificate is not None:
        lines.append(f"> {escaped(data.certificate.line())}")
        lines += [f"- {escaped(reason)}" for reason in data.certificate.reasons]
    if data.dram is not None:
        lines.append(escaped(data.dram.line()))
    lines.append(f"Design `{data.point.digest()}`.")
    return "\n\n".join([*lines, *map(escaped, data.notes)])


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; all columns but the first to the right."""
    lines = ["| " + " | ".join(heads) + " |", "|" + "|".join([":--", *["--:"] * (len(heads) - 1)]) + "|"]
    lines += ["| " + " | ".join(map(escaped, row)) + " |" for row in rows]
    return "\n".join(lines)
