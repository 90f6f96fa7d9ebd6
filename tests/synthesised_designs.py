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

# DSP, BRAM18, LUT, FF, LUTs as memory. acc_bank was counted again by Yosys as a module; of all but the first
# so were DSP slices of ifm_loader and ofm_store, and LUTs and flip-flops are of the RTL before its counts
# became narrow. DSP slices of wgt_loader and LUT RAM of ifm_loader are of its narrow counts, which Yosys
# counted in the first design and in one of 64 x 64.
MEASURED = [
    (
        Accelerator(
            tm=4, tn=4, tr=4, tc=4, ifm_bits=32, wgt_bits=32, ofm_bits=32, ifm_depth=128,
            wgt_entries=4, max_entries=9, act_bits=8, weight_bits=4, patterns=False,
        ),
        (24, 1, 10419, 8615, 656),
    ),
    (
        Accelerator(
            tm=8, tn=4, tr=8, tc=8, ifm_bits=64, wgt_bits=64, ofm_bits=32, ifm_depth=400,
            wgt_entries=9, max_entries=16, weight_bits=8, patterns=True,
        ),
        (50, 16, 17187, 11901, 1944),
    ),
    (
        Accelerator(
            tm=8, tn=8, tr=8, tc=8, ifm_bits=64, wgt_bits=64, ofm_bits=64, ifm_depth=512,
            wgt_entries=9, max_entries=9, patterns=False,
        ),
        (83, 8, 19087, 15374, 2552),
    ),
    (DESIGN, (151, 64, 28321, 24014, 4536)),
    (
        Accelerator(
            tm=8, tn=8, tr=7, tc=7, ifm_bits=32, wgt_bits=32, ofm_bits=64, ifm_depth=300,
            wgt_entries=4, max_entries=49, act_bits=8, weight_bits=8, patterns=True,
        ),
        (83, 16, 16501, 12378, 1760),
    ),
    (
        Accelerator(
            tm=16, tn=16, tr=14, tc=14, ifm_bits=128, wgt_bits=128, ofm_bits=64, ifm_depth=2048,
            wgt_entries=9, max_entries=25, patterns=False,
        ),
        (285, 124, 31240, 33335, 3376),
    ),
    (
        Accelerator(
            tm=32, tn=16, tr=28, tc=28, ifm_bits=64, wgt_bits=128, ofm_bits=128, ifm_depth=4096,
            wgt_entries=9, max_entries=49, act_bits=8, weight_bits=8, patterns=False,
        ),
        (541, 252, 32906, 35492, 3248),
    ),
    (
        Accelerator(
            tm=32, tn=16, tr=14, tc=14, ifm_bits=128, wgt_bits=256, ofm_bits=128, ifm_depth=1024,
            wgt_entries=9, max_entries=9, patterns=True,
        ),
        (544, 248, 58657, 62548, 5880),
    ),
    (
        Accelerator(
            tm=48, tn=24, tr=16, tc=16, ifm_bits=128, wgt_bits=128, ofm_bits=64, ifm_depth=1500,
            wgt_entries=11, max_entries=49, weight_bits=12, patterns=False,
        ),
        (1189, 261, 70449, 99597, 9168),
    ),
    (
        Accelerator(
            tm=64, tn=32, tr=14, tc=14, ifm_bits=128, wgt_bits=256, ofm_bits=128, ifm_depth=2048,
            wgt_entries=9, max_entries=49, patterns=False,
        ),
        (2093, 376, 121190, 190854, 20472),
    ),
    (
        Accelerator(
            tm=8, tn=8, tr=8, tc=8, ifm_bits=64, wgt_bits=64, ofm_bits=64, ifm_depth=512,
            wgt_entries=9, max_entries=9, patterns=False, shared_bus=True,
        ),
        (83, 8, 17953, 15355, 2592),
    ),
    (
        Accelerator(
            tm=8, tn=8, tr=8, tc=8, ifm_bits=128, wgt_bits=128, ofm_bits=128, ifm_depth=512,
            wgt_entries=9, max_entries=9, patterns=False, shared_bus=True,
        ),
        (80, 8, 22622, 17251, 2712),
    ),
    (
        Accelerator(
            tm=8, tn=8, tr=8, tc=8, ifm_bits=64, wgt_bits=64, ofm_bits=64, ifm_depth=512,
            wgt_entries=9, max_entries=9, act_bits=8, weight_bits=8, patterns=False, taps=2,
        ),
        (89, 8, 16220, 12351, 1728),
    ),
    (
        Accelerator(
            tm=16, tn=8, tr=7, tc=7, ifm_bits=128, wgt_bits=128, ofm_bits=64, ifm_depth=512,
            wgt_entries=9, max_entries=25, patterns=False, taps=4,
        ),
        (174, 32, 31648, 27336, 4400),
    ),
    (
        Accelerator(
            tm=8, tn=8, tr=8, tc=8, ifm_bits=64, wgt_bits=64, ofm_bits=64, ifm_depth=200,
            wgt_entries=9, max_entries=9, patterns=True, taps=4,
        ),
        (110, 16, 22539, 18275, 2296),
    ),
    (
        Accelerator(
            tm=8, tn=8, tr=8, tc=8, ifm_bits=64, wgt_bits=64, ofm_bits=64, ifm_depth=512,
            wgt_entries=9, max_entries=9, act_bits=8, weight_bits=8, patterns=False, taps=2, dsp_packing=True,
        ),
        (57, 8, 16410, 12164, 1728),
    ),
    (
        Accelerator(
            tm=16, tn=8, tr=7, tc=7, ifm_bits=32, wgt_bits=64, ofm_bits=64, ifm_depth=300,
            wgt_entries=9, max_entries=9, act_bits=8, weight_bits=6, patterns=True, dsp_packing=True,
        ),
        (86, 16, 20576, 16188, 2856),
    ),
    (
        Accelerator(
            tm=32, tn=16, tr=14, tc=14, ifm_bits=64, wgt_bits=128, ofm_bits=128, ifm_depth=1024,
            wgt_entries=9, max_entries=9, act_bits=8, weight_bits=8, patterns=False, dsp_packing=True,
        ),
        (285, 79, 34256, 35471, 3280),
    ),
    (
        Accelerator(
            tm=4, tn=4, tr=4, tc=4, ifm_bits=32, wgt_bits=32, ofm_bits=32, ifm_depth=128,
            wgt_entries=4, max_entries=9, act_bits=8, weight_bits=4, patterns=False, fabric_rows=4,
        ),
        (8, 1, 9759, 9080, 656),
    ),
    (
        Accelerator(
            tm=8, tn=8, tr=8, tc=8, ifm_bits=64, wgt_bits=64, ofm_bits=64, ifm_depth=200,
            wgt_entries=9, max_entries=9, act_bits=8, weight_bits=7, patterns=True, dsp_packing=True,
            fabric_rows=6,
        ),
        (27, 8, 16156, 13916, 1648),
    ),
]  # fmt: skip
