"""Platforms by name: this project's, an example package's, and what is said where one cannot be used."""

from __future__ import annotations

import argparse
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from hotnas_hls.boards.board import load_board
from hotnas_hls.commands import platforms as command
from hotnas_hls.errors import ConfigError
from hotnas_hls.frontends.source import load_model
from hotnas_hls.network.graph import Graph
from hotnas_hls.platforms.registry import GROUP, known_platforms, make_platform, platform_class
from hotnas_hls.platforms.request import PlatformRequest
from hotnas_hls.search.config import load_config
from hotnas_hls.search.configure import options_of, platform_of

EXAMPLE = Path(__file__).with_name("example_package")
Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Puts a package with entry points on the path, as pip would."""

    def put(package: str, points: dict[str, str], **modules: str) -> None:
        folder = tmp_path / f"{package.replace('-', '_')}-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        lines = [f"{name} = {target}" for name, target in points.items()]
        (folder / "entry_points.txt").write_text("\n".join([f"[{GROUP}]", *lines, ""]))
        for name, text in modules.items():
            (tmp_path / f"{name}.py").write_text(text)
            monkeypatch.delitem(sys.modules, name, raising=False)
        monkeypatch.syspath_prepend(str(tmp_path))

    return put


@pytest.fixture
def example(install: Install) -> None:
    """The example package, by what its pyproject.toml says."""
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]
    text = (EXAMPLE / "example_platform.py").read_text()
    install(project["name"], project["entry-points"][GROUP], example_platform=text)


@pytest.fixture(scope="module")
def graph() -> Graph:
    return load_model("digits_resnet", None, None).graph


def request(graph: Graph, **asked: str) -> PlatformRequest:
    return PlatformRequest(graph, load_board("ZCU102"), **asked)


def said(wrong: Callable[[], object]) -> str:
    with pytest.raises(ConfigError) as refused:
        wrong()
    return str(refused.value)


def test_own_platforms_are_listed_with_what_they_give(capsys: pytest.CaptureFixture[str]) -> None:
    listed = {one.name: one for one in known_platforms()}
    emits = {name: one.emits for name, one in listed.items()}
    assert emits == {"tiled-engine": True, "nacim": False, "nasaic": False, "nass": False, "noc": False}
    assert [metric.name for metric in listed["nass"].metrics][:2] == ["seconds", "bytes"]
    arguments = argparse.Namespace(json=False)
    command.run(arguments)
    printed = capsys.readouterr().out
    assert "model only" in printed and "nass: bytes (B): sent for one image" in printed


@pytest.mark.usefixtures("example")
def test_another_package_adds_a_platform(graph: Graph) -> None:
    found = {one.name: one for one in known_platforms()}["multiplier"]
    assert (found.package, found.emits) == ("example-platform", False)
    platform = make_platform("multiplier", request(graph))
    from hotnas_hls.explore.integer_layers import IntegerFormat

    layers = platform.workload(graph, None, IntegerFormat(8, 8)).layers
    cost = platform.cost(layers, platform.design(layers, platform.explore(layers)))
    assert cost.value == cost.total == pytest.approx(sum(one.macs for one in layers) * 0.2e-6)


@pytest.mark.usefixtures("example")
def test_a_configuration_chooses_platform_objective_and_bounds(graph: Graph, tmp_path: Path) -> None:
    text = "network: {model: digits_resnet, data: digits}\nplatform: multiplier\n"
    bounds = "bound: {metrics: {energy_uj: 2, images_per_s: 100}}\n"
    (tmp_path / "run.yaml").write_text(text + bounds)
    config = load_config(tmp_path / "run.yaml")
    assert platform_of(config, graph).objective.name == "energy_uj"
    options = options_of(config)
    assert options.bound == 2
    assert [(metric.name, bound) for metric, bound in options.bounds] == [("images_per_s", 100)]
    (speed, bound), *_ = options.bounds
    assert speed.excess(50, bound) == 0.5 and speed.excess(200, bound) == -1  # more is better


def test_an_unknown_platform_is_refused() -> None:
    assert said(lambda: platform_class("nas")) == (
        "platform: no platform is called 'nas'; did you mean nass? known: nacim, nasaic, nass, noc, "
        "tiled-engine (hotnas platforms says more)"
    )


def test_a_technology_of_a_platform_that_has_none_is_refused(graph: Graph) -> None:
    asked = PlatformRequest(graph, load_board("ZCU102"), technology="mesh-6x6")
    assert said(lambda: make_platform("tiled-engine", asked)) == (
        "technology: the tiled engine has none, ZCU102 tells all of it; leave it out"
    )


def test_two_platforms_of_one_name_are_refused(install: Install) -> None:
    install("other-nass", {"nass": "other_nass:Platform"}, other_nass="class Platform: ...\n")
    twins = (
        "2 platforms are called nass: hotnas_hls.platforms.nass.platform:PrivateInferencePlatform of "
        "hotnas-hls, other_nass:Platform of other-nass; rename or uninstall all but one"
    )
    assert said(lambda: platform_class("nass")) == f"platforms cannot be told apart:\n  - {twins}"
    platform_class("tiled-engine")  # the others can be used


def test_what_cannot_be_imported_is_told_with_its_package(install: Install) -> None:
    points = {"broken": "broken_platform:Platform", "empty": "empty_platform:Platform"}
    modules = {"broken_platform": "import no_such_module\n", "empty_platform": "class Platform: ...\n"}
    install("broken", points, **modules)
    missing = (
        "platform broken: broken_platform:Platform of broken cannot be imported: ModuleNotFoundError: No "
        "module named 'no_such_module'; mend or uninstall broken"
    )
    lacking = (
        "platform empty: empty_platform:Platform of broken is no platform, it lacks about, metrics, "
        "needs_board, of; mend or uninstall broken"
    )
    assert said(lambda: platform_class("broken")) == missing
    assert said(known_platforms) == f"these platforms cannot be used:\n  - {missing}\n  - {lacking}"


def test_a_package_that_leaves_when_it_is_imported_is_told_too(install: Install) -> None:
    install("leaving", {"leaving": "leaving_platform:Platform"}, leaving_platform="raise SystemExit(3)\n")
    assert said(lambda: platform_class("leaving")) == (
        "platform leaving: leaving_platform:Platform of leaving cannot be imported: SystemExit: 3; mend or "
        "uninstall leaving"
    )


def test_a_metric_that_a_platform_does_not_have_is_refused(graph: Graph) -> None:
    has = "it has: seconds, bytes, homomorphic_s, garbled_s, offline_bytes, online_bytes"
    assert said(lambda: make_platform("nass", request(graph, objective="byte"))) == (
        "nass cannot be searched on so:\n"
        f"  - objective: the platform nass has no metric 'byte'; did you mean bytes? {has}"
    )


def test_a_board_that_lacks_is_told_by_the_platform_that_needs_it(graph: Graph) -> None:
    assert said(lambda: make_platform("tiled-engine", PlatformRequest(graph))) == (
        "tiled-engine cannot be searched on so:\n"
        "  - board: tiled-engine runs on one; give a name of hotnas boards, or the path of a YAML file"
    )
    assert make_platform("noc", PlatformRequest(graph)).name == "network on chip mesh-6x6"


@pytest.mark.usefixtures("example")
def test_an_objective_of_which_more_is_better_is_refused(graph: Graph) -> None:
    assert said(lambda: make_platform("multiplier", request(graph, objective="images_per_s"))) == (
        "multiplier cannot be searched on so:\n"
        "  - objective: of images_per_s more is better, and a search lessens its objective; bound it by "
        "bound.metrics.images_per_s instead"
    )
