"""hotnas_run on the simulated board: real calls into a kernel whose UIO and u-dma-buf are simulated too."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from hotnas_hls.accel.design_point import DesignPoint
from hotnas_hls.accel.integers.reference import run_network
from hotnas_hls.base.shipped import shipped_folder
from hotnas_hls.base.tools import find
from hotnas_hls.simulate.certify import twin
from hotnas_hls.simulate.simulated_board import build

KERNEL = Path(__file__).with_name("linux_kernel.c")
C_FLAGS = ("-std=gnu99", "-O2", "-Wall", "-Wextra", "-Werror")
MAPS, WEIGHTS = 0x8_0001_0000, 0x8_0041_0000  # as linux_kernel.c places them
CROSS = {"aarch64-linux-gnu-": "qemu-aarch64", "arm-linux-gnueabihf-": "qemu-arm"}
pytestmark = pytest.mark.xdist_group("small_board")
needs_verilator = pytest.mark.skipif(
    find("verilator") is None or find("g++") is None, reason="needs Verilator and g++"
)


class Machine:
    """A board that runs Linux: its devices as files, and ``hotnas_run``."""

    def __init__(self, program: Path, package: Path, emulator: Sequence[str] = ()) -> None:
        self.program, self.root, self.package = program, program.parent / "root", package
        self.emulator = emulator

    def put(self, path: str, contents: str | bytes) -> Path:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(contents if isinstance(contents, bytes) else contents.encode())
        return file

    def boot(self) -> None:
        """Devices as the kernel makes them from linux/hotnas.dtso."""
        shutil.rmtree(self.root, ignore_errors=True)
        design = json.loads((self.package / "driver" / "hotnas_design.json").read_text())
        self.put("sys/class/uio/uio0/name", "hotnas_accel\n")
        self.put("dev/uio0", bytes(4096))
        for name, address, size in (
            ("maps", MAPS, design["feature_map_bytes"]),
            ("weights", WEIGHTS, design["weight_bytes"]),
        ):
            folder = f"sys/class/u-dma-buf/hotnas-{name}"
            self.put(f"dev/hotnas-{name}", bytes(size))
            self.put(f"{folder}/size", f"{size}\n")
            self.put(f"{folder}/phys_addr", f"0x{address:016x}\n")
            self.put(f"{folder}/sync_for_cpu", "")
            self.put(f"{folder}/sync_for_device", "")

    def run(self, *arguments: str | Path, mode: str = "") -> subprocess.CompletedProcess[str]:
        command = [*self.emulator, self.program, "-p", self.package, *arguments]
        environment = os.environ | {"BOARD_MODE": mode}
        return subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment)


def compiled(library: Path, package: Path, folder: Path, compiler: str = "gcc") -> Path:
    """hotnas_run whose registers are the simulated board's; its devices lie in ``root`` beside it."""
    driver, program = package / "driver", folder / "hotnas_run"
    wrapped = ",".join(f"--wrap={call}" for call in ("open", "mmap", "poll", "read", "write"))
    made = subprocess.run(
        [
            *(compiler, *C_FLAGS, f"-I{driver}", f"-I{shipped_folder('sim')}", "-include", "board.h"),
            f'-DHOTNAS_LINUX_ROOT="{program.parent / "root"}"',
            "-DHOTNAS_LINUX_READ(registers,offset)=((void)(registers),board_read(offset))",
            "-DHOTNAS_LINUX_WRITE(registers,offset,value)=((void)(registers),board_write(offset,value))",
            *(driver / name for name in ("hotnas_run.c", "hotnas_selftest.c", "hotnas_accel.c")),
            *(KERNEL, library, f"-Wl,{wrapped},-rpath,{library.parent}", "-latomic", "-o", program),
        ],
        capture_output=True,
        text=True,
    )
    assert made.returncode == 0, made.stderr
    return program


@pytest.fixture(scope="module")
def program(library: Path, simulated: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(library, simulated, tmp_path_factory.mktemp("run"))


@pytest.fixture
def machine(program: Path, simulated: Path) -> Machine:
    found = Machine(program, simulated)
    found.boot()
    return found


@pytest.fixture
def pictures(tmp_path: Path) -> tuple[list[Path], np.ndarray]:
    """A picture and raw values, and both as integers of the small design's image: fraction bits 0."""
    random = np.random.default_rng(1)
    black_white = random.integers(0, 2, (1, 8, 8))
    (tmp_path / "a.pgm").write_bytes(
        b"P5 # made here\n8 8\n255\n" + (255 * black_white).astype(np.uint8).tobytes()
    )
    values = random.integers(-100, 100, (1, 8, 8))
    values.astype(np.float32).tofile(tmp_path / "b.raw")
    return [tmp_path / "a.pgm", tmp_path / "b.raw"], np.stack([black_white, values])


def lines_of(point: DesignPoint, paths: list[Path], integers: np.ndarray) -> list[str]:
    """What hotnas_run prints of these images, without the time."""
    net = point.integer_network()
    found = []
    for path, image in zip(paths, integers, strict=True):
        logits = run_network(net, image)[net.logits].ravel()
        value = logits.max() * 2.0 ** -net.feature_maps[net.logits].frac_bits
        found.append(f"{path}: class {logits.argmax()}, logit {value:.6f}")
    return found


@needs_verilator
@pytest.mark.parametrize(
    ("mode", "asked"), [("", "2 interrupts, 0 time-outs"), ("lost", "0 interrupts, 2 time-outs")]
)
def test_images_are_classified_by_interrupt_and_a_lost_one_costs_a_rest(
    mode: str,
    asked: str,
    machine: Machine,
    point: DesignPoint,
    pictures: tuple[list[Path], np.ndarray],
) -> None:
    done = machine.run(*pictures[0], mode=mode)
    assert done.returncode == 0, done.stderr
    assert [line.rpartition(", ")[0] for line in done.stdout.splitlines()] == lines_of(point, *pictures)
    assert all(line.endswith(" ms") for line in done.stdout.splitlines())
    assert done.stderr == f"kernel: {asked}, 0 violations\n"


@needs_verilator
def test_without_an_interrupt_the_control_register_is_read(
    machine: Machine, point: DesignPoint, pictures: tuple[list[Path], np.ndarray]
) -> None:
    done = machine.run(*pictures[0], mode="unwired")
    assert [line.rpartition(", ")[0] for line in done.stdout.splitlines()] == lines_of(point, *pictures)
    assert done.stderr == "kernel: 0 interrupts, 0 time-outs, 0 violations\n"


@needs_verilator
def test_samples_of_a_picture_are_taken_as_they_are(
    machine: Machine, point: DesignPoint, tmp_path: Path
) -> None:
    samples = np.random.default_rng(2).integers(0, 128, (1, 1, 8, 8))
    path = tmp_path / "a.pgm"
    path.write_bytes(b"P5 8 8 255\n" + samples.astype(np.uint8).tobytes())
    done = machine.run("-r", path)
    assert done.stdout.rpartition(", ")[0] == lines_of(point, [path], samples)[0], done


@needs_verilator
def test_the_self_test_runs_and_sees_caches_out_of_step(machine: Machine, tmp_path: Path) -> None:
    done = machine.run("-t", tmp_path / "selftest.json")
    assert done.returncode == 0 and done.stdout.endswith("self-test passed: 2 images, 3 runs\n"), done
    assert json.loads((tmp_path / "selftest.json").read_text())["ms"] >= 0
    assert done.stderr == "kernel: 3 interrupts, 0 time-outs, 0 violations\n"
    machine.boot()
    done = machine.run("-t", tmp_path / "selftest.json", mode="stale")
    assert done.returncode == 1 and "self-test FAILED" in done.stdout


@needs_verilator
def test_devices_that_cannot_be_used_are_named(
    machine: Machine, pictures: tuple[list[Path], np.ndarray]
) -> None:
    root, image = machine.root, pictures[0][0]

    def refusal(mode: str = "") -> str:
        done = machine.run(image, mode=mode)
        assert done.returncode == 1 and done.stdout == ""
        return done.stderr.splitlines()[0]

    permission = "no permission; run as root, or let a udev rule give it to you"
    assert refusal("denied") == f"hotnas_run: {root}/dev/uio0: {permission}"
    with open(root / "dev" / "uio0") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert refusal() == (
            f"hotnas_run: {root}/dev/uio0: another program uses the accelerator; end it first"
        )
    machine.put("sys/class/u-dma-buf/hotnas-maps/size", "4096\n")
    assert refusal() == "hotnas_run: hotnas-maps: has 4096 bytes, 24576 are needed"
    machine.boot()
    machine.put("sys/class/u-dma-buf/hotnas-weights/phys_addr", "0x800410040\n")
    assert refusal() == "hotnas_run: hotnas-weights: does not begin on a 4 KiB page"
    shutil.rmtree(root / "sys" / "class" / "u-dma-buf")
    assert refusal() == (
        "hotnas_run: hotnas-maps: no u-dma-buf of this name; load u-dma-buf.ko and linux/hotnas.dtbo"
    )
    machine.put("sys/class/uio/uio0/name", "another\n")
    assert refusal() == (
        "hotnas_run: hotnas_accel: no UIO device of this name; load linux/hotnas.dtbo, and uio_pdrv_genirq "
        "with of_id=generic-uio"
    )


@needs_verilator
def test_images_and_weights_that_do_not_fit_are_named(machine: Machine, tmp_path: Path) -> None:
    path = tmp_path / "image"

    def refusal(contents: bytes) -> str:
        path.write_bytes(contents)
        machine.boot()
        done = machine.run(path)
        assert done.returncode == 1 and done.stdout == ""
        return done.stderr.splitlines()[0].removeprefix(f"hotnas_run: {path}: ")

    assert refusal(b"P6\n8 9 255\n" + bytes(216)) == (
        "has 3 channels, 9 rows, 8 columns, samples to 255; expected 1, 8, 8, at most 255"
    )
    assert refusal(b"P5\n8 8 255\n" + bytes(63)) == "ends early"
    assert refusal(bytes(255)) == "neither a binary PGM or PPM, nor float32 values of the image's size"
    nan = np.zeros(64, np.float32)
    nan[9] = np.nan
    assert refusal(nan.tobytes()) == "holds a value that is no number"
    package = tmp_path / "other"
    (package / "weights").mkdir(parents=True)
    (package / "weights" / "weights.bin").write_bytes(bytes(100))
    done = Machine(machine.program, package).run(path)
    assert done.stderr.splitlines()[0] == (
        f"hotnas_run: {package}/weights/weights.bin: "
        "the weight image has another size: it is of another design"
    )


@pytest.fixture
def cross(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The prefix of a cross compiler: gcc, or clang with Debian's libraries of that machine."""
    prefix = str(request.param)
    target = prefix.rstrip("-")
    if shutil.which(f"{prefix}g++") is None:
        if shutil.which("clang++") is None or not Path("/usr", target, "include", "c++").is_dir():
            machine = {"aarch64": "arm64", "arm": "armhf"}[target.split("-")[0]]
            needed = f"binutils-{target} and libstdc++-12-dev-{machine}-cross"
            pytest.skip(f"needs {prefix}g++, or clang, {needed}")
        (tmp_path / "bin").mkdir()
        for name, clang in (("gcc", "clang"), ("g++", "clang++")):
            script = tmp_path / "bin" / f"{prefix}{name}"
            script.write_text(f'#!/bin/sh\nexec {clang} --target={target} "$@"\n')
            script.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    return prefix


@pytest.mark.parametrize("cross", CROSS, indirect=True)
def test_make_gives_a_program_for_the_processors_of_boards(
    cross: str, simulated: Path, tmp_path: Path
) -> None:
    driver = shutil.copytree(simulated / "driver", tmp_path / "driver")
    flags = "CFLAGS=-O2 -Wall -Wextra -Wpedantic -Werror"
    command = ["make", "-C", driver, f"CROSS_COMPILE={cross}", flags]
    made = subprocess.run(command, capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    assert (driver / "hotnas_run").is_file()


def test_make_gives_a_program_for_this_machine(simulated: Path, tmp_path: Path) -> None:
    driver = shutil.copytree(simulated / "driver", tmp_path / "driver")
    flags = "CFLAGS=-O2 -Wall -Wextra -Wpedantic -Werror"
    made = subprocess.run(["make", "-C", driver, flags], capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    done = subprocess.run([driver / "hotnas_run"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (
        1,
        "usage: hotnas_run [-p PACKAGE] [-r] IMAGE... | -t [JSON]\n",
    )


@needs_verilator
@pytest.mark.parametrize(
    "cross",
    [
        pytest.param("arm-linux-gnueabihf-", marks=pytest.mark.whole),  # whose words are not this machine's
        pytest.param("aarch64-linux-gnu-", marks=pytest.mark.long("a minute: another build")),
    ],
    indirect=True,
)
def test_the_processors_of_boards_run_the_program(
    cross: str,
    point: DesignPoint,
    simulated: Path,
    pictures: tuple[list[Path], np.ndarray],
    tmp_path: Path,
) -> None:
    """Program and simulated board, both compiled for that processor, in its emulator."""
    if shutil.which(CROSS[cross]) is None:
        pytest.skip(f"needs {CROSS[cross]} (Debian: qemu-user)")
    library = build(dict(twin(point).files), tmp_path / "board", compiler=f"{cross}g++")
    program = compiled(library, simulated, tmp_path, compiler=f"{cross}gcc")
    machine = Machine(program, simulated, (CROSS[cross], "-L", f"/usr/{cross.rstrip('-')}"))
    machine.boot()
    done = machine.run(*pictures[0])
    assert [line.rpartition(", ")[0] for line in done.stdout.splitlines()] == lines_of(point, *pictures), done
    assert done.stderr == "kernel: 2 interrupts, 0 time-outs, 0 violations\n"
    machine.boot()
    done = machine.run("-t", tmp_path / "selftest.json")
    assert done.returncode == 0 and done.stdout.endswith("self-test passed: 2 images, 3 runs\n"), done
