"""The table's numbers against published ones; pictures that are there, repeatable and legible as SVG."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from hotnas_hls.errors import ConfigError
from hotnas_hls.frontends.trace import trace
from hotnas_hls.models.zoo import build
from hotnas_hls.network.drawing import draw_graph, graph_table, macs, parameter_count
from hotnas_hls.network.graph import Graph, Node, OpKind


@pytest.fixture(scope="module")
def resnet18() -> Graph:
    return trace(build("resnet18"), (3, 224, 224), "resnet18")


def test_totals_are_the_published_ones(resnet18: Graph) -> None:
    assert sum(map(macs, resnet18)) == 1_814_073_344
    statistics = sum(2 * node.shape[0] for node in resnet18 if node.kind is OpKind.BATCHNORM)
    assert sum(map(parameter_count, resnet18)) == 11_689_512 + statistics


def test_table_text() -> None:
    graph = trace(build("mobilenet_v2_cifar"), (3, 32, 32), "mobile")
    console = Console(width=120, file=io.StringIO())
    console.print(graph_table(graph))
    text = console.file.getvalue().replace("│", " ").replace("┃", " ")
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert "operator kind output kernel MACs parameters" in lines
    assert "features.2.conv.1.0 depthwise 96x32x32 3x3 884,736 864" in lines
    assert "features.4.conv.1.0 depthwise 144x16x16 3x3 /2 331,776 1,296" in lines
    assert "classifier.1 linear 10 12,800 12,810" in lines


def test_picture_of_resnet18(tmp_path: Path, resnet18: Graph) -> None:
    path = tmp_path / "resnet18.svg"
    draw_graph(resnet18, path)
    first = path.read_bytes()
    assert b"<svg" in first
    for label in (b"layer2.0.downsample.0", b"conv 7x7 /2  64x112x112"):
        assert label in first  # matplotlib keeps each text in a comment
    draw_graph(resnet18, path)
    assert path.read_bytes() == first


@pytest.mark.parametrize("suffix", [".png", ".pdf"])
def test_other_formats(tmp_path: Path, suffix: str) -> None:
    nodes = [Node("input", OpKind.INPUT, (), (1, 4, 4)), Node("relu", OpKind.RELU, ("input",), (1, 4, 4))]
    draw_graph(Graph("small", nodes), tmp_path / f"small{suffix}")
    assert (tmp_path / f"small{suffix}").stat().st_size > 1000


def test_messages(tmp_path: Path) -> None:
    graph = Graph("small", [Node("input", OpKind.INPUT, (), (1, 4, 4))])
    with pytest.raises(ConfigError) as caught:
        draw_graph(graph, "net.bmp")
    assert str(caught.value) == "net.bmp: cannot draw into .bmp; use one of .svg, .png, .pdf"
    path = tmp_path / "nowhere" / "net.svg"
    with pytest.raises(ConfigError) as caught:
        draw_graph(graph, path)
    assert str(caught.value) == f"{path}: there is no folder {path.parent}; make it first"
