"""Pattern sets of section 3.2."""

import pytest

from hotnas_hls.errors import ConfigError
from hotnas_hls.models.patterns import PatternSet


@pytest.mark.parametrize(
    ("kernel", "zeros", "count", "ones"),
    [
        (3, 1, 6, 8),
        (3, 2, 21, 7),
        (3, 3, 56, 6),
        (3, 4, 70, 5),
        (3, 5, 21, 4),
        (5, 6, 924, 19),
        (5, 8, 495, 17),
    ],
)
def test_sizes(kernel, zeros, count, ones):
    patterns = PatternSet(kernel, zeros)
    assert (len(patterns), patterns.ones) == (count, ones)
    assert all(patterns.mask(index).sum() == ones for index in range(count))


@pytest.mark.parametrize(
    ("index", "zero_cells"),
    [(0, (0, 1, 2)), (8, (0, 2, 6)), (14, (0, 3, 8)), (23, (1, 2, 6)), (42, (2, 5, 8)), (55, (6, 7, 8))],
)
def test_recorded_indices(index, zero_cells):
    patterns = PatternSet(3, 3)
    assert patterns.zero_cells[index] == zero_cells
    assert [cell for cell, one in enumerate(patterns.mask(index).flat) if not one] == list(zero_cells)


def test_5x5_keeps_the_middle():
    kept = {2, 6, 7, 8, 10, 11, 12, 13, 14, 16, 17, 18, 22}
    for zeros in (6, 8):
        assert not kept & {cell for cells in PatternSet(5, zeros).zero_cells for cell in cells}


@pytest.mark.parametrize(("zeros", "never"), [(1, {7, 8}), (2, {8}), (5, {8})])
def test_cells_the_loops_missed(zeros, never):
    zeroed = {cell for cells in PatternSet(3, zeros).zero_cells for cell in cells}
    assert zeroed == set(range(9)) - {4} - never


def test_refusals():
    with pytest.raises(ConfigError, match="^no pattern set for 7x7 kernels; there is 3x3 and 5x5$"):
        PatternSet(7, 3)
    with pytest.raises(ConfigError, match="^3x3 patterns zero 1 to 8 cells, not 9$"):
        PatternSet(3, 9)
