"""Limits of section 1.7."""

import pytest

from hotnas_hls.published.design import PublishedDesign, PublishedHardware
from hotnas_hls.published.latency import DesignArrays
from hotnas_hls.published.resources import (
    BramPolicy,
    EngineBram,
    cconv_bram,
    cconv_fits,
    dconv_bram,
    resources,
    violations,
)


def test_blocks_of_the_two_engines():
    cconv = PublishedDesign.parse("70,36,64,64,7,18,6,6")
    assert cconv_bram(cconv, 18_000) == EngineBram(ifm=2 * 36 * 4, ofm=2 * 70 * 4, wgt=70 * 36)
    assert cconv_bram(cconv, 1_824) == EngineBram(ifm=2 * 36 * 36, ofm=2 * 70 * 36, wgt=70 * 36 * 2)
    dconv = PublishedDesign.parse("832,1,32,32,5,6,10,14")
    assert dconv_bram(dconv, 18_000) == EngineBram(ifm=2, ofm=2 * 832, wgt=832)


def test_resources_of_two_engines():
    hardware = PublishedHardware.parse("100,16,32,32,3,6,10,14", "832,1,32,32,5,6,10,14")
    used = resources(hardware, BramPolicy.STRICT)
    assert (used.dsp, used.port_lanes) == (2432, 30)
    assert used.bram == (2 * 16 + 2 * 100 + 1600) + (2 + 2 * 832 + 832)
    assert resources(hardware).bram is None


def test_the_published_designs_fit_only_the_swapped_check():
    hardware = PublishedHardware.parse("70,36,64,64,7,18,6,6")
    assert violations(hardware) == []
    assert violations(hardware, BramPolicy.AS_PUBLISHED) == []
    assert violations(hardware, BramPolicy.STRICT) == ["3368 BRAM blocks of 18000 bits; the board has 1824"]


def test_every_violation_is_told():
    hardware = PublishedHardware.parse("100,26,256,256,7,18,10,6")
    assert violations(hardware, BramPolicy.AS_PUBLISHED) == [
        "2600 DSP slices; the board has 2520",
        "34 port lanes of 16 bits; the board has 32",
        "150100 BRAM blocks of 1824 bits; the board has 18000",
    ]


@pytest.mark.parametrize("policy", BramPolicy)
def test_many_at_once(policy):
    designs = [
        PublishedDesign(tm, 2520 // tm, tile, tile, tk, wp, 6, 10)
        for tm in (10, 70, 130, 220)
        for tile in (8, 32, 64, 256)
        for tk in (1, 3, 7, 11)
        for wp in (2, 18)
    ]
    expected = [not violations(PublishedHardware(design), policy) for design in designs]
    assert cconv_fits(DesignArrays.of(designs), policy).tolist() == expected
