"""The constants of ``params.h`` and the assertions that hold them together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hotnas_hls.accel.accelerator import Accelerator
from hotnas_hls.accel.encoding.images import ALIGNMENT
from hotnas_hls.accel.encoding.seal import POLYNOMIAL, SEAL_BITS, signature
from hotnas_hls.accel.integers.activation import LINE_BITS, SEGMENT_BITS
from hotnas_hls.accel.layer import IntegerNetwork, Layer
from hotnas_hls.accel.plan import (
    BIAS_BITS,
    MIN_SWEEP,
    PATTERN_BITS,
    LayerPlan,
    ceil_div,
    entry_count,
    layer_beats,
)
from hotnas_hls.accel.timing.latency import drain_beat
from hotnas_hls.accel.timing.pipeline import ARRAY_STAGES
from hotnas_hls.base.escaping import Code
from hotnas_hls.codegen.registers import IDENTITY
from hotnas_hls.codegen.rtl import profile_slots

LINE = 100  # columns of a C++ line
PATTERN_COUNT = 1 << PATTERN_BITS

# An m_axi port of Vitis HLS buffers outstanding x burst beats: 512 fill a block RAM's depth and
# cover a memory latency of several hundred cycles.
HLS_OUTSTANDING = 16
HLS_BURST_BEATS = 32
HLS_LATENCY = 64
FIFO_BEATS = 2 * HLS_BURST_BEATS

RUNS_AHEAD = HLS_OUTSTANDING
ASK_STAGES = 2  # of a loop that finds runs: address, run
LOAD_STAGES = 3  # of a loop that reads a master, or on chip: address, beat, word
FILL_DISTANCE = MIN_SWEEP  # cycles between a word's way into the IFM buffer and its first use
START_FIFO_DEPTH = 2  # of what starts a stage of a dataflow region, by default: UG1399, config_dataflow
FIFO_LAYERS = 2  # between two stages: of what there is one of a layer
FIFO_PIECES = 4
STORED_MESSAGES = 2  # of a layer, beside one for each word of its last output tile on chip

PROFILE_WORDS = 8
PROFILE_COUNTERS = 6  # words in use; the others are reserved


def stored_messages(accel: Accelerator) -> int:
    """The most that store_ofm tells load_ifm of a layer."""
    blocks = accel.tm // accel.channel_block
    return STORED_MESSAGES + (accel.ofm_depth * blocks if accel.map_words else 0)


@dataclass(frozen=True)
class Line:
    """One constant of params.h."""

    name: str
    value: int
    meaning: str = ""


@dataclass(frozen=True)
class Check:
    """One static_assert: the condition in C++, and the sentence a reader gets when it fails."""

    condition: str
    sentence: str

    @property
    def code(self) -> Code:
        """The assertion in C++."""
        one_line = f'static_assert({self.condition}, "{self.sentence}");'
        if len(one_line) <= LINE:
            return Code(one_line)
        return Code(f'static_assert({self.condition},\n              "{self.sentence}");')


@dataclass(frozen=True)
class _Group:
    title: str
    lines: list[str]


def _group(title: str, *constants: Line) -> _Group:
    """Constants with their comments in one column, as clang-format has it."""
    code = [f"constexpr int {c.name} = {c.value};" for c in constants]
    lines = list(code)
    start = 0
    while start < len(code):  # comments are aligned within runs of commented lines
        end = start
        while end < len(code) and constants[end].meaning:
            end += 1
        width = max((len(text) for text in code[start:end]), default=0)
        for i in range(start, end):
            lines[i] = f"{code[i]:<{width}}  // {constants[i].meaning}"
        start = end + 1
    return _Group(title, lines)


def _page_beats(accel: Accelerator) -> int:
    """Beats of a master's page of weights."""
    return ALIGNMENT // (accel.wgt_bits // 8)


def constant_groups(net: IntegerNetwork, accel: Accelerator, plans: dict[str, LayerPlan]) -> list[_Group]:
    block = accel.channel_block
    sum_bits = accel.weight_bits + accel.act_bits + (accel.tn - 1).bit_length()
    return [
        _group(
            "The MAC array.",
            Line("kTm", accel.tm, "output channels in parallel"),
            Line("kTn", accel.tn, "input channels in parallel"),
            Line("kTd", accel.td, "channels in parallel in channel-wise layers"),
            Line("kTaps", accel.taps, "kernel positions per cycle of each of these"),
            Line("kRowsPerDsp", accel.rows_per_dsp, "output channels that share their multipliers"),
            Line("kFabricRows", accel.fabric_rows, "of Tm, the last, with products in LUTs"),
            Line("kMinSweep", MIN_SWEEP, "cycles between two sums into one pixel"),
        ),
        _group(
            "Numbers.",
            Line("kActBits", accel.act_bits),
            Line("kWeightBits", accel.weight_bits, "widest weight"),
            Line("kAccBits", accel.acc_bits),
            Line("kSumBits", sum_bits, "of Tn products"),
            Line("kRequantBits", accel.acc_bits + 2, "accumulator plus residual plus rounding"),
        ),
        _group(
            "Ports.",
            Line("kIfmBits", accel.ifm_bits),
            Line("kWgtBits", accel.wgt_stream_bits, "of all masters of the weights"),
            Line("kOfmBits", accel.ofm_bits),
            Line("kIfmBeatBytes", accel.ifm_bits // 8),
            Line("kWgtBeatBytes", accel.wgt_stream_bits // 8),
            Line("kWgtWords", accel.wgt_stream_bits // 32, "32-bit words per beat"),
            Line("kWgtMasters", accel.wgt_masters, "a page of each follows one of the others"),
            Line("kWgtPartWords", accel.wgt_bits // 32, "32-bit words per beat of a master"),
            Line("kWgtPageBeats", _page_beats(accel), "beats of a page"),
            Line("kWgtBeatsPerPlane", accel.wgt_beats_per_plane),
            Line("kOfmBeatBytes", accel.ofm_bits // 8),
        ),
        _group(
            "Words: one pixel of one channel block.",
            Line("kChannelBlock", block, "activations per word"),
            Line("kWordBytes", accel.word_bytes),
            Line("kIfmBeatsPerWord", accel.ifm_beats_per_word),
            Line("kOfmBeatsPerWord", accel.ofm_beats_per_word),
            Line("kIfmLanes", accel.ifm_bits // accel.act_bits, "activations per IFM beat"),
            Line("kOfmLanes", accel.ofm_bits // accel.act_bits, "activations per OFM beat"),
        ),
        _group(
            "Buffers.",
            Line("kIfmDepth", accel.ifm_depth, "words per IFM bank"),
            Line("kIfmAddressBits", accel.ifm_depth.bit_length(), "of a word there"),
            Line("kIfmBanks", accel.tn // block, "channel blocks of an input slice"),
            Line("kIfmPorts", accel.read_ports, "pixels read per cycle"),
            Line("kOfmDepth", accel.ofm_depth, "pixels per accumulator bank"),
            Line("kPixelBits", max(accel.ofm_depth, MIN_SWEEP).bit_length(), "of a pixel of a sweep"),
            Line("kOfmBanks", accel.tm // block, "channel blocks of an output tile"),
            Line("kRunsAhead", RUNS_AHEAD, "runs asked for before the first beat is taken"),
            Line("kRunsUnanswered", RUNS_AHEAD // 2, "runs written before the first one's answer"),
            Line("kRunFifoDepth", 2 * RUNS_AHEAD, "runs between who finds them and who asks for them"),
            Line("kDescriptorFifoDepth", FIFO_LAYERS, "layers between two stages"),
            Line("kPieceFifoDepth", FIFO_PIECES, "pieces between plan_compute and compute"),
            Line("kStoredFifoDepth", stored_messages(accel), "all that store_ofm tells load_ifm of a layer"),
            Line("kLayerEndDepth", FIFO_LAYERS, "ends of layers that were not counted yet"),
            Line("kFillDistance", FILL_DISTANCE, "cycles between filling a word in and reading it"),
            Line("kMapWords", accel.map_words, "of maps kept on chip"),
            Line("kResidualWords", accel.residual_depth, "the first of them, which residuals read"),
            Line("kWeightPlanes", accel.weight_planes, "of weights kept on chip"),
            Line("kIfmFifoDepth", FIFO_BEATS, "words between load_ifm and compute"),
            Line("kRowFifoDepth", 2 * accel.wgt_entries, "rows of weights between load_wgt and compute"),
            Line("kPatternFifoDepth", 2, "patterns of jobs between them"),
            Line("kBiasFifoDepth", 2, "biases of output tiles between them"),
        ),
        _group(
            "Weight jobs.",
            Line("kWgtEntries", accel.wgt_entries, "entries (kernel positions) per weight slot"),
            Line("kMaxEntries", accel.table_rows, "rows of a descriptor's entry table"),
            Line("kEntryWords", accel.entry_words, "32-bit words of a row: a byte a read port"),
            Line("kPatterns", PATTERN_COUNT if accel.patterns else 1, "patterns a kernel may follow"),
            Line("kPatternBits", PATTERN_BITS),
            Line("kRowsPerGroup", accel.rows_per_group, "rows of Tn weights in one bit-plane group"),
            Line("kPartsPerRow", accel.parts_per_row, "groups that make one row"),
            Line("kPlaneBits", accel.plane_width, "bits of a plane: one of as many weights"),
            Line("kPlaneWords", accel.plane_width // 32, "32-bit words per plane"),
            Line("kBiasPerPlane", accel.plane_width // BIAS_BITS),
            Line("kBiasPlanes", ceil_div(accel.tm * BIAS_BITS, accel.plane_width)),
        ),
        _group(
            "Descriptors and profile.",
            Line("kDescriptorBytes", accel.descriptor_bytes),
            Line("kDescriptorBeats", 8 * accel.descriptor_bytes // accel.wgt_stream_bits),
            Line("kDescriptorHeaderWords", accel.header_words),
            Line("kProducts", int(accel.products), "1: residuals may multiply, and be vectors"),
            Line("kLineWords", accel.line_words, "lines of an activation behind them"),
            Line("kLineBits", LINE_BITS, "of a line's base and of its rise"),
            Line("kSegmentBits", SEGMENT_BITS, "of an activation, upper ones: its segment"),
            Line("kSealBits", SEAL_BITS, "of a descriptor's checksum"),
            Line("kSealTerms", POLYNOMIAL ^ 1 << SEAL_BITS, "of its polynomial, the leading one left out"),
            Line("kSignature", signature(accel), "checksum of every descriptor made for this design"),
            Line("kProfileSlots", profile_slots(len(net.layers)), "one per layer, the last for the run"),
            Line("kProfileWords", PROFILE_WORDS),
            Line("kProfileCounters", PROFILE_COUNTERS),
            Line("kIdentityWords", IDENTITY.bytes // 4),
        ),
        _group(
            "Stages of the loops' pipelines, as tb/schedule.h reckons: a tool may take others.",
            Line("kPortBeats", HLS_OUTSTANDING * HLS_BURST_BEATS, "held by a port until they are taken"),
            Line("kSharedBus", int(accel.shared_bus), "1: all beats that are read come over one bus"),
            Line("kStartFifoDepth", START_FIFO_DEPTH, "layers a stage may begin before those behind end one"),
            Line("kAskStages", ASK_STAGES),
            Line("kLoadStages", LOAD_STAGES),
            Line("kComputeStages", ARRAY_STAGES + accel.tree_levels, "those of the RTL twin"),
            Line("kStoreStages", drain_beat(accel), "likewise"),
        ),
        _trip_counts(net, accel, plans),
    ]


def _trip_counts(net: IntegerNetwork, accel: Accelerator, plans: dict[str, LayerPlan]) -> _Group:
    """Largest counts of this network: they tell the HLS reports how long a loop runs."""

    def largest(count: Callable[[LayerPlan, Layer], int]) -> int:
        return max(count(plans[layer.name], layer) for layer in net.layers)

    def words(plan: LayerPlan, layer: Layer) -> int:
        return plan.slices * plan.slice_blocks * plan.slice_px

    def ifm_pixels(plan: LayerPlan, layer: Layer) -> int:
        columns = layer.read_columns if plan.tiles_c == 1 else plan.tw
        return plan.slices * plan.slice_blocks * plan.th * columns

    def compute_cycles(plan: LayerPlan, layer: Layer) -> int:
        entries = plan.tiles_m * plan.tiles_n * entry_count(layer, accel.taps)
        mac_cycles = entries * max(plan.tr * plan.tc, MIN_SWEEP)
        filling = (words(plan, layer) + (plan.slices + plan.tiles) * FILL_DISTANCE) * plan.tiles
        return filling + plan.tiles * mac_cycles

    def stored_words(plan: LayerPlan, layer: Layer) -> int:
        return plan.m_blocks * plan.tr * plan.tc + 2

    plane_beats = accel.wgt_beats_per_plane
    tiles = largest(lambda plan, layer: plan.tiles)
    ifm_blocks = largest(lambda plan, layer: plan.slices * plan.slice_blocks)
    ifm_rows = largest(lambda plan, layer: plan.th)
    ifm_run = largest(lambda plan, layer: (plan.th if plan.tiles_c == 1 else 1) * layer.read_columns)
    ofm_run = largest(lambda plan, layer: plan.tc * (plan.tr if plan.tiles_c == 1 else 1))
    ofm_rows = largest(lambda plan, layer: plan.tr)
    wgt_beats = largest(layer_beats) * plane_beats
    block_pixels = largest(lambda plan, layer: plan.tr * plan.tc)
    return _group(
        "Loop counts of this network at most, for the tool's reports alone.",
        Line("kTripLayers", len(net.layers)),
        Line("kTripTiles", tiles),
        Line("kTripPieces", 2 * largest(lambda plan, layer: plan.slices + 1 + plan.tiles)),
        Line("kTripIfmRuns", ifm_blocks * ifm_rows),
        Line("kTripIfmRun", ifm_run * accel.ifm_beats_per_word),
        Line("kTripIfmWords", largest(ifm_pixels)),
        Line("kTripIfmBeats", largest(ifm_pixels) * accel.ifm_beats_per_word),
        Line("kTripWgtRuns", 1 if accel.wgt_masters == 1 else ceil_div(wgt_beats, _page_beats(accel)) + 1),
        Line("kTripWgtBeats", wgt_beats),
        Line("kTripOutputTiles", largest(lambda plan, layer: plan.tiles_m)),
        Line("kTripJobSteps", largest(lambda plan, layer: plan.tiles_m * plan.tiles_n * plan.chunks) + 1),
        Line("kTripComputeCycles", largest(compute_cycles)),
        Line("kTripRun", sum(compute_cycles(plans[layer.name], layer) for layer in net.layers)),
        Line("kTripStored", largest(stored_words)),
        Line("kTripOfmRows", ofm_rows),
        Line("kTripOfmRuns", accel.tm // accel.channel_block * ofm_rows),
        Line("kTripOfmBeats", accel.tm // accel.channel_block * block_pixels * accel.ofm_beats_per_word),
        Line("kTripOfmRun", ofm_run * accel.ofm_beats_per_word),
    )


def checks(accel: Accelerator) -> list[Check]:
    """What the engines rely on, re-checked by the compiler."""
    found = [
        Check("kActBits == 8 || kActBits == 16", "Activations are 8 or 16 bits."),
        Check("sizeof(Act) * 8 == kActBits", "Act holds exactly one activation."),
        Check("kWeightBits >= 2 && kWeightBits <= 16", "Weights are 2 to 16 bits."),
        Check("sizeof(Weight) * 8 >= kWeightBits", "Weight holds the widest weight."),
        Check("sizeof(Acc) * 8 >= kAccBits", "Acc holds an accumulator."),
    ]
    for port in ("Ifm", "Wgt", "Ofm"):
        found.append(
            Check(
                f"power_of_two(k{port}Bits) && k{port}Bits >= 32 && k{port}Bits <= 512",
                "An AXI data port is a power of two from 32 to 512 bits wide.",
            )
        )
        found.append(Check(f"k{port}BeatBytes * 8 == k{port}Bits", "Beats are counted in whole bytes."))
    found += [
        Check(
            "kChannelBlock * kActBits >= kIfmBits && kChannelBlock * kActBits >= kOfmBits",
            "A word is as wide as the feature-map ports or wider.",
        ),
        Check("kWordBytes * 8 == kChannelBlock * kActBits", "A word is a channel block of activations."),
        Check("kIfmLanes * kIfmBeatsPerWord == kChannelBlock", "IFM beats fill a word exactly."),
        Check("kOfmLanes * kOfmBeatsPerWord == kChannelBlock", "OFM beats empty a word exactly."),
        Check("kTm % kChannelBlock == 0", "Tm is a whole number of channel blocks."),
        Check("kTn % kChannelBlock == 0", "Tn is a whole number of channel blocks."),
        Check("kTd == (kTm < kTn ? kTm : kTn)", "Td is the smaller of Tm and Tn."),
        Check("kIfmBanks * kChannelBlock == kTn", "The IFM banks hold one input slice side by side."),
        Check("kOfmBanks * kChannelBlock == kTm", "The accumulators are one output tile side by side."),
        Check("kIfmDepth >= 1 && kOfmDepth >= 1", "The buffers hold at least one pixel."),
        Check("1 << kIfmAddressBits > kIfmDepth", "An address reaches every word of a bank."),
        Check(
            "1 << kPixelBits > kOfmDepth && 1 << kPixelBits > kMinSweep", "A sweep's cycles can be counted."
        ),
        Check(
            "!kDspPacking || (kActBits <= 8 && kWeightBits <= 8)",
            "A DSP slice forms two products of 8-bit factors.",
        ),
        Check("kTm % kRowsPerDsp == 0", "Channels that share their multipliers are in the same output tile."),
        Check("kFabricRows >= 0 && kFabricRows <= kTm", "Rows with products in LUTs are the array's."),
        Check("kFabricRows % kRowsPerDsp == 0", "Channels share no multipliers with others in LUTs."),
        Check("kTaps == 5 || 4 % kTaps == 0", "A channel lane takes 1, 2, 4 or 5 positions a cycle."),
        Check("kLineWords % kEntryWords == 0", "Entries begin with a whole row."),
        Check("kTaps <= kTd", "Each tap has a weight row, and Tn lanes hide the sum of the taps."),
        Check(
            "kIfmPorts == (kTaps > kPatterns ? kTaps : kPatterns)",
            "An IFM read port per pattern, or per tap.",
        ),
        Check("kPatterns == 1 || kPatterns == 1 << kPatternBits", "A pattern number fills its bits."),
        Check("kWgtWords * 32 == kWgtBits", "Beats are read in whole 32-bit words."),
        Check("kMinSweep >= 4", "Reading, adding and writing an accumulator takes four cycles."),
        Check("kFillDistance >= 4", "Words are read four cycles after they were filled in."),
        Check("kDescriptorHeaderWords % kWgtWords == 0", "A descriptor's header is whole beats."),
        Check(
            "kSealTerms >> (2 * kSealBits - 31) == 0",
            "What lies above a checksum is reduced in a single step.",
        ),
        Check("kPlaneWords * 32 == kPlaneBits", "Planes are read in whole 32-bit words."),
        Check("kWgtBeatsPerPlane * kWgtBits == kPlaneBits", "Beats of the weight port fill a plane exactly."),
        Check("kTn <= kPlaneBits || kTn % kPlaneBits == 0", "A row of weights is cut into whole groups."),
        Check("kPartsPerRow == ceil_div(kTn, kPlaneBits)", "The parts of a row hold all Tn weights."),
        Check(
            "kRowsPerGroup == (kPlaneBits >= kTn ? kPlaneBits / kTn : 1)",
            "A group holds as many rows as fit.",
        ),
        Check("kRowsPerGroup == 1 || kPartsPerRow == 1", "A group holds whole rows, or a row whole groups."),
        Check("kBiasPerPlane * 32 == kPlaneBits", "Biases are 32 bits."),
        Check("kBiasPlanes == ceil_div(kTm, kBiasPerPlane)", "The bias section holds Tm biases."),
        Check("kWgtEntries >= 1 && kWgtEntries <= 255", "Entries of a job are counted in 8 bits."),
        Check("kDescriptorBytes % 64 == 0", "A descriptor is a whole number of beats of any port."),
        Check(
            "kDescriptorBytes >= 4 * (kDescriptorHeaderWords + kMaxEntries)",
            "A descriptor holds its header and its entry table.",
        ),
        Check(
            "power_of_two(kProfileSlots) && kProfileSlots > kTripLayers",
            "The profile has a power of two of rows, one more than layers.",
        ),
    ]
    return found
