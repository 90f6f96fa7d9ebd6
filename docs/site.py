"""Hooks of mkdocs: the pages that are made at the build, from the commands and from the notebooks."""

from __future__ import annotations

import html
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

DOCS = Path(__file__).parent
NOTEBOOKS = DOCS / "notebooks"
COLUMNS = "100"  # of the commands' help


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the reference of the commands, and a page a notebook."""
    files.append(File.generated(config, "reference/cli.md", content=commands_page()))
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        notebook = json.loads(path.read_text(encoding="utf-8"))
        files.append(File.generated(config, f"notebooks/{path.stem}.md", content=notebook_page(notebook)))
        files.append(File.generated(config, f"notebooks/{path.name}", abs_src_path=str(path)))
    return files


def on_post_build(config: MkDocsConfig) -> None:
    """Take the picture of the report anew, where a package and a browser are there."""
    sys.path.insert(0, str(DOCS))
    import screenshots

    page, width, height = screenshots.PAGES["report.png"]
    if page.is_file() and screenshots.browser() is not None:
        screenshots.shoot(page, Path(config.site_dir) / "pictures" / "report.png", width, height)


def commands_page() -> str:
    """What every command says of itself."""
    sys.path.insert(0, str(DOCS.parent))
    from hotnas_hls.cli import command_names

    parts = ["# Commands", "What `hotnas --help` and `hotnas COMMAND --help` print.", _fence(_help())]
    for name in command_names():
        parts += [f"## hotnas {name}", _fence(_help(name))]
    return "\n\n".join(parts) + "\n"


def _help(*command: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "hotnas_hls", *command, "--help"],
        capture_output=True,
        text=True,
        check=True,
        cwd=DOCS.parent,
        env={"COLUMNS": COLUMNS, "PATH": "/usr/bin:/bin", "NO_COLOR": "1"},
    )
    return done.stdout.strip()


def _fence(text: str, language: str = "text") -> str:
    return f"```{language}\n{text}\n```"


def notebook_page(notebook: dict[str, Any]) -> str:
    """A notebook that was run as a page: its text, its code, what came out."""
    parts = []
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(source)
            continue
        parts.append(_fence(source, "python"))
        parts += [_output(output) for output in cell["outputs"]]
    return "\n\n".join(parts) + "\n"


def _output(output: dict[str, Any]) -> str:
    if output["output_type"] == "stream":
        return _fence("".join(output["text"]).rstrip())
    data = output.get("data", {})
    if "text/html" in data:
        shown = re.sub(r"\n\s*\n", "\n", "".join(data["text/html"]))
        return f'<div class="result">{shown}</div>'
    if "image/png" in data:
        return f'<img alt="" src="data:image/png;base64,{"".join(data["image/png"]).strip()}">'
    return _fence(html.unescape("".join(data.get("text/plain", ""))))
