"""A network from a stranger is data: its names change no file but where they stand, as text."""

from __future__ import annotations

import dataclasses
import html.parser
import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from hostile import NAMES, PRINTED
from markdown_it import MarkdownIt
from small_designs import small_design

from hotnas_hls.accel.design_point import DesignLayer, DesignPoint
from hotnas_hls.accel.host_work import HostWork, Output
from hotnas_hls.base.escaping import FILTERS, c
from hotnas_hls.codegen.bundle import Bundle
from hotnas_hls.codegen.hls import Target, hls_files
from hotnas_hls.codegen.render import Banner
from hotnas_hls.errors import ConfigError
from hotnas_hls.implementation.place import wrapper
from hotnas_hls.implementation.synth import Source
from hotnas_hls.report.assemble import assemble
from hotnas_hls.report.markdown import markdown
from hotnas_hls.report.page import page
from hotnas_hls.simulate.certify import twin
from hotnas_hls.simulate.csim import run_csim
from hotnas_hls.simulate.flow import package

ALL = "".join(NAMES).replace("\ud800", "")  # half a character, which no file can hold
HALVES = ("".join(PRINTED[: len(PRINTED) // 2]), "".join(PRINTED[len(PRINTED) // 2 :]))


def named(end: str) -> DesignPoint:
    """The small design, all its names with ``end`` behind."""
    point = small_design()

    def longer(layer):
        return dataclasses.replace(
            layer,
            name=layer.name + end,
            source=layer.source + end,
            target=layer.target + end,
            residual=layer.residual and layer.residual + end,
        )

    return dataclasses.replace(
        point,
        network=point.network + end,
        board=dataclasses.replace(point.board, name=point.board.name + end),
        image=point.image + end,
        host=HostWork(outputs=(Output(point.host.logits + end, "logits" + end),)),
        feature_maps=tuple(dataclasses.replace(fm, name=fm.name + end) for fm in point.feature_maps),
        layers=tuple(DesignLayer(longer(entry.layer), entry.tile) for entry in point.layers),
        numbers={name + end: numbers for name, numbers in point.numbers.items()},
    )


def without(value, end: str):
    """A JSON value, ``end`` taken out of its texts."""
    if isinstance(value, str):
        return value.replace(end, "")
    if isinstance(value, dict):
        return {without(key, end): without(item, end) for key, item in value.items()}
    return [without(item, end) for item in value] if isinstance(value, list) else value


@pytest.fixture(scope="module")
def hostile() -> Bundle:
    return package(named(ALL), "small", images=2)


def test_every_file_of_a_package_holds_them_as_text(hostile: Bundle):
    """Taken out in the form of the file's language, they leave the file of plain names."""
    plain, digests = package(named(""), "small", images=2), (named(ALL).digest(), named("").digest())
    assert list(hostile) == list(plain)
    changed = set()
    for path in hostile:
        suffix = Path(path).suffix or Path(path).name
        if path in ("design_point.json", "weights.safetensors"):
            continue  # their digests differ as the names do
        if suffix == ".json":
            found = without(json.loads(hostile[path]), ALL)
            assert json.dumps(found).replace(*digests) == json.dumps(json.loads(plain[path])), path
            changed.add(path)
        elif suffix == ".bin":
            assert hostile[path] == plain[path], path
        else:
            text = hostile.text(path).replace(*digests).replace(*(digest[:16] for digest in digests))
            if text != plain.text(path):
                changed.add(path)
                assert text.replace(FILTERS[suffix](ALL), "") == plain.text(path), path
    assert {"tb/network.h", "driver/hotnas_accel.h", "README.md", "docs/memory_map.md"} <= changed


def test_rtl_and_its_wrapper_hold_them_in_comments():
    ours, plain = twin(named(ALL)).files, twin(named("")).files
    digests = (named(ALL).digest(), named("").digest())
    for name in plain:
        assert ours[name].replace(c(ALL), "").replace(*digests) == plain[name], name
    source = Source("small" + ALL, named("").accelerator, 5, plain)
    assert wrapper(source).replace(c(ALL), "") == wrapper(dataclasses.replace(source, name="small"))


def test_the_package_compiles_and_simulates(hostile: Bundle, tmp_path: Path):
    folder = tmp_path / "small"
    for path in hostile:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(hostile[path])
    result = run_csim(folder, build=tmp_path / "build")
    assert (result.images, result.layers, result.warnings) == (2, 5, 0)
    assert "INTRUDER" not in "".join(
        line for line in result.log.read_text(errors="replace").splitlines() if 'puts("' not in line
    )
    driver = folder / "driver" / "hotnas_accel.c"
    flags = ("-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only")
    subprocess.run(["gcc", *flags, driver], check=True)


def test_a_part_that_is_no_word_reaches_no_script():
    point = named("")
    files = {
        "images": list(point.golden_images(1)),
        "target": Target("xc7z020\nsyn.file=evil.cpp"),
        "banner": Banner("small", "0"),
    }
    with pytest.raises(ConfigError) as caught:
        hls_files(point.integer_network(), point.accelerator, point.tiles, **files)
    assert str(caught.value) == (
        "'xc7z020\\nsyn.file=evil.cpp' cannot be written into a build file; do without '\\n'"
    )


class Page(html.parser.HTMLParser):
    """Tags in order, and all text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags, self.text = [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, tuple(name for name, _ in attrs)))

    def handle_data(self, data):
        self.text += data


def drawings(text: str) -> list[str]:
    return ["<svg" + part.partition("</svg>")[0] + "</svg>" for part in text.split("<svg")[1:]]


@pytest.mark.whole
def test_the_report_shows_them(tmp_path: Path):
    named("").save(tmp_path / "plain")
    plain = page(assemble(tmp_path / "plain"))
    for number, end in enumerate(HALVES):
        folder = tmp_path / f"{number}"
        named(end).save(folder)
        data = assemble(folder)
        text = page(data)
        bare, ours = plain, text
        for drawing in drawings(plain):
            bare = bare.replace(drawing, "")
        for drawing in drawings(text):
            ours = ours.replace(drawing, "")
            root = ElementTree.fromstring(drawing)
            assert {tag.tag.rpartition("}")[2] for tag in root.iter()} <= {
                *("svg", "g", "path", "text", "tspan", "use", "defs", "style", "clipPath", "rect"),
                *("metadata", "RDF", "Work", "type", "date", "format", "creator", "Agent", "title"),
            }
        assert Page(ours).tags == Page(bare).tags
        assert f"small{end} on the ZCU102{end} (" in Page(ours).text
        tables = MarkdownIt("commonmark").enable("table")
        kinds = [token.type for token in tables.parse(markdown(data))]
        assert kinds == [token.type for token in tables.parse(markdown(assemble(tmp_path / "plain")))]


def test_a_locale_without_utf8_writes_the_same_package(tmp_path: Path):
    named("Größe").save(tmp_path / "run")
    locale = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONWARNDEFAULTENCODING": "1"}
    command = [sys.executable, "-W", "error::EncodingWarning:hotnas_hls", "-m", "hotnas_hls"]
    command += ["hls", tmp_path / "run", "--output", tmp_path / "out", "--name", "small", "--images", "2"]
    subprocess.run(command, check=True, env=dict(os.environ) | locale, stdout=subprocess.DEVNULL)
    written = package(DesignPoint.load(tmp_path / "run"), "small", images=2)
    for path in written:
        assert (tmp_path / "out" / "small" / path).read_bytes() == written[path], path
