"""One small design through the real Yosys, once: its count beside the model's, a ratchet on its timing."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from synthesised_designs import LAYERS, MEASURED

from hotnas_hls.accel.accelerator import Accelerator
from hotnas_hls.accel.block_counts import BLOCKS
from hotnas_hls.base import tools
from hotnas_hls.codegen.render import Banner
from hotnas_hls.codegen.rtl import TOP, rtl_files
from hotnas_hls.implementation.array_clocks import kept_clocks
from hotnas_hls.implementation.delays import family_of
from hotnas_hls.implementation.netlist import Netlist
from hotnas_hls.implementation.synth import Comparison, Source, compared, synthesised, table
from hotnas_hls.implementation.timing import NETLIST, estimate, read_netlist, time_design
from hotnas_hls.implementation.timing import table as timing_table

ZCU102 = "xczu9eg-ffvb1156-2-e"
TINY = MEASURED[0][0]  # 4 x 4 multipliers
SCRIPT = f"synth_xilinx -family xcup -top {TOP}; stat; flatten; write_json {NETLIST}"

# Estimated MHz on the ZCU102 that must not be lost. Mapped module by module, as here, a design is slower than
# as 'hotnas timing' maps it, across modules. A gain of MARGIN raises the figure.
MODULE_BY_MODULE_MHZ = 310
ACROSS_MODULES_MHZ = {kept.tm: kept.mhz for kept in kept_clocks()[0].arrays[:1]}
MARGIN = 10

# An array of rows in LUTs, alone, with wires as in a design of so many LUTs.
IN_LUTS = Accelerator(
    tm=4, tn=32, tr=7, tc=7, ifm_bits=32, wgt_bits=32, ofm_bits=32, ifm_depth=512, wgt_entries=9,
    max_entries=9, act_bits=8, weight_bits=8, patterns=False, dsp_packing=True, fabric_rows=4,
)  # fmt: skip
ARRAY = "mac_array"

# Maps and weights on chip, and weights over four ports: small, and as ResNet-18 has it on the ZCU102.
ON_CHIP = Accelerator(
    tm=8, tn=8, tr=8, tc=8, ifm_bits=32, wgt_bits=32, ofm_bits=32, ifm_depth=256, wgt_entries=9,
    max_entries=9, act_bits=8, weight_bits=8, patterns=False, taps=4, dsp_packing=True, word_bits=64,
    map_words=512, plane_bits=128, weight_planes=128, wgt_masters=4,
)  # fmt: skip
OF_RESNET18 = Accelerator(
    tm=64, tn=64, tr=32, tc=32, ifm_bits=128, wgt_bits=128, ofm_bits=32, ifm_depth=2048, wgt_entries=9,
    max_entries=13, act_bits=8, weight_bits=8, patterns=False, taps=4, dsp_packing=True, word_bits=512,
    map_words=15680, plane_bits=512, weight_planes=1528, wgt_masters=4,
)  # fmt: skip
WIDE_PLANES = Accelerator(
    tm=16, tn=16, tr=16, tc=16, ifm_bits=128, wgt_bits=128, ofm_bits=32, ifm_depth=512, wgt_entries=9,
    max_entries=13, act_bits=8, weight_bits=8, patterns=False, taps=5, dsp_packing=True, word_bits=128,
    map_words=15680, plane_bits=1024, weight_planes=1528, wgt_masters=4, residual_words=4096,
)  # fmt: skip
IN_LUTS_MHZ = {("xc7z020clg400-1", 45_000): 112, ("xck26-sfvc784-2LV-c", 90_000): 207}


def source_of(accel: Accelerator) -> Source:
    return Source("mapped", accel, LAYERS, rtl_files(accel, LAYERS, Banner("mapped", "0")))


@pytest.fixture(scope="module")
def mapped() -> Iterator[tuple[Comparison, Netlist]]:
    """The count and the netlist of one run of Yosys."""
    if tools.find("yosys") is None:
        pytest.skip("needs_yosys: yosys is not installed")
    source = source_of(TINY)
    with synthesised(source, SCRIPT, None, timeout=1800) as (finished, folder):
        yield compared(source, finished), read_netlist(folder / NETLIST, source)


@pytest.mark.whole
@pytest.mark.timeout(1800)
def test_model_and_yosys_agree_on_a_tiny_design(mapped: tuple[Comparison, Netlist]) -> None:
    comparison, _ = mapped
    model, yosys = comparison.totals()
    assert model.dsp == yosys.dsp
    assert model.bram18 == pytest.approx(yosys.bram18, rel=0.05)
    assert model.lut == pytest.approx(yosys.lut, rel=0.20)
    assert model.ff == pytest.approx(yosys.ff, rel=0.20)
    record = json.loads(json.dumps(comparison.record()))
    assert record["total"]["dsp"] == {"model": model.dsp, "yosys": yosys.dsp, "difference_percent": 0.0}
    assert list(record["blocks"]) == list(BLOCKS)
    assert table(comparison)[1].split()[:3] == ["dsp", str(model.dsp), str(yosys.dsp)]


@pytest.mark.whole
@pytest.mark.timeout(1800)
def test_a_small_array_gets_no_slower(mapped: tuple[Comparison, Netlist]) -> None:
    found = estimate(mapped[1], *family_of(ZCU102))
    print(f"{found.fmax_mhz:.0f} MHz ({found.low_mhz:.0f} to {found.high_mhz:.0f}), {found.luts:,} LUTs")
    told = "\n".join(f"{path.ns:.2f} ns {path.start.name} -> {path.end.name}" for path in found.paths)
    assert MODULE_BY_MODULE_MHZ <= found.fmax_mhz < MODULE_BY_MODULE_MHZ + MARGIN, told
    assert found.low_mhz < found.fmax_mhz < found.high_mhz
    assert all(path.start.declared for path in found.paths), told


@pytest.mark.long("five minutes")
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("array", list(ACROSS_MODULES_MHZ))
def test_an_array_mapped_across_modules_gets_no_slower(array: int) -> None:
    accel = Accelerator(
        tm=array, tn=array, tr=7, tc=7, ifm_bits=8 * array, wgt_bits=128, ofm_bits=8 * array, ifm_depth=512,
        wgt_entries=9, max_entries=9, act_bits=8, weight_bits=8, patterns=False, taps=4,
    )  # fmt: skip
    timing = time_design(source_of(accel), ZCU102, ACROSS_MODULES_MHZ[array], timeout=7200)
    assert timing.met, "\n".join(timing_table(timing))
    assert timing.estimate.fmax_mhz < ACROSS_MODULES_MHZ[array] + MARGIN


@pytest.mark.long("three minutes, a quarter of an hour")
@pytest.mark.timeout(7200)
@pytest.mark.parametrize(
    ("accel", "luts", "mhz"),
    [
        pytest.param(ON_CHIP, None, 252, id="small"),
        pytest.param(WIDE_PLANES, 176_000, 208, id="wide planes"),  # wires as long as in the one below
        pytest.param(OF_RESNET18, None, 212, id="ResNet-18"),
    ],
)
def test_a_design_on_chip_gets_no_slower(accel: Accelerator, luts: int | None, mhz: int) -> None:
    source = source_of(accel)
    with synthesised(source, SCRIPT, None, timeout=7200) as (_, folder):
        netlist = read_netlist(folder / NETLIST, source)
    netlist.luts = luts or netlist.luts
    found = estimate(netlist, *family_of(ZCU102))
    print(f"{found.fmax_mhz:.0f} MHz ({found.low_mhz:.0f} to {found.high_mhz:.0f})")
    told = "\n".join(f"{path.ns:.2f} ns {path.start.name} -> {path.end.name}" for path in found.paths)
    assert mhz <= found.fmax_mhz < mhz + MARGIN, told


@pytest.mark.long("two minutes each")
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("part", "luts"), list(IN_LUTS_MHZ))
def test_products_in_luts_get_no_slower(part: str, luts: int) -> None:
    source, (family, grade) = source_of(IN_LUTS), family_of(part)
    script = f"synth_xilinx -family {family.yosys} -flatten -top {ARRAY}; write_json {NETLIST}; stat"
    with synthesised(source, script, None, timeout=3600) as (_, folder):
        netlist = Netlist(json.loads((folder / NETLIST).read_text())["modules"][ARRAY], source.files)
    netlist.luts = luts
    found = estimate(netlist, family, grade).fmax_mhz
    assert IN_LUTS_MHZ[part, luts] <= round(found) < IN_LUTS_MHZ[part, luts] + MARGIN
