"""What the Python driver refuses instead of computing something else."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from hotnas_hls.accel.design_point import DesignPoint
from hotnas_hls.accel.integers.reference import run_network
from hotnas_hls.base.tools import find
from hotnas_hls.simulate.simulated_board import CachedBuffer, SimulatedBoard

pytestmark = [
    pytest.mark.xdist_group("small_board"),
    pytest.mark.skipif(find("verilator") is None or find("g++") is None, reason="needs Verilator and g++"),
]


@pytest.fixture
def driver(simulated: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    path = simulated / "driver" / "hotnas_pynq.py"
    module = ModuleType("hotnas_pynq")
    module.__file__ = str(path)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(compile(path.read_text(), str(path), "exec"), vars(module))
    return module


def test_images_of_another_type_or_range(driver: ModuleType, library: Path, point: DesignPoint) -> None:
    board = SimulatedBoard(library)
    accelerator = driver.Accelerator(board, allocate=board.allocate)
    zeros = np.zeros((1, 8, 8))

    def refusal(image: np.ndarray, quantised: bool) -> str:
        started = board.cycles
        with pytest.raises(driver.AcceleratorError) as refused:
            accelerator.run(image, quantised=quantised)
        assert board.cycles == started  # before anything ran
        return str(refused.value)

    bits = point.accelerator.act_bits
    limit = 1 << (bits - 1)
    range_text = f"this design takes signed integers of {bits} bits, {-limit} to {limit - 1}"
    beyond = np.full((1, 8, 8), limit + 72, dtype=np.uint32 if bits > 8 else np.uint8)
    assert refusal(beyond, True) == f"quantised images hold {limit + 72} to {limit + 72}; {range_text}"
    below = zeros.astype(np.int64)
    below[0, 0, 0] = -limit - 1
    assert refusal(below, True) == f"quantised images hold {-limit - 1} to 0; {range_text}"
    assert refusal(zeros.astype(np.float32), True) == "quantised images must be integers, not float32"
    assert refusal(zeros.astype(complex), False) == "images must be numbers, not complex128"
    for value in (np.nan, np.inf):
        image = zeros.copy()
        image[0, 7, 7] = value
        assert refusal(image, False) == "images hold NaN or infinity"
    largest = np.full((1, 8, 8), min(limit - 1, 127), dtype=np.uint8)  # unsigned, and in range
    net = point.integer_network()
    expected = run_network(net, largest.astype(np.int64))[net.logits].ravel()
    assert (accelerator.run(largest, quantised=True).integers == expected).all()
    accelerator.design["act_bits"] = 8  # as of an 8-bit design, to which a pixel of 200 would be -56
    assert refusal(np.full((1, 8, 8), 200, dtype=np.uint8), True) == (
        "quantised images hold 200 to 200; this design takes signed integers of 8 bits, -128 to 127"
    )


@pytest.mark.parametrize("buffer", ["feature maps", "weights"])
def test_buffers_that_do_not_begin_on_a_page(buffer: str, driver: ModuleType, library: Path) -> None:
    board = SimulatedBoard(library)
    addresses: list[int] = []

    def allocate(shape: tuple[int], dtype: type) -> CachedBuffer:
        made = board.allocate(shape, dtype)
        assert made.device_address is not None
        if len(addresses) == ("feature maps", "weights").index(buffer):
            made.device_address += 64
        addresses.append(made.device_address)
        return made

    with pytest.raises(driver.AcceleratorError) as refused:
        driver.Accelerator(board, allocate=allocate)
    address = addresses[("feature maps", "weights").index(buffer)]
    assert str(refused.value) == f"the buffer of the {buffer} lies at 0x{address:x}, not on a 4 KiB page"
