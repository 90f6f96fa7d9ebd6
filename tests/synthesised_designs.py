"""Designs that Yosys 0.23 has synthesised, and what it counted.

``pytest --long tests/implementation/test_synth.py`` counts them again (about half an hour).
"""

from __future__ import annotations

from hotnas_hls.accel.accelerator import Accelerator

LAYERS = 12

DESIGN = Accelerator(
    tm=16, tn=8, tr=8, tc=8, ifm_bits=64, wgt_bits=64, ofm_bits=64,
    ifm_depth=1024, wgt_entries=9, max_entries=9, patterns=True,
)  # fmt: skip

# DSP, BRAM18, LUT, FF, LUTs as memory
MEASURED = [
    (
        Accelerator(
            tm=4, tn=4, tr=4, tc=4, ifm_bits=32, wgt_bits=32, ofm_bits=32, ifm_depth=128,
            wgt_entries=4, max_entries=9, act_bits=8, weight_bits=4, patterns=False,
        ),
        (32, 1, 10960, 6681, 568),
    ),
    (
        Accelerator(
            tm=8, tn=4, tr=8, tc=8, ifm_bits=64, wgt_bits=64, ofm_bits=32, ifm_depth=400,
            wgt_entries=9, max_entries=16, weight_bits=8, patterns=True,
        ),
        (54, 16, 17279, 10436, 1496),
    ),
    (
        Accelerator(
            tm=8, tn=8, tr=8, tc=8, ifm_bits=64, wgt_bits=64, ofm_bits=64, ifm_depth=512,
            wgt_entries=9, max_entries=9, patterns=False,
        ),
        (87, 8, 19227, 13909, 2104),
    ),
    (DESIGN, (154, 64, 28677, 22149, 3648)),
    (
        Accelerator(
            tm=8, tn=8, tr=7, tc=7, ifm_bits=32, wgt_bits=32, ofm_bits=64, ifm_depth=300,
            wgt_entries=4, max_entries=49, act_bits=8, weight_bits=8, patterns=True,
        ),
        (90, 16, 16503, 11041, 1400),
    ),
    (
        Accelerator(
            tm=16, tn=16, tr=14, tc=14, ifm_bits=128, wgt_bits=128, ofm_bits=64, ifm_depth=2048,
            wgt_entries=9, max_entries=25, patterns=False,
        ),
        (287, 124, 33356, 32254, 3384),
    ),
    (
        Accelerator(
            tm=32, tn=16, tr=28, tc=28, ifm_bits=64, wgt_bits=128, ofm_bits=128, ifm_depth=4096,
            wgt_entries=9, max_entries=49, act_bits=8, weight_bits=8, patterns=False,
        ),
        (543, 188, 35966, 34395, 3256),
    ),
    (
        Accelerator(
            tm=32, tn=16, tr=14, tc=14, ifm_bits=128, wgt_bits=256, ofm_bits=128, ifm_depth=1024,
            wgt_entries=9, max_entries=9, patterns=True,
        ),
        (546, 248, 62965, 61451, 5888),
    ),
    (
        Accelerator(
            tm=48, tn=24, tr=16, tc=16, ifm_bits=128, wgt_bits=128, ofm_bits=64, ifm_depth=1500,
            wgt_entries=11, max_entries=49, weight_bits=12, patterns=False,
        ),
        (1191, 261, 76949, 98484, 9176),
    ),
    (
        Accelerator(
            tm=64, tn=32, tr=14, tc=14, ifm_bits=128, wgt_bits=256, ofm_bits=128, ifm_depth=2048,
            wgt_entries=9, max_entries=49, patterns=False,
        ),
        (2095, 376, 129882, 189725, 20480),
    ),
    (
        Accelerator(
            tm=8, tn=8, tr=8, tc=8, ifm_bits=64, wgt_bits=64, ofm_bits=64, ifm_depth=512,
            wgt_entries=9, max_entries=9, patterns=False, shared_bus=True,
        ),
        (87, 8, 18093, 13890, 2144),
    ),
    (
        Accelerator(
            tm=8, tn=8, tr=8, tc=8, ifm_bits=128, wgt_bits=128, ofm_bits=128, ifm_depth=512,
            wgt_entries=9, max_entries=9, patterns=False, shared_bus=True,
        ),
        (87, 8, 22762, 15786, 2264),
    ),
    (
        Accelerator(
            tm=8, tn=8, tr=8, tc=8, ifm_bits=64, wgt_bits=64, ofm_bits=64, ifm_depth=512,
            wgt_entries=9, max_entries=9, act_bits=8, weight_bits=8, patterns=False, taps=2,
        ),
        (96, 8, 16264, 11014, 1408),
    ),
    (
        Accelerator(
            tm=16, tn=8, tr=7, tc=7, ifm_bits=128, wgt_bits=128, ofm_bits=64, ifm_depth=512,
            wgt_entries=9, max_entries=25, patterns=False, taps=4,
        ),
        (178, 32, 32004, 25471, 3504),
    ),
    (
        Accelerator(
            tm=8, tn=8, tr=8, tc=8, ifm_bits=64, wgt_bits=64, ofm_bits=64, ifm_depth=200,
            wgt_entries=9, max_entries=9, patterns=True, taps=4,
        ),
        (114, 16, 22679, 16810, 1848),
    ),
    (
        Accelerator(
            tm=8, tn=8, tr=8, tc=8, ifm_bits=64, wgt_bits=64, ofm_bits=64, ifm_depth=512,
            wgt_entries=9, max_entries=9, act_bits=8, weight_bits=8, patterns=False, taps=2, dsp_packing=True,
        ),
        (64, 8, 16454, 10827, 1408),
    ),
    (
        Accelerator(
            tm=16, tn=8, tr=7, tc=7, ifm_bits=32, wgt_bits=64, ofm_bits=64, ifm_depth=300,
            wgt_entries=9, max_entries=9, act_bits=8, weight_bits=6, patterns=True, dsp_packing=True,
        ),
        (90, 16, 20740, 14579, 2216),
    ),
    (
        Accelerator(
            tm=32, tn=16, tr=14, tc=14, ifm_bits=64, wgt_bits=128, ofm_bits=128, ifm_depth=1024,
            wgt_entries=9, max_entries=9, act_bits=8, weight_bits=8, patterns=False, dsp_packing=True,
        ),
        (287, 79, 37316, 34374, 3288),
    ),
]  # fmt: skip
