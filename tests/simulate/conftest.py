"""One small design for all tests of a board: its package, with a certificate, and the board, built once."""

from __future__ import annotations

from pathlib import Path

import pytest
from report.files import certificate_of
from small_designs import small_design

from hotnas_hls.accel.design_point import DesignPoint
from hotnas_hls.simulate.certify import twin
from hotnas_hls.simulate.flow import add_reports, generate
from hotnas_hls.simulate.simulated_board import build


@pytest.fixture(scope="session")
def point() -> DesignPoint:
    return small_design()


@pytest.fixture(scope="session")
def library(point: DesignPoint, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The simulated board."""
    return build(dict(twin(point).files), tmp_path_factory.mktemp("board"))


@pytest.fixture(scope="session")
def simulated(point: DesignPoint, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A package with a certificate."""
    folder = tmp_path_factory.mktemp("package") / "small"
    generate(point, folder, images=2)
    add_reports(folder, {"certificate.json": certificate_of(point).to_json().encode()})
    return folder
