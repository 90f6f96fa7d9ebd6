"""The report as one HTML file that needs nothing else: style, figures and text are inside."""

from __future__ import annotations

from hotnas_hls.codegen.render import environment
from hotnas_hls.report import wording
from hotnas_hls.report.charts import charts
from hotnas_hls.report.data import LABELS, REPORTS, ReportData
from hotnas_hls.version import __version__

TEMPLATE = "page.html.j2"
MANY_LAYERS = 40  # beyond it the memory map is folded


def page(data: ReportData) -> str:
    """The text of ``report.html``."""
    env = environment("report")
    env.filters |= {
        "number": wording.number,
        "ms": wording.ms,
        "percent": wording.percent,
        "signed": wording.signed,
        "size": wording.size,
        "change": wording.change,
    }
    text, mood = wording.verdict(data)
    drawn = charts(data)
    compared = any(
        r.yosys is not None or r.csynth is not None or r.implementation is not None for r in data.resources
    )
    beside = ("sensitivity" in drawn) + ("on_chip" in drawn)
    halves = 1 + (not compared) + beside  # the roofline, and what may stand beside it
    return env.get_template(TEMPLATE).render(
        data=data,
        point=data.point,
        certificate=data.certificate,
        vendor=data.vendor,
        charts=drawn,
        labels=LABELS,
        folder=REPORTS,
        version=__version__,
        verdict=text,
        mood=mood,
        accelerator=wording.accelerator_line(data),
        loss=wording.design_loss(data),
        cycle_check=wording.cycle_check(data),
        placement=wording.placement(data),
        clock_estimate=wording.clock_estimate(data),
        loops=wording.loops(data),
        cosim=wording.cosim(data),
        board=wording.board(data),
        port_heads=wording.PORT_HEADS,
        port_rows=wording.port_rows(data),
        on_board=any(layer.board is not None for layer in data.layers),
        reasons=wording.reasons(data),
        hardware=wording.hardware_rows(data),
        reduction=wording.against(data.latency_ms, data.latency_before_ms),
        beyond_plain=wording.against(data.latency_ms, data.plain_ms),
        folded=len(data.layers) > MANY_LAYERS,
        compared=compared,
        certificate_full=halves % 2 == 0,
        digest=data.point.digest(),
    )
