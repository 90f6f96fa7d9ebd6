"""Pictures of pages by Chromium: ``python docs/screenshots.py`` renews docs/pictures.

The report is that of hls_out/digits (``make search hls sim``), the others are the site's (``make docs``).
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PICTURES = ROOT / "docs" / "pictures"
REPORT = ROOT / "hls_out" / "digits" / "reports" / "report.html"
SITE = ROOT / "build" / "site"
PAGES = {  # picture -> page, width and height
    "report.png": (REPORT, 1000, 900),
    "landing.png": (SITE / "index.html", 1400, 1000),
    "notebook.png": (SITE / "notebooks" / "first_design.html", 1400, 1300),
}
OPTIONS = ("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--disable-dev-shm-usage")
SECONDS = 120


def browser() -> str | None:
    """Chromium, by any of its names."""
    found = (shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome"))
    return next(filter(None, found), None)


def shoot(page: Path, picture: Path, width: int, height: int) -> None:
    """Write what a browser shows of a page on the disk; colours are reduced, so that the file is small."""
    program = browser()
    assert program is not None
    with tempfile.TemporaryDirectory() as profile:
        options = (*OPTIONS, f"--user-data-dir={profile}", f"--window-size={width},{height}")
        command = [program, *options, f"--screenshot={picture}", page.resolve().as_uri()]
        subprocess.run(command, check=True, capture_output=True, timeout=SECONDS)
    from PIL import Image

    with Image.open(picture) as image:
        image.convert("RGB").quantize(128).save(picture, optimize=True)


if __name__ == "__main__":
    if browser() is None:
        sys.exit("no Chromium; apt install chromium")
    for name, (page, width, height) in PAGES.items():
        if page.is_file():
            shoot(page, PICTURES / name, width, height)
            print(PICTURES / name)
        else:
            print(f"{name} stays: no {page.relative_to(ROOT)}")
