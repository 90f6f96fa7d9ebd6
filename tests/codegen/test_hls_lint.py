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
        "include/load_wgt.h",
        "variable = lanes dim",
        "variable = lane dim",
        "no variable lane",
    ),
    (
        "names-exist",
        "include/run_layers.h",
        "HLS_LUTRAM_FIFO(rows)",
        "HLS_LUTRAM_FIFO(row)",
        "run_layers has no variable row",
    ),
    (
        "names-exist",
        "include/load_wgt.h",
        "variable = words dim = 1",
        "variable = words dim = 2",
        "words has no dimension 2",
    ),
    ("names-exist", "src/accelerator.cpp", "port=layer_count", "port=layers", "no variable layers"),
    ("loops-labelled", "include/mac.h", "FINISH_LANE:\n", "", "has no label"),
    (
        "loops-bounded",
        "include/load_ifm.h",
        "HLS_VITIS(loop_tripcount min = 1 max = kTripIfmRun)",
        "",
        "LOAD_IFM_BEAT has neither",
    ),
    (
        "loops-bounded",
        "include/weights.h",
        "index < kBiasPlanes;",
        "index < unpacking.group;",
        "UNPACK_BIAS has neither",
    ),
    (
        "loops-bounded",
        "src/accelerator.cpp",
        "  return static_cast<int>(status);",
        "SPIN:\n  while (layer_count > 0) --layer_count;\n  return static_cast<int>(status);",
        "only for loops",
    ),
    (
        "no-dynamic-memory",
        "src/accelerator.cpp",
        "std::uint32_t status = kStatusOk;",
        "std::uint32_t status = *new std::uint32_t[1];",
        "hotnas_accel uses new",
    ),
    (
        "no-pointer-arithmetic",
        "include/wgt_port.h",
        "const WgtPart part_0 = wgt[place];",
        "const WgtPart part_0 = *(wgt + place);",
        "read_wgt computes with a pointer",
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
        "inline Work work_start(const Tile& tile) {",
        "inline ap_int<9> nine() { return 9; }\ninline Work work_start(const Tile& tile) {",
        "nine returns an ap_int",
    ),
    (
        "no-ap-int-results",
        "include/mac.h",
        "inline Work work_start(const Tile& tile) {",
        "struct Wide {\n  ap_uint<9> bits;\n};\n"
        "inline Wide wide() { return {}; }\ninline Work work_start(const Tile& tile) {",
        "wide returns an ap_int",
    ),
    (
        "memory-is-native",
        "src/accelerator.cpp",
        "std::uint32_t images,",
        "ap_uint<32> images,",
        "argument images of hotnas_accel holds ap_int",
    ),
    (
        "memory-is-native",
        "include/mac.h",
        "HLS_VITIS(array_partition variable = products dim = 1)",
        "",
        "products in mac is a memory of ap_int",
    ),
    (
        "memory-is-native",
        "include/run_layers.h",
        "IfmWords ifm_words;",
        "IfmWords ifm_words;\n  hls::stream<ap_int<9>> narrow;",
        "narrow in run_layers is a memory of ap_int",
    ),
    (
        "no-bit-ranges",
        "include/requantise.h",
        "ap_int<kRequantBits> value = acc;",
        "ap_int<kRequantBits> value = acc;\n  value.range(3, 0) = 0;",
        "uses range()",
    ),
    (
        "pragmas-behind-macros",
        "include/load_wgt.h",
        "HLS_PIPELINE(beat, kLoadStages)",
        "#pragma HLS pipeline II = 1",
        "write it by a macro of include/pragmas.h",
    ),
    (
        "sequential-build",
        "include/run_layers.h",
        "max = kTripTiles)\n    load_ifm_tile",
        "max = kTripTiles)\n    HLS_VITIS(dataflow)\n    load_ifm_tile",
        "run_layer has a dataflow pragma without dataflow",
    ),
    (
        "sequential-build",
        "include/mac.h",
        "inline bool works(",
        "#include <hls_stream.h>\ninline void queue() { hls::stream<int> words; }\ninline bool works(",
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
        "include/run_layers.h",
        "HLS_VITIS(array_reshape variable = even dim = 4)",
        "",
        "dimension 4 of even in run_layer",
    ),
    (
        "partitions-match",
        "include/run_layers.h",
        "HLS_VITIS(array_partition variable = patterns dim = 1)",
        "",
        "dimension 1 of patterns in run_layers",
    ),
    (
        "partitions-match",
        "include/compute.h",
        "HLS_VITIS(array_partition variable = acc dim = 1)",
        "",
        "dimension 1 of acc in compute",
    ),
    (
        "partitions-match",
        "include/mac.h",
        "HLS_VITIS(array_partition variable = x dim = 0)",
        "HLS_VITIS(array_partition variable = x dim = 1)",
        "dimension 2 of x in mac",
    ),
    (  # sums of two tiles in one array: a tool counts the sum's read, its write and that of the drain
        "memory-ports",
        "include/mac.h",
        "const Acc held = acc[m][work.pixel];",
        "const Acc held = acc[m][work.pixel] + 0 * acc[m][work.column];",
        "COMPUTE_CYCLE reaches acc in compute at 3 places, a bank serves 2 in II = 1",
    ),
    (  # a half of the IFM buffer that is filled and read at two places
        "memory-ports",
        "include/mac.h",
        "x[port][n] = inside ? held : outside;",
        "x[port][n] = inside ? held : even[port][bank][0][lane];",
        "COMPUTE_CYCLE reaches even in compute at 3 places, a bank serves 2 in II = 1",
    ),
    (
        "counts-known",
        "include/load_ifm.h",
        "beat < of.all * of.beats;",
        "beat < left;",
        "the condition of LOAD_IFM_BEAT asks for left, which its body changes",
    ),
    (
        "fifos-block",
        "include/load_ifm.h",
        "  Tile tile = first_tile(layer);\nLOAD_IFM_TILE",
        "  if (words.full()) return;\n  Tile tile = first_tile(layer);\nLOAD_IFM_TILE",
        "load_ifm asks words for full()",
    ),
    (
        "fifo-places",
        "include/mac.h",
        "const WeightPart weights = rows[part].read();",
        "const WeightPart weights = has_patterns ? rows[part].read() : rows[part].read();",
        "COMPUTE_CYCLE has 2 places that read rows, in II = 1",
    ),
    (
        "channels",
        "include/run_layers.h",
        "store_ofm(asked_ofm, lines, residual_runs, ofm_runs, sums, ofm, kept, stored, ended);",
        "store_ofm(asked_ofm, lines, residual_runs, ofm_runs, sums, ofm, kept, stored, ended);\n    "
        "store_ofm(asked_ofm, lines, residual_runs, ofm_runs, sums, ofm, kept, stored, ended);",
        "sums in run_layers is not written by one stage, read by a later one: "
        "compute (written), store_ofm (read), store_ofm (read)",
    ),
    (  # of the region around the loop of regions
        "channels",
        "include/run_layers.h",
        "  count_cycles(steps, layer_count, ended, profile);",
        "  count_cycles(steps, layer_count, ended, profile);\n"
        "  count_cycles(steps, layer_count, ended, profile);",
        "ended in run_counted is not written by one stage, read by a later one: "
        "run_layers (written), count_cycles (read), count_cycles (read)",
    ),
    (  # a FIFO that leads from a layer to the next one
        "channels",
        "include/run_layers.h",
        "load_ifm(asked_ifm, ifm, kept, ifm_runs, stored, ifm_words);",
        "load_ifm(asked_ifm, ifm, kept, ifm_runs, stored, ifm_words);\n    "
        "load_ifm(asked_ifm, ifm, kept, ifm_runs, stored, ifm_words);",
        "stored in run_layers is not read by one stage, written by a later one: "
        "load_ifm (read), load_ifm (read), store_ofm (written), store_ofm (written)",
    ),
]


@pytest.mark.parametrize("dataflow", [True, False])
def test_the_generated_sources_keep_every_rule(dataflow: bool, tmp_path: Path) -> None:
    assert lint(write(generate(small_case(), images=1), tmp_path), dataflow) == []


def test_a_memory_that_leads_back_has_to_be_shared(tmp_path: Path) -> None:
    files = generate(small_case(), images=1)
    files["include/run_layers.h"] = str(files["include/run_layers.h"]).replace("HLS_SHARED(kept)\n", "\n")
    assert [finding.message for finding in lint(write(files, tmp_path))] == [
        "kept in run_layers leads back and is not said to be shared: load_ifm (read), store_ofm (written)"
    ]


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
    found = next(finding for finding in findings if finding.rule == "names-exist")
    message = "names-exist: load_wgt_tile has no variable lane"
    assert re.fullmatch(rf"include/load_wgt\.h:\d+: {message}", str(found))


def test_sources_that_do_not_parse_are_an_error(tmp_path: Path) -> None:
    files = generate(small_case(), images=1) | {"src/accelerator.cpp": "#error broken on purpose\n"}
    with pytest.raises(ValueError, match="broken on purpose"):
        lint(write(files, tmp_path))


def test_every_rule_has_an_example() -> None:
    assert len({rule for rule, *_ in BROKEN}) == len(RULES)
