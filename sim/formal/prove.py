"""Proves properties of the RTL: ``MODULE.sv`` here holds those of ``templates/rtl/MODULE.sv``.

A property file is put before the module's ``endmodule``, so it sees every signal there. Lines that begin with
``//:`` tell how it is run:

    //: depth N                 steps of the induction, or of a bounded check
    //: search N                cycles after a reset within which mutants must be found (default: 12)
    //: bounded                 no induction: only the first N cycles after a reset are checked
    //: with MODULE ...         modules it instantiates, each with its own properties
    //: plain MODULE ...        modules it instantiates, without: they hold for small numbers only
    //: set NAME VALUE          a parameter of the module
    //: constant NAME VALUE     a constant of hotnas_pkg, where the design's own is too large for a solver
    //: mutant LABEL            the next two lines are a text of the module and what replaces it; the property
    //:   old                   LABEL must fail then
    //:   new

Everything runs through ``sby`` and z3; a proof that did not end is never called one.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from hotnas_hls.accel.accelerator import Accelerator
from hotnas_hls.base import processes, tools
from hotnas_hls.codegen.render import Banner
from hotnas_hls.codegen.rtl import PACKAGE, rtl_files
from hotnas_hls.errors import HotnasError

FOLDER = Path(__file__).parent
SECONDS = 300
DESIGN = Accelerator(
    tm=4, tn=4, tr=4, tc=4, ifm_bits=32, wgt_bits=32, ofm_bits=32, ifm_depth=128, wgt_entries=4,
    max_entries=9, act_bits=8, weight_bits=8, patterns=False,
)  # fmt: skip
# Before every property file: the first cycle is a reset, and the only one.
PROLOGUE = """
  logic formal_started_q = 1'b0;
  always_ff @(posedge clk_i) formal_started_q <= 1'b1;
"""
RESET = "  always_comb assume (rst_ni == formal_started_q);\n"  # of modules that have one


class NotProved(HotnasError):
    """A property fails, or nobody knows whether it holds."""


@dataclass(frozen=True)
class Mutant:
    """A fault that a property must find."""

    label: str
    old: str
    new: str


@dataclass(frozen=True)
class Properties:
    """A property file."""

    module: str
    text: str
    depth: int
    search: int
    bounded: bool = False
    others: tuple[str, ...] = ()
    plain: tuple[str, ...] = ()  # of the others, those without their properties
    parameters: dict[str, str] = field(default_factory=dict)
    constants: dict[str, str] = field(default_factory=dict)
    mutants: tuple[Mutant, ...] = ()

    @property
    def labels(self) -> list[str]:
        """Names of its assertions."""
        return re.findall(r"(\w+): assert", self.text)


def read(path: Path) -> Properties:
    """The property file ``path``; NotProved for one that no mutant tests whole."""
    text = path.read_text(encoding="utf-8")
    lines = [line.split("//:", 1)[1] for line in text.splitlines() if line.lstrip().startswith("//:")]
    orders = [line.split() or [""] for line in lines]  # a mutant may replace a text by nothing
    mutants = [
        Mutant(order[1], lines[at + 1].strip(), lines[at + 2].strip())
        for at, order in enumerate(orders)
        if order[0] == "mutant"
    ]
    found = Properties(
        path.stem,
        text,
        depth=next((int(order[1]) for order in orders if order[0] == "depth"), 10),
        search=next((int(order[1]) for order in orders if order[0] == "search"), 12),
        bounded=["bounded"] in orders,
        others=tuple(name for order in orders if order[0] in ("with", "plain") for name in order[1:]),
        plain=tuple(name for order in orders if order[0] == "plain" for name in order[1:]),
        parameters={order[1]: order[2] for order in orders if order[0] == "set"},
        constants={order[1]: order[2] for order in orders if order[0] == "constant"},
        mutants=tuple(mutants),
    )
    if untested := set(found.labels) - {mutant.label for mutant in mutants}:
        raise NotProved(f"{path.name}: no mutant shows that {', '.join(sorted(untested))} can fail")
    return found


def sources(properties: Properties, mutant: Mutant | None = None) -> dict[str, str]:
    """Files to prove, the package first; with a mutant, its text of the module instead of the true one."""
    rtl = rtl_files(DESIGN, 2, Banner("formal", "0"))
    package, module, own = rtl[PACKAGE], rtl[f"{properties.module}.sv"], properties.text
    for name, value in properties.constants.items():
        package, count = re.subn(rf"(\b{name} = )\d+;", rf"\g<1>{value};", package)
        if count != 1:
            raise NotProved(f"{properties.module}: hotnas_pkg has no constant {name}")
    if mutant is not None:
        if module.count(mutant.old) != 1:
            raise NotProved(
                f"{properties.module}: what {mutant.label}'s mutant replaces is not in it once: {mutant.old}"
            )
        module = module.replace(mutant.old, mutant.new)
        # Only the mutant's own property is asked: it must find the fault without the others.
        own = re.sub(rf"(\b(?!{mutant.label}:)\w+): assert", r"\1: cover", own)
    others = {}
    for name in properties.others:
        # A proof takes the properties of the modules inside with it: what they assume of their inputs, the
        # one around them must keep to.
        bare = mutant is not None or name in properties.plain
        inner = "" if bare else (FOLDER / f"{name}.sv").read_text(encoding="utf-8")
        others[f"{name}.sv"] = spliced(rtl[f"{name}.sv"], inner.replace("assume (", "assert ("))
    return {PACKAGE: package, **others, f"{properties.module}.sv": spliced(module, own)}


def spliced(module: str, properties: str) -> str:
    """A module with properties before its end."""
    before, _, after = module.rpartition("endmodule")
    reset = RESET if re.search(r"\brst_ni\b", module) else ""
    return f"{before}{PROLOGUE}{reset}{properties}\nendmodule{after}"


def settings(properties: Properties, files: Iterable[str], search: bool, seconds: int) -> str:
    """The text of an ``.sby`` file; search: for a counterexample, instead of a proof."""
    chosen = "".join(f" -set {name} {value}" for name, value in properties.parameters.items())
    return "\n".join(
        [
            "[options]",
            f"mode {'bmc' if search or properties.bounded else 'prove'}",
            f"depth {properties.search if search else properties.depth}",
            f"timeout {seconds}",
            "[engines]",
            "smtbmc z3",
            "[script]",
            *(f"read -formal -sv {name}" for name in files),
            *([f"chparam{chosen} {properties.module}"] if chosen else []),
            f"prep -top {properties.module}",
            "[files]",
            *files,
            "",
        ]
    )


def run(properties: Properties, mutant: Mutant | None = None, seconds: int = SECONDS) -> tuple[str, str]:
    """What sby says, PASS, FAIL, UNKNOWN, TIMEOUT or ERROR, and all it printed."""
    sby, solver = tools.require("sby"), tools.require("z3")
    environment = sby.full_environment() | {"PYTHONHASHSEED": "0"}
    environment["PATH"] = f"{solver.path.parent}:{environment['PATH']}"
    yosys = sby.path.with_name(sby.path.name.replace("sby", "yosys"))
    with tempfile.TemporaryDirectory(prefix="hotnas_prove.") as name:
        folder = Path(name)
        files = sources(properties, mutant)
        for file, text in files.items():
            (folder / file).write_text(text, encoding="utf-8")
        text = settings(properties, files, mutant is not None, seconds)
        (folder / "proof.sby").write_text(text, encoding="utf-8")
        command = [sby.path, "--yosys", yosys, "--smtbmc", f"{yosys}-smtbmc", "-f", "proof.sby"]
        finished = processes.run(command, folder / "log", cwd=folder, environment=environment)
        text = finished.log.read_text(encoding="utf-8", errors="replace")
    found = re.search(r"DONE \((\w+)", text)
    return (found[1] if found else "ERROR"), text


def proved(properties: Properties, seconds: int = SECONDS) -> str:
    """One line that says what holds; NotProved where anything does not, or is not known."""
    status, text = run(properties, seconds=seconds)
    names = ", ".join(properties.labels)
    if status == "PASS":
        how = f"for {properties.depth} cycles from reset" if properties.bounded else "by induction"
        return f"{properties.module}: {names} hold {how}"
    failed = sorted(set(re.findall(r"failed assertion \S*?(\w+) at", text)))
    deep = max(map(int, re.findall(r"Checking assertions in step (\d+)", text)), default=0)
    if status == "FAIL":
        raise NotProved(f"{properties.module}: {', '.join(failed)} can fail, at step {deep}")
    if status == "UNKNOWN":
        raise NotProved(
            f"{properties.module}: {', '.join(failed)}: no counterexample in {properties.depth} cycles, but "
            "no proof either (induction fails): strengthen the invariant or raise its depth"
        )
    if status == "TIMEOUT":
        raise NotProved(f"{properties.module}: {names}: no answer in {seconds} s; step {deep} was reached")
    tail = "\n".join(text.splitlines()[-8:])
    raise NotProved(f"{properties.module}: sby ended without an answer:\n{tail}")


def found_by(properties: Properties, mutant: Mutant, seconds: int = SECONDS) -> str:
    """One line for a mutant that its property finds; NotProved for one that it does not."""
    status, text = run(properties, mutant, seconds)
    failed = set(re.findall(r"failed assertion \S*?(\w+) at", text))
    if status == "FAIL" and mutant.label in failed:
        return f"{properties.module}: {mutant.label} fails where {mutant.old!r} is {mutant.new!r}"
    told = ", ".join(sorted(failed)) or "nothing"
    raise NotProved(
        f"{properties.module}: {mutant.label} does not find {mutant.new!r} in place of {mutant.old!r} within "
        f"{properties.search} cycles ({status}, {told} failed)"
    )


def main(argv: list[str] | None = None) -> int:
    """Prove all modules or the ones named; the exit status is 1 when one is not proved."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("modules", nargs="*", help="modules to prove (default: all that have properties)")
    parser.add_argument("--no-mutants", action="store_true", help="leave out whether properties can fail")
    parser.add_argument("--timeout", type=int, default=SECONDS, help="seconds of each run (default: 300)")
    options = parser.parse_args(argv)
    missed = 0
    for path in sorted(FOLDER.glob("*.sv")):
        if options.modules and path.stem not in options.modules:
            continue
        try:
            properties = read(path)
            print(proved(properties, options.timeout), flush=True)
            for mutant in () if options.no_mutants else properties.mutants:
                print(f"  {found_by(properties, mutant, options.timeout)}", flush=True)
        except HotnasError as error:
            missed += 1
            print(f"prove: {error}", file=sys.stderr, flush=True)
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
