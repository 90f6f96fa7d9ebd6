"""The eight-number notation and the shared ports."""

import re

import pytest

from hotnas_hls.errors import ConfigError
from hotnas_hls.published.design import PublishedDesign, PublishedHardware


def test_parse_follows_the_published_order():
    design = PublishedDesign.parse("70,36,64,32,7,18,6,2")
    assert design == PublishedDesign(tm=70, tn=36, tr=64, tc=32, tk=7, wp=18, ip=6, op=2)
    assert str(design) == "70,36,64,32,7,18,6,2"
    assert design.lanes == 26


def test_parse_wants_eight_numbers():
    message = "design '70,36': 2 numbers; expected 8: tm,tn,tr,tc,tk,wp,ip,op"
    with pytest.raises(ConfigError, match=f"^{re.escape(message)}$"):
        PublishedDesign.parse("70,36")


def test_parse_lists_every_bad_number():
    with pytest.raises(ConfigError) as error:
        PublishedDesign.parse("0,x,64,64,7,18,6,-6")
    assert str(error.value) == (
        "design '0,x,64,64,7,18,6,-6':\n"
        "  - tm must be a positive integer, not '0'\n"
        "  - tn must be a positive integer, not 'x'\n"
        "  - op must be a positive integer, not '-6'"
    )


def test_engines_share_their_ports():
    with pytest.raises(ConfigError, match="the engines share their ports"):
        PublishedHardware.parse("100,16,32,32,3,6,10,14", "832,1,32,32,5,10,10,10")
    moved = PublishedHardware.parse("100,16,32,32,3,6,10,14", "832,1,32,32,5,6,10,14").with_ports(8, 8, 16)
    assert (moved.dconv.wp, moved.dconv.ip, moved.dconv.op) == (8, 8, 16)
    assert moved.lanes == 32
