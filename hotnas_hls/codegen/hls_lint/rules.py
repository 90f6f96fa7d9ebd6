"""The rules: what HLS compilers ask of C++, each a function of the parsed :class:`~.unit.Unit`.

``lint(folder)`` reads ``src/*.cpp`` of a generated package and returns what breaks a rule, with its place.
The rules are ours and small.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from clang.cindex import CursorKind, TypeKind

from hotnas_hls.codegen.hls import TOP
from hotnas_hls.codegen.hls_lint.questions import (
    all_pragmas,
    array_access,
    declarations_of,
    has_fixed_bound,
    holds_ap_int,
    is_burst_port,
    is_channel,
    is_in_registers,
    is_master,
    is_partitioned,
    is_stream,
    is_written,
    memory_accesses,
    names_changed,
    names_in,
    rank_of,
    stream_calls,
    uses_by_stages,
)
from hotnas_hls.codegen.hls_lint.unit import Finding, Unit, parse

LITERAL_PRAGMA = re.compile(r"^\s*#\s*pragma\s+HLS\b|\b_Pragma\b", re.IGNORECASE)
MACROS = "include/pragmas.h"
# The stage that counts cycles, from which no other one hears: it asks this FIFO in every cycle.
COUNTER, ASKED = "count_cycles", ("ended", "read_nb")
MEMORY_PORTS = 2  # of block RAM and of LUTRAM, whatever their mix of reads and writes
ALLOCATORS = {"malloc", "calloc", "realloc", "free", "alloca", "vector", "unique_ptr", "shared_ptr", "string"}


def names_exist(unit: Unit) -> Iterator[Finding]:
    """Every variable, port and dimension a pragma names exists."""
    for function in unit.functions.values():
        known = function.variables
        for pragma in all_pragmas(function):
            name = pragma.options.get("variable") or pragma.options.get("port")
            if name is None or name == "return":
                continue
            variable = known.get(name.split(".")[0])
            if variable is None:
                yield unit.finding(pragma, "names-exist", f"{function.name} has no variable {name}")
            elif "dim" in pragma.options and "." not in name:
                dimension = int(pragma.options["dim"])
                if dimension > rank_of(variable):
                    message = f"{name} has no dimension {dimension}"
                    yield unit.finding(pragma, "names-exist", message)


def loops_are_labelled(unit: Unit) -> Iterator[Finding]:
    """Every loop has a label in capitals of its own, so that reports and directives can name it."""
    for function in unit.functions.values():
        seen: set[str] = set()
        for loop in function.loops:
            if loop.label is None or not re.fullmatch(r"[A-Z][A-Z0-9_]*", loop.label):
                message = f"loop in {function.name} has no label in capitals"
                yield unit.finding(loop.cursor, "loops-labelled", message)
            elif loop.label in seen:
                yield unit.finding(loop.cursor, "loops-labelled", f"label {loop.label} stands twice")
            seen.add(loop.label or "")


def loops_are_bounded(unit: Unit) -> Iterator[Finding]:
    """Every loop is a for with a fixed bound, or says its trip count."""
    for function in unit.functions.values():
        for loop in function.loops:
            if loop.cursor.kind is not CursorKind.FOR_STMT:
                yield unit.finding(loop.cursor, "loops-bounded", "only for loops have a bound")
            elif not has_fixed_bound(loop) and not loop.has("loop_tripcount"):
                message = f"{loop.label or 'loop'} has neither a fixed bound nor a loop_tripcount"
                yield unit.finding(loop.cursor, "loops-bounded", message)


def no_dynamic_memory(unit: Unit) -> Iterator[Finding]:
    """No new, delete, malloc or container."""
    for function in unit.functions.values():
        for node in function.nodes:
            named = node.kind in (CursorKind.DECL_REF_EXPR, CursorKind.TYPE_REF, CursorKind.TEMPLATE_REF)
            allocates = node.kind in (CursorKind.CXX_NEW_EXPR, CursorKind.CXX_DELETE_EXPR)
            name = node.spelling.split("::")[-1]
            if allocates or (named and name in ALLOCATORS):
                what = name or "new or delete"
                yield unit.finding(node, "no-dynamic-memory", f"{function.name} uses {what}")


def no_pointer_arithmetic(unit: Unit) -> Iterator[Finding]:
    """Pointers are only indexed, so that a tool sees which port and which burst is meant."""
    operators = (
        CursorKind.BINARY_OPERATOR,
        CursorKind.UNARY_OPERATOR,
        CursorKind.COMPOUND_ASSIGNMENT_OPERATOR,
    )
    for function in unit.functions.values():
        for node in function.nodes:
            if node.kind in operators and node.type.get_canonical().kind is TypeKind.POINTER:
                message = f"{function.name} computes with a pointer"
                yield unit.finding(node, "no-pointer-arithmetic", message)


def no_recursion(unit: Unit) -> Iterator[Finding]:
    """No function reaches itself by calls."""
    calls = {
        name: {callee for callee, _ in function.calls if callee in unit.functions}
        for name, function in unit.functions.items()
    }
    for name, function in unit.functions.items():
        reached: set[str] = set()
        todo = set(calls[name])
        while todo:
            callee = todo.pop()
            reached.add(callee)
            todo |= calls[callee] - reached
        if name in reached:
            yield unit.finding(function.cursor, "no-recursion", f"{name} reaches itself")


def no_ap_int_results(unit: Unit) -> Iterator[Finding]:
    """No ap_int is returned by value, in a struct neither, from a function that is not inlined."""
    for function in unit.functions.values():
        inlined = any(p.kind == "inline" and "off" not in p.flags for p in function.pragmas)
        if holds_ap_int(unit, function.cursor.result_type) and not inlined:
            yield unit.finding(function.cursor, "no-ap-int-results", f"{function.name} returns an ap_int")


def memory_is_native(unit: Unit) -> Iterator[Finding]:
    """Pointers, memories and FIFOs hold native integers; an array of ap_int is all registers.

    A port whose bursts are asked for has ap_uint, its documented element.
    """
    for parameter in unit.functions[TOP].parameters:
        if holds_ap_int(unit, parameter.type) and not is_burst_port(parameter.type):
            message = f"argument {parameter.spelling} of {TOP} holds ap_int"
            yield unit.finding(parameter, "memory-is-native", message)
    for function in unit.functions.values():
        for name, variable in function.variables.items():
            if variable.kind is CursorKind.PARM_DECL or not holds_ap_int(unit, variable.type):
                continue
            dimensions = range(1, rank_of(variable) + 1)
            if is_stream(variable.type) or not all(is_in_registers(function, name, d) for d in dimensions):
                message = f"{name} in {function.name} is a memory of ap_int"
                yield unit.finding(variable, "memory-is-native", message)


def no_bit_ranges(unit: Unit) -> Iterator[Finding]:
    """Bits are taken by shifts and masks, not by ap_int's range()."""
    for function in unit.functions.values():
        tokens = list(function.cursor.get_tokens())
        for before, token in itertools.pairwise(tokens):
            if (before.spelling, token.spelling) == (".", "range"):
                yield unit.finding(token, "no-bit-ranges", f"{function.name} uses range()")


def pragmas_stand_behind_macros(unit: Unit) -> Iterator[Finding]:
    """Vendor pragmas are written by the macros of pragmas.h alone, so that another compiler sees none."""
    for path in sorted(path for kind in ("include/*.h", "src/*.cpp") for path in unit.folder.glob(kind)):
        if path == unit.folder / MACROS:
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            if LITERAL_PRAGMA.search(line):
                file = path.relative_to(unit.folder).as_posix()
                yield Finding(file, number, "pragmas-behind-macros", f"write it by a macro of {MACROS}")


def the_sequential_build_has_no_stages(unit: Unit) -> Iterator[Finding]:
    """Without dataflow nothing runs at once: no dataflow region that arrays could cross, and no stream."""
    if unit.dataflow:
        return
    for function in unit.functions.values():
        for pragma in all_pragmas(function):
            if pragma.kind in ("dataflow", "stream"):
                message = f"{function.name} has a {pragma.kind} pragma without dataflow"
                yield unit.finding(pragma, "sequential-build", message)
        for name, variable in function.variables.items():
            if is_stream(variable.type):
                message = f"{name} in {function.name} is a stream without dataflow"
                yield unit.finding(variable, "sequential-build", message)


def interfaces_are_complete(unit: Unit) -> Iterator[Finding]:
    """Every argument of the top function has its port, AXI masters with all that decides their speed."""
    top = unit.functions[TOP]
    interfaces = [pragma for pragma in top.pragmas if pragma.kind == "interface"]
    masters = {p.options.get("port"): p for p in interfaces if "m_axi" in p.flags}
    registers = {p.options.get("port") for p in interfaces if "s_axilite" in p.flags}
    for name in [*(parameter.spelling for parameter in top.parameters), "return"]:
        if name not in registers:
            yield unit.finding(top.cursor, "interfaces-complete", f"{name} has no s_axilite register")
    for parameter in top.parameters:
        if not is_master(parameter):
            continue
        pragma = masters.get(parameter.spelling)
        if pragma is None:
            message = f"{parameter.spelling} has no m_axi port"
            yield unit.finding(top.cursor, "interfaces-complete", message)
            continue
        wanted = ["bundle", "offset", "depth", "latency", "num_read_outstanding", "max_read_burst_length"]
        if is_written(parameter):
            wanted += ["num_write_outstanding", "max_write_burst_length"]
        for option in wanted:
            if option not in pragma.options:
                message = f"m_axi port {parameter.spelling} has no {option}"
                yield unit.finding(pragma, "interfaces-complete", message)


def partitions_match_accesses(unit: Unit) -> Iterator[Finding]:
    """A dimension indexed by an unrolled loop is partitioned or reshaped, wherever the array is declared."""
    for function in unit.functions.values():
        for loop in function.loops:
            if not loop.has("unroll"):
                continue
            for access in loop.cursor.walk_preorder():
                array = array_access(access)
                if array is None:
                    continue
                variable, indices = array
                for dimension, index in enumerate(indices, start=1):
                    if loop.variable not in names_in(index):
                        continue
                    for owner, name, at in declarations_of(unit, function, variable, dimension, set()):
                        if not is_partitioned(owner, name, at):
                            message = (
                                f"{loop.label} is unrolled over dimension {at} of {name} in {owner.name}, "
                                f"which is not partitioned"
                            )
                            yield unit.finding(access, "partitions-match", message)


def memories_have_ports(unit: Unit) -> Iterator[Finding]:
    """A pipelined loop reaches each bank of a memory at no more places than the bank serves in its II.

    Every place counts that calls reach, also where two exclude each other: a tool sees two banks apart only
    where they are different arrays.
    """
    for function in unit.functions.values():
        for loop in function.loops:
            interval = next((p.options["II"] for p in loop.pragmas if p.kind == "pipeline"), None)
            if interval is None:
                continue
            served = MEMORY_PORTS * int(interval)
            for (owner, name), places in memory_accesses(unit, function, loop).items():
                if places > served:
                    message = (
                        f"{loop.label} reaches {name} in {owner} at {places} places, "
                        f"a bank serves {served} in II = {interval}"
                    )
                    yield unit.finding(loop.cursor, "memory-ports", message)


def counts_are_known(unit: Unit) -> Iterator[Finding]:
    """No loop's body changes what its condition asks for: how often it runs is known when it begins."""
    for function in unit.functions.values():
        for loop in function.loops:
            children = list(loop.cursor.get_children())
            if loop.cursor.kind is not CursorKind.FOR_STMT or len(children) < 4 or function.name == COUNTER:
                continue
            asked = names_in(children[1])
            for name in sorted(asked & names_changed(children[-1])):
                message = f"the condition of {loop.label} asks for {name}, which its body changes"
                yield unit.finding(loop.cursor, "counts-known", message)


def fifos_are_read_and_written(unit: Unit) -> Iterator[Finding]:
    """Streams are only read and written, and wait: what a stage does must not depend on when data comes."""
    for function in unit.functions.values():
        for stream, method in stream_calls(unit, (function,), function.cursor, {}):
            if method not in ("read", "write") and (stream, method) != ASKED:
                message = f"{function.name} asks {stream} for {method}()"
                yield unit.finding(function.cursor, "fifos-block", message)


def fifos_have_one_place_a_cycle(unit: Unit) -> Iterator[Finding]:
    """A pipelined loop of II = 1 reads a FIFO at one place at most, and writes it at one."""
    for function in unit.functions.values():
        for loop in function.loops:
            interval = next((int(p.options["II"]) for p in loop.pragmas if p.kind == "pipeline"), None)
            if interval is None:
                continue
            places = Counter(stream_calls(unit, (function,), loop.cursor, {}))
            for (stream, method), count in places.items():
                if count > interval:
                    message = f"{loop.label} has {count} places that {method} {stream}, in II = {interval}"
                    yield unit.finding(loop.cursor, "fifo-places", message)


def channels_join_two_stages(unit: Unit) -> Iterator[Finding]:
    """What a dataflow region declares is written by one stage and read by a later one.

    What is declared before a loop of regions leads to the next iteration: it is read by one stage and
    written by a later one. An array may do so alone where it is said to be shared.
    """
    for region in unit.functions.values():
        loop = next((loop for loop in region.loops if loop.has("dataflow")), None)
        if loop is None and not any(pragma.kind == "dataflow" for pragma in region.pragmas):
            continue
        shared = {p.options["variable"] for p in all_pragmas(region) if p.kind == "shared"}
        for name, variable in region.variables.items():
            if variable.kind is not CursorKind.VAR_DECL or not is_channel(variable):
                continue
            stages = uses_by_stages(unit, region, name)
            leads_back = loop is not None and variable.location.offset < loop.cursor.extent.start.offset
            first, then = wanted = ("read", "written") if leads_back else ("written", "read")
            told = ", ".join(f"{stage} ({use})" for stage, use in stages) or "no stage"
            if tuple(use for _, use in stages) != wanted:
                wish = f"{first} by one stage, {then} by a later one"
                message = f"{name} in {region.name} is not {wish}: {told}"
                yield unit.finding(variable, "channels", message)
            elif leads_back and not is_stream(variable.type) and name not in shared:
                message = f"{name} in {region.name} leads back and is not said to be shared: {told}"
                yield unit.finding(variable, "channels", message)


RULES: tuple[Callable[[Unit], Iterator[Finding]], ...] = (
    names_exist,
    loops_are_labelled,
    loops_are_bounded,
    no_dynamic_memory,
    no_pointer_arithmetic,
    no_recursion,
    no_ap_int_results,
    memory_is_native,
    no_bit_ranges,
    pragmas_stand_behind_macros,
    the_sequential_build_has_no_stages,
    interfaces_are_complete,
    partitions_match_accesses,
    memories_have_ports,
    counts_are_known,
    fifos_are_read_and_written,
    fifos_have_one_place_a_cycle,
    channels_join_two_stages,
)


def lint(folder: Path, dataflow: bool = True) -> list[Finding]:
    """Broken rules of the sources in ``folder``, in the order of files and lines."""
    folder = folder.resolve()
    unit = parse(folder, dataflow)
    found = {finding for rule in RULES for finding in rule(unit)}
    return sorted(found, key=lambda f: (f.file, f.line, f.rule, f.message))
