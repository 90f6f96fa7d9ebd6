"""Our rules for the HLS C++: the generated sources keep them, and each rule rejects an example."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytest.importorskip("clang.cindex")

from codegen.test_hls import generate, needs_csim, small_case, write  # noqa: E402
from hotnas_hls.codegen.hls_lint.rules import RULES, Finding, lint  # noqa: E402

pytestmark = needs_csim

# (rule, file, what is there, what takes its place, what the finding says)
BROKEN = [
    (
        "names-exist",
        "include/compute.h",
        "variable = lanes complete",
        "variable = lane complete",
        "no variable lane",
    ),
    ("names-exist", "include/compute.h", "HLS_LUTRAM(weights)", "HLS_LUTRAM(weight)", "no variable weight"),
    (
        "names-exist",
        "include/run_layer.h",
        "kWgtWords dim = 1",
        "kWgtWords dim = 2",
        "words has no dimension 2",
    ),
    ("names-exist", "src/accelerator.cpp", "port=layer_count", "port=layers", "no variable layers"),
    ("loops-labelled", "include/mac.h", "DRAIN_LANE:\n", "", "has no label"),
    (
        "loops-bounded",
        "include/load_ifm.h",
        "HLS_VITIS(loop_tripcount min = 1 max = kTripSlices)",
        "",
        "LOAD_IFM_SLICE has neither",
    ),
    (
        "loops-bounded",
        "include/weights.h",
        "for (int m = 0; m < kTm; ++m) {\n    HLS_VITIS(unroll)\n    if",
        "for (int m = 0; m < index; ++m) {\n    HLS_VITIS(unroll)\n    if",
        "TAKE_IN_BIAS has neither",
    ),
    (
        "loops-bounded",
        "src/accelerator.cpp",
        "  return kStatusOk;",
        "SPIN:\n  while (layer_count > 0) --layer_count;\n  return kStatusOk;",
        "only for loops",
    ),
    (
        "no-dynamic-memory",
        "src/accelerator.cpp",
        "std::uint32_t entry_table[kMaxEntries];",
        "std::uint32_t* entry_table = new std::uint32_t[kMaxEntries];",
        "hotnas_accel uses new",
    ),
    (
        "no-pointer-arithmetic",
        "src/accelerator.cpp",
        "load_descriptor(wgt, index,",
        "load_descriptor(wgt + 1, index,",
        "hotnas_accel computes with a pointer",
    ),
    (
        "no-recursion",
        "include/weights.h",
        "const int groups = job_groups(layer, job);",
        "const int groups = job_planes(layer, job);",
        "job_planes reaches itself",
    ),
    (
        "no-ap-int-results",
        "include/mac.h",
        "inline Sweep sweep_start() {",
        "inline ap_int<9> nine() { return 9; }\ninline Sweep sweep_start() {",
        "nine returns an ap_int",
    ),
    (
        "no-ap-int-results",
        "include/mac.h",
        "inline Sweep sweep_start() {",
        "struct Wide {\n  ap_uint<9> bits;\n};\n"
        "inline Wide wide() { return {}; }\ninline Sweep sweep_start() {",
        "wide returns an ap_int",
    ),
    (
        "memory-is-native",
        "include/types.h",
        "struct IfmBeat {",
        '#include "integers.h"\nstruct IfmBeat {\n  ap_uint<3> tag;',
        "argument ifm of hotnas_accel holds ap_int",
    ),
    (
        "memory-is-native",
        "include/mac.h",
        "HLS_VITIS(array_partition variable = sums complete dim = 1)",
        "",
        "sums in mac is a memory of ap_int",
    ),
    (
        "memory-is-native",
        "include/run_layer.h",
        'hls::stream<AccWord> sums("sums");',
        'hls::stream<AccWord> sums("sums");\n    hls::stream<ap_int<9>> narrow("narrow");',
        "narrow in run_tiles is a memory of ap_int",
    ),
    (
        "no-bit-ranges",
        "include/store_ofm.h",
        "ap_int<kRequantBits> value = acc;",
        "ap_int<kRequantBits> value = acc;\n  value.range(3, 0) = 0;",
        "uses range()",
    ),
    (
        "pragmas-behind-macros",
        "include/load_wgt.h",
        "HLS_VITIS(pipeline II = 1)",
        "#pragma HLS pipeline II = 1",
        "write it by a macro of include/pragmas.h",
    ),
    (
        "sequential-build",
        "include/run_layer.h",
        "HLS_VITIS(loop_tripcount min = 1 max = kTripTiles)\n    const Tile tile",
        "HLS_VITIS(loop_tripcount min = 1 max = kTripTiles)\n    HLS_VITIS(dataflow)\n    const Tile tile",
        "run_tiles has a dataflow pragma without dataflow",
    ),
    (
        "sequential-build",
        "include/mac.h",
        "inline bool drained(",
        "#include <hls_stream.h>\ninline void queue() { hls::stream<int> words; }\ninline bool drained(",
        "words in queue is a stream without dataflow",
    ),
    (
        "interfaces-complete",
        "src/accelerator.cpp",
        " num_write_outstanding=16",
        "",
        "ofm has no num_write_outstanding",
    ),
    (
        "interfaces-complete",
        "src/accelerator.cpp",
        "HLS_VITIS(interface s_axilite port=return bundle=control)",
        "",
        "return has no s_axilite",
    ),
    (
        "interfaces-complete",
        "src/accelerator.cpp",
        "interface m_axi port=wgt",
        "dummy port=wgt",
        "wgt has no m_axi",
    ),
    (
        "partitions-match",
        "include/compute.h",
        "HLS_VITIS(array_partition variable = weights complete dim = 3)",
        "",
        "dimension 3 of weights in compute",
    ),
    (
        "partitions-match",
        "include/run_layer.h",
        "HLS_VITIS(array_reshape variable = ifm_tile complete dim = 4)",
        "",
        "dimension 4 of ifm_tile in run_tiles",
    ),
    (
        "partitions-match",
        "include/compute.h",
        "HLS_VITIS(array_partition variable = even complete dim = 1)",
        "",
        "dimension 1 of even in compute",
    ),
    (
        "partitions-match",
        "include/mac.h",
        "HLS_VITIS(array_partition variable = x complete dim = 0)",
        "HLS_VITIS(array_partition variable = x complete dim = 1)",
        "dimension 2 of x in mac",
    ),
    (  # a half chosen within one array: a tool counts the sum's read, its write and the drain's read
        "memory-ports",
        "include/compute.h",
        "read_halves(even, odd, even_pixel, odd_pixel, held);",
        "read_halves(even, odd, even_pixel, odd_pixel, held);\n"
        "      read_halves(even, odd, drain.pixel, drain.pixel, held);",
        "COMPUTE_CYCLE reaches odd in compute at 3 places, a bank serves 2 in II = 1",
    ),
    (  # a row read where it is used: in each of the ways there are
        "memory-ports",
        "include/mac.h",
        "dot_products(weight, patterns[slot], x, sums)",
        "dot_products(weights[row], patterns[slot], x, sums)",
        "COMPUTE_CYCLE reaches weights in compute at 5 places, a bank serves 2 in II = 1",
    ),
]


@pytest.mark.parametrize("dataflow", [True, False])
def test_the_generated_sources_keep_every_rule(dataflow: bool, tmp_path: Path) -> None:
    assert lint(write(generate(small_case(), images=1), tmp_path), dataflow) == []


@pytest.fixture(scope="module")
def findings(tmp_path_factory: pytest.TempPathFactory) -> list[Finding]:
    """Findings in both builds of one package with every rule broken: parsing ap_int takes a while."""
    files = generate(small_case(), images=1)
    for _, file, text, instead, _ in BROKEN:
        source = str(files[file])
        assert text in source, text
        files[file] = source.replace(text, instead, 1)
    folder = write(files, tmp_path_factory.mktemp("broken"))
    return [finding for dataflow in (True, False) for finding in lint(folder, dataflow)]


@pytest.mark.whole
@pytest.mark.parametrize(("rule", "file", "says"), [(rule, file, says) for rule, file, _, _, says in BROKEN])
def test_a_broken_rule_is_found(findings: list[Finding], rule: str, file: str, says: str) -> None:
    found = [finding.message for finding in findings if finding.rule == rule]
    assert any(says in message for message in found), found


def test_a_finding_reads_like_a_compiler_message(findings: list[Finding]) -> None:
    assert re.fullmatch(
        r"include/compute\.h:\d+: names-exist: compute has no variable weight", str(findings[0])
    )


def test_sources_that_do_not_parse_are_an_error(tmp_path: Path) -> None:
    files = generate(small_case(), images=1) | {"src/accelerator.cpp": "#error broken on purpose\n"}
    with pytest.raises(ValueError, match="broken on purpose"):
        lint(write(files, tmp_path))


def test_every_rule_has_an_example() -> None:
    assert len({rule for rule, *_ in BROKEN}) == len(RULES)
