"""The Python and C drivers on the simulated accelerator: real digits, the reference's answer, every error."""

from __future__ import annotations

import ast
import asyncio
import ctypes
import dataclasses
import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="the default network is trained with torch")

from default_network import digits_integer_network

from hotnas_hls.accel.accelerator import Accelerator
from hotnas_hls.accel.encoding.images import map_memory, pack_feature_map, weight_image
from hotnas_hls.accel.host_work import Answer, HostWork, Output, Preparation, View
from hotnas_hls.accel.image_layout import ImageLayout, Stem
from hotnas_hls.accel.integers.random_numbers import random_numbers
from hotnas_hls.accel.integers.reference import run_network
from hotnas_hls.accel.layer import FeatureMap, IntegerNetwork, Layer, LayerKind
from hotnas_hls.accel.pieces import pieces_of
from hotnas_hls.accel.plan import Tile
from hotnas_hls.accel.timing.memory_timing import MemoryTiming
from hotnas_hls.accel.timing.tile_choice import best_tiles
from hotnas_hls.accel.traffic import network_beats
from hotnas_hls.base.shipped import shipped_folder
from hotnas_hls.base.tools import find
from hotnas_hls.codegen.driver import driver_files
from hotnas_hls.codegen.hls import golden_answers
from hotnas_hls.codegen.ports import masters
from hotnas_hls.codegen.registers import IDENTITY, MAP, REGISTERS, RTL_FEATURES, Identity
from hotnas_hls.codegen.render import Banner
from hotnas_hls.codegen.rtl import rtl_files
from hotnas_hls.codegen.testbench import bench_files
from hotnas_hls.models.data import digits
from hotnas_hls.network.quantise import quantise_image
from hotnas_hls.simulate.simulated_board import PAGE, CachedBuffer, SimulatedBoard, build

BANNER = Banner("digits", "0123456789abcdef" * 4)
HARNESS = Path(__file__).with_name("board_harness.c")
REGISTER = {register.name: register.offset for register in REGISTERS}
CTRL, GIER, IER, ISR = (REGISTER[name] for name in ("ctrl", "gier", "ier", "isr"))
START, DONE, IDLE, AUTO_RESTART = 0x01, 0x02, 0x04, 0x80
IMAGES = 3
C_FLAGS = ("-std=c99", "-O2", "-Wall", "-Wextra", "-Wpedantic", "-Werror")
needs_verilator = pytest.mark.skipif(
    find("verilator") is None or find("g++") is None, reason="needs Verilator and g++"
)
needs_compiler = pytest.mark.skipif(find("g++") is None, reason="needs gcc")


@dataclass(frozen=True)
class Design:
    """The default network on a small accelerator, its drivers on disk."""

    net: IntegerNetwork
    accel: Accelerator
    tiles: dict[str, Tile]
    folder: Path

    def expected(self, images: np.ndarray) -> np.ndarray:
        """The reference's logits, integers (B, classes)."""
        return np.array(
            [
                run_network(self.net, quantise_image(self.net, image))[self.net.logits].ravel()
                for image in images
            ]
        )


@pytest.fixture(scope="module")
def design(tmp_path_factory: pytest.TempPathFactory) -> Design:
    """Its weights are striped, so that the drivers meet both: plain ones are ``test_selftest``'s."""
    net = digits_integer_network()
    ports = {"ifm_bits": 64, "wgt_bits": 32, "ofm_bits": 64, "wgt_masters": 2}
    accel = Accelerator(
        8, 8, 8, 8, **ports, ifm_depth=1024, wgt_entries=9, max_entries=9, patterns=False
    )  # fmt: skip
    tiles = best_tiles(net.layers, accel, MemoryTiming())
    folder = tmp_path_factory.mktemp("package")
    write(driver_files(net, accel, tiles, banner=BANNER), folder)
    (folder / "weights").mkdir()
    image = weight_image(net, accel, tiles, map_memory(net, accel, tiles))
    (folder / "weights" / "weights.bin").write_bytes(image)
    return Design(net, accel, tiles, folder)


@pytest.fixture(scope="module")
def library(design: Design, tmp_path_factory: pytest.TempPathFactory) -> Path:
    rtl = rtl_files(design.accel, len(design.net.layers), BANNER)
    return build(rtl, tmp_path_factory.mktemp("board"), bench=bench_files(masters(design.accel)))


@pytest.fixture(scope="module")
def driver(design: Design) -> ModuleType:
    return load(design.folder)


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return digits().test.images[:IMAGES]


def write(files: dict[str, str | bytes], folder: Path) -> None:
    for name, contents in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(contents if isinstance(contents, bytes) else contents.encode())


def load(folder: Path) -> ModuleType:
    """The generated Python driver as a module."""
    path = folder / "driver" / "hotnas_pynq.py"
    module = ModuleType("hotnas_pynq")
    module.__file__ = str(path)
    sys.modules[module.__name__] = module
    exec(compile(path.read_text(), str(path), "exec"), vars(module))
    return module


# --- Python ---------------------------------------------------------------------------------------------


@needs_verilator
def test_python_driver_gives_the_references_answer_twice(
    design: Design, library: Path, driver: ModuleType, images: np.ndarray
) -> None:
    board = SimulatedBoard(library)
    accelerator = driver.Accelerator(board, allocate=board.allocate)
    expected = design.expected(images)
    for _ in range(2):
        result = accelerator.run(images, profile=True)
        assert (result.integers == expected).all()
        assert (result.classes == expected.argmax(axis=1)).all()
    frac_bits = design.net.feature_maps[design.net.logits].frac_bits
    assert result.logits == pytest.approx(expected * 2.0**-frac_bits)
    assert (result.classes == digits().test.labels[:IMAGES]).mean() > 0.5
    assert [list(profile.layers) for profile in result.profiles] == [
        [layer.name for layer in design.net.layers]
    ] * IMAGES
    for profile in result.profiles:
        assert sum(counts["cycles"] for counts in profile.layers.values()) <= profile.cycles
        assert all(counts["compute"] > 0 for counts in profile.layers.values())
    assert accelerator.run(images[0]).profiles is None  # a single image, no profile
    quantised = quantise_image(design.net, images)
    assert (accelerator.run(quantised, quantised=True).integers == expected).all()
    assert board.violations == 0


@needs_verilator
def test_python_driver_runs_a_batch_in_one_start(
    design: Design, library: Path, driver: ModuleType, images: np.ndarray
) -> None:
    board = SimulatedBoard(library)
    accelerator = driver.Accelerator(board, batch=2, allocate=board.allocate)
    result = accelerator.run(images, profile=True)  # two images, then one
    assert (result.integers == design.expected(images)).all()
    pair, single = result.profiles
    assert pair.cycles == 2 * single.cycles
    assert pair.layers == single.layers
    assert board.violations == 0


@needs_verilator
def test_python_driver_explains_faults_and_timeouts(
    design: Design, library: Path, driver: ModuleType, images: np.ndarray
) -> None:
    board = SimulatedBoard(library)
    accelerator = driver.Accelerator(board, allocate=board.allocate)
    expected = design.expected(images[:1])
    second = map_memory(design.net, design.accel, design.tiles).weights[design.net.layers[1].name]
    board.fail_page(2, accelerator._weights.device_address + second)
    with pytest.raises(
        driver.AcceleratorFault, match=r"layer layer1\.0\.conv1: m_axi_wgt .* 0x00010002"
    ) as fault:
        accelerator.run(images[0])
    assert fault.value.status == 0x00010002
    board.fail_page(0, 0)
    assert (accelerator.run(images[0]).integers == expected).all()  # usable again
    accelerator.timeout = 0.0
    with pytest.raises(driver.AcceleratorTimeout, match=r"within 0 s; is its clock running"):
        accelerator.run(images[0])
    with pytest.raises(driver.AcceleratorError, match="still running"):
        accelerator.run(images[0])
    board.run(200_000)
    accelerator.timeout = 10.0
    assert (accelerator.run(images[0]).integers == expected).all()


class Watched(SimulatedBoard):
    """A board on which somebody else always takes the done bit first."""

    def read(self, offset: int) -> int:
        value = super().read(offset)
        return super().read(offset) if offset == CTRL and value & DONE else value


@needs_verilator
def test_python_driver_ends_though_another_reads_the_done_bit(
    design: Design, library: Path, driver: ModuleType, images: np.ndarray
) -> None:
    board = Watched(library)
    accelerator = driver.Accelerator(board, allocate=board.allocate, timeout=5.0)
    assert (accelerator.run(images[0]).integers == design.expected(images[:1])).all()


@needs_verilator
def test_python_driver_keeps_caches_and_memory_in_step(
    design: Design, library: Path, driver: ModuleType, images: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    for forgotten in ("flush", "invalidate"):
        board = SimulatedBoard(library)
        accelerator = driver.Accelerator(board, allocate=board.allocate)
        with monkeypatch.context() as patch:
            patch.setattr(CachedBuffer, forgotten, lambda buffer: None)
            wrong = accelerator.run(images).integers
        assert (wrong != design.expected(images)).any(), forgotten
        assert (accelerator.run(images).integers == design.expected(images)).all()


# --- registers ------------------------------------------------------------------------------------------


@needs_verilator
def test_python_driver_ends_a_run_early_and_the_next_one_works(
    design: Design, library: Path, driver: ModuleType, images: np.ndarray
) -> None:
    board = SimulatedBoard(library)
    accelerator = driver.Accelerator(board, allocate=board.allocate, timeout=0.0)
    assert not accelerator.abort()  # nothing runs
    with pytest.raises(driver.AcceleratorTimeout, match=r"abort\(\) ends the run"):
        accelerator.run(images[0])
    accelerator.timeout = 10.0
    assert accelerator.abort()
    with pytest.raises(driver.AcceleratorFault, match="the run was ended by the abort register"):
        accelerator._check_status()
    assert (accelerator.run(images[0]).integers == design.expected(images[:1])).all()
    assert board.violations == 0


class Wired(SimulatedBoard):
    """A board whose interrupt PYNQ can wait for; ``lost``: it never tells."""

    lost = False

    def __init__(self, library: Path) -> None:
        super().__init__(library)
        self.waits = 0
        self.hotnas_accel.interrupt = self

    async def wait(self) -> None:
        self.waits += 1
        while self.lost or not self.interrupt:
            self.run(500)
            await asyncio.sleep(0)


@needs_verilator
@pytest.mark.parametrize("lost", [False, True])
def test_python_driver_sleeps_until_the_interrupt(
    lost: bool,
    design: Design,
    library: Path,
    driver: ModuleType,
    images: np.ndarray,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(driver, "REST_S", 0.05 if lost else 60.0)  # simulated time runs slowly
    board = Wired(library)
    board.lost = lost
    accelerator = driver.Accelerator(board, allocate=board.allocate)
    ticks = 0

    async def others() -> None:
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0)

    async def both() -> Any:
        beside = asyncio.create_task(others())
        try:
            return await accelerator.run_async(images)
        finally:
            beside.cancel()

    result = asyncio.run(both())
    assert (result.integers == design.expected(images)).all()
    assert ticks > IMAGES <= board.waits
    assert board.read(GIER) == 0 and not board.interrupt
    if not lost:
        assert board.waits == IMAGES  # nobody asked in between
        assert board.read(ISR) == 0
    assert (accelerator.run(images).integers == design.expected(images)).all()


class Meddler(SimulatedBoard):
    """A board on which somebody writes a register a while after each start."""

    meddling = (0, 0)  # offset, value

    def write(self, offset: int, value: int) -> None:
        super().write(offset, value)
        if offset == CTRL:
            self.run(1000)
            super().write(*self.meddling)


@needs_verilator
def test_arguments_are_those_of_the_start(
    design: Design, library: Path, driver: ModuleType, images: np.ndarray
) -> None:
    board = Meddler(library)
    accelerator = driver.Accelerator(board, batch=2, allocate=board.allocate)
    expected = design.expected(images[:2])
    arguments = [name for name in REGISTER if name not in ("ctrl", "gier", "ier", "isr", "status", "abort")]
    assert len(arguments) == 9
    for name in arguments:
        board.meddling = REGISTER[name], 1 if name in ("layers", "images") else 0x40
        assert (accelerator.run(images[:2]).integers == expected).all(), name
    assert board.violations == 0


def cycles_to_interrupt(board: SimulatedBoard) -> int:
    """How long the interrupt takes to rise."""
    begun = board.cycles
    while not board.interrupt:
        board.run(1)
    return board.cycles - begun


def finish(board: SimulatedBoard) -> None:
    """Wait for the end of a run; nothing is pending afterwards."""
    while not board.read(CTRL) & IDLE:
        board.run(100)
    if board.read(ISR):
        board.write(ISR, 1)
    assert not board.interrupt


@needs_verilator
def test_an_interrupt_outlives_an_acknowledgement_in_its_very_cycle(
    library: Path, driver: ModuleType, images: np.ndarray
) -> None:
    board = SimulatedBoard(library)
    driver.Accelerator(board, allocate=board.allocate).run(images[0])  # the arguments stay
    board.write(GIER, 1)
    board.write(IER, 1)
    board.write(CTRL, START)
    length = cycles_to_interrupt(board)
    pending, restarted = [], []
    for early in (4, 3, 2, 1, 0):  # a write reaches its register two cycles after it began
        finish(board)
        board.write(CTRL, START)
        cycles_to_interrupt(board)  # of a first run, which nobody acknowledges
        board.write(CTRL, START)
        board.run(length - early)
        board.write(ISR, 1)
        board.run(10)
        pending.append(board.read(ISR))
        finish(board)
        board.write(CTRL, START | AUTO_RESTART)
        cycles_to_interrupt(board)
        board.write(ISR, 1)
        period = cycles_to_interrupt(board) + 3  # cycles that the write took
        board.run(period - early)
        board.write(ISR, 1)
        board.run(10)
        restarted.append(board.read(ISR))
        board.write(CTRL, 0)
    assert pending == restarted == [1, 1, 1, 0, 0]


# --- faults of the user ---------------------------------------------------------------------------------


class FakeBoard(SimulatedBoard):
    """An overlay without hardware, of the package in ``folder``: it remembers writes, runs end at once."""

    def __init__(self, folder: Path, **ips: Any) -> None:
        design = json.loads((folder / "driver" / "hotnas_design.json").read_text())
        identity = Identity(design["identity"]["hardware"], 200_000).words(RTL_FEATURES)
        self.registers = {IDENTITY.register(word).offset: value for word, value in identity.items()}
        self.ip_dict = {"hotnas_accel_0": {"type": "hotnas:hls:hotnas_accel:1.0"}} | ips
        self.written: dict[int, int] = {}
        self.memory = np.zeros(1 << 22, dtype=np.uint8)
        self._free = 0x8_0000_0000
        self.hotnas_accel_0 = type("Ip", (), {"mmio": self})()

    def read(self, offset: int) -> int:
        return {0: 0x6, **self.registers}.get(offset, 0xFFFFFFFF if offset >= 0x400 else 0)

    def write(self, offset: int, value: int) -> None:
        self.written[offset] = value

    def allocate(self, shape: tuple[int], dtype: Any = np.uint8) -> CachedBuffer:
        start = self._free - 0x8_0000_0000
        buffer = np.ndarray.__new__(CachedBuffer, shape, dtype, self.memory.data, start)
        buffer.device_address, buffer.board = self._free, self
        self._free += -(-buffer.nbytes // PAGE) * PAGE
        return buffer

    def flush(self, buffer: CachedBuffer) -> None:
        pass

    invalidate = flush


def test_python_driver_reads_register_offsets_from_the_hwh(
    design: Design, driver: ModuleType, images: np.ndarray
) -> None:
    board = FakeBoard(design.folder)
    driver.Accelerator(board, allocate=board.allocate).run(images[0])
    assert board.written[0x3C] == len(design.net.layers)
    assert (board.written[0x18], board.written[0x1C]) == (0, 0x8)
    assert not {0x54, 0x58} & board.written.keys()  # the RTL twin aborts there
    board = FakeBoard(design.folder)
    moved = {"layer_count": {"address_offset": 0x80, "fields": {}}}
    board.ip_dict["hotnas_accel_0"]["registers"] = moved
    accelerator = driver.Accelerator(board, allocate=board.allocate)
    result = accelerator.run(images[0], profile=True)
    assert 0x3C not in board.written and board.written[0x80] == len(design.net.layers)
    assert result.profiles[0].cycles is None  # an HLS build does not count
    assert set(result.profiles[0].layers["fc"].values()) == {None}


class HlsBoard(FakeBoard):
    """A board with an HLS build: it knows what it is once it has run."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.registers[IDENTITY.register("features").offset] = 0
        self.filed, self.registers = self.registers, {}

    def write(self, offset: int, value: int) -> None:
        super().write(offset, value)
        if offset == CTRL and value & START:
            self.registers = self.filed


def test_python_driver_asks_an_hls_build_by_a_run_of_no_layer(
    design: Design, driver: ModuleType, images: np.ndarray
) -> None:
    board = HlsBoard(design.folder)
    accelerator = driver.Accelerator(board, allocate=board.allocate)
    assert board.written == {REGISTER["layers"]: 0, REGISTER["images"]: 0, CTRL: START}
    assert accelerator.clock_mhz == 200.0
    profile = accelerator.run(images[0], profile=True).profiles[0]
    assert {count for port in profile.ports.values() for count in port.values()} == {None}
    first, second = (board.written[low] | board.written[low + 4] << 32 for low in (0x24, 0x54))
    assert second == first + 4096  # the pages of its second port of weights
    with pytest.raises(driver.AcceleratorError) as refused:
        accelerator.abort()
    assert str(refused.value) == "an HLS build cannot end a run early; load the overlay again"


def test_python_driver_refuses_a_foreign_bitstream_before_the_first_start(
    design: Design, driver: ModuleType
) -> None:
    board = FakeBoard(design.folder)
    at = IDENTITY.register("hardware").offset
    needed, board.registers[at] = board.registers[at], 0x12345678
    high = board.registers[at + 4]
    with pytest.raises(driver.AcceleratorError) as refused:
        driver.Accelerator(board, allocate=board.allocate)
    assert str(refused.value) == (
        f"the bitstream holds the hardware 0x{high:08x}12345678, digits needs 0x{high:08x}{needed:08x}; "
        "build it from this package, or take the driver of its own"
    )
    board.registers[IDENTITY.offset] = MAP + 1
    with pytest.raises(driver.AcceleratorError) as refused:
        driver.Accelerator(board, allocate=board.allocate)
    assert str(refused.value) == (
        f"the bitstream has the register map 0x{MAP + 1:08x}, this driver 0x{MAP:08x}: it is older, or none "
        "of hotnas; build it from this package, or take the driver of its own"
    )
    assert board.written == {}
    board.registers = {}  # from before there was an identity
    with pytest.raises(driver.AcceleratorError, match="register map 0x00000000"):
        driver.Accelerator(board, allocate=board.allocate)
    assert board.written[REGISTER["layers"]] == 0  # nothing was run


def test_two_programs_do_not_share_an_accelerator(
    design: Design, driver: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driver, "LOCKS", tmp_path)
    board = FakeBoard(design.folder)
    board.ip_dict["hotnas_accel_0"]["phys_addr"] = 0xA0000000
    for _ in range(2):  # a cell of a notebook that runs again
        driver.Accelerator(board, allocate=board.allocate)
    board.ip_dict["hotnas_accel_0"]["phys_addr"] = 0xA0010000
    path = tmp_path / "hotnas_a0010000.lock"
    hold = f"import fcntl; f = open({str(path)!r}, 'a'); fcntl.lockf(f, fcntl.LOCK_EX); print(); input()"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", hold], **pipes) as other:
        other.stdout.readline()
        with pytest.raises(driver.AcceleratorError) as refused:
            driver.Accelerator(board, allocate=board.allocate)
        other.communicate(b"\n")
    assert str(refused.value) == (
        f"another program uses the accelerator at 0xa0010000; end it first ({path}: Resource temporarily "
        "unavailable)"
    )
    driver.Accelerator(board, allocate=board.allocate)


def test_python_driver_refuses_what_does_not_fit(
    design: Design, driver: ModuleType, images: np.ndarray, tmp_path: Path
) -> None:
    with pytest.raises(driver.AcceleratorError, match="2 IPs of type hotnas_accel; give the name"):
        driver.Accelerator(FakeBoard(design.folder, other={"type": "hotnas:rtl:hotnas_accel:1.0"}))
    with pytest.raises(driver.AcceleratorError, match="no IP 'dma'; it has \\['hotnas_accel_0'\\]"):
        driver.Accelerator(FakeBoard(design.folder), "dma")
    with pytest.raises(driver.AcceleratorError, match="batch = 0: must be 1 to [0-9]+ images"):
        driver.Accelerator(FakeBoard(design.folder), batch=0)
    (tmp_path / "weights.bin").write_bytes(b"short")
    board = FakeBoard(design.folder)
    with pytest.raises(driver.AcceleratorError, match="has 5 bytes, digits needs"):
        driver.Accelerator(board, allocate=board.allocate, weights=tmp_path / "weights.bin")
    board = FakeBoard(design.folder)
    with pytest.raises(driver.AcceleratorError, match="feature maps has no device_address; allocate must"):
        driver.Accelerator(board, allocate=np.zeros)
    accelerator = driver.Accelerator(board, allocate=board.allocate)
    with pytest.raises(driver.AcceleratorError, match="not wired to an AXI interrupt controller"):
        asyncio.run(accelerator.run_async(np.zeros((1, 8, 8))))
    with pytest.raises(driver.AcceleratorError, match=r"shape \(1, 9, 8\); expected \(B, 1, 8, 8\)"):
        accelerator.run(np.zeros((1, 9, 8)))
    extremes = np.array([[[-1e9, 1e9, 0.5 * 2.0**-13, -0.5 * 2.0**-13]]])
    fine = dataclasses.replace(design.net.feature_maps[design.net.image], frac_bits=13)
    net = dataclasses.replace(design.net, feature_maps={**design.net.feature_maps, design.net.image: fine})
    accelerator.design["image"]["frac_bits"] = 13
    assert (accelerator.quantise(extremes) == quantise_image(net, extremes)).all()


# --- C --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Harness:
    """The C driver as a program on the simulated board, and images for it."""

    program: Path
    weights: Path
    images: Path
    count: int

    def run(self, mode: str = "", timeout_us: int = 100_000) -> list[str]:
        """The lines it prints; see ``board_harness.c``."""
        command = [self.program, self.weights, self.images, str(self.count), str(timeout_us), mode]
        finished = subprocess.run(command, capture_output=True, text=True, timeout=120)
        assert finished.returncode in (0, 1), finished
        return finished.stdout.splitlines()


def compiled(design: Design, library: Path, images: np.ndarray, folder: Path, barrier: str) -> Harness:
    """The harness with the processor's barrier as given."""
    program, values = folder / "harness", folder / "images.bin"
    made = subprocess.run(
        [
            *("gcc", *C_FLAGS, f"-I{design.folder / 'driver'}", f"-I{shipped_folder('sim')}"),
            *(f"-I{HARNESS.parent / 'baremetal'}", "-include", "board.h", f"-D{barrier}"),
            *(HARNESS, design.folder / "driver" / "hotnas_accel.c", library),
            *(f"-Wl,-rpath,{library.parent}", "-o", program),
        ],
        capture_output=True,
        text=True,
    )
    assert made.returncode == 0, made.stderr
    images.astype(np.float32).tofile(values)
    return Harness(program, design.folder / "weights" / "weights.bin", values, len(images))


@pytest.fixture
def harness(design: Design, library: Path, images: np.ndarray, tmp_path: Path) -> Harness:
    twice = np.concatenate([images, images])
    return compiled(design, library, twice, tmp_path, "HOTNAS_BARRIER=board_barrier")


@needs_verilator
def test_c_driver_gives_the_references_answer_twice(
    design: Design, harness: Harness, images: np.ndarray
) -> None:
    lines = harness.run()
    expected = design.expected(np.concatenate([images, images]))
    frac_bits = design.net.feature_maps[design.net.logits].frac_bits
    for line, logits in zip(lines, expected, strict=False):
        integers, _, answer = line.partition("-> ")
        assert [int(word) for word in integers.split()] == logits.tolist()
        found, value = answer.split()
        assert int(found) == logits.argmax()
        assert float(value) == pytest.approx(logits.max() * 2.0**-frac_bits, abs=1e-5)
    counted = [line.split() for line in lines[len(expected) : -5]]
    assert [name for name, _, _ in counted] == [layer.name for layer in design.net.layers]
    assert all(int(cycles) > int(compute) > 0 for _, cycles, compute in counted)
    words = lines[-1].split()
    assert int(words[1]) >= sum(int(cycles) for _, cycles, _ in counted) and words[3] == "0"
    assert harness.run("batch") == [line.partition(" ->")[0] for line in lines[: len(expected)]]
    assert harness.run(timeout_us=1) == [
        "failed: the accelerator did not finish in time; check its clock and its memory ports"
    ]
    assert harness.run("fail") == [
        "failed: the accelerator stopped with an error in conv1: "
        "m_axi_wgt was answered with an error (weight address)"
    ]


@needs_verilator
def test_c_driver_ends_a_run_early_and_the_next_one_works(harness: Harness) -> None:
    logits = harness.run()[: harness.count]
    lines = harness.run("abort")
    assert lines[:3] == [
        "no run was under way, so none was ended",
        "done",
        "the run was ended by the abort register",
    ]
    assert lines[3 : 3 + harness.count] == logits
    assert lines[-1].split()[3] == "0"


@needs_verilator
def test_c_driver_refuses_a_foreign_bitstream_before_the_first_start(harness: Harness) -> None:
    foreign = (
        "failed: the bitstream is older or of another package: build it anew, or take its own driver",
        "writes 0",
    )
    assert tuple(harness.run("foreign")) == foreign


@needs_verilator
def test_c_driver_counts_what_the_ports_move(design: Design, harness: Harness) -> None:
    counted = [line.split() for line in harness.run() if line.startswith("port ")]
    expected = network_beats(design.net.layers, design.accel, design.tiles)
    assert {name: int(beats) for _, name, beats, _ in counted} == expected
    assert any(int(stalls) > 0 for *_, stalls in counted)


@needs_verilator
def test_c_driver_keeps_caches_and_memory_in_step(
    design: Design, library: Path, harness: Harness, images: np.ndarray, tmp_path: Path
) -> None:
    lines = harness.run()
    assert harness.run("uncached") == lines
    assert harness.run("nosync") == [
        "failed: no sync: give one, or hotnas_uncached where buffers are coherent or mapped uncached"
    ]
    assert harness.run("forgotten")[: harness.count] != lines[: harness.count]
    (tmp_path / "none").mkdir()
    unordered = compiled(design, library, images, tmp_path / "none", "HOTNAS_BARRIER()=")
    assert unordered.run("uncached")[: len(images)] != lines[: len(images)]


@needs_verilator
def test_c_driver_ends_though_another_reads_the_done_bit(harness: Harness) -> None:
    logits = harness.run()[: harness.count]
    assert harness.run("watched")[: harness.count] == logits


@needs_compiler
def test_c_driver_compiles_without_warnings(design: Design, tmp_path: Path) -> None:
    source = design.folder / "driver" / "hotnas_accel.c"
    selftest = source.with_name("hotnas_selftest.c")
    for compiler in filter(shutil.which, ("gcc", "clang")):
        free = ("-m32", "-ffreestanding", "-fsyntax-only")
        for file, extra in ((source, ()), (source, ("-std=c11",)), (source, free), (selftest, ())):
            done = subprocess.run(
                [compiler, *C_FLAGS, *extra, "-c", file, "-o", tmp_path / "driver.o"],
                capture_output=True,
                text=True,
            )
            assert done.returncode == 0, f"{compiler} {extra}: {done.stderr}"
    header = tmp_path / "header.cpp"
    header.write_text('#include "hotnas_baremetal.h"\nint main() { return HOTNAS_OK; }\n')
    folders = (source.parent, HARNESS.parent / "baremetal", shipped_folder("sim"))
    command = ["g++", "-Wall", "-Wextra", "-Werror", *(f"-I{f}" for f in folders), "-fsyntax-only", header]
    assert subprocess.run(command).returncode == 0  # the header serves C++ too
    assert not any(word in source.read_text() for word in ("malloc", "free(", "alloca"))


@pytest.mark.skipif(shutil.which("clang-format") is None, reason="needs clang-format")
def test_c_driver_is_formatted(design: Design, tmp_path: Path) -> None:
    style = shipped_folder("templates") / "hls" / ".clang-format"
    folders = [design.folder]
    for answer in Answer:
        folders.append(tmp_path / answer)
        host_design(answer, folders[-1])
    for path in (path for folder in folders for path in sorted((folder / "driver").glob("*.[ch]"))):
        done = subprocess.run(["clang-format", f"--style=file:{style}", path], capture_output=True, text=True)
        assert done.stdout == path.read_text()


def test_python_driver_suits_the_python_of_a_board(design: Design) -> None:
    text = (design.folder / "driver" / "hotnas_pynq.py").read_text()
    ast.parse(text, feature_version=(3, 8))
    assert max(map(len, text.splitlines())) <= 110


# --- a re-laid stem -------------------------------------------------------------------------------------


def stem_design(
    stem: Stem, row_stride: int | None, trimmed: bool, folder: Path
) -> tuple[ImageLayout, Accelerator, FeatureMap]:
    """Drivers of a network whose 7 x 7 convolution of stride 2 across reads a re-laid image."""
    layout = ImageLayout(stem, (3, 15, 13), (7, 7), 2, 3, 3, 8 if row_stride is None else 15, 7, row_stride)
    channels, rows, columns = layout.target
    kernel = layout.target_kernel
    image = FeatureMap("x", channels, rows, columns, frac_bits=4, trimmed=trimmed)
    outputs = layout.out_rows, layout.out_columns
    layer = Layer("stem", LayerKind.CONV, "x", "y", channels, 5, rows, columns, *outputs, *kernel)
    layer = dataclasses.replace(layer, ifm_trimmed=trimmed)
    accel = Accelerator(8, 8, 8, 7, 32, 32, 64, ifm_depth=4096, wgt_entries=16, max_entries=49, act_bits=8)
    if trimmed:  # a word of 64 channels in 16 beats
        accel = dataclasses.replace(accel, tm=64, tn=64, word_bits=512)
    maps = {"x": image, "y": FeatureMap("y", 5, *outputs)}
    numbers = {"stem": random_numbers(layer, 1, 8, accel.acc_bits)}
    net = IntegerNetwork("stem", maps, (layer,), numbers, "x", HostWork.reading("y"), 8, layout)
    files = driver_files(net, accel, {"stem": Tile(8, 7)}, banner=BANNER)
    write(files, folder)
    size = json.loads(files["driver/hotnas_design.json"])["weight_bytes"]
    (folder / "weights").mkdir()
    (folder / "weights" / "weights.bin").write_bytes(bytes(size))
    return layout, accel, image


@pytest.mark.parametrize("trimmed", [False, True])
@pytest.mark.parametrize(
    ("stem", "row_stride"),
    [(Stem.SPACE_TO_DEPTH, None), (Stem.UNFOLDED, None), (Stem.UNFOLDED, 1), (Stem.PATCHES, 1)],
)
def test_drivers_lay_the_image_of_a_relaid_stem(
    stem: Stem, row_stride: int | None, trimmed: bool, tmp_path: Path
) -> None:
    layout, accel, image = stem_design(stem, row_stride, trimmed, tmp_path)
    integers = np.random.default_rng(1).integers(-128, 128, layout.source).astype(np.int8)
    expected = pack_feature_map(layout.lay(integers), image, accel)
    module, board = load(tmp_path), FakeBoard(tmp_path)
    accelerator = module.Accelerator(board, allocate=board.allocate)
    accelerator.run(integers, quantised=True)
    place = accelerator.design["image"]["offset"]
    assert board.memory[place : place + len(expected)].tobytes() == expected
    if find("g++") is not None:
        assert pack_with_c(tmp_path, integers, place, len(expected)) == expected


def pack_with_c(folder: Path, integers: np.ndarray, place: int, size: int) -> bytes:
    """What hotnas_pack_image writes, called through ctypes."""

    class Buffer(ctypes.Structure):
        _fields_ = [("cpu", ctypes.c_void_p), ("device", ctypes.c_uint64), ("bytes", ctypes.c_size_t)]

    class Driver(ctypes.Structure):
        _fields_ = [
            ("io", ctypes.c_void_p * 6),
            ("maps", Buffer),
            ("weights", Buffer),
            ("fault", ctypes.c_uint32),
        ]

    library, design = folder / "driver.so", folder / "driver" / "hotnas_design.json"
    source = folder / "driver" / "hotnas_accel.c"
    subprocess.run(["gcc", *C_FLAGS, "-shared", "-fPIC", source, "-o", library], check=True)
    arena = np.full(json.loads(design.read_text())["feature_map_bytes"], 0xA5, dtype=np.uint8)
    code = ctypes.CDLL(str(library))
    state = Driver(maps=Buffer(arena.ctypes.data, 0, arena.nbytes))
    state.io[2] = ctypes.cast(code.hotnas_uncached, ctypes.c_void_p)
    values = np.ascontiguousarray(integers)
    pack = code.hotnas_pack_image
    assert pack(ctypes.byref(state), ctypes.c_size_t(0), ctypes.c_void_p(values.ctypes.data)) == 0
    return arena[place : place + size].tobytes()


# --- an output that is a map ---------------------------------------------------------------------------


def test_python_driver_gives_a_map_as_a_map(tmp_path: Path) -> None:
    layer = Layer("head", LayerKind.CONV, "x", "y", 3, 5, 9, 7, 9, 7, 1, 1)
    maps = {"x": FeatureMap("x", 3, 9, 7), "y": FeatureMap("y", 5, 9, 7, frac_bits=3)}
    accel = Accelerator(8, 8, 8, 8, 64, 64, 64, ifm_depth=1024, wgt_entries=9, max_entries=63, patterns=False)
    numbers = {"head": random_numbers(layer, 1, 16, accel.acc_bits)}
    net = IntegerNetwork("map", maps, (layer,), numbers, "x", HostWork.reading("y"), 16)
    write(driver_files(net, accel, {"head": Tile(8, 7)}, banner=BANNER), tmp_path)
    described = json.loads((tmp_path / "driver" / "hotnas_design.json").read_text())
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "weights.bin").write_bytes(bytes(described["weight_bytes"]))
    module, board = load(tmp_path), FakeBoard(tmp_path)
    accelerator = module.Accelerator(board, allocate=board.allocate)
    wanted = np.random.default_rng(0).integers(-30000, 30000, (5, 9, 7))
    first, size = (described["host"]["outputs"][0][key] for key in ("offset", "bytes"))
    accelerator._maps[first : first + size] = np.frombuffer(
        pack_feature_map(wanted, maps["y"], accel), np.uint8
    )
    result = accelerator.run(np.zeros((3, 9, 7)))
    assert (result.integers == wanted[None]).all() and (result.logits == wanted[None] / 8).all()
    assert (result.classes == wanted[None].argmax(axis=1)).all()
    assert (result.answers == result.logits).all()


@pytest.fixture(scope="module")
def two_outputs(design: Design, tmp_path_factory: pytest.TempPathFactory) -> Design:
    """The same network on the same accelerator, where the host reads what the mean reads, too, and first."""
    (last,) = design.net.host.outputs
    middle = design.net.layers[-2].source
    host = HostWork(outputs=(Output(middle, "features"), dataclasses.replace(last, answer=Answer.SOFTMAX)))
    net = dataclasses.replace(design.net, host=host)
    folder = tmp_path_factory.mktemp("two")
    write(driver_files(net, design.accel, design.tiles, banner=BANNER), folder)
    shutil.copytree(design.folder / "weights", folder / "weights")
    return dataclasses.replace(design, net=net, folder=folder)


@needs_verilator
def test_both_drivers_read_every_output(
    two_outputs: Design, library: Path, images: np.ndarray, tmp_path: Path
) -> None:
    module, board = load(two_outputs.folder), SimulatedBoard(library)
    net, (features, logits) = two_outputs.net, two_outputs.net.host.outputs
    maps = [run_network(net, quantise_image(net, image)) for image in images]
    result = module.Accelerator(board, batch=2, allocate=board.allocate).run(images)
    assert list(result.outputs) == ["features", "logits"]
    for output in net.host.outputs:
        wanted = np.stack([values[output.map] for values in maps])
        found = result.outputs[output.name]
        assert (found.integers.reshape(wanted.shape) == wanted).all() and np.ptp(wanted) > 10
        real = found.logits.reshape(wanted.shape)
        assert real == pytest.approx(wanted * 2.0 ** -net.feature_maps[output.map].frac_bits)
        np.testing.assert_array_equal(found.answers, output.answered(real))
    with pytest.raises(module.AcceleratorError) as error:
        _ = result.classes
    assert str(error.value) == ("the network has the outputs features, logits; take result.outputs[name]")
    lines = compiled(two_outputs, library, images, tmp_path, "HOTNAS_BARRIER=board_barrier").run()
    for line, values in zip(lines, maps, strict=False):
        integers, _, answer = line.partition("-> ")
        both = np.concatenate([values[features.map].ravel(), values[logits.map].ravel()])
        assert [int(word) for word in integers.split()] == both.tolist()
        assert int(answer.split()[0]) == values[features.map].argmax()


@needs_verilator
def test_both_drivers_put_views_together(
    design: Design, library: Path, images: np.ndarray, tmp_path: Path
) -> None:
    (last,) = design.net.host.outputs
    middle = design.net.layers[-2].source
    fm = design.net.feature_maps[middle]
    pixels = np.arange(fm.values).reshape(fm.channels, -1).T  # channels last
    values = {"features": fm.values, "logits": design.net.feature_maps[last.map].values}
    views = (
        View("scores", pixels.shape, pieces_of(pixels.ravel(), values) or (), Answer.SOFTMAX, 1),
        View("joined", (sum(values.values()),), pieces_of(np.arange(sum(values.values())), values) or ()),
    )
    host = HostWork(outputs=(Output(middle, "features"), Output(last.map, "logits")), views=views)
    net = dataclasses.replace(design.net, host=host)
    write(driver_files(net, design.accel, design.tiles, banner=BANNER), tmp_path)
    shutil.copytree(design.folder / "weights", tmp_path / "weights")
    maps = [run_network(net, quantise_image(net, image)) for image in images]
    real = {
        name: np.stack([each[name] for each in maps]) * 2.0 ** -net.feature_maps[name].frac_bits
        for name in net.host.maps
    }
    rows = real[middle].reshape(len(images), fm.channels, -1).swapaxes(1, 2)
    wanted = {
        "scores": np.exp(rows) / np.exp(rows).sum(axis=2, keepdims=True),
        "joined": np.concatenate([real[name].reshape(len(images), -1) for name in real], axis=1),
    }
    module, board = load(tmp_path), SimulatedBoard(library)
    result = module.Accelerator(board, batch=2, allocate=board.allocate).run(images)
    assert list(result.views) == ["scores", "joined"]
    for name, expected in wanted.items():
        np.testing.assert_allclose(result.views[name], expected, rtol=2e-6, atol=1e-7)
    built = dataclasses.replace(design, net=net, folder=tmp_path)
    lines = compiled(built, library, images, tmp_path, "HOTNAS_BARRIER=board_barrier").run()
    for index in range(len(images)):
        _, scores, joined = lines[3 * index : 3 * index + 3]
        for line, name in ((scores, "scores"), (joined, "joined")):
            found = np.array(line.split(), dtype=float)
            np.testing.assert_allclose(found, wanted[name][index].ravel(), rtol=2e-6, atol=1e-7)


# --- the work of the host -------------------------------------------------------------------------------


PREPARATION = Preparation((9, 7, 3), (2, 0, 1), (1 / 255, 0.5, 2 / 3), (-0.5, 0.25, 1e-3))
LOGITS = np.array([[-300, 5, 299, 4, 5], [0, 0, 0, 0, 0], [1, 2, 3, 2, 1], [-32768, 0, 1, 2, 32767]])


def host_design(answer: Answer, folder: Path) -> IntegerNetwork:
    """Drivers of a network whose raw images are scaled and transposed, and that ends in ``answer``."""
    layer = Layer("fc", LayerKind.CONV, "x", "y", 3, 5, 9, 7, 1, 1, 9, 7)
    maps = {"x": FeatureMap("x", 3, 9, 7, frac_bits=9), "y": FeatureMap("y", 5, 1, 1, frac_bits=6)}
    accel = Accelerator(8, 8, 8, 8, 64, 64, 64, ifm_depth=1024, wgt_entries=9, max_entries=63, patterns=False)
    numbers = {"fc": random_numbers(layer, 1, 16, accel.acc_bits)}
    host = HostWork(PREPARATION, (Output("y", answer=answer),))
    net = IntegerNetwork("host", maps, (layer,), numbers, "x", host, 16)
    write(driver_files(net, accel, {"fc": Tile(1, 1)}, banner=BANNER), folder)
    (folder / "weights").mkdir()
    size = json.loads((folder / "driver" / "hotnas_design.json").read_text())["weight_bytes"]
    (folder / "weights" / "weights.bin").write_bytes(bytes(size))
    return net


@pytest.mark.parametrize("answer", Answer)
def test_both_drivers_do_the_work_of_the_host(answer: Answer, tmp_path: Path) -> None:
    net = host_design(answer, tmp_path)
    raw = np.random.default_rng(1).uniform(-4, 255, PREPARATION.source).astype(np.float32)
    wanted_image = quantise_image(net, net.host.prepared(raw))
    real = (LOGITS * 2.0**-6).astype(np.float32).reshape(-1, 5, 1, 1)
    wanted = net.host.outputs[0].answered(real)
    module, board = load(tmp_path), FakeBoard(tmp_path)
    accelerator = module.Accelerator(board, allocate=board.allocate)
    assert accelerator.image_shape == PREPARATION.source
    assert (accelerator.quantise(accelerator.prepare(raw)) == wanted_image).all()
    np.testing.assert_array_equal(module.answer(str(answer), real), wanted)
    result = accelerator.run(raw)
    assert result.answers.shape == (1, 1 if answer is Answer.ARGMAX else 5, 1, 1)
    accelerator.run(wanted_image, quantised=True)
    with pytest.raises(module.AcceleratorError, match=r"shape \(3, 9, 7\); expected \(B, 9, 7, 3\)"):
        accelerator.run(np.zeros((3, 9, 7)))
    if find("g++") is None:
        pytest.skip("needs gcc")
    library = tmp_path / "driver.so"
    source = tmp_path / "driver" / "hotnas_accel.c"
    subprocess.run(["gcc", *C_FLAGS, "-shared", "-fPIC", source, "-o", library], check=True)
    code = ctypes.CDLL(str(library))
    integers = np.empty(wanted_image.size, dtype=np.int16)
    code.hotnas_quantise(ctypes.c_void_p(raw.ctypes.data), ctypes.c_void_p(integers.ctypes.data))
    assert (integers == wanted_image.reshape(-1)).all()
    code.hotnas_answer.restype = ctypes.c_size_t
    output = ctypes.byref(ctypes.c_char.in_dll(code, "hotnas_outputs"))
    for logits, expected in zip(LOGITS.astype(np.int32), wanted, strict=True):
        found = np.full(logits.size, np.nan, dtype=np.float32)
        values, to = (ctypes.c_void_p(array.ctypes.data) for array in (logits, found))
        written = code.hotnas_answer(output, values, to)
        assert written == expected.size
        np.testing.assert_allclose(found[:written], expected.reshape(-1), rtol=2e-6, atol=1e-30)
    assert not any(word in source.read_text() for word in ("math.h>\n", "expf(", "logf("))


def test_the_package_says_what_the_host_does_and_holds_its_answers(tmp_path: Path) -> None:
    net = digits_integer_network()
    (output,) = net.host.outputs
    output = dataclasses.replace(output, answer=Answer.SOFTMAX)
    net = dataclasses.replace(net, host=HostWork(None, (output,)))
    image = quantise_image(net, digits().test.images[0])
    maps = run_network(net, image)
    real = (maps[net.logits][None] * 2.0 ** -net.feature_maps[net.logits].frac_bits).astype(np.float64)
    expected = output.answered(real).astype(np.float32)
    found = np.frombuffer(golden_answers(net, maps), dtype="<f4")
    np.testing.assert_array_equal(found, expected.reshape(-1))
    assert found.sum() == pytest.approx(1)
