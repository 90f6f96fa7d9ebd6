"""Weights over several masters on the RTL: bit-exact, to the cycle, behind a DRAM, through faults, aborts."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from small_designs import small_design

from hotnas_hls.accel.design_point import DesignPoint
from hotnas_hls.accel.encoding.images import map_memory
from hotnas_hls.accel.integers.reference import run_network as reference
from hotnas_hls.accel.timing.latency import network_latency
from hotnas_hls.base import tools
from hotnas_hls.errors import ConfigError
from hotnas_hls.simulate.certify import certify, twin
from hotnas_hls.simulate.flow import generate, read_rtl
from hotnas_hls.simulate.rtl_simulation import Run, build, run_network, weight_page

FIRST, SECOND = 2, 4  # of Run.error_port: m_axi_wgt, m_axi_wgt_1
READ_ERROR, ABORTED = 1 << 1, 1 << 7  # of the status word
STALL = 70


def striped_design(masters: int = 2) -> DesignPoint:
    """Its weights in beats of 128 bits."""
    point = small_design()
    accel = dataclasses.replace(point.accelerator, wgt_bits=128 // masters, wgt_masters=masters)
    return dataclasses.replace(point, accelerator=accel, port_plan=None, latency_bound_ms=None)


@pytest.mark.whole
@pytest.mark.skipif(tools.find("verilator") is None, reason="Verilator is not installed")
@pytest.mark.parametrize("masters", [2, 4])
def test_it_holds_and_an_error_or_an_abort_leaves_nothing_behind(masters: int, tmp_path: Path) -> None:
    point = striped_design(masters)
    certificate = certify(point, tmp_path / "certified")
    assert certificate.holds, certificate.reasons

    net, accel, tiles = point.integer_network(), point.accelerator, point.tiles
    rtl = twin(point)
    model = build(dict(rtl.files), tmp_path / "model", optimise=False, bench=rtl.bench)
    weights = map_memory(net, accel, tiles).weights["residual"]
    image = point.golden_images(1)[0]
    plain = Run(image, memory=point.memory)
    wrong = [
        dataclasses.replace(plain, error_port=port, error_page=weight_page(weights + page))
        for port, page in ((FIRST, 0), (SECOND, 4096))
    ]
    at = range(150, 1350, 93)
    aborted = [dataclasses.replace(plain, abort_after=cycles, stall=STALL) for cycles in at]
    runs = [run for each in wrong + aborted for run in (each, plain)]
    results = run_network(model, net, accel, tiles, runs, tmp_path / "job")
    predicted = network_latency(net.layers, accel, tiles, point.memory).cycles
    expected = reference(net, image)
    for ended, after in zip(results[::2], results[1::2], strict=True):
        assert ended.status == READ_ERROR | 1 << 16 or (ended.status or 0) & ABORTED
        assert after.status == 0 and after.cycles == predicted
        assert all(np.array_equal(after.feature_maps[name], maps) for name, maps in expected.items())
    assert [result.status for result in results[:4:2]] == [READ_ERROR | 1 << 16] * 2


def test_rtl_made_of_c_is_not_put_into_its_bench(tmp_path: Path) -> None:
    generate(striped_design(), tmp_path / "small", images=1)
    (tmp_path / "hls").mkdir()
    with pytest.raises(ConfigError) as refused:
        read_rtl(tmp_path / "small", tmp_path / "hls")
    assert str(refused.value) == (
        f"{tmp_path / 'hls'}: the weights of this design are striped, and its bench gives one address of "
        "them; RTL made of C++ wants one a master; simulate a design with wgt_masters = 1 "
        "(accelerator.wgt_masters: [1] in a search)"
    )
