"""RAM of AMD's parts: blocks and LUTs that a memory of so many words and bits takes (UG573, UG574)."""

from __future__ import annotations

from hotnas_hls.base.compiled_code import compiled

# One RAMB18: words of so many bits; two halves (RAMB36) hold as many words of twice the bits, or
# twice as many of the same bits. 36 bits are those of a simple dual-port RAM.
BRAM18_SHAPES = ((36, 512), (18, 1024), (9, 2048), (4, 4096), (2, 8192), (1, 16384))
URAM_BITS, URAM_WORDS = 72, 4096  # of an UltraRAM block
RAM_WORDS = 512  # depths that are multiples of it fill whole blocks of either kind
LUT_RAM_DEPTH = 64  # words up to which sdp_ram is LUT RAM (its LutDepth)
LUTS_PER_RAM_CELL = 8  # RAM32M16 and RAM64M8: the LUTs of half a CLB
RAM_CELL_32_BITS = 14  # bits a cell holds of 32 words: one of its LUTs takes the write address
RAM_CELL_64_BITS = 7  # of 64 words
DEEP_MUX_BANKS = 4  # inputs of a multiplexer in one LUT6


def uram(width: int, depth: int) -> int:
    """UltraRAM blocks of a memory of ``depth`` words of ``width`` bits."""
    return -(-width // URAM_BITS) * -(-depth // URAM_WORDS)


def bram18(width: int, depth: int) -> int:
    """RAMB18 halves of a memory of ``depth`` words of ``width`` bits, all in one shape: the fewest."""
    return block_ram(width, depth)[0]


@compiled
def block_ram(width: int, depth: int) -> tuple[int, int]:
    """Halves of the cheapest shape and how many of them lie behind one another; of equals the deepest."""
    fewest, fewest_banks = 1 << 60, 0
    for bits, words in BRAM18_SHAPES:
        for halves, shape_bits, shape_words in ((1, bits, words), (2, 2 * bits, words), (2, bits, 2 * words)):
            banks = -(-depth // shape_words)
            needed = halves * -(-width // shape_bits) * banks
            if needed < fewest or (needed == fewest and banks < fewest_banks):
                fewest, fewest_banks = needed, banks
    return fewest, fewest_banks


@compiled
def lut_ram(width: int, depth: int) -> int:
    """LUTs of a memory in LUT RAM, one write and one read port, without its read multiplexer."""
    if depth <= 32:
        return -(-width // RAM_CELL_32_BITS) * LUTS_PER_RAM_CELL
    return -(-width // RAM_CELL_64_BITS) * -(-depth // 64) * LUTS_PER_RAM_CELL


@compiled
def deep_mux(width: int, depth: int) -> int:
    """LUTs that select between the banks of a deep LUT RAM; none for a single bank."""
    if depth <= LUT_RAM_DEPTH:
        return 0
    return width * -(-depth // (LUT_RAM_DEPTH * DEEP_MUX_BANKS))


@compiled
def bit_length(value: int) -> int:
    """As int.bit_length."""
    count = 0
    while value:
        value >>= 1
        count += 1
    return count
