"""The page in a browser: what is on it, wide and narrow, light and dark."""

import shutil
import struct
import subprocess

import pytest
from small_designs import small_design

from hotnas_hls.report.write import write_report
from hotnas_hls.simulate.flow import add_reports, generate

from .files import certificate_of, write_run

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
OPTIONS = ("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--disable-dev-shm-usage")
SCHEMES = {"light": 1, "dark": 0}  # Chromium's preferredColorScheme
WIDTHS = (1400, 420)
PROBE = """<script>addEventListener("load", () => {
  const figures = [...document.querySelectorAll(".chart > div")];
  const shown = figures.filter(figure => figure.offsetWidth);
  const boxes = [...document.querySelectorAll(".card, .tile")];
  const spills = boxes.filter(box => box.scrollWidth > box.clientWidth + 1);
  document.body.dataset.probe = [innerWidth, document.documentElement.scrollWidth, shown.length,
    shown.filter(d => d.className == "narrow").length,
    spills.map(box => box.id || "tile").join("+") || "none",
    [...document.querySelectorAll(".scroll")].filter(box => box.scrollWidth > box.clientWidth + 1).length,
    getComputedStyle(document.body).backgroundColor].join("|");
});</script>"""

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed (apt install chromium)")


def browse(page, folder, *options):
    command = [CHROMIUM, *OPTIONS, f"--user-data-dir={folder}/profile", *options, page.as_uri()]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    point, package = small_design(), folder / "small"
    generate(point, package, images=2)
    add_reports(package, {"certificate.json": certificate_of(point).to_json().encode()})
    return write_report(package, write_run(folder / "run", point)).paths[0]


def probe(report, folder, width, scheme):
    """What the page says of itself in a frame of so many pixels (a window has a least width)."""
    inner = folder / "inner.html"
    inner.write_text(report.read_text().replace("</body>", PROBE + "</body>"))
    outer = folder / "outer.html"
    outer.write_text(
        f'<iframe src="inner.html" style="width:{width}px;height:900px;border:0"></iframe><script>'
        'addEventListener("load", () => document.title = frames[0].document.body.dataset.probe)</script>'
    )
    dom = browse(
        outer, folder, "--dump-dom", "--allow-file-access-from-files", "--window-size=1600,1000",
        f"--blink-settings=preferredColorScheme={SCHEMES[scheme]}",
    )  # fmt: skip
    return dom[dom.index("<title>") + 7 : dom.index("</title>")].split("|")


def test_texts_and_figures_are_on_the_page(report, tmp_path):
    dom = browse(report, tmp_path, "--dump-dom")
    for text in (
        "certificate holds", "What was chosen and why", "ZCU102", "pattern 4/9", "6-bit weights",
        "Where the time went", "quantisation", "Pareto front", "chosen, fine-tuned", "Cycles per layer",
        "One inference", "load_ifm", "store_ofm", "Roofline", "MAC per byte moved", "BRAM18", "Memory map",
        "cycle check is against the SystemVerilog twin", "bit for bit", "layer descriptors",
    ):  # fmt: skip
        assert text in dom, text
    assert dom.count("<svg") == 12  # six figures, each for wide and for narrow screens


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_it_fits_every_screen_in_light_and_in_dark(report, tmp_path, width, scheme):
    inner, whole, shown, narrow, spills, scrolling, background = probe(report, tmp_path, width, scheme)
    assert int(inner) == width
    assert int(whole) <= width, "the page scrolls sideways"
    assert spills == "none"
    assert width < 640 or int(scrolling) == 0, "a table is wider than a wide screen's page"
    assert (int(shown), int(narrow)) == (6, 6 if width < 640 else 0)
    brightness = sum(int(part) for part in background.strip("rgb()").split(","))
    assert brightness > 600 if scheme == "light" else brightness < 150


@pytest.mark.parametrize("width", WIDTHS)
def test_screenshots_are_taken(report, tmp_path, width):
    picture = tmp_path / f"report_{width}.png"
    browse(report, tmp_path, f"--window-size={width},3000", f"--screenshot={picture}")
    data = picture.read_bytes()
    assert struct.unpack(">II", data[16:24])[0] == width
    assert len(data) > 50_000, "the picture is nearly empty"
